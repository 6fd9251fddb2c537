// Images that mke2fs made, and images that mkfs made, held against e2fsprogs and the kernel.
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/mkfs.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/image/host_dir.h"
#include "tests/block/device_fixture.h"
#include "tests/ext/ext_tree.h"
#include "tests/ext/host_tools.h"
#include "tests/ext/host_tree.h"

namespace lamina::test {
namespace {

constexpr std::string_view kSupported = "-O ^64bit,^metadata_csum,^flex_bg";
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

int TreesWanted() {
  const char* text = std::getenv("LAMINA_EXT_TREES");
  return text == nullptr ? 50 : std::atoi(text);
}

std::string HostTree(const std::filesystem::path& dir, const TreeShown& shown) {
  MemFs fs;
  const auto report = ReadHostDirectory(dir.string(), fs, fs.root());
  return report.ok() ? TreeLines(fs, fs.root(), shown) : std::string(report.status().message());
}

std::string ImageTree(BlockDevice& disk, ExtAccess access, const TreeShown& shown) {
  auto fs = ExtFs::Mount(Caller().Op(), disk, {.access = access, .atime = ExtAtime::kNever});
  return fs.ok() ? TreeLines(**fs, (*fs)->root(), shown) : fs.error().text;
}

template <typename Case>
std::string NameOf(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

// What `dumpe2fs` says, less what belongs to the moment.
std::string Dump(const std::filesystem::path& image) {
  return Shell("dumpe2fs " + image.string() +
               " 2>/dev/null | grep -vE 'Hash Seed|Lifetime|Overhead|UUID|time:|created:|checked:'")
      .out;
}

struct Kind {
  std::string name;
  std::string mke2fs;  // its options
};

class Mke2fs : public testing::TestWithParam<Kind> {};

TEST_P(Mke2fs, EXT_TreesOfMke2fsMountWithTheSameTree) {
  LAMINA_NEEDS_TOOL("mke2fs");
  const TreeShown shown{.times = TreeTimes::kSeconds, .root = false};
  for (int seed = 1; seed <= TreesWanted() / 5; ++seed) {
    const Scratch scratch;
    std::filesystem::create_directory(scratch / "tree");
    DrawHostTree(scratch / "tree", static_cast<std::uint64_t>(seed));
    const std::string image = (scratch / "image").string();
    const Ended made = Shell("mke2fs -q -F " + GetParam().mke2fs + " -d " +
                             (scratch / "tree").string() + " " + image + " 24M");
    ASSERT_EQ(made.status, 0) << made.out;
    MemDisk disk = LoadDisk(image);
    const std::string want = HostTree(scratch / "tree", shown);
    ASSERT_EQ(ImageTree(disk, ExtAccess::kReadOnly, shown), want) << "seed " << seed;
    ASSERT_EQ(ImageTree(disk, ExtAccess::kReadWrite, shown), want) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Mke2fs,
    testing::Values(Kind{"Ext4", "-t ext4 " + std::string(kSupported)},
                    Kind{"Ext4Of4KiB", "-t ext4 -b 4096 " + std::string(kSupported)},
                    Kind{"Ext3Of2KiB", "-t ext3 -b 2048"}, Kind{"Ext2", "-t ext2"},
                    Kind{"Ext2OfSmallInodes", "-t ext2 -I 128 -O ^dir_index,^resize_inode"}),
    &NameOf<Kind>);

// Removes everything but lost+found. "" or what could not be removed.
std::string RemoveAll(const OpContext& op, ExtFs& fs) {
  std::vector<std::pair<NodeId, std::string>> dirs;
  std::vector<NodeId> open = {fs.root()};
  while (!open.empty()) {
    const NodeId dir = open.back();
    open.pop_back();
    std::vector<std::string> names;
    const Result<HandleId> handle = fs.Open(op, dir, {});
    (void)fs.ReadDir(op, *handle, {}, [&](const DirEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    });
    fs.Close(*handle);
    for (const std::string& name : names) {
      if (dir == fs.root() && name == "lost+found") continue;
      const Result<NodeId> node = fs.Lookup(op, {dir, name});
      if (!node.ok()) return name;
      if (fs.GetAttr(op, *node)->type == FileType::kDirectory) {
        dirs.emplace_back(dir, name);
        open.push_back(*node);
      } else if (!fs.Remove(op, {dir, name}, FileType::kRegular).ok()) {
        return name;
      }
    }
  }
  for (auto each = dirs.rbegin(); each != dirs.rend(); ++each) {
    if (!fs.Remove(op, {each->first, each->second}, FileType::kDirectory).ok()) return each->second;
  }
  return "";
}

// Mounts `image`, removes everything, and says what e2fsck finds then.
std::string EmptyImage(const std::filesystem::path& image) {
  MemDisk disk = LoadDisk(image);
  const Caller caller;
  auto fs = ExtFs::Mount(caller.Op(), disk, {});
  if (!fs.ok()) return fs.error().text;
  if (std::string name = RemoveAll(caller.Op(), **fs); !name.empty()) return name;
  if (!(*fs)->Unmount(caller.Op()).ok()) return "unmount";
  SaveDisk(disk, image);
  return Fsck(image);
}

TEST_P(Mke2fs, EXT_ImagesOfMke2fsCanBeEmptied) {
  LAMINA_NEEDS_TOOL("mke2fs");
  const Scratch scratch;
  std::filesystem::create_directory(scratch / "tree");
  DrawHostTree(scratch / "tree", 99);
  const std::string image = (scratch / "image").string();
  const Ended made = Shell("mke2fs -q -F " + GetParam().mke2fs + " -d " +
                           (scratch / "tree").string() + " " + image + " 24M");
  ASSERT_EQ(made.status, 0) << made.out;
  EXPECT_EQ(EmptyImage(image), "");
}

TEST(Hashed, EXT_HashedDirectoriesAreReadAndLoseTheirHashWhenWritten) {
  LAMINA_NEEDS_TOOL("mke2fs");
  const Scratch scratch;
  std::filesystem::create_directories(scratch / "tree/long");
  for (int index = 0; index < 600; ++index) {
    const std::string name = "tree/long/a_rather_long_name_" + std::to_string(index);
    std::ofstream(scratch / name) << index;
  }
  const std::string image = (scratch / "image").string();
  const std::string make = "mke2fs -q -F -t ext4 " + std::string(kSupported) + " -d " +
                           (scratch / "tree").string() + " " + image + " 24M";
  ASSERT_EQ(Shell(make).status, 0);
  (void)Shell("e2fsck -fyD " + image);
  const auto flags = [&] { return Shell("debugfs -R 'stat /long' " + image).out; };
  ASSERT_THAT(flags(), testing::HasSubstr("Flags: 0x81000"));
  MemDisk disk = LoadDisk(image);
  const TreeShown shown{.times = TreeTimes::kSeconds, .root = false};
  EXPECT_EQ(ImageTree(disk, ExtAccess::kReadOnly, shown), HostTree(scratch / "tree", shown));
  {
    const Caller caller;
    auto fs = ExtFs::Mount(caller.Op(), disk, {});
    ASSERT_TRUE(fs.ok());
    const NodeId dir = *(*fs)->Lookup(caller.Op(), {(*fs)->root(), "long"});
    for (int index = 0; index < 100; ++index) {
      ASSERT_TRUE((*fs)->Create(caller.Op(), {dir, "n" + std::to_string(index)}, {}).ok());
    }
    ASSERT_TRUE((*fs)->Unmount(caller.Op()).ok());
  }
  SaveDisk(disk, image);
  EXPECT_EQ(Fsck(image), "");
  EXPECT_THAT(flags(), testing::HasSubstr("Flags: 0x80000"));
  EXPECT_EQ(EmptyImage(image), "");
}

// Shared xattr blocks, unwritten extents, hashed directories: what only the kernel makes.
TEST(Kernel, EXT_ImagesThatTheKernelWroteAreReadAndCanBeEmptied) {
  LAMINA_NEEDS_TOOL("e2fsck");
  for (const ExtVersion version : {ExtVersion::kExt2, ExtVersion::kExt3, ExtVersion::kExt4}) {
    const Scratch scratch;
    const std::filesystem::path image = scratch / "image";
    std::filesystem::create_directory(scratch / "tree");
    DrawHostTree(scratch / "tree", 7);
    MemDisk made(MemDisk::SectorsOf(24 * kMiB));
    ASSERT_TRUE(MakeExt(Caller().Op(), made, {.version = version}).ok());
    SaveDisk(made, image);
    const TreeShown shown{.root = false};
    std::string want;
    {
      const KernelMount mount(image, KernelAccess::kReadWrite);
      if (!mount.ok()) GTEST_SKIP() << "the host does not allow loop mounts";
      const std::string at = mount.path().string();
      ASSERT_EQ(Shell("cp -a " + (scratch / "tree").string() + "/. " + at).status, 0);
      // What the host cannot do is not there.
      (void)Shell("cd " + at + R"( &&
          for i in 1 2 3; do echo $i > shared$i; done
          python3 -c "import os; [os.setxattr('shared' + i, 'user.x', b'x' * 300) for i in '123']"
          fallocate -l 300000 -n shared1
          mkdir hashed && cd hashed && for i in $(seq 300); do : > a_rather_long_name_$i; done)");
    }
    {
      // Mounted again: blocks that are not given out yet would look like holes.
      const KernelMount mount(image);
      want = HostTree(mount.path(), shown);
    }
    MemDisk disk = LoadDisk(image);
    EXPECT_EQ(ImageTree(disk, ExtAccess::kReadWrite, shown), want);
    EXPECT_EQ(EmptyImage(image), "");
  }
}

// ── Features that make a mount read-only ─────────────────────────────────────────────────────────

TEST(ReadOnly, EXT_UnknownRoCompatFeaturesMountReadOnly) {
  LAMINA_NEEDS_TOOL("mke2fs");
  for (const std::string feature : {"quota", "uninit_bg"}) {
    const Scratch scratch;
    std::filesystem::create_directory(scratch / "tree");
    DrawHostTree(scratch / "tree", 3);
    const std::string image = (scratch / "image").string();
    const Ended made = Shell("mke2fs -q -F -t ext4 " + std::string(kSupported) + "," + feature +
                             " -d " + (scratch / "tree").string() + " " + image + " 64M");
    ASSERT_EQ(made.status, 0) << made.out;
    MemDisk disk = LoadDisk(image);
    auto fs = ExtFs::Mount(Caller().Op(), disk, {});
    ASSERT_TRUE(fs.ok()) << feature << ": " << fs.error().text;
    EXPECT_TRUE((*fs)->limits().read_only);
    EXPECT_EQ((*fs)->Create(Caller().Op(), {(*fs)->root(), "x"}, {}).error(), Errno::kRoFs);
    const TreeShown shown{.times = TreeTimes::kSeconds, .root = false};
    EXPECT_EQ(TreeLines(**fs, (*fs)->root(), shown), HostTree(scratch / "tree", shown)) << feature;
  }
}

// ── Features that are refused ────────────────────────────────────────────────────────────────────

struct Refused {
  std::string name;
  std::string options;
  std::string text;
};

class Mke2fsRefused : public testing::TestWithParam<Refused> {};

TEST_P(Mke2fsRefused, EXT_RefusedFeaturesAreNamed) {
  LAMINA_NEEDS_TOOL("mke2fs");
  const Scratch scratch;
  const std::string image = (scratch / "image").string();
  const Ended made = Shell("mke2fs -q -F " + GetParam().options + " " + image + " 16M");
  ASSERT_EQ(made.status, 0) << made.out;
  MemDisk disk = LoadDisk(image);
  auto fs = ExtFs::Mount(Caller().Op(), disk, {});
  ASSERT_FALSE(fs.ok());
  EXPECT_EQ(fs.error().code, Errno::kOpNotSupp);
  EXPECT_EQ(fs.error().text, GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Features, Mke2fsRefused,
    testing::Values(
        Refused{"Default", "-t ext4", "unsupported feature: 64bit, flex_bg, metadata_csum"},
        Refused{"Bits64", "-t ext4 -O ^metadata_csum,^flex_bg", "unsupported feature: 64bit"},
        Refused{"FlexBg", "-t ext4 -O ^metadata_csum,^64bit", "unsupported feature: flex_bg"},
        Refused{"Checksums", "-t ext4 -O ^64bit,^flex_bg", "unsupported feature: metadata_csum"},
        Refused{"Bigalloc", "-t ext4 -O ^64bit,^flex_bg,^metadata_csum,bigalloc",
                "unsupported feature: bigalloc"},
        Refused{"InlineData", "-t ext4 -O ^64bit,^flex_bg,^metadata_csum,inline_data",
                "unsupported feature: inline_data"},
        Refused{"Encrypt", "-t ext4 -O ^64bit,^flex_bg,^metadata_csum,encrypt",
                "unsupported feature: encrypt"},
        Refused{"Casefold", "-t ext4 -O ^64bit,^flex_bg,^metadata_csum,casefold",
                "unsupported feature: casefold"},
        Refused{"EaInode", "-t ext4 -O ^64bit,^flex_bg,^metadata_csum,ea_inode",
                "unsupported feature: ea_inode"},
        Refused{"MetaBg", "-t ext4 -O ^64bit,^flex_bg,^metadata_csum,^resize_inode,meta_bg",
                "unsupported feature: meta_bg"},
        Refused{"InodesOf512", "-t ext4 -I 512 -O ^64bit,^flex_bg,^metadata_csum",
                "inode size 512: only 128 and 256 are supported"}),
    &NameOf<Refused>);

// ── mkfs ─────────────────────────────────────────────────────────────────────────────────────────

struct Made {
  std::string name;
  std::string mke2fs;
  std::uint64_t mib;
  ExtVersion version;
  std::uint32_t block_bytes = 0;
  std::uint32_t inode_bytes = 256;
};

class Mkfs : public testing::TestWithParam<Made> {};

TEST_P(Mkfs, EXT_MkfsPicksWhatMke2fsPicks) {
  LAMINA_NEEDS_TOOL("mke2fs");
  const Scratch scratch;
  const Made& made = GetParam();
  const std::string real = (scratch / "real").string();
  const std::string ours = (scratch / "ours").string();
  const std::string line = "truncate -s " + std::to_string(made.mib) + "M " + real +
                           " && mke2fs -q -F " + made.mke2fs + " " + real;
  ASSERT_EQ(Shell(line).status, 0);
  MemDisk disk(MemDisk::SectorsOf(made.mib * kMiB));
  auto done = MakeExt(
      Caller().Op(), disk,
      {.version = made.version, .block_bytes = made.block_bytes, .inode_bytes = made.inode_bytes});
  ASSERT_TRUE(done.ok()) << done.error().text;
  SaveDisk(disk, ours);
  EXPECT_EQ(Fsck(ours), "");
  EXPECT_EQ(Dump(ours), Dump(real));
  const auto inodes = [](const std::string& image) {
    std::string text;
    for (const char* inode : {"<2>", "<7>", "<8>", "<11>"}) {
      text += Shell("debugfs -R 'stat " + std::string(inode) + "' " + image +
                    " 2>/dev/null | grep -v time:")
                  .out;
    }
    return text;
  };
  EXPECT_EQ(inodes(ours), inodes(real));
  EXPECT_EQ(ImageTree(disk, ExtAccess::kReadWrite, {.times = TreeTimes::kNone}),
            "/ dir 0755 0:0\n");
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, Mkfs,
    testing::Values(
        Made{"Ext4Of1MiB", "-t ext4 " + std::string(kSupported), 1, ExtVersion::kExt4},
        Made{"Ext4Of2MiB", "-t ext4 " + std::string(kSupported), 2, ExtVersion::kExt4},
        Made{"Ext4Of8MiB", "-t ext4 " + std::string(kSupported), 8, ExtVersion::kExt4},
        Made{"Ext4Of100MiB", "-t ext4 " + std::string(kSupported), 100, ExtVersion::kExt4},
        Made{"Ext4Of400MiB", "-t ext4 " + std::string(kSupported), 400, ExtVersion::kExt4},
        Made{"Ext4Of513MiB", "-t ext4 " + std::string(kSupported), 513, ExtVersion::kExt4},
        Made{"Ext4Of2GiB", "-t ext4 " + std::string(kSupported), 2048, ExtVersion::kExt4},
        Made{"Ext3Of8MiB", "-t ext3", 8, ExtVersion::kExt3},
        Made{"Ext3Of400MiB", "-t ext3", 400, ExtVersion::kExt3},
        Made{"Ext2Of8MiB", "-t ext2", 8, ExtVersion::kExt2},
        Made{"Ext2Of2GiB", "-t ext2", 2048, ExtVersion::kExt2},
        Made{"Ext4Of2KiBBlocks", "-t ext4 -b 2048 " + std::string(kSupported), 64,
             ExtVersion::kExt4, 2048},
        Made{"Ext4Of4KiBBlocksNothingToReserve", "-t ext4 -b 4096 " + std::string(kSupported), 16,
             ExtVersion::kExt4, 4096},
        Made{"Ext4Of4KiBBlocks", "-t ext4 -b 4096 " + std::string(kSupported), 300,
             ExtVersion::kExt4, 4096},
        Made{"Ext3Of4KiBBlocks", "-t ext3 -b 4096", 24, ExtVersion::kExt3, 4096},
        Made{"Ext4OfSmallInodes", "-t ext4 -I 128 " + std::string(kSupported), 16,
             ExtVersion::kExt4, 0, 128}),
    &NameOf<Made>);

}  // namespace
}  // namespace lamina::test
