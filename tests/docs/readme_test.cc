// Every cpp block of README.md is a test here, word for word; the last test compares them.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

// The blocks begin here.
#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"
using namespace lamina;
using namespace lamina::testing;

TEST(Hosts, DeletionIsAWhiteout) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/etc/hosts", "127.0.0.1 localhost\n"))
                 .Push(NamedLayer("app").File("/srv/app.conf", "port=80\n"))
                 .MountOrDie();
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  EXPECT_THAT(*fs, HasNoEntry("/etc/hosts"));
  EXPECT_THAT(fs->Layer("upper"), IsWhiteout("/etc/hosts"));
  EXPECT_THAT(fs->Layer("base"), HasFile("/etc/hosts", "127.0.0.1 localhost\n"));
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/etc"), Deleted("/etc/hosts")));
}

TEST(Hosts, InAufsTheWhiteoutIsAFile) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/etc/hosts", "127.0.0.1 localhost\n"))
                 .MountOrDie({.dialect = UnionDialect::kAufs});
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  EXPECT_THAT(fs->Layer("upper"), IsWhiteout("/etc/hosts"));
  EXPECT_THAT(fs->Layer("upper"), HasFile("/etc/.wh.hosts", ""));
  const NamedLayer patch = NamedLayer("patch").File("/etc/motd", "hi\n");
  ASSERT_THAT(fs->Remount("add:1:patch=ro", {patch}), IsOk());
  EXPECT_THAT(*fs, HasFile("/etc/motd", "hi\n"));
}
// The blocks end here.

namespace {

std::string ReadHostFile(const std::string& name) {
  std::ifstream file(std::string(LAMINA_SOURCE_DIR) + '/' + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Blanks and line breaks say nothing: the formatter may move them.
std::string WithoutBlanks(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\n') out += c;
  }
  return out;
}

std::vector<std::string> CppBlocks(const std::string& markdown) {
  std::vector<std::string> blocks;
  std::istringstream lines(markdown);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = !inside && line == "```cpp";
      if (inside) blocks.emplace_back();
    } else if (inside) {
      blocks.back() += line + '\n';
    }
  }
  return blocks;
}

TEST(Readme, CppBlocksAreFound) {
  EXPECT_THAT(CppBlocks("a\n```cpp\nint x;\n```\n```\nno\n```\n```cpp\ny\n```\n"),
              ::testing::ElementsAre("int x;\n", "y\n"));
}

TEST(Readme, EveryCppBlockIsInThisFile) {
  const std::string source = WithoutBlanks(ReadHostFile("tests/docs/readme_test.cc"));
  ASSERT_THAT(source, ::testing::HasSubstr("Theblocksendhere"));
  for (const std::string& block : CppBlocks(ReadHostFile("README.md"))) {
    EXPECT_THAT(source, ::testing::HasSubstr(WithoutBlanks(block))) << block;
  }
}

}  // namespace
