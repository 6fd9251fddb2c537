// Any bytes as an ext image: neither the checker nor a mount crashes, loops or says nothing about
// why it refuses. An image without a finding can be mounted, read as a whole, and changed: then it
// is still without an error.
//
// An input is a list of pieces of a disk of 4 MiB of zeros: the number of a block of 1 KiB, a
// length (two bytes each, little endian) and so many bytes. So an image with a journal is small.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lamina/base/check.h"
#include "lamina/base/credentials.h"
#include "lamina/block/forwarding_device.h"
#include "lamina/block/mem_disk.h"
#include "lamina/ext/check.h"
#include "lamina/ext/ext_fs.h"

namespace {

constexpr std::size_t kBlockBytes = 1024;
constexpr std::size_t kBlocks = 4096;
constexpr std::size_t kMostNodes = 2000;

std::size_t NumberAt(lamina::Bytes input, std::size_t at) {
  return std::to_integer<std::size_t>(input[at]) | std::to_integer<std::size_t>(input[at + 1]) << 8;
}

void Fill(lamina::MemDisk& disk, const lamina::OpContext& op, lamina::Bytes input) {
  while (input.size() > 4) {
    const std::uint64_t sector =
        NumberAt(input, 0) % kBlocks * (kBlockBytes / lamina::kSectorBytes);
    const std::size_t length = std::min({NumberAt(input, 2), kBlockBytes, input.size() - 4});
    std::vector<std::byte> block(kBlockBytes);
    std::copy_n(input.begin() + 4, length, block.begin());
    LAMINA_CHECK(disk.Write(op, lamina::Sector{sector}, block).ok());
    input = input.subspan(4 + length);
  }
}

// A disk that nobody may write to.
class Sealed final : public lamina::ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;
  lamina::Result<void> Write(const lamina::OpContext&, lamina::Sector, lamina::Bytes) override {
    LAMINA_CHECK(false);
    return {};
  }
  lamina::Result<void> Discard(const lamina::OpContext&, lamina::SectorRange) override {
    LAMINA_CHECK(false);
    return {};
  }
};

// Looks at everything there is, but not for ever: the first error, or kOk.
struct Walk {
  lamina::FileSystem& fs;
  const lamina::OpContext& op;
  std::size_t nodes = 0;
  std::optional<lamina::Errno> error = std::nullopt;

  template <typename T>
  const T* Take(const lamina::Result<T>& result) {
    if (result.ok()) return &*result;
    if (!error.has_value()) error = result.error();
    return nullptr;
  }

  void ReadFile(lamina::NodeId node) {
    const lamina::Result<lamina::HandleId> handle = fs.Open(op, node, {});
    if (Take(handle) == nullptr) return;
    std::array<std::byte, 4096> bytes;
    for (std::uint64_t at = 0; at < 64 * bytes.size(); at += bytes.size()) {
      const lamina::Result<std::size_t> got = fs.Read(op, *handle, at, bytes);
      if (Take(got) == nullptr || *got < bytes.size()) break;
    }
    const lamina::Result<std::uint64_t> data = fs.Seek(op, *handle, 0, lamina::SeekKind::kData);
    if (!data.ok() && data.error() != lamina::Errno::kNxIo) (void)Take(data);
    fs.Close(*handle);
  }

  void ReadDirectory(lamina::NodeId node, std::vector<lamina::NodeId>& pending) {
    const lamina::Result<lamina::HandleId> handle = fs.Open(op, node, {});
    if (Take(handle) == nullptr) return;
    std::vector<std::string> names;
    (void)Take(fs.ReadDir(op, *handle, {}, [&](const lamina::DirEntry& entry) {
      names.emplace_back(entry.name);
      return names.size() < kMostNodes;
    }));
    fs.Close(*handle);
    for (const std::string& name : names) {
      const lamina::Result<lamina::NodeId> child = fs.Lookup(op, {node, name});
      if (Take(child) != nullptr) pending.push_back(*child);
    }
  }

  void Run() {
    std::vector<lamina::NodeId> pending = {fs.root()};
    while (!pending.empty() && ++nodes < kMostNodes) {
      const lamina::NodeId node = pending.back();
      pending.pop_back();
      const lamina::Result<lamina::Stat> stat = fs.GetAttr(op, node);
      if (Take(stat) == nullptr) continue;
      const auto keys = fs.ListXattr(op, node);
      if (Take(keys) != nullptr) {
        for (const std::string& key : *keys) (void)Take(fs.GetXattr(op, node, key));
      }
      if (stat->type == lamina::FileType::kRegular) ReadFile(node);
      if (stat->type == lamina::FileType::kSymlink) (void)Take(fs.ReadLink(op, node));
      if (stat->type == lamina::FileType::kDirectory) ReadDirectory(node, pending);
    }
  }
};

// Makes, writes and removes something; false: the file system did not take it.
bool Change(lamina::FileSystem& fs, const lamina::OpContext& op) {
  const lamina::Place place{fs.root(), "a name that nobody has"};
  const auto made = fs.CreateOpen(op, place, {lamina::FileType::kRegular, 0644, 0, {}},
                                  {.access = lamina::Access::kWrite});
  if (!made.ok()) return false;
  const std::vector<std::byte> bytes(5000, std::byte{7});
  (void)fs.Write(op, made->handle, 3000, bytes);
  fs.Close(made->handle);
  (void)fs.SyncAll(op);
  (void)fs.Create(op, {fs.root(), "a directory"}, {lamina::FileType::kDirectory, 0755, 0, {}});
  return fs.Remove(op, place, lamina::FileType::kRegular).ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const lamina::Credentials root = lamina::RootCredentials();
  const lamina::OpContext op{root, lamina::kSimulationStart, {}};
  lamina::MemDisk disk(kBlocks * kBlockBytes / lamina::kSectorBytes);
  Fill(disk, op, std::as_bytes(std::span(data, size)));
  Sealed sealed(disk);

  lamina::ExtOutcome<lamina::ExtReport> report = lamina::CheckExt(op, sealed);
  const bool is_known = report.ok();
  if (is_known) {
    LAMINA_CHECK(report->findings.size() <= lamina::ExtReport::kMaxFindings);
    LAMINA_CHECK(report->findings.size() <= report->errors + report->notes);
    for (const lamina::ExtFinding& finding : report->findings) {
      LAMINA_CHECK(!lamina::FindingText(finding).empty());
      LAMINA_CHECK(!lamina::FindingId(finding.kind).empty());
    }
  } else {
    LAMINA_CHECK(!report.error().text.empty());
  }
  const bool is_spotless = is_known && report->errors + report->notes == 0;

  {
    auto fs = lamina::ExtFs::Mount(op, sealed, {.access = lamina::ExtAccess::kReadOnly});
    LAMINA_CHECK(fs.ok() || !fs.error().text.empty());
    LAMINA_CHECK(fs.ok() || !is_spotless);
    if (fs.ok()) {
      Walk walk{**fs, op};
      walk.Run();
      LAMINA_CHECK(!walk.error.has_value() || !is_spotless);
    }
  }
  auto fs = lamina::ExtFs::Mount(op, disk, {});
  if (!fs.ok()) return 0;
  (void)Change(**fs, op);
  const bool is_unmounted = (*fs)->Unmount(op).ok();
  if (!is_spotless) return 0;
  LAMINA_CHECK(is_unmounted);
  lamina::ExtOutcome<lamina::ExtReport> after = lamina::CheckExt(op, disk);
  LAMINA_CHECK(after.ok());
  LAMINA_CHECK(after->clean());
  return 0;
}
