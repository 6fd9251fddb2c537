// Copy-up and creation: owners, set-id bits, capabilities, ACLs. Numbers are those of the table in
// README.md.
#include "lamina/testing/matchers.h"
#include "tests/history/replay.h"

namespace lamina::testing {
namespace {

// 4: only a change of content takes them away.
TEST(OverlayHistory, K_overlay_064_CapabilitiesAndSetIdBitsSurviveACopyUp) {
  const Replay replay(R"(
    layer lower
      put /tool 0755 "x"
      setxattr /tool security.capability hex:0100000200040000000000000000000000000000
      chmod /tool 4755
      put /su 6755 "x"
      put /written 0755 "x"
      setxattr /written security.capability hex:0100000200040000000000000000000000000000
      chmod /written 4755
    layer upper
    stack lower upper
    mount
      utimens /tool 50 60     -> OK
      rename /tool /moved     -> OK
      chmod /moved 4711       -> OK
      getxattr /moved security.capability    -> "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      stat /moved    -> f 4711 0:0 size=1 nlink=1 mtime=60 dev=d1 ino=i1
      link /su /su2           -> OK
      stat /su2      -> f 6755 0:0 size=1 nlink=2 mtime=1000 dev=d1 ino=i2
      append /written "y"     -> OK 1
      getxattr /written security.capability  -> ENODATA
      stat /written  -> f 4755 0:0 size=2 nlink=1 mtime=now dev=d1 ino=i3
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(R"(
      moved     "x"  4711
      su        "x"  6755
      su2       hardlink /su
      tool      whiteout
      written   "xy" 4755
  )"));
}

// 15: the copy-up was done after the bits had been dropped, or before they were asked for.
TEST(OverlayHistory, F_0_6_4_AWriteDropsSetIdBitsAsOnAPlainFileSystem) {
  const Replay replay(R"(
    layer lower
      put /own 6755 "x"
      chown /own 1000 1000
      chmod /own 6755
      put /other 6777 "x"
      put /nogroup 6767 "x"
      put /root 6755 "x"
      put /none 6777 "x"
    layer upper
    stack lower upper
    mount
    as 1000 1000
      append /own "+"       -> OK 1
      append /other "+"     -> OK 1
      append /nogroup "+"   -> OK 1
      append /none ""       -> OK 0
    as 0 0
      append /root "+"      -> OK 1
      stat /own       -> f 0755 1000:1000 size=2 nlink=1 mtime=now dev=d1 ino=i1
      stat /other     -> f 0777 0:0 size=2 nlink=1 mtime=now dev=d1 ino=i2
      stat /nogroup   -> f 0767 0:0 size=2 nlink=1 mtime=now dev=d1 ino=i3
      stat /none      -> f 6777 0:0 size=1 nlink=1 mtime=1000 dev=d1 ino=i4
      stat /root      -> f 6755 0:0 size=2 nlink=1 mtime=now dev=d1 ino=i5
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 16: the caller must be allowed the change, the mounter the copy.
TEST(OverlayHistory, K_3fe6e52f0626_ACallerWhoMayNotCreateInUpperStillCopiesUp) {
  const Replay replay(R"(
    layer lower
      mkdir /srv 0755
      put /srv/mine 0600 "m"
      chown /srv/mine 1000 1000
      put /srv/shared 0666 "s"
      put /srv/others 0644 "o"
    layer upper
    stack lower upper
    mount
    as 1000 1000
      create /srv/new 0644       -> EACCES
      append /srv/others "+"     -> EACCES
      chmod /srv/shared 0600     -> EPERM
      append /srv/mine "+"       -> OK 1
      chmod /srv/mine 0640       -> OK
      append /srv/shared "+"     -> OK 1
      unlink /srv/mine           -> EACCES
    as 0 0
      stat /srv                  -> d 0755 0:0 nlink=1 mtime=1000 dev=d1 ino=i1
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(R"(
      /srv/     0755 0:0
        mine    "m+" 0640 1000:1000
        shared  "s+" 0666 0:0
  )"));
}

// 18: the copy of a set-uid file must never belong to anybody but its old owner. User namespaces
// are not modelled: the owner is copied as it is, and the bit goes with every change of owner.
TEST(OverlayHistory, C_2023_0386_ACopiedUpSetUidFileKeepsItsOwner) {
  const Replay replay(R"(
    layer lower
      put /s 4755 "evil"
      chown /s 65534 65534
      chmod /s 4755
      put /w 4777 "evil"
      chown /w 65534 65534
      chmod /w 4777
    layer upper
    stack lower upper
    mount
    as 1000 1000
      append /s "+"     -> EACCES
      chmod /s 4777     -> EPERM
      chown /s 1000 1000   -> EPERM
      link /s /mine     -> EPERM
      append /w "+"     -> OK 1
    as 0 0
      ustat /s          -> ENOENT
      utimens /s 5 5    -> OK
      stat /s   -> f 4755 65534:65534 size=4 nlink=1 mtime=5 dev=d1 ino=i1
      stat /w   -> f 0777 65534:65534 size=5 nlink=1 mtime=now dev=d1 ino=i2
      chown /s 0 0      -> OK
      stat /s   -> f 0755 0:0 size=4 nlink=1 mtime=5 dev=d1 ino=i1
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 19: rights of every caller are the same before and after a copy-up. /d lets 1001 write by its
// ACL, /f lets 1000 write and 1001 read only.
TEST(OverlayHistory, C_2016_1575_ACopyUpGivesNobodyARight) {
  const Replay replay(R"(
    layer lower
      mkdir /d 0750
      chown /d 1000 500
      chmod /d 2750
      setxattr /d system.posix_acl_access hex:0200000001000700ffffffff02000700e903000004000500ffffffff10000700ffffffff20000000ffffffff
      put /f 0600 "f"
      setxattr /f system.posix_acl_access hex:0200000001000600ffffffff02000600e803000002000400e903000004000000ffffffff10000600ffffffff20000000ffffffff
    layer upper
    stack lower upper
    mount
    as 1000 1000
      access /d w      -> OK
      access /f w      -> OK
    as 1001 1001
      access /d w      -> OK
      access /f r      -> OK
      access /f w      -> EACCES
    as 1002 1002
      access /d x      -> EACCES
      access /f r      -> EACCES
    as 0 0
      utimens /d 5 5   -> OK
      utimens /f 5 5   -> OK
    as 1000 1000
      access /d w      -> OK
      access /f w      -> OK
    as 1001 1001
      access /d w      -> OK
      access /f r      -> OK
      access /f w      -> EACCES
      create /d/new 0666   -> OK
    as 1002 1002
      access /d x      -> EACCES
      access /f r      -> EACCES
      append /f "+"    -> EACCES
    as 0 0
      stat /d/new      -> f 0666 1001:500 size=0 nlink=1 mtime=now dev=d1 ino=i1
      listxattr /d     -> [system.posix_acl_access]
      listxattr /d/new -> []
      stat /d          -> d 2770 1000:500 nlink=1 mtime=now dev=d1 ino=i2
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 36: what was made over a whiteout belonged to the mounter.
TEST(OverlayHistory, K_d0e13f5_WhatIsMadeOverAWhiteoutBelongsToTheCaller) {
  const Replay replay(R"(
    layer lower
      mkdir /d 0777
      put /d/file 0600 "1"
      put /d/dir 0600 "2"
      put /d/link 0600 "3"
      put /d/fifo 0600 "4"
      put /d/target 0600 "5"
    layer upper
    stack lower upper
    mount
      unlink /d/file     -> OK
      unlink /d/dir      -> OK
      unlink /d/link     -> OK
      unlink /d/fifo     -> OK
    umask 027
    as 1000 1001
      create /d/file 0666        -> OK
      mkdir /d/dir 0777          -> OK
      symlink "target" /d/link   -> OK
      fifo /d/fifo 0666          -> OK
    as 0 0
      getxattr /d/file trusted.overlay.origin   -> ENODATA
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(R"(
      /d/       0777 0:0
        dir/    opaque 0750 1000:1001
        fifo    fifo 0640 1000:1001
        file    "" 0640 1000:1001
        link    -> target 0777 1000:1001
  )"));
}

// 37: the group of a set-gid directory was lost on the way through the work directory.
TEST(OverlayHistory, K_overlay_015_ASetGidDirectoryGivesItsGroupOverAWhiteoutToo) {
  const Replay replay(R"(
    layer lower
      mkdir /g 0777
      chown /g 0 500
      chmod /g 2777
      put /g/file 0600 "1"
      put /g/dir 0600 "2"
      put /g/link 0600 "3"
      put /g/fifo 0600 "4"
    layer upper
    stack lower upper
    mount
      unlink /g/file    -> OK
      unlink /g/dir     -> OK
      unlink /g/link    -> OK
      unlink /g/fifo    -> OK
    as 1000 1000
      create /g/file 2666     -> OK
      mkdir /g/dir 0777       -> OK
      symlink "x" /g/link     -> OK
      fifo /g/fifo 0666       -> OK
      create /g/newfile 0666  -> OK
      mkdir /g/newdir 0777    -> OK
      symlink "x" /g/newlink  -> OK
      fifo /g/newfifo 0666    -> OK
      create /g/dir/deep 0666 -> OK
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper"), Shows(R"(
      /g/          2777 0:500
        dir/       opaque 2777 1000:500
          deep     "" 0666 1000:500
        fifo       fifo 0666 1000:500
        file       "" 2666 1000:500
        link       -> x 0777 1000:500
        newdir/    2777 1000:500
        newfifo    fifo 0666 1000:500
        newfile    "" 0666 1000:500
        newlink    -> x 0777 1000:500
  )"));
}

}  // namespace
}  // namespace lamina::testing
