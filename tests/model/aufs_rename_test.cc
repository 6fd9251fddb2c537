// rename and link on a union of AUFS: the rows of aufs.md §9.4 that can be seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/aufs_scene.h"

namespace lamina::sim {
namespace {

struct RenameCase {
  std::string name;
  std::vector<AufsView::Content> branches;
  std::string call;
  std::string outcome;
  std::string top;   // of branch 0 afterwards
  std::string seen;  // of the union
};

void PrintTo(const RenameCase& c, std::ostream* os) { *os << c.name; }

class AufsViewRename : public testing::TestWithParam<RenameCase> {};

TEST_P(AufsViewRename, LeavesWhatTheReferenceSays) {
  AufsScene scene(GetParam().branches);
  const std::string below = scene.On(scene.view().branch_count() - 1);
  EXPECT_EQ(scene.Run(GetParam().call), GetParam().outcome);
  EXPECT_EQ(scene.On(0), GetParam().top);
  EXPECT_EQ(scene.Seen(), GetParam().seen);
  if (scene.view().branch_count() > 1) {
    EXPECT_EQ(scene.On(scene.view().branch_count() - 1), below);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, AufsViewRename,
    testing::Values(
        RenameCase{"AUFS_070", {Rw("a=A")}, "rename /a /b", "OK", "b=A", "b=A"},
        RenameCase{"AUFS_071", {Rw(""), Ro("a=A")}, "rename /a /b", "OK", ".wh.a b=A", "b=A"},
        RenameCase{"AUFS_072", {Rw("b=B"), Ro("a=A")}, "rename /a /b", "OK", ".wh.a b=A", "b=A"},
        RenameCase{"AUFS_073", {Rw(""), Ro("a=A b=B")}, "rename /a /b", "OK", ".wh.a b=A", "b=A"},
        RenameCase{"AUFS_074", {Rw(".wh.b a=A"), Ro("b")}, "rename /a /b", "OK", "b=A", "b=A"},
        RenameCase{"AUFS_075", {Rw("a=A"), Ro("a")}, "rename /a /b", "OK", ".wh.a b=A", "b=A"},
        RenameCase{"AUFS_088", {Rw("b=B"), Rw("a=A")}, "rename /a /b", "OK", ".wh.a b=A", "b=A"},
        RenameCase{"AUFS_089",
                   {Rw(""), Ro("a=A b=B")},
                   "rename /a /b exchange",
                   "OK",
                   "a=B b=A",
                   "a=B b=A"},
        RenameCase{
            "AUFS_090", {Rw("a=A"), Ro("")}, "rename /a /b whiteout", "EINVAL", "a=A", "a=A"},
        RenameCase{"AUFS_163",
                   {Rw("d/ d/.wh.f"), Ro("d/ d/f")},
                   "create /d/f 0644; rename /d/f /g",
                   "OK",
                   "d/ d/.wh.f g",
                   "d/ g"}),
    [](const auto& suite) { return suite.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Directories, AufsViewRename,
    testing::Values(
        RenameCase{"AUFS_076", {Rw("d/ d/x")}, "rename /d /e", "OK", "e/ e/x", "e/ e/x"},
        RenameCase{"AUFS_077", {Rw(""), Ro("d/ d/x")}, "rename /d /e", "EXDEV", "", "d/ d/x"},
        RenameCase{"AUFS_078", {Rw(""), Ro("d/")}, "rename /d /e", "OK", ".wh.d e/", "e/"},
        RenameCase{"AUFS_079",
                   {Rw("d/ d/y"), Ro("d/ d/x")},
                   "rename /d /e",
                   "EXDEV",
                   "d/ d/y",
                   "d/ d/x d/y"},
        RenameCase{"AUFS_080",
                   {Rw("d/ d/.wh.x d/y"), Ro("d/ d/x")},
                   "rename /d /e",
                   "OK",
                   ".wh.d e/ e/.wh.x e/y",
                   "e/ e/y"},
        RenameCase{"AUFS_081",
                   {Rw("d/ d/OPQ d/y"), Ro("d/ d/x")},
                   "rename /d /e",
                   "OK",
                   ".wh.d e/ e/OPQ e/y",
                   "e/ e/y"},
        RenameCase{"AUFS_082",
                   {Rw(".wh.e d/ d/y"), Ro("e/ e/x")},
                   "rename /d /e",
                   "OK",
                   "e/ e/OPQ e/y",
                   "e/ e/y"},
        RenameCase{
            "AUFS_083", {Rw("d/ d/y"), Ro("e/")}, "rename /d /e", "OK", "e/ e/OPQ e/y", "e/ e/y"},
        RenameCase{"AUFS_084",
                   {Rw("d/ d/y e/ e/.wh.x"), Ro("e/ e/x")},
                   "rename /d /e",
                   "OK",
                   "e/ e/OPQ e/y",
                   "e/ e/y"},
        RenameCase{
            "AUFS_085", {Rw("d/"), Ro("e/ e/x")}, "rename /d /e", "ENOTEMPTY", "d/", "d/ e/ e/x"},
        RenameCase{"AUFS_086_OntoAFile", {Rw("d/ f")}, "rename /d /f", "ENOTDIR", "d/ f", "d/ f"},
        RenameCase{"AUFS_086_OfAFile", {Rw("d/ f")}, "rename /f /d", "EISDIR", "d/ f", "d/ f"},
        RenameCase{"AUFS_086_IntoItself", {Rw("d/")}, "rename /d /d/e", "EINVAL", "d/", "d/"},
        RenameCase{"ExchangedWithAFile",
                   {Rw(""), Ro("a=A d/")},
                   "rename /a /d exchange",
                   "OK",
                   "a/ a/OPQ d=A",
                   "a/ d=A"},
        RenameCase{"ExchangedWithWhatHasNamesBelow",
                   {Rw("a=A"), Ro("d/ d/x")},
                   "rename /a /d exchange",
                   "EXDEV",
                   "a=A",
                   "a=A d/ d/x"}),
    [](const auto& suite) { return suite.param.name; });

TEST(AufsViewRenameFile, AUFS_071_KeepsItsNumber) {
  AufsScene scene({Rw(""), Ro("a=A")});
  const std::uint64_t before = scene.Stat("/a").identity;
  EXPECT_EQ(scene.Run("rename /a /b"), "OK");
  EXPECT_EQ(scene.Stat("/b").identity, before);
}

TEST(AufsViewRenameFile, AUFS_087_IsDoneWhereTheFileIs) {
  AufsScene scene({Rw(""), Rw("a=A"), Ro("")});
  EXPECT_EQ(scene.Run("rename /a /b"), "OK");
  EXPECT_EQ(scene.On(0), "");
  EXPECT_EQ(scene.On(1), "b=A");
}

TEST(AufsViewRenameFile, AUFS_088_LeavesTheLowerFile) {
  AufsScene scene({Rw("b=B"), Rw("a=A")});
  EXPECT_EQ(scene.Run("rename /a /b"), "OK");
  EXPECT_EQ(scene.On(1), "a=A");
}

TEST(AufsViewRenameFile, IntoADirectoryOfAHigherBranchMakesItBelow) {
  AufsScene scene({Rw("d/"), Rw("a=A")});
  EXPECT_EQ(scene.Run("rename /a /d/b"), "OK");
  EXPECT_EQ(scene.On(0), "d/");
  EXPECT_EQ(scene.On(1), "d/ d/b=A");
  EXPECT_EQ(scene.Seen(), "d/ d/b=A");
}

TEST(AufsViewRenameFile, IntoAnOpaqueDirectoryGoesUp) {
  AufsScene scene({Rw("d/ d/OPQ"), Rw("a=A")});
  EXPECT_EQ(scene.Run("rename /a /d/b"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.a d/ d/OPQ d/b=A");
  EXPECT_EQ(scene.Seen(), "d/ d/b=A");
}

TEST(AufsViewRenameFile, IntoADirectoryThatAWhiteoutHidesBelowMakesThatOpaque) {
  AufsScene scene({Rw("d/"), Rw(".wh.d a=A"), Ro("d/ d/old")});
  EXPECT_EQ(scene.Run("rename /a /d/b"), "OK");
  EXPECT_EQ(scene.On(1), "d/ d/OPQ d/b=A");
  EXPECT_EQ(scene.Seen(), "d/ d/b=A");
}

TEST(AufsViewRenameFile, IsUnsettledWhereSomethingAboveHidesTheNewName) {
  AufsScene scene({Rw("d/ d/OPQ d/e/"), Rw("a=A")});
  EXPECT_FALSE(scene.model().IsMoveSettled("/a", "/d/e/b"));
  EXPECT_TRUE(scene.model().IsMoveSettled("/a", "/d/b"));
}

TEST(AufsViewRenameDirectory, TwoNamesOfOneFileStay) {
  AufsScene scene({Rw(""), {ModelBranchMode::kReadOnly, TreeAfter("put /a 0644 A; link /a /b")}});
  EXPECT_EQ(scene.Run("rename /a /b"), "OK");
  EXPECT_EQ(scene.Seen(), "a=A b=A");
  EXPECT_EQ(scene.On(0), "");
}

TEST(AufsViewRenameDirectory, AMarkMadeInItChangesItsTime) {
  AufsScene scene({Rw("d/ d/y"), Ro("e/")});
  EXPECT_EQ(scene.Run("rename /d /e"), "OK");
  EXPECT_THAT(scene.Run("stat /e"), testing::HasSubstr("mtime=now"));
}

// ── Links ──────────────────────────────────────────────────────────────────────────────────────

TEST(AufsViewLink, AUFS_093_CopiesUnderTheNewName) {
  AufsScene scene({Rw(""), Ro("a=A")});
  EXPECT_EQ(scene.Run("link /a /b"), "OK");
  EXPECT_EQ(scene.On(0), "b=A");
  EXPECT_EQ(scene.Stat("/a").identity, scene.Stat("/b").identity);
  EXPECT_EQ(scene.Stat("/a").links, 2U);
  EXPECT_EQ(scene.Stat("/b").links, 2U);
  const ModelTree& top = scene.view().branch(0);
  EXPECT_EQ(top.Links(top.InoOf("/b")), 2U);  // the other one is in .wh..wh.plnk
}

TEST(AufsViewLink, AUFS_094_ReadingMakesTheHardLink) {
  AufsScene scene({Rw(""), Ro("a=A")});
  EXPECT_EQ(scene.Run("link /a /b; stat /a").substr(0, 1), "f");
  EXPECT_EQ(scene.On(0), "b=A");
  EXPECT_EQ(scene.Run("read /a"), "\"A\"");
  EXPECT_EQ(scene.On(0), "a=A b=A");
  EXPECT_EQ(scene.view().branch(0).InoOf("/a"), scene.view().branch(0).InoOf("/b"));
}

TEST(AufsViewLink, AUFS_096_TakesAWhiteoutAway) {
  AufsScene scene({Rw(".wh.b a=A"), Ro("b=B")});
  EXPECT_EQ(scene.Run("link /a /b"), "OK");
  EXPECT_EQ(scene.On(0), "a=A b=A");
}

TEST(AufsViewLink, AUFS_097_Refusals) {
  AufsScene scene({Rw("d/ a")});
  EXPECT_EQ(scene.Run("link /d /e"), "EPERM");
  EXPECT_EQ(scene.Run("link /a /.wh.x"), "EPERM");
}

TEST(AufsViewLink, ASecondOneUsesTheCopy) {
  AufsScene scene({Rw(""), Ro("a=A")});
  EXPECT_EQ(scene.Run("link /a /b; link /a /c; append /c X"), "OK 1");
  EXPECT_EQ(scene.Seen(), "a=AX b=AX c=AX");
  EXPECT_EQ(scene.Stat("/b").links, 3U);
}

TEST(AufsViewLink, IsMadeWhereTheFileIs) {
  AufsScene scene({Rw(""), Rw("a=A")});
  EXPECT_EQ(scene.Run("link /a /b"), "OK");
  EXPECT_EQ(scene.On(0), "");
  EXPECT_EQ(scene.On(1), "a=A b=A");
}

}  // namespace
}  // namespace lamina::sim
