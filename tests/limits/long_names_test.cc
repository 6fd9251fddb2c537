// The longest names and paths: 255 and 4,095 bytes work, one more is ENAMETOOLONG.
#include "tests/union/overlay_stack.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kLongest(255, 'n');

Errno ErrorOf(const Result<void>& done) { return done.ok() ? Errno{} : done.error(); }
template <typename T>
Errno ErrorOf(const Result<T>& done) {
  return done.ok() ? Errno{} : done.error();
}

TEST(LongName, Of255BytesTakesEveryCall) {
  OverlayStack stack(2);
  const std::unique_ptr<Process> lower = stack.OnLower(1);
  PutFile(*lower, '/' + kLongest, "lower");
  ASSERT_TRUE(lower->Mkdir("/d", 0755).ok());
  PutFile(*lower, "/d/" + kLongest, "deep");
  stack.Mount();
  Process& process = stack.process();
  EXPECT_EQ(process.Statfs("/")->name_max, 255u);
  EXPECT_EQ(*process.ReadFile('/' + kLongest), "lower");
  EXPECT_THAT(NamesIn(process, "/"), ElementsAre("d", kLongest));
  ASSERT_TRUE(process.Chmod("/d/" + kLongest, 0600).ok());  // copied up
  const std::string moved(255, 'm');
  ASSERT_TRUE(process.Rename('/' + kLongest, "/d/" + moved, RenameMode::kReplace).ok());
  ASSERT_TRUE(process.Unlink("/d/" + kLongest).ok());
  EXPECT_THAT(NamesIn(process, "/"), ElementsAre("d"));
  EXPECT_THAT(NamesIn(process, "/d"), ElementsAre(moved));
  ASSERT_TRUE(process.Mkdir('/' + kLongest, 0755).ok());  // over the whiteout
  ASSERT_TRUE(process.Symlink("t", '/' + kLongest + '/' + kLongest).ok());
  ASSERT_TRUE(process.Link("/d/" + moved, '/' + moved, LastLink::kKeep).ok());
  stack.Mount();
  EXPECT_EQ(*stack.process().ReadFile('/' + moved), "lower");
  EXPECT_EQ(*stack.process().Readlink('/' + kLongest + '/' + kLongest), "t");
  EXPECT_THAT(NamesIn(*stack.OnHome(), "/upper"), ElementsAre("d", moved, kLongest));
  EXPECT_THAT(NamesIn(*stack.OnHome(), "/work/work"), IsEmpty());
}

TEST(LongName, Of256BytesIsRefusedByEveryCallAndChangesNothing) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "f");
  stack.Mount();
  Process& process = stack.process();
  const std::string too_long = '/' + kLongest + 'n';
  EXPECT_EQ(ErrorOf(process.GetStat(too_long, LastLink::kKeep)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Mkdir(too_long, 0755)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Open(too_long, {.access = Access::kWrite, .create = true}, 0644)),
            Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Symlink("t", too_long)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Link("/f", too_long, LastLink::kKeep)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Rename("/f", too_long, RenameMode::kReplace)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Unlink(too_long)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.GetStat(too_long + "/f", LastLink::kKeep)), Errno::kNameTooLong);
  EXPECT_THAT(NamesIn(*stack.OnHome(), "/upper"), IsEmpty());
}

// Directories of `name`, one in the other, so many that a file name fills the path to `length`.
struct DeepPath {
  std::vector<std::string> directories;
  std::string file;
};

DeepPath PathOfLength(std::size_t length, const std::string& name) {
  DeepPath path;
  std::string dir;
  while (dir.size() + name.size() + 3 < length) {
    dir += '/' + name;
    path.directories.push_back(dir);
  }
  path.file = dir + '/' + std::string(length - dir.size() - 1, 'f');
  EXPECT_EQ(path.file.size(), length);
  return path;
}

void PutDeep(Process& process, const DeepPath& path) {
  for (const std::string& dir : path.directories) ASSERT_TRUE(process.Mkdir(dir, 0755).ok());
  PutFile(process, path.file, "deep");
}

class LongPath : public testing::TestWithParam<std::string> {};

TEST_P(LongPath, Of4095BytesTakesEveryCall) {
  const DeepPath path = PathOfLength(4095, GetParam());
  OverlayStack stack(1);
  PutDeep(*stack.OnLower(0), path);
  stack.Mount();
  Process& process = stack.process();
  EXPECT_EQ(*process.ReadFile(path.file), "deep");
  ASSERT_TRUE(process.Chmod(path.file, 0600).ok());  // copies every directory up
  EXPECT_EQ(process.GetStat(path.file, LastLink::kKeep)->mode, 0600);
  ASSERT_TRUE(process.Rename(path.file, "/top", RenameMode::kReplace).ok());
  EXPECT_EQ(ErrorOf(process.GetStat(path.file, LastLink::kKeep)), Errno::kNoEnt);
  EXPECT_EQ(*process.ReadFile("/top"), "deep");
  ASSERT_TRUE(process.Symlink("/top", path.file).ok());  // over the whiteout
  EXPECT_EQ(*process.ReadFile(path.file), "deep");
  stack.Mount();
  EXPECT_EQ(*stack.process().ReadFile(path.file), "deep");
  ASSERT_TRUE(stack.process().Unlink(path.file).ok());
  EXPECT_THAT(NamesIn(stack.process(), path.directories.back()), IsEmpty());
  EXPECT_EQ(*stack.OnLower(0)->ReadFile(path.file), "deep");
}

TEST_P(LongPath, Of4096BytesIsRefused) {
  const DeepPath path = PathOfLength(4095, GetParam());
  OverlayStack stack(1);
  PutDeep(*stack.OnLower(0), path);
  stack.Mount();
  Process& process = stack.process();
  const std::string too_long = '/' + path.file;  // names the same file
  EXPECT_EQ(ErrorOf(process.GetStat(too_long, LastLink::kKeep)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Chmod(too_long, 0600)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Unlink(too_long)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Rename(too_long, "/top", RenameMode::kReplace)), Errno::kNameTooLong);
  EXPECT_EQ(ErrorOf(process.Mkdir(path.file + 'f', 0755)), Errno::kNameTooLong);
  EXPECT_THAT(NamesIn(*stack.OnHome(), "/upper"), IsEmpty());
  // The file is there for who begins further down.
  ASSERT_TRUE(process.Chdir(path.directories.back()).ok());
  EXPECT_EQ(*process.ReadFile(path.file.substr(path.directories.back().size() + 1)), "deep");
}

INSTANTIATE_TEST_SUITE_P(Of, LongPath, testing::Values("d", kLongest), [](const auto& tested) {
  return tested.param.size() == 1 ? "TwoThousandDirectories" : "LongNames";
});

}  // namespace
}  // namespace lamina
