// ThinPool: the target thin-pool. Blocks of a data device, given out to thin devices as they are
// written; what lies where is on a metadata device.
//
//   MemDisk metadata(8192), data(131072);
//   auto pool = ThinPool::Create(op, *ParseThinPoolTable("0 131072 thin-pool meta data 128 0"),
//                                metadata, data);
//   (*pool)->Message(op, "create_thin 0");
//   auto disk = (*pool)->Activate(op, ThinId{0}, 20971520);      10 GiB, no block used yet
//   (*disk)->Write(op, Sector{0}, bytes);                        one block used
//   (*pool)->Message(op, "create_snap 1 0");                     O(1); both share it
//
// Calls are atomic and nothing runs by itself: the one-second commit and the no-space timeout are
// done by RunUntil (Deferred). A request that the kernel would put to sleep gives kAgain; see
// ThinDevice::Submit for one that waits. A pool that is destroyed writes nothing, as in a power
// cut; Close commits first.
//
// Where the metadata device fails, the transaction is thrown away, needs_check is written, and the
// pool is read-only.
//
// Source: devicemapper.md sections 2, 3 and 5 to 12.
// Threads: thread-compatible, together with its thin devices: one lock around all of them.
// Lifetime: owns neither device; outlives its thin devices.
#ifndef LAMINA_BLOCK_THIN_POOL_H_
#define LAMINA_BLOCK_THIN_POOL_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/time.h"
#include "lamina/block/block_device.h"
#include "lamina/block/thin_metadata.h"
#include "lamina/block/thin_report.h"
#include "lamina/block/thin_table.h"
#include "lamina/trace/deferred.h"

namespace lamina {

class DeviceClaims;
class ThinDevice;
namespace internal {
struct ThinPiece;
struct WaitingWrite;
}  // namespace internal

// Section 9, from best to worst.
enum class ThinPoolMode : std::uint8_t {
  kWrite,
  kOutOfDataSpace,
  kOutOfMetadataSpace,
  kReadOnly,
  kFail,
};

// What the kernel tells a daemon that waits on the pool's device.
enum class ThinPoolEventKind : std::uint8_t {
  kResumed,           // every resume, the first one too
  kModeChanged,       // also: the no-space timeout ran out
  kLowWater,          // free data blocks fell to the low water mark; once, until the next resume
  kMetadataLowWater,  // free metadata blocks fell to the threshold; again when they rose above it
};

struct ThinPoolEvent {
  ThinPoolEventKind kind{};
  Instant at;
  ThinPoolMode mode{};  // after the event
  friend bool operator==(const ThinPoolEvent&, const ThinPoolEvent&) = default;
};

// Whole-block operations since the pool was created here.
struct ThinPoolCounters {
  std::uint64_t copies = 0;                // of shared blocks, and from an external origin
  std::uint64_t zeroes = 0;                // new blocks that were zeroed
  std::uint64_t provisioned = 0;           // virtual blocks that became mapped
  std::uint64_t broken = 0;                // virtual blocks whose sharing was broken, copied or not
  std::uint64_t unmapped = 0;              // by discards
  std::uint64_t discards_passed_down = 0;  // requests; a run of data blocks is one
  std::uint64_t blocks_passed_down = 0;
  std::uint64_t commits = 0;  // that had something to write
};

struct ThinPoolSettings {
  // The module parameter no_space_timeout; 0: a write waits for ever.
  Duration no_space_timeout{60 * kNanosecondsPerSecond};
  // Names the pool in events, and in the tables of thin devices activated without one.
  std::uint32_t source = 0;
  std::string name = "pool";
  // Where a second pool on the same metadata device is noticed; null: nowhere.
  DeviceClaims* claims = nullptr;
};

enum class StatusFlush : std::uint8_t {
  kCommit,   // as `dmsetup status`
  kNoFlush,  // as `dmsetup status --noflush`
};

// 48 bytes a data block, at least 2 MiB, at most what a pool uses (255 * 16320 blocks of 4 KiB).
// 0 when block_bytes is 0.
std::uint64_t ThinMetadataGuideBytes(std::uint64_t data_bytes, std::uint64_t block_bytes);

// "rw", "out_of_data_space", "ro" or "Fail", as the status says it.
std::string_view ThinPoolModeWord(ThinPoolMode mode);

class ThinPool final : public Deferred {
 public:
  // Loads the table and resumes. All-zero metadata is formatted.
  //
  // Errors, in the order they are checked:
  //   kInval  the table (CheckThinPoolTable); both devices are one; the table is longer than data
  //   kBusy   another pool has the metadata device (settings.claims)
  //   kPerm   the metadata is not formatted, and the table says read_only
  //   kInval  the first 4096 bytes of the metadata are neither zero nor a valid superblock
  //   kNoSpc  the metadata device is too small
  //   kInval  the superblock has another block size, or more data blocks than the table
  //   kIo, kBadMsg  the metadata device
  static TableResult<std::unique_ptr<ThinPool>> Create(const OpContext& op,
                                                       const ThinPoolTable& table,
                                                       BlockDevice& metadata, BlockDevice& data,
                                                       const ThinPoolSettings& settings = {});
  ~ThinPool() override;
  ThinPool(const ThinPool&) = delete;
  ThinPool& operator=(const ThinPool&) = delete;

  // ── Table loads, suspend, resume ─────────────────────────────────────────────────────────────
  // Loads a table; it counts from the next Resume on. A second load replaces the first.
  //
  // Errors, in the order they are checked:
  //   kInval  the table; the table is longer than data; other devices than the pool's; another
  //           block size; ignore_discard is not as it was
  //   kPerm   never: the metadata is formatted
  std::optional<TableError> Reload(const OpContext& op, const ThinPoolTable& table,
                                   BlockDevice& metadata, BlockDevice& data);

  // Commits and stops: until the resume every request waits (kAgain). The no-space timer stops.
  Result<void> Suspend(const OpContext& op);

  // Suspends when that was not done, takes a loaded table, grows data and metadata, retries what
  // waits. Without a loaded table and not suspended: nothing.
  //
  // Nothing grows while needs_check is set or the pool is read-only; log() says so.
  // Errors, in the order they are checked; the pool stays suspended, and keeps the table:
  //   kInval  fewer data blocks than before, or the metadata device is shorter than before
  //   kIo     growing fails; the pool is read-only then
  Result<void> Resume(const OpContext& op);

  // Commits. Errors: kBusy  a thin device is active; kIo  the commit fails.
  Result<void> Close(const OpContext& op);

  bool suspended() const { return suspended_; }

  // ── Messages (section 3). Each one that succeeds is followed by a commit ─────────────────────
  // Every message: kOpNotSupp  (checked first) the pool is worse than out of data space; kIo,
  // kBadMsg, kNoSpc  the metadata fails, or the commit behind the message: it did not happen.

  // "create_snap 1 0". Names in any case.
  // Errors, in the order they are checked: kInval  no word; kOpNotSupp  as above; kInval  an
  // unknown message, a wrong number of arguments, an id that is no number or above 16777215; then
  // as the call below.
  Result<void> Message(const OpContext& op, std::string_view text);

  // Errors: kInval  the id is above 16777215; kExist  the id is taken.
  Result<void> CreateThin(const OpContext& op, ThinId id);
  // Errors: as CreateThin, then kNoData  no such origin; kOverflow  the pool's time is at its end.
  Result<void> CreateSnapshot(const OpContext& op, ThinId id, ThinId origin);
  // Nothing is discarded on the data device. Errors: kInval; kNoData  no such device; kBusy active.
  Result<void> Delete(const OpContext& op, ThinId id);
  // Errors: kInval  `expected` is not the pool's.
  Result<void> SetTransactionId(const OpContext& op, std::uint64_t expected, std::uint64_t next);
  // Errors: kBusy  one is held.
  Result<void> ReserveMetadataSnapshot(const OpContext& op);
  // Errors: kInval  none is held.
  Result<void> ReleaseMetadataSnapshot(const OpContext& op);

  // Errors: kInval  the pool is worse than out of data space; kIo  it fails, and the transaction is
  // thrown away.
  Result<void> Commit(const OpContext& op);

  // ── Thin devices (section 4) ─────────────────────────────────────────────────────────────────
  // The same id may be active more than once. `external_origin` is read where nothing is mapped;
  // it outlives the device.
  //
  // Errors, in the order they are checked:
  //   kInval   a length of 0; an id above 16777215; the pool is suspended, or in fail mode; the
  //            table names an origin and there is none
  //   kNoData  no such device
  //   kIo      the metadata
  Result<std::unique_ptr<ThinDevice>> Activate(const OpContext& op, ThinId id,
                                               std::uint64_t size_sectors,
                                               BlockDevice* external_origin = nullptr);
  Result<std::unique_ptr<ThinDevice>> Activate(const OpContext& op, const ThinTable& table,
                                               BlockDevice* external_origin = nullptr);

  // ── What it is like ──────────────────────────────────────────────────────────────────────────
  // What stands behind "0 <length> thin-pool " (section 11). A query without kNoFlush commits,
  // unless the pool is suspended.
  std::string Status(const OpContext& op, StatusFlush flush = StatusFlush::kCommit);
  // "0 <length> thin-pool <status>".
  std::string StatusLine(const OpContext& op, StatusFlush flush = StatusFlush::kCommit);

  const ThinPoolTable& table() const { return table_; }
  ThinPoolMode mode() const { return mode_; }
  bool needs_check() const { return metadata_->needs_check(); }
  bool passes_discards_down() const { return passdown_; }
  // A write that needs a block of a full pool fails at once, by the table or by the timeout.
  bool errors_if_no_space() const { return error_if_no_space_; }
  const ThinPoolCounters& counters() const { return counters_; }
  const ThinPoolSettings& settings() const { return settings_; }
  void set_no_space_timeout(Duration timeout) { settings_.no_space_timeout = timeout; }
  std::uint64_t block_sectors() const { return table_.block_sectors; }
  // Blocks that are kept free of everything but a commit's own needs.
  std::uint64_t metadata_reserve_blocks() const;
  // min(1024, a quarter): an event when no more are free.
  std::uint64_t metadata_low_water_blocks() const;
  // Writes of Submit that wait, in pieces of one block.
  std::size_t waiting_pieces() const { return waiting_.size(); }
  bool IsActive(ThinId id) const { return active_.contains(id); }

  // The latest events, oldest first; at most kMaxKept are kept. event_count counts all.
  const std::deque<ThinPoolEvent>& events() const { return events_; }
  std::uint64_t event_count() const { return event_count_; }
  // What the kernel would log about a thing that it did not do.
  const std::deque<std::string>& log() const { return log_; }
  static constexpr std::size_t kMaxKept = 1000;

  // For readers: dump, check, lists of devices. The changes of this transaction are seen.
  ThinMetadata& metadata() { return *metadata_; }

  // ── Explain ──────────────────────────────────────────────────────────────────────────────────
  // What one virtual block lies on and with whom it is shared; walks every device.
  // Errors: kNoData  no such device; kIo, kBadMsg.
  Result<ThinBlockReport> Explain(const OpContext& op, ThinId id, std::uint64_t virtual_block);
  // Every mapped data block with those that map it. Errors: kIo, kBadMsg.
  Result<ThinChunkMap> ChunkMap(const OpContext& op);

  // ── Deferred: the commit a second after the first change, and the no-space timeout ───────────
  std::optional<Instant> NextDeadline() const override;
  // Gives no error: a commit that fails shows in mode() and in an event.
  Result<void> RunUntil(const OpContext& op, Instant until) override;

 private:
  friend class ThinDevice;

  ThinPool(ThinPoolTable table, BlockDevice& metadata, BlockDevice& data,
           const ThinPoolSettings& settings);

  // thin_pool.cc
  std::optional<TableError> CheckLoad(const ThinPoolTable& table, const BlockDevice& metadata,
                                      const BlockDevice& data) const;
  std::optional<TableError> OpenMetadata(const OpContext& op);
  Result<void> Grow(const OpContext& op);
  Result<void> GrowData(const OpContext& op);
  Result<void> GrowMetadata(const OpContext& op);
  void Bind(const OpContext& op);

  // thin_message.cc
  Result<void> CheckMessages() const;
  Result<void> EndMessage(const OpContext& op, Result<void> done);
  Result<void> CheckId(ThinId id) const;

  // thin_mode.cc
  Result<void> CommitNow(const OpContext& op);
  void SetMode(const OpContext& op, ThinPoolMode mode);
  void MetadataFailed(const OpContext& op);
  void NoteChange(const OpContext& op);
  void CheckLowWater(const OpContext& op);
  void CheckMetadataLow(const OpContext& op);
  bool MetadataIsShort() const;
  void Tell(const OpContext& op, ThinPoolEventKind kind);
  void Log(std::string line);
  void RetryWaiting(const OpContext& op);
  void FailWaiting(Errno error);
  void TimeOutWaiting(const OpContext& op);

  // thin_write.cc
  Result<void> WritePiece(const OpContext& op, ThinDevice& device, internal::ThinPiece piece,
                          Bytes from);
  Result<void> WriteToNewBlock(const OpContext& op, ThinDevice& device, internal::ThinPiece piece,
                               Bytes from, const ThinMapping* shared);
  Result<void> Fill(const OpContext& op, ThinDevice& device, std::uint64_t virtual_block,
                    std::uint64_t data_block, const ThinMapping* shared);
  Result<void> FillFromOrigin(const OpContext& op, BlockDevice& origin, std::uint64_t begin_sector,
                              Sector to);
  Result<std::uint64_t> Allocate(const OpContext& op);
  // Errors: kIo  damaged metadata: no such data block.
  Result<Sector> PlaceOf(const ThinMapping& mapping, std::uint64_t offset_sectors) const;
  Errno Unserviceable() const;
  Sector SectorOfBlock(std::uint64_t data_block) const {
    return Sector{data_block * table_.block_sectors};
  }

  // thin_discard.cc
  Result<void> DiscardBlocks(const OpContext& op, ThinDevice& device, std::uint64_t begin,
                             std::uint64_t end);
  void PassDown(const OpContext& op, const std::vector<ThinUnmapped>& unmapped);

  void Forget(ThinDevice& device);  // it is gone

  ThinPoolTable table_;                  // the live one
  std::optional<ThinPoolTable> loaded_;  // counts from the next resume on
  ThinPoolSettings settings_;
  BlockDevice* metadata_device_;
  BlockDevice* data_;
  std::unique_ptr<ThinMetadata> metadata_;

  ThinPoolMode mode_ = ThinPoolMode::kWrite;
  ThinPoolMode table_mode_ = ThinPoolMode::kWrite;  // that the next resume asks for
  bool suspended_ = true;
  bool error_if_no_space_ = false;
  bool passdown_ = true;
  bool low_water_told_ = false;
  bool metadata_low_told_ = false;
  std::optional<Instant> first_change_;       // of this transaction
  std::optional<Instant> no_space_deadline_;  // waiting writes fail then
  std::uint64_t details_epoch_ = 1;           // devices' snapshot times may have changed

  std::map<ThinId, std::uint32_t> active_;                        // how often
  std::vector<std::unique_ptr<internal::WaitingWrite>> waiting_;  // in the order of coming
  ThinPoolCounters counters_;
  std::deque<ThinPoolEvent> events_;
  std::uint64_t event_count_ = 0;
  std::deque<std::string> log_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_POOL_H_
