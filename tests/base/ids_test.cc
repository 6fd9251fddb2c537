#include "lamina/base/ids.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace lamina {
namespace {

static_assert(!std::is_convertible_v<NodeId, HandleId>);
static_assert(sizeof(NodeId) == sizeof(std::uint64_t));

TEST(Id, IsZeroByDefault) { EXPECT_EQ(NodeId{}.value, 0U); }

TEST(Id, ComparesByNumber) {
  EXPECT_EQ(NodeId{3}, NodeId{3});
  EXPECT_NE(NodeId{3}, NodeId{4});
  EXPECT_LT(Sector{3}, Sector{4});
}

TEST(Id, CanBeAHashKey) {
  const std::unordered_set<ThinId> ids = {ThinId{1}, ThinId{2}, ThinId{1}};
  EXPECT_EQ(ids.size(), 2U);
  EXPECT_TRUE(ids.contains(ThinId{2}));
}

TEST(LayerId, ComparesByText) {
  EXPECT_EQ(LayerId{"base"}, LayerId{"base"});
  EXPECT_LT(LayerId{"a"}, LayerId{"b"});
}

}  // namespace
}  // namespace lamina
