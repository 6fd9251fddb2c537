// What thin_ls and thin_delta 0.9.0 print, recorded from the tools.
#include "lamina/image/thin_tool_text.h"

#include <gtest/gtest.h>

#include <string>

namespace lamina {
namespace {

TEST(ThinToolText, SizesAreThoseOfThinLs) {
  EXPECT_EQ(ThinToolSize(0, 128), "0");
  EXPECT_EQ(ThinToolSize(1, 1), "512");
  EXPECT_EQ(ThinToolSize(15, 1), "7680");
  EXPECT_EQ(ThinToolSize(16, 1), "8192");
  EXPECT_EQ(ThinToolSize(17, 1), "9KiB");
  EXPECT_EQ(ThinToolSize(1, 128), "64KiB");
  EXPECT_EQ(ThinToolSize(15, 128), "960KiB");
  EXPECT_EQ(ThinToolSize(128, 128), "8192KiB");
  EXPECT_EQ(ThinToolSize(129, 128), "8MiB");
}

TEST(ThinToolText, ColumnsAreAlignedToTheRight) {
  const std::vector<ThinDeviceCounts> counts = {{1, 4, 1, 0, 0, 1}, {123, 500, 2, 1, 1, 123456}};
  EXPECT_EQ(ThinLsTable(counts, 128),
            "DEV MAPPED CREATE_TIME SNAP_TIME \n"
            "  1 256KiB           0         1 \n"
            "123  31MiB           1    123456 \n");
}

ThinDump Pool() {
  ThinDump dump;
  dump.time = 1;
  dump.transaction = 3;
  dump.nr_data_blocks = 16;
  dump.devices = {{1, 4, 0, 0, 1, {{0, 4, 1, 1}, {1, 1, 3, 0}}},
                  {2, 5, 1, 1, 1, {{0, 0, 4, 0}, {9, 5, 1, 1}}}};
  return dump;
}

std::string DeltaXml(ThinDeltaDetail detail) {
  const ThinDump dump = Pool();
  std::string text;
  WriteThinDeltaXml(dump, 1, 2, DiffThinDevices(dump.devices[0], dump.devices[1]), detail,
                    [&](std::string_view piece) { text.append(piece); });
  return text;
}

TEST(ThinToolText, DeltaIsThatOfThinDelta) {
  EXPECT_EQ(
      DeltaXml(ThinDeltaDetail::kRuns),
      R"(<superblock uuid="" time="1" transaction="3" data_block_size="128" nr_data_blocks="16">
  <diff left="1" right="2">
    <different begin="0" length="1"/>
    <same begin="1" length="3"/>
    <right_only begin="9" length="1"/>
  </diff>
</superblock>
)");
}

TEST(ThinToolText, VerboseDeltaNamesDataBlocks) {
  EXPECT_EQ(
      DeltaXml(ThinDeltaDetail::kRanges),
      R"(<superblock uuid="" time="1" transaction="3" data_block_size="128" nr_data_blocks="16">
  <diff left="1" right="2">
    <different>
      <range begin="0" left_data_begin="4" right_data_begin="0" length="1"/>
    </different>
    <same>
      <range begin="1" data_begin="1" length="3"/>
    </same>
    <right_only>
      <range begin="9" data_begin="5" length="1"/>
    </right_only>
  </diff>
</superblock>
)");
}

}  // namespace
}  // namespace lamina
