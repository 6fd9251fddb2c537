// Whiteouts and opaque marks as layers hold them: reserved names, tars, stale marks, nested unions.
// Numbers are those of the table in README.md.
#include "lamina/image/layer_tar.h"
#include "lamina/testing/matchers.h"
#include "tests/history/replay.h"
#include "tests/image/tar_builder.h"

namespace lamina::testing {
namespace {

using test::RawHeader;
using test::TarBuilder;

// A mount of one base, drawn, below the layer that the tar is.
FsPtr OnDrawing(std::string_view base, const TarBuilder& tar) {
  return Stack().Push(Tree(base).Rename("base")).Push(LayerFromTar(tar.Done())).MountOrDie();
}

// 31: what came before the mark in the tar was taken for something below it.
TEST(OverlayHistory, U_changelog_OpaqueAndPlainWhiteoutsOfOneTarHaveNoOrder) {
  constexpr std::string_view kBase = "/d/\n  old \"0\"\n  gone \"0\"";
  constexpr std::string_view kLayer = "/d/ opaque\n  a \"a\"\n  b \"b\"\n  gone whiteout";
  FsPtr first = OnDrawing(kBase, TarBuilder()
                                     .Dir("d")
                                     .File("d/.wh..wh..opq", "")
                                     .File("d/a", "a")
                                     .File("d/.wh.gone", "")
                                     .File("d/b", "b"));
  FsPtr middle = OnDrawing(kBase, TarBuilder()
                                      .Dir("d")
                                      .File("d/.wh.gone", "")
                                      .File("d/a", "a")
                                      .File("d/.wh..wh..opq", "")
                                      .File("d/b", "b"));
  FsPtr last = OnDrawing(kBase, TarBuilder()
                                    .Dir("d")
                                    .File("d/a", "a")
                                    .File("d/b", "b")
                                    .File("d/.wh.gone", "")
                                    .File("d/.wh..wh..opq", ""));
  EXPECT_THAT(first->Layer("tar"), Shows(kLayer));
  EXPECT_THAT(middle->Layer("tar"), Shows(kLayer));
  EXPECT_THAT(last->Layer("tar"), Shows(kLayer));
  EXPECT_THAT(first->Lstat("/d/old"), HasErrno(ENOENT));
  EXPECT_THAT(first->Lstat("/d/gone"), HasErrno(ENOENT));
  EXPECT_THAT(*first, HasFile("/d/a", "a"));
  // Written to, the directory is a merged one, and the kernel lists no whiteouts in it any more.
  EXPECT_THAT(first->Chmod("/d", 0700), IsOk());
  EXPECT_THAT(*first, Shows("/d/ 0700\n  a \"a\"\n  b \"b\""));
}

// 32: a name that is the prefix and nothing more is an error of a tar …
TEST(OverlayHistory, U_changelog_ATarNameThatIsOnlyThePrefixIsRefused) {
  MemFs layer;
  const auto read = [&](std::string_view name) {
    return ReadLayerTar(TarBuilder().File(name, "").Done(), layer, layer.root());
  };
  EXPECT_THAT(read(".wh."), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(read("d/.wh."), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(read(".wh.."), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(read(".wh..."), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(TreeView(layer, layer.root(), "layer"), Shows(""));
}

// 32: … and an ordinary name in a layer of overlayfs, like all the others.
TEST(OverlayHistory, U_changelog_NamesWithThePrefixAreOrdinaryInALayer) {
  const Replay replay(R"(
    layer lower
      put /.wh. 0644 "prefix"
      put /.wh..wh..opq 0644 "opaque"
      put /.wh.f 0644 "whiteout"
      put /f 0644 "f"
      mkdir /.wh.d 0755
    layer upper
    stack lower upper
    mount
      readdir /              -> [.wh.:f .wh..wh..opq:f .wh.d:d .wh.f:f f:f]
      unlink /.wh..wh..opq   -> OK
      rename /.wh.f /.wh.g   -> OK
      create /.wh..wh. 0644  -> OK
      rmdir /.wh.d           -> OK
      read /f                -> "f"
      readdir /              -> [.wh.:f .wh..wh.:f .wh.g:f f:f]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(R"(
      .wh..wh.        ""
      .wh..wh..opq    whiteout
      .wh.d           whiteout
      .wh.f           whiteout
      .wh.g           "whiteout"
  )"));
}

// 33: the prefix of a whiteout made the name of the file it hides too long. A name that was deleted
// under a whiteout is as long as any other here, and the announced limit is the true one.
TEST(OverlayHistory, F_236_NamesUpToTheAnnouncedLengthAreDeletedAndMadeAnew) {
  NamedLayer lower("lower");
  std::vector<std::string> paths;
  for (std::size_t length = 240; length <= 255; ++length) {
    paths.push_back('/' + std::string(length, 'n'));
    lower.File(paths.back(), "lower");
  }
  FsPtr fs = Stack().Push(lower).MountOrDie();
  EXPECT_EQ(fs->Statfs("/")->name_max, 255u);
  EXPECT_THAT(fs->ReadDir("/"), IsOkAndHolds(::testing::SizeIs(16)));
  for (const std::string& path : paths) {
    EXPECT_THAT(fs->Unlink(path), IsOk()) << path.size();
    EXPECT_THAT(fs->Lstat(path), HasErrno(ENOENT)) << path.size();
    EXPECT_THAT(fs->Layer("upper"), IsWhiteout(path)) << path.size();
  }
  EXPECT_THAT(fs->ReadDir("/"), IsOkAndHolds(::testing::SizeIs(0)));
  for (const std::string& path : paths) EXPECT_THAT(fs->WriteFile(path, "new"), IsOk());
  EXPECT_THAT(fs->ReadDir("/"), IsOkAndHolds(::testing::SizeIs(16)));
  EXPECT_THAT(fs->Layer("upper"), HasFile(paths.back(), "new"));
  EXPECT_THAT(fs->WriteFile(paths.back() + 'n', ""), HasErrno(ENAMETOOLONG));
  EXPECT_THAT(fs->Unlink(paths.back() + 'n'), HasErrno(ENAMETOOLONG));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

// 34: emptying the directory of its whiteouts crashed.
TEST(OverlayHistory, K_84889d493356_ADirectoryOfWhiteoutsCanBeRemoved) {
  const Replay replay(R"(
    layer bottom
      mkdir /up 0755
      put /up/f 0644 "f"
      mkdir /low 0755
      put /low/f 0644 "f"
      mkdir /both 0755
      put /both/f 0644 "f"
      put /both/g 0644 "g"
    layer top
      mkdir /low 0755
      mknod /low/f 0000 c 0 0
      mkdir /both 0755
      mknod /both/f 0000 c 0 0
      mkdir /only 0755
      mknod /only/w 0000 c 0 0
    layer upper
      mkdir /up 0755
      mknod /up/f 0000 c 0 0
      mkdir /both 0755
      mknod /both/g 0000 c 0 0
      mknod /both/nothing 0000 c 0 0
    stack top bottom upper
    mount
      readdir /up     -> []
      readdir /low    -> []
      readdir /both   -> []
      readdir /only   -> [w:c]
      rmdir /up       -> OK
      rmdir /low      -> OK
      rmdir /both     -> OK
      rmdir /only     -> OK
      readdir /       -> []
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"),
              Shows("up whiteout\nlow whiteout\nboth whiteout\nonly whiteout"));
}

// 35: a name that was deleted, whose whiteout somebody took away behind the mount. The kernel says
// ESTALE to the mkdir and goes on saying ENOENT (behaviour it calls undefined); here the lower file
// is found again, see vfs/union/README.md.
TEST(OverlayHistory, K_5e1275808630_CreatingOverAWhiteoutThatWentIsAnErrorAndNothingElse) {
  FsPtr fs = Stack().Push(NamedLayer("lower").File("/f", "f").Dir("/d")).MountOrDie();
  ASSERT_THAT(fs->Unlink("/f"), IsOk());
  ASSERT_THAT(fs->Lstat("/f"), HasErrno(ENOENT));
  const TreeView upper = fs->Layer("upper");
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  ASSERT_THAT(upper.fs().Remove(op, {upper.root(), "f"}, FileType::kCharDevice), IsOk());
  EXPECT_THAT(fs->Mkdir("/f"), HasErrno(EEXIST));
  EXPECT_THAT(upper, Shows(""));
  EXPECT_THAT(*fs, Shows("f \"f\"\n/d/"));
  EXPECT_THAT(fs->Rename("/d", "/f"), HasErrno(ENOTDIR));
  EXPECT_THAT(fs->Unlink("/f"), IsOk());
  EXPECT_THAT(upper, Shows("f whiteout"));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

// 38: the directory below was removed while nothing was mounted; its whiteouts stayed.
TEST(OverlayHistory, K_overlay_031_StaleWhiteoutsAreNeitherSeenNorInTheWay) {
  const Replay replay(R"(
    layer lower
      mkdir /d 0755
      put /d/f 0644 "f"
      put /d/g 0644 "g"
      mkdir /e 0755
      put /e/f 0644 "f"
    layer upper
    stack lower upper
    mount
      unlink /d/f           -> OK
      put /d/own 0644 "o"   -> OK 1
      unlink /e/f           -> OK
    umount
    layer lower
      unlink /d/f           -> OK
      unlink /d/g           -> OK
      rmdir /d              -> OK
      unlink /e/f           -> OK
      rmdir /e              -> OK
    mount
      readdir /d            -> [own:f]
      stat /d/f             -> ENOENT
      rmdir /d              -> ENOTEMPTY
      unlink /d/own         -> OK
      readdir /d            -> []
      rmdir /d              -> OK
      rename /e /d          -> OK
      readdir /d            -> []
      rmdir /d              -> OK
      readdir /             -> []
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(""));
}

// 39: mode and owner were those of the marker file, or the default.
TEST(OverlayHistory, M_daa7019517_AnOpaqueDirectoryOfATarKeepsItsAttributes) {
  RawHeader dir;
  dir.type = '5';
  dir.name = "d/";
  dir.mode = 0700;
  dir.uid = 7;
  dir.gid = 8;
  RawHeader mark;
  mark.name = "d/.wh..wh..opq";
  FsPtr after = OnDrawing("/d/ 0755\n  old \"0\"", TarBuilder().Raw(dir).Raw(mark));
  FsPtr before = OnDrawing("/d/ 0755\n  old \"0\"", TarBuilder().Raw(mark).Raw(dir));
  EXPECT_THAT(after->Layer("tar"), Shows("/d/ opaque 0700 7:8"));
  EXPECT_THAT(before->Layer("tar"), Shows("/d/ opaque 0700 7:8"));
  EXPECT_THAT(*after, Shows("/d/ 0700 7:8"));
  EXPECT_THAT(*before, Shows("/d/ 0700 7:8"));
}

// 40: deletions below the first level were left out, or had the path of the first level. Writing
// archives is not modelled; this is the list of changes they are made from.
TEST(OverlayHistory, M_1c0f6653ba_DeletionsAtEveryDepthAreListedWithTheirPath) {
  FsPtr fs = Overlay({.lower = {Tree(R"(
      1          "1"
      /a/2       "2"
      /a/b/3     "3"
      /a/b/c/4   "4"
      /a/b/c/d/5 "5"
      /a/b/c/d/e/6 "6"
  )")}});
  ASSERT_THAT(fs->Unlink("/1"), IsOk());
  ASSERT_THAT(fs->Unlink("/a/2"), IsOk());
  ASSERT_THAT(fs->Unlink("/a/b/3"), IsOk());
  ASSERT_THAT(fs->Unlink("/a/b/c/4"), IsOk());
  ASSERT_THAT(fs->RemoveAll("/a/b/c/d/e"), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Deleted("/1"), Changed("/a"), Deleted("/a/2"), Changed("/a/b"),
                                     Deleted("/a/b/3"), Changed("/a/b/c"), Deleted("/a/b/c/4"),
                                     Changed("/a/b/c/d"), Deleted("/a/b/c/d/e")));
  EXPECT_THAT(*fs, Shows("/a/b/c/d/\n  5 \"5\""));
}

// 41: marks made for the outer union are stored escaped in the inner one's layers.
TEST(OverlayHistory, K_420332b94119_AnInnerUnionLeavesTheMarksOfTheOuterOneAlone) {
  const Replay replay(R"(
    layer low
      mkdir /d 0755
      setxattr /d trusted.overlay.overlay.opaque "x"
      create /d/hidden 0644
      setxattr /d/hidden trusted.overlay.overlay.whiteout ""
      put /d/seen 0644 "s"
      mkdir /o 0755
      setxattr /o trusted.overlay.overlay.opaque "y"
    layer deep
      mkdir /d 0755
      put /d/below 0644 "b"
      mkdir /o 0755
      put /o/below 0644 "b"
    layer base
      mkdir /d 0755
      put /d/hidden 0644 "h"
      put /d/base 0644 "b"
      mkdir /o 0755
      put /o/base 0644 "b"
    layer upper
    stack low deep
    mount inner
      readdir /d          -> [below:f hidden:f seen:f]
      readdir /o          -> [below:f]
      getxattr /d trusted.overlay.opaque -> "x"
      getxattr /o trusted.overlay.opaque -> "y"
    stack mnt:inner base upper
    mount
      readdir /d          -> [base:f below:f seen:f]
      stat /d/hidden      -> ENOENT
      readdir /o          -> [below:f]
      listxattr /d        -> []
      unlink /d/seen      -> OK
      unlink /o/below     -> OK
      rmdir /o            -> OK
      readdir /d          -> [base:f below:f]
      readdir /           -> [d:d]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("/o whiteout\n/d/\n  seen whiteout"));
}

}  // namespace
}  // namespace lamina::testing
