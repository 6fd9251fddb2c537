// Sentences of chapters 1 and 2 of the AUFS specification that no row of its tables covers:
// branches and lookup. Each suite is named after its section. The other chapters:
// aufs_spec_names_test.cc, aufs_spec_data_test.cc, aufs_spec_files_test.cc.
#include <string>

#include "tests/union/aufs_stack.h"
#include "tests/union/overlay_stack.h"

namespace lamina {
namespace {

using testing::AnyOf;
using testing::IsEmpty;
using testing::Not;

std::string Unlink(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Unlink(path));
}
std::string Rmdir(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Rmdir(path));
}
std::string Mkdir(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Mkdir(path, 0755));
}
std::string Link(AufsStack& stack, std::string_view from, std::string_view to) {
  return Outcome(stack.process().Link(from, to, LastLink::kKeep));
}
std::string Rename(AufsStack& stack, std::string_view from, std::string_view to,
                   RenameMode mode = RenameMode::kReplace) {
  return Outcome(stack.process().Rename(from, to, mode));
}

std::string ManyOptions(int count) {
  std::string text = "dirwh=4";
  for (int index = 1; index < count; ++index) text += ",dirwh=4";
  return text;
}

// ── 1 Branches ─────────────────────────────────────────────────────────────────────────────────

TEST(AufsSection1_1, AnEmptyPermissionIsRo) {
  AufsStack stack({{""}, {""}}, "", AufsMounting::kLater);
  ASSERT_EQ(Outcome(stack.TryMount("br:/b0=:/b1=rw")), "OK");
  EXPECT_EQ(stack.Modes(), "ro rw");
}

TEST(AufsSection1_1, TheWordsForBranchesTakeColonAndEquals) {
  AufsStack stack({{""}, {""}}, "", AufsMounting::kLater);
  stack.AddDirectory({});
  EXPECT_EQ(Outcome(stack.TryMount("br=/b0:/b1")), "OK");
  EXPECT_EQ(Outcome(stack.TryMount("dirs:/b0:/b1=ro")), "OK");
  EXPECT_EQ(Outcome(stack.TryMount("dirs=/b0=rw:/b1")), "OK");
  EXPECT_EQ(stack.Remount("ins=1:/n0"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0 n0 b1");
  EXPECT_EQ(stack.Remount("mod=/n0=ro+wh"), "OK");
  EXPECT_EQ(stack.Modes(), "rw ro+wh ro");
  EXPECT_EQ(stack.Remount("del=/n0"), "OK");
  EXPECT_EQ(stack.Remount("append=/n0"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0 b1 n0");
  EXPECT_EQ(stack.Remount("del:/n0"), "OK");
  EXPECT_EQ(stack.Remount("prepend=/n0=ro"), "OK");
  EXPECT_EQ(stack.BranchNames(), "n0 b0 b1");
}

TEST(AufsSection1_1, OnAReadOnlyMountEveryBranchIsRo) {
  AufsStack stack({{"", "f=F"}, {""}}, "ro");
  EXPECT_EQ(stack.Modes(), "ro ro");
  EXPECT_EQ(stack.BaseEntries(0), "");
  EXPECT_EQ(stack.Create("/x"), "EROFS");
  EXPECT_EQ(stack.Read("/f"), "F");
}

TEST(AufsSection1_1, AddIsRwAtZeroOnly) {
  AufsStack stack({{"rw"}, {"ro"}});
  stack.AddDirectory({});
  stack.AddDirectory({});
  EXPECT_EQ(stack.Remount("add:1:/n0"), "OK");
  EXPECT_EQ(stack.Remount("add:0:/n1"), "OK");
  EXPECT_EQ(stack.BranchNames(), "n1 b0 n0 b1");
  EXPECT_EQ(stack.Modes(), "rw rw ro ro");
}

TEST(AufsSection1_2, AWritableBranchNeedsNamesOf255Bytes) {
  AufsStack stack({{.mode = "rw", .name_max = 254}, {"ro"}}, "", AufsMounting::kLater);
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0=rw:/b1=ro")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount("br:/b1=rw:/b0=ro+wh")), "OK");
}

TEST(AufsSection1_2, RrHonoursWhiteoutsOnlyWithWh) {
  AufsStack stack({{"rw"}, {"rr", ".wh.f d/OPQ"}, {"rr+wh", ".wh.g"}, {"ro", "f=F g=G d/x"}});
  EXPECT_EQ(stack.Modes(), "rw rr rr+wh ro");
  EXPECT_EQ(stack.Merged(), "d/ d/x f=F");
}

TEST(AufsSection1_3, OfTheOpenAttributesTheLastHolds) {
  AufsStack stack({{"rw+moo+coo_all"}, {"ro+coo_all+coo_reg+wh"}});
  EXPECT_EQ(AufsModeOf(stack.fs(), 0).on_open, AufsOnOpen::kCopyAll);
  EXPECT_EQ(AufsModeOf(stack.fs(), 1).on_open, AufsOnOpen::kCopyFiles);
  EXPECT_TRUE(AufsModeOf(stack.fs(), 1).whiteouts);
}

TEST(AufsSection1_4, OptionsThatDoNotFitInAPageAreTooBig) {
  AufsStack stack({{"rw"}, {"ro"}});
  EXPECT_EQ(stack.Remount(ManyOptions(5000)), "E2BIG");
  EXPECT_EQ(AufsOptionsOf(stack.fs()).dirwh, 3U);
}

TEST(AufsSection1_5, WhatStandsBeforeAFailedOptionStays) {
  AufsStack stack({{"rw"}, {"ro"}});
  stack.AddDirectory({});
  stack.AddDirectory({});
  EXPECT_EQ(stack.Remount("append:/n0,add:9:/n1,append:/n1"), "EDOM");
  EXPECT_EQ(stack.BranchNames(), "b0 b1 n0");
}

TEST(AufsSection1_5, ModNeedsAPermission) {
  AufsStack stack({{"rw"}, {"ro"}});
  EXPECT_EQ(stack.Remount("mod:/b1"), "EINVAL");
  EXPECT_EQ(stack.Modes(), "rw ro");
}

TEST(AufsSection1_5, PathsThatAreNoDirectoriesAreInvalid) {
  AufsStack stack({{"rw"}, {"ro"}});
  stack.AddDirectory({"", "file"});
  EXPECT_EQ(stack.Remount("append:/n0/none"), "EINVAL");
  EXPECT_EQ(stack.Remount("append:/n0/file"), "EINVAL");
  EXPECT_EQ(stack.Remount("append:/n0/file/below"), "EINVAL");
  EXPECT_EQ(stack.BranchNames(), "b0 b1");
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0:/n0/none")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0:/n0/file")), "EINVAL");
}

TEST(AufsSection1_5, ADirectoryOfTheUnionIsNoBranchOfIt) {
  AufsStack stack({{"rw", "d/"}, {"ro"}});
  EXPECT_EQ(stack.Remount("append:/u"), "EINVAL");
  EXPECT_EQ(stack.Remount("append:/u/d"), "EINVAL");
  EXPECT_EQ(stack.BranchNames(), "b0 b1");
}

TEST(AufsSection1_5, UnionsAreNoBranches) {
  OverlayStack overlay(1);
  overlay.Mount();
  AufsStack stack({{"rw"}, {"ro"}});
  const std::unique_ptr<UnionFs> other = stack.MountAnother("br:/b1=ro");
  AufsMount mount = stack.Request();
  mount.branches[1].directory = {&overlay.fs(), overlay.fs().root(), {}, "overlay"};
  EXPECT_EQ(Outcome(MountAufs(stack.Op(), mount)), "EINVAL");
  mount.branches[1].directory = {other.get(), other->root(), {}, "aufs"};
  EXPECT_EQ(Outcome(MountAufs(stack.Op(), mount)), "EINVAL");
}

TEST(AufsSection1_5, AMountNeedsABranch) {
  AufsStack stack({{"rw"}}, "", AufsMounting::kLater);
  EXPECT_EQ(Outcome(stack.TryMount("create=mfs")), "EINVAL");
}

TEST(AufsSection1_6, DelOfNoBranchFailsAMount) {
  AufsStack stack({{"rw"}, {"ro"}}, "", AufsMounting::kLater);
  EXPECT_NE(Outcome(stack.TryMount("br:/b0=rw,del:/b1")), "OK");
}

TEST(AufsSection1_6, LaterBranchesMoveUp) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=1 g=1"}, {"ro", "f=2"}});
  EXPECT_EQ(stack.Remount("del:/b1"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0 b2");
  EXPECT_EQ(stack.Modes(), "rw ro");
  EXPECT_EQ(stack.Merged(), "f=2");
  EXPECT_EQ(*stack.fs().SourceBranch(stack.StatOf("/f").node), 1);
}

TEST(AufsSection1_7, TheSamePermissionIsNoChange) {
  AufsStack stack({{"rw", "f=F"}, {"ro"}});
  const Process::Fd fd = stack.Open("/f", kReadOnly);
  ASSERT_EQ(Outcome(stack.process().Mmap(fd, 1, MapSharing::kPrivate, false)), "OK");
  EXPECT_EQ(stack.Remount("mod:/b0=rw"), "OK");
  EXPECT_EQ(stack.BaseEntries(0), ".wh..wh.aufs .wh..wh.orph/ .wh..wh.plnk/");
}

TEST(AufsSection1_7, ADirectoryOfPseudoLinksThatIsNotEmptyStays) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}});
  ASSERT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Remount("mod:/b0=ro"), "OK");
  EXPECT_EQ(stack.BaseEntries(0), ".wh..wh.plnk/");
  EXPECT_THAT(stack.PseudoLinks(0), Not(IsEmpty()));
}

TEST(AufsSection1_7, AChangeOfWhIsSeenAtOnce) {
  AufsStack stack({{"rw"}, {"ro", ".wh.f"}, {"ro", "f=F"}});
  EXPECT_EQ(stack.Lookup("/f"), "OK");
  EXPECT_EQ(stack.Remount("mod:/b1=ro+wh"), "OK");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
  EXPECT_EQ(stack.List("/"), "");
  EXPECT_EQ(stack.Remount("mod:/b1=ro"), "OK");
  EXPECT_EQ(stack.Lookup("/f"), "OK");
  EXPECT_EQ(stack.List("/"), "f");
}

TEST(AufsSection1_7, AWriteToABranchThatBecameRoFailsWithoutAnother) {
  AufsStack stack({{"rw", "f=F"}, {"rw"}});
  const Process::Fd fd = stack.Open("/f", kReadWrite);
  EXPECT_EQ(stack.Remount("mod:/b0=ro"), "OK");
  EXPECT_EQ(stack.WriteFd(fd, 0, "x"), "EROFS");
  EXPECT_EQ(stack.ReadFd(fd), "F");
  EXPECT_EQ(stack.Content(0), "f=F");
}

TEST(AufsSection1_8, DefaultsAndLimitsOfOptions) {
  AufsStack stack({{"rw"}});
  EXPECT_EQ(AufsOptionsOf(stack.fs()), AufsOptions{});
  const auto mount = [&](std::string_view option) {
    return Outcome(stack.TryMount("br:/b0," + std::string(option)));
  };
  EXPECT_EQ(mount("rdblk=254"), "EINVAL");
  EXPECT_EQ(mount("rdblk=255"), "OK");
  EXPECT_EQ(mount("rdblk=0"), "OK");
  EXPECT_EQ(mount("rdblk=def"), "OK");
  EXPECT_EQ(AufsOptionsOf(stack.fs()).rdblk, 512U);
  EXPECT_EQ(mount("rdhash=-1"), "EINVAL");
  EXPECT_EQ(mount("rdhash=def"), "OK");
  EXPECT_EQ(mount("rdcache=3601"), "EINVAL");
  EXPECT_EQ(mount("rdcache=3600"), "OK");
  EXPECT_EQ(mount("no_such_option"), "EINVAL");
}

// ── 2 Names and lookup ─────────────────────────────────────────────────────────────────────────

TEST(AufsSection2_1, NamesThatOnlyLookReservedAreOrdinary) {
  AufsStack stack({{"rw"}, {"ro+wh", ".wh wh.f"}});
  EXPECT_EQ(stack.Create("/.whx"), "OK");
  EXPECT_EQ(stack.Create("/x.wh."), "OK");
  EXPECT_EQ(stack.Create("/.WH.x"), "OK");
  EXPECT_EQ(Unlink(stack, "/.wh"), "OK");
  EXPECT_EQ(stack.Content(0), ".WH.x .wh..wh .whx x.wh.");
  EXPECT_EQ(stack.Merged(), ".WH.x .whx wh.f x.wh.");
}

TEST(AufsSection2_1, ReservedNamesCannotBeRemovedOrMovedAway) {
  AufsStack stack({{"rw", ".wh.f d/OPQ"}, {"ro+wh", "f"}});
  EXPECT_EQ(Unlink(stack, "/.wh.f"), "EPERM");
  EXPECT_EQ(Unlink(stack, "/d/.wh..wh..opq"), "EPERM");
  EXPECT_EQ(Rmdir(stack, "/.wh..wh.plnk"), "EPERM");
  EXPECT_EQ(Rename(stack, "/.wh.f", "/g"), "EPERM");
  EXPECT_EQ(stack.List("/.wh..wh.plnk"), "EPERM");
  EXPECT_EQ(stack.Content(0), ".wh.f d/ d/OPQ");
}

TEST(AufsSection2_1, TheLongestNameCanBeWhitedOut) {
  const std::string name(242, 'n');
  AufsStack stack({{"rw"}, {"ro+wh", name + " d/" + name + "/"}});
  EXPECT_EQ(Unlink(stack, "/" + name), "OK");
  EXPECT_EQ(Rmdir(stack, "/d/" + name), "OK");
  EXPECT_EQ(stack.Content(0), ".wh." + name + " d/ d/.wh." + name);
}

TEST(AufsSection2_1, ABranchTooShortForAWhiteoutHasNone) {
  const std::string name(58, 'n');
  AufsStack stack({{"rw"}, {.mode = "ro+wh", .content = name + "=x", .name_max = 60}});
  EXPECT_EQ(stack.Read("/" + name), "x");
  EXPECT_EQ(stack.List("/"), name);
}

TEST(AufsSection2_2, ABaseEntryOfAnotherTypeFailsTheMount) {
  AufsStack stack({{"rw", ".wh..wh.aufs/"}, {"rw", ".wh..wh.plnk"}, {"rw", ".wh..wh.orph>x"}}, "",
                  AufsMounting::kLater);
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0=rw")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount("br:/b1=rw")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount("br:/b2=rw")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0=ro:/b1=ro:/b2=ro")), "OK");
}

TEST(AufsSection2_2, ASecondMountTakesTheBaseEntriesOfTheFirst) {
  AufsStack stack({{"rw"}, {"ro+wh", "f g"}});
  ASSERT_EQ(Unlink(stack, "/f"), "OK");
  const std::uint64_t base = stack.BranchStat(0, "/.wh..wh.aufs").ino;
  stack.Mount();
  EXPECT_EQ(stack.Merged(), "g");
  ASSERT_EQ(Unlink(stack, "/g"), "OK");
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").ino, base);
  EXPECT_EQ(stack.BranchStat(0, "/.wh.g").ino, base);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").nlink, 3U);
}

TEST(AufsSection2_2, ABaseWhiteoutOutOfLinksIsReplacedLater) {
  AufsStack stack({{.mode = "rw", .link_max = 4}, {"ro+wh", "a b c d e"}});
  const std::uint64_t first = stack.BranchStat(0, "/.wh..wh.aufs").ino;
  ASSERT_EQ(Unlink(stack, "/a"), "OK");
  ASSERT_EQ(Unlink(stack, "/b"), "OK");
  ASSERT_EQ(Unlink(stack, "/c"), "OK");
  ASSERT_EQ(stack.BranchStat(0, "/.wh.c").nlink, 4U);
  EXPECT_EQ(Unlink(stack, "/d"), "OK");
  EXPECT_NE(stack.BranchStat(0, "/.wh.d").ino, first);
  stack.RunDeferred();
  EXPECT_NE(stack.BranchStat(0, "/.wh..wh.aufs").ino, first);
  EXPECT_EQ(stack.BranchStat(0, "/.wh.a").ino, first);
  EXPECT_EQ(Unlink(stack, "/e"), "OK");
  EXPECT_EQ(stack.BranchStat(0, "/.wh.e").ino, stack.BranchStat(0, "/.wh..wh.aufs").ino);
  EXPECT_EQ(stack.Content(0), ".wh.a .wh.b .wh.c .wh.d .wh.e");
  EXPECT_EQ(stack.Merged(), "");
}

TEST(AufsSection2_2, TheContentOfAWhiteoutDoesNotMatter) {
  AufsStack stack({{"rw", ".wh.f=data:0600"}, {"ro+wh", "f=F"}});
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
  EXPECT_EQ(stack.Create("/f"), "OK");
  EXPECT_EQ(stack.Content(0), "f");
}

TEST(AufsSection2_2, AWhiteoutThatIsASymlinkOrAFifoIsAnError) {
  AufsStack stack({{"rw", ".wh.f>x .wh.g!p"}, {"ro+wh", "f g .wh.h/"}, {"ro+wh", "h"}});
  EXPECT_EQ(stack.Lookup("/f"), "EIO");
  EXPECT_EQ(stack.Lookup("/g"), "EIO");
  EXPECT_EQ(stack.Lookup("/h"), "EIO");
}

TEST(AufsSection2_3, AWhiteoutBetweenTwoDirectoriesEndsTheMerge) {
  AufsStack stack({{"rw", "d/a"}, {"ro+wh", ".wh.d d/b"}, {"ro+wh", "d/c"}});
  EXPECT_EQ(stack.Merged(), "d/ d/a");
  EXPECT_EQ(stack.Lookup("/d/b"), "ENOENT");
  EXPECT_EQ(stack.Lookup("/d/c"), "ENOENT");
}

TEST(AufsSection2_3, ASymlinkOverADirectoryDoesNotMerge) {
  AufsStack stack({{"rw", "d>e"}, {"ro+wh", "d/x e/y"}});
  EXPECT_EQ(stack.StatOf("/d").type, FileType::kSymlink);
  EXPECT_EQ(stack.List("/d"), "y");
  EXPECT_EQ(stack.Lookup("/d/x"), "ENOENT");
}

TEST(AufsSection2_4, ADirectoryMadeOpaqueWithinTheMountIsOpaque) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/OPQ d/x"}, {"ro+wh", "d/y"}});
  ASSERT_EQ(Unlink(stack, "/d/x"), "OK");
  ASSERT_EQ(Rmdir(stack, "/d"), "OK");
  ASSERT_EQ(Mkdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.List("/d"), "");
  stack.DropCaches();
  EXPECT_EQ(stack.List("/d"), "");
}

TEST(AufsSection2_5, APlainRoShowsNoMarks) {
  AufsStack stack({{"rw"}, {"ro", ".wh.x .wh..wh.aufs .wh..wh.plnk/ d/OPQ d/.wh.y d/z"}});
  EXPECT_EQ(stack.Merged(), "d/ d/z");
}

TEST(AufsSection2_5, TheEmptinessOfADirectoryCountsWhiteoutsOfAPlainRo) {
  AufsStack stack({{"rw"}, {"ro", "d/.wh.x"}, {"ro", "d/x"}});
  EXPECT_EQ(stack.List("/d"), "x");
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d");
}

TEST(AufsSection2_6, AWhiteoutOfSeveralBranchesIsShownOnce) {
  AufsStack stack({{"ro+wh", ".wh.f"}, {"ro+wh", ".wh.f .wh.g h"}, {"ro", "f g"}}, "ro,shwh");
  EXPECT_THAT(stack.List("/"), AnyOf("h .wh.f .wh.g", "h .wh.g .wh.f"));
}

TEST(AufsSection2_7, SearchNeedsEveryBranch) {
  AufsStack stack({{"rw", "d/:0755 d/a=A"}, {"ro+wh", "d/:0600"}});
  stack.process().set_credentials(UserCredentials(1000, 1000));
  EXPECT_EQ(stack.Lookup("/d/a"), "EACCES");
  EXPECT_EQ(stack.Read("/d/a"), "EACCES");

  AufsStack top_only({{"rw", "d/:0755 d/a=A"}, {"ro+wh", "d/:0600"}}, "dirperm1");
  top_only.process().set_credentials(UserCredentials(1000, 1000));
  EXPECT_EQ(top_only.Read("/d/a"), "A");
}

TEST(AufsSection2_7, WritingADirectoryAsksTheTopOneOnly) {
  AufsStack stack({{"rw", "d/:0777 e/:0755"}, {"ro+wh", "d/:0755 e/:0777"}});
  stack.process().set_credentials(UserCredentials(1000, 1000));
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  EXPECT_EQ(stack.Create("/e/f"), "EACCES");
}

TEST(AufsSection2_7, OfAFileTheTopOneIsAsked) {
  AufsStack stack({{"rw", "f=F:0644 g=G:0600"}, {"ro+wh", "f=L:0600 g=L:0644"}});
  stack.process().set_credentials(UserCredentials(1000, 1000));
  EXPECT_EQ(stack.Read("/f"), "F");
  EXPECT_EQ(stack.Read("/g"), "EACCES");
}

TEST(AufsSection2_7, WriteAccessNeedsAWritableBranchAtOrAbove) {
  constexpr unsigned kMayWriteIt = 2;  // W_OK
  AufsStack stack({{"ro", "f=F d/"}, {"rw", "g=G"}});
  EXPECT_EQ(Outcome(stack.process().CheckPath("/f", kMayWriteIt, LastLink::kKeep)), "EROFS");
  EXPECT_EQ(Outcome(stack.process().CheckPath("/d", kMayWriteIt, LastLink::kKeep)), "EROFS");
  EXPECT_EQ(Outcome(stack.process().CheckPath("/g", kMayWriteIt, LastLink::kKeep)), "OK");
  EXPECT_EQ(Outcome(stack.process().Open("/f", kWriteOnly, 0)), "EROFS");
  EXPECT_EQ(stack.WriteAt("/g", 0, "H"), "OK");
  EXPECT_EQ(stack.Content(1), "g=H");
}

}  // namespace
}  // namespace lamina
