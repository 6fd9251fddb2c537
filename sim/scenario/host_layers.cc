#include "sim/scenario/host_layers.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_format.h"
#if defined(LAMINA_WITH_IMAGE)
#include "lamina/image/ext_image.h"
#include "lamina/image/host_dir.h"
#include "lamina/image/layer_tar.h"
#endif

namespace lamina::sim::internal {
namespace {

constexpr std::array<std::string_view, 3> kKinds = {"dir", "tar", "ext4"};
constexpr std::array<std::string_view, 2> kForeignKinds = {"oci", "docker-archive"};

template <std::size_t N>
bool IsOneOf(const std::array<std::string_view, N>& kinds, std::string_view kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

}  // namespace

std::string CheckLayerSource(std::string_view source, bool host_files) {
  const std::size_t colon = source.find(':');
  const std::string_view kind = source.substr(0, colon);
  if (colon == std::string_view::npos || colon + 1 == source.size()) {
    return absl::StrFormat("'%s' is not KIND:PATH", source);
  }
  if (!IsOneOf(kKinds, kind) && !IsOneOf(kForeignKinds, kind)) {
    return absl::StrFormat("'%s' is none of: dir tar ext4 oci docker-archive", kind);
  }
  if (!host_files) return "files of the host are not allowed here";
  return "";
}

std::string UnsupportedLayerSource(std::string_view source) {
  const std::string_view kind = source.substr(0, source.find(':'));
#if !defined(LAMINA_WITH_IMAGE)
  return std::string(kind);
#else
  return IsOneOf(kForeignKinds, kind) ? std::string(kind) : "";
#endif
}

#if defined(LAMINA_WITH_IMAGE)
namespace {

// The tree of the image, copied: a layer may be written, and the image is not.
absl::Status ReadImage(std::string_view path, Instant now, MemFs& fs, NodeId root) {
  const absl::StatusOr<std::unique_ptr<ExtImage>> image = ExtImage::Open(path);
  if (!image.ok()) return image.status();
  const Credentials caller = RootCredentials();
  const OpContext op{caller, now, Probe()};
  ExtFs& source = (*image)->fs();
  const absl::Status copied = CopyTree(op, source, source.root(), fs, root).status();
  if (copied.ok()) return copied;
  return {copied.code(), absl::StrFormat("%s: %s", path, std::string(copied.message()))};
}

}  // namespace

absl::Status ReadLayerSource(std::string_view source, const LayerSourceOptions& options, MemFs& fs,
                             NodeId root) {
  const std::size_t colon = source.find(':');
  const std::string_view kind = source.substr(0, colon);
  source.remove_prefix(colon + 1);
  if (kind == "dir") return ReadHostDirectory(source, fs, root).status();
  if (kind == "ext4") return ReadImage(source, options.now, fs, root);
  LayerTarOptions tar;
  tar.implied_time = options.now;
  if (options.userxattr) tar.whiteouts = WhiteoutForm::kOverlayUser;
  if (options.aufs) tar.whiteouts = WhiteoutForm::kAufs;
  while (!source.empty()) {
    const std::size_t comma = std::min(source.find(','), source.size());
    const absl::Status read = ReadLayerTarFile(source.substr(0, comma), fs, root, tar).status();
    if (!read.ok()) return read;
    source.remove_prefix(std::min(comma + 1, source.size()));
  }
  return absl::OkStatus();
}
#else
absl::Status ReadLayerSource(std::string_view source, const LayerSourceOptions&, MemFs&, NodeId) {
  return absl::UnimplementedError(absl::StrFormat("'%s': built without lamina::image", source));
}
#endif

}  // namespace lamina::sim::internal
