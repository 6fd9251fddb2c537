// Rows AUFS-098 to AUFS-122 of the AUFS specification: what copies a file up, and what it keeps.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using sim::Fault;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kSectorBytes = 512;

std::string Close(AufsStack& stack, Process::Fd fd) { return Outcome(stack.process().Close(fd)); }

// "12.3": the name of the pseudo-link of a file of a branch.
std::string PseudoLinkOf(AufsStack& stack, std::string_view path) {
  return std::to_string(stack.Ino(path)) + "." + std::to_string(stack.BranchStat(0, path).ino);
}

// Empty files in /d.
std::string DrawingOfMany(int files) {
  std::string drawing;
  for (int index = 0; index < files; ++index) drawing += " d/f" + std::to_string(index);
  return drawing;
}

// An open for writing alone copies nothing.
TEST(AufsCopyUp, AUFS_098) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const std::string before = stack.Snapshot(0);
  const Process::Fd fd = stack.Open("/f", kReadWrite);
  EXPECT_EQ(stack.ReadFd(fd), "hello");
  EXPECT_EQ(Close(stack, fd), "OK");
  EXPECT_EQ(stack.Snapshot(0), before);
}

// The first write does; neither the number nor the times of the directory change.
TEST(AufsCopyUp, AUFS_099) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello d/f=hello"}});
  const std::uint64_t ino = stack.Ino("/f");
  const Stat root = stack.StatOf("/");
  const Stat directory = stack.StatOf("/d");
  const Process::Fd fd = stack.Open("/f", kWriteOnly);
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.WriteFd(fd, 0, "J"), "OK");
  EXPECT_EQ(stack.Content(0), "f=Jello");
  EXPECT_EQ(stack.BranchRead(1, "/f"), "hello");
  EXPECT_EQ(stack.Ino("/f"), ino);
  EXPECT_EQ(stack.StatOf("/").mtime, root.mtime);
  EXPECT_EQ(stack.BranchStat(0, "/").mtime, root.mtime);
  EXPECT_EQ(stack.WriteAt("/d/f", 0, "J"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/f=Jello f=Jello");
  EXPECT_EQ(stack.StatOf("/d").mtime, directory.mtime);
  EXPECT_EQ(stack.BranchStat(0, "/d").mtime, directory.mtime);
}

// O_TRUNC copies the file without its data, which is not even read.
TEST(AufsCopyUp, AUFS_100) {
  AufsStack stack({{"rw"}, {.mode = "ro+wh", .content = "f:0640", .faulty = true}}, "",
                  AufsMounting::kLater);
  ASSERT_EQ(Outcome(stack.OnBranch(1)->Truncate("/f", 1024 * kMiB)), "OK");
  stack.Mount();
  stack.plan().Add(Fault::On(sim::Op::kPread).AtBranch("b1").Fail(Errno::kIo));
  const Process::Fd fd = stack.Open("/f", {.access = Access::kWrite, .truncate = true});
  EXPECT_EQ(Close(stack, fd), "OK");
  EXPECT_EQ(stack.Content(0), "f");
  EXPECT_EQ(stack.BranchStat(0, "/f").mode, 0640);
  EXPECT_TRUE(stack.plan().fired().empty());
}

// truncate copies what is left, and no more.
TEST(AufsCopyUp, AUFS_101) {
  AufsStack stack({{.mode = "rw", .capacity_bytes = 64 * 1024}, {"ro+wh", "f=x*100 g=x*100"}});
  EXPECT_EQ(Outcome(stack.process().Truncate("/f", 10)), "OK");
  EXPECT_EQ(stack.BranchRead(0, "/f"), std::string(10, 'x'));
  EXPECT_EQ(Outcome(stack.process().Truncate("/g", 200)), "OK");
  EXPECT_EQ(stack.BranchRead(0, "/g"), std::string(100, 'x') + std::string(100, '\0'));
}

// A change of mode keeps everything else.
TEST(AufsCopyUp, AUFS_102) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=data:4755:7"}}, "", AufsMounting::kLater);
  stack.SetBranchTimes(1, "/f", kLongAgo);
  stack.Mount();
  EXPECT_EQ(stack.StatOf("/f").mode, 04755);
  EXPECT_EQ(Outcome(stack.process().Chmod("/f", 0700)), "OK");
  EXPECT_EQ(stack.Content(0), "f=data");
  EXPECT_EQ(stack.BranchStat(0, "/f").mode, 0700);
  EXPECT_EQ(stack.BranchStat(0, "/f").uid, 7U);
  EXPECT_EQ(stack.BranchStat(0, "/f").gid, 7U);
  EXPECT_EQ(stack.BranchStat(0, "/f").mtime, kLongAgo);
  EXPECT_EQ(stack.StatOf("/f").mtime, kLongAgo);
}

// fsync of a descriptor that may write.
TEST(AufsCopyUp, AUFS_103) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=F g=G h=H"}});
  Process::Fd fd = stack.Open("/g", kReadOnly);
  EXPECT_EQ(Outcome(stack.process().Fsync(fd, SyncMode::kAll)), "OK");
  EXPECT_EQ(Close(stack, fd), "OK");
  EXPECT_EQ(stack.Content(0), "");
  fd = stack.Open("/f", kReadWrite);
  EXPECT_EQ(Outcome(stack.process().Fsync(fd, SyncMode::kAll)), "OK");
  EXPECT_EQ(Close(stack, fd), "OK");
  EXPECT_EQ(stack.Content(0), "f=F");
  fd = stack.Open("/h", kWriteOnly);
  EXPECT_EQ(Outcome(stack.process().Fsync(fd, SyncMode::kData)), "OK");
  EXPECT_EQ(Close(stack, fd), "OK");
  EXPECT_EQ(stack.Content(0), "f=F h=H");
}

// A shared mapping of a descriptor that may write, even one that is only read.
TEST(AufsCopyUp, AUFS_104) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=F g=G h=H"}});
  const Process::Fd g = stack.Open("/g", kReadWrite);
  EXPECT_EQ(Outcome(stack.process().Mmap(g, 1, MapSharing::kPrivate, true)), "OK");
  const Process::Fd h = stack.Open("/h", kReadOnly);
  EXPECT_EQ(Outcome(stack.process().Mmap(h, 1, MapSharing::kShared, false)), "OK");
  EXPECT_EQ(stack.Content(0), "");
  const Process::Fd f = stack.Open("/f", kReadWrite);
  EXPECT_EQ(stack.Content(0), "");
  Result<Mapping> mapping = stack.process().Mmap(f, 1, MapSharing::kShared, false);
  ASSERT_EQ(Outcome(mapping), "OK");
  EXPECT_EQ(stack.Content(0), "f=F");
  EXPECT_EQ(stack.ReadMapped(*mapping, 1), "F");
}

// A directory is copied up without what it holds.
TEST(AufsCopyUp, AUFS_105) {
  AufsStack stack({{"rw"}, {"ro+wh", DrawingOfMany(1000)}});
  EXPECT_EQ(Outcome(stack.process().Chmod("/d", 0711)), "OK");
  EXPECT_EQ(stack.Content(0), "d/");
  EXPECT_EQ(stack.BranchStat(0, "/d").mode, 0711);
  Result<std::vector<ProcessEntry>> entries = stack.process().ListDirectory("/d");
  ASSERT_EQ(Outcome(entries), "OK");
  EXPECT_EQ(entries->size(), 1000U);
}

// A symlink, not its target.
TEST(AufsCopyUp, AUFS_106) {
  AufsStack stack({{"rw"}, {"ro+wh", "s>t t=T"}});
  EXPECT_EQ(Outcome(stack.process().Chown("/s", 5, 6, LastLink::kKeep)), "OK");
  EXPECT_EQ(stack.Content(0), "s>t");
  EXPECT_EQ(stack.BranchStat(0, "/s").uid, 5U);
  EXPECT_EQ(stack.BranchStat(0, "/s").gid, 6U);
  EXPECT_EQ(stack.StatOf("/t").uid, 0U);
}

// An xattr that the branch cannot keep fails the copy, unless icex says otherwise.
TEST(AufsCopyUp, AUFS_107) {
  AufsStack stack({{.mode = "rw", .xattrs = false}, {"ro+wh", "f=hello"}}, "",
                  AufsMounting::kLater);
  Result<void> set =
      stack.OnBranch(1)->Setxattr("/f", "user.x", "v", XattrMode::kSet, LastLink::kKeep);
  ASSERT_EQ(Outcome(set), "OK");
  stack.Mount();
  EXPECT_EQ(stack.WriteAt("/f", 0, "J"), "EOPNOTSUPP");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Read("/f"), "hello");

  ASSERT_EQ(Outcome(stack.TryMount("br:/b0=rw+icexusr:/b1=ro+wh")), "OK");
  EXPECT_EQ(stack.WriteAt("/f", 0, "J"), "OK");
  EXPECT_EQ(stack.Content(0), "f=Jello");
  EXPECT_EQ(Outcome(stack.process().Getxattr("/f", "user.x", LastLink::kKeep)), "EOPNOTSUPP");
}

// Blocks of zeros become holes.
TEST(AufsCopyUp, AUFS_108) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=~*1048576"}});
  ASSERT_EQ(stack.BranchStat(1, "/f").allocated_sectors, kMiB / kSectorBytes);
  EXPECT_EQ(stack.Touch("/f"), "OK");
  EXPECT_EQ(stack.Content(0), "f=~*1048576");
  EXPECT_EQ(stack.BranchStat(0, "/f").size_bytes, kMiB);
  EXPECT_EQ(stack.BranchStat(0, "/f").allocated_sectors, 0U);
}

// No space in the middle: the write fails, and nothing is left behind.
TEST(AufsCopyUp, AUFS_109) {
  AufsStack small({{.mode = "rw", .capacity_bytes = 64 * 1024}, {"ro+wh", "f=x*1048576"}});
  const std::uint64_t free_bytes = small.SpaceOf(0).free_bytes;
  EXPECT_EQ(small.WriteAt("/f", 0, "J"), "ENOSPC");
  EXPECT_EQ(small.Content(0), "");
  EXPECT_EQ(small.SpaceOf(0).free_bytes, free_bytes);
  EXPECT_EQ(small.Read("/f"), std::string(kMiB, 'x'));

  AufsStack stack({{.mode = "rw", .faulty = true}, {"ro+wh", "f=x*1048576"}});
  stack.plan().Add(
      Fault::On(sim::Op::kPwrite).AtBranch("b0").After(8).Times(1).Fail(Errno::kNoSpc));
  EXPECT_EQ(stack.WriteAt("/f", 0, "J"), "ENOSPC");
  EXPECT_EQ(stack.plan().fired().size(), 1U);
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Read("/f"), std::string(kMiB, 'x'));
  EXPECT_EQ(stack.WriteAt("/f", 0, "J"), "OK");
  EXPECT_EQ(stack.Read("/f"), "J" + std::string(kMiB - 1, 'x'));
}

// Both names of a lower file show what was written through one of them.
TEST(AufsCopyUp, AUFS_110) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=1 b@a"}});
  const std::uint64_t ino = stack.Ino("/a");
  EXPECT_EQ(stack.Append("/a", "2"), "OK");
  EXPECT_EQ(stack.Content(0), "a=12");
  const std::string pseudo_link = PseudoLinkOf(stack, "/a");
  EXPECT_EQ(stack.PseudoLinks(0), pseudo_link);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.plnk/" + pseudo_link).ino, stack.BranchStat(0, "/a").ino);
  EXPECT_EQ(stack.Ino("/a"), ino);
  EXPECT_EQ(stack.Ino("/b"), ino);
  EXPECT_EQ(stack.StatOf("/a").nlink, 2U);
  EXPECT_EQ(stack.StatOf("/b").nlink, 2U);
  EXPECT_EQ(stack.StatOf("/b").size_bytes, 2U);
  EXPECT_EQ(stack.Content(0), "a=12");
  EXPECT_EQ(stack.Read("/a"), "12");
  EXPECT_EQ(stack.Content(0), "a=12");
  EXPECT_EQ(stack.Read("/b"), "12");
  EXPECT_EQ(stack.Content(0), "a=12 b=12");
  EXPECT_EQ(stack.BranchStat(0, "/b").ino, stack.BranchStat(0, "/a").ino);
  EXPECT_EQ(stack.BranchStat(0, "/b").nlink, 3U);  // a, b, the pseudo-link
  EXPECT_EQ(stack.StatOf("/a").nlink, 2U);
  EXPECT_EQ(stack.BranchRead(1, "/a"), "1");
}

// Without pseudo-links they go apart, and say that they did not.
TEST(AufsCopyUp, AUFS_111) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=1 b@a"}}, "noplink");
  EXPECT_EQ(stack.Append("/a", "2"), "OK");
  EXPECT_EQ(stack.Read("/a"), "12");
  EXPECT_EQ(stack.Read("/b"), "1");
  EXPECT_EQ(stack.StatOf("/a").nlink, 2U);
  EXPECT_EQ(stack.StatOf("/b").nlink, 2U);
  EXPECT_EQ(stack.Ino("/a"), stack.Ino("/b"));
  EXPECT_EQ(stack.Content(0), "a=12");
}

// The other name survives the first.
TEST(AufsCopyUp, AUFS_112) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=1 b@a"}});
  ASSERT_EQ(stack.Append("/a", "2"), "OK");
  const std::string pseudo_link = PseudoLinkOf(stack, "/a");
  EXPECT_EQ(Outcome(stack.process().Unlink("/a")), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.a");
  EXPECT_EQ(stack.PseudoLinks(0), pseudo_link);
  EXPECT_EQ(stack.StatOf("/b").nlink, 1U);
  EXPECT_EQ(stack.StatOf("/b").size_bytes, 2U);
  EXPECT_EQ(stack.Read("/b"), "12");
  EXPECT_EQ(stack.Content(0), ".wh.a b=12");
  EXPECT_EQ(stack.StatOf("/b").nlink, 1U);
  EXPECT_EQ(stack.Lookup("/a"), "ENOENT");
}

// auplink flush makes the links real.
TEST(AufsCopyUp, AUFS_113) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=1 b@a"}});
  ASSERT_EQ(stack.Append("/a", "2"), "OK");
  EXPECT_EQ(Outcome(FlushPseudoLinks(stack.Op(), stack.fs())), "OK");
  EXPECT_EQ(stack.Content(0), "a=12 b=12");
  EXPECT_EQ(stack.PseudoLinks(0), "");
  EXPECT_EQ(stack.BranchStat(0, "/a").ino, stack.BranchStat(0, "/b").ino);
  EXPECT_EQ(stack.BranchStat(0, "/a").nlink, 2U);
  stack.Mount();
  EXPECT_EQ(stack.Ino("/a"), stack.Ino("/b"));
  EXPECT_EQ(stack.StatOf("/a").nlink, 2U);
  EXPECT_EQ(stack.Append("/b", "3"), "OK");
  EXPECT_EQ(stack.Read("/a"), "123");
}

// A descriptor opened before the copy-up reads the copy.
TEST(AufsCopyUp, AUFS_114) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const Process::Fd before = stack.Open("/f", kReadOnly);
  EXPECT_EQ(stack.ReadFd(before), "hello");
  const Process::Fd writer = stack.Open("/f", kReadWrite);
  EXPECT_EQ(stack.WriteFd(writer, 0, "X"), "OK");
  EXPECT_EQ(stack.ReadFd(before), "Xello");
  Result<Stat> first = stack.process().Fstat(before);
  Result<Stat> second = stack.process().Fstat(writer);
  ASSERT_EQ(Outcome(first), "OK");
  ASSERT_EQ(Outcome(second), "OK");
  EXPECT_EQ(first->ino, second->ino);
  EXPECT_EQ(first->ino, stack.Ino("/f"));
}

// A write to a file without a name.
TEST(AufsCopyUp, AUFS_115) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const Process::Fd fd = stack.Open("/f", kReadWrite);
  ASSERT_EQ(Outcome(stack.process().Unlink("/f")), "OK");
  EXPECT_EQ(stack.ReadFd(fd), "hello");
  EXPECT_EQ(stack.WriteFd(fd, 0, "J"), "OK");
  EXPECT_EQ(stack.ReadFd(fd), "Jello");
  EXPECT_EQ(stack.Content(0), ".wh.f");
  EXPECT_EQ(Close(stack, fd), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.f");
  EXPECT_EQ(stack.Orphans(0), "");
  EXPECT_EQ(stack.PseudoLinks(0), "");
}

// The same when its directory is gone, too: the copy is made among the orphans.
TEST(AufsCopyUp, AUFS_116) {
  AufsStack stack({{.mode = "rw", .faulty = true}, {"ro+wh", "d/f=hello"}});
  const Process::Fd fd = stack.Open("/d/f", kReadWrite);
  ASSERT_EQ(Outcome(stack.process().Unlink("/d/f")), "OK");
  ASSERT_EQ(Outcome(stack.process().Rmdir("/d")), "OK");
  stack.plan().Add(Fault::On(sim::Op::kCreate).Path("/b0/.wh..wh.orph/*").Delay(Duration{0}));
  stack.plan().Add(Fault::On(sim::Op::kTmpfile).Path("/b0/.wh..wh.orph").Delay(Duration{0}));
  EXPECT_EQ(stack.WriteFd(fd, 0, "J"), "OK");
  EXPECT_FALSE(stack.plan().fired().empty());
  EXPECT_EQ(stack.ReadFd(fd), "Jello");
  EXPECT_EQ(stack.Content(0), ".wh.d");
  EXPECT_EQ(Close(stack, fd), "OK");
  EXPECT_EQ(stack.Orphans(0), "");
  EXPECT_EQ(stack.Content(0), ".wh.d");
}

// coo_reg copies, moo moves a file up at any open.
TEST(AufsCopyUp, AUFS_117) {
  AufsStack copies({{"rw", "g=G"}, {"rw+coo_reg", "f=F g=L"}});
  EXPECT_EQ(Close(copies, copies.Open("/f", kReadOnly)), "OK");
  EXPECT_EQ(copies.Content(0), "f=F g=G");
  EXPECT_EQ(copies.Content(1), "f=F g=L");
  const std::string before = copies.Snapshot(0);
  EXPECT_EQ(Close(copies, copies.Open("/g", kReadOnly)), "OK");
  EXPECT_EQ(copies.Snapshot(0), before);

  AufsStack moves({{"rw"}, {"rw+moo", "f=F"}});
  EXPECT_EQ(Close(moves, moves.Open("/f", kReadOnly)), "OK");
  EXPECT_EQ(moves.Content(0), "f=F");
  EXPECT_EQ(moves.Content(1), "");
  EXPECT_EQ(moves.Read("/f"), "F");
}

// Without a writable branch above nothing happens.
TEST(AufsCopyUp, AUFS_118) {
  AufsStack stack({{"ro"}, {"ro+coo_reg", "f=F"}});
  const Process::Fd fd = stack.Open("/f", kReadOnly);
  EXPECT_EQ(stack.ReadFd(fd), "F");
  EXPECT_EQ(stack.Content(0), "");
}

// A private mapping stays on the old file.
TEST(AufsCopyUp, AUFS_119) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const Process::Fd fd = stack.Open("/f", kReadWrite);
  Result<Mapping> before = stack.process().Mmap(fd, 5, MapSharing::kPrivate, false);
  ASSERT_EQ(Outcome(before), "OK");
  EXPECT_EQ(stack.ReadMapped(*before, 5), "hello");
  EXPECT_EQ(stack.WriteFd(fd, 0, "J"), "OK");
  EXPECT_EQ(stack.ReadMapped(*before, 5), "hello");
  Result<Mapping> after = stack.process().Mmap(fd, 5, MapSharing::kPrivate, false);
  ASSERT_EQ(Outcome(after), "OK");
  EXPECT_EQ(stack.ReadMapped(*after, 5), "Jello");
}

// What a crash between the whiteout and the removal leaves.
TEST(AufsCopyUp, AUFS_120) {
  AufsStack stack({{"rw", ".wh.f f=F"}, {"ro+wh", "f=L"}});
  EXPECT_EQ(stack.Lookup("/f"), "EIO");
  stack.Unmount();
  ASSERT_EQ(Outcome(stack.OnBranch(0)->Unlink("/.wh.f")), "OK");
  stack.Mount();
  EXPECT_EQ(stack.Read("/f"), "F");

  AufsStack other({{"rw", ".wh.f f=F"}, {"ro+wh", "f=L"}});
  other.Unmount();
  ASSERT_EQ(Outcome(other.OnBranch(0)->Unlink("/f")), "OK");
  other.Mount();
  EXPECT_EQ(other.Lookup("/f"), "ENOENT");
}

// What a crash within a copy-up leaves.
TEST(AufsCopyUp, AUFS_121) {
  AufsStack stack({{"rw", ".wh..wh.f.0001=he"}, {"ro+wh", "f=hello"}});
  EXPECT_EQ(stack.Merged(), "f=hello");
  EXPECT_EQ(stack.Lookup("/.wh..wh.f.0001"), "EPERM");
  EXPECT_EQ(stack.WriteAt("/f", 0, "J"), "OK");
  EXPECT_EQ(stack.Merged(), "f=Jello");
}

// O_DIRECT is for mounts with dio. (Process has no such flag: only the option is asked here.)
TEST(AufsCopyUp, AUFS_122) {
  AufsStack stack({{"rw", "own=O"}, {"ro+wh", "f=F"}});
  const OpenHow direct{.access = Access::kReadWrite, .direct = true};
  EXPECT_EQ(Outcome(stack.process().Open("/f", direct, 0)), "EINVAL");
  EXPECT_EQ(Outcome(stack.process().Open("/own", direct, 0)), "EINVAL");
  EXPECT_FALSE(AufsOptionsOf(stack.fs()).dio);
  ASSERT_EQ(Outcome(stack.TryMount(stack.MountText() + ",dio")), "OK");
  EXPECT_TRUE(AufsOptionsOf(stack.fs()).dio);
  EXPECT_EQ(stack.ReadFd(stack.Open("/f", direct)), "F");
}

}  // namespace
}  // namespace lamina
