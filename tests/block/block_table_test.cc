#include "vfs/block/block_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>

namespace lamina::internal {
namespace {

using Table = BlockTable<int>;

TEST(BlockTable, FindsWhatWasAdded) {
  Table table;
  const int* const added = table.Add(513, std::make_unique<int>(7));
  EXPECT_EQ(table.Find(513), added);
  EXPECT_EQ(*added, 7);
  EXPECT_EQ(table.size(), 1U);
}

TEST(BlockTable, AnyOtherNumberGivesNull) {
  Table table;
  table.Add(513, std::make_unique<int>(7));
  EXPECT_EQ(table.Find(0), nullptr);
  EXPECT_EQ(table.Find(512), nullptr);
  EXPECT_EQ(table.Find(1024), nullptr);
  EXPECT_EQ(table.Find(std::numeric_limits<std::uint64_t>::max()), nullptr);
}

// Goal: the metadata keeps pointers to blocks while others come and go.
TEST(BlockTable, ABlockStaysWhereItIs) {
  Table table;
  const int* const first = table.Add(3, std::make_unique<int>(1));
  table.Add(100000, std::make_unique<int>(2));
  table.Erase(100000);
  EXPECT_EQ(table.Find(3), first);
  EXPECT_EQ(table.Find(100000), nullptr);
  EXPECT_EQ(table.size(), 1U);
}

TEST(BlockTable, ClearForgetsAll) {
  Table table;
  table.Add(3, std::make_unique<int>(1));
  table.Clear();
  EXPECT_EQ(table.Find(3), nullptr);
  EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace lamina::internal
