// CopyTree: everything of a tree arrives, from a MemFs into an ext file system and back.
#include "lamina/image/tree_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "lamina/block/mem_disk.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/mkfs.h"
#include "lamina/fs/mem_fs.h"
#include "tests/image/tree_text.h"

namespace lamina {
namespace {

using ::testing::HasSubstr;

class TreeCopied : public ::testing::Test {
 protected:
  NodeId Make(FileSystem& fs, NodeId dir, std::string_view name, const NewNode& node) {
    const Result<NodeId> made = fs.Create(op_, {dir, name}, node);
    EXPECT_TRUE(made.ok()) << name;
    return made.ok() ? *made : NodeId{};
  }
  void Write(FileSystem& fs, NodeId node, std::uint64_t offset, const std::string& text) {
    const Result<HandleId> handle = fs.Open(op_, node, {.access = Access::kWrite});
    ASSERT_TRUE(handle.ok());
    EXPECT_TRUE(fs.Write(op_, *handle, offset, AsBytes(text)).ok());
    fs.Close(*handle);
  }
  // One of everything.
  void Fill(FileSystem& fs) {
    const NodeId dir = Make(fs, fs.root(), "dir", {FileType::kDirectory, 0755});
    const NodeId file = Make(fs, dir, "file", {FileType::kRegular, 0644});
    Write(fs, file, 0, "begin");
    Write(fs, file, 100'000, "end");
    EXPECT_TRUE(fs.SetAttr(op_, file, {.size_bytes = 300'000}).ok());
    EXPECT_TRUE(fs.SetXattr(op_, file, "user.key", "value", XattrMode::kSet).ok());
    EXPECT_TRUE(fs.SetAttr(op_, file, {.uid = 12, .gid = 34}).ok());
    EXPECT_TRUE(fs.SetAttr(op_, file, {.mode = 04755}).ok());
    EXPECT_TRUE(fs.Link(op_, file, {fs.root(), "hard"}).ok());
    Make(fs, dir, "soft", {FileType::kSymlink, 0777, 0, "../hard"});
    Make(fs, dir, "null", {FileType::kCharDevice, 0666, MakeDevice(1, 3)});
    Make(fs, dir, "fifo", {FileType::kFifo, 0600});
    const Instant then{1'000'000'000'123'456'789};
    EXPECT_TRUE(fs.SetAttr(op_, file, {.atime = kSimulationStart, .mtime = then}).ok());
    EXPECT_TRUE(
        fs.SetAttr(op_, dir, {.mode = 01700, .atime = kSimulationStart, .mtime = then}).ok());
  }

  Credentials root_ = RootCredentials();
  OpContext op_{root_, kSimulationStart, Probe()};
};

TEST_F(TreeCopied, IntoExtAndBackNothingIsLost) {
  MemFs from;
  Fill(from);
  MemDisk disk(MemDisk::SectorsOf(8 << 20));
  ASSERT_TRUE(MakeExt(op_, disk).ok());
  auto ext = ExtFs::Mount(op_, disk);
  ASSERT_TRUE(ext.ok()) << ext.error().text;
  const auto there = CopyTree(op_, from, from.root(), **ext, (*ext)->root());
  ASSERT_TRUE(there.ok()) << there.status();
  EXPECT_EQ(there->files, 1u);
  EXPECT_EQ(there->directories, 1u);
  EXPECT_EQ(there->symlinks, 1u);
  EXPECT_EQ(there->special, 2u);
  EXPECT_EQ(there->hard_links, 1u);
  EXPECT_EQ(there->bytes, 300'000u);
  EXPECT_EQ(there->xattrs_dropped, 0u);
  ASSERT_TRUE((*ext)->Remove(op_, {(*ext)->root(), "lost+found"}, FileType::kDirectory).ok());
  ASSERT_TRUE((*ext)->SetAttr(op_, (*ext)->root(), {.mtime = kSimulationStart}).ok());
  MemFs back;
  ASSERT_TRUE(CopyTree(op_, **ext, (*ext)->root(), back, back.root()).ok());
  EXPECT_EQ(test::TreeText(back, back.root(), test::TreeDetail::kFull),
            test::TreeText(from, from.root(), test::TreeDetail::kFull));
}

TEST_F(TreeCopied, HolesStayHoles) {
  MemFs from;
  Fill(from);
  MemFs to;
  ASSERT_TRUE(CopyTree(op_, from, from.root(), to, to.root()).ok());
  const Result<NodeId> file = to.Lookup(op_, {to.root(), "hard"});
  ASSERT_TRUE(file.ok());
  EXPECT_LE(to.GetAttr(op_, *file)->allocated_sectors, 16u);
}

TEST_F(TreeCopied, ADirectoryThatIsThereIsUsedAndAFileIsNot) {
  MemFs from;
  Fill(from);
  MemFs to;
  Make(to, to.root(), "dir", {FileType::kDirectory, 0700});
  EXPECT_TRUE(CopyTree(op_, from, from.root(), to, to.root()).ok());
  const auto again = CopyTree(op_, from, from.root(), to, to.root());
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(again.status().message()), HasSubstr("/dir/fifo: creating"));
}

TEST_F(TreeCopied, AFullTargetIsSaid) {
  MemFs from;
  Write(from, Make(from, from.root(), "big", {FileType::kRegular, 0644}), 0,
        std::string(300'000, 'b'));
  MemDisk disk(MemDisk::SectorsOf(256 << 10));
  ASSERT_TRUE(MakeExt(op_, disk, {.version = ExtVersion::kExt2}).ok());
  auto ext = ExtFs::Mount(op_, disk);
  ASSERT_TRUE(ext.ok()) << ext.error().text;
  const auto full = CopyTree(op_, from, from.root(), **ext, (*ext)->root());
  EXPECT_EQ(full.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.status().message()), HasSubstr("/big: writing"));
}

}  // namespace
}  // namespace lamina
