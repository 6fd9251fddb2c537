#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::HasSubstr;

FsPtr Small() {
  return Stack().Push(NamedLayer("base").File("/d/a", "1").File("/d/b", "2")).MountOrDie();
}

TEST(Invariants, HoldAfterOrdinaryCalls) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/d/a"), IsOk());
  ASSERT_THAT(fs->AppendFile("/d/b", "3"), IsOk());
  ASSERT_THAT(fs->Rename("/d/b", "/e"), IsOk());
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

TEST(Invariants, AWhiteoutMustHideSomething) {
  FsPtr fs = Overlay({.lower = {Tree("/a \"1\"")}, .upper = Tree("/b whiteout")});
  EXPECT_THAT(fs->CheckInvariants(),
              StatusIs(absl::StatusCode::kInternal, "whiteout \"/b\" hides nothing"));
}

TEST(Invariants, NoWhiteoutInAnOpaqueDirectory) {
  FsPtr fs = Overlay({.lower = {Tree("/d/a \"1\"")}, .upper = Tree(R"(
      /d/  opaque
        a  whiteout
  )")});
  EXPECT_THAT(fs->CheckInvariants(),
              StatusIs(absl::StatusCode::kInternal,
                       HasSubstr("whiteout \"/d/a\" stands in an opaque directory")));
}

// Changes behind the mount's back.
TEST(Invariants, TheWorkDirectoryIsEmptyAtRest) {
  FsPtr fs = Small();
  FileSystem& home = fs->Layer("upper").fs();
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  const NodeId work = *home.Lookup(op, {*home.Lookup(op, {home.root(), "work"}), "work"});
  ASSERT_TRUE(home.Create(op, {work, "#1"}, {.type = FileType::kRegular, .mode = 0600}).ok());
  EXPECT_THAT(fs->CheckInvariants(),
              StatusIs(absl::StatusCode::kInternal, "the work directory still holds \"/work/#1\""));
}

}  // namespace
}  // namespace lamina::testing
