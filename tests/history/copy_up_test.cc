// Copy-up: bytes, types, times and handles. Numbers are those of the table in README.md.
#include "lamina/testing/matchers.h"
#include "tests/history/replay.h"

namespace lamina::testing {
namespace {

// 1: sizes were counted in 32 bits.
TEST(OverlayHistory, K_0480334fa604_FilesAroundTheFourGibibyteBorderAreCopiedUp) {
  const Replay replay(R"(
    layer lower
      put /below 0644 "head"
      pwrite /below 4294967291 "tail"   # 4 GiB - 1
      put /at 0644 "head"
      pwrite /at 4294967292 "tail"      # 4 GiB
      put /above 0644 "head"
      pwrite /above 4294967293 "tail"   # 4 GiB + 1
    layer upper
    stack lower upper
    mount
      pwrite /below 0 "H"               -> OK 1
      read /below 0 4                   -> "Head"
      read /below 4294967291 8          -> "tail"
      pwrite /at 4294967295 "L"         -> OK 1
      read /at 0 4                      -> "head"
      read /at 4294967292 8             -> "taiL"
      pwrite /above 4294967297 "+"      -> OK 1
      read /above 0 4                   -> "head"
      read /above 4294967293 8          -> "tail+"
      stat /below   -> f 0644 0:0 size=4294967295 nlink=1 mtime=now dev=d1 ino=i1
      stat /at      -> f 0644 0:0 size=4294967296 nlink=1 mtime=now dev=d1 ino=i2
      stat /above   -> f 0644 0:0 size=4294967298 nlink=1 mtime=now dev=d1 ino=i3
  )");
  EXPECT_EQ(replay.Broken(), "");
  // The holes stay holes: a page at each end.
  EXPECT_EQ(replay.Layer("upper").Lstat("/below")->allocated_sectors, 16u);
  EXPECT_EQ(replay.Layer("upper").Lstat("/at")->allocated_sectors, 16u);
  EXPECT_EQ(replay.Layer("upper").Lstat("/above")->size_bytes, 4294967298u);
}

// 3: the opaque mark of a lower directory belongs to the branches below that lower, not to those
// below the copy.
TEST(OverlayHistory, K_0956254a2d5b_TheOpaqueMarkOfALowerIsNotCopiedUp) {
  const Replay replay(R"(
    layer bottom
      mkdir /d 0755
      put /d/hidden 0644 "h"
      mkdir /e 0755
      put /e/hidden 0644 "h"
    layer middle
      mkdir /d 0755
      setxattr /d trusted.overlay.opaque "y"
      put /d/seen 0644 "s"
      mkdir /e 0755
      put /e/seen 0644 "s"
    layer top
      mkdir /d 0755
      put /d/over 0644 "o"
      mkdir /e 0755
      setxattr /e trusted.overlay.opaque "y"
      put /e/over 0644 "o"
    layer upper
    stack top middle bottom upper
    mount
      chmod /d 0700   -> OK
      chmod /e 0700   -> OK
      readdir /d      -> [over:f seen:f]
      readdir /e      -> [over:f]
    umount
    mount
      readdir /d      -> [over:f seen:f]
      readdir /e      -> [over:f]
      stat /d/hidden  -> ENOENT
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("/d/ 0700\n/e/ 0700"));
  EXPECT_THAT(replay.Merged(), Shows(R"(
      /d/       0700
        over    "o"
        seen    "s"
      /e/       0700
        over    "o"
  )"));
}

// 8: the buffer for values had 256 bytes, and a longer value was left out.
TEST(OverlayHistory, F_284_XattrsOfEveryLengthAreCopiedUp) {
  const auto value = [](std::size_t bytes) { return std::string(bytes, 'v'); };
  FsPtr fs = Stack()
                 .Push(NamedLayer("lower")
                           .File("/f", "f")
                           .Xattr("/f", "user.l0", "")
                           .Xattr("/f", "user.l1", value(1))
                           .Xattr("/f", "user.l255", value(255))
                           .Xattr("/f", "user.l256", value(256))
                           .Xattr("/f", "user.l257", value(257))
                           .Xattr("/f", "user.l4096", value(4096))
                           .Xattr("/f", "user.l65536", value(65536)))
                 .MountOrDie();
  ASSERT_THAT(fs->Chmod("/f", 0600), IsOk());
  const TreeView upper = fs->Layer("upper");
  EXPECT_THAT(fs->Listxattr("/f"),
              IsOkAndHolds(::testing::ElementsAre("user.l0", "user.l1", "user.l255", "user.l256",
                                                  "user.l257", "user.l4096", "user.l65536")));
  EXPECT_THAT(upper.Getxattr("/f", "user.l0"), IsOkAndHolds(""));
  EXPECT_THAT(upper.Getxattr("/f", "user.l1"), IsOkAndHolds(value(1)));
  EXPECT_THAT(upper.Getxattr("/f", "user.l255"), IsOkAndHolds(value(255)));
  EXPECT_THAT(upper.Getxattr("/f", "user.l256"), IsOkAndHolds(value(256)));
  EXPECT_THAT(upper.Getxattr("/f", "user.l257"), IsOkAndHolds(value(257)));
  EXPECT_THAT(upper.Getxattr("/f", "user.l4096"), IsOkAndHolds(value(4096)));
  EXPECT_THAT(upper.Getxattr("/f", "user.l65536"), IsOkAndHolds(value(65536)));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

// 10: one attribute that a type cannot hold made the copy-up fail. Flags of chattr are not
// modelled; here each type carries each attribute it can have.
TEST(OverlayHistory, K_ab048302026d_EveryTypeIsCopiedUpWithItsAttributes) {
  const Replay replay(R"(
    layer lower
      put /file 0640 "f"
      mkdir /dir 0750
      symlink "target" /link
      fifo /fifo 0620
      sock /sock 0610
      mknod /char 0600 c 5 1
      mknod /block 0660 b 8 1
      setxattr /file trusted.k "1"
      setxattr /dir trusted.k "2"
      setxattr /link trusted.k "3"
      setxattr /fifo trusted.k "4"
      setxattr /sock trusted.k "5"
      setxattr /char trusted.k "6"
      setxattr /block trusted.k "7"
    layer upper
    stack lower upper
    mount
      chown /file 7 8    -> OK
      chown /dir 7 8     -> OK
      chown /link 7 8    -> OK
      chown /fifo 7 8    -> OK
      chown /sock 7 8    -> OK
      chown /char 7 8    -> OK
      chown /block 7 8   -> OK
      stat /file     -> f 0640 7:8 size=1 nlink=1 mtime=1000 dev=d1 ino=i1
      stat /dir      -> d 0750 7:8 nlink=1 mtime=1000 dev=d1 ino=i2
      stat /link     -> l 0777 7:8 size=6 nlink=1 mtime=1000 dev=d1 ino=i3
      stat /fifo     -> p 0620 7:8 nlink=1 mtime=1000 dev=d1 ino=i4
      stat /sock     -> s 0610 7:8 nlink=1 mtime=1000 dev=d1 ino=i5
      stat /char     -> c 0600 7:8 nlink=1 rdev=5:1 mtime=1000 dev=d1 ino=i6
      stat /block    -> b 0660 7:8 nlink=1 rdev=8:1 mtime=1000 dev=d1 ino=i7
      readlink /link -> "target"
    layer upper
      readdir /      -> [block:b char:c dir:d fifo:p file:f link:l sock:s]
      getxattr /file trusted.k   -> "1"
      getxattr /dir trusted.k    -> "2"
      getxattr /link trusted.k   -> "3"
      getxattr /fifo trusted.k   -> "4"
      getxattr /sock trusted.k   -> "5"
      getxattr /char trusted.k   -> "6"
      getxattr /block trusted.k  -> "7"
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 11: the copy of a symlink got its times through the link.
TEST(OverlayHistory, F_204_TimesOfASymlinkStayOffItsTarget) {
  const Replay replay(R"(
    layer lower
      put /target 0644 "t"
      symlink "target" /link
    layer upper
    stack lower upper
    mount
      utimens /link 50 60   -> OK
      stat /link      -> l 0777 0:0 size=6 nlink=1 mtime=60 dev=d1 ino=i1
      stat /target    -> f 0644 0:0 size=1 nlink=1 mtime=1000 dev=d1 ino=i2
      ustat /target   -> ENOENT
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("link -> target"));
}

// 12: a handle from before the copy-up kept the lower file. Since Linux 4.19 it follows; a mapping
// does not.
TEST(OverlayHistory, M_31587_AReaderFromBeforeTheCopyUpSeesLaterWrites) {
  const Replay replay(R"(
    layer lower
      put /f 0644 "old old"
    layer upper
    stack lower upper
    mount
      open r /f rdonly         -> OK
      mmap m r 7 shared r      -> OK
      hread r 0 9              -> "old old"
      open w /f rdwr           -> OK
      hwrite w 0 "new"         -> OK 3
      hread r 0 9              -> "new old"
      hwrite w 7 "er"          -> OK 2
      hread r 0 9              -> "new older"
      hstat r      -> f 0644 0:0 size=9 nlink=1 mtime=now dev=d1 ino=i1
      mread m 0 7              -> "old old"
      munmap m                 -> OK
      close w                  -> OK
      close r                  -> OK
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("f \"new older\""));
  EXPECT_THAT(replay.Layer("lower"), Shows("f \"old old\""));
}

// 13: the lock was on the lower inode, so nobody met it on the copy.
TEST(OverlayHistory, K_c568d68341be_ALockFromBeforeTheCopyUpStillClashes) {
  const Replay replay(R"(
    layer lower
      put /f 0644 "f"
    layer upper
    stack lower upper
    mount
      open before /f rdonly   -> OK
      hlock before ex         -> OK
      open writer /f rdwr     -> OK
      hwrite writer 1 "+"     -> OK 1
      hlock writer ex         -> EAGAIN
      open after /f rdonly    -> OK
      hlock after sh          -> EAGAIN
      hlock before un         -> OK
      hlock writer ex         -> OK
      hlock after sh          -> EAGAIN
      close writer            -> OK
      hlock after sh          -> OK
      close before            -> OK
      close after             -> OK
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("f \"f+\""));
}

// 17: calls on an open file without a name crashed, or went to the lower file.
TEST(OverlayHistory, F_368_ADeletedOpenFileTakesEveryCallOfAHandle) {
  const Replay replay(R"(
    layer lower
      put /f 0644 "0123456789"
      put /source 0644 "abcdef"
    layer upper
    stack lower upper
    mount
      open h /f rdwr           -> OK
      open s /source rdonly    -> OK
      unlink /f                -> OK
      hcopy s 2 h 8 4          -> OK 4
      hread h 0 99             -> "01234567cdef"
      hfalloc h 0 20           -> OK
      hstat h      -> f 0644 0:0 size=20 nlink=0 mtime=now dev=d1 ino=i1
      htruncate h 3            -> OK
      hcopy h 0 h 3 3          -> OK 3
      hread h 0 99             -> "012012"
      hchmod h 0600            -> OK
      hsetxattr h user.k "v"   -> OK
      hfsync h                 -> OK
      hlink h /again           -> ENOENT
      close h                  -> OK
      close s                  -> OK
      readdir /                -> [source:f]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows("f whiteout"));
}

}  // namespace
}  // namespace lamina::testing
