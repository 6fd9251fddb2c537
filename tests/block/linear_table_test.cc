// The table line of linear.
#include "lamina/block/linear_table.h"

#include <gtest/gtest.h>

#include <string>

namespace lamina {
namespace {

TEST(LinearTable, ReadsTheArgumentsAndWritesThemAgain) {
  const TableResult<LinearTable> table =
      ParseLinearTable("16 2048 linear 8:0 18446744073709551615");
  ASSERT_TRUE(table.ok()) << table.message();
  EXPECT_EQ(*table, (LinearTable{.start_sector = 16,
                                 .length_sectors = 2048,
                                 .device = "8:0",
                                 .first_sector = 18446744073709551615u}));
  EXPECT_EQ(TableText(*table), "8:0 18446744073709551615");
}

struct BadTable {
  const char* name;
  const char* text;
  const char* message;
};

class LinearTableErrors : public ::testing::TestWithParam<BadTable> {};

TEST_P(LinearTableErrors, AreInvalidAndSayWhy) {
  const TableResult<LinearTable> table = ParseLinearTable(GetParam().text);
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error(), Errno::kInval);
  EXPECT_EQ(table.message(), GetParam().message);
}

constexpr BadTable kBadTables[] = {
    {"Empty", "", "a table line is '<start> <length> linear ...'"},
    {"TwoLines", "0 8 linear a 0\n8 8 linear a 8", "the table of a linear has one line"},
    {"Start", "-1 8 linear a 0", "the start '-1' is no number"},
    {"Large", "0 18446744073709551616 linear a 0",
     "the length '18446744073709551616' is no number"},
    {"Target", "0 8 thin a 0", "the target is 'thin', not linear"},
    {"Length", "0 0 linear a 0", "a linear device of length 0"},
    {"Few", "0 8 linear a", "a linear device takes 2 arguments: the device, its first sector"},
    {"Many", "0 8 linear a 0 0", "a linear device takes 2 arguments: the device, its first sector"},
    {"Sector", "0 8 linear a 4KiB", "the first sector '4KiB' is no number"},
};

INSTANTIATE_TEST_SUITE_P(All, LinearTableErrors, ::testing::ValuesIn(kBadTables),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace lamina
