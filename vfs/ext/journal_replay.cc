// Recovery. One pass over the log decides what counts, as passes SCAN and REVOKE of the kernel's
// fs/jbd2/recovery.c; the second writes.
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "lamina/ext/journal.h"
#include "vfs/ext/crc32.h"
#include "vfs/ext/journal_format.h"

namespace lamina {

using namespace internal;  // NOLINT: the module's own words
using namespace internal::jbd2;

// Reads the log from its start up to the first transaction that was not committed.
struct Journal::Reader {
  struct Copy {
    std::uint64_t fs_block = 0;
    std::uint32_t journal_block = 0;
    std::uint32_t sequence = 0;
    std::uint32_t flags = 0;
    std::uint32_t checksum = 0;
  };
  // What is known of the transaction that is being read.
  struct Open {
    std::vector<Copy> copies;
    std::vector<std::uint64_t> revoked;
    std::uint32_t blocks_checksum = ~0u;  // of descriptors and copies (feature "checksum")
    std::optional<Errno> fault;           // counts when the transaction turns out committed
  };

  Reader(Journal& its_journal, const OpContext& its_op) : journal(its_journal), op(its_op) {
    const Bytes super = journal.super_;
    const bool has_features = GetBig32(super, 4) == kSuperblockV2;
    compat = has_features ? GetBig32(super, kCompatAt) : 0;
    incompat = has_features ? GetBig32(super, kIncompatAt) : 0;
    if (Has(kIncompatChecksumV3)) {
      tag_bytes = 16;
    } else {
      tag_bytes = (Has(kIncompatChecksumV2) ? 10 : 8) + (Has(kIncompat64Bit) ? 4 : 0);
    }
    seed = Crc32c(~0u, super.subspan(kUuidAt, kUuidBytes));
    block.resize(journal.layout_.block_bytes);
    next = journal.start_;
    sequence = journal.sequence_;
  }

  bool Has(std::uint32_t feature) const { return (incompat & feature) != 0; }
  bool HasBlockChecksums() const { return Has(kIncompatChecksumV2 | kIncompatChecksumV3); }
  std::size_t tail_bytes() const { return HasBlockChecksums() ? 4 : 0; }

  Result<void> Scan();
  Result<void> CheckCopies();
  Result<void> WriteCopies(Replayed& report);
  bool IsRevoked(const Copy& copy) const {
    const auto found = revoked.find(copy.fs_block);
    return found != revoked.end() && !IsAfter(copy.sequence, found->second);
  }

  // Reads the next journal block of the ring into `into`; false at the end of the ring.
  Result<bool> Step(MutableBytes into);
  Result<bool> TakeDescriptor();
  Copy TagAt(std::size_t at) const;
  void TakeRevokes();
  // True: the transaction counts. False: the log ends before it.
  Result<bool> TakeCommit();
  bool CommitChecksumIsRight();
  bool TailChecksumIsRight();

  Journal& journal;
  const OpContext& op;
  std::uint32_t compat = 0;
  std::uint32_t incompat = 0;
  std::size_t tag_bytes = 8;
  std::uint32_t seed = 0;

  std::vector<std::byte> block;   // the one last read
  std::uint32_t next = 0;         // journal block to read
  std::uint64_t steps = 0;        // blocks read so far
  std::uint32_t sequence = 0;     // of the transaction that is expected; of the end after Scan
  std::uint64_t commit_time = 0;  // of the last transaction that counts, seconds
  Open open;

  std::vector<Copy> copies;                        // of all transactions that count, oldest first
  std::map<std::uint64_t, std::uint32_t> revoked;  // block -> last transaction that revoked it
  std::uint32_t transactions = 0;
};

Result<bool> Journal::Reader::Step(MutableBytes into) {
  // A log is not longer than its ring: a hostile one may go round and round.
  if (steps == journal.capacity_blocks()) return false;
  ++steps;
  if (const Result<void> read = journal.ReadBlock(op, next, into); !read.ok()) return read.error();
  next = journal.After(next);
  return true;
}

Result<void> Journal::Reader::Scan() {
  for (;;) {
    const Result<bool> stepped = Step(block);
    if (!stepped.ok()) return stepped.error();
    if (!*stepped) return {};
    if (GetBig32(block, 0) != kMagic || GetBig32(block, 8) != sequence) return {};
    switch (GetBig32(block, 4)) {
      case kDescriptor: {
        const Result<bool> taken = TakeDescriptor();
        if (!taken.ok()) return taken.error();
        if (!*taken) return {};
        break;
      }
      case kRevoke:
        TakeRevokes();
        break;
      case kCommit: {
        const Result<bool> counts = TakeCommit();
        if (!counts.ok()) return counts.error();
        if (!*counts) return {};
        break;
      }
      default:
        return {};
    }
  }
}

Journal::Reader::Copy Journal::Reader::TagAt(std::size_t at) const {
  Copy copy{.fs_block = GetBig32(block, at), .sequence = sequence};
  if (Has(kIncompatChecksumV3)) {
    copy.flags = GetBig32(block, at + 4);
    copy.checksum = GetBig32(block, at + 12);
  } else {
    copy.checksum = GetBig16(block, at + 4);
    copy.flags = GetBig16(block, at + 6);
  }
  if (Has(kIncompat64Bit)) copy.fs_block |= std::uint64_t{GetBig32(block, at + 8)} << 32;
  return copy;
}

// False: the ring ends inside.
Result<bool> Journal::Reader::TakeDescriptor() {
  if (!TailChecksumIsRight()) open.fault = Errno::kBadMsg;
  if ((compat & kCompatChecksum) != 0) open.blocks_checksum = Crc32Be(open.blocks_checksum, block);
  std::vector<std::byte> content(block.size());
  std::size_t at = kHeaderBytes;
  while (at + tag_bytes <= block.size() - tail_bytes()) {
    Copy copy = TagAt(at);
    copy.journal_block = next;
    const Result<bool> stepped = Step(content);
    if (!stepped.ok()) return stepped.error();
    if (!*stepped) return false;
    if ((compat & kCompatChecksum) != 0) {
      open.blocks_checksum = Crc32Be(open.blocks_checksum, content);
    }
    open.copies.push_back(copy);
    if ((copy.flags & kTagLast) != 0) break;
    at += tag_bytes + ((copy.flags & kTagSameUuid) != 0 ? 0 : kUuidBytes);
  }
  return true;
}

void Journal::Reader::TakeRevokes() {
  if (!TailChecksumIsRight()) open.fault = Errno::kBadMsg;
  const std::size_t end = GetBig32(block, kRevokeCountAt);
  if (end > block.size() - tail_bytes()) {
    open.fault = Errno::kUClean;
    return;
  }
  const std::size_t bytes = Has(kIncompat64Bit) ? 8 : 4;
  for (std::size_t at = kRevokeBlocksAt; at + bytes <= end; at += bytes) {
    open.revoked.push_back(GetBig(block, at, bytes));
  }
}

Result<bool> Journal::Reader::TakeCommit() {
  const std::uint64_t time = GetBig(block, kCommitSecondsAt, 8);
  if (!CommitChecksumIsRight()) {
    if (Has(kIncompatAsyncCommit)) return false;  // it was written before its blocks were
    open.fault = Errno::kBadMsg;
  }
  if (open.fault.has_value()) {
    // Older than the transaction before it: what is left of an earlier turn of the ring.
    if (transactions > 0 && time < commit_time) return false;
    return *open.fault;
  }
  copies.insert(copies.end(), open.copies.begin(), open.copies.end());
  for (const std::uint64_t fs_block : open.revoked) revoked[fs_block] = sequence;
  open = Open{};
  commit_time = time;
  ++transactions;
  ++sequence;
  return true;
}

bool Journal::Reader::CommitChecksumIsRight() {
  const std::uint32_t stored = GetBig32(block, kCommitChecksumAt);
  if (HasBlockChecksums()) {
    std::vector<std::byte> record = block;
    PutBig32(record, kCommitChecksumAt, 0);
    return stored == Crc32c(seed, record);
  }
  if ((compat & kCompatChecksum) == 0) return true;
  const int type = std::to_integer<int>(block[kCommitChecksumTypeAt]);
  const int size = std::to_integer<int>(block[kCommitChecksumSizeAt]);
  if (type == 0 && size == 0 && stored == 0) return true;
  return type == 1 && size == 4 && stored == open.blocks_checksum;
}

bool Journal::Reader::TailChecksumIsRight() {
  if (!HasBlockChecksums()) return true;
  std::vector<std::byte> content = block;
  const std::size_t at = content.size() - tail_bytes();
  const std::uint32_t stored = GetBig32(content, at);
  PutBig32(content, at, 0);
  return stored == Crc32c(seed, content);
}

Result<void> Journal::Reader::CheckCopies() {
  const std::uint64_t device_blocks =
      journal.device_->size_sectors() / (journal.layout_.block_bytes / kSectorBytes);
  for (const Copy& copy : copies) {
    if (IsRevoked(copy)) continue;
    if (copy.fs_block >= device_blocks) return Errno::kUClean;
    if (!HasBlockChecksums()) continue;
    const Result<void> read = journal.ReadBlock(op, copy.journal_block, block);
    if (!read.ok()) return read;
    std::array<std::byte, 4> number;
    PutBig32(number, 0, copy.sequence);
    std::uint32_t checksum = Crc32c(Crc32c(seed, number), block);
    if (!Has(kIncompatChecksumV3)) checksum &= 0xffff;
    if (checksum != copy.checksum) return Errno::kBadMsg;
  }
  return {};
}

Result<void> Journal::Reader::WriteCopies(Replayed& report) {
  report.transactions = transactions;
  for (const Copy& copy : copies) {
    if (IsRevoked(copy)) {
      ++report.blocks_revoked;
      continue;
    }
    const Result<void> read = journal.ReadBlock(op, copy.journal_block, block);
    if (!read.ok()) return read;
    if ((copy.flags & kTagEscaped) != 0) PutBig32(block, 0, kMagic);
    const Result<void> written =
        journal.WriteHome(op, static_cast<std::uint32_t>(copy.fs_block), block);
    if (!written.ok()) return written;
    ++report.blocks_written;
  }
  return {};
}

Result<Journal::Replayed> Journal::Replay(const OpContext& op) {
  if (!needs_replay_) return Replayed{};
  Reader reader(*this, op);
  if (const Result<void> scanned = reader.Scan(); !scanned.ok()) return scanned.error();
  if (const Result<void> right = reader.CheckCopies(); !right.ok()) return right.error();
  Replayed report;
  if (const Result<void> written = reader.WriteCopies(report); !written.ok()) {
    return written.error();
  }
  // One number is left out: blocks of a transaction that was cut off may still lie in the ring.
  sequence_ = reader.sequence + 1;
  if (const Result<void> emptied = EmptyLog(op); !emptied.ok()) return emptied.error();
  head_ = first_;
  needs_replay_ = false;
  return report;
}

}  // namespace lamina
