// Faults that random calls have found (tests/model/aufs_model_test.cc), each as a test.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

// A copy between two writable branches keeps the count of the branch it came from.
TEST(AufsRegression, ACopyBetweenWritableBranchesKeepsTheLinkCount) {
  AufsStack stack({{"rw", "d/"}, {"rw", "c/"}});
  ASSERT_EQ(stack.Put("/c/f", "x"), "OK");
  ASSERT_EQ(Outcome(stack.process().Link("/c/f", "/c/g", LastLink::kKeep)), "OK");
  ASSERT_EQ(Outcome(stack.process().Rename("/d", "/c/f", RenameMode::kExchange)), "OK");
  EXPECT_EQ(stack.Content(0), "c/ c/f/ c/f/OPQ d=x");
  EXPECT_EQ(stack.StatOf("/d").nlink, 2U);
  EXPECT_EQ(stack.StatOf("/c/g").nlink, 2U);
  EXPECT_EQ(stack.Ino("/d"), stack.Ino("/c/g"));
}

// A pseudo-linked name in the lower writable branch is not one in the branch of the copy.
TEST(AufsRegression, APseudoLinkedNameOfALowerWritableBranchCanBeMovedAndRemoved) {
  AufsStack stack({{"rw", "x=x"}, {"rw", "a=a b@a c@a"}});
  ASSERT_EQ(stack.Lookup("/b"), "OK");
  ASSERT_EQ(Outcome(stack.process().Rename("/a", "/x", RenameMode::kReplace)), "OK");
  EXPECT_EQ(stack.Read("/b"), "a");
  EXPECT_EQ(Outcome(stack.process().Rename("/b", "/d", RenameMode::kReplace)), "OK");
  EXPECT_EQ(Outcome(stack.process().Unlink("/c")), "OK");
  EXPECT_EQ(stack.List("/"), "x d");
  EXPECT_EQ(stack.Read("/d"), "a");
}

// The count in memory belongs to the file, also when none of its names is looked up.
TEST(AufsRegression, ANameThatWentIsNotCountedAgainWhenAnotherIsLookedUp) {
  AufsStack stack({{"rw", ""}, {"ro+wh", "a=a b@a"}});
  ASSERT_EQ(stack.StatOf("/a").nlink, 2U);
  ASSERT_EQ(Outcome(stack.process().Unlink("/a")), "OK");
  EXPECT_EQ(stack.StatOf("/b").nlink, 1U);
}

// auplink gives every name the copy; what it came from is a file of its own when it is seen again.
TEST(AufsRegression, AfterAFlushTheSourceIsAnotherFile) {
  AufsStack stack({{"rw", ""}, {"ro+wh", "a=a b@a"}});
  ASSERT_EQ(stack.Append("/a", "A"), "OK");
  ASSERT_EQ(Outcome(FlushPseudoLinks(stack.Op(), stack.fs())), "OK");
  EXPECT_EQ(stack.PseudoLinks(0), "");
  EXPECT_EQ(stack.Content(0), "a=aA b=aA");
  EXPECT_EQ(stack.BranchStat(0, "/a").ino, stack.BranchStat(0, "/b").ino);
  const std::uint64_t copied = stack.Ino("/b");
  ASSERT_EQ(stack.Remount("del:/b0"), "OK");
  EXPECT_EQ(stack.Read("/b"), "a");
  EXPECT_NE(stack.Ino("/b"), copied);
}

// aufs.md §2.7: taking a name out asks the real directory as well.
TEST(AufsRegression, WhoTakesANameOutMustBeAllowedToByTheRealDirectory) {
  for (const std::string options : {"", "dirperm1"}) {
    AufsStack stack({{"rw", "./:0777"}, {"rw", "f=f g=g d/ ./:0755"}}, options);
    stack.process().set_credentials(UserCredentials(1000, 1000));
    const std::string expected = options.empty() ? "EACCES" : "OK";
    EXPECT_EQ(Outcome(stack.process().Unlink("/f")), expected);
    EXPECT_EQ(Outcome(stack.process().Rmdir("/d")), expected);
    EXPECT_EQ(Outcome(stack.process().Rename("/g", "/h", RenameMode::kReplace)), expected);
  }
}

// The directory of the name a file was opened by is kept, also when the file was last seen under
// another name: a copy goes there, and the other names show it.
TEST(AufsRegression, AHardLinkIsCopiedUnderTheNameItWasOpenedBy) {
  AufsStack stack({{"rw", "d=old c/b@d a@d"}});
  stack.AddDirectory({.mode = "rw"});
  const Process::Fd fd = stack.Open("/c/b", kReadWrite);
  ASSERT_EQ(stack.Read("/a"), "old");
  ASSERT_EQ(stack.Remount("add:0:/n0=rw"), "OK");
  ASSERT_EQ(stack.Read("/d"), "old");
  ASSERT_EQ(stack.Remount("mod:/b0=ro+wh"), "OK");
  ASSERT_EQ(stack.Read("/d"), "old");
  ASSERT_EQ(stack.WriteFd(fd, 0, "x"), "OK");
  EXPECT_EQ(stack.Content("n0"), "c/ c/b=xld");
  EXPECT_EQ(stack.Read("/a"), "xld");
  EXPECT_EQ(stack.Read("/d"), "xld");
}

// aufs.md §4.8, §4.6: the name an open file was opened by is gone, others are there. A write makes
// no name again, and the others show what was written.
TEST(AufsRegression, WritingThroughANameThatIsGoneGivesItToTheOtherNames) {
  for (const bool looked_at : {false, true}) {
    AufsStack stack({{"rw", ""}, {"ro+wh", "a=x b@a"}});
    const Process::Fd fd = stack.Open("/a", kReadWrite);
    if (looked_at) stack.StatOf("/b");
    ASSERT_EQ(Outcome(stack.process().Unlink("/a")), "OK");
    if (looked_at) stack.StatOf("/b");
    ASSERT_EQ(stack.WriteFd(fd, 0, "Y"), "OK");
    EXPECT_EQ(stack.Content(0), ".wh.a");
    EXPECT_EQ(stack.Lookup("/a"), "ENOENT");
    EXPECT_EQ(stack.Read("/b"), "Y");
    EXPECT_EQ(stack.ReadFd(fd), "Y");
    EXPECT_EQ(stack.StatOf("/b").nlink, 1U);
  }
}

TEST(AufsRegression, ACopyForAnOpenFileDoesNotBringItsNameBack) {
  for (const bool looked_at : {false, true}) {
    AufsStack stack({{"rw", ""}, {"rw", "b=x d/a@b"}});
    const Process::Fd fd = stack.Open("/b", kReadOnly);
    if (looked_at) stack.StatOf("/d/a");
    ASSERT_EQ(Outcome(stack.process().Unlink("/b")), "OK");
    ASSERT_EQ(stack.Read("/d/a"), "x");
    ASSERT_EQ(stack.Remount("mod:/b1=ro+wh"), "OK");
    ASSERT_EQ(stack.Read("/d/a"), "x");
    ASSERT_EQ(Outcome(stack.process().Fchmod(fd, 0555)), "OK");
    EXPECT_EQ(stack.Lookup("/b"), "ENOENT");
    EXPECT_EQ(stack.List("/"), "d");
    EXPECT_EQ(stack.Read("/d/a"), "x");
  }
}

// aufs.md §2.3, §3.7: whether a directory needs the opaque mark under its new name cannot be told.
TEST(AufsRegression, ADirectoryDoesNotGetANameThatIsBrokenBelow) {
  AufsStack stack({{"rw", "b=x d/"}, {"ro+wh", ".wh.b/"}});
  Process& process = stack.process();
  EXPECT_EQ(Outcome(process.Rename("/d", "/b", RenameMode::kExchange)), "EIO");
  EXPECT_EQ(Outcome(process.Rename("/b", "/d", RenameMode::kExchange)), "EIO");
  EXPECT_EQ(stack.Content(0), "b=x d/");
}

// One end of a fifo was opened on the branch that cannot be written, the other one on the copy.
TEST(AufsRegression, TheEndsOfAFifoOpenedBeforeAndAfterACopyDoNotMeet) {
  AufsStack stack({{"rw", ""}, {"ro+wh", "p!p"}});
  Process& process = stack.process();
  const OpenHow reads{.access = Access::kRead};
  const OpenHow writes{.access = Access::kWrite};
  const Process::Fd before = stack.Open("/p", reads);
  ASSERT_EQ(Outcome(process.Chmod("/p", 0600)), "OK");
  EXPECT_EQ(Outcome(process.Open("/p", writes, 0)), "ENXIO");
  const Process::Fd after = stack.Open("/p", reads);
  EXPECT_EQ(Outcome(process.Open("/p", writes, 0)), "OK");
  EXPECT_NE(before, after);
}

}  // namespace
}  // namespace lamina
