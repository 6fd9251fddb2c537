#include "sim/cli/thin_restore.h"

#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "lamina/block/thin_metadata_disk.h"
#include "lamina/image/host_disk.h"
#include "sim/cli/pending_file.h"

namespace lamina::cli {
namespace {

constexpr std::uint64_t kBlockSectors = kThinMetadataBlockBytes / kSectorBytes;
constexpr std::uint64_t kLeastBlocks = 256;  // 1 MiB

absl::Status Complaint(const std::string& path, Errno number) {
  const std::string_view name = ErrnoName(number);
  if (number == Errno::kInval) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: metadata cannot hold a version other than 1 and 2, a data_block_size "
                        "of 0 or more than 2^40 data blocks [%s]",
                        path, name));
  }
  return absl::UnavailableError(absl::StrFormat("%s: %s [%s]", path, ErrnoText(number), name));
}

// Makes the file `blocks` long and writes; longer each time it does not fit.
Result<void> RestoreToFile(const OpContext& op, const ThinDump& dump, std::uint64_t blocks,
                           HostDisk& file) {
  for (;; blocks = std::min(2 * blocks, kMaxThinMetadataBlocks)) {
    if (Result<void> cleared = file.Clear(blocks * kBlockSectors); !cleared.ok()) return cleared;
    Result<void> restored = RestoreThinMetadata(op, dump, file);
    if (restored.ok() || restored.error() != Errno::kNoSpc) return restored;
    if (blocks >= kMaxThinMetadataBlocks) return restored;
  }
}

absl::StatusOr<std::uint64_t> RestoreAsFile(const OpContext& op, const ThinDump& dump,
                                            std::uint64_t least, const std::string& path) {
  absl::StatusOr<PendingFile> pending = PendingFile::Create(path);
  if (!pending.ok()) return pending.status();
  const absl::StatusOr<std::unique_ptr<HostDisk>> file =
      HostDisk::Open(pending->path(), HostAccess::kReadWrite);
  if (!file.ok()) return absl::UnavailableError(file.status().message());
  const std::uint64_t replaced = pending->replaced_bytes() / kThinMetadataBlockBytes;
  const std::uint64_t blocks = std::max({kLeastBlocks, replaced, least + least / 8});
  const Result<void> restored = RestoreToFile(op, dump, blocks, **file);
  if (!restored.ok()) return Complaint(path, restored.error());
  if (absl::Status kept = pending->Keep(); !kept.ok()) return kept;
  return (*file)->size_sectors() / kBlockSectors;
}

absl::StatusOr<std::uint64_t> RestoreToDisk(const OpContext& op, const ThinDump& dump,
                                            const std::string& path) {
  const absl::StatusOr<std::unique_ptr<HostDisk>> disk =
      HostDisk::Open(path, HostAccess::kReadWrite);
  if (!disk.ok()) return absl::UnavailableError(disk.status().message());
  const Result<void> restored = RestoreThinMetadata(op, dump, **disk);
  if (!restored.ok()) return Complaint(path, restored.error());
  return (*disk)->size_sectors() / kBlockSectors;
}

bool IsDisk(const std::string& path) {
  struct stat present {};
  return ::stat(path.c_str(), &present) == 0 && S_ISBLK(present.st_mode);
}

}  // namespace

absl::StatusOr<std::uint64_t> RestoreToHost(const ThinDump& dump, const std::string& path) {
  const std::uint64_t least = LeastThinMetadataBlocks(dump);
  if (least > kMaxThinMetadataBlocks) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: the mappings need more than %d metadata blocks, the most there may be",
                        path, kMaxThinMetadataBlocks));
  }
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  return IsDisk(path) ? RestoreToDisk(op, dump, path) : RestoreAsFile(op, dump, least, path);
}

}  // namespace lamina::cli
