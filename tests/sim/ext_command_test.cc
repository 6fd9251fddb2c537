// ext4:FILE on the command line: as a source of tree, check, diff, export and of a layer, and as a
// target of export.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace lamina {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ExtCommandLine : public ::testing::Test {
 protected:
  ExtCommandLine() {
    std::string pattern = ::testing::TempDir() + "/lamina_ext_command_XXXXXX";
    top_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directories(top_ / "tree" / "d");
    std::ofstream(top_ / "tree" / "d" / "f") << "abc";
    std::filesystem::create_symlink("d/f", top_ / "tree" / "s");
    std::filesystem::create_hard_link(top_ / "tree" / "d" / "f", top_ / "tree" / "g");
    std::ofstream(top_ / "a.scn")
        << "scenario 2\nlayer base\nmkdir /d 0755\nput /d/f 0644 \"abc\"\n"
           "stack base upper\nmount\nappend /d/f x\nput /g 0644 \"g\"\n";
  }
  ~ExtCommandLine() override { std::filesystem::remove_all(top_); }

  // Arguments of lamina, in the temporary directory; the exit status. What it says is in out_.
  int Run(const std::string& arguments) {
    return Shell(LAMINA_BINARY_DIR "/bin/lamina " + arguments);
  }
  int Shell(const std::string& line) {
    const int status =
        std::system(("cd " + top_.string() + " && { " + line + "; } >out.txt 2>&1").c_str());
    std::ifstream file(top_ / "out.txt", std::ios::binary);
    out_.assign(std::istreambuf_iterator<char>(file), {});
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::filesystem::path top_;
  std::string out_;
};

TEST_F(ExtCommandLine, ADirectoryBecomesAnImageAndATreeAgain) {
  ASSERT_EQ(Run("export dir:tree ext4:a.img:16M"), 0) << out_;
  EXPECT_THAT(out_, StartsWith("tree       1 files, 1 directories, 1 symlinks, 0 others, 1 hard "
                               "links, 3 B; an image of 16 MiB"));
  EXPECT_EQ(std::filesystem::file_size(top_ / "a.img"), 16u << 20);
  EXPECT_EQ(Run("tree --dump ext4:a.img"), 0) << out_;
  EXPECT_THAT(out_, HasSubstr("/d/f f 0644"));
  EXPECT_THAT(out_, HasSubstr("/lost+found d 0700"));
  const std::string dump = out_;
  ASSERT_EQ(Run("export --leave-out ext4:a.img dir:again"), 0) << out_;
  EXPECT_EQ(Run("tree --dump dir:again"), 0);
  EXPECT_EQ(out_, dump);
}

TEST_F(ExtCommandLine, AnImageIsCleanForCheckAndForE2fsck) {
  ASSERT_EQ(Run("export dir:tree ext4:a.img"), 0) << out_;
  EXPECT_EQ(Run("check ext4:a.img"), 0) << out_;
  EXPECT_THAT(out_, HasSubstr("0 errors, 0 notes; 14 inodes, 3 of them directories"));
  if (Shell("PATH=$PATH:/usr/sbin:/sbin; command -v e2fsck") != 0) GTEST_SKIP() << "no e2fsck here";
  EXPECT_EQ(Shell("PATH=$PATH:/usr/sbin:/sbin; e2fsck -fn a.img"), 0) << out_;
}

TEST_F(ExtCommandLine, AScenarioBecomesAnImage) {
  ASSERT_EQ(Run("export --merged a.scn ext4:a.img:8MiB"), 0) << out_;
  EXPECT_EQ(Run("tree --dump ext4:a.img"), 0);
  EXPECT_THAT(out_, HasSubstr("/d/f f 0644 0:0 size=4"));
  ASSERT_EQ(Run("export --json --layer base a.scn ext4:b.img:8M"), 0) << out_;
  EXPECT_THAT(out_, HasSubstr("\"image\": \"b.img\""));
  EXPECT_EQ(Run("export --all a.scn ext4:c.img"), 2);
}

TEST_F(ExtCommandLine, ATarBecomesAnImageThatShowsWhatTheTarShows) {
  if (Shell("tar -C tree --sort=name -cf a.tar .") != 0) GTEST_SKIP() << "no tar here";
  ASSERT_EQ(Run("export tar:a.tar ext4:a.img"), 0) << out_;
  EXPECT_EQ(Run("tree --dump ext4:a.img"), 0);
  EXPECT_THAT(out_, HasSubstr("/d/f f 0644"));
  EXPECT_THAT(out_, HasSubstr("target=\"d/f\""));
}

TEST_F(ExtCommandLine, ADamagedImageFailsTheCheck) {
  ASSERT_EQ(Run("export dir:tree ext4:a.img:8M"), 0) << out_;
  std::fstream image(top_ / "a.img", std::ios::in | std::ios::out | std::ios::binary);
  image.seekp(1024 + 0x0c);  // the superblock's count of free blocks
  image.put('\1');
  image.close();
  EXPECT_EQ(Run("check ext4:a.img"), 1);
  EXPECT_THAT(out_, StartsWith("error count            free blocks "));
  EXPECT_EQ(Run("check --json ext4:a.img"), 1);
  EXPECT_THAT(out_, HasSubstr("\"kind\": \"count\""));
  EXPECT_THAT(out_, HasSubstr("\"errors\": 1"));
}

TEST_F(ExtCommandLine, AFileThatHoldsSomethingIsLeftAlone) {
  std::ofstream(top_ / "a.img") << "mine";
  EXPECT_EQ(Run("export dir:tree ext4:a.img"), 2);
  EXPECT_EQ(out_, "a.img: File exists\n");
  EXPECT_EQ(std::filesystem::file_size(top_ / "a.img"), 4u);
}

TEST_F(ExtCommandLine, AnEmptyFileGetsAnImageOfItsSize) {
  ASSERT_EQ(Shell("truncate -s 12M a.img"), 0);
  ASSERT_EQ(Run("export dir:tree ext4:a.img"), 0) << out_;
  EXPECT_THAT(out_, HasSubstr("an image of 12 MiB"));
}

TEST_F(ExtCommandLine, WhatDoesNotFitLeavesNoFile) {
  std::ofstream(top_ / "tree" / "big") << std::string(3 << 20, 'b');
  EXPECT_EQ(Run("export dir:tree ext4:a.img:1M"), 4) << out_;
  EXPECT_THAT(out_, HasSubstr("/big: "));
  EXPECT_FALSE(std::filesystem::exists(top_ / "a.img"));
  EXPECT_EQ(Run("export dir:tree ext4:a.img:40K"), 2) << out_;
  EXPECT_FALSE(std::filesystem::exists(top_ / "a.img"));
}

TEST_F(ExtCommandLine, WrongWordsAreSaid) {
  EXPECT_EQ(Run("export dir:tree ext4:"), 2);
  EXPECT_EQ(out_, "'ext4:' is neither dir:DIR nor ext4:FILE[:SIZE]\n");
  EXPECT_EQ(Run("export dir:tree ext4:a.img:3Q"), 2);
  EXPECT_EQ(out_, "'ext4:a.img:3Q': no size such as 64M\n");
  EXPECT_EQ(Run("export --merged dir:tree ext4:a.img"), 2);
  EXPECT_EQ(Run("tree --dump ext4:none"), 3);
  EXPECT_EQ(out_, "none: No such file or directory\n");
  EXPECT_EQ(Run("tree --dump ext4:a.scn"), 3);
  EXPECT_THAT(out_, StartsWith("a.scn: not an ext"));
  EXPECT_EQ(Run("check ext4:a.scn"), 3);
}

// ── Where else ext4:FILE is a SOURCE ───────────────────────────────────────────────────────────

TEST_F(ExtCommandLine, DiffComparesTwoImages) {
  ASSERT_EQ(Run("export dir:tree ext4:a.img:16M"), 0) << out_;
  std::filesystem::remove(top_ / "tree" / "s");
  std::ofstream(top_ / "tree" / "d" / "f") << "abd";
  std::ofstream(top_ / "tree" / "n") << "new";
  ASSERT_EQ(Run("export dir:tree ext4:b.img:32M"), 0) << out_;
  EXPECT_EQ(Run("diff ext4:a.img ext4:b.img"), 0);
  EXPECT_EQ(out_, "C /d\nC /d/f\nC /g\nA /n\nD /s\n");
  EXPECT_EQ(Run("diff --exit-code ext4:a.img ext4:b.img"), 1);
  EXPECT_EQ(Run("diff --exit-code ext4:a.img ext4:a.img"), 0);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run("diff ext4:b.img dir:tree"), 0);
  EXPECT_EQ(out_, "D /lost+found\n");
  EXPECT_EQ(Run("diff --json dir:tree ext4:b.img"), 0);
  EXPECT_THAT(out_, HasSubstr("\"other\": \"ext4:b.img\""));
}

TEST_F(ExtCommandLine, DiffComparesAScenarioWithAnImage) {
  ASSERT_EQ(Run("export --merged a.scn ext4:m.img"), 0) << out_;
  EXPECT_EQ(Run("diff a.scn ext4:m.img"), 0);
  EXPECT_EQ(out_, "A /lost+found\n");
  EXPECT_EQ(Run("diff ext4:m.img a.scn"), 0);
  EXPECT_EQ(out_, "D /lost+found\n");
}

TEST_F(ExtCommandLine, DiffOfTreesHasTwoAndNoMore) {
  ASSERT_EQ(Run("export dir:tree ext4:a.img:16M"), 0) << out_;
  EXPECT_EQ(Run("diff ext4:a.img"), 2);
  EXPECT_EQ(Run("diff ext4:a.img dir:tree dir:tree"), 2);
  EXPECT_EQ(Run("diff ext4:a.img dir:tree --after 1"), 2);
  EXPECT_EQ(Run("diff ext4:a.img --layer base"), 2);
  EXPECT_EQ(Run("diff ext4:a.img ext4:none.img"), 3);
  EXPECT_THAT(out_, HasSubstr("none.img"));
  EXPECT_EQ(Run("diff ext4: ext4:a.img"), 3);
}

TEST_F(ExtCommandLine, ALayerOfAScenarioIsAnImage) {
  ASSERT_EQ(Run("export dir:tree ext4:a.img:16M"), 0) << out_;
  std::ofstream(top_ / "image.scn") << "scenario 2\nlayer base from ext4:a.img\nstack base upper\n"
                                       "mount\nread /d/f -> \"abc\"\nappend /g x\n"
                                       "read /d/f -> \"abc\"\nunlink /s -> OK\n";
  EXPECT_EQ(Run("run image.scn"), 0) << out_;
  EXPECT_EQ(Run("diff image.scn"), 0) << out_;
  EXPECT_EQ(out_, "C /g\nD /s\n");
  EXPECT_EQ(Run("explain image.scn unlink /d/f"), 0) << out_;
  EXPECT_EQ(Run("check image.scn"), 0) << out_;
  EXPECT_EQ(Run("diff ext4:a.img image.scn"), 0) << out_;
  EXPECT_EQ(out_, "C /g\nD /s\n");
  EXPECT_EQ(Run("export --layer base image.scn ext4:again.img:16M"), 0) << out_;
  EXPECT_EQ(Run("diff --exit-code ext4:a.img ext4:again.img"), 0) << out_;
}

TEST_F(ExtCommandLine, ALayerThatIsNoImageIsSaidWithItsPlace) {
  std::ofstream(top_ / "zeros.img") << std::string(1 << 20, '\0');
  std::ofstream(top_ / "bad.scn") << "scenario 2\nlayer base from ext4:zeros.img\n";
  EXPECT_EQ(Run("run bad.scn"), 3);
  EXPECT_THAT(out_, StartsWith("bad.scn:2"));
  EXPECT_THAT(out_, HasSubstr("zeros.img"));
  std::ofstream(top_ / "bad.scn") << "scenario 2\nlayer base from ext4:\n";
  EXPECT_EQ(Run("run bad.scn"), 3);
  EXPECT_THAT(out_, HasSubstr("'ext4:' is not KIND:PATH"));
}

}  // namespace
}  // namespace lamina
