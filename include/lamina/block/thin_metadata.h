// ThinMetadata: what a thin pool knows, on its metadata device, in the kernel's own binary layout.
//
//   superblock ─► mapping tree       device id ─► that device's tree:
//                                    virtual block ─► (data block, time)
//              ├► details tree       device id ─► mapped blocks, transaction, times
//              ├► data space map     a reference count for every data block
//              ├► metadata space map a reference count for every block of the metadata device
//              └► held root          a copy of an earlier superblock (the metadata snapshot)
//
// Every tree is copy-on-write: a node is changed in place when it was made by this transaction and
// only one parent names it; else it is copied, and what it names gains a reference. A snapshot is
// one more reference to the origin's root. Nothing of the last commit is overwritten before the
// next one, so a crash at any write leaves exactly a commit.
//
//   Result<std::unique_ptr<ThinMetadata>> metadata = ThinMetadata::Format(op, device, 128, 1024);
//   (*metadata)->CreateThin(op, ThinId{0});
//   Result<std::uint64_t> block = (*metadata)->AllocateDataBlock(op);
//   (*metadata)->Insert(op, ThinId{0}, 7, *block);
//   (*metadata)->Commit(op);
//
// A call that changes something and fails with kIo, kBadMsg or kNoSpc may have done half of its
// work; such a transaction cannot be committed any more (Commit gives kIo): only Abort is left.
// AllocateDataBlock's kNoSpc is not such a failure.
//
// Errors that every call may give besides its own, as the metadata device shows them:
//   kIo      the device fails, or an earlier call left the transaction half done
//   kBadMsg  a block of the metadata is damaged: checksum, place, key order, counts
//   kNoSpc   (calls that change something) no metadata block is free
//
// Source: devicemapper.md §3, §5, §7, §9, §10, §12, §17.
// Threads: thread-compatible; lookups fill a cache, so one caller at a time.
// Lifetime: does not own the metadata device.
#ifndef LAMINA_BLOCK_THIN_METADATA_H_
#define LAMINA_BLOCK_THIN_METADATA_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lamina/block/block_device.h"

namespace lamina {

inline constexpr std::uint64_t kThinMetadataBlockBytes = 4096;
inline constexpr std::uint64_t kMaxThinMetadataBlocks = 255 * 16320;  // what is beyond is not used
inline constexpr std::uint64_t kMaxThinId = (std::uint64_t{1} << 24) - 1;
inline constexpr std::uint64_t kMaxThinDataBlocks = std::uint64_t{1} << 40;

// Where a virtual block of a thin device lies.
struct ThinMapping {
  std::uint64_t data_block = 0;
  std::uint32_t time = 0;  // the pool's time when the mapping was made; 24 bits

  friend bool operator==(const ThinMapping&, const ThinMapping&) = default;
};

struct ThinDetails {
  std::uint64_t mapped_blocks = 0;
  std::uint64_t transaction_id = 0;  // the pool's when the device was made
  std::uint32_t creation_time = 0;
  std::uint32_t snapshotted_time = 0;  // of the last snapshot taken of it, or its own creation

  friend bool operator==(const ThinDetails&, const ThinDetails&) = default;
};

// The rule of sharing (§5): never "no" for a block that is shared, sometimes "yes" for one that is
// not.
constexpr bool LooksShared(const ThinDetails& device, const ThinMapping& mapping) {
  return device.snapshotted_time > mapping.time;
}

// One mapping that ThinMetadata::Remove took away.
struct ThinUnmapped {
  std::uint64_t virtual_block = 0;
  std::uint64_t data_block = 0;
  bool now_free = false;  // nothing maps the data block any more: the true count (§8)
};

struct ThinBlockCounts {
  std::uint64_t total = 0;
  std::uint64_t allocated = 0;    // now, in this transaction
  std::uint64_t allocatable = 0;  // free now and in the last commit

  std::uint64_t free() const { return total - allocated; }
};

class ThinMetadata {
 public:
  using DeviceVisitor = std::function<bool(ThinId, const ThinDetails&)>;          // false: stop
  using MappingVisitor = std::function<bool(std::uint64_t, const ThinMapping&)>;  // false: stop
  using UnmapVisitor = std::function<void(const ThinUnmapped&)>;
  using CommitHook = std::function<Result<void>(const OpContext&)>;

  // Writes empty metadata over whatever `metadata` holds, and commits it: time 0, transaction 0.
  //
  // Errors, in the order they are checked:
  //   kInval  block_sectors is neither 192 nor a multiple of 128 in 128..2097152, or more than 2^40
  //           data blocks
  //   kNoSpc  the metadata device is too small
  //   kIo     the device fails
  static Result<std::unique_ptr<ThinMetadata>> Format(const OpContext& op, BlockDevice& metadata,
                                                      std::uint64_t block_sectors,
                                                      std::uint64_t nr_data_blocks);

  // Reads the last commit. Only the superblock and the two space map indexes are read now.
  //
  // Errors, in the order they are checked:
  //   kInval   the device is smaller than a metadata block
  //   kIo      the device fails
  //   kInval   the superblock is not one: magic, checksum, place, version, sizes, unknown features
  //   kBadMsg  a space map is damaged
  static Result<std::unique_ptr<ThinMetadata>> Open(const OpContext& op, BlockDevice& metadata);

  // Are the first 4096 bytes all zero? Errors: kInval  smaller than that; kIo.
  static Result<bool> IsUnformatted(const OpContext& op, BlockDevice& metadata);

  ~ThinMetadata();
  ThinMetadata(const ThinMetadata&) = delete;
  ThinMetadata& operator=(const ThinMetadata&) = delete;

  // ── the pool ───────────────────────────────────────────────────────────────
  std::uint64_t block_sectors() const;
  std::uint64_t nr_data_blocks() const;
  std::uint32_t time() const;
  std::uint64_t transaction_id() const;
  bool needs_check() const;
  std::optional<std::uint64_t> held_root() const;  // the metadata block of the held superblock
  std::string uuid() const;                        // without trailing zeros; 16 bytes at most
  ThinBlockCounts data_blocks() const;
  ThinBlockCounts metadata_blocks() const;

  // Compare and swap. Errors: kInval  `expected` is not the pool's.
  Result<void> SetTransactionId(const OpContext& op, std::uint64_t expected, std::uint64_t next);

  // The data device has `nr_data_blocks` now. Errors: kInval  fewer than before, or more than 2^40.
  Result<void> ResizeData(const OpContext& op, std::uint64_t nr_data_blocks);
  // Takes the metadata device's present size. Errors: kInval  smaller than before.
  Result<void> ResizeMetadata(const OpContext& op);

  // Commits, then keeps that commit's trees alive until the release.
  // Errors: kBusy  one is held already (checked after the commit).
  Result<void> ReserveMetadataSnapshot(const OpContext& op);
  // Errors: kInval  none is held.
  Result<void> ReleaseMetadataSnapshot(const OpContext& op);

  // ── devices ────────────────────────────────────────────────────────────────
  // Errors, in the order they are checked:
  //   kInval  the id is above kMaxThinId
  //   kExist  the id is taken
  Result<void> CreateThin(const OpContext& op, ThinId id);
  // A second device with the origin's mappings; O(1). The pool's time advances.
  // Errors, in the order they are checked: as CreateThin, then
  //   kNoData    no such origin
  //   kOverflow  the pool's time has reached 2^32-1
  Result<void> CreateSnapshot(const OpContext& op, ThinId id, ThinId origin);
  // Cost: the tree nodes that only this device held. Errors: kNoData  no such device.
  Result<void> Delete(const OpContext& op, ThinId id);

  Result<bool> Exists(const OpContext& op, ThinId id);
  // Errors: kNoData  no such device.
  Result<ThinDetails> Details(const OpContext& op, ThinId id);
  // In ascending order of ids. The visitor must not change the metadata.
  Result<void> ForEachDevice(const OpContext& op, const DeviceVisitor& visitor);

  // ── mappings; each gives kNoData when there is no such device ──────────────
  Result<std::optional<ThinMapping>> Lookup(const OpContext& op, ThinId id,
                                            std::uint64_t virtual_block);
  // The highest virtual block that is mapped.
  Result<std::optional<std::uint64_t>> HighestMapped(const OpContext& op, ThinId id);
  // The mappings from `from` on, ascending. The visitor must not change the metadata.
  Result<void> ForEachMapping(const OpContext& op, ThinId id, std::uint64_t from,
                              const MappingVisitor& visitor);
  // Maps a virtual block to `data_block` at the pool's present time. The reference that
  // AllocateDataBlock gave goes to the mapping; a block that was mapped there loses one.
  // Errors: kInval  no such data block, or it is not allocated.
  Result<void> Insert(const OpContext& op, ThinId id, std::uint64_t virtual_block,
                      std::uint64_t data_block);
  // Unmaps begin..end-1; the visitor sees every mapping that goes, ascending. Gives their number.
  Result<std::uint64_t> Remove(const OpContext& op, ThinId id, std::uint64_t begin,
                               std::uint64_t end, const UnmapVisitor& visitor);

  // ── data blocks ────────────────────────────────────────────────────────────
  // The lowest block at or after the cursor that is free now and was at the last commit, else from
  // 0 on (§7). Errors: kNoSpc  there is none; the transaction stays good.
  Result<std::uint64_t> AllocateDataBlock(const OpContext& op);
  // Gives back a block that was allocated and never mapped.
  // Errors: kInval  its count is not 1, or no such block.
  Result<void> FreeDataBlock(const OpContext& op, std::uint64_t data_block);
  // How many (device, virtual block) pairs map it, those of the held root counted too (§7). Walks
  // every tree node once. Errors: kInval  no such block.
  Result<std::uint64_t> DataReferenceCount(const OpContext& op, std::uint64_t data_block);
  // The count that the space map stores: entries of distinct tree leaves. 0 means free.
  // Errors: kInval  no such block.
  Result<std::uint64_t> DataLeafCount(const OpContext& op, std::uint64_t data_block);

  // ── transactions ───────────────────────────────────────────────────────────
  // Called by Commit when there is something to commit, before the first write: the pool flushes
  // its data device there (§10). Its error is Commit's.
  void SetCommitHook(CommitHook hook);
  // Makes this transaction the last commit: nodes and bitmaps, flush, superblock, flush. Writes
  // nothing when nothing changed. After an error: Abort.
  Result<void> Commit(const OpContext& op);
  // Back to the last commit, as the superblock on the device tells it.
  // After an error (kIo, kBadMsg, kInval) this object answers kIo to everything.
  Result<void> Abort(const OpContext& op);
  // Writes the flag into the last commit's superblock. Errors: kBusy  there are changes.
  Result<void> SetNeedsCheck(const OpContext& op);

  // Has this transaction changed anything, or this device?
  bool AnyChange() const;
  bool Changed(ThinId id) const;
  // Did an Abort throw changes of this device away since it was last forgotten?
  bool AbortedWithChanges(ThinId id) const;
  void ForgetAborted(ThinId id);  // the device was activated anew

 private:
  class Store;
  friend class ThinDumper;

  explicit ThinMetadata(std::unique_ptr<Store> store);

  std::unique_ptr<Store> store_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_METADATA_H_
