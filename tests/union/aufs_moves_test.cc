// Rows AUFS-070 to AUFS-097 of the AUFS specification: rename and link.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using testing::HasSubstr;

std::string Rename(AufsStack& stack, std::string_view from, std::string_view to,
                   RenameMode mode = RenameMode::kReplace) {
  return Outcome(stack.process().Rename(from, to, mode));
}
std::string Link(AufsStack& stack, std::string_view from, std::string_view to) {
  return Outcome(stack.process().Link(from, to, LastLink::kKeep));
}

// "12.3": the name of a pseudo-link.
std::string PseudoLinkName(std::uint64_t ino, std::uint64_t branch_ino) {
  return std::to_string(ino) + "." + std::to_string(branch_ino);
}

TEST(AufsMoves, AUFS_070) {
  AufsStack stack({{"rw", "a=A"}, {"ro+wh"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), "b=A");
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").nlink, 1U);
}

// A file of a lower branch is copied up, and keeps its number.
TEST(AufsMoves, AUFS_071) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}});
  const std::uint64_t before = stack.Ino("/a");
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.a b=A");
  EXPECT_EQ(stack.Ino("/b"), before);
  EXPECT_EQ(stack.Lookup("/a"), "ENOENT");
}

TEST(AufsMoves, AUFS_072) {
  AufsStack stack({{"rw", "b=B"}, {"ro+wh", "a=A"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.a b=A");
  EXPECT_EQ(stack.Merged(), "b=A");
}

// A lower file of the new name needs no whiteout: the renamed one hides it.
TEST(AufsMoves, AUFS_073) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A b=B"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.a b=A");
  EXPECT_EQ(stack.Merged(), "b=A");
}

// The whiteout of the new name goes.
TEST(AufsMoves, AUFS_074) {
  AufsStack stack({{"rw", "a=A .wh.b"}, {"ro+wh", "b=B"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), "b=A");
  EXPECT_EQ(stack.Merged(), "b=A");
}

// The old name needs one when it is below, too.
TEST(AufsMoves, AUFS_075) {
  AufsStack stack({{"rw", "a=A"}, {"ro+wh", "a=L"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.a b=A");
  EXPECT_EQ(stack.Merged(), "b=A");
}

TEST(AufsMoves, AUFS_076) {
  AufsStack stack({{"rw", "d/x=X"}, {"ro+wh"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), "e/ e/x=X");
  EXPECT_EQ(stack.Merged(), "e/ e/x=X");
}

// A directory with content below cannot be moved.
TEST(AufsMoves, AUFS_077) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/x=X"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "EXDEV");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Merged(), "d/ d/x=X");
}

// An empty one can.
TEST(AufsMoves, AUFS_078) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/"}});
  const std::uint64_t before = stack.Ino("/d");
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d e/");
  EXPECT_EQ(stack.Merged(), "e/");
  EXPECT_EQ(stack.Ino("/e"), before);
}

TEST(AufsMoves, AUFS_079) {
  AufsStack stack({{"rw", "d/y=Y"}, {"ro+wh", "d/x=X"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "EXDEV");
  EXPECT_EQ(stack.Content(0), "d/ d/y=Y");
  EXPECT_EQ(stack.Merged(), "d/ d/x=X d/y=Y");
}

// Whiteouts of everything below go with the directory.
TEST(AufsMoves, AUFS_080) {
  AufsStack stack({{"rw", "d/.wh.x d/y=Y"}, {"ro+wh", "d/x=X"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d e/ e/.wh.x e/y=Y");
  EXPECT_EQ(stack.Merged(), "e/ e/y=Y");
}

// So does an opaque mark.
TEST(AufsMoves, AUFS_081) {
  AufsStack stack({{"rw", "d/OPQ d/y=Y"}, {"ro+wh", "d/x=X"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d e/ e/OPQ e/y=Y");
  EXPECT_EQ(stack.Merged(), "e/ e/y=Y");
}

// A directory moved over a whiteout becomes opaque.
TEST(AufsMoves, AUFS_082) {
  AufsStack stack({{"rw", "d/y=Y .wh.e"}, {"ro+wh", "e/x=X"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), "e/ e/OPQ e/y=Y");
  EXPECT_EQ(stack.List("/e"), "y");
}

// So does one moved over an empty directory below.
TEST(AufsMoves, AUFS_083) {
  AufsStack stack({{"rw", "d/y=Y"}, {"ro+wh", "e/"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), "e/ e/OPQ e/y=Y");
  EXPECT_EQ(stack.Merged(), "e/ e/y=Y");
}

// The directory that is replaced goes with its whiteouts.
TEST(AufsMoves, AUFS_084) {
  AufsStack stack({{"rw", "d/y=Y e/.wh.x"}, {"ro+wh", "e/x=X"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), "e/ e/OPQ e/y=Y");
  EXPECT_EQ(stack.Merged(), "e/ e/y=Y");
}

TEST(AufsMoves, AUFS_085) {
  AufsStack stack({{"rw", "d/"}, {"ro+wh", "e/x=X"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "ENOTEMPTY");
  EXPECT_EQ(stack.Content(0), "d/");
  EXPECT_EQ(stack.Merged(), "d/ e/ e/x=X");
}

// Types that do not go together, also without the checks of the system-call layer.
TEST(AufsMoves, AUFS_086) {
  AufsStack stack({{"rw", "d/ f=F"}, {"ro+wh", "e/ g=G"}});
  EXPECT_EQ(Rename(stack, "/d", "/f"), "ENOTDIR");
  EXPECT_EQ(Rename(stack, "/d", "/g"), "ENOTDIR");
  EXPECT_EQ(Rename(stack, "/f", "/d"), "EISDIR");
  EXPECT_EQ(Rename(stack, "/f", "/e"), "EISDIR");
  EXPECT_EQ(Rename(stack, "/d", "/d/x"), "EINVAL");
  const NodeId root = stack.fs().root();
  const auto rename = [&](std::string_view from, std::string_view to) {
    return Outcome(stack.fs().Rename(stack.Op(), {root, from}, {root, to}, RenameMode::kReplace));
  };
  EXPECT_EQ(rename("d", "f"), "ENOTDIR");
  EXPECT_EQ(rename("d", "g"), "ENOTDIR");
  EXPECT_EQ(rename("f", "d"), "EISDIR");
  EXPECT_EQ(rename("f", "e"), "EISDIR");
  EXPECT_EQ(stack.Merged(), "d/ e/ f=F g=G");
}

// A file of a writable lower branch is renamed there.
TEST(AufsMoves, AUFS_087) {
  AufsStack stack({{"rw"}, {"rw", "a=A"}, {"ro"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Content(1), "b=A");
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.aufs").nlink, 1U);
  EXPECT_EQ(stack.BranchStat(1, "/.wh..wh.aufs").nlink, 1U);
}

// Unless the new name is higher: then it is copied up.
TEST(AufsMoves, AUFS_088) {
  AufsStack stack({{"rw", "b=B"}, {"rw", "a=A"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.a b=A");
  EXPECT_EQ(stack.Content(1), "a=A");
  EXPECT_EQ(stack.Merged(), "b=A");
}

TEST(AufsMoves, AUFS_089) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A b=B"}});
  const std::uint64_t a = stack.Ino("/a");
  const std::uint64_t b = stack.Ino("/b");
  EXPECT_EQ(Rename(stack, "/a", "/b", RenameMode::kExchange), "OK");
  EXPECT_EQ(stack.Content(0), "a=B b=A");
  EXPECT_EQ(stack.Merged(), "a=B b=A");
  EXPECT_EQ(stack.Ino("/a"), b);
  EXPECT_EQ(stack.Ino("/b"), a);
}

TEST(AufsMoves, AUFS_090) {
  AufsStack stack({{"rw", "a=A"}, {"ro+wh"}});
  EXPECT_EQ(Rename(stack, "/a", "/b", RenameMode::kLeaveWhiteout), "EINVAL");
  EXPECT_EQ(stack.Content(0), "a=A");
}

// With dirren the moves of 077 and 079 work.
TEST(AufsMoves, AUFS_091) {
  AufsStack lower({{"rw"}, {"ro+wh", "d/x=X d/s/t=T"}}, "dirren");
  EXPECT_EQ(Rename(lower, "/d", "/e"), "OK");
  EXPECT_EQ(lower.List("/"), "e");
  EXPECT_EQ(lower.List("/e"), "x s");
  EXPECT_EQ(lower.Read("/e/x"), "X");
  EXPECT_EQ(lower.Read("/e/s/t"), "T");
  EXPECT_EQ(lower.Lookup("/d"), "ENOENT");
  EXPECT_THAT(lower.Content(0), HasSubstr("e/.wh..wh..dr."));

  AufsStack merged({{"rw", "d/y=Y"}, {"ro+wh", "d/x=X"}}, "dirren");
  EXPECT_EQ(Rename(merged, "/d", "/e"), "OK");
  EXPECT_EQ(merged.List("/"), "e");
  EXPECT_EQ(merged.List("/e"), "y x");
  EXPECT_EQ(merged.Read("/e/x"), "X");
  EXPECT_EQ(merged.Read("/e/y"), "Y");
  EXPECT_THAT(merged.Content(0), HasSubstr("e/.wh..wh..dr."));
}

// mv d e falls back to a copy.
TEST(AufsMoves, AUFS_092) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/x=X"}});
  Process& process = stack.process();
  ASSERT_EQ(Rename(stack, "/d", "/e"), "EXDEV");
  ASSERT_EQ(Outcome(process.Mkdir("/e", 0755)), "OK");
  ASSERT_EQ(stack.Put("/e/x", stack.Read("/d/x")), "OK");
  ASSERT_EQ(Outcome(process.Unlink("/d/x")), "OK");
  ASSERT_EQ(Outcome(process.Rmdir("/d")), "OK");
  EXPECT_EQ(stack.Merged(), "e/ e/x=X");
  EXPECT_EQ(stack.Content(0), ".wh.d e/ e/x=X");
}

// A link of a lower file is a copy under the new name only, and a pseudo-link.
TEST(AufsMoves, AUFS_093) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}});
  const std::uint64_t before = stack.Ino("/a");
  EXPECT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), "b=A");
  EXPECT_EQ(stack.Ino("/a"), before);
  EXPECT_EQ(stack.Ino("/b"), before);
  EXPECT_EQ(stack.StatOf("/a").nlink, 2U);
  EXPECT_EQ(stack.StatOf("/b").nlink, 2U);
  const std::string name = PseudoLinkName(before, stack.BranchStat(0, "/b").ino);
  EXPECT_EQ(stack.PseudoLinks(0), name);
  EXPECT_EQ(stack.BranchStat(0, "/.wh..wh.plnk/" + name).ino, stack.BranchStat(0, "/b").ino);
  EXPECT_EQ(stack.BranchStat(0, "/b").nlink, 2U);
}

// The old name becomes a real link when it is read, not when it is looked at.
TEST(AufsMoves, AUFS_094) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}});
  ASSERT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.StatOf("/a").size_bytes, 1U);
  EXPECT_EQ(stack.Content(0), "b=A");
  const Process::Fd fd = stack.Open("/a", kReadOnly);
  EXPECT_EQ(stack.ReadFd(fd), "A");
  EXPECT_EQ(stack.Content(0), "a=A b=A");
  EXPECT_EQ(stack.BranchStat(0, "/a").ino, stack.BranchStat(0, "/b").ino);
  EXPECT_EQ(stack.BranchStat(0, "/a").nlink, 3U);  // a, b, the pseudo-link
  EXPECT_EQ(stack.StatOf("/a").nlink, 2U);
  EXPECT_EQ(stack.StatOf("/b").nlink, 2U);
}

// Without pseudo-links the old name is copied up and linked.
TEST(AufsMoves, AUFS_095) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}}, "noplink");
  EXPECT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), "a=A b=A");
  EXPECT_EQ(stack.BranchStat(0, "/a").ino, stack.BranchStat(0, "/b").ino);
  EXPECT_EQ(stack.BranchStat(0, "/a").nlink, 2U);
  EXPECT_EQ(stack.Ino("/a"), stack.Ino("/b"));
  EXPECT_EQ(stack.BaseEntries(0), ".wh..wh.aufs .wh..wh.orph/");
}

TEST(AufsMoves, AUFS_096) {
  AufsStack stack({{"rw", "a=A .wh.b"}, {"ro+wh", "b=B"}});
  EXPECT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), "a=A b=A");
  EXPECT_EQ(stack.BranchStat(0, "/a").ino, stack.BranchStat(0, "/b").ino);
  EXPECT_EQ(stack.BranchStat(0, "/a").nlink, 2U);
  EXPECT_EQ(stack.Ino("/a"), stack.Ino("/b"));
  EXPECT_EQ(stack.StatOf("/b").nlink, 2U);
}

TEST(AufsMoves, AUFS_097) {
  AufsStack stack({{"rw", "d/ a=A"}, {"ro+wh", "e/"}});
  EXPECT_EQ(Link(stack, "/d", "/b"), "EPERM");
  EXPECT_EQ(Link(stack, "/e", "/b"), "EPERM");
  EXPECT_EQ(Link(stack, "/a", "/.wh.x"), "EPERM");
  const NodeId directory = stack.StatOf("/d").node;
  Result<void> linked = stack.fs().Link(stack.Op(), directory, {stack.fs().root(), "b"});
  EXPECT_EQ(Outcome(linked), "EPERM");
  EXPECT_EQ(stack.Content(0), "a=A d/");
  EXPECT_EQ(stack.StatOf("/a").nlink, 1U);
}

}  // namespace
}  // namespace lamina
