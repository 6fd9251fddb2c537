#include "lamina/image/ext_image.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/block/forwarding_device.h"
#include "vfs/image/source_node.h"

namespace lamina {
namespace {

constexpr std::uint64_t kMiB = 1ull << 20;
constexpr std::uint64_t kLargestGuess = 1ull << 42;  // nobody's tree needs more

absl::Status ExtStatus(std::string_view path, const ExtError& error) {
  const std::string text = absl::StrFormat("%s: %s", path, error.text);
  switch (error.code) {
    case Errno::kOpNotSupp:
      return absl::UnimplementedError(text);
    case Errno::kInval:
    case Errno::kUClean:
      return absl::InvalidArgumentError(text);
    default:
      return absl::UnavailableError(text);
  }
}

// The image is nothing before it is whole, so one flush at the end is enough.
class FlushedLater final : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;
  Result<void> Flush(const OpContext&) override { return {}; }
};

struct Needs {
  std::uint64_t bytes = 0;  // of files, each up to whole blocks
  std::uint64_t nodes = 0;
};

// What a tree takes. Names of one file count each: too much is no harm.
absl::StatusOr<Needs> Measure(const OpContext& op, FileSystem& fs, NodeId from) {
  const auto failed = [](Errno error) {
    return absl::DataLossError(absl::StrFormat("the tree cannot be read: %s", ErrnoText(error)));
  };
  Needs needs;
  std::vector<NodeId> pending = {from};
  while (!pending.empty()) {
    const NodeId node = pending.back();
    pending.pop_back();
    const Result<Stat> stat = fs.GetAttr(op, node);
    if (!stat.ok()) return failed(stat.error());
    ++needs.nodes;
    const std::uint64_t content =
        stat->type == FileType::kRegular
            ? std::min(stat->size_bytes, stat->allocated_sectors * kSectorBytes)
            : 0;
    needs.bytes += (content / 4096 + 1) * 4096;
    if (stat->type != FileType::kDirectory) continue;
    const Result<std::vector<std::string>> names = ReadNames(op, fs, node);
    if (!names.ok()) return failed(names.error());
    for (const std::string& name : *names) {
      const Result<NodeId> child = fs.Lookup(op, {node, name});
      if (!child.ok() && child.error() == Errno::kNoEnt) continue;  // as CopyTree
      if (!child.ok()) return failed(child.error());
      pending.push_back(*child);
    }
  }
  return needs;
}

absl::StatusOr<TreeCopyReport> Fill(const OpContext& op, FileSystem& source, NodeId from,
                                    HostDisk& disk, std::string_view path,
                                    const ExtMkfsOptions& options) {
  FlushedLater device(disk);
  if (ExtOutcome<bool> made = MakeExt(op, device, options); !made.ok()) {
    return ExtStatus(path, made.error());
  }
  ExtOutcome<std::unique_ptr<ExtFs>> fs = ExtFs::Mount(op, device, {});
  if (!fs.ok()) return ExtStatus(path, fs.error());
  absl::StatusOr<TreeCopyReport> report = CopyTree(op, source, from, **fs, (*fs)->root());
  if (!report.ok()) return report.status();
  Result<void> done = (*fs)->Unmount(op);
  if (done.ok()) done = disk.Flush(op);
  if (done.ok()) return report;
  return absl::UnavailableError(absl::StrFormat("%s: %s", path, ErrnoText(done.error())));
}

std::optional<std::uint64_t> SizeOfFile(std::string_view path) {
  struct stat stat {};
  if (::stat(std::string(path).c_str(), &stat) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(stat.st_size);
}

absl::StatusOr<ExtImageReport> Write(const OpContext& op, FileSystem& source, NodeId from,
                                     std::string_view path, const ExtMkfsOptions& options) {
  const std::optional<std::uint64_t> was_there = SizeOfFile(path);
  const absl::StatusOr<std::unique_ptr<HostDisk>> disk = HostDisk::Create(path, options.size_bytes);
  if (!disk.ok()) return disk.status();
  const absl::StatusOr<TreeCopyReport> report = Fill(op, source, from, **disk, path, options);
  if (report.ok()) return ExtImageReport{*report, options.size_bytes};
  // A file that was there before keeps its name and its size.
  const std::string file(path);
  const bool is_left = was_there.has_value() && ::truncate(file.c_str(), 0) == 0 &&
                       ::truncate(file.c_str(), static_cast<off_t>(*was_there)) == 0;
  if (!is_left) ::unlink(file.c_str());
  return report.status();
}

// The usual number of inodes, or more where the tree has more nodes.
void SetInodes(const Needs& needs, ExtMkfsOptions& options) {
  const std::uint64_t usual = options.size_bytes / (options.size_bytes < 512 * kMiB ? 4096 : 16384);
  const std::uint64_t wanted = needs.nodes + needs.nodes / 16 + 16;
  options.inode_count =
      wanted > usual ? static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, 1u << 31)) : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExtImage>> ExtImage::Open(std::string_view path) {
  absl::StatusOr<std::unique_ptr<HostDisk>> disk = HostDisk::Open(path, HostAccess::kReadOnly);
  if (!disk.ok()) return disk.status();
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  ExtOutcome<std::unique_ptr<ExtFs>> fs =
      ExtFs::Mount(op, **disk, {.access = ExtAccess::kReadOnly, .atime = ExtAtime::kNever});
  if (!fs.ok()) return ExtStatus(path, fs.error());
  return std::unique_ptr<ExtImage>(new ExtImage(*std::move(disk), std::move(*fs)));
}

absl::StatusOr<ExtImageReport> WriteExtImage(const OpContext& op, FileSystem& source, NodeId from,
                                             std::string_view path,
                                             const ExtImageOptions& options) {
  const absl::StatusOr<Needs> needs = Measure(op, source, from);
  if (!needs.ok()) return needs.status();
  ExtMkfsOptions mkfs;
  mkfs.version = options.version;
  mkfs.size_bytes = options.size_bytes;
  if (mkfs.size_bytes == 0) mkfs.size_bytes = SizeOfFile(path).value_or(0);
  if (mkfs.size_bytes != 0) {
    SetInodes(*needs, mkfs);
    return Write(op, source, from, path, mkfs);
  }
  // A guess, in whole MiB; what does not fit gets twice as much.
  const std::uint64_t guess = needs->bytes + needs->nodes * 512 + needs->bytes / 8;
  mkfs.size_bytes = std::max(kSmallestImage, (guess / kMiB + 4) * kMiB);
  for (;;) {
    SetInodes(*needs, mkfs);
    absl::StatusOr<ExtImageReport> report = Write(op, source, from, path, mkfs);
    const bool is_full = absl::IsResourceExhausted(report.status());
    if (!is_full || mkfs.size_bytes >= kLargestGuess) return report;
    mkfs.size_bytes *= 2;
  }
}

}  // namespace lamina
