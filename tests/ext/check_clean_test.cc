// CheckExt finds nothing where there is nothing: images of mke2fs, of every size and version.
#include <gmock/gmock.h>

#include <string>

#include "tests/ext/tool_image.h"

namespace lamina {
namespace {

struct Made {
  const char* name;
  const char* arguments;
  const char* size;
};

class CleanImage : public ToolImage, public ::testing::WithParamInterface<Made> {};

TEST_P(CleanImage, HasNoFindings) {
  ASSERT_NO_FATAL_FAILURE(
      Make("a.img", std::string(GetParam().arguments) + " -O " + kNotRefused, GetParam().size));
  EXPECT_EQ(Findings("a.img"), "");
}

TEST_P(CleanImage, WithATreeHasNoFindings) {
  MakeTree("tree");
  ASSERT_NO_FATAL_FAILURE(Make(
      "a.img", std::string(GetParam().arguments) + " -d tree -O " + kNotRefused, GetParam().size));
  EXPECT_EQ(Findings("a.img"), "");
  const ToolEnded fsck = Fsck("a.img");
  EXPECT_EQ(fsck.status, 0) << fsck.out;
}

constexpr Made kMade[] = {
    {"ext2_8M", "-t ext2", "8M"},
    {"ext3_8M", "-t ext3", "8M"},
    {"ext4_8M", "-t ext4", "8M"},
    {"ext2_400M", "-t ext2", "400M"},
    {"ext3_400M", "-t ext3", "400M"},
    {"ext4_400M", "-t ext4", "400M"},
    {"ext2_2G", "-t ext2", "2G"},
    {"ext3_2G", "-t ext3", "2G"},
    {"ext4_2G", "-t ext4", "2G"},
    {"ext2_blocks_of_2K", "-t ext2 -b 2048", "16M"},
    {"ext4_blocks_of_4K", "-t ext4 -b 4096", "32M"},
    {"inodes_of_128", "-t ext3 -I 128", "8M"},
    {"revision_0", "-t ext2 -r 0 -I 128", "8M"},
    {"sparse_super2", "-t ext4 -O sparse_super2,^resize_inode", "40M"},
    {"odd_size", "-t ext4", "10007K"},
};
INSTANTIATE_TEST_SUITE_P(Mke2fs, CleanImage, ::testing::ValuesIn(kMade),
                         [](const auto& made) { return std::string(made.param.name); });

class CheckedImage : public ToolImage {};

TEST_F(CheckedImage, DevicesAttributesAndUnwrittenExtentsAreFine) {
  MakeTree("tree");
  ASSERT_NO_FATAL_FAILURE(Make("a.img", "-t ext4 -d tree -O " + kNotRefused, "8M"));
  std::ofstream(File("value")) << std::string(700, 'v');
  ASSERT_NO_FATAL_FAILURE(Debug("a.img",
                                "mknod fifo p\nmknod null c 1 3\nmknod disk b 259 70000\n"
                                "ea_set small user.short value\nea_set small user.second 2\n"
                                "ea_set -f value big user.long\nfallocate empty 100 120\n"
                                "sif empty size 200000"));
  EXPECT_EQ(Findings("a.img"), "");
  EXPECT_EQ(Fsck("a.img").status, 0) << Fsck("a.img").out;
}

TEST_F(CheckedImage, IndexedDirectoriesAreFine) {
  MakeTree("tree");
  for (int i = 0; i < 3000; ++i) {
    std::ofstream(top_ / "tree" / "many" / (std::string(i % 60, 'n') + std::to_string(i)));
  }
  ASSERT_NO_FATAL_FAILURE(Make("a.img", "-t ext4 -N 4000 -d tree -O " + kNotRefused, "16M"));
  Tool("e2fsck -fyD a.img");
  const ToolEnded indexed = Tool("debugfs -R 'htree /many' a.img");
  ASSERT_THAT(indexed.out, ::testing::HasSubstr("Root node dump"));
  EXPECT_EQ(Findings("a.img"), "");
  EXPECT_EQ(Fsck("a.img").status, 0) << Fsck("a.img").out;
}

TEST_F(CheckedImage, WhatIsNotSupportedIsNamed) {
  ASSERT_NO_FATAL_FAILURE(Make("a.img", "-t ext4", "8M"));
  EXPECT_EQ(Findings("a.img"), "refused: not supported: 64bit, flex_bg, metadata_csum\n");
  ASSERT_NO_FATAL_FAILURE(Make("b.img", "-t ext4 -I 512 -O " + kNotRefused, "8M"));
  EXPECT_EQ(Findings("b.img"), "refused: not supported: inodes of 512 bytes\n");
  std::ofstream(File("c.img")) << std::string(100'000, 'c');
  EXPECT_EQ(Findings("c.img"), "refused: not an ext file system: no magic number\n");
}

}  // namespace
}  // namespace lamina
