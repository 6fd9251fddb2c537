// Table lines of thin-pool and thin: what is accepted, what is refused, what is printed.
#include "lamina/block/thin_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace lamina {
namespace {

using ::testing::HasSubstr;

constexpr char kLine[] = "0 2097152 thin-pool meta data 128 0";

TEST(ThinPoolTable, DM_070_DockersLoopPoolLine) {
  const TableResult<ThinPoolTable> table =
      ParseThinPoolTable("0 209715200 thin-pool 7:1 7:0 128 32768 1 skip_block_zeroing");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(*table, (ThinPoolTable{.length_sectors = 209'715'200,
                                   .metadata_device = "7:1",
                                   .data_device = "7:0",
                                   .block_sectors = 128,
                                   .low_water_blocks = 32768,
                                   .features = {.skip_block_zeroing = true}}));
  EXPECT_EQ(TableText(*table), "7:1 7:0 128 32768 1 skip_block_zeroing ");
}

TEST(ThinPoolTable, FeaturesAreKnownInAnyCaseAndShownInTheKernelsOrder) {
  const TableResult<ThinPoolTable> table = ParseThinPoolTable(
      std::string(kLine) + " 4 ERROR_if_no_space Read_Only no_discard_passdown ignore_discard");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(TableText(*table),
            "meta data 128 0 4 ignore_discard no_discard_passdown read_only error_if_no_space ");
}

TEST(ThinPoolTable, BlanksOfAnyKindSeparateAndALineMayEnd) {
  EXPECT_TRUE(ParseThinPoolTable("  0\t2097152 thin-pool   meta data 128 0 \n").ok());
  EXPECT_TRUE(ParseThinPoolTable(std::string(kLine) + " 0").ok());
}

TEST(ThinPoolTable, WordsBehindTheCountedFeaturesAreNotLookedAt) {
  const TableResult<ThinPoolTable> table =
      ParseThinPoolTable(std::string(kLine) + " 1 read_only error_if_no_space nonsense");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->features, ThinPoolFeatures{.read_only = true});
}

TEST(ThinPoolTable, AFeatureGivenTwiceCountsOnce) {
  const TableResult<ThinPoolTable> table =
      ParseThinPoolTable(std::string(kLine) + " 2 read_only read_only");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(TableText(*table), "meta data 128 0 1 read_only ");
}

struct Refusal {
  std::string name;
  std::string line;
  std::string says;
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class ThinPoolTableRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(ThinPoolTableRefusal, IsInvalidAndSaysWhy) {
  const TableResult<ThinPoolTable> table = ParseThinPoolTable(GetParam().line);
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error(), Errno::kInval);
  EXPECT_THAT(table.message(), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, ThinPoolTableRefusal,
    ::testing::Values(
        Refusal{"Empty", "", "start"}, Refusal{"Short", "0 100", "start"},
        Refusal{"BadStart", "x 100 thin-pool m d 128 0", "start 'x'"},
        Refusal{"StartPastTheBeginning", "8 100 thin-pool m d 128 0", "sector 0"},
        Refusal{"BadLength", "0 1e3 thin-pool m d 128 0", "length '1e3'"},
        Refusal{"NegativeLength", "0 -1 thin-pool m d 128 0", "length '-1'"},
        Refusal{"NoLength", "0 0 thin-pool m d 128 0", "length 0"},
        Refusal{"HugeLength", "0 18446744073709551616 thin-pool m d 128 0", "length"},
        Refusal{"OtherTarget", "0 100 thin m d 128 0", "target is 'thin'"},
        Refusal{"TwoTargets", "0 100 thin-pool m d 128 0\n100 100 linear d 0", "one line"},
        Refusal{"ThreeArguments", "0 100 thin-pool m d 128", "4 arguments"},
        Refusal{"DM_040_SameDevice", "0 100 thin-pool m m 128 0", "same device"},
        Refusal{"DM_039_Block64", "0 100 thin-pool m d 64 0", "block size '64'"},
        Refusal{"DM_039_Block185", "0 100 thin-pool m d 185 0", "block size '185'"},
        Refusal{"DM_039_Block2097153", "0 100 thin-pool m d 2097153 0", "2097153"},
        Refusal{"Block320", "0 100 thin-pool m d 320 0", "block size '320'"},
        Refusal{"BlockPastTheMost", "0 100 thin-pool m d 2097280 0", "2097280"},
        Refusal{"Block0", "0 100 thin-pool m d 0 0", "block size '0'"},
        Refusal{"BlockText", "0 100 thin-pool m d 64k 0", "block size '64k'"},
        Refusal{"LowWaterText", "0 100 thin-pool m d 128 -1", "low water mark '-1'"},
        Refusal{"CountText", "0 100 thin-pool m d 128 0 read_only", "feature count"},
        Refusal{"CountNegative", "0 100 thin-pool m d 128 0 -1", "feature count"},
        Refusal{"CountFive",
                "0 100 thin-pool m d 128 0 5 skip_block_zeroing ignore_discard "
                "no_discard_passdown read_only error_if_no_space",
                "at most 4"},
        Refusal{"CountAboveTheWords", "0 100 thin-pool m d 128 0 2 read_only", "2 features"},
        Refusal{"DM_040_UnknownFeature", "0 100 thin-pool m d 128 0 1 fast", "'fast'"}),
    [](const auto& one) { return one.param.name; });

TEST(ThinPoolTable, DM_039_BlockSizesThatAreLegal) {
  EXPECT_TRUE(ParseThinPoolTable("0 2097152 thin-pool m d 2097152 0").ok());
  EXPECT_TRUE(ParseThinPoolTable("0 2097152 thin-pool m d 192 0").ok());
  EXPECT_TRUE(ParseThinPoolTable("0 2097152 thin-pool m d 384 0").ok());
}

TEST(ThinTable, ReadsPoolIdAndOrigin) {
  const TableResult<ThinTable> table = ParseThinTable("8 1024 thin 254:0 16777215 7:3");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(*table, (ThinTable{.start_sector = 8,
                               .length_sectors = 1024,
                               .pool_device = "254:0",
                               .id = ThinId{16'777'215},
                               .external_origin = "7:3"}));
  EXPECT_EQ(TableText(*table), "254:0 16777215 7:3");
  EXPECT_EQ(TableText(*ParseThinTable("0 1024 thin pool 0")), "pool 0");
}

class ThinTableRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(ThinTableRefusal, IsInvalidAndSaysWhy) {
  const TableResult<ThinTable> table = ParseThinTable(GetParam().line);
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error(), Errno::kInval);
  EXPECT_THAT(table.message(), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, ThinTableRefusal,
    ::testing::Values(Refusal{"OneArgument", "0 8 thin pool", "2 or 3"},
                      Refusal{"FourArguments", "0 8 thin pool 0 origin more", "2 or 3"},
                      Refusal{"OriginIsThePool", "0 8 thin pool 0 pool", "is the pool"},
                      Refusal{"IdText", "0 8 thin pool x", "device id 'x'"},
                      Refusal{"IdHex", "0 8 thin pool 0x10", "device id '0x10'"},
                      Refusal{"IdTooLarge", "0 8 thin pool 16777216", "16777216"},
                      Refusal{"NoLength", "0 0 thin pool 0", "length 0"},
                      Refusal{"PastTheEnd", "18446744073709551615 8 thin pool 0", "2^64"},
                      Refusal{"OtherTarget", "0 8 thin-pool pool 0", "target is 'thin-pool'"}),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace lamina
