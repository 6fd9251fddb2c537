// Rows AUFS-158 to AUFS-168 of the AUFS specification: several layers, and calls that fail halfway.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using sim::Fault;

std::string Unlink(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Unlink(path));
}
std::string Rmdir(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Rmdir(path));
}
std::string Rename(AufsStack& stack, std::string_view from, std::string_view to) {
  return Outcome(stack.process().Rename(from, to, RenameMode::kReplace));
}

// A whiteout of another name in between does not matter (moby#25731).
TEST(AufsLayering, AUFS_158) {
  AufsStack stack({{"rw"},
                   {"ro+wh", "tmp/c/j"},
                   {"ro+wh", "tmp/c/"},
                   {"ro+wh", "tmp/.wh.b"},
                   {"ro+wh", "tmp/c/"},
                   {"ro+wh", "tmp/"}});
  EXPECT_EQ(stack.Merged(), "tmp/ tmp/c/ tmp/c/j");
  EXPECT_EQ(Unlink(stack, "/tmp/c/j"), "OK");
  EXPECT_EQ(Rmdir(stack, "/tmp/c"), "OK");
  EXPECT_EQ(stack.Content(0), "tmp/ tmp/.wh.c");
  EXPECT_EQ(stack.List("/tmp"), "");
  EXPECT_EQ(stack.Lookup("/tmp/c"), "ENOENT");
}

// A branch goes, and with it what it hid.
TEST(AufsLayering, AUFS_159) {
  AufsStack stack({{"rw"}, {"ro+wh", ".wh.f"}, {"ro+wh", "f=F"}});
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
  EXPECT_EQ(stack.List("/"), "");
  EXPECT_EQ(stack.Remount("del:/b1"), "OK");
  EXPECT_EQ(stack.Read("/f"), "F");
  EXPECT_EQ(stack.List("/"), "f");
}

// A branch comes, and hides.
TEST(AufsLayering, AUFS_160) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=F"}});
  stack.AddDirectory({"", ".wh.f"});
  EXPECT_EQ(stack.List("/"), "f");
  stack.DropCaches();
  EXPECT_EQ(stack.Remount("add:1:/n0=ro+wh"), "OK");
  EXPECT_EQ(stack.BranchNames(), "b0 n0 b1");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
  EXPECT_EQ(stack.List("/"), "");
}

TEST(AufsLayering, AUFS_161) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/.wh.x d/y"}, {"ro+wh", "d/x d/z"}});
  EXPECT_EQ(stack.List("/d"), "y z");
  EXPECT_EQ(Unlink(stack, "/d/y"), "OK");
  EXPECT_EQ(Unlink(stack, "/d/z"), "OK");
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.d");
  EXPECT_EQ(Outcome(stack.process().Mkdir("/d", 0755)), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/OPQ");
  EXPECT_EQ(stack.List("/d"), "");
}

// Whiteout and file take turns.
TEST(AufsLayering, AUFS_162) {
  AufsStack stack({{"rw", "f=new"}, {"ro+wh", "f=old"}});
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.f");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
  EXPECT_EQ(stack.Put("/f", "n2"), "OK");
  EXPECT_EQ(stack.Content(0), "f=n2");
  EXPECT_EQ(stack.Read("/f"), "n2");
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.f");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
}

// The whiteout of the old name comes back.
TEST(AufsLayering, AUFS_163) {
  AufsStack stack({{"rw", "d/.wh.f"}, {"ro+wh", "d/f=old"}});
  EXPECT_EQ(stack.Put("/d/f", "new"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/f=new");
  EXPECT_EQ(Rename(stack, "/d/f", "/g"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/.wh.f g=new");
  EXPECT_EQ(stack.Merged(), "d/ g=new");
}

// A copy-up deep in a tree changes no listing.
TEST(AufsLayering, AUFS_164) {
  AufsStack stack({{"rw"}, {"ro+wh", "a/s a/b/f=F a/b/t"}});
  const std::string a = stack.List("/a");
  const std::string b = stack.List("/a/b");
  EXPECT_EQ(Outcome(stack.process().Chmod("/a/b/f", 0600)), "OK");
  EXPECT_EQ(stack.Content(0), "a/ a/b/ a/b/f=F");
  EXPECT_EQ(stack.BranchStat(0, "/a/b/f").mode, 0600);
  EXPECT_EQ(stack.Merged(), "a/ a/b/ a/b/f=F a/b/t a/s");
  EXPECT_EQ(a, "s b");
  EXPECT_EQ(b, "f t");
}

// Two unions on one image.
TEST(AufsLayering, AUFS_165) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=old"}});
  stack.AddDirectory({"rw"});
  const std::unique_ptr<UnionFs> second = stack.MountAnother("br:/n0=rw:/b1=ro+wh");
  Process process(*second, second->root(), {.clock = &stack.clock()});
  ASSERT_EQ(*process.ReadFile("/f"), "old");
  EXPECT_EQ(stack.Put("/f", "new"), "OK");
  EXPECT_EQ(stack.Read("/f"), "new");
  Result<std::string> seen = process.ReadFile("/f");
  ASSERT_EQ(Outcome(seen), "OK");
  EXPECT_EQ(*seen, "old");
  EXPECT_EQ(stack.Content("n0"), "");
}

// In an opaque directory there is nothing below to hide.
TEST(AufsLayering, AUFS_166) {
  AufsStack stack({{"rw", "d/OPQ"}, {"ro+wh", "d/x=old"}});
  EXPECT_EQ(stack.Put("/d/x", "new"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/OPQ d/x=new");
  EXPECT_EQ(Unlink(stack, "/d/x"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/OPQ");
  EXPECT_EQ(stack.Lookup("/d/x"), "ENOENT");
}

// A rename that fails after its whiteout takes it back; a file that was copied up stays.
TEST(AufsLayering, AUFS_167) {
  AufsStack stack({{.mode = "rw", .content = "a=A", .faulty = true}, {"ro+wh", "a=L c=C"}});
  stack.plan().Add(Fault::On(sim::Op::kRename).Path("/b0/b").Fail(Errno::kIo));
  const Instant before = stack.StatOf("/").mtime;
  EXPECT_EQ(Rename(stack, "/a", "/b"), "EIO");
  EXPECT_EQ(stack.plan().fired().size(), 1U);
  EXPECT_EQ(stack.Content(0), "a=A");
  EXPECT_EQ(stack.StatOf("/").mtime, before);
  EXPECT_EQ(stack.BranchStat(0, "/").mtime, before);
  EXPECT_EQ(Rename(stack, "/c", "/b"), "EIO");
  EXPECT_EQ(stack.Content(0), "a=A c=C");
  EXPECT_EQ(stack.StatOf("/").mtime, before);
  EXPECT_EQ(stack.Merged(), "a=A c=C");
}

// A create that cannot remove the whiteout takes itself back.
TEST(AufsLayering, AUFS_168) {
  AufsStack stack({{.mode = "rw", .content = ".wh.n", .faulty = true}, {"ro+wh", "n=old"}});
  stack.plan().Add(Fault::On(sim::Op::kUnlink).Path("/b0/.wh.n").Fail(Errno::kIo));
  const Instant before = stack.StatOf("/").mtime;
  EXPECT_EQ(stack.Create("/n"), "EIO");
  EXPECT_EQ(stack.Content(0), ".wh.n");
  EXPECT_EQ(stack.Lookup("/n"), "ENOENT");
  EXPECT_EQ(Outcome(stack.process().Mkdir("/n", 0755)), "EIO");
  EXPECT_EQ(stack.Content(0), ".wh.n");
  EXPECT_EQ(stack.Lookup("/n"), "ENOENT");
  EXPECT_EQ(stack.StatOf("/").mtime, before);
}

}  // namespace
}  // namespace lamina
