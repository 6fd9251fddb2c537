#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

FsPtr Small() {
  return Overlay({.lower = {Tree(R"(
      /a/
        f    "1"
        g    "2"
        sub/
          h  "3"
      /b     "4"
      /gone  whiteout
  )"),
                            Tree(R"(
      /gone  "5"
      /c/
        x    "6"
  )")}});
}

TEST(Changes, NothingWrittenIsNoChange) {
  FsPtr fs = Small();
  EXPECT_THAT(fs->Diff(), HasChanges());
}

TEST(Changes, AFileInTheUpperIsAddedOrChanged) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/a/f", "new"), IsOk());
  ASSERT_THAT(fs->WriteFile("/a/n", "new"), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/a"), Changed("/a/f"), Added("/a/n")));
}

// The name is whited out in the layers below, so for them it is new.
TEST(Changes, ANameThatTheLowersHideIsAdded) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/gone", "back"), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Added("/gone")));
}

TEST(Changes, ADeepDeletionChangesTheDirectoriesAbove) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/a/sub/h"), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/a"), Changed("/a/sub"), Deleted("/a/sub/h")));
}

TEST(Changes, ADeletedDirectoryIsOneLine) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->RemoveAll("/a"), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Deleted("/a")));
}

TEST(Changes, ADirectoryMadeAgainShowsWhatIsMissingInIt) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->RemoveAll("/a"), IsOk());
  ASSERT_THAT(fs->Mkdir("/a"), IsOk());
  ASSERT_THAT(fs->WriteFile("/a/g", "other"), IsOk());
  EXPECT_THAT(fs->Diff(),
              HasChanges(Changed("/a"), Deleted("/a/f"), Changed("/a/g"), Deleted("/a/sub")));
}

TEST(Changes, AnotherTypeIsAChange) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/b"), IsOk());
  ASSERT_THAT(fs->Mkdir("/b"), IsOk());
  ASSERT_THAT(fs->WriteFile("/b/n", ""), IsOk());
  ASSERT_THAT(fs->RemoveAll("/a"), IsOk());
  ASSERT_THAT(fs->WriteFile("/a", ""), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/a"), Changed("/b"), Added("/b/n")));
}

TEST(Changes, ADirectorysOwnAttributesCount) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Chmod("/a", 0700), IsOk());
  ASSERT_THAT(fs->Setxattr("/c", "user.k", "v"), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/a"), Changed("/c")));
}

TEST(Changes, AFileThatCameAndWentLeavesItsDirectoryTouched) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/a/tmp", ""), IsOk());
  ASSERT_THAT(fs->Unlink("/a/tmp"), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/a")));
}

TEST(Changes, AMovedDirectoryIsAddedWithAllItHolds) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/a/sub/h", "3").File("/a/f", "1"))
                 .MountOrDie({.overlay = {.redirect_dir = RedirectDir::kOn}});
  ASSERT_THAT(fs->Rename("/a", "/z"), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Deleted("/a"), Added("/z"), Added("/z/f"), Added("/z/sub"),
                                     Added("/z/sub/h")));
}

TEST(Changes, AreSortedWithParentsFirst) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/a/sub/h"), IsOk());
  ASSERT_THAT(fs->WriteFile("/a-", ""), IsOk());
  const absl::StatusOr<std::vector<LayerChange>> changes = fs->Diff();
  ASSERT_THAT(changes, IsOk());
  EXPECT_THAT(*changes, ::testing::ElementsAre(Changed("/a"), Added("/a-"), Changed("/a/sub"),
                                               Deleted("/a/sub/h")));
}

}  // namespace
}  // namespace lamina::testing
