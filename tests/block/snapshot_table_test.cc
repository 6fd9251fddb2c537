// The table lines of snapshot-origin, snapshot and snapshot-merge.
#include "lamina/block/snapshot_table.h"

#include <gtest/gtest.h>

#include <string>

namespace lamina {
namespace {

TEST(SnapshotTable, ReadsTheArgumentsAndWritesThemAgain) {
  const TableResult<SnapshotTable> table = ParseSnapshotTable(
      "16 2048 snapshot base cow po 8 2 discard_passdown_origin DISCARD_zeroes_cow");
  ASSERT_TRUE(table.ok()) << table.message();
  EXPECT_EQ(*table, (SnapshotTable{.start_sector = 16,
                                   .length_sectors = 2048,
                                   .origin_device = "base",
                                   .cow_device = "cow",
                                   .store = SnapshotStore::kPersistentOverflow,
                                   .chunk_sectors = 8,
                                   .discard_zeroes_cow = true,
                                   .discard_passdown_origin = true}));
  EXPECT_EQ(TableText(*table), "base cow PO 8 2 discard_zeroes_cow discard_passdown_origin");
}

TEST(SnapshotTable, ReadsAMergeAndAnOrigin) {
  const TableResult<SnapshotTable> merge = ParseSnapshotTable("0 8 snapshot-merge base cow P 0");
  ASSERT_TRUE(merge.ok());
  EXPECT_EQ(merge->kind, SnapshotKind::kMerge);
  EXPECT_EQ(TableText(*merge), "base cow P 0");
  const TableResult<SnapshotOriginTable> origin =
      ParseSnapshotOriginTable("0 8 snapshot-origin base\n");
  ASSERT_TRUE(origin.ok());
  EXPECT_EQ(TableText(*origin), "base");
  EXPECT_EQ(origin->length_sectors, 8u);
}

struct BadTable {
  const char* name;
  const char* text;
  const char* message;
};

class SnapshotTableErrors : public ::testing::TestWithParam<BadTable> {};

TEST_P(SnapshotTableErrors, AreInvalidAndSayWhy) {
  const TableResult<SnapshotTable> table = ParseSnapshotTable(GetParam().text);
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error(), Errno::kInval);
  EXPECT_EQ(table.message(), GetParam().message);
}

constexpr BadTable kBadTables[] = {
    {"Empty", "", "a table line is '<start> <length> snapshot ...'"},
    {"TwoLines", "0 8 snapshot a b P 8\n0 8 snapshot a b P 8",
     "the table of a snapshot has one line"},
    {"Target", "0 8 linear a 0 8 8", "the target is 'linear', not snapshot"},
    {"Length", "0 0 snapshot a b P 8", "a snapshot of length 0"},
    {"Few", "0 8 snapshot a b P",
     "a snapshot needs 4 arguments: origin device, COW device, P|PO|N, chunk size"},
    {"Same", "0 8 snapshot a a P 8", "origin and COW device are the same device"},
    {"Store", "0 8 snapshot a b Q 8", "the store 'Q' is not P, PO or N"},
    {"StoreOption", "0 8 snapshot a b PX 8", "the store 'PX' is not P, PO or N"},
    {"ChunkOdd", "0 8 snapshot a b P 24",
     "the chunk size '24' is no power of two from 1 to 2097152 sectors"},
    {"ChunkWord", "0 8 snapshot a b P 4k",
     "the chunk size '4k' is no power of two from 1 to 2097152 sectors"},
    {"ChunkHuge", "0 8 snapshot a b P 4194304",
     "the chunk size '4194304' is no power of two from 1 to 2097152 sectors"},
    {"TransientChunk", "0 8 snapshot a b N 0", "a transient store needs a chunk size"},
    {"TransientMerge", "0 8 snapshot-merge a b N 8", "a transient store cannot be merged"},
    {"FeatureCount", "0 8 snapshot a b P 8 x", "the feature count 'x' is no number"},
    {"TooMany", "0 8 snapshot a b P 8 3 discard_zeroes_cow discard_zeroes_cow discard_zeroes_cow",
     "3 features; at most 2 can be given"},
    {"Missing", "0 8 snapshot a b P 8 2 discard_zeroes_cow", "2 features announced, 1 given"},
    {"Unknown", "0 8 snapshot a b P 8 1 zero", "unknown snapshot feature 'zero'"},
    {"Passdown", "0 8 snapshot a b P 8 1 discard_passdown_origin",
     "discard_passdown_origin depends on discard_zeroes_cow"},
};

INSTANTIATE_TEST_SUITE_P(Lines, SnapshotTableErrors, ::testing::ValuesIn(kBadTables),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(SnapshotTable, LargestChunkIsLegal) {
  EXPECT_TRUE(ParseSnapshotTable("0 8 snapshot a b P 2097152").ok());
  EXPECT_TRUE(ParseSnapshotTable("0 8 snapshot a b N 1").ok());
}

TEST(SnapshotTable, AnOriginTakesOneArgument) {
  EXPECT_EQ(ParseSnapshotOriginTable("0 8 snapshot-origin").message(),
            "a snapshot-origin takes 1 argument: the origin device");
  EXPECT_FALSE(ParseSnapshotOriginTable("0 8 snapshot-origin a b").ok());
  EXPECT_FALSE(ParseSnapshotOriginTable("0 0 snapshot-origin a").ok());
  EXPECT_FALSE(ParseSnapshotOriginTable("x 8 snapshot-origin a").ok());
}

}  // namespace
}  // namespace lamina
