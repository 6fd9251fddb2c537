// lamina export on the command line: what it writes where, and how it ends.
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

class ExportCommandLine : public ::testing::Test {
 protected:
  ExportCommandLine() {
    std::string pattern = ::testing::TempDir() + "/lamina_export_XXXXXX";
    top_ = ::mkdtemp(pattern.data());
    std::ofstream(top_ / "a.scn")
        << "scenario 2\nlayer base\nmkdir /d 0755\nput /d/f 0644 \"abc\"\n"
           "stack base upper\nmount\nappend /d/f x\nput /g 0644 \"g\"\n";
  }
  ~ExportCommandLine() override { std::filesystem::remove_all(top_); }

  // `arguments` of `lamina export`, in the temporary directory; the exit status. Owners are left
  // out where the test is not run by root.
  int Run(const std::string& arguments) const {
    const std::string line = "cd " + top_.string() +
                             " && " LAMINA_BINARY_DIR "/bin/lamina export --leave-out " +
                             arguments + " >out.txt 2>&1";
    const int status = std::system(line.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Body(const std::string& path) const {
    std::ifstream file(top_ / path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  bool Exists(const std::string& path) const { return std::filesystem::exists(top_ / path); }

  std::filesystem::path top_;
};

TEST_F(ExportCommandLine, WritesTheUpper) {
  ASSERT_EQ(Run("a.scn dir:up"), 0);
  EXPECT_THAT(Body("out.txt"), HasSubstr("upper      2 files, 1 directories"));
  EXPECT_EQ(Body("up/d/f"), "abcx");
  EXPECT_EQ(Body("up/g"), "g");
}

TEST_F(ExportCommandLine, WritesTheUpperAsItWasAfterSomeOperations) {
  ASSERT_EQ(Run("a.scn dir:up --after 1"), 0);
  EXPECT_EQ(Body("up/d/f"), "abcx");
  EXPECT_FALSE(Exists("up/g"));
}

TEST_F(ExportCommandLine, WritesAnotherLayer) {
  ASSERT_EQ(Run("a.scn dir:base --layer base"), 0);
  EXPECT_EQ(Body("base/d/f"), "abc");
}

TEST_F(ExportCommandLine, WritesTheMountedTree) {
  ASSERT_EQ(Run("--merged a.scn dir:tree"), 0);
  EXPECT_EQ(Body("tree/d/f"), "abcx");
  EXPECT_EQ(Body("tree/g"), "g");
}

TEST_F(ExportCommandLine, WritesEveryLayer) {
  ASSERT_EQ(Run("--all --json a.scn dir:layers"), 0);
  EXPECT_THAT(Body("out.txt"), HasSubstr("\"format\": \"lamina-export/1\""));
  EXPECT_EQ(Body("layers/base/d/f"), "abc");
  EXPECT_EQ(Body("layers/upper/d/f"), "abcx");
}

TEST_F(ExportCommandLine, WhatItWroteIsALayerAgain) {
  ASSERT_EQ(Run("--all a.scn dir:layers"), 0);
  std::ofstream(top_ / "b.scn") << "scenario 2\nlayer base from dir:layers/base\n"
                                   "layer upper from dir:layers/upper\nstack base upper\nmount\n";
  ASSERT_EQ(Run("--merged b.scn dir:again"), 0);
  EXPECT_EQ(Body("again/d/f"), "abcx");
}

class AufsExport : public ExportCommandLine {
 protected:
  AufsExport() {
    std::ofstream(top_ / "aufs.scn")
        << "scenario 2\nlayer base\nmkdir /d 0755\nput /d/f 0644 \"abc\"\nput /g 0644 \"g\"\n"
           "layer w2\nlayer w1\nmkdir /d 0755\ndriver aufs\n"
           "rawmount M br:@w1@=rw:@w2@=rw:@base@=ro+wh\nmerged M\nappend /d/f x\nunlink /g\n";
  }
};

TEST_F(AufsExport, WritesTheTopmostWritableBranchWithItsWhiteouts) {
  ASSERT_EQ(Run("aufs.scn dir:up"), 0);
  EXPECT_EQ(Body("up/d/f"), "abcx");
  EXPECT_TRUE(Exists("up/.wh.g"));
  EXPECT_EQ(std::filesystem::hard_link_count(top_ / "up/.wh.g"), 2u);
}

TEST_F(AufsExport, WritesANamedBranch) {
  ASSERT_EQ(Run("aufs.scn dir:w2 --layer w2"), 0);
  EXPECT_TRUE(Exists("w2/.wh..wh.aufs"));
  EXPECT_FALSE(Exists("w2/d"));
}

TEST_F(AufsExport, WritesTheMountedTreeWithoutMarks) {
  ASSERT_EQ(Run("--merged aufs.scn dir:tree"), 0);
  EXPECT_EQ(Body("tree/d/f"), "abcx");
  EXPECT_FALSE(Exists("tree/g"));
  EXPECT_FALSE(Exists("tree/.wh..wh.aufs"));
}

TEST_F(AufsExport, WhatItWroteIsABranchAgain) {
  ASSERT_EQ(Run("--all aufs.scn dir:layers"), 0);
  std::ofstream(top_ / "b.scn")
      << "scenario 2\nlayer base from dir:layers/base\nlayer w1 from dir:layers/w1\ndriver aufs\n"
         "rawmount M br:@w1@=ro+wh:@base@=ro+wh\nmerged M\nread /d/f -> \"abcx\"\n"
         "stat /g -> ENOENT\n";
  ASSERT_EQ(Run("--merged b.scn dir:again"), 0);
  EXPECT_EQ(Body("again/d/f"), "abcx");
  EXPECT_FALSE(Exists("again/g"));
}

TEST_F(ExportCommandLine, WrongUsageIs2) {
  EXPECT_EQ(Run("a.scn"), 2);
  EXPECT_EQ(Run("a.scn up"), 2);
  EXPECT_EQ(Run("a.scn dir:"), 2);
  EXPECT_EQ(Run("a.scn dir:up --layer none"), 2);
  EXPECT_EQ(Run("a.scn dir:up --layer base --merged"), 2);
  EXPECT_FALSE(Exists("up"));
}

TEST_F(ExportCommandLine, DirectoryInUseIs2AndLeftAlone) {
  std::filesystem::create_directory(top_ / "up");
  std::ofstream(top_ / "up/mine") << "mine";
  EXPECT_EQ(Run("a.scn dir:up"), 2);
  EXPECT_THAT(Body("out.txt"), HasSubstr("up: the directory is not empty"));
  EXPECT_FALSE(Exists("up/g"));
}

TEST_F(ExportCommandLine, UnreadableScenarioIs3) { EXPECT_EQ(Run("none.scn dir:up"), 3); }

TEST_F(ExportCommandLine, HostThatRefusesIs4) {
  EXPECT_EQ(Run("a.scn dir:none/up"), 4);
  EXPECT_THAT(Body("out.txt"), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace lamina
