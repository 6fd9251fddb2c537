// CheckExt names what was damaged: one field, and the finding that follows from it.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/ext/tool_image.h"

namespace lamina {
namespace {

// A field, set by a command of debugfs, and every finding it gives.
struct Damage {
  const char* name;
  const char* command;
  const char* findings;
};

class OneDamagedField : public ToolImage, public ::testing::WithParamInterface<Damage> {
 protected:
  void SetUp() override {
    ToolImage::SetUp();
    if (IsSkipped()) return;
    // Inode 12 is /d, 13 /d/file, 14 /link, 15 /empty.
    namespace fs = std::filesystem;
    fs::create_directories(top_ / "tree" / "d");
    std::ofstream(top_ / "tree" / "d" / "file") << std::string(3000, 'f');
    ASSERT_NO_FATAL_FAILURE(Make("a.img", "-t ext3 -N 64 -d tree -O " + kNotRefused, "4M"));
    ASSERT_NO_FATAL_FAILURE(Debug("a.img", "symlink link d/file\nmknod pipe p"));
    ASSERT_EQ(Findings("a.img"), "");
  }
};

TEST_P(OneDamagedField, GivesItsFinding) {
  ASSERT_NO_FATAL_FAILURE(Debug("a.img", GetParam().command));
  EXPECT_EQ(Findings("a.img"), GetParam().findings);
  const ToolEnded fsck = Fsck("a.img");
  const bool is_clean = fsck.status == 0 && fsck.out.find("? no") == std::string::npos;
  EXPECT_EQ(is_clean,
            ('\n' + std::string(GetParam().findings)).find("\nerror ") == std::string::npos)
      << fsck.out;
}

constexpr Damage kDamages[] = {
    {"inodes_count", "ssv inodes_count 63", "error superblock inodes_count is 63\n"},
    {"blocks_count", "ssv blocks_count 5000",
     "error superblock blocks_count is 5000, the device has 4096\n"},
    {"reserved_blocks", "ssv r_blocks_count 4000",
     "error superblock reserved_blocks_count is 4000\n"},
    {"free_blocks", "ssv free_blocks_count 7", "error count free blocks 7, found 3013\n"},
    {"free_inodes", "ssv free_inodes_count 7", "error count free inodes 7, found 49\n"},
    {"inode_size", "ssv inode_size 200", "error superblock inodes of 200 bytes\n"},
    {"state_errors", "ssv state 2",
     "note superblock marked: errors were found while it was in use\n"
     "note superblock marked: not unmounted cleanly\n"},
    {"bg_block_bitmap", "set_bg 0 block_bitmap 5000",
     "error group group 0: its block bitmap lies at block 5000, outside it\n"},
    {"bg_free_blocks", "set_bg 0 free_blocks_count 1",
     "error count group 0: free blocks 1, found 3013\n"},
    {"bg_free_inodes", "set_bg 0 free_inodes_count 1",
     "error count group 0: free inodes 1, found 49\n"},
    {"bg_used_dirs", "set_bg 0 used_dirs_count 1", "error count group 0: directories 1, found 3\n"},
    {"freeb", "freeb 1081",
     "error block-bitmap group 0: blocks in use that are marked free: 1, the first is 1081\n"},
    {"setb", "setb 2000",
     "error block-bitmap group 0: blocks marked in use that nobody has: 1, the first is 2000\n"},
    {"freei", "freei <13>",
     "error inode-bitmap group 0: inodes in use that are marked free: 1, the first is 13\n"},
    {"seti", "seti <40>",
     "error inode-bitmap group 0: inodes marked in use that are not: 1, the first is 40\n"},
    {"mode", "sif <13> mode 0130644",
     "error inode inode 13: mode 130644 is no type of file\n"
     "error entry inode 12: block 1079: entry \"file\" names inode 13, says type 1, found 0\n"
     "error block-bitmap group 0: blocks marked in use that nobody has: 3, the first is 1080\n"
     "error count group 0: free blocks 3013, found 3016\n"
     "error count free blocks 3013, found 3016\n"},
    {"links", "sif <13> links_count 5", "error links inode 13: links 5, found 1\n"},
    {"size_small", "sif <13> size 100",
     "error size inode 13: its size is 100 bytes, its blocks end at 3072\n"},
    {"blocks", "sif <13> blocks 2",
     "error sector-count inode 13: its sector count is 2, found 6\n"},
    {"block0", "sif <13> block[0] 900000",
     "error block-range inode 13: names block 900000, which does not exist\n"
     "error sector-count inode 13: its sector count is 6, found 4\n"
     "error block-bitmap group 0: blocks marked in use that nobody has: 1, the first is 1080\n"
     "error count group 0: free blocks 3013, found 3014\n"
     "error count free blocks 3013, found 3014\n"},
    {"block_shared", "sif <13> block[0] 36",
     "error shared-block inode 13: block 36: claims a block that is in use already\n"
     "error block-bitmap group 0: blocks marked in use that nobody has: 1, the first is 1080\n"
     "error count group 0: free blocks 3013, found 3014\n"
     "error count free blocks 3013, found 3014\n"},
    {"block_meta", "sif <13> block[1] 20",
     "error shared-block inode 13: block 20: claims a block of the file system's own\n"
     "error block-bitmap group 0: blocks marked in use that nobody has: 1, the first is 1081\n"
     "error count group 0: free blocks 3013, found 3014\n"
     "error count free blocks 3013, found 3014\n"},
    {"dtime", "sif <13> dtime 1700000000",
     "error inode inode 13: in use, with a time of deletion\n"},
    {"flags_index", "sif <13> flags 0x1000",
     "error index inode 13: has the index flag and is not a directory\n"},
    {"flags_extents", "sif <13> flags 0x80000",
     "error inode inode 13: has extents without the feature extent\n"
     "error block-bitmap group 0: blocks marked in use that nobody has: 3, the first is 1080\n"
     "error count group 0: free blocks 3013, found 3016\n"
     "error count free blocks 3013, found 3016\n"},
    {"file_acl", "sif <13> file_acl 99999",
     "error block-range inode 13: its attributes lie at block 99999, which does not exist\n"},
    {"extra_isize", "sif <13> extra_isize 3", "error inode inode 13: extra_isize is 3\n"},
    {"fragment", "sif <13> faddr 7", "error inode inode 13: a fragment address\n"},
    {"dir_size", "sif <12> size 5000",
     "error size inode 12: its size is 5000 bytes, its blocks end at 1024\n"
     "error directory inode 12: a hole at block 1\n"},
    {"symlink_size", "sif <14> size 9",
     "error symlink inode 14: a symbolic link of 9 bytes whose target has another length\n"},
    {"pipe_size", "sif <15> size 9",
     "error inode inode 15: a device, FIFO or socket with a size\n"},
    {"journal_mode", "sif <8> mode 040755", "error journal inode 8: the journal is not a file\n"},
    {"journal_block", "sif <8> block[3] 0",
     "error journal inode 8: the journal has holes or no blocks\n"
     "error sector-count inode 8: its sector count is 2058, found 2056\n"
     "error block-bitmap group 0: blocks marked in use that nobody has: 1, the first is 53\n"
     "error count group 0: free blocks 3013, found 3014\n"
     "error count free blocks 3013, found 3014\n"},
    {"clri", "clri <13>",
     "error entry inode 12: block 1079: entry \"file\" names inode 13, which is not in use\n"
     "error block-bitmap group 0: blocks marked in use that nobody has: 3, the first is 1080\n"
     "error inode-bitmap group 0: inodes marked in use that are not: 1, the first is 13\n"
     "error count group 0: free blocks 3013, found 3016\n"
     "error count group 0: free inodes 49, found 50\n"
     "error count free blocks 3013, found 3016\n"
     "error count free inodes 49, found 50\n"},
    {"unlink", "unlink d/file", "error links inode 13: in use, and no directory names it\n"},
    {"ln", "ln d/file again", "error links inode 13: links 1, found 2\n"},
    {"zap", "zap_block 1079",
     "error directory inode 12: block 1079: an entry of 0 bytes with a name of 0 at byte 0\n"
     "error directory inode 12: \".\" and \"..\" are missing\n"
     "error links inode 2: links 4, found 3\n"
     "error links inode 12: links 2, found 1\n"
     "error links inode 13: in use, and no directory names it\n"},
};
// e2fsck -n does not read the list.
TEST_F(OneDamagedField, TheOrphanListIsFollowed) {
  ASSERT_NO_FATAL_FAILURE(Debug("a.img", "ssv last_orphan 13"));
  EXPECT_EQ(Findings("a.img"),
            "note orphan 1 inodes on the orphan list; the next mount finishes them\n");
  ASSERT_NO_FATAL_FAILURE(Debug("a.img", "ssv last_orphan 99"));
  EXPECT_EQ(Findings("a.img"), "error orphan the orphan list names inode 99\n");
}

TEST_F(OneDamagedField, ACircleOfOrphansEnds) {
  ASSERT_NO_FATAL_FAILURE(
      Debug("a.img", "ssv last_orphan 13\nsif <13> dtime 14\nsif <14> dtime 13"));
  EXPECT_THAT(Findings("a.img"),
              ::testing::HasSubstr("error orphan inode 13: the orphan list goes in circles\n"));
}

// The journal holds a new inode bitmap without a single inode: that is what a mount will see.
TEST_F(OneDamagedField, AJournalIsReplayedBeforeTheCheck) {
  std::ofstream(File("zeros")) << std::string(1024, '\0');
  ASSERT_NO_FATAL_FAILURE(Debug("a.img", "jo\njw -b 19 zeros\njc"));
  const std::string findings =
      "note journal needs replay: 1 transactions, 1 blocks; checked as after it\n"
      "error inode-bitmap group 0: inodes in use that are marked free: 15, the first is 1\n"
      "error inode-bitmap group 0: bits behind the inode bitmap that are free: 8128, the first is "
      "64\n";
  EXPECT_EQ(Findings("a.img"), findings);
  EXPECT_EQ(Findings("a.img"), findings) << "the check wrote to the image";
}

// What debugfs has no command for. Block 1079 is /d: ".", "..", "file" at byte 24.
TEST_F(OneDamagedField, EntriesAreChecked) {
  constexpr std::uint64_t kDirectory = 1079 * 1024;
  const auto findings_of = [&](std::uint64_t at, const std::vector<int>& bytes) {
    std::filesystem::copy_file(File("a.img"), File("b.img"),
                               std::filesystem::copy_options::overwrite_existing);
    Poke("b.img", kDirectory + at, bytes);
    EXPECT_NE(Fsck("b.img").status, 0);
    return Findings("b.img");
  };
  EXPECT_EQ(findings_of(0, {2}),
            "error entry inode 12: block 1079: \".\" names inode 2\n"
            "error links inode 12: links 2, found 1\n");
  EXPECT_EQ(findings_of(12, {13}),
            "error tree inode 12: \"..\" names inode 13, its name lies in 2\n"
            "error links inode 2: links 4, found 3\n"
            "error links inode 13: links 1, found 2\n");
  EXPECT_EQ(findings_of(24, {7}),
            "error entry inode 12: block 1079: entry \"file\" names inode 7, which cannot be\n"
            "error links inode 13: in use, and no directory names it\n");
  EXPECT_EQ(
      findings_of(28, {5, 0}),
      "error directory inode 12: block 1079: an entry of 5 bytes with a name of 4 at byte 24\n"
      "error links inode 13: in use, and no directory names it\n");
  EXPECT_EQ(
      findings_of(31, {7}),
      "error entry inode 12: block 1079: entry \"file\" names inode 13, says type 7, found 1\n");
  EXPECT_EQ(findings_of(33, {'/'}),
            "error entry inode 12: block 1079: entry \"f/le\" is not a name\n");
}

INSTANTIATE_TEST_SUITE_P(Debugfs, OneDamagedField, ::testing::ValuesIn(kDamages),
                         [](const auto& damage) { return std::string(damage.param.name); });

}  // namespace
}  // namespace lamina
