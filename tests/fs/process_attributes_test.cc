#include "lamina/fs/posix_acl.h"
#include "tests/fs/process_fixture.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::Eq;
using testing::ValuesIn;

constexpr LastLink kKeep = LastLink::kKeep;

std::string Set(Process& p, std::string_view path, std::string_view key,
                std::string_view value = "1") {
  return Said(p.Setxattr(path, key, value, XattrMode::kSet, kKeep));
}

std::string Get(Process& p, std::string_view path, std::string_view key) {
  return Said(p.Getxattr(path, key, kKeep));
}

class AttributesAsUser : public ProcessCallTest {};
TEST_P(AttributesAsUser, SaysWhatLinuxSays) {
  fixture_.BecomeUser();
  Check();
}

const CallCase kAsUser[] = {
    {"chown_keeping_both", [](Process& p) { return Said(p.Chown("/f", {}, {}, kKeep)); }, "OK"},
    {"chown_own_file_to_itself",
     [](Process& p) { return Said(p.Chown("/mine", 1000, 1000, kKeep)); }, "OK"},
    {"chown_away", [](Process& p) { return Said(p.Chown("/mine", 1001, {}, kKeep)); }, "EPERM"},
    {"chgrp_to_foreign_group", [](Process& p) { return Said(p.Chown("/mine", {}, 7, kKeep)); },
     "EPERM"},
    {"chmod_foreign", [](Process& p) { return Said(p.Chmod("/f", 0600)); }, "EPERM"},
    {"touch_foreign", [](Process& p) { return Said(p.Utimens("/f", kTimeNow, kTimeNow, kKeep)); },
     "EACCES"},
    {"set_times_foreign",
     [](Process& p) { return Said(p.Utimens("/f", kTimeSet, kTimeNow, kKeep)); }, "EPERM"},
    {"touch_half_foreign",
     [](Process& p) { return Said(p.Utimens("/f", kTimeKept, kTimeNow, kKeep)); }, "EPERM"},
    {"keep_times_of_nothing",
     [](Process& p) { return Said(p.Utimens("/nope", kTimeKept, kTimeKept, kKeep)); }, "OK"},
    {"truncate_foreign", [](Process& p) { return Said(p.Truncate("/f", 0)); }, "EACCES"},
    {"access_write_foreign", [](Process& p) { return Said(p.CheckPath("/f", kMayWrite, kKeep)); },
     "EACCES"},
    {"access_read_foreign", [](Process& p) { return Said(p.CheckPath("/f", kMayRead, kKeep)); },
     "OK"},
    {"set_trusted", [](Process& p) { return Set(p, "/mine", "trusted.a"); }, "EPERM"},
    {"get_trusted", [](Process& p) { return Get(p, "/f", "trusted.a"); }, "ENODATA"},
    {"set_security", [](Process& p) { return Set(p, "/mine", "security.a"); }, "EPERM"},
    {"set_bad_capability", [](Process& p) { return Set(p, "/f", "security.capability"); },
     "EINVAL"},
    {"set_user_foreign", [](Process& p) { return Set(p, "/f", "user.a"); }, "EACCES"},
    {"set_unknown_foreign", [](Process& p) { return Set(p, "/f", "bogus.a"); }, "EACCES"},
    {"set_unknown_own", [](Process& p) { return Set(p, "/mine", "bogus.a"); }, "EOPNOTSUPP"},
    {"set_bare_namespace", [](Process& p) { return Set(p, "/mine", "user."); }, "EINVAL"},
    {"get_bare_namespace", [](Process& p) { return Get(p, "/mine", "user."); }, "EINVAL"},
    {"set_user_on_sticky_directory", [](Process& p) { return Set(p, "/", "user.a"); }, "EPERM"},
    {"set_empty_key", [](Process& p) { return Set(p, "/nope", ""); }, "ERANGE"},
    {"set_user_on_link", [](Process& p) { return Set(p, "/lf", "user.a"); }, "EPERM"},
    {"get_user_on_link", [](Process& p) { return Get(p, "/lf", "user.a"); }, "ENODATA"},
    {"set_acl_foreign",
     [](Process& p) {
       const PosixAcl acl{{{AclTag::kUserObj, 6}, {AclTag::kGroupObj, 4}, {AclTag::kOther, 4}}};
       return Set(p, "/f", kAccessAclKey, FormatPosixAcl(acl));
     },
     "EPERM"},
};
INSTANTIATE_TEST_SUITE_P(All, AttributesAsUser, ValuesIn(kAsUser), CallName);

class AttributesAsRoot : public ProcessCallTest {};
TEST_P(AttributesAsRoot, SaysWhatLinuxSays) { Check(); }

const CallCase kAsRoot[] = {
    {"truncate_directory", [](Process& p) { return Said(p.Truncate("/d", 0)); }, "EISDIR"},
    {"truncate_fifo", [](Process& p) { return Said(p.Truncate("/p", 0)); }, "EINVAL"},
    {"access_execute_plain_file",
     [](Process& p) { return Said(p.CheckPath("/f", kMayExecute, kKeep)); }, "EACCES"},
    {"access_execute_program",
     [](Process& p) { return Said(p.CheckPath("/suid", kMayExecute, kKeep)); }, "OK"},
    {"stat_link_slash", [](Process& p) { return Said(p.GetStat("/lf/", kKeep)); }, "ENOTDIR"},
    {"set_default_acl_on_file",
     [](Process& p) {
       const PosixAcl acl{{{AclTag::kUserObj, 6}, {AclTag::kGroupObj, 4}, {AclTag::kOther, 4}}};
       return Set(p, "/f", kDefaultAclKey, FormatPosixAcl(acl));
     },
     "EACCES"},
    {"remove_missing_acl",
     [](Process& p) { return Said(p.Removexattr("/f", kAccessAclKey, kKeep)); }, "OK"},
    {"remove_missing_key", [](Process& p) { return Said(p.Removexattr("/f", "user.a", kKeep)); },
     "ENODATA"},
    {"set_too_large", [](Process& p) { return Set(p, "/nope", "user.a", std::string(65537, 'x')); },
     "E2BIG"},
};
INSTANTIATE_TEST_SUITE_P(All, AttributesAsRoot, ValuesIn(kAsRoot), CallName);

class AttributesReadOnly : public ProcessCallTest {};
TEST_P(AttributesReadOnly, SaysWhatLinuxSays) {
  fixture_.fs.Freeze();
  Check();
}

const CallCase kReadOnly[] = {
    {"chmod_missing_first", [](Process& p) { return Said(p.Chmod("/nope", 0)); }, "ENOENT"},
    {"chmod", [](Process& p) { return Said(p.Chmod("/f", 0)); }, "EROFS"},
    {"truncate_directory_first", [](Process& p) { return Said(p.Truncate("/d", 0)); }, "EISDIR"},
    {"truncate", [](Process& p) { return Said(p.Truncate("/f", 0)); }, "EROFS"},
    {"set_unknown", [](Process& p) { return Set(p, "/f", "bogus.a"); }, "EROFS"},
    {"touch", [](Process& p) { return Said(p.Utimens("/f", kTimeNow, kTimeNow, kKeep)); }, "EROFS"},
    {"access_write", [](Process& p) { return Said(p.CheckPath("/f", kMayWrite, kKeep)); }, "EROFS"},
    {"access_write_fifo", [](Process& p) { return Said(p.CheckPath("/p", kMayWrite, kKeep)); },
     "OK"},
};
INSTANTIATE_TEST_SUITE_P(All, AttributesReadOnly, ValuesIn(kReadOnly), CallName);

class ProcessAttributes : public testing::Test, protected ProcessFixture {
 protected:
  std::uint16_t ModeOf(std::string_view path) { return process.GetStat(path, kKeep)->mode; }
};

TEST_F(ProcessAttributes, ChownDropsSetIdBits) {
  Must(process.Chown("/suid", 5, {}, kKeep));
  EXPECT_THAT(ModeOf("/suid"), Eq(0755));
}

TEST_F(ProcessAttributes, ChownThatKeepsBothDropsSetIdBitsToo) {
  Must(process.Chown("/suid", {}, {}, kKeep));
  EXPECT_THAT(ModeOf("/suid"), Eq(0755));
}

TEST_F(ProcessAttributes, OnlyTheOwnerMayDropSetIdBitsThatWay) {
  BecomeUser(1001);
  EXPECT_THAT(Said(process.Chown("/suid", {}, {}, kKeep)), Eq("EPERM"));
  EXPECT_THAT(ModeOf("/suid"), Eq(04755));
}

TEST_F(ProcessAttributes, ChmodByAStrangerToTheGroupDropsSetGid) {
  Must(process.Chown("/mine", 1000, 7, kKeep));
  BecomeUser();
  Must(process.Chmod("/mine", 02755));
  EXPECT_THAT(ModeOf("/mine"), Eq(0755));
}

TEST_F(ProcessAttributes, TrustedKeysAreHiddenFromUsers) {
  Must(process.Setxattr("/mine", "trusted.a", "1", XattrMode::kSet, kKeep));
  Must(process.Setxattr("/mine", "user.a", "1", XattrMode::kSet, kKeep));
  BecomeUser();
  EXPECT_THAT(*process.Listxattr("/mine", kKeep), ElementsAre("user.a"));
}

TEST_F(ProcessAttributes, AclLetsANamedUserIn) {
  const PosixAcl acl{{{AclTag::kUserObj, 6},
                      {AclTag::kUser, 6, 1000},
                      {AclTag::kGroupObj, 0},
                      {AclTag::kMask, 6},
                      {AclTag::kOther, 0}}};
  Must(process.Setxattr("/f", kAccessAclKey, FormatPosixAcl(acl), XattrMode::kSet, kKeep));
  BecomeUser();
  EXPECT_THAT(Said(process.Truncate("/f", 0)), Eq("OK"));
  BecomeUser(1001);
  EXPECT_THAT(Said(process.CheckPath("/f", kMayRead, kKeep)), Eq("EACCES"));
}

TEST_F(ProcessAttributes, DefaultAclReplacesTheUmask) {
  const PosixAcl acl{{{AclTag::kUserObj, 7}, {AclTag::kGroupObj, 7}, {AclTag::kOther, 5}}};
  Must(process.Setxattr("/d", kDefaultAclKey, FormatPosixAcl(acl), XattrMode::kSet, kKeep));
  process.set_umask(077);
  Must(process.Mkdir("/d/new", 0777));
  Must(process.Mkdir("/open/new", 0777));
  EXPECT_THAT(ModeOf("/d/new"), Eq(0775));
  EXPECT_THAT(ModeOf("/open/new"), Eq(0700));
}

TEST_F(ProcessAttributes, TimesOfOneCallAreEqual) {
  Must(process.Utimens("/f", kTimeNow, kTimeNow, kKeep));
  const Stat stat = *process.GetStat("/f", kKeep);
  EXPECT_THAT(stat.atime, Eq(stat.mtime));
  EXPECT_THAT(stat.ctime, Eq(stat.mtime));
}

}  // namespace
}  // namespace lamina
