// What tests of ExtFs share: a disk with a file system on it, and short words for calls.
//
// Threads: one.
#ifndef LAMINA_TESTS_EXT_EXT_FIXTURE_H_
#define LAMINA_TESTS_EXT_EXT_FIXTURE_H_

#include <memory>
#include <string>
#include <string_view>

#include "lamina/base/check.h"
#include "lamina/block/mem_disk.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/mkfs.h"
#include "tests/ext/host_tools.h"

namespace lamina::test {

inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

class ExtBench {
 public:
  ExtBench(std::uint64_t disk_bytes, const ExtMkfsOptions& options,
           const ExtMountOptions& mount = {})
      : mount_(mount), disk(MemDisk::SectorsOf(disk_bytes)), device_(&disk) {
    auto made = MakeExt(Op(), disk, options);
    LAMINA_CHECK(made.ok());
    Mount();
  }

  // Each call is 1 ms after the one before.
  OpContext Op() {
    now_.virtual_ns += 1'000'000;
    return {credentials_, now_, {}};
  }
  ExtFs& fs() { return *fs_; }
  NodeId root() { return fs_->root(); }
  // From now on the file system stands on `device`, which must hold what the disk holds.
  void MountOn(BlockDevice& device) {
    device_ = &device;
    Mount();
  }
  void Mount() {
    auto mounted = ExtFs::Mount(Op(), *device_, mount_);
    LAMINA_CHECK(mounted.ok());
    fs_ = *std::move(mounted);
  }
  void Unmount() { LAMINA_CHECK(fs_->Unmount(Op()).ok()); }
  void Crash() { fs_.reset(); }

  NodeId Make(NodeId dir, std::string_view name, FileType type = FileType::kRegular) {
    const Result<NodeId> node = fs_->Create(Op(), {dir, name}, {type, 0755, 0, {}});
    LAMINA_CHECK(node.ok());
    return *node;
  }
  HandleId Open(NodeId node) {
    const Result<HandleId> handle = fs_->Open(Op(), node, {.access = Access::kReadWrite});
    LAMINA_CHECK(handle.ok());
    return *handle;
  }
  // A file with content, closed.
  NodeId MakeFile(NodeId dir, std::string_view name, std::string_view content) {
    const NodeId node = Make(dir, name);
    const HandleId handle = Open(node);
    LAMINA_CHECK(Write(handle, 0, content));
    fs_->Close(handle);
    return node;
  }
  bool Write(HandleId handle, std::uint64_t offset, std::string_view text) {
    const Result<std::size_t> bytes = fs_->Write(Op(), handle, offset, AsBytes(text));
    return bytes.ok() && *bytes == text.size();
  }
  std::string Read(HandleId handle, std::uint64_t offset, std::size_t length) {
    std::string text(length, '\0');
    const Result<std::size_t> bytes =
        fs_->Read(Op(), handle, offset, std::as_writable_bytes(std::span(text)));
    if (!bytes.ok()) return std::string(ErrnoName(bytes.error()));
    text.resize(*bytes);
    return text;
  }
  std::uint64_t free_bytes() { return fs_->GetSpace(Op())->free_bytes; }

  // Unmounts, and says what e2fsck finds; "" when that is nothing, or there is no e2fsck.
  std::string UnmountAndCheck() {
    Unmount();
    return CheckImage(disk);
  }
  static std::string CheckImage(const MemDisk& image) {
    if (!HasTool("e2fsck")) return "";
    const Scratch scratch;
    SaveDisk(image, scratch / "image");
    return Fsck(scratch / "image");
  }

 private:
  const ExtMountOptions mount_;
  Credentials credentials_;
  Instant now_ = kSimulationStart;

 public:
  MemDisk disk;

 private:
  BlockDevice* device_;
  std::unique_ptr<ExtFs> fs_;
};

}  // namespace lamina::test
#endif  // LAMINA_TESTS_EXT_EXT_FIXTURE_H_
