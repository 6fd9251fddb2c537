// Private xattrs, mount options, layers that overlap, hostile layers. Numbers are those of the
// table in README.md.
#include "lamina/image/layer_tar.h"
#include "lamina/testing/matchers.h"
#include "lamina/union/overlay.h"
#include "tests/history/replay.h"
#include "tests/image/tar_builder.h"
#include "tests/union/overlay_stack.h"

namespace lamina::testing {
namespace {

using test::TarBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// 58: only the topmost and the lowest branch were filtered.
TEST(OverlayHistory, K_b581755b1c56_PrivateXattrsOfNoBranchAreShown) {
  const Replay replay(R"(
    layer bottom
      put /bottom 0644 "1"
      setxattr /bottom trusted.overlay.origin "secret"
      setxattr /bottom trusted.overlay.metacopies "secret"
      setxattr /bottom user.k "v"
      mkdir /d 0755
    layer middle
      put /middle 0644 "2"
      setxattr /middle trusted.overlay.private "secret"
      setxattr /middle user.k "v"
      mkdir /d 0755
      setxattr /d trusted.overlay.opaque "y"
    layer top
      put /top 0644 "3"
      setxattr /top trusted.overlay.nlink "secret"
      setxattr /top user.k "v"
    layer upper
      put /upper 0644 "4"
      setxattr /upper trusted.overlay.private "secret"
      setxattr /upper user.k "v"
      mkdir /d 0755
      setxattr /d trusted.overlay.impure "y"
    stack top middle bottom upper
    mount
      listxattr /bottom   -> [user.k]
      listxattr /middle   -> [user.k]
      listxattr /top      -> [user.k]
      listxattr /upper    -> [user.k]
      listxattr /d        -> []
      listxattr /         -> []
      getxattr /bottom trusted.overlay.origin      -> ENODATA
      getxattr /middle trusted.overlay.private     -> ENODATA
      getxattr /top trusted.overlay.nlink          -> ENODATA
      getxattr /upper trusted.overlay.private      -> ENODATA
      getxattr /d trusted.overlay.opaque           -> ENODATA
      removexattr /upper trusted.overlay.private   -> ENODATA
      chmod /bottom 0600                           -> OK
    layer upper
      listxattr /bottom   -> [trusted.overlay.origin user.k]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("upper").Getxattr("/upper", "trusted.overlay.private"),
              IsOkAndHolds("secret"));
}

// 59: names were compared as far as the shorter one goes.
TEST(OverlayHistory, K_fe2b75952347_NamesThatOnlyBeginLikeThePrefixAreOrdinary) {
  const Replay replay(R"(
    layer lower
      put /f 0644 "f"
      setxattr /f trusted.over "1"
      setxattr /f trusted.overlay "2"
      setxattr /f trusted.overlay.x "hidden"
      setxattr /f trusted.overlayx "3"
      setxattr /f trusted.overlay-x "4"
      setxattr /f trusted.overlay.overlay "hidden too"
      setxattr /f trusted.overlay.overlay.x "5"
      setxattr /f user.overlay.x "6"
    layer upper
    stack lower upper
    mount
      listxattr /f   -> [trusted.over trusted.overlay trusted.overlay-x trusted.overlay.x trusted.overlayx user.overlay.x]
      getxattr /f trusted.overlay                  -> "2"
      getxattr /f trusted.overlay.x                -> "5"
      getxattr /f trusted.overlay.overlay.x        -> ENODATA
      setxattr /f trusted.overlay "two"            -> OK
      setxattr /f trusted.overlay.x "five"         -> OK
      removexattr /f trusted.overlayx              -> OK
    layer upper
      listxattr /f   -> [trusted.over trusted.overlay trusted.overlay-x trusted.overlay.origin trusted.overlay.overlay.x user.overlay.x]
      getxattr /f trusted.overlay                  -> "two"
      getxattr /f trusted.overlay.overlay.x        -> "five"
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 59: the prefix and nothing more is no name.
TEST(OverlayHistory, K_fe2b75952347_TheBarePrefixIsRefused) {
  const Replay replay(R"(
    layer lower
      put /f 0644 "f"
      setxattr /f trusted.overlay.overlay. "1"
    layer upper
    stack lower upper
    mount
      listxattr /f                       -> [trusted.overlay.]
      getxattr /f trusted.overlay.       -> EINVAL
      setxattr /f trusted.overlay. "2"   -> EINVAL
      removexattr /f trusted.overlay.    -> EINVAL
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 60: what was taken out was not taken off the length.
TEST(OverlayHistory, F_f41a872_ListsOfEveryLengthAreFiltered) {
  const Replay replay(R"(
    layer lower
      put /none 0644 "0"
      put /private 0644 "1"
      setxattr /private trusted.overlay.a "x"
      put /one 0644 "2"
      setxattr /one user.a "x"
      put /first 0644 "3"
      setxattr /first trusted.overlay.a "x"
      setxattr /first user.a "x"
      put /last 0644 "4"
      setxattr /last security.a "x"
      setxattr /last trusted.overlay.z "x"
      put /between 0644 "5"
      setxattr /between security.a "x"
      setxattr /between trusted.overlay.a "x"
      setxattr /between trusted.overlay.b "x"
      setxattr /between trusted.z "x"
      setxattr /between user.a "x"
    layer upper
    stack lower upper
    mount
      listxattr /none       -> []
      listxattr /private    -> []
      listxattr /one        -> [user.a]
      listxattr /first      -> [user.a]
      listxattr /last       -> [security.a]
      listxattr /between    -> [security.a trusted.z user.a]
      chmod /none 0600      -> OK
      chmod /private 0600   -> OK
      chmod /between 0600   -> OK
      listxattr /none       -> []
      listxattr /private    -> []
      listxattr /between    -> [security.a trusted.z user.a]
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 61: a target as long as the buffer. The call gives a string here; each length must come whole,
// before and after the copy-up.
TEST(OverlayHistory, G_1a5c39f8_SymlinkTargetsOfEveryLengthComeWhole) {
  const std::string longest(4095, 't');
  FsPtr fs = Stack()
                 .Push(NamedLayer("lower")
                           .Symlink("/one", "t")
                           .Symlink("/inline", std::string(59, 't'))
                           .Symlink("/block", std::string(64, 't'))
                           .Symlink("/longest", longest))
                 .MountOrDie();
  EXPECT_THAT(fs->Readlink("/one"), IsOkAndHolds("t"));
  EXPECT_THAT(fs->Readlink("/longest"), IsOkAndHolds(longest));
  ASSERT_THAT(fs->Rename("/one", "/1"), IsOk());
  ASSERT_THAT(fs->Rename("/inline", "/59"), IsOk());
  ASSERT_THAT(fs->Rename("/block", "/64"), IsOk());
  ASSERT_THAT(fs->Rename("/longest", "/4095"), IsOk());
  EXPECT_THAT(fs->Readlink("/1"), IsOkAndHolds("t"));
  EXPECT_THAT(fs->Readlink("/59"), IsOkAndHolds(std::string(59, 't')));
  EXPECT_THAT(fs->Readlink("/64"), IsOkAndHolds(std::string(64, 't')));
  EXPECT_THAT(fs->Readlink("/4095"), IsOkAndHolds(longest));
  EXPECT_THAT(fs->Symlink(longest + "t", "/4096"), HasErrno(ENAMETOOLONG));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

// `name` as lowerdir= takes it.
std::string Escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '\\' || c == ':' || c == ',') text += '\\';
    text += c;
  }
  return text;
}

// The lowers that the option string of these names gives back.
std::vector<std::string> Reread(const std::vector<std::string>& names) {
  std::string text = "lowerdir=";
  for (const std::string& name : names) text += (text.back() == '=' ? "" : ":") + Escaped(name);
  Result<OverlayMountText> mount = ParseOverlayMountText(text);
  EXPECT_THAT(mount, IsOk());
  return mount.ok() ? mount->lowers : std::vector<std::string>{};
}

// 62: a comma or colon of a name ended it; the last byte of a long text was cut off.
TEST(OverlayHistory, K_32db51070850_NamesOfArbitraryBytesSurviveTheOptionString) {
  std::vector<std::string> names = {":",           ",",       "a:b",  "a,b", "\\a",
                                    "a\\:b",       "::",      ",,",   "a=b", "lowerdir=x",
                                    "upperdir=,u", "\xff\n ", "c,d:e"};
  for (std::size_t length : {1u, 4084u, 4085u, 4086u, 4087u, 4095u, 4096u, 4097u}) {
    names.push_back(std::string(length - 1, 'p') + ":");
    names.push_back(std::string(length - 1, 'p') + ",");
  }
  EXPECT_EQ(Reread(names), names);
  Result<OverlayMountText> mount =
      ParseOverlayMountText("lowerdir=/l\\:1\\,2::/d\\,1,upperdir=/u\\,1,workdir=/w\\,1,index=on");
  ASSERT_THAT(mount, IsOk());
  EXPECT_THAT(mount->lowers, ElementsAre("/l:1,2"));
  EXPECT_THAT(mount->data_only, ElementsAre("/d,1"));
  EXPECT_EQ(mount->upper, "/u,1");
  EXPECT_EQ(mount->work, "/w,1");
  EXPECT_EQ(mount->options.index, Toggle::kOn);
}

// 62: a comma after an escaped backslash ends the option.
TEST(OverlayHistory, K_32db51070850_ANameMayEndWithABackslash) {
  const Replay replay(R"(
    layer lower
      mkdir "/a\\" 0755
      put "/a\\/f" 0644 "f"
    layer upper
    rawmount merged "lowerdir=@lower@/a\\\\,upperdir=@upper@,workdir=@upper.work@"   -> OK
      readdir /    -> [f:f]
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 63: one directory in two roles corrupted itself. An upper inside a lower is allowed; what is in
// both is then refused when it is entered.
TEST(OverlayHistory, K_146d62e5a586_OverlappingLayersAreRefused) {
  const Replay replay(R"(
    layer lower
      mkdir /sub 0755
      mkdir /sub/deep 0755
    layer other
    layer upper
      mkdir /w 0755
      mkdir /inside 0755
    layer box
      mkdir /u 0755
      mkdir /w 0755
      mkdir /w/u 0755
      mkdir /l 0755
    rawmount m lowerdir=@lower@,upperdir=@upper@,workdir=@upper@/w                     -> EINVAL
    rawmount m lowerdir=@lower@,upperdir=@box@/w/u,workdir=@box@/w                     -> EINVAL
    rawmount m lowerdir=@lower@,upperdir=@box@/u,workdir=@box@/u                       -> EINVAL
    rawmount m lowerdir=@lower@,upperdir=@upper@                                       -> EINVAL
    rawmount m lowerdir=@lower@:@lower@,upperdir=@upper@,workdir=@upper.work@          -> ELOOP
    rawmount m lowerdir=@lower@/sub:@lower@,upperdir=@upper@,workdir=@upper.work@      -> ELOOP
    rawmount m lowerdir=@lower@:@lower@/sub,upperdir=@upper@,workdir=@upper.work@      -> ELOOP
    rawmount m lowerdir=@lower@/sub/deep:@other@:@lower@                               -> ELOOP
    rawmount m lowerdir=@upper@,upperdir=@upper@,workdir=@upper.work@                  -> ELOOP
    rawmount m lowerdir=@upper@/inside,upperdir=@upper@,workdir=@upper.work@           -> ELOOP
    rawmount m lowerdir=@upper.work@,upperdir=@upper@,workdir=@upper.work@             -> ELOOP
    rawmount m lowerdir=@box@/w/u,upperdir=@box@/u,workdir=@box@/w                     -> ELOOP
    rawmount m lowerdir=@lower@::@lower@/sub,upperdir=@upper@,workdir=@upper.work@     -> ELOOP
    rawmount m lowerdir=@lower@                                                        -> EINVAL
    rawmount m lowerdir=@lower@:@other@                                                -> OK
    umount m
    rawmount m lowerdir=@box@,upperdir=@box@/u,workdir=@box@/l                         -> OK
      readdir /    -> [l:d u:d w:d]
      readdir /w   -> [u:d work:d]      # made by the refused mount that got furthest
      stat /u      -> ELOOP
      stat /l      -> ELOOP
  )");
  EXPECT_EQ(replay.Broken(), "");
}

// 64: a symlink where the layer's root is, or on the way, let the next entry write outside.
TEST(OverlayHistory, C_2021_29136_NoEntryOfALayerTarLeadsOutsideItsRoot) {
  MemFs host;
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  const NewNode directory{FileType::kDirectory, 0755, 0, {}};
  const NodeId layer = *host.Create(op, {host.root(), "layer"}, directory);
  ASSERT_THAT(host.Create(op, {host.root(), "outside"}, directory), IsOk());
  const auto read = [&](const TarBuilder& tar) { return ReadLayerTar(tar.Done(), host, layer); };
  const auto kHost = Shows("/layer/\n/outside/");
  const TreeView view(host, host.root(), "host");
  EXPECT_THAT(read(TarBuilder().Symlink("/.", "/outside").File("x", "x")), ::testing::Not(IsOk()));
  EXPECT_THAT(view, kHost);
  EXPECT_THAT(read(TarBuilder().Symlink("/", "../outside").File("x", "x")), ::testing::Not(IsOk()));
  EXPECT_THAT(view, kHost);
  EXPECT_THAT(read(TarBuilder().Symlink(".", "../outside").File("x", "x")), ::testing::Not(IsOk()));
  EXPECT_THAT(view, kHost);
  EXPECT_THAT(read(TarBuilder().Symlink("d", "../outside").File("d/x", "x")),
              ::testing::Not(IsOk()));
  EXPECT_THAT(view, kHost);
  EXPECT_THAT(read(TarBuilder().Symlink("d", "../outside").Link("d/x", "d")),
              ::testing::Not(IsOk()));
  EXPECT_THAT(view, kHost);
}

// 66: a call that looked like a read went to the lower file and changed it.
TEST(OverlayHistory, K_7c6893e3c9ab_NoCallChangesALower) {
  const Replay replay(R"(
    layer lower
      mkdir /d 0755
      put /d/f 0644 "0123456789"
      link /d/f /d/g
      setxattr /d/f user.k "v"
      symlink "f" /d/l
      put /m 0644 "mapped"
    layer upper
    stack lower upper
    mount
      open r /d/f rdonly              -> OK
      hwrite r 0 "x"                  -> EBADF
      htruncate r 0                   -> EINVAL
      hfalloc r 0 99                  -> EBADF
      hfsync r                        -> OK
      hlease r rd                     -> OK
      hlease r un                     -> OK
      hlock r ex                      -> OK
      hchmod r 0600                   -> OK
      hsetxattr r user.k "w"          -> OK
      open m /m rdwr                  -> OK
      mmap p m 6 shared rw            -> OK
      mwrite p 0 "MAP"                -> OK
      mmap q r 4 private rw           -> OK
      mwrite q 0 "XX"                 -> OK
      read /m                         -> "MAPped"
      read /d/f                       -> "0123456789"
      read /d/g                       -> "0123456789"
      open t /d/g rdonly,trunc        -> OK
      stat /d/f     -> f 0600 0:0 size=10 nlink=1 mtime=1000 dev=d1 ino=i1
      stat /d/g     -> f 0644 0:0 size=0 nlink=1 mtime=now dev=d1 ino=i2
      utimens /d/l 5 5                -> OK
      removexattr /d/f user.k         -> OK
      setxattr /d user.k "v"          -> OK
      chown /d/g 5 5                  -> OK
      munmap p                        -> OK
      munmap q                        -> OK
  )");
  EXPECT_EQ(replay.Broken(), "");  // it compares the lowers
  EXPECT_THAT(replay.Layer("lower").ReadFile("/m"), IsOkAndHolds("mapped"));
}

}  // namespace
}  // namespace lamina::testing
