#include "lamina/fs/posix_acl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "lamina/fs/permission.h"

namespace lamina {
namespace {

using testing::Eq;

constexpr std::uint32_t kOwner = 10;
constexpr std::uint32_t kGroup = 20;

AclEntry Owner(std::uint16_t permissions) { return {AclTag::kUserObj, permissions}; }
AclEntry User(std::uint32_t id, std::uint16_t permissions) {
  return {AclTag::kUser, permissions, id};
}
AclEntry OwningGroup(std::uint16_t permissions) { return {AclTag::kGroupObj, permissions}; }
AclEntry Group(std::uint32_t id, std::uint16_t permissions) {
  return {AclTag::kGroup, permissions, id};
}
AclEntry Mask(std::uint16_t permissions) { return {AclTag::kMask, permissions}; }
AclEntry Other(std::uint16_t permissions) { return {AclTag::kOther, permissions}; }

struct ParseCase {
  std::string name;
  PosixAcl acl;
  bool valid;
};

void PrintTo(const ParseCase& c, std::ostream* out) { *out << c.name; }

class PosixAclParse : public testing::TestWithParam<ParseCase> {};

TEST_P(PosixAclParse, TakesWhatLinuxTakes) {
  const Result<PosixAcl> parsed = ParsePosixAcl(FormatPosixAcl(GetParam().acl));
  ASSERT_THAT(parsed.ok(), Eq(GetParam().valid));
  EXPECT_TRUE(!parsed.ok() || *parsed == GetParam().acl);
  EXPECT_TRUE(parsed.ok() || parsed.error() == Errno::kInval);
}

INSTANTIATE_TEST_SUITE_P(
    All, PosixAclParse,
    testing::Values(
        ParseCase{"minimal", {{Owner(6), OwningGroup(4), Other(4)}}, true},
        ParseCase{
            "full",
            {{Owner(7), User(5, 6), User(7, 4), OwningGroup(5), Group(9, 1), Mask(7), Other(0)}},
            true},
        ParseCase{"mask_without_named", {{Owner(7), OwningGroup(5), Mask(7), Other(0)}}, true},
        ParseCase{"ids_need_no_order",
                  {{Owner(7), User(9, 6), User(7, 4), OwningGroup(5), Mask(7), Other(0)}},
                  true},
        ParseCase{"user_without_mask", {{Owner(7), User(5, 6), OwningGroup(5), Other(0)}}, false},
        ParseCase{"group_without_mask", {{Owner(7), OwningGroup(5), Group(5, 6), Other(0)}}, false},
        ParseCase{"no_owner", {{OwningGroup(5), Other(0)}}, false},
        ParseCase{"no_group", {{Owner(7), Other(0)}}, false},
        ParseCase{"no_other", {{Owner(7), OwningGroup(5)}}, false},
        ParseCase{"two_owners", {{Owner(7), Owner(7), OwningGroup(5), Other(0)}}, false},
        ParseCase{"other_before_group", {{Owner(7), Other(0), OwningGroup(5)}}, false},
        ParseCase{
            "user_after_group", {{Owner(7), OwningGroup(5), User(5, 6), Mask(7), Other(0)}}, false},
        ParseCase{"entry_after_other", {{Owner(7), OwningGroup(5), Other(0), Mask(7)}}, false},
        ParseCase{"permissions_over_7", {{Owner(8), OwningGroup(5), Other(0)}}, false},
        ParseCase{"user_without_id",
                  {{Owner(7), User(kNoAclId, 6), OwningGroup(5), Mask(7), Other(0)}},
                  false}),
    [](const auto& tested) { return tested.param.name; });

TEST(PosixAclFormat, IsVersion2LittleEndian) {
  const PosixAcl acl{{Owner(6), User(0x01020304, 4), OwningGroup(4), Mask(4), Other(0)}};
  const std::string want(
      "\x02\0\0\0"
      "\x01\0\x06\0\xff\xff\xff\xff"
      "\x02\0\x04\0\x04\x03\x02\x01"
      "\x04\0\x04\0\xff\xff\xff\xff"
      "\x10\0\x04\0\xff\xff\xff\xff"
      "\x20\0\x00\0\xff\xff\xff\xff",
      44);
  EXPECT_THAT(FormatPosixAcl(acl), Eq(want));
}

TEST(PosixAclParseBytes, EmptyValueIsNoAcl) { EXPECT_TRUE(ParsePosixAcl("")->empty()); }

TEST(PosixAclParseBytes, HeaderAloneIsNoAcl) {
  EXPECT_TRUE(ParsePosixAcl(std::string("\x02\0\0\0", 4))->empty());
}

TEST(PosixAclParseBytes, ShorterThanAHeaderIsInvalid) {
  EXPECT_THAT(ParsePosixAcl("ab").error(), Eq(Errno::kInval));
}

TEST(PosixAclParseBytes, OtherVersionIsNotSupported) {
  EXPECT_THAT(ParsePosixAcl(std::string("\x01\0\0\0", 4)).error(), Eq(Errno::kOpNotSupp));
}

TEST(PosixAclParseBytes, HalfAnEntryIsInvalid) {
  EXPECT_THAT(ParsePosixAcl(std::string("\x02\0\0\0\x01\0\x06\0", 8)).error(), Eq(Errno::kInval));
}

TEST(PosixAclParseBytes, IdOfAnEntryWithoutIdIsDropped) {
  PosixAcl acl{{Owner(6), OwningGroup(4), Other(4)}};
  acl.entries[0].id = 77;
  EXPECT_THAT(ParsePosixAcl(FormatPosixAcl(acl))->entries[0].id, Eq(kNoAclId));
}

TEST(PosixAclMode, GroupBitsAreTheMask) {
  EXPECT_THAT(ModeFromAcl({{Owner(7), User(1, 7), OwningGroup(5), Mask(2), Other(1)}}), Eq(0721));
}

TEST(PosixAclMode, GroupBitsAreTheGroupWithoutMask) {
  EXPECT_THAT(ModeFromAcl({{Owner(7), OwningGroup(5), Other(1)}}), Eq(0751));
}

TEST(PosixAclMode, ThreeEntriesAreEquivalentToAMode) {
  EXPECT_TRUE(IsEquivalentToMode({{Owner(7), OwningGroup(5), Other(1)}}));
  EXPECT_FALSE(IsEquivalentToMode({{Owner(7), OwningGroup(5), Mask(5), Other(1)}}));
}

TEST(PosixAclChmod, ChangesTheMaskAndKeepsTheGroup) {
  const PosixAcl acl{{Owner(7), User(1, 7), OwningGroup(5), Mask(7), Other(7)}};
  const PosixAcl want{{Owner(6), User(1, 7), OwningGroup(5), Mask(4), Other(0)}};
  EXPECT_THAT(ApplyModeToAcl(acl, 0640), Eq(want));
}

TEST(PosixAclChmod, ChangesTheGroupWithoutMask) {
  const PosixAcl acl{{Owner(7), OwningGroup(5), Other(7)}};
  const PosixAcl want{{Owner(6), OwningGroup(4), Other(0)}};
  EXPECT_THAT(ApplyModeToAcl(acl, 0640), Eq(want));
}

TEST(PosixAclInherit, FullAclIsCutByTheMode) {
  const PosixAcl parent{{Owner(7), User(1, 7), OwningGroup(7), Mask(7), Other(5)}};
  const InheritedAcl got = InheritAcl(parent, 04640);
  const PosixAcl want{{Owner(6), User(1, 7), OwningGroup(7), Mask(4), Other(0)}};
  EXPECT_THAT(got.mode, Eq(04640));
  EXPECT_THAT(got.access, testing::Optional(want));
}

TEST(PosixAclInherit, MinimalAclOnlyCutsTheMode) {
  const InheritedAcl got = InheritAcl({{Owner(7), OwningGroup(5), Other(0)}}, 0666);
  EXPECT_THAT(got.mode, Eq(0640));
  EXPECT_FALSE(got.access.has_value());
}

struct CheckCase {
  std::string name;
  Credentials cred;
  unsigned wanted;
  bool granted;
};

void PrintTo(const CheckCase& c, std::ostream* out) { *out << c.name; }

Credentials Caller(std::uint32_t uid, std::uint32_t gid, std::vector<std::uint32_t> groups = {}) {
  Credentials cred = UserCredentials(uid, gid);
  cred.groups = std::move(groups);
  return cred;
}

class PosixAclCheck : public testing::TestWithParam<CheckCase> {};

// user::r-- user:5:rwx group::r-x group:30:rw- mask::rw- other::--x
TEST_P(PosixAclCheck, GrantsWhatLinuxGrants) {
  const PosixAcl acl{{Owner(4), User(5, 7), OwningGroup(5), Group(30, 6), Mask(6), Other(1)}};
  const CheckCase& c = GetParam();
  EXPECT_THAT(CheckAcl(acl, c.cred, kOwner, kGroup, c.wanted).ok(), Eq(c.granted));
}

INSTANTIATE_TEST_SUITE_P(
    All, PosixAclCheck,
    testing::Values(
        CheckCase{"owner_reads", Caller(kOwner, kGroup), kMayRead, true},
        CheckCase{"owner_is_not_helped_by_the_group", Caller(kOwner, 30), kMayWrite, false},
        CheckCase{"named_user_writes", Caller(5, 99), kMayRead | kMayWrite, true},
        CheckCase{"mask_cuts_named_user", Caller(5, 99), kMayExecute, false},
        CheckCase{"owning_group_reads", Caller(99, kGroup), kMayRead, true},
        CheckCase{"mask_cuts_owning_group", Caller(99, kGroup), kMayExecute, false},
        CheckCase{"named_group_by_supplementary_group", Caller(99, 98, {30}), kMayWrite, true},
        CheckCase{"one_group_must_grant_all", Caller(99, kGroup, {30}), kMayWrite | kMayExecute,
                  false},
        CheckCase{"second_group_grants", Caller(99, kGroup, {30}), kMayWrite, true},
        CheckCase{"group_member_is_never_other", Caller(99, 30), kMayExecute, false},
        CheckCase{"other_executes", Caller(99, 98), kMayExecute, true},
        CheckCase{"other_does_not_read", Caller(99, 98), kMayRead, false}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace lamina
