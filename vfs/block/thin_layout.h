// The binary layout of thin metadata: where every field of every kind of block lies (§17).
//
// All numbers are little endian. The first u32 of a block is its checksum, the u64 at 8 its place.
#ifndef LAMINA_VFS_BLOCK_THIN_LAYOUT_H_
#define LAMINA_VFS_BLOCK_THIN_LAYOUT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "lamina/base/bytes.h"
#include "lamina/base/result.h"
#include "lamina/block/thin_metadata.h"

namespace lamina::internal {

inline constexpr std::size_t kBlockBytes = kThinMetadataBlockBytes;
inline constexpr std::uint64_t kSectorsPerBlock = kBlockBytes / kSectorBytes;

// A block of the metadata device.
using BlockNumber = std::uint64_t;
using BlockBytes = std::array<std::byte, kBlockBytes>;

enum class BlockKind : std::uint8_t { kSuperblock, kNode, kBitmap, kIndex };

template <typename T>
T LoadLe(const std::byte* at) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
void StoreLe(std::byte* at, T value) {
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(at, &value, sizeof value);
}

// What the checksum field of a block of this kind must hold.
std::uint32_t ChecksumOf(BlockKind kind, const BlockBytes& block);
// Sets the block's own number and its checksum.
void Seal(BlockKind kind, BlockNumber number, BlockBytes& block);
// Does the block hold a good checksum and its own number?
bool IsSealed(BlockKind kind, BlockNumber number, const BlockBytes& block);

struct SpaceMapRoot {
  std::uint64_t nr_blocks = 0;
  std::uint64_t nr_allocated = 0;
  BlockNumber bitmap_root = 0;     // a tree (data) or an index block (metadata)
  BlockNumber ref_count_root = 0;  // a tree of the counts of 3 and more

  friend bool operator==(const SpaceMapRoot&, const SpaceMapRoot&) = default;
};

inline constexpr std::uint32_t kNeedsCheckFlag = 1;
inline constexpr std::uint32_t kMinThinVersion = 1;  // read, and written when it is restored
inline constexpr std::uint32_t kThinVersion = 2;

struct Superblock {
  std::uint32_t flags = 0;
  std::array<std::byte, 16> uuid{};
  std::uint32_t version = kThinVersion;
  std::uint32_t time = 0;
  std::uint64_t transaction_id = 0;
  BlockNumber held_root = 0;  // 0: none
  SpaceMapRoot data;
  SpaceMapRoot metadata;
  BlockNumber mapping_root = 0;
  BlockNumber details_root = 0;
  std::uint32_t data_block_sectors = 0;
  std::uint64_t metadata_nr_blocks = 0;
  std::uint32_t compat = 0;
  std::uint32_t compat_ro = 0;
  std::uint32_t incompat = 0;

  friend bool operator==(const Superblock&, const Superblock&) = default;
};

// A whole block, sealed for `number`.
BlockBytes EncodeSuperblock(const Superblock& superblock, BlockNumber number);

// Errors, in the order they are checked: kInval  magic, checksum, place, version, block size of
// metadata, unknown features, no data block size.
Result<Superblock> DecodeSuperblock(const BlockBytes& block, BlockNumber number);

// The uuid without its trailing zeros.
std::string UuidText(const Superblock& superblock);

// ── space maps ───────────────────────────────────────────────────────────────
inline constexpr std::size_t kBitmapHeaderBytes = 16;
inline constexpr std::uint64_t kBitmapEntries = (kBlockBytes - kBitmapHeaderBytes) * 4;
inline constexpr std::size_t kIndexHeaderBytes = 16;
inline constexpr std::size_t kIndexEntryBytes = 16;
inline constexpr std::uint64_t kMaxIndexEntries = 255;
// The count in a bitmap that says: look into the tree of counts.
inline constexpr std::uint32_t kOverflowCount = 3;

struct IndexEntry {
  BlockNumber bitmap = 0;
  std::uint32_t nr_free = 0;  // as if the last bitmap were full of blocks
  std::uint32_t none_free_before = 0;

  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

inline IndexEntry LoadIndexEntry(const std::byte* at) {
  return {LoadLe<std::uint64_t>(at), LoadLe<std::uint32_t>(at + 8), LoadLe<std::uint32_t>(at + 12)};
}

inline void StoreIndexEntry(std::byte* at, const IndexEntry& entry) {
  StoreLe(at, entry.bitmap);
  StoreLe(at + 8, entry.nr_free);
  StoreLe(at + 12, entry.none_free_before);
}

constexpr std::uint64_t BitmapsFor(std::uint64_t nr_blocks) {
  return nr_blocks / kBitmapEntries + (nr_blocks % kBitmapEntries != 0 ? 1 : 0);
}

// The stored count, 0..3, of entry `position` of a bitmap. In each pair of bits the lower one is
// the high-order bit.
inline std::uint32_t StoredCount(const BlockBytes& bitmap, std::uint64_t position) {
  const auto byte = std::to_integer<std::uint32_t>(bitmap[kBitmapHeaderBytes + position / 4]);
  const std::uint32_t pair = byte >> (2 * (position % 4)) & 3;
  return (pair & 1) << 1 | pair >> 1;
}

inline void StoreCount(BlockBytes& bitmap, std::uint64_t position, std::uint32_t count) {
  std::byte& byte = bitmap[kBitmapHeaderBytes + position / 4];
  const auto shift = static_cast<int>(2 * (position % 4));
  const std::uint32_t pair = (count & 1) << 1 | count >> 1;
  byte = (byte & ~(std::byte{3} << shift)) | (static_cast<std::byte>(pair) << shift);
}

// The first entry at or after `from` whose count is 0; `end` when there is none before it.
std::uint64_t NextFreeEntry(const BlockBytes& bitmap, std::uint64_t from, std::uint64_t end);
// How many of the bitmap's entries are 0, all kBitmapEntries of them looked at.
std::uint32_t FreeEntries(const BlockBytes& bitmap);

// ── values of leaves ─────────────────────────────────────────────────────────
inline constexpr std::uint32_t kMappingTimeMask = (1u << 24) - 1;
inline constexpr std::size_t kDetailsBytes = 24;

constexpr std::uint64_t PackMapping(const ThinMapping& mapping) {
  return mapping.data_block << 24 | (mapping.time & kMappingTimeMask);
}
constexpr ThinMapping UnpackMapping(std::uint64_t value) {
  return {value >> 24, static_cast<std::uint32_t>(value) & kMappingTimeMask};
}

inline ThinDetails LoadDetails(const std::byte* at) {
  return {LoadLe<std::uint64_t>(at), LoadLe<std::uint64_t>(at + 8), LoadLe<std::uint32_t>(at + 16),
          LoadLe<std::uint32_t>(at + 20)};
}
inline void StoreDetails(std::byte* at, const ThinDetails& details) {
  StoreLe(at, details.mapped_blocks);
  StoreLe(at + 8, details.transaction_id);
  StoreLe(at + 16, details.creation_time);
  StoreLe(at + 20, details.snapshotted_time);
}

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_THIN_LAYOUT_H_
