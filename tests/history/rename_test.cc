// Renames, redirects, link counts. Numbers are those of the table in README.md.
#include "lamina/testing/matchers.h"
#include "tests/history/replay.h"

namespace lamina::testing {
namespace {

// 42: EXDEV surprised every package manager; it is what the kernel says by default, and nothing
// may have changed then.
TEST(OverlayHistory, M_25409_ALowerDirectoryIsNotMovedWithoutRedirects) {
  const Replay replay(R"(
    layer lower
      mkdir /low 0755
      put /low/f 0644 "f"
      mkdir /merged 0755
      put /merged/f 0644 "f"
      mkdir /other 0755
    layer upper
      mkdir /merged 0755
      put /merged/up 0644 "u"
      mkdir /pure 0755
      put /pure/p 0644 "p"
    stack lower upper
    mount
      rename /low /moved              -> EXDEV
      rename /merged /moved           -> EXDEV
      rename /low /other              -> EXDEV
      rename /pure /low exchange      -> EXDEV
      rename /low /other/low          -> EXDEV
      rename /low/f /other/f          -> OK
      rename /pure /other/pure        -> OK
      readdir /                       -> [low:d merged:d other:d]
      readdir /low                    -> []
      readdir /other                  -> [f:f pure:d]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(R"(
      /low/
        f        whiteout
      /merged/
        up       "u"
      /other/
        f        "f"
        pure/    opaque
          p      "p"
  )"));
}

// 42: with redirects the tree is the one that was moved, however often. A fresh directory is opaque
// then, as layers may not be changed offline.
TEST(OverlayHistory, M_19512_RedirectsFollowAChainOfRenames) {
  const Replay replay(R"(
    layer bottom
      mkdir /a 0755
      mkdir /a/sub 0755
      put /a/sub/deep 0644 "1"
      put /a/f 0644 "1"
    layer top
      mkdir /a 0755
      put /a/g 0644 "2"
    layer upper
    stack top bottom upper
    options redirect_dir=on
    mount
      rename /a /b            -> OK
      rename /b /c            -> OK
      mkdir /x 0755           -> OK
      rename /c/sub /x/moved  -> OK
      rename /c /x/c          -> OK
      put /x/c/new 0644 "3"   -> OK 1
      unlink /x/c/f           -> OK
    umount
    mount
      readdir /               -> [x:d]
      readdir /x/c            -> [g:f new:f]
      read /x/moved/deep      -> "1"
      mkdir /a 0755           -> OK
      readdir /a              -> []
      rename /x/moved /a/sub  -> OK
      readdir /a/sub          -> [deep:f]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(R"(
      /a/        opaque
        sub/     trusted.overlay.redirect="/a/sub"
      /x/        opaque
        c/       trusted.overlay.redirect="/a"
          f      whiteout
          new    "3"
          sub    whiteout
  )"));
}

// 43: a redirected directory copied offline claimed the same lower directory and got its number.
TEST(OverlayHistory, K_31747eda41ef_OnlyOneOfTwoRedirectsToADirectoryIsFollowed) {
  const Replay replay(R"(
    layer lower
      mkdir /d 0755
      put /d/f 0644 "f"
    layer upper
    stack lower upper
    options redirect_dir=on
    mount
      rename /d /one        -> OK
    umount
    layer upper
      mkdir /two 0755       -> OK
      setxattr /two trusted.overlay.redirect "d"   -> OK
    mount
      stat /one     -> d 0755 0:0 nlink=1 mtime=1000 dev=d1 ino=i1
      stat /two     -> ESTALE
      readdir /one  -> [f:f]
      readdir /two  -> ESTALE
      readdir /     -> [one:d]
    umount
    mount
      readdir /two  -> [f:f]
      stat /one     -> ESTALE
      readdir /     -> [two:d]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("lower"), Shows("/d/\n  f \"f\""));
}

// 44: the search had been stopped by the opaque directory above.
TEST(OverlayHistory, K_overlay_057_AnAbsoluteRedirectLeadsOutOfAnOpaqueDirectory) {
  const Replay replay(R"(
    layer bottom
      mkdir /r1 0755
      put /r1/deep1 0644 "1"
      mkdir /r2 0755
      put /r2/deep2 0644 "2"
      mkdir /r3 0755
      put /r3/deep3 0644 "3"
      mkdir /r4 0755
      put /r4/deep4 0644 "4"
      mkdir /o 0755
      mkdir /o/u 0755
      put /o/u/no 0644 "n"
      mkdir /p 0755
      mkdir /p/t 0755
      put /p/t/no 0644 "n"
      mkdir /q 0755
      mkdir /q/m 0755
      put /q/m/no 0644 "n"
    layer middle
      mkdir /q 0755
      setxattr /q trusted.overlay.opaque "y"
      mkdir /q/m 0755
      setxattr /q/m trusted.overlay.redirect "/r3"
      mkdir /s 0755
      setxattr /s trusted.overlay.opaque "y"
      mkdir /s/m 0755
      setxattr /s/m trusted.overlay.redirect "/r4"
    layer top
      mkdir /p 0755
      setxattr /p trusted.overlay.opaque "y"
      mkdir /p/t 0755
      setxattr /p/t trusted.overlay.redirect "/r2"
    layer upper
      mknod /r1 0000 c 0 0
      mkdir /o 0755
      setxattr /o trusted.overlay.opaque "y"
      mkdir /o/u 0755
      setxattr /o/u trusted.overlay.redirect "/r1"
      mknod /s 0000 c 0 0
      mkdir /w 0755
      setxattr /w trusted.overlay.redirect "/s/m"   # through an opaque directory to a redirect
    stack top middle bottom upper
    options redirect_dir=on
    mount
      readdir /o/u           -> [deep1:f]
      readdir /p/t           -> [deep2:f]
      readdir /q/m           -> [deep3:f]
      readdir /w             -> [deep4:f]
      put /o/u/new 0644 "n"  -> OK 1
      put /p/t/new 0644 "n"  -> OK 1
      put /q/m/new 0644 "n"  -> OK 1
    umount
    mount
      readdir /o/u           -> [deep1:f new:f]
      readdir /p/t           -> [deep2:f new:f]
      readdir /q/m           -> [deep3:f new:f]
      readdir /w             -> [deep4:f]
      readdir /              -> [o:d p:d q:d r2:d r3:d r4:d w:d]
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 45: names made and removed behind the mount were not in the count; it fell to zero with names
// left.
TEST(OverlayHistory, K_83552eacdfc0_TheLinkCountIsThatOfTheNames) {
  const Replay replay(R"(
    layer lower
      put /a 0644 "data"
      link /a /b
      link /a /c
    layer upper
    stack lower upper
    options index=on
    mount
      append /a "!"   -> OK 1
      unlink /b       -> OK
      link /a /d      -> OK
      stat /a   -> f 0644 0:0 size=5 nlink=3 mtime=now dev=d1 ino=i1
      stat /c   -> f 0644 0:0 size=5 nlink=3 mtime=now dev=d1 ino=i1
      stat /d   -> f 0644 0:0 size=5 nlink=3 mtime=now dev=d1 ino=i1
    umount
    layer upper
      link /d /e      -> OK
    layer lower
      unlink /c       -> OK
    mount
      stat /a   -> f 0644 0:0 size=5 nlink=4 mtime=now dev=d1 ino=i1
      stat /e   -> f 0644 0:0 size=5 nlink=4 mtime=now dev=d1 ino=i1
      unlink /a       -> OK
      unlink /d       -> OK
      stat /e   -> f 0644 0:0 size=5 nlink=2 mtime=now dev=d1 ino=i1
      read /e         -> "data!"
      unlink /e       -> OK
      readdir /       -> []
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("a whiteout\nb whiteout"));
}

// 46: the name that was looked at first decided.
TEST(OverlayHistory, F_435_TheLinkCountDoesNotDependOnTheOrderOfLooks) {
  const Replay forwards(R"(
    layer lower
      mkdir /p 0755
      mkdir /q 0755
      put /p/a 0644 "x"
      link /p/a /q/b
    layer upper
    stack lower upper
    mount
      stat /p/a       -> f 0644 0:0 size=1 nlink=2 mtime=1000 dev=d1 ino=i1
      stat /q/b       -> f 0644 0:0 size=1 nlink=2 mtime=1000 dev=d1 ino=i1
      append /p/a "+" -> OK 1
      stat /p/a       -> f 0644 0:0 size=2 nlink=1 mtime=now dev=d1 ino=i2
      stat /q/b       -> f 0644 0:0 size=1 nlink=2 mtime=1000 dev=d1 ino=i1
  )");
  const Replay backwards(R"(
    layer lower
      mkdir /p 0755
      mkdir /q 0755
      put /p/a 0644 "x"
      link /p/a /q/b
    layer upper
    stack lower upper
    mount
      stat /q/b       -> f 0644 0:0 size=1 nlink=2 mtime=1000 dev=d1 ino=i1
      stat /p/a       -> f 0644 0:0 size=1 nlink=2 mtime=1000 dev=d1 ino=i1
      append /p/a "+" -> OK 1
      stat /q/b       -> f 0644 0:0 size=1 nlink=2 mtime=1000 dev=d1 ino=i1
      stat /p/a       -> f 0644 0:0 size=2 nlink=1 mtime=now dev=d1 ino=i2
    layer upper
      getxattr /p/a trusted.overlay.origin   -> ENODATA
  )");
  EXPECT_EQ(forwards.Broken(), "");
  EXPECT_EQ(backwards.Broken(), "");
}

}  // namespace
}  // namespace lamina::testing
