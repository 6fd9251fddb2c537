#include "lamina/fs/permission.h"

#include "lamina/fs/posix_acl.h"
#include "tests/fs/process_fixture.h"

namespace lamina {
namespace {

using testing::Eq;
using testing::ValuesIn;

constexpr std::uint64_t Bit(Capability capability) {
  return std::uint64_t{1} << static_cast<unsigned>(capability);
}

struct AccessCase {
  std::string name;
  FileType type;
  std::uint16_t mode;  // owner 10, group 20
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint64_t capabilities;
  unsigned wanted;
  std::string want;
};
void PrintTo(const AccessCase& c, std::ostream* out) { *out << c.name; }

class CheckAccessTest : public testing::TestWithParam<AccessCase> {};

TEST_P(CheckAccessTest, FollowsTheClasses) {
  const AccessCase& c = GetParam();
  ProcessFixture fixture;
  Stat stat = *fixture.process.GetStat("/f", LastLink::kKeep);
  stat.type = c.type;
  stat.mode = c.mode;
  stat.uid = 10;
  stat.gid = 20;
  Credentials cred = UserCredentials(c.uid, c.gid);
  cred.capabilities = c.capabilities;
  const OpContext op{cred, {}, {}};
  EXPECT_THAT(Said(CheckAccess(op, fixture.fs, stat, c.wanted)), Eq(c.want));
}

constexpr FileType kFile = FileType::kRegular;
constexpr FileType kDir = FileType::kDirectory;
constexpr std::uint64_t kOverride = Bit(Capability::kDacOverride);
constexpr std::uint64_t kSearch = Bit(Capability::kDacReadSearch);

const AccessCase kCases[] = {
    {"owner_class", kFile, 0400, 10, 20, 0, kMayRead, "OK"},
    {"owner_class_decides", kFile, 0077, 10, 20, 0, kMayRead, "EACCES"},
    {"group_class", kFile, 0040, 11, 20, 0, kMayRead, "OK"},
    {"group_class_decides", kFile, 0707, 11, 20, 0, kMayRead, "EACCES"},
    {"other_class", kFile, 0004, 11, 21, 0, kMayRead, "OK"},
    {"all_bits_are_needed", kFile, 0600, 10, 20, 0, kMayRead | kMayExecute, "EACCES"},
    {"override_reads_and_writes", kFile, 0, 11, 21, kOverride, kMayRead | kMayWrite, "OK"},
    {"override_does_not_run_plain_files", kFile, 0666, 11, 21, kOverride, kMayExecute, "EACCES"},
    {"override_runs_programs", kFile, 0100, 11, 21, kOverride, kMayExecute, "OK"},
    {"override_searches", kDir, 0, 11, 21, kOverride, kMayExecute | kMayWrite, "OK"},
    {"read_search_reads_files", kFile, 0, 11, 21, kSearch, kMayRead, "OK"},
    {"read_search_does_not_write", kFile, 0, 11, 21, kSearch, kMayRead | kMayWrite, "EACCES"},
    {"read_search_searches", kDir, 0, 11, 21, kSearch, kMayRead | kMayExecute, "OK"},
    {"read_search_does_not_make_names", kDir, 0, 11, 21, kSearch, kMayWrite, "EACCES"},
};
INSTANTIATE_TEST_SUITE_P(All, CheckAccessTest, ValuesIn(kCases),
                         [](const auto& tested) { return tested.param.name; });

class PermissionTest : public testing::Test, protected ProcessFixture {
 protected:
  std::string Removing(std::string_view dir, std::string_view victim) {
    const OpContext op{process.credentials(), clock.now(), {}};
    const Stat dir_stat = *process.GetStat(dir, LastLink::kKeep);
    const Stat victim_stat = *process.GetStat(victim, LastLink::kKeep);
    return Said(CheckMayRemove(op, fs, dir_stat, victim_stat));
  }
};

TEST_F(PermissionTest, StickyDirectoryProtectsForeignFiles) {
  BecomeUser();
  EXPECT_THAT(Removing("/", "/f"), Eq("EPERM"));
  EXPECT_THAT(Removing("/", "/mine"), Eq("OK"));
  EXPECT_THAT(Removing("/d", "/d/e"), Eq("EACCES"));
}

TEST_F(PermissionTest, OwnerOfAStickyDirectoryMayRemoveAll) {
  Must(process.Chmod("/open/user", 01777));
  Put("/open/user/foreign", "", 0644);
  BecomeUser();
  EXPECT_THAT(Removing("/open/user", "/open/user/foreign"), Eq("OK"));
}

TEST_F(PermissionTest, AclIsNotAskedWithoutGroupBits) {
  const PosixAcl acl{{{AclTag::kUserObj, 6},
                      {AclTag::kUser, 6, 1000},
                      {AclTag::kGroupObj, 0},
                      {AclTag::kMask, 6},
                      {AclTag::kOther, 0}}};
  Must(
      process.Setxattr("/f", kAccessAclKey, FormatPosixAcl(acl), XattrMode::kSet, LastLink::kKeep));
  Must(process.Chmod("/f", 0600));
  BecomeUser();
  EXPECT_THAT(Said(process.CheckPath("/f", kMayRead, LastLink::kKeep)), Eq("EACCES"));
}

TEST_F(PermissionTest, ReadOnlyFileSystemIsToldBeforePermission) {
  fs.Freeze();
  BecomeUser();
  const OpContext op{process.credentials(), clock.now(), {}};
  const Stat shut = *process.GetStat("/shut", LastLink::kKeep);
  const Stat fifo = *process.GetStat("/p", LastLink::kKeep);
  EXPECT_THAT(Said(CheckAccess(op, fs, shut, kMayWrite)), Eq("EROFS"));
  EXPECT_THAT(Said(CheckAccess(op, fs, fifo, kMayWrite)), Eq("OK"));
}

}  // namespace
}  // namespace lamina
