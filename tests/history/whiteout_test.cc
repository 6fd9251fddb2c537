// Whiteouts: when one is made, and what it hides. Numbers are those of the table in README.md.
#include "lamina/testing/matchers.h"
#include "tests/history/replay.h"

namespace lamina::testing {
namespace {

// 20: the whiteout made in a directory without anything below it showed as a broken entry.
TEST(OverlayHistory, K_45d117389696_AMovedFileDeletedInAPureDirectoryLeavesNoWhiteoutThere) {
  const Replay replay(R"(
    layer lower
      put /f 0644 "f"
      mkdir /low 0755
      put /low/g 0644 "g"
    layer upper
      mkdir /pure 0755
    stack lower upper
    mount
      rename /f /pure/f       -> OK
      unlink /pure/f          -> OK
      rename /low/g /pure/g   -> OK
      unlink /pure/g          -> OK
      readdir /pure           -> []
      stat /pure/f            -> ENOENT
      readdir /low            -> []
      rmdir /pure             -> OK
      readdir /               -> [low:d]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("f whiteout\n/low/\n  g whiteout"));
}

// 21: each layer removes the directory and makes it anew; an old file came back in the third.
TEST(OverlayHistory, M_9690_ADirectoryMadeAnewInEveryLayerShowsOnlyItsOwnFiles) {
  const Replay replay(R"(
    layer base
      mkdir /d 0755
      put /d/old 0644 "0"
      put /d/same 0644 "0"
    layer upper1
    layer upper2
    layer upper3
    stack base upper1
    mount
      unlink /d/old           -> OK
      unlink /d/same          -> OK
      rmdir /d                -> OK
      mkdir /d 0755           -> OK
      put /d/one 0644 "1"     -> OK 1
    umount
    rawmount merged lowerdir=@upper1@:@base@,upperdir=@upper2@,workdir=@upper2.work@   -> OK
      readdir /d              -> [one:f]
      unlink /d/one           -> OK
      rmdir /d                -> OK
      mkdir /d 0755           -> OK
      put /d/same 0644 "2"    -> OK 1
    umount
    rawmount merged lowerdir=@upper2@:@upper1@:@base@,upperdir=@upper3@,workdir=@upper3.work@ -> OK
      readdir /d              -> [same:f]
      unlink /d/same          -> OK
      rmdir /d                -> OK
      mkdir /d 0755           -> OK
      put /d/three 0644 "3"   -> OK 1
    umount
    rawmount merged lowerdir=@upper2@:@upper1@:@base@,upperdir=@upper3@,workdir=@upper3.work@ -> OK
      readdir /d              -> [three:f]
      stat /d/old             -> ENOENT
      stat /d/one             -> ENOENT
      stat /d/same            -> ENOENT
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper1"), Shows("/d/ opaque\n  one \"1\""));
  EXPECT_THAT(replay.Layer("upper2"), Shows("/d/ opaque\n  same \"2\""));
  EXPECT_THAT(replay.Layer("upper3"), Shows("/d/ opaque\n  three \"3\""));
  EXPECT_THAT(replay.Merged(), Shows("/d/\n  three \"3\""));
}

// 23: a whiteout of something else in a middle layer was taken for that of the directory.
TEST(OverlayHistory, M_25731_AWhiteoutNextDoorDoesNotSaveOne) {
  const Replay replay(R"(
    layer base
      mkdir /d 0755
      put /d/a 0644 "a"
      put /d/b 0644 "b"
    layer middle
      mkdir /d 0755
      mknod /d/other 0000 c 0 0
      mknod /nothing 0000 c 0 0
    layer upper
    stack middle base upper
    mount
      readdir /d      -> [a:f b:f]
      unlink /d/a     -> OK
      unlink /d/b     -> OK
      rmdir /d        -> OK
      readdir /       -> []
      stat /d/a       -> ENOENT
    umount
    mount
      readdir /       -> []
      mkdir /d 0755   -> OK
      readdir /d      -> []
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("/d/ opaque"));
}

// 24: the work directory was not ready, and the file was back after a remount.
TEST(OverlayHistory, F_55_TheFirstCallOfAMountCanBeAnUnlink) {
  const Replay replay(R"(
    layer lower
      put /f 0644 "f"
      mkdir /d 0755
    layer upper
    stack lower upper
    mount
      unlink /f     -> OK
    umount
    mount
      stat /f       -> ENOENT
      rmdir /d      -> OK
    umount
    mount
      readdir /     -> []
      unlink /f     -> ENOENT
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("f whiteout\nd whiteout"));
}

// 25: a whiteout was looked for by its bare name, whatever directory it was in.
TEST(OverlayHistory, F_0_7_1_AWhiteoutHidesNothingFurtherDown) {
  const Replay replay(R"(
    layer lower
      put /x 0644 "top"
      mkdir /d 0755
      put /d/x 0644 "deep"
      mkdir /d/d 0755
      put /d/d/x 0644 "deeper"
    layer upper
      mknod /x 0000 c 0 0
      mkdir /d 0755
      mkdir /d/d 0755
      mknod /d/d/x 0000 c 0 0
    stack lower upper
    mount
      readdir /       -> [d:d]
      readdir /d      -> [d:d x:f]
      readdir /d/d    -> []
      read /d/x       -> "deep"
      stat /x         -> ENOENT
      stat /d/d/x     -> ENOENT
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Merged(), Shows("/d/\n  x \"deep\"\n  d/"));
}

// 26: the whiteout under the other name was copied up and moved as if it were a file.
TEST(OverlayHistory, F_71_RenameAndExchangeTreatAWhiteoutAsNothing) {
  const Replay replay(R"(
    layer lower
      put /a 0644 "a"
      put /b 0644 "b"
      put /gone 0644 "g"
    layer upper
    stack lower upper
    mount
      unlink /gone               -> OK
      rename /gone /a            -> ENOENT
      rename /gone /a exchange   -> ENOENT
      rename /a /gone exchange   -> ENOENT
      rename /a /gone            -> OK
      rename /b /gone exchange   -> OK
      read /b                    -> "a"
      read /gone                 -> "b"
      stat /a                    -> ENOENT
      rename /b /a               -> OK
      readdir /                  -> [a:f gone:f]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("a \"a\"\nb whiteout\ngone \"b\""));
}

// 27: the whiteout that was under the target name was the one the source needed.
TEST(OverlayHistory, F_6a0de4a_RenameOverAWhiteoutLeavesOneAtTheSource) {
  const Replay replay(R"(
    layer lower
      put /a 0644 "a"
      put /b 0644 "b"
    layer upper
    stack lower upper
    mount
      unlink /b       -> OK
      rename /a /b    -> OK
    umount
    mount
      stat /a         -> ENOENT
      read /b         -> "a"
      readdir /       -> [b:f]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("a whiteout\nb \"a\""));
}

// 28
TEST(OverlayHistory, F_273_RenameWithoutReplacingMayTakeADeletedName) {
  const Replay replay(R"(
    layer lower
      put /a 0644 "a"
      put /b 0644 "b"
      put /c 0644 "c"
    layer upper
    stack lower upper
    mount
      unlink /b                   -> OK
      rename /a /b noreplace      -> OK
      rename /c /b noreplace      -> EEXIST
      mkdir /dir 0755             -> OK
      rename /dir /a noreplace    -> OK
      readdir /                   -> [a:d b:f c:f]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("/a/ opaque\n/b \"a\""));
}

// 29: what was left of the directory under the whiteout was in the way.
TEST(OverlayHistory, F_271_ANameOfADeletedMergedDirectoryTakesEveryType) {
  const Replay replay(R"(
    layer lower
      mkdir /d 0755
      put /d/low 0644 "l"
      mkdir /e 0755
      put /e/low 0644 "l"
      mkdir /g 0755
      put /g/low 0644 "l"
      mkdir /h 0755
      put /h/low 0644 "l"
      put /f 0644 "f"
    layer upper
      mkdir /d 0755
      put /d/up 0644 "u"
      mkdir /new 0755
      put /new/n 0644 "n"
    stack lower upper
    mount
      unlink /d/low       -> OK
      unlink /d/up        -> OK
      rmdir /d            -> OK
      unlink /e/low       -> OK
      rmdir /e            -> OK
      unlink /g/low       -> OK
      rmdir /g            -> OK
      unlink /h/low       -> OK
      rmdir /h            -> OK
      rename /new /d      -> OK
      mkdir /e 0755       -> OK
      symlink "f" /g      -> OK
      link /f /h          -> OK
      readdir /           -> [d:d e:d f:f g:l h:f]
      readdir /d          -> [n:f]
      readdir /e          -> []
    umount
    mount
      readdir /d          -> [n:f]
      readdir /e          -> []
      read /g             -> "f"
      read /h             -> "f"
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(R"(
      /d/     opaque
        n     "n"
      /e/     opaque
      /f      "f"
      /g      -> f
      /h      hardlink /f
  )"));
}

// 30: in a directory with nothing below it a whiteout hides nothing, and was listed.
TEST(OverlayHistory, F_e5ce442_AnOpaqueDirectoryGetsNoWhiteouts) {
  const Replay replay(R"(
    layer lower
      mkdir /d 0755
      put /d/f 0644 "low"
      mkdir /d/sub 0755
    layer upper
      mkdir /d 0755
      setxattr /d trusted.overlay.opaque "y"
      put /d/f 0644 "up"
      put /d/g 0644 "g"
      mkdir /d/sub 0755
    stack lower upper
    mount
      unlink /d/f         -> OK
      rename /d/g /d/h    -> OK
      rmdir /d/sub        -> OK
      readdir /d          -> [h:f]
      stat /d/f           -> ENOENT
      unlink /d/h         -> OK
      readdir /d          -> []
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("/d/ opaque"));
}

}  // namespace
}  // namespace lamina::testing
