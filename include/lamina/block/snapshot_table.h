// The table lines of the targets snapshot-origin, snapshot and snapshot-merge, read and written.
//
//   0 2097152 snapshot-origin <origin dev>
//   0 2097152 snapshot        <origin dev> <COW dev> <P|PO|N> <chunk sectors> [<#features>
//                             <feature>...]
//   0 2097152 snapshot-merge  the same arguments
//
// Device names are words; who opens the target knows which devices they mean.
//
// Source: devicemapper.md section 13. Threads: plain values.
#ifndef LAMINA_BLOCK_SNAPSHOT_TABLE_H_
#define LAMINA_BLOCK_SNAPSHOT_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lamina/block/table_result.h"

namespace lamina {

inline constexpr std::uint64_t kDefaultSnapshotChunkSectors = 32;     // 16 KiB
inline constexpr std::uint64_t kMaxSnapshotChunkSectors = 2'097'152;  // 1 GiB

enum class SnapshotKind : std::uint8_t {
  kSnapshot,
  kMerge,  // the exceptions go back to the origin
};

// Where the table of exceptions is kept, and what a full COW device does to a snapshot that is
// written.
enum class SnapshotStore : std::uint8_t {
  kPersistent,          // P: on the COW device; full: invalid
  kPersistentOverflow,  // PO: on the COW device; full: the snapshot can still be read
  kTransient,           // N: in memory, gone with the target; full: invalid
};

struct SnapshotTable {
  std::uint64_t start_sector = 0;  // where the target begins in its table
  std::uint64_t length_sectors = 0;
  SnapshotKind kind = SnapshotKind::kSnapshot;
  std::string origin_device;
  std::string cow_device;
  SnapshotStore store = SnapshotStore::kPersistent;
  std::uint64_t chunk_sectors = 0;  // a power of two; 0: 32, or what the COW device says
  bool discard_zeroes_cow = false;
  bool discard_passdown_origin = false;  // only with discard_zeroes_cow
  friend bool operator==(const SnapshotTable&, const SnapshotTable&) = default;
};

struct SnapshotOriginTable {
  std::uint64_t start_sector = 0;
  std::uint64_t length_sectors = 0;
  std::string origin_device;
  friend bool operator==(const SnapshotOriginTable&, const SnapshotOriginTable&) = default;
};

// Reads one table line of the target snapshot or snapshot-merge; words are separated by blanks. As
// in the kernel, words behind the counted features are not looked at.
//
// Errors, all kInval, in the order they are checked:
//   not one line; start or length no number; another target; a length of 0; fewer than 4 arguments;
//   a feature count that is no number, above 2 or above the words that follow; an unknown feature
//   (any case is known); discard_passdown_origin alone; origin and COW device by the same name;
//   a store other than P, PO, N; a chunk size that is no number, no power of two or above 2097152;
//   then as CheckSnapshotTable
TableResult<SnapshotTable> ParseSnapshotTable(std::string_view text);

// The same rules for a table that was not read from text. Errors: kInval, as above, and
//   a transient store with chunk size 0; a transient store that is to be merged
std::optional<TableError> CheckSnapshotTable(const SnapshotTable& table);

// Reads one table line of the target snapshot-origin.
// Errors, all kInval, in the order they are checked:
//   not one line; start or length no number; another target; a length of 0; not one argument
TableResult<SnapshotOriginTable> ParseSnapshotOriginTable(std::string_view text);

// What `dmsetup table` shows behind "<start> <length> <target> ", names as they are.
std::string TableText(const SnapshotTable& table);
std::string TableText(const SnapshotOriginTable& table);

// "snapshot" or "snapshot-merge".
std::string_view SnapshotTargetName(SnapshotKind kind);
// "P", "PO" or "N".
std::string_view SnapshotStoreWord(SnapshotStore store);

}  // namespace lamina
#endif  // LAMINA_BLOCK_SNAPSHOT_TABLE_H_
