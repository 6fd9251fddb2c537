#include "vfs/block/thin_layout.h"

#include <algorithm>
#include <bit>

#include "lamina/block/crc32c.h"

namespace lamina::internal {
namespace {

constexpr std::uint64_t kMagic = 27022010;
constexpr std::size_t kNumberAt = 8;

constexpr std::uint32_t SaltOf(BlockKind kind) {
  switch (kind) {
    case BlockKind::kSuperblock:
      return 160774;
    case BlockKind::kNode:
      return 121107;
    case BlockKind::kBitmap:
      return 240779;
    case BlockKind::kIndex:
      return 160478;
  }
  return 0;
}

void StoreRoot(std::byte* at, const SpaceMapRoot& root) {
  StoreLe(at, root.nr_blocks);
  StoreLe(at + 8, root.nr_allocated);
  StoreLe(at + 16, root.bitmap_root);
  StoreLe(at + 24, root.ref_count_root);
}

SpaceMapRoot LoadRoot(const std::byte* at) {
  return {LoadLe<std::uint64_t>(at), LoadLe<std::uint64_t>(at + 8), LoadLe<std::uint64_t>(at + 16),
          LoadLe<std::uint64_t>(at + 24)};
}

// One bit, the lower of its pair, for each of the 32 entries that are 0.
constexpr std::uint64_t kLowOfPairs = 0x5555555555555555;
std::uint64_t FreeOf(std::uint64_t word) { return ~(word | word >> 1) & kLowOfPairs; }

std::uint64_t WordAt(const BlockBytes& bitmap, std::uint64_t word) {
  return LoadLe<std::uint64_t>(bitmap.data() + kBitmapHeaderBytes + word * 8);
}

constexpr std::uint64_t kEntriesPerWord = 32;

}  // namespace

std::uint32_t ChecksumOf(BlockKind kind, const BlockBytes& block) {
  return Crc32cOf(~std::uint32_t{0}, Bytes(block).subspan(4)) ^ SaltOf(kind);
}

void Seal(BlockKind kind, BlockNumber number, BlockBytes& block) {
  StoreLe(block.data() + kNumberAt, number);
  StoreLe(block.data(), ChecksumOf(kind, block));
}

bool IsSealed(BlockKind kind, BlockNumber number, const BlockBytes& block) {
  return LoadLe<std::uint32_t>(block.data()) == ChecksumOf(kind, block) &&
         LoadLe<std::uint64_t>(block.data() + kNumberAt) == number;
}

BlockBytes EncodeSuperblock(const Superblock& superblock, BlockNumber number) {
  BlockBytes block{};
  std::byte* const at = block.data();
  StoreLe(at + 4, superblock.flags);
  std::copy(superblock.uuid.begin(), superblock.uuid.end(), block.begin() + 16);
  StoreLe(at + 32, kMagic);
  StoreLe(at + 40, superblock.version);
  StoreLe(at + 44, superblock.time);
  StoreLe(at + 48, superblock.transaction_id);
  StoreLe(at + 56, superblock.held_root);
  StoreRoot(at + 64, superblock.data);
  StoreRoot(at + 192, superblock.metadata);
  StoreLe(at + 320, superblock.mapping_root);
  StoreLe(at + 328, superblock.details_root);
  StoreLe(at + 336, superblock.data_block_sectors);
  StoreLe(at + 340, static_cast<std::uint32_t>(kSectorsPerBlock));
  StoreLe(at + 344, superblock.metadata_nr_blocks);
  StoreLe(at + 352, superblock.compat);
  StoreLe(at + 356, superblock.compat_ro);
  StoreLe(at + 360, superblock.incompat);
  Seal(BlockKind::kSuperblock, number, block);
  return block;
}

Result<Superblock> DecodeSuperblock(const BlockBytes& block, BlockNumber number) {
  const std::byte* const at = block.data();
  if (LoadLe<std::uint64_t>(at + 32) != kMagic) return Errno::kInval;
  if (!IsSealed(BlockKind::kSuperblock, number, block)) return Errno::kInval;
  Superblock superblock;
  superblock.flags = LoadLe<std::uint32_t>(at + 4);
  std::copy_n(block.begin() + 16, superblock.uuid.size(), superblock.uuid.begin());
  superblock.version = LoadLe<std::uint32_t>(at + 40);
  superblock.time = LoadLe<std::uint32_t>(at + 44);
  superblock.transaction_id = LoadLe<std::uint64_t>(at + 48);
  superblock.held_root = LoadLe<std::uint64_t>(at + 56);
  superblock.data = LoadRoot(at + 64);
  superblock.metadata = LoadRoot(at + 192);
  superblock.mapping_root = LoadLe<std::uint64_t>(at + 320);
  superblock.details_root = LoadLe<std::uint64_t>(at + 328);
  superblock.data_block_sectors = LoadLe<std::uint32_t>(at + 336);
  superblock.metadata_nr_blocks = LoadLe<std::uint64_t>(at + 344);
  superblock.compat = LoadLe<std::uint32_t>(at + 352);
  superblock.compat_ro = LoadLe<std::uint32_t>(at + 356);
  superblock.incompat = LoadLe<std::uint32_t>(at + 360);
  if (superblock.version < kMinThinVersion || superblock.version > kThinVersion) {
    return Errno::kInval;
  }
  if (LoadLe<std::uint32_t>(at + 340) != kSectorsPerBlock) return Errno::kInval;
  if (superblock.compat_ro != 0 || superblock.incompat != 0) return Errno::kInval;
  if (superblock.data_block_sectors == 0) return Errno::kInval;
  return superblock;
}

std::string UuidText(const Superblock& superblock) {
  std::string text(AsText(superblock.uuid));
  text.erase(text.find_last_not_of('\0') + 1);
  return text;
}

std::uint64_t NextFreeEntry(const BlockBytes& bitmap, std::uint64_t from, std::uint64_t end) {
  for (std::uint64_t at = from; at < end;) {
    const std::uint64_t word = at / kEntriesPerWord;
    const std::uint64_t within = at % kEntriesPerWord;
    const std::uint64_t free = FreeOf(WordAt(bitmap, word)) & (~std::uint64_t{0} << (2 * within));
    if (free != 0) {
      const auto entry = static_cast<std::uint64_t>(std::countr_zero(free)) / 2;
      return std::min(end, word * kEntriesPerWord + entry);
    }
    at = (word + 1) * kEntriesPerWord;
  }
  return end;
}

std::uint32_t FreeEntries(const BlockBytes& bitmap) {
  std::uint32_t free = 0;
  for (std::uint64_t word = 0; word < kBitmapEntries / kEntriesPerWord; ++word) {
    free += static_cast<std::uint32_t>(std::popcount(FreeOf(WordAt(bitmap, word))));
  }
  return free;
}

}  // namespace lamina::internal
