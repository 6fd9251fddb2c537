#include "lamina/image/layer_tar.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "vfs/image/layer_writer.h"
#include "vfs/image/tar_input.h"
#include "vfs/image/tar_reader.h"

namespace lamina {
namespace {

// `status` with the tar, the entry (when known) and the offset in front of its message.
absl::Status Located(const absl::Status& status, std::string_view source, std::string_view entry,
                     std::uint64_t offset_bytes) {
  const std::string reason(status.message());
  if (entry.empty()) {
    return absl::Status(status.code(),
                        absl::StrFormat("%s: at byte %d: %s", source, offset_bytes, reason));
  }
  const std::string name = absl::CEscape(absl::string_view(entry.data(), entry.size()));
  return absl::Status(status.code(), absl::StrFormat("%s: entry \"%s\" at byte %d: %s", source,
                                                     name, offset_bytes, reason));
}

absl::Status ApplyEntries(TarInput input, std::string_view source, LayerWriter& writer,
                          const LayerTarLimits& limits) {
  TarReader reader(std::move(input), limits);
  TarEntry entry;
  for (std::uint64_t count = 0;; ++count) {
    const absl::StatusOr<bool> found = reader.Next(entry);
    if (!found.ok()) {
      return Located(found.status(), source, {}, reader.header_offset_bytes());
    }
    if (!*found) return writer.Finish();
    absl::Status applied = absl::OkStatus();
    if (count >= limits.max_entries) {
      applied = absl::ResourceExhaustedError(
          absl::StrFormat("more than %d entries (max_entries)", limits.max_entries));
    } else {
      applied = writer.Apply(entry, reader);
    }
    if (!applied.ok()) return Located(applied, source, entry.name, entry.offset_bytes);
  }
}

absl::StatusOr<LayerTarReport> Read(absl::StatusOr<TarInput> input, std::string_view source,
                                    MemFs& fs, NodeId into, const LayerTarOptions& options) {
  if (!input.ok()) return Located(input.status(), source, {}, 0);
  if (fs.frozen()) {
    return absl::FailedPreconditionError(absl::StrFormat("%s: the target is frozen", source));
  }
  const Credentials root = RootCredentials();
  const Result<Stat> target = fs.GetAttr(OpContext{root, options.implied_time, {}}, into);
  if (!target.ok() || target->type != FileType::kDirectory) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: the target is not a directory", source));
  }
  const MemFs::Image before = fs.Capture();
  LayerWriter writer(fs, into, options);
  absl::Status applied = ApplyEntries(*std::move(input), source, writer, options.limits);
  if (!applied.ok()) {
    fs.Restore(before);
    return applied;
  }
  return writer.report();
}

}  // namespace

absl::StatusOr<LayerTarReport> ReadLayerTar(std::string_view bytes, MemFs& fs, NodeId into,
                                            const LayerTarOptions& options) {
  return Read(TarInput::FromBytes(bytes, options.limits.max_ratio), "layer tar", fs, into, options);
}

absl::StatusOr<LayerTarReport> ReadLayerTarFile(std::string_view path, MemFs& fs, NodeId into,
                                                const LayerTarOptions& options) {
  return Read(TarInput::FromFile(path, options.limits.max_ratio), path, fs, into, options);
}

}  // namespace lamina
