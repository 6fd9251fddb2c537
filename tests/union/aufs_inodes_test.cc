// Rows AUFS-123 to AUFS-140 of the AUFS specification: which branch is written, inode numbers,
// branches changed directly.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using testing::AnyOf;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr Duration kHalfMinute{30 * kNanosecondsPerSecond};

// Makes /f1 … /f`count` and says on which branch each is: "0101".
std::string CreateMany(AufsStack& stack, int count) {
  std::string branches;
  for (int index = 1; index <= count; ++index) {
    const std::string path = "/f" + std::to_string(index);
    EXPECT_EQ(stack.Create(path), "OK");
    branches += stack.BranchesWith(path);
  }
  return branches;
}

std::string MkdirMany(AufsStack& stack, int count) {
  std::string branches;
  for (int index = 1; index <= count; ++index) {
    const std::string path = "/d" + std::to_string(index);
    EXPECT_EQ(Outcome(stack.process().Mkdir(path, 0755)), "OK");
    branches += stack.BranchesWith(path);
  }
  return branches;
}

// The branch of a new /d/f where all branches have d/ and so many free bytes.
std::string BranchOfNew(std::string_view options, std::uint64_t first_bytes,
                        std::uint64_t second_bytes) {
  AufsStack stack({{.mode = "rw", .content = "d/", .capacity_bytes = first_bytes},
                   {.mode = "rw", .content = "d/", .capacity_bytes = second_bytes}},
                  options);
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  return stack.BranchesWith("/d/f");
}

// The parent's own branch.
TEST(AufsPolicies, AUFS_123) {
  AufsStack stack({{"rw"}, {"rw", "d/"}});
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Content(1), "d/ d/f");
}

// If that is writable.
TEST(AufsPolicies, AUFS_124) {
  AufsStack stack({{"rw"}, {"ro", "d/"}});
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/f");
}

// Writes d/f of b2; b1 has no d/.
std::string CopyWhereParentIsOnTop(std::string_view options) {
  AufsStack stack({{"rw", "d/"}, {"rw"}, {"ro", "d/f=hello"}}, options);
  EXPECT_EQ(stack.WriteAt("/d/f", 0, "J"), "OK");
  EXPECT_EQ(stack.Read("/d/f"), "Jello");
  return stack.Content(0) + " | " + stack.Content(1);
}

TEST(AufsPolicies, AUFS_125) {
  EXPECT_EQ(CopyWhereParentIsOnTop("cpup=tdp"), "d/ d/f=Jello | ");
  EXPECT_EQ(CopyWhereParentIsOnTop("cpup=bup"), "d/ d/f=Jello | ");
  EXPECT_EQ(CopyWhereParentIsOnTop("cpup=bu"), "d/ | d/ d/f=Jello");
}

// Writes d/f of b2; both branches above have d/.
std::string CopyWhereParentIsOnBoth(std::string_view options) {
  AufsStack stack({{"rw", "d/"}, {"rw", "d/"}, {"ro", "d/f=hello"}}, options);
  EXPECT_EQ(stack.WriteAt("/d/f", 0, "J"), "OK");
  EXPECT_EQ(stack.Read("/d/f"), "Jello");
  return stack.Content(0) + " | " + stack.Content(1);
}

TEST(AufsPolicies, AUFS_126) {
  EXPECT_EQ(CopyWhereParentIsOnBoth("cpup=tdp"), "d/ d/f=Jello | d/");
  EXPECT_EQ(CopyWhereParentIsOnBoth("cpup=bup"), "d/ | d/ d/f=Jello");
  EXPECT_EQ(CopyWhereParentIsOnBoth("cpup=bu"), "d/ | d/ d/f=Jello");
}

// Round robin: the branches take turns.
TEST(AufsPolicies, AUFS_127) {
  AufsStack stack({{"rw"}, {"rw"}}, "create=rr");
  EXPECT_THAT(CreateMany(stack, 10), AnyOf("0101010101", "1010101010"));
}

// But not for directories.
TEST(AufsPolicies, AUFS_128) {
  AufsStack stack({{"rw"}, {"rw"}}, "create=rr");
  EXPECT_THAT(MkdirMany(stack, 10), AnyOf("0000000000", "1111111111"));
}

// Most free space; of equals the lower.
TEST(AufsPolicies, AUFS_129) {
  EXPECT_EQ(BranchOfNew("create=mfs", 10 * kMiB, 20 * kMiB), "1");
  EXPECT_EQ(BranchOfNew("create=mfs", 10 * kMiB, 10 * kMiB), "1");
  EXPECT_EQ(BranchOfNew("create=mfs", 20 * kMiB, 10 * kMiB), "0");
}

// A choice holds for its seconds.
TEST(AufsPolicies, AUFS_130) {
  AufsStack stack(
      {{.mode = "rw", .capacity_bytes = 10 * kMiB}, {.mode = "rw", .capacity_bytes = 20 * kMiB}},
      "create=mfs:60");
  EXPECT_EQ(stack.Create("/first"), "OK");
  EXPECT_EQ(stack.BranchesWith("/first"), "1");
  EXPECT_EQ(stack.Put("/first", std::string(15 * kMiB, 'x')), "OK");
  EXPECT_LT(stack.SpaceOf(1).free_bytes, stack.SpaceOf(0).free_bytes);
  stack.clock().Advance(kHalfMinute);
  EXPECT_EQ(stack.Create("/within"), "OK");
  EXPECT_EQ(stack.BranchesWith("/within"), "1");
  stack.clock().Advance(kHalfMinute);
  stack.clock().Advance(kHalfMinute);
  EXPECT_EQ(stack.Create("/later"), "OK");
  EXPECT_EQ(stack.BranchesWith("/later"), "0");
}

// The first branch from the top with enough space, else the one with most.
TEST(AufsPolicies, AUFS_131) {
  const std::string_view option = "create=tdmfs:10485760";
  EXPECT_EQ(BranchOfNew(option, 5 * kMiB, 20 * kMiB), "1");
  EXPECT_EQ(BranchOfNew(option, 15 * kMiB, 20 * kMiB), "0");
  EXPECT_EQ(BranchOfNew(option, 5 * kMiB, 8 * kMiB), "1");
  EXPECT_EQ(BranchOfNew(option, 8 * kMiB, 5 * kMiB), "0");
}

// Most free space of the branches that have the parent; of equals the upper.
TEST(AufsPolicies, AUFS_132) {
  AufsStack stack({{.mode = "rw", .content = "d/", .capacity_bytes = 5 * kMiB},
                   {.mode = "rw", .content = "d/", .capacity_bytes = 9 * kMiB},
                   {.mode = "rw", .capacity_bytes = 100 * kMiB}},
                  "create=pmfs");
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  EXPECT_EQ(stack.BranchesWith("/d/f"), "1");
  EXPECT_EQ(stack.Content(2), "");
  EXPECT_EQ(BranchOfNew("create=pmfs", 5 * kMiB, 5 * kMiB), "0");
}

TEST(AufsPolicies, AUFS_133) {
  AufsStack stack({{"rw"}, {"ro"}});
  const std::string branches = "br:/b0=rw:/b1=ro,";
  EXPECT_EQ(Outcome(stack.TryMount(branches + "create=mfs:-1")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount(branches + "create=mfs:3601")), "EINVAL");
  EXPECT_EQ(Outcome(stack.TryMount(branches + "create=mfs:3600")), "OK");
  EXPECT_EQ(Outcome(stack.TryMount(branches + "create=mfs:0")), "OK");
}

// A whiteout decides before the policy does.
TEST(AufsPolicies, AUFS_134) {
  AufsStack stack({{"rw", ".wh.f1 .wh.f2 .wh.f3 .wh.f4"}, {"rw"}}, "create=rr");
  EXPECT_EQ(CreateMany(stack, 4), "0000");
  EXPECT_EQ(stack.Content(0), "f1 f2 f3 f4");
  EXPECT_EQ(stack.Content(1), "");
}

TEST(AufsInodes, AUFS_135) {
  AufsStack stack({{"rw", "a"}, {"ro+wh", "b"}});
  EXPECT_EQ(stack.Ino("/"), 2U);
  EXPECT_GE(stack.Ino("/a"), 11U);
  EXPECT_GE(stack.Ino("/b"), 11U);
  EXPECT_NE(stack.Ino("/a"), stack.Ino("/b"));
}

// A copied file keeps its number, also when nobody remembers it.
TEST(AufsInodes, AUFS_136) {
  AufsStack stack({{"rw"}, {"ro+wh", "e f=F g"}});
  ASSERT_NE(stack.Ino("/e"), stack.Ino("/g"));
  const std::uint64_t before = stack.Ino("/f");
  ASSERT_EQ(stack.WriteAt("/f", 0, "G"), "OK");
  EXPECT_EQ(stack.Ino("/f"), before);
  stack.DropCaches();
  EXPECT_EQ(stack.Ino("/f"), before);
  EXPECT_EQ(stack.BranchesWith("/f"), "01");
  stack.Mount();
  EXPECT_GE(stack.Ino("/f"), 11U);  // any number is right after a mount
}

// Links of a directory: all of the top one's, and those to subdirectories of the others.
TEST(AufsInodes, AUFS_137) {
  AufsStack stack({{"rw", "d/a/"}, {"ro+wh", "d/b/ d/c/ d/e/"}});
  ASSERT_EQ(stack.BranchStat(0, "/d").nlink, 3U);
  ASSERT_EQ(stack.BranchStat(1, "/d").nlink, 5U);
  EXPECT_EQ(stack.StatOf("/d").nlink, 6U);
}

// A file that was removed from its branch directly is gone.
TEST(AufsInodes, AUFS_138) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=F"}}, "udba=reval");
  ASSERT_EQ(stack.Read("/f"), "F");
  ASSERT_EQ(Outcome(stack.OnBranch(1)->Unlink("/f")), "OK");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
}

// One that was covered directly may show either file, until the names are forgotten.
TEST(AufsInodes, AUFS_139) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=old"}}, "udba=reval");
  ASSERT_EQ(stack.Read("/f"), "old");
  Result<void> made = stack.OnBranch(0)->Mknod("/f", FileType::kRegular, 0644, 0);
  ASSERT_EQ(Outcome(made), "OK");
  EXPECT_THAT(stack.Read("/f"), AnyOf("old", ""));
  stack.DropCaches();
  EXPECT_EQ(stack.Read("/f"), "");
}

// copy_file_range between branches.
TEST(AufsInodes, AUFS_140) {
  AufsStack stack({{"rw", "near=near to=to"}, {"ro+wh", "far=far"}});
  const Process::Fd to = stack.Open("/to", kReadWrite);
  Result<std::uint64_t> copied =
      stack.process().CopyRange(stack.Open("/far", kReadOnly), 0, to, 0, 3);
  EXPECT_EQ(Outcome(copied), "EXDEV");
  EXPECT_EQ(stack.Read("/to"), "to");
  copied = stack.process().CopyRange(stack.Open("/near", kReadOnly), 0, to, 0, 4);
  EXPECT_EQ(Outcome(copied), "OK");
  EXPECT_EQ(stack.Read("/to"), "near");
}

}  // namespace
}  // namespace lamina
