// LintThinDump: what a kernel would not write.
#include "lamina/block/thin_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <ostream>
#include <string>

#include "lamina/block/thin_canonical.h"
#include "tests/block/thin_dump_model.h"

namespace lamina {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Line(const ThinFinding& finding) {
  const char* kind = finding.kind == ThinFindingKind::kDamage ? "damage: " : "odd: ";
  return kind + finding.what;
}

std::vector<std::string> Lines(const ThinDump& dump) {
  std::vector<std::string> lines;
  for (const ThinFinding& finding : LintThinDump(dump)) lines.push_back(Line(finding));
  return lines;
}

ThinDump Sound() {
  ThinDump dump;
  dump.time = 1;
  dump.transaction = 1;
  dump.nr_data_blocks = 16;
  dump.devices = {{1, 4, 0, 0, 1, {{0, 4, 1, 1}, {1, 1, 3, 0}}},
                  {2, 5, 1, 1, 1, {{0, 0, 4, 0}, {9, 5, 1, 1}}}};
  return dump;
}

TEST(ThinLint, FindsNothingInASoundPool) { EXPECT_THAT(Lines(Sound()), IsEmpty()); }

struct Case {
  std::string name;
  std::function<void(ThinDump&)> spoil;
  std::string finding;
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

class ThinLintFinds : public ::testing::TestWithParam<Case> {};

TEST_P(ThinLintFinds, It) {
  ThinDump dump = Sound();
  GetParam().spoil(dump);
  EXPECT_THAT(Lines(dump), Contains(GetParam().finding));
}

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

INSTANTIATE_TEST_SUITE_P(
    All, ThinLintFinds,
    ::testing::Values(
        Case{"Version", [](ThinDump& d) { d.version = 1; }, "odd: version is 1, not 2"},
        Case{"BlockSize", [](ThinDump& d) { d.data_block_size = 100; },
             "odd: data_block_size 100 is not a multiple of 128 in 128..2097152"},
        Case{"PoolTime", [](ThinDump& d) { d.time = 1U << 24U; },
             "odd: the pool's time 16777216 needs more than 24 bits"},
        Case{"TooManyBlocks", [](ThinDump& d) { d.nr_data_blocks = kMaxThinDataBlocks + 1; },
             "damage: nr_data_blocks 1099511627777 is more than 2^40"},
        Case{"DeviceId", [](ThinDump& d) { d.devices[1].dev_id = kMaxThinId + 1; },
             "odd: device 16777216: the id needs more than 24 bits"},
        Case{"Order", [](ThinDump& d) { d.devices[1].dev_id = 0; },
             "odd: device 0 comes after device 1"},
        Case{"Twice", [](ThinDump& d) { d.devices[1].dev_id = 1; },
             "damage: device 1 is there more than once"},
        Case{"Creation", [](ThinDump& d) { d.devices[0].creation_time = 2; },
             "odd: device 1: creation_time 2 is later than snap_time 1"},
        Case{"SnapTime", [](ThinDump& d) { d.devices[0].snap_time = 2; },
             "odd: device 1: snap_time 2 is later than the pool's time 1"},
        Case{"Transaction", [](ThinDump& d) { d.devices[0].transaction = 2; },
             "odd: device 1: transaction 2 is later than the pool's 1"},
        Case{"MappedBlocks", [](ThinDump& d) { d.devices[0].mapped_blocks = 5; },
             "damage: device 1: mapped_blocks is 5, but 4 are mapped"},
        Case{"EmptyRun",
             [](ThinDump& d) {
               d.devices[0].runs.push_back({7, 0, 0, 0});
             },
             "odd: device 1, virtual block 7: an empty run"},
        Case{"PastTheEnd", [](ThinDump& d) { d.nr_data_blocks = 5; },
             "damage: device 2, virtual block 9: data block 5 is past the pool's 5"},
        Case{"RunTime", [](ThinDump& d) { d.devices[0].runs[0].time = 2; },
             "odd: device 1, virtual block 0: time 2 is later than the pool's time 1"},
        Case{"RunTimeBits", [](ThinDump& d) { d.devices[0].runs[0].time = 1U << 24U; },
             "damage: device 1, virtual block 0: time 16777216 needs more than 24 bits"},
        Case{"RunOrder", [](ThinDump& d) { std::swap(d.devices[0].runs[0], d.devices[0].runs[1]); },
             "odd: device 1: virtual block 0 comes after 1"},
        Case{"Unmerged",
             [](ThinDump& d) {
               d.devices[0].runs = {{0, 0, 2, 0}, {2, 2, 2, 0}};
             },
             "odd: device 1: the run at virtual block 2 goes on with the one before"},
        Case{"Overlap",
             [](ThinDump& d) {
               d.devices[1].runs.push_back({3, 9, 1, 0});
             },
             "damage: device 2: virtual block 3 is mapped more than once"},
        Case{"DataTwice", [](ThinDump& d) { d.devices[1].runs[1].data_begin = 2; },
             "odd: device 2: data block 2 is mapped more than once"},
        Case{"Overflow",
             [](ThinDump& d) {
               d.devices[1].runs = {{kHuge, kHuge, kHuge, 0}};
             },
             "damage: device 2, virtual block 18446744073709551615: data block "
             "18446744073709551614 is past the pool's 16"}),
    [](const auto& param) { return param.param.name; });

TEST(ThinLint, ListsNoMoreThanTheLimit) {
  ThinDump dump = Sound();
  for (int i = 0; i < 1000; ++i) dump.devices[0].runs.push_back({0, 0, 0, 0});
  const std::vector<std::string> lines = Lines(dump);
  EXPECT_THAT(lines, SizeIs(kMaxThinFindings));
  EXPECT_EQ(lines.back(), "odd: there are more findings, which are not listed");
}

// A dump without damage is one that thin_restore keeps as it is, but for order and run lengths.
TEST(ThinLint, WhatHasNoDamageIsKeptByTheCanonicalForm) {
  SplitMix64 random(5);
  int kept = 0;
  for (int round = 0; round < 5000; ++round) {
    ThinDump dump = RandomThinDump(random);
    for (ThinDumpDevice& device : dump.devices) {
      for (const ThinRun& run : device.runs) device.mapped_blocks += run.length;
    }
    const std::vector<ThinFinding> findings = LintThinDump(dump);
    const bool damaged = std::any_of(
        findings.begin(), findings.end(),
        [](const ThinFinding& finding) { return finding.kind == ThinFindingKind::kDamage; });
    const ThinDump canonical = CanonicalThinDump(dump);
    bool same_counts = true;
    for (const ThinDumpDevice& device : dump.devices) {
      for (const ThinDumpDevice& other : canonical.devices) {
        if (other.dev_id == device.dev_id && other.mapped_blocks != device.mapped_blocks) {
          same_counts = false;
        }
      }
    }
    ASSERT_EQ(damaged, !same_counts) << "round " << round;
    if (!damaged) ++kept;
  }
  EXPECT_GT(kept, 100);
}

}  // namespace
}  // namespace lamina
