// Rows AUFS-025 to AUFS-043 of the AUFS specification: what a name means, what a directory lists.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Files on two branches: the upper one, listed once.
TEST(AufsLookup, AUFS_025) {
  AufsStack stack({{"rw", "f=A"}, {"ro+wh", "f=B"}});
  EXPECT_EQ(stack.Read("/f"), "A");
  EXPECT_EQ(stack.List("/"), "f");
}

// A file over a directory hides it.
TEST(AufsLookup, AUFS_026) {
  AufsStack stack({{"rw", "n=A"}, {"ro+wh", "n/x"}});
  EXPECT_EQ(stack.StatOf("/n").type, FileType::kRegular);
  EXPECT_EQ(stack.Lookup("/n/x"), "ENOTDIR");
  EXPECT_EQ(stack.Merged(), "n=A");
}

// A file between two directories is passed over, and the lower one still merges.
TEST(AufsLookup, AUFS_027) {
  AufsStack stack({{"rw", "n/a"}, {"ro+wh", "n=B"}, {"ro+wh", "n/c"}});
  EXPECT_EQ(stack.StatOf("/n").type, FileType::kDirectory);
  EXPECT_EQ(stack.List("/n"), "a c");
  EXPECT_EQ(stack.Merged(), "n/ n/a n/c");
}

// A whiteout on ro+wh hides what is below; on a plain ro it is nothing, and never shown.
TEST(AufsLookup, AUFS_028) {
  AufsStack stack({{"rw"}, {"ro+wh", ".wh.f"}, {"ro+wh", "f=F"}});
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
  EXPECT_EQ(stack.List("/"), "");

  AufsStack plain({{"rw"}, {"ro", ".wh.f"}, {"ro+wh", "f=F"}});
  EXPECT_EQ(plain.Read("/f"), "F");
  EXPECT_EQ(plain.List("/"), "f");
  EXPECT_EQ(plain.Lookup("/.wh.f"), "EPERM");
}

// An opaque mark ends the merge below it; on a plain ro it is nothing.
TEST(AufsLookup, AUFS_029) {
  AufsStack stack({{"rw", "d/OPQ d/a"}, {"ro+wh", "d/b"}});
  EXPECT_EQ(stack.List("/d"), "a");
  EXPECT_EQ(stack.Lookup("/d/b"), "ENOENT");

  AufsStack plain({{"rw"}, {"ro", "d/OPQ d/a"}, {"ro+wh", "d/b"}});
  EXPECT_EQ(plain.List("/d"), "a b");
  EXPECT_EQ(plain.Lookup("/d/b"), "OK");

  AufsStack lower({{"rw"}, {"ro+wh", "d/OPQ d/a"}, {"ro+wh", "d/b"}});
  EXPECT_EQ(lower.List("/d"), "a");
  EXPECT_EQ(lower.Lookup("/d/b"), "ENOENT");
}

// Of two marks the upper one holds.
TEST(AufsLookup, AUFS_030a) {
  AufsStack stack({{"rw", "d/OPQ d/a"}, {"ro+wh", "d/OPQ d/b"}, {"ro+wh", "d/c"}});
  EXPECT_EQ(stack.List("/d"), "a");
  EXPECT_EQ(stack.Lookup("/d/b"), "ENOENT");
  EXPECT_EQ(stack.Lookup("/d/c"), "ENOENT");
}

// The same as the source has it: the lowest mark holds when the directory is looked up afresh.
TEST(AufsLookup, AUFS_030b) {
  AufsStack stack({{"rw", "d/OPQ d/a"}, {"ro+wh", "d/OPQ d/b"}, {"ro+wh", "d/c"}}, "",
                  AufsMounting::kLater);
  AufsMount mount = stack.Request();
  mount.options.quirks.lowest_opaque_wins = true;
  ASSERT_EQ(Outcome(stack.TryMount(mount)), "OK");
  EXPECT_EQ(stack.List("/d"), "a b");
  EXPECT_EQ(stack.Lookup("/d/b"), "OK");
  EXPECT_EQ(stack.Lookup("/d/c"), "ENOENT");
}

// A name and its whiteout side by side on the first branch.
TEST(AufsLookup, AUFS_031) {
  AufsStack stack({{"rw", ".wh.f f=F"}, {"ro+wh", "f=L"}});
  EXPECT_EQ(stack.Lookup("/f"), "EIO");

  AufsStack trusting({{"rw", ".wh.f f=F"}, {"ro+wh", "f=L"}}, "udba=none");
  EXPECT_EQ(trusting.Lookup("/f"), "ENOENT");
}

// The same on a lower branch: the whiteout holds.
TEST(AufsLookup, AUFS_032) {
  AufsStack stack({{"rw"}, {"ro+wh", ".wh.f f=F"}});
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
}

// A whiteout must be a regular file.
TEST(AufsLookup, AUFS_033) {
  AufsStack stack({{"rw", ".wh.f/ g=G"}, {"ro+wh", "f h=H"}});
  EXPECT_EQ(stack.Lookup("/f"), "EIO");
  EXPECT_EQ(stack.Read("/g"), "G");
  EXPECT_EQ(stack.Read("/h"), "H");
  EXPECT_EQ(stack.Lookup("/x"), "ENOENT");
}

// Names that begin with .wh. are EPERM for everybody, and nothing is made.
void ExpectReserved(AufsStack& stack, const std::string& path) {
  SCOPED_TRACE(path);
  const std::string before = stack.Snapshot(0);
  Process& process = stack.process();
  EXPECT_EQ(stack.Lookup(path), "EPERM");
  EXPECT_EQ(stack.Create(path), "EPERM");
  EXPECT_EQ(stack.Put(path, "x"), "EPERM");
  EXPECT_EQ(Outcome(process.Mkdir(path, 0755)), "EPERM");
  EXPECT_EQ(Outcome(process.Rename("/f", path, RenameMode::kReplace)), "EPERM");
  EXPECT_EQ(Outcome(process.Link("/f", path, LastLink::kKeep)), "EPERM");
  EXPECT_EQ(stack.Snapshot(0), before);
}

TEST(AufsLookup, AUFS_034) {
  AufsStack stack({{"rw", "f=F .wh.below"}, {"ro+wh", "below"}});
  ExpectReserved(stack, "/.wh.x");
  ExpectReserved(stack, "/.wh.");
  ExpectReserved(stack, "/.wh.below");
  ExpectReserved(stack, "/.wh..wh.aufs");
  ExpectReserved(stack, "/.wh..wh..opq");
}

// 242 bytes are the most.
TEST(AufsLookup, AUFS_035) {
  AufsStack stack({{"rw"}});
  const std::string longest(242, 'n');
  EXPECT_EQ(stack.Create("/" + longest), "OK");
  EXPECT_EQ(stack.Content(0), longest);
  EXPECT_EQ(stack.Lookup("/" + longest + "n"), "ENAMETOOLONG");
  EXPECT_EQ(stack.Create("/" + longest + "n"), "ENAMETOOLONG");
  EXPECT_EQ(Outcome(stack.process().Mkdir("/" + longest + "n", 0755)), "ENAMETOOLONG");
  EXPECT_EQ(stack.Content(0), longest);
}

// A longer name of a branch is listed, without its type, and cannot be looked up.
TEST(AufsLookup, AUFS_036) {
  const std::string name(250, 'n');
  AufsStack stack({{"rw"}, {"ro+wh", name + "=x"}});
  Result<std::vector<ProcessEntry>> entries = stack.process().ListDirectory("/");
  ASSERT_EQ(Outcome(entries), "OK");
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->front().name, name);
  EXPECT_EQ(entries->front().type, kUnknownType);
  EXPECT_EQ(stack.Lookup("/" + name), "ENAMETOOLONG");
  EXPECT_EQ(stack.Read("/" + name), "ENAMETOOLONG");
}

// An opaque directory hides whole trees.
TEST(AufsLookup, AUFS_037) {
  AufsStack stack({{"rw", "a/OPQ"}, {"ro+wh", "a/b/c"}});
  EXPECT_EQ(stack.Lookup("/a/b"), "ENOENT");
  EXPECT_EQ(stack.Lookup("/a/b/c"), "ENOENT");
  EXPECT_EQ(stack.List("/a"), "");
}

// So does a whiteout.
TEST(AufsLookup, AUFS_038) {
  AufsStack stack({{"rw", ".wh.a"}, {"ro+wh", "a/b"}});
  EXPECT_EQ(stack.Lookup("/a"), "ENOENT");
  EXPECT_EQ(stack.Lookup("/a/b"), "ENOENT");
  EXPECT_EQ(stack.List("/"), "");
}

// readdir: upper branches first, each in its own order, a name once.
TEST(AufsLookup, AUFS_039) {
  AufsStack stack({{"rw", "z a"}, {"ro+wh", "m a b"}});
  EXPECT_EQ(stack.List("/"), "z a m b");
  const Process::Fd fd = stack.Open("/", kDirectory);
  Result<std::vector<ProcessEntry>> first = stack.process().ReadEntries(fd, 3);
  ASSERT_EQ(Outcome(first), "OK");
  ASSERT_EQ(first->size(), 3U);
  EXPECT_EQ((*first)[0].name, ".");
  EXPECT_EQ((*first)[1].name, "..");
  EXPECT_EQ((*first)[2].name, "z");
}

// A listing is taken at its first read; one that is begun again is a new one.
TEST(AufsLookup, AUFS_040) {
  AufsStack stack({{"rw", "d/a d/b"}, {"ro+wh", "d/c"}});
  const std::unique_ptr<Process> other = stack.NewProcess();
  const Process::Fd fd = stack.Open("/d", kDirectory);
  Result<std::vector<ProcessEntry>> entries = stack.process().ReadEntries(fd, 3);
  ASSERT_EQ(Outcome(entries), "OK");
  ASSERT_EQ(Outcome(other->Mkdir("/d/new", 0755)), "OK");
  entries = stack.process().ReadEntries(fd, 10);
  ASSERT_EQ(Outcome(entries), "OK");
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].name, "b");
  EXPECT_EQ((*entries)[1].name, "c");
  ASSERT_EQ(Outcome(stack.process().RewindDirectory(fd)), "OK");
  entries = stack.process().ReadEntries(fd, 10);
  ASSERT_EQ(Outcome(entries), "OK");
  ASSERT_EQ(entries->size(), 6U);  // ".", "..", a, b, new, c
  EXPECT_EQ((*entries)[4].name, "new");
}

// shwh shows whiteouts after everything else; they hide as before.
TEST(AufsLookup, AUFS_041) {
  AufsStack stack({{"ro+wh", ".wh.f g"}, {"ro+wh", "f h"}}, "ro,shwh");
  EXPECT_EQ(stack.List("/"), "g h .wh.f");
  EXPECT_EQ(stack.Lookup("/.wh.f"), "OK");
  EXPECT_EQ(stack.StatOf("/.wh.f").type, FileType::kRegular);
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
}

// Every branch of a directory must let it be read; with dirperm1 the top one is enough.
TEST(AufsLookup, AUFS_042) {
  AufsStack stack({{"rw", "d/:0755 d/a"}, {"ro+wh", "d/:0700 d/b"}});
  stack.process().set_credentials(UserCredentials(1000, 1000));
  EXPECT_EQ(stack.List("/d"), "EACCES");

  AufsStack top_only({{"rw", "d/:0755 d/a"}, {"ro+wh", "d/:0700 d/b"}}, "dirperm1");
  top_only.process().set_credentials(UserCredentials(1000, 1000));
  EXPECT_EQ(top_only.List("/d"), "a b");
}

// statfs: the figures of the topmost branch; with sum those of every file system, each once.
TEST(AufsLookup, AUFS_043) {
  AufsStack stack({{.mode = "rw", .capacity_bytes = 4 * kMiB},
                   {.mode = "ro", .content = "f=x*5000", .capacity_bytes = 8 * kMiB},
                   {.mode = "ro", .beside = "b1"}},
                  "", AufsMounting::kLater);
  stack.Mount();
  Result<ProcessSpace> top = stack.process().Statfs("/");
  ASSERT_EQ(Outcome(top), "OK");
  EXPECT_EQ(top->name_max, 242U);
  EXPECT_EQ(top->space.type, 0x61756673U);
  EXPECT_EQ(top->space.total_bytes, 4 * kMiB);
  EXPECT_EQ(top->space.free_bytes, stack.SpaceOf(0).free_bytes);
  EXPECT_FALSE(top->read_only);

  ASSERT_EQ(Outcome(stack.TryMount(stack.MountText() + ",sum")), "OK");
  Result<ProcessSpace> sum = stack.process().Statfs("/");
  ASSERT_EQ(Outcome(sum), "OK");
  EXPECT_EQ(sum->name_max, 242U);
  EXPECT_EQ(sum->space.type, 0x61756673U);
  EXPECT_EQ(sum->space.total_bytes, 12 * kMiB);
  EXPECT_EQ(sum->space.free_bytes, stack.SpaceOf(0).free_bytes + stack.SpaceOf(1).free_bytes);
}

}  // namespace
}  // namespace lamina
