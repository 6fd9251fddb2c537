#include "lamina/base/credentials.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(Credentials, RootHasEveryCapability) {
  const Credentials root = RootCredentials();
  EXPECT_EQ(root.uid, 0U);
  EXPECT_TRUE(root.Has(Capability::kChown));
  EXPECT_TRUE(root.Has(Capability::kSetFCap));
}

TEST(Credentials, AUserHasNoCapability) {
  const Credentials user = UserCredentials(1000, 100);
  EXPECT_EQ(user.uid, 1000U);
  EXPECT_EQ(user.gid, 100U);
  EXPECT_FALSE(user.Has(Capability::kChown));
  EXPECT_FALSE(user.Has(Capability::kDacOverride));
}

TEST(Credentials, UserZeroIsRoot) {
  EXPECT_TRUE(UserCredentials(0, 5).Has(Capability::kDacOverride));
}

TEST(Credentials, OneCapabilityIsOneBit) {
  Credentials user = UserCredentials(1000, 100);
  user.capabilities = std::uint64_t{1} << 21;
  EXPECT_TRUE(user.Has(Capability::kSysAdmin));
  EXPECT_FALSE(user.Has(Capability::kSysResource));
}

TEST(Credentials, GroupsAreTheMainOneAndTheOthers) {
  Credentials user = UserCredentials(1000, 100);
  user.groups = {7, 8};
  EXPECT_TRUE(user.InGroup(100));
  EXPECT_TRUE(user.InGroup(8));
  EXPECT_FALSE(user.InGroup(9));
}

}  // namespace
}  // namespace lamina
