#include "lamina/fs/lock_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lamina {
namespace {

using testing::Eq;

constexpr NodeId kNode{7};

class LockTableTest : public testing::Test {
 protected:
  OpenFileId OpenToRead() { return Open(false); }
  OpenFileId OpenToWrite() { return Open(true); }

  LockTable table_;

 private:
  OpenFileId Open(bool writes) {
    const OpenFileId file = table_.NewOpenFile();
    table_.Opened(kNode, file, writes);
    return file;
  }
};

using Flock = LockTableTest;
using Lease = LockTableTest;

TEST_F(Flock, SharedLocksLiveTogether) {
  EXPECT_TRUE(table_.Lock(kNode, OpenToRead(), LockKind::kShared).ok());
  EXPECT_TRUE(table_.Lock(kNode, OpenToRead(), LockKind::kShared).ok());
}

TEST_F(Flock, ExclusiveLockKeepsOthersOut) {
  ASSERT_TRUE(table_.Lock(kNode, OpenToRead(), LockKind::kExclusive).ok());
  EXPECT_THAT(table_.Lock(kNode, OpenToRead(), LockKind::kShared).error(), Eq(Errno::kAgain));
}

TEST_F(Flock, OtherNodesAreFree) {
  ASSERT_TRUE(table_.Lock(kNode, OpenToRead(), LockKind::kExclusive).ok());
  const OpenFileId other = table_.NewOpenFile();
  table_.Opened(NodeId{8}, other, false);
  EXPECT_TRUE(table_.Lock(NodeId{8}, other, LockKind::kExclusive).ok());
}

TEST_F(Flock, HolderConvertsItsLock) {
  const OpenFileId file = OpenToRead();
  ASSERT_TRUE(table_.Lock(kNode, file, LockKind::kShared).ok());
  EXPECT_TRUE(table_.Lock(kNode, file, LockKind::kExclusive).ok());
}

TEST_F(Flock, FailedConversionHasLostTheOldLock) {
  const OpenFileId first = OpenToRead();
  const OpenFileId second = OpenToRead();
  ASSERT_TRUE(table_.Lock(kNode, first, LockKind::kShared).ok());
  ASSERT_TRUE(table_.Lock(kNode, second, LockKind::kShared).ok());
  EXPECT_THAT(table_.Lock(kNode, first, LockKind::kExclusive).error(), Eq(Errno::kAgain));
  EXPECT_TRUE(table_.Lock(kNode, second, LockKind::kExclusive).ok());
}

TEST_F(Flock, CloseUnlocks) {
  const OpenFileId file = OpenToRead();
  ASSERT_TRUE(table_.Lock(kNode, file, LockKind::kExclusive).ok());
  table_.Closed(kNode, file);
  EXPECT_TRUE(table_.Lock(kNode, OpenToRead(), LockKind::kExclusive).ok());
}

TEST_F(Flock, UnlockWithoutLockIsFine) {
  EXPECT_TRUE(table_.Lock(kNode, OpenToRead(), LockKind::kUnlock).ok());
}

TEST_F(Lease, ReadLeaseNeedsThatNobodyWrites) {
  const OpenFileId file = OpenToRead();
  const OpenFileId writer = OpenToWrite();
  EXPECT_THAT(table_.SetLease(kNode, file, LeaseKind::kRead).error(), Eq(Errno::kAgain));
  table_.Closed(kNode, writer);
  EXPECT_TRUE(table_.SetLease(kNode, file, LeaseKind::kRead).ok());
}

TEST_F(Lease, OwnOpenForWritingCountsToo) {
  EXPECT_THAT(table_.SetLease(kNode, OpenToWrite(), LeaseKind::kRead).error(), Eq(Errno::kAgain));
}

TEST_F(Lease, WriteLeaseNeedsToBeAlone) {
  const OpenFileId file = OpenToWrite();
  EXPECT_TRUE(table_.SetLease(kNode, file, LeaseKind::kWrite).ok());
  const OpenFileId other = OpenToRead();
  EXPECT_THAT(table_.SetLease(kNode, file, LeaseKind::kWrite).error(), Eq(Errno::kAgain));
  table_.Closed(kNode, other);
  EXPECT_TRUE(table_.SetLease(kNode, file, LeaseKind::kWrite).ok());
}

TEST_F(Lease, UnlockWithoutLeaseIsRefused) {
  EXPECT_THAT(table_.SetLease(kNode, OpenToRead(), LeaseKind::kUnlock).error(), Eq(Errno::kAgain));
}

TEST_F(Lease, ReadLeaseStopsOnlyOpensForWriting) {
  ASSERT_TRUE(table_.SetLease(kNode, OpenToRead(), LeaseKind::kRead).ok());
  EXPECT_TRUE(table_.CheckOpen(kNode, false).ok());
  EXPECT_THAT(table_.CheckOpen(kNode, true).error(), Eq(Errno::kAgain));
}

TEST_F(Lease, WriteLeaseStopsEveryOpen) {
  ASSERT_TRUE(table_.SetLease(kNode, OpenToRead(), LeaseKind::kWrite).ok());
  EXPECT_THAT(table_.CheckOpen(kNode, false).error(), Eq(Errno::kAgain));
}

TEST_F(Lease, CloseEndsTheLease) {
  const OpenFileId file = OpenToRead();
  ASSERT_TRUE(table_.SetLease(kNode, file, LeaseKind::kWrite).ok());
  table_.Closed(kNode, file);
  EXPECT_TRUE(table_.CheckOpen(kNode, true).ok());
}

}  // namespace
}  // namespace lamina
