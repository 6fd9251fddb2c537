// Rows AUFS-044 to AUFS-069 of the AUFS specification: names made and removed.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using sim::Fault;
using testing::AnyOf;

std::string Unlink(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Unlink(path));
}
std::string Rmdir(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Rmdir(path));
}
std::string Mkdir(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Mkdir(path, 0755));
}

// The directories above a new file are copied up with their attributes and without a mark.
TEST(AufsNames, AUFS_044) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/e/:0711:5 d/e/other"}}, "", AufsMounting::kLater);
  stack.SetBranchTimes(1, "/d/e", kLongAgo);
  stack.SetBranchTimes(1, "/d", kLongAgo);
  stack.Mount();
  EXPECT_EQ(stack.Create("/d/e/f"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/e/ d/e/f");
  EXPECT_EQ(stack.BranchStat(0, "/d").mtime, kLongAgo);
  EXPECT_EQ(stack.StatOf("/d").mtime, kLongAgo);
  EXPECT_EQ(stack.BranchStat(0, "/d").mode, 0755);
  EXPECT_EQ(stack.BranchStat(0, "/d/e").mode, 0711);
  EXPECT_EQ(stack.BranchStat(0, "/d/e").uid, 5U);
  EXPECT_EQ(stack.BranchStat(0, "/d/e").gid, 5U);
  EXPECT_GT(stack.StatOf("/d/e").mtime, kLongAgo);  // it holds a new name
  EXPECT_EQ(stack.List("/d/e"), "f other");
}

// A file made over a whiteout takes its place, and is another file than the hidden one.
TEST(AufsNames, AUFS_045) {
  AufsStack stack({{"rw", ".wh.f"}, {"ro+wh", "f=old"}});
  EXPECT_EQ(stack.Create("/f"), "OK");
  EXPECT_EQ(stack.Content(0), "f");
  EXPECT_EQ(stack.Read("/f"), "");

  AufsStack seen({{"rw"}, {"ro+wh", "f=old"}});
  const std::uint64_t before = seen.Ino("/f");
  const Process::Fd fd = seen.Open("/f", kReadOnly);  // or the number is free for the new one
  ASSERT_EQ(Unlink(seen, "/f"), "OK");
  EXPECT_EQ(seen.Create("/f"), "OK");
  EXPECT_EQ(seen.Content(0), "f");
  EXPECT_NE(seen.Ino("/f"), before);
  EXPECT_EQ(seen.ReadFd(fd), "old");
}

// A directory made over a whiteout is opaque.
TEST(AufsNames, AUFS_046) {
  AufsStack stack({{"rw", ".wh.d"}, {"ro+wh", "d/x"}});
  EXPECT_EQ(Mkdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/OPQ");
  EXPECT_EQ(stack.List("/d"), "");
  EXPECT_EQ(stack.Lookup("/d/x"), "ENOENT");
}

// One made over nothing is not, unless diropq=always.
TEST(AufsNames, AUFS_047) {
  AufsStack stack({{"rw"}, {"ro+wh"}}, "diropq=w");
  EXPECT_EQ(Mkdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), "d/");

  AufsStack always({{"rw"}, {"ro+wh"}}, "diropq=always");
  EXPECT_EQ(Mkdir(always, "/d"), "OK");
  EXPECT_EQ(always.Content(0), "d/ d/OPQ");
}

// A directory that is nowhere else leaves no trace.
TEST(AufsNames, AUFS_048) {
  AufsStack stack({{"rw", "d/"}, {"ro+wh"}});
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(Mkdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), "d/");
}

// A whiteout of another branch hides already: no mark.
TEST(AufsNames, AUFS_049) {
  AufsStack stack({{"rw"}, {"ro+wh", ".wh.d"}, {"ro+wh", "d/x"}});
  EXPECT_EQ(Mkdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), "d/");
  EXPECT_EQ(stack.List("/d"), "");
  EXPECT_EQ(stack.Lookup("/d/x"), "ENOENT");
}

// A file of the top branch only is really removed.
TEST(AufsNames, AUFS_050) {
  AufsStack stack({{"rw", "f"}, {"ro+wh"}});
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").nlink, 1U);
}

// One that is below, too, leaves a whiteout.
TEST(AufsNames, AUFS_051) {
  AufsStack stack({{"rw", "f=A"}, {"ro+wh", "f=B"}});
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.f");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
  EXPECT_EQ(stack.List("/"), "");
}

// One that is below only: the directory is copied up for the whiteout.
TEST(AufsNames, AUFS_052) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/f"}});
  EXPECT_EQ(Unlink(stack, "/d/f"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/.wh.f");
  EXPECT_EQ(stack.List("/d"), "");
}

// A whiteout between hides what would reappear.
TEST(AufsNames, AUFS_053) {
  AufsStack stack({{"rw", "f"}, {"ro+wh", ".wh.f"}, {"ro+wh", "f"}});
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
}

// On a plain ro it does not.
TEST(AufsNames, AUFS_054) {
  AufsStack stack({{"rw", "f"}, {"ro", ".wh.f"}, {"ro+wh", "f"}});
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.f");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
}

// What would reappear may be of another type.
TEST(AufsNames, AUFS_055) {
  AufsStack stack({{"rw", "f"}, {"ro+wh", "f/x"}});
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.f");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
}

// Whiteouts and marks are links of one file.
TEST(AufsNames, AUFS_056) {
  AufsStack stack({{"rw", "f"}, {"ro+wh", "f d/f e/x"}});
  ASSERT_EQ(Unlink(stack, "/f"), "OK");
  ASSERT_EQ(Unlink(stack, "/d/f"), "OK");
  const std::uint64_t base = stack.BranchStat(0, "/.wh..wh.aufs").ino;
  EXPECT_EQ(stack.BranchStat(0, "/.wh.f").ino, base);
  EXPECT_EQ(stack.BranchStat(0, "/d/.wh.f").ino, base);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").nlink, 3U);

  ASSERT_EQ(Unlink(stack, "/e/x"), "OK");
  ASSERT_EQ(Rmdir(stack, "/e"), "OK");
  ASSERT_EQ(Mkdir(stack, "/e"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.f d/ d/.wh.f e/ e/OPQ");
  EXPECT_EQ(stack.BranchStat(0, "/e/.wh..wh..opq").ino, base);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").nlink, 4U);
}

// The wrong call for the type, also without the checks of the system-call layer.
TEST(AufsNames, AUFS_057) {
  AufsStack stack({{"rw", "d/ f"}, {"ro+wh", "e/ g"}});
  EXPECT_EQ(Unlink(stack, "/d"), "EISDIR");
  EXPECT_EQ(Unlink(stack, "/e"), "EISDIR");
  EXPECT_EQ(Rmdir(stack, "/f"), "ENOTDIR");
  EXPECT_EQ(Rmdir(stack, "/g"), "ENOTDIR");
  const NodeId root = stack.fs().root();
  const auto remove = [&](std::string_view name, FileType expected) {
    return Outcome(stack.fs().Remove(stack.Op(), {root, name}, expected));
  };
  EXPECT_EQ(remove("d", FileType::kRegular), "EISDIR");
  EXPECT_EQ(remove("e", FileType::kRegular), "EISDIR");
  EXPECT_EQ(remove("f", FileType::kDirectory), "ENOTDIR");
  EXPECT_EQ(remove("g", FileType::kDirectory), "ENOTDIR");
  EXPECT_EQ(stack.Content(0), "d/ f");
}

TEST(AufsNames, AUFS_058) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/x"}});
  const std::string before = stack.Snapshot(0);
  EXPECT_EQ(Rmdir(stack, "/d"), "ENOTEMPTY");
  EXPECT_EQ(stack.Snapshot(0), before);
}

// Whiteouts are no content.
TEST(AufsNames, AUFS_059) {
  AufsStack stack({{"rw", "d/.wh.x"}, {"ro+wh", "d/x"}});
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d");
}

TEST(AufsNames, AUFS_060) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/"}});
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d");
  EXPECT_EQ(stack.Lookup("/d"), "ENOENT");
}

// Nor is an opaque mark.
TEST(AufsNames, AUFS_061) {
  AufsStack stack({{"rw", "d/OPQ"}, {"ro+wh", "d/x"}});
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d");
}

// As many whiteouts as dirwh says are removed at once.
TEST(AufsNames, AUFS_062) {
  AufsStack stack({{"rw", "d/.wh.1 d/.wh.2 d/.wh.3"}, {"ro+wh", "d/1 d/2 d/3"}}, "dirwh=3");
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d");
}

// More of them later; nobody sees it.
TEST(AufsNames, AUFS_063) {
  AufsStack stack({{"rw", "d/.wh.1 d/.wh.2 d/.wh.3 d/.wh.4"}, {"ro+wh", "d/1 d/2 d/3 d/4"}},
                  "dirwh=3");
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  const std::string temporary = ".wh..wh.d.HHHH/";
  EXPECT_EQ(stack.Content(0), temporary + " " + temporary + ".wh.1 " + temporary + ".wh.2 " +
                                  temporary + ".wh.3 " + temporary + ".wh.4 .wh.d");
  EXPECT_EQ(stack.Merged(), "");
  EXPECT_TRUE(stack.fs().NextDeadline().has_value());
  stack.RunDeferred();
  EXPECT_EQ(stack.Content(0), ".wh.d");
  EXPECT_EQ(stack.Merged(), "");
  EXPECT_FALSE(stack.fs().NextDeadline().has_value());
}

// dirwh 0 and 1: always later.
void ExpectAlwaysDeferred(std::string_view option) {
  SCOPED_TRACE(option);
  AufsStack stack({{"rw", "d/ e/"}, {"ro+wh", "e/"}}, option);
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh..wh.d.HHHH/ e/");
  EXPECT_EQ(Rmdir(stack, "/e"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh..wh.d.HHHH/ .wh..wh.e.HHHH/ .wh.e");
  EXPECT_EQ(stack.Merged(), "");
  stack.RunDeferred();
  EXPECT_EQ(stack.Content(0), ".wh.e");
}

TEST(AufsNames, AUFS_064) {
  ExpectAlwaysDeferred("dirwh=0");
  ExpectAlwaysDeferred("dirwh=1");
}

// A whiteout that a file replaced comes back with the file's end.
TEST(AufsNames, AUFS_065) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/"}});
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d");
  EXPECT_EQ(stack.Create("/d"), "OK");
  EXPECT_EQ(stack.Content(0), "d");
  EXPECT_EQ(Unlink(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d");
  EXPECT_EQ(stack.Lookup("/d"), "ENOENT");
}

// rm -rf d && mkdir d && touch d/y
TEST(AufsNames, AUFS_066) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/x"}});
  EXPECT_EQ(Unlink(stack, "/d/x"), "OK");
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(Mkdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Create("/d/y"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/OPQ d/y");
  EXPECT_EQ(stack.List("/d"), "y");
}

// No writable branch at all.
TEST(AufsNames, AUFS_067) {
  AufsStack stack({{"ro", "f=F d/ e/"}, {"ro+wh", "g=G"}});
  EXPECT_EQ(stack.Create("/x"), "EROFS");
  EXPECT_EQ(Unlink(stack, "/f"), "EROFS");
  EXPECT_EQ(Unlink(stack, "/g"), "EROFS");
  EXPECT_EQ(Rmdir(stack, "/e"), "EROFS");
  EXPECT_EQ(Mkdir(stack, "/x"), "EROFS");
  EXPECT_EQ(Outcome(stack.process().Open("/f", kWriteOnly, 0)), "EROFS");
  EXPECT_EQ(Outcome(stack.process().Open("/g", kReadWrite, 0)), "EROFS");
  EXPECT_EQ(stack.Merged(), "d/ e/ f=F g=G");
}

// A whiteout that cannot be made: nothing has happened.
TEST(AufsNames, AUFS_068) {
  AufsStack stack({{.mode = "rw", .faulty = true}, {"ro+wh", "f=F d/g=G"}});
  stack.plan().Add(Fault::On(sim::Op::kAnyChange).Path("/b0/.wh.f").Fail(Errno::kNoSpc));
  stack.plan().Add(Fault::On(sim::Op::kAnyChange).Path("/b0/d/.wh.g").Fail(Errno::kNoSpc));
  const std::string before = stack.Snapshot(0);
  EXPECT_EQ(Unlink(stack, "/f"), "ENOSPC");
  EXPECT_EQ(stack.Snapshot(0), before);
  EXPECT_EQ(stack.Read("/f"), "F");
  EXPECT_EQ(Unlink(stack, "/d/g"), "ENOSPC");
  EXPECT_THAT(stack.Content(0), AnyOf("", "d/"));
  EXPECT_EQ(stack.Merged(), "d/ d/g=G f=F");
}

// Other types take the place of a whiteout, too.
TEST(AufsNames, AUFS_069) {
  AufsStack stack(
      {{"rw", ".wh.link .wh.pipe .wh.device .wh.file"}, {"ro+wh", "link pipe device file/x"}});
  Process& process = stack.process();
  EXPECT_EQ(Outcome(process.Symlink("target", "/link")), "OK");
  EXPECT_EQ(Outcome(process.Mknod("/pipe", FileType::kFifo, 0644, 0)), "OK");
  EXPECT_EQ(Outcome(process.Mknod("/device", FileType::kCharDevice, 0644, MakeDevice(1, 3))), "OK");
  EXPECT_EQ(Outcome(process.Mknod("/file", FileType::kRegular, 0644, 0)), "OK");
  EXPECT_EQ(stack.Content(0), "device!c file link>target pipe!p");
  EXPECT_EQ(stack.Merged(), "device!c file link>target pipe!p");
}

}  // namespace
}  // namespace lamina
