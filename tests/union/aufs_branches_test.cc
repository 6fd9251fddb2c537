// Rows AUFS-001 to AUFS-024 of the AUFS specification: branches, permissions, remounts.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

constexpr std::string_view kAllBaseEntries = ".wh..wh.aufs .wh..wh.orph/ .wh..wh.plnk/";

// Adds `count` empty directories and says how to append /n`first` and those that follow.
std::string AppendMany(AufsStack& stack, int first, int count) {
  std::string text;
  for (int index = first; index < first + count; ++index) {
    stack.AddDirectory({});
    text += (text.empty() ? "" : ",") + std::string("append:/n") + std::to_string(index);
  }
  return text;
}

// Without permissions the first branch is rw and the others are ro.
TEST(AufsBranches, AUFS_001) {
  AufsStack stack({{""}, {""}, {""}});
  EXPECT_EQ(stack.MountText(), "br:/b0:/b1:/b2");
  EXPECT_EQ(stack.Modes(), "rw ro ro");
  EXPECT_EQ(stack.BranchNames(), "b0 b1 b2");
}

// ro above rw mounts, but nothing can be made where the directory is on the ro one.
TEST(AufsBranches, AUFS_002) {
  AufsStack stack({{"ro"}, {"rw"}});
  EXPECT_EQ(stack.Modes(), "ro rw");
  EXPECT_EQ(stack.Create("/x"), "EROFS");
  EXPECT_EQ(Outcome(stack.process().Mkdir("/x", 0755)), "EROFS");
  EXPECT_EQ(stack.Lookup("/x"), "ENOENT");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Content(1), "");
}

// An unknown permission is ro.
TEST(AufsBranches, AUFS_003) {
  AufsStack stack({{""}, {"zz", "f"}});
  EXPECT_EQ(stack.MountText(), "br:/b0:/b1=zz");
  EXPECT_EQ(stack.Modes(), "rw ro");
}

// An unknown attribute ends the reading of its branch's attributes; those before it are kept.
TEST(AufsBranches, AUFS_004) {
  AufsStack stack({{"rw+zz+coo_reg"}, {"ro+wh+zz+icex"}});
  EXPECT_EQ(stack.Modes(), "rw ro+wh");
  EXPECT_EQ(AufsModeOf(stack.fs(), 0).on_open, AufsOnOpen::kNothing);
  EXPECT_EQ(AufsModeOf(stack.fs(), 1).icex, 0);
}

// Attributes that do not go with the permission are dropped without an error.
TEST(AufsBranches, AUFS_005) {
  AufsStack stack({{"rw+wh"}, {"ro+moo+nolwh"}});
  EXPECT_EQ(stack.Modes(), "rw ro");
  EXPECT_EQ(AufsModeOf(stack.fs(), 1), AufsMode{});
}

// Of coo_reg, coo_all and moo the last holds.
TEST(AufsBranches, AUFS_006) {
  AufsStack stack({{"rw+coo_reg+coo_all+moo"}});
  EXPECT_EQ(AufsModeOf(stack.fs(), 0).on_open, AufsOnOpen::kMove);
  EXPECT_EQ(stack.Modes(), "rw+moo");
}

// A branch twice: EINVAL at mount, nothing at remount.
TEST(AufsBranches, AUFS_007) {
  AufsStack stack({{""}, {""}}, "", AufsMounting::kLater);
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0:/b1:/b0")), "EINVAL");
  stack.Mount();
  EXPECT_EQ(stack.Remount("append:/b0"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0 b1");
  EXPECT_EQ(stack.Modes(), "rw ro");
}

// The index of add goes from 0 to the number of branches.
TEST(AufsBranches, AUFS_008) {
  AufsStack stack({{""}, {""}});
  stack.AddDirectory({"", "f=N"});
  EXPECT_EQ(stack.Remount("add:3:/n0"), "EDOM");
  EXPECT_EQ(stack.Remount("add:-1:/n0"), "EDOM");
  EXPECT_EQ(stack.BranchNames(), "b0 b1");
  EXPECT_EQ(stack.Remount("add:2:/n0"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0 b1 n0");
  EXPECT_EQ(stack.Read("/f"), "N");
}

// 127 branches are the most.
TEST(AufsBranches, AUFS_009) {
  AufsStack stack({{"rw"}});
  ASSERT_EQ(stack.Remount(AppendMany(stack, 0, 42)), "OK");
  ASSERT_EQ(stack.Remount(AppendMany(stack, 42, 42)), "OK");
  ASSERT_EQ(stack.Remount(AppendMany(stack, 84, 42)), "OK");
  ASSERT_EQ(stack.fs().branches().size(), 127U);
  EXPECT_EQ(stack.Remount(AppendMany(stack, 126, 1)), "ENOSPC");
  EXPECT_EQ(stack.fs().branches().size(), 127U);
}

// A branch inside another one, whichever comes first.
TEST(AufsBranches, AUFS_010) {
  AufsStack stack({{"rw", "y/"}}, "", AufsMounting::kLater);
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0:/b0/y")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0/y:/b0")), "EINVAL");
}

// rw on a read-only file system.
TEST(AufsBranches, AUFS_011) {
  AufsStack stack({{.mode = "rw", .read_only = true}, {"ro"}}, "", AufsMounting::kLater);
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0=rw:/b1=ro")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount("br:/b0=ro:/b1=ro")), "OK");
}

// prepend without a permission is rw, append is ro.
TEST(AufsBranches, AUFS_012) {
  AufsStack stack({{"rw"}, {"ro"}});
  stack.AddDirectory({});
  stack.AddDirectory({});
  EXPECT_EQ(stack.Remount("prepend:/n0"), "OK");
  EXPECT_EQ(stack.Remount("append:/n1"), "OK");
  EXPECT_EQ(stack.BranchNames(), "n0 b0 b1 n1");
  EXPECT_EQ(stack.Modes(), "rw rw ro ro");
}

// What a mount makes in a writable branch.
TEST(AufsBranches, AUFS_013) {
  AufsStack stack({{"rw"}, {"ro+wh"}});
  EXPECT_EQ(stack.BaseEntries(0), kAllBaseEntries);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").type, FileType::kRegular);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").mode, 0444);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").nlink, 1U);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.plnk").mode, 0700);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.orph").mode, 0700);
  EXPECT_EQ(stack.PseudoLinks(0), "");
  EXPECT_EQ(stack.Orphans(0), "");
  EXPECT_EQ(stack.BaseEntries(1), "");
  EXPECT_EQ(stack.List("/"), "");
}

// With nolwh there is no base whiteout, and each whiteout is a file of its own.
TEST(AufsBranches, AUFS_014) {
  AufsStack stack({{"rw+nolwh", ".wh..wh.aufs"}, {"ro+wh", "f g"}});
  EXPECT_EQ(stack.BaseEntries(0), ".wh..wh.orph/ .wh..wh.plnk/");
  EXPECT_EQ(Outcome(stack.process().Unlink("/f")), "OK");
  EXPECT_EQ(Outcome(stack.process().Unlink("/g")), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.f .wh.g");
  EXPECT_NE(stack.BranchStat(0, "/.wh.f").ino, stack.BranchStat(0, "/.wh.g").ino);
  EXPECT_EQ(stack.BranchStat(0, "/.wh.f").nlink, 1U);
  EXPECT_EQ(stack.BranchStat(0, "/.wh.g").nlink, 1U);
  EXPECT_EQ(stack.BaseEntries(0), ".wh..wh.orph/ .wh..wh.plnk/");
}

// With noplink there is no directory for pseudo-links.
TEST(AufsBranches, AUFS_015) {
  AufsStack stack({{"rw"}}, "noplink");
  EXPECT_EQ(stack.BaseEntries(0), ".wh..wh.aufs .wh..wh.orph/");
}

// The last branch stays.
TEST(AufsBranches, AUFS_016) {
  AufsStack stack({{"rw"}});
  EXPECT_EQ(stack.Remount("del:/b0"), "EBUSY");
  EXPECT_EQ(stack.BranchNames(), "b0");
  EXPECT_EQ(stack.Create("/f"), "OK");
}

// An open file keeps its branch, until it is closed and forgotten.
TEST(AufsBranches, AUFS_017) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=F d/ g"}});
  const Process::Fd fd = stack.Open("/f", kReadOnly);
  EXPECT_EQ(stack.Remount("del:/b1"), "EBUSY");
  EXPECT_EQ(stack.BranchNames(), "b0 b1");
  EXPECT_EQ(stack.ReadFd(fd), "F");
  ASSERT_EQ(Outcome(stack.process().Close(fd)), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Remount("del:/b1"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
  EXPECT_EQ(stack.Content(1), "d/ f=F g");
}

// A working directory keeps a branch that is the only one to hold it.
TEST(AufsBranches, AUFS_018) {
  AufsStack both({{"rw", "d/x"}, {"ro+wh", "d/y"}});
  ASSERT_EQ(Outcome(both.process().Chdir("/d")), "OK");
  EXPECT_EQ(both.Remount("del:/b1"), "OK");
  EXPECT_EQ(both.BranchNames(), "b0");
  EXPECT_EQ(both.List("."), "x");

  AufsStack one({{"rw"}, {"ro+wh", "d/y"}});
  ASSERT_EQ(Outcome(one.process().Chdir("/d")), "OK");
  EXPECT_EQ(one.Remount("del:/b1"), "EBUSY");
  EXPECT_EQ(one.BranchNames(), "b0 b1");
  EXPECT_EQ(one.List("."), "y");
}

// An open directory keeps its branches, the root does not.
TEST(AufsBranches, AUFS_019) {
  AufsStack stack({{"rw", "d/x"}, {"ro+wh", "d/y r"}});
  const Process::Fd d = stack.Open("/d", kDirectory);
  EXPECT_EQ(stack.Remount("del:/b1"), "EBUSY");
  EXPECT_EQ(stack.BranchNames(), "b0 b1");
  ASSERT_EQ(Outcome(stack.process().Close(d)), "OK");
  stack.DropCaches();

  const Process::Fd root = stack.Open("/", kDirectory);
  EXPECT_EQ(stack.Remount("del:/b1"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0");
  Result<std::vector<ProcessEntry>> entries = stack.process().ReadEntries(root, 10);
  ASSERT_EQ(Outcome(entries), "OK");
  ASSERT_EQ(entries->size(), 3U);  // ".", "..", "d"
  EXPECT_EQ(entries->back().name, "d");
}

// Removing what is no branch is no error.
TEST(AufsBranches, AUFS_020) {
  AufsStack stack({{"rw"}, {"ro"}});
  stack.AddDirectory({"", "f"});
  EXPECT_EQ(stack.Remount("del:/n0"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0 b1");
  EXPECT_EQ(stack.Modes(), "rw ro");
}

// The base entries go with the permission to write, and come back with it.
TEST(AufsBranches, AUFS_021) {
  AufsStack stack({{"rw", "f"}, {"ro+wh", "g"}});
  EXPECT_EQ(stack.Remount("mod:/b0=ro"), "OK");
  EXPECT_EQ(stack.Modes(), "ro ro+wh");
  EXPECT_EQ(stack.BaseEntries(0), "");
  EXPECT_EQ(stack.Content(0), "f");
  EXPECT_EQ(stack.Create("/x"), "EROFS");
  EXPECT_EQ(stack.Remount("mod:/b0=rw"), "OK");
  EXPECT_EQ(stack.Modes(), "rw ro+wh");
  EXPECT_EQ(stack.BaseEntries(0), kAllBaseEntries);
  EXPECT_EQ(stack.Create("/x"), "OK");
  EXPECT_EQ(stack.Content(0), "f x");
}

// A mapping of any file keeps every branch rw, also one of a file on another branch.
TEST(AufsBranches, AUFS_022) {
  AufsStack stack({{"rw", "f=F"}, {"ro+wh", "g=G"}});
  const Process::Fd fd = stack.Open("/g", kReadOnly);
  Result<Mapping> mapping = stack.process().Mmap(fd, 1, MapSharing::kPrivate, false);
  ASSERT_EQ(Outcome(mapping), "OK");
  ASSERT_EQ(Outcome(stack.process().Close(fd)), "OK");
  EXPECT_EQ(stack.Remount("mod:/b0=ro"), "EBUSY");
  EXPECT_EQ(stack.Modes(), "rw ro+wh");
  EXPECT_EQ(stack.BaseEntries(0), kAllBaseEntries);
  EXPECT_EQ(stack.ReadMapped(*mapping, 1), "G");
  ASSERT_EQ(Outcome(stack.process().Munmap(*mapping)), "OK");
  EXPECT_EQ(stack.Remount("mod:/b0=ro"), "OK");
}

// A file that is open for writing on a branch that becomes ro is copied up by its next write.
TEST(AufsBranches, AUFS_023) {
  AufsStack stack({{"rw", "f=hello"}, {"rw", ""}});
  stack.AddDirectory({});
  const Process::Fd fd = stack.Open("/f", kWriteOnly);
  EXPECT_EQ(stack.Remount("prepend:/n0,mod:/b0=ro"), "OK");
  EXPECT_EQ(stack.BranchNames(), "n0 b0 b1");
  EXPECT_EQ(stack.Modes(), "rw ro rw");
  EXPECT_EQ(stack.Content("n0"), "");
  EXPECT_EQ(stack.WriteFd(fd, 0, "J"), "OK");
  EXPECT_EQ(stack.Content("n0"), "f=Jello");
  EXPECT_EQ(stack.Content(0), "f=hello");
  EXPECT_EQ(stack.Content(1), "");
  EXPECT_EQ(stack.Read("/f"), "Jello");
}

// The base entries of a removed branch stay on its disk and out of sight.
TEST(AufsBranches, AUFS_024) {
  AufsStack stack({{"rw", "a"}, {"rw", "f"}});
  EXPECT_EQ(stack.Remount("del:/b1"), "OK");
  EXPECT_EQ(stack.BaseEntries(1), kAllBaseEntries);
  EXPECT_EQ(stack.Remount("append:/b1=ro"), "OK");
  EXPECT_EQ(stack.Modes(), "rw ro");
  EXPECT_EQ(stack.BaseEntries(1), kAllBaseEntries);
  EXPECT_EQ(stack.List("/"), "a f");
  EXPECT_EQ(stack.Lookup("/.wh..wh.aufs"), "EPERM");
  EXPECT_EQ(stack.Lookup("/.wh..wh.plnk"), "EPERM");
}

}  // namespace
}  // namespace lamina
