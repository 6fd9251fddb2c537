#include "sim/scenario/host_layers.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_format.h"
#if defined(LAMINA_WITH_IMAGE)
#include "lamina/image/host_dir.h"
#include "lamina/image/layer_tar.h"
#endif

namespace lamina::sim::internal {
namespace {

constexpr std::array<std::string_view, 2> kForeignKinds = {"oci", "docker-archive"};

}  // namespace

std::string CheckLayerSource(std::string_view source, bool host_files) {
  const std::size_t colon = source.find(':');
  const std::string_view kind = source.substr(0, colon);
  if (colon == std::string_view::npos || colon + 1 == source.size()) {
    return absl::StrFormat("'%s' is not KIND:PATH", source);
  }
  const bool foreign =
      std::find(kForeignKinds.begin(), kForeignKinds.end(), kind) != kForeignKinds.end();
  if (kind != "dir" && kind != "tar" && !foreign) {
    return absl::StrFormat("'%s' is none of: dir tar oci docker-archive", kind);
  }
  if (!host_files) return "files of the host are not allowed here";
  return "";
}

std::string UnsupportedLayerSource(std::string_view source) {
  const std::string_view kind = source.substr(0, source.find(':'));
#if !defined(LAMINA_WITH_IMAGE)
  return std::string(kind);
#else
  if (std::find(kForeignKinds.begin(), kForeignKinds.end(), kind) == kForeignKinds.end()) return "";
  return std::string(kind);
#endif
}

#if defined(LAMINA_WITH_IMAGE)
absl::Status ReadLayerSource(std::string_view source, const LayerSourceOptions& options, MemFs& fs,
                             NodeId root) {
  const bool directory = source.starts_with("dir:");
  source.remove_prefix(4);
  if (directory) return ReadHostDirectory(source, fs, root).status();
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
