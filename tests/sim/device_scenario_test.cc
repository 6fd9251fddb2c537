// Statements about devices: disks, thin pools, snapshots, dd, messages, crashes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/scenario_run.h"

namespace lamina::sim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Everything that `text` expects holds.
void ExpectHolds(const std::string& text) {
  const Ran ran = RunText("scenario 2\n" + text);
  EXPECT_TRUE(ran.status.ok()) << ran.status.message();
  EXPECT_GT(ran.expectations, 0u);
  for (const ScenarioFailure& failure : ran.failures) {
    ADD_FAILURE() << "line " << failure.line << ": expected " << failure.expected << ", got "
                  << failure.got;
  }
}

TEST(DeviceScenario, DM_008_ASharedChunkIsCopiedOnceWhenOneSideIsWritten) {
  ExpectHolds(R"(
pool p data=64MiB
thin base p 0 1GiB
dd of=base fill:a:256KiB                  -> 262144
expect chunks_provisioned == 4
snap c1 base
dd of=base fill:b:4096                    -> 4096
expect sharing_broken == 1
expect bytes_copied == 65536
dd if=c1 count=4096                       -> fill:a:4096
dd if=base count=8192                     -> fill:b:4096+fill:a:4096
status base                               -> 0 2097152 thin 512 511
status c1                                 -> 0 2097152 thin 512 511
dd of=base fill:d:4096                    -> 4096
expect sharing_broken == 1
)");
}

TEST(DeviceScenario, DM_005_HalfWritesAreNoFullOverwrite) {
  ExpectHolds(R"(
pool p
thin t p 0 1GiB
dd of=t fill:a:32KiB                      -> 32768
dd of=t seek=32KiB fill:b:32KiB           -> 32768
expect chunks_provisioned == 1
dd if=t count=128KiB                      -> fill:a:32768+fill:b:32768+zeros:65536
)");
}

TEST(DeviceScenario, DM_030_DM_031_ACrashGoesBackToTheLastCommit) {
  ExpectHolds(R"(
pool p data=1MiB
thin base p 0 1GiB
dd of=base fill:o:64KiB conv=fsync        -> 65536
snap s base id=1                          -> OK
dd of=base fill:n:4096                    -> 4096
dd of=base seek=1MiB fill:n:64KiB         -> 65536
crash                                     -> OK
dd if=base count=4096                     -> fill:o:4096
dd if=base skip=1MiB count=4096           -> zeros:4096
dd if=s count=4096                        -> fill:o:4096
dd of=base fill:n:4096 conv=fsync         -> 4096
crash                                     -> OK
dd if=base count=8192                     -> fill:n:4096+fill:o:4096
)");
}

TEST(DeviceScenario, DM_032_ASecondOfTimeCommits) {
  ExpectHolds(R"(
pool p data=1MiB
thin t p 0 1GiB
dd of=t fill:a:64KiB                      -> 65536
crash
dd if=t count=4096                        -> zeros:4096
dd of=t fill:a:64KiB                      -> 65536
sleep 2
crash
dd if=t count=4096                        -> fill:a:4096
)");
}

TEST(DeviceScenario, DM_034_DM_037_MessagesAnswerAsThePoolDoes) {
  ExpectHolds(R"(
pool p
message p create_thin 0                   -> OK
message p create_thin 0                   -> EEXIST
message p create_snap 0 0                 -> EEXIST
message p create_thin 16777216            -> EINVAL
message p create_snap 5 99                -> ENODATA
message p set_transaction_id 0 5          -> OK
message p "set_transaction_id 0 6"        -> EINVAL
message p frobnicate                      -> EINVAL
message nobody create_thin 1              -> ENXIO
)");
}

TEST(DeviceScenario, AThinThatCannotBeActivatedIsNotLeftInThePool) {
  ExpectHolds(R"(
pool p
thin p p 3 1MiB                           -> ENODEV
message p delete 3                        -> ENODATA
thin t p 0 1MiB                           -> OK
)");
}

TEST(DeviceScenario, TheClockHasAnEndAndGoesForwards) {
  ExpectHolds("sleep 2000000000 -> OK\nsleep 2000000000 -> EOVERFLOW\nsleep 1 -> OK\n");
  EXPECT_THAT(RunText("scenario 2\nsleep -1\n").status.message(),
              HasSubstr("a sleep is not negative"));
}

TEST(DeviceScenario, DM_036_AnActiveDeviceIsNotDeleted) {
  ExpectHolds(R"(
pool p
thin t p 7 1GiB
message p delete 7                        -> EBUSY
remove t                                  -> OK
message p delete 7                        -> OK
message p delete 7                        -> ENODATA
status t                                  -> ENXIO
)");
}

TEST(DeviceScenario, DM_041_DM_044_AFullPoolThatErrors) {
  ExpectHolds(R"(
pool p data=512KiB error_if_no_space
thin t p 0 1MiB
thin other p 1 1MiB
dd of=other fill:o:64KiB                  -> 65536
dd of=t fill:a:448KiB                     -> 458752
dd of=t seek=448KiB fill:a:64KiB          -> ENOSPC
dd of=t fill:b:4096                       -> 4096
remove other
message p delete 1                        -> OK
dd of=t seek=448KiB fill:a:64KiB          -> 65536
)");
}

TEST(DeviceScenario, DM_042_DM_043_AFullPoolThatQueues) {
  ExpectHolds(R"(
pool p data=512KiB
thin t p 0 2MiB
dd of=t fill:a:512KiB                     -> 524288
dd of=t seek=512KiB fill:a:64KiB          -> EAGAIN
sleep 59
dd of=t seek=512KiB fill:a:64KiB          -> EAGAIN
pool p data=1MiB                          -> OK
dd of=t seek=512KiB fill:a:64KiB          -> 65536
pool p data=256KiB                        -> EINVAL
)");
}

TEST(DeviceScenario, DM_042_AfterAMinuteAQueueingPoolErrors) {
  ExpectHolds(R"(
pool p data=512KiB
thin t p 0 2MiB
dd of=t fill:a:512KiB                     -> 524288
dd of=t seek=512KiB fill:a:64KiB          -> EAGAIN
sleep 61
dd of=t seek=512KiB fill:a:64KiB          -> ENOSPC
dd of=t fill:b:4096                       -> 4096
)");
}

TEST(DeviceScenario, DM_039_DM_040_TablesAreChecked) {
  ExpectHolds(R"(
disk meta 2MiB
disk data 64MiB
table p "0 131072 thin-pool meta data 64 0"          -> EINVAL
table p "0 131072 thin-pool meta data 185 0"         -> EINVAL
table p "0 131072 thin-pool meta meta 128 0"         -> EINVAL
table p "0 131072 thin-pool meta data 128 0 1 nice"  -> EINVAL
table p "0 131072 thin-pool meta none 128 0"         -> ENODEV
table p "0 131072 thin-pool meta data 128 0"         -> OK
table p                                   -> 0 131072 thin-pool meta data 128 0 0
table q "0 131072 thin-pool meta data 128 0"         -> EBUSY
table t "0 2048 thin p 0"                 -> ENODATA
message p create_thin 0
table t "0 2048 thin p 0"                 -> OK
table part "0 8 linear t 128"             -> OK
dd of=part fill:x:4096                    -> 4096
dd if=t skip=64KiB count=4096             -> fill:x:4096
remove t                                  -> EBUSY
table x "0 8 mirror t 0"                  -> EINVAL
)");
}

TEST(DeviceScenario, DM_052_AnExternalOriginShowsThrough) {
  ExpectHolds(R"(
disk image 80KiB
dd of=image fill:i:80KiB                  -> 81920
pool p
thin t p 0 1MiB external=image
dd if=t count=128KiB                      -> fill:i:81920+zeros:49152
dd of=t seek=68KiB fill:n:4096            -> 4096
dd if=t skip=64KiB count=64KiB            -> fill:i:4096+fill:n:4096+fill:i:8192+zeros:49152
discard t 0 1MiB                          -> OK
dd if=t count=128KiB                      -> fill:i:81920+zeros:49152
)");
}

TEST(DeviceScenario, DM_060_DmSnapshotCopiesForEachSnapshot) {
  ExpectHolds(R"(
disk base 1MiB
dd of=base fill:a:64KiB                   -> 65536
snap s1 base cow=512KiB chunk=4KiB
snap s2 base cow=512KiB chunk=4KiB store=PO
snap s3 base cow=512KiB chunk=4KiB
dd of=base fill:b:4096                    -> 4096
expect exceptions == 3
expect bytes_copied == 12288
status s1                                 -> 0 2048 snapshot 24/1024 16
dd of=base fill:c:4096                    -> 4096
expect exceptions == 3
dd if=s2 count=4096                       -> fill:a:4096
remove base                               -> EBUSY
)");
}

TEST(DeviceScenario, DM_065_DM_066_SnapshotsMergeAndForget) {
  ExpectHolds(R"(
disk base 1MiB
snap s base cow=512KiB chunk=4KiB
snap n base cow=512KiB chunk=4KiB store=N
dd of=s fill:s:8KiB                       -> 8192
dd of=n fill:n:4096                       -> 4096
merge n                                   -> EINVAL
merge s                                   -> 16/1024 16
dd if=base count=12KiB                    -> fill:s:8192+zeros:4096
dd if=n count=8KiB                        -> fill:n:4096+zeros:4096
crash
dd if=n count=8KiB                        -> fill:s:8192
status s                                  -> ENXIO
dd of=base fill:x:4096                    -> 4096
dd if=n count=8KiB                        -> fill:s:8192
)");
}

TEST(DeviceScenario, ADeviceDoesNotStandOnItself) {
  ExpectHolds(R"(
disk d 64KiB
table x "0 8 linear d 0"                  -> OK
table y "0 8 linear x 0"                  -> OK
table x "0 8 linear y 0"                  -> ELOOP
dd if=y count=512                         -> zeros:512
pool p data=1MiB
thin t p 0 1MiB
thin u p 1 1MiB external=t                -> OK
thin t p 0 1MiB external=u                -> ELOOP
dd if=t count=512                         -> zeros:512
)");
}

TEST(DeviceScenario, DevicesStandOnEachOtherUpToALimit) {
  std::string text = "disk l0 64KiB\n";
  for (int i = 1; i < 64; ++i) {
    text +=
        "table l" + std::to_string(i) + " \"0 8 linear l" + std::to_string(i - 1) + " 0\" -> OK\n";
  }
  text += "table l64 \"0 8 linear l63 0\" -> ELOOP\n";
  text += "table m1 \"0 8 linear d0 0\" -> ENODEV\n";
  text += "disk d0 64KiB\ntable m1 \"0 8 linear d0 0\" -> OK\n";
  text += "table l1 \"0 8 linear m1 0\" -> ELOOP\n";
  ExpectHolds(text);
}

TEST(DeviceScenario, NoMergeBelowWhatIsInUse) {
  ExpectHolds(R"(
disk d 8MiB
snap s d cow=4MiB                         -> OK
dd of=s fill:x:512                        -> 512
table l "0 100 linear s 0"                -> OK
merge s                                   -> EBUSY
status s                                  -> 0 16384 snapshot 96/8192 64
dd if=d count=512                         -> zeros:512
remove l                                  -> OK
table s "0 16384 snapshot-merge d s.cow P 32" -> OK
merge s                                   -> 64/8192 64
dd if=d count=512                         -> fill:x:512
status s                                  -> ENXIO
)");
}

TEST(DeviceScenario, AFileSystemIsMadeAndMounted) {
  ExpectHolds(R"(
disk d 8MiB
mount dev:d                               -> EINVAL
mkfs d ext2 label=test                    -> OK
mkfs none                                 -> ENXIO
mount dev:none                            -> ENXIO
mount dev:d                               -> OK
mount dev:d again                         -> EBUSY
mkfs d                                    -> EBUSY
remove d                                  -> EBUSY
merged
put /a 0644 "x"                           -> 1
umount                                    -> OK
mount dev:d ro ro                         -> OK
put /b 0644 "x"                           -> EROFS
read /a                                   -> "x"
umount ro                                 -> OK
remove d                                  -> OK
)");
}

TEST(DeviceScenario, AUnionStandsOnAFileSystemOnAThinDevice) {
  ExpectHolds(R"(
pool p data=32MiB
thin t p 0 16MiB
mkfs t                                    -> OK
mount dev:t image                         -> OK
put /f 0644 "below"                       -> 5
stack mnt:image upper
mount                                     -> OK
append /f "+"                             -> 1
read /f                                   -> "below+"
merged image
read /f                                   -> "below"
umount image                              -> EBUSY
)");
}

TEST(DeviceScenario, ACrashMayLoseWhatWasNotFlushed) {
  ExpectHolds(R"(
disk d 1MiB
dd of=d fill:a:4096 conv=fsync            -> 4096
dd of=d fill:b:4096                       -> 4096
crash lose
dd if=d count=4096                        -> fill:a:4096
dd of=d fill:c:4096                       -> 4096
flush d                                   -> OK
crash lose
dd if=d count=4096                        -> fill:c:4096
)");
}

TEST(DeviceScenario, ACrashAtRandomIsTheSameForTheSameSeed) {
  const std::string text =
      "scenario 2\ndisk d 1MiB\ndd of=d fill:a:512KiB\ndd of=d seek=16KiB fill:b:64KiB\n"
      "crash random\ndd if=d count=1MiB\n";
  EXPECT_EQ(RunText(text, 3).lines, RunText(text, 3).lines);
  EXPECT_NE(RunText(text, 3).lines, RunText(text, 8).lines);
}

TEST(DeviceScenario, CopiesFromDeviceToDevice) {
  ExpectHolds(R"(
disk a 64KiB
disk b 64KiB
dd of=a seek=32KiB fill:x:4096            -> 4096
dd if=a of=b skip=32KiB seek=8KiB count=4096 -> 4096
dd if=b count=16KiB                       -> zeros:8192+fill:x:4096+zeros:4096
dd if=a of=b                              -> 65536
dd if=a of=none                           -> ENXIO
dd of=a seek=64KiB fill:x:512             -> EINVAL
)");
}

TEST(DeviceScenario, SaysWhatItDid) {
  const Ran ran = RunText("scenario 2\ndisk d 64KiB\ndd of=d fill:x:512\ndd if=d count=512\n");
  ASSERT_TRUE(ran.status.ok());
  EXPECT_THAT(ran.lines, Contains("L2 disk d 64KiB = OK"));
  EXPECT_THAT(ran.lines, Contains("L3 dd of=d fill:x:512 = OK 512"));
  EXPECT_THAT(ran.lines, Contains("L4 dd if=d count=512 = fill:x:512"));
  EXPECT_EQ(ran.counters.operations, 2u);
  EXPECT_EQ(ran.counters.device_bytes_written, 512u);
}

struct BadLine {
  const char* line;
  const char* message;
};

class DeviceScenarioErrors : public ::testing::TestWithParam<BadLine> {};

TEST_P(DeviceScenarioErrors, AreFoundBeforeAnythingRuns) {
  EXPECT_THAT(ParseError(std::string("scenario 2\n") + GetParam().line + '\n'),
              HasSubstr(GetParam().message));
}

constexpr BadLine kBadLines[] = {
    {"disk d 100", "whole sectors"},
    {"pool p data=x", "'data=x': a size"},
    {"pool p fast", "'fast' is none of: data="},
    {"pool p low_water=-1", "'-1' is no number of chunks"},
    {"thin t p 0", "`thin` needs 4 arguments"},
    {"thin t p 0 1GiB origin=x", "expected external=DEVICE"},
    {"snap s o id=x", "'x' is no device id"},
    {"snap s o id=1 cow=1MiB", "id= is of a thin snapshot"},
    {"dd fill:x:512", "no if=DEVICE and no of=DEVICE"},
    {"dd of=d", "of=DEVICE without data"},
    {"dd of=d hello", "5 bytes are no whole sectors"},
    {"dd if=d", "needs count="},
    {"dd if=d count=512 hello", "no whole sectors"},
    {"dd if=d count=1TiB", "more than"},
    {"discard d 1 512", "whole sectors"},
    {"mkfs d xfs", "'xfs' is none of: ext2 ext3 ext4"},
    {"mount dev:", "expected dev:DEVICE"},
    {"mount dev:d m fast", "'fast' is none of: ro rw"},
    {"mount a b", "too many arguments for `mount`"},
    {"crash often", "expected keep, lose or random"},
};

INSTANTIATE_TEST_SUITE_P(Lines, DeviceScenarioErrors, ::testing::ValuesIn(kBadLines));

TEST(DeviceScenario, NeedsVersion2) {
  EXPECT_THAT(ParseError("pool p\n"), HasSubstr("needs `scenario 2`"));
}

}  // namespace
}  // namespace lamina::sim
