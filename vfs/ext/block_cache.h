// BlockCache: the metadata blocks in memory and the data blocks that were not written yet, with one
// running transaction and an exact undo.
//
//   call begins ─ Begin
//     Edit, Create, Forget, EditData …      change memory and log how to undo it
//     Mark … RollBackTo(mark)               as if nothing since the mark had happened
//   call ends ─ the changes stay in the running transaction
//   Commit ─ data to the device · metadata through the journal (or to its place) · flush
//
// Spans are valid until the next call of any method but the reading ones of other blocks: Trim is
// the only one that drops clean blocks, and only the owner calls it, between calls.
//
// Threads: thread-compatible. Lifetime: owns neither the device nor the journal.
#ifndef LAMINA_VFS_EXT_BLOCK_CACHE_H_
#define LAMINA_VFS_EXT_BLOCK_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lamina/block/block_device.h"
#include "lamina/ext/journal.h"

namespace lamina::ext {

struct BlockRun {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

class BlockCache {
 public:
  struct Mark {
    std::size_t entries = 0;
  };

  BlockCache(BlockDevice& device, std::uint32_t block_bytes)
      : device_(&device), block_bytes_(block_bytes) {}

  void UseJournal(Journal* journal) { journal_ = journal; }

  // ── Metadata ─────────────────────────────────────────────────────────────────────────────────
  // Errors: kIo …
  Result<Bytes> Read(const OpContext& op, std::uint32_t block);
  // The same, with what its reader noted about it: a kind (high four bits) and a detail. 0 after it
  // was read from the device, or changed by somebody who sees another kind in it.
  struct Noted {
    Bytes bytes;
    std::uint8_t* note;
  };
  Result<Noted> ReadNoted(const OpContext& op, std::uint32_t block);
  // A part of the block, to be changed. Errors: kIo …
  Result<MutableBytes> Edit(const OpContext& op, std::uint32_t block, std::size_t offset,
                            std::size_t length, std::uint8_t kind = 0);
  // The whole block, all zeros; it is not read.
  MutableBytes Create(std::uint32_t block);
  // The block is freed: it leaves the transaction, and the journal must not bring it back.
  void Forget(std::uint32_t block);

  // ── Data ─────────────────────────────────────────────────────────────────────────────────────
  // Part of a data block, to be changed; what is not covered is read first. Errors: kIo …
  Result<MutableBytes> EditData(const OpContext& op, std::uint32_t block, std::size_t offset,
                                std::size_t length);
  // A data block whose old content does not matter: zeros.
  MutableBytes CreateData(std::uint32_t block);
  // Whole blocks, from memory where it has them.
  Result<void> ReadData(const OpContext& op, BlockRun run, MutableBytes into);
  // The blocks are freed.
  void ForgetData(BlockRun run);
  // Writes all of it, runs of neighbours at once.
  Result<void> WriteData(const OpContext& op);
  std::size_t data_bytes() const { return data_.size() * block_bytes_; }

  // ── Calls and transactions ───────────────────────────────────────────────────────────────────
  void Begin() { undo_.clear(), saved_.clear(); }
  Mark Now() const { return {undo_.size()}; }
  void RollBackTo(Mark mark);
  bool changed_since(Mark mark) const { return undo_.size() != mark.entries; }

  // Something is not durable yet.
  bool is_dirty() const {
    return !dirty_.empty() || !revoked_.empty() || !data_.empty() || unflushed_;
  }
  std::size_t dirty_blocks() const { return dirty_.size(); }
  std::size_t revoked_blocks() const { return revoked_.size(); }
  // Makes everything durable; what the journal holds may not be in its place yet.
  // Errors: kIo …, those of Journal::Commit.
  Result<void> Commit(const OpContext& op);
  // Drops clean blocks when there are many.
  void Trim();
  // Drops all of them: the device has changed below.
  void DropClean();

  // Straight to the device and flushed, between calls: the superblock at mount and unmount.
  Result<void> WriteThrough(const OpContext& op, std::uint32_t block);

  BlockDevice& device() { return *device_; }
  std::uint32_t block_bytes() const { return block_bytes_; }

 private:
  struct Buffer {
    std::unique_ptr<std::byte[]> bytes;
    bool dirty = false;
    std::uint8_t note = 0;
    std::uint64_t used = 0;
  };
  using DataBuffer = std::unique_ptr<std::byte[]>;
  enum class Change : std::uint8_t { kBytes, kDirtied, kReplaced, kRevoked, kDataBytes, kData };
  struct Undo {
    Change change{};
    std::uint32_t block = 0;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::size_t saved = 0;  // where in saved_ the old bytes are
    std::unique_ptr<Buffer> buffer;
    DataBuffer data;
  };

  Sector SectorOf(std::uint32_t block) const {
    return Sector{std::uint64_t{block} * (block_bytes_ / kSectorBytes)};
  }
  Result<Buffer*> Load(const OpContext& op, std::uint32_t block);
  void MakeDirty(std::uint32_t block, Buffer& buffer);
  void Save(Change change, std::uint32_t block, MutableBytes old, std::size_t offset);
  void TakeBack(Undo& undo);
  Result<void> WriteMetadata(const OpContext& op);
  Result<void> WriteRuns(const OpContext& op,
                         std::vector<std::pair<std::uint32_t, const std::byte*>> blocks);

  BlockDevice* device_;
  std::uint32_t block_bytes_;
  Journal* journal_ = nullptr;
  std::uint64_t uses_ = 0;
  absl::flat_hash_map<std::uint32_t, std::unique_ptr<Buffer>> buffers_;
  std::set<std::uint32_t> dirty_;
  std::set<std::uint32_t> revoked_;
  absl::flat_hash_map<std::uint32_t, DataBuffer> data_;
  bool unflushed_ = false;  // data was written and not flushed
  std::vector<Undo> undo_;
  std::vector<std::byte> saved_;
};

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_BLOCK_CACHE_H_
