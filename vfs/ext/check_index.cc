// A hashed directory: its first block holds, behind "..", a tree of hashes that must reach every
// other block once. A block holds the names whose hashes lie between those of its entry and of the
// next one.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/str_format.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {
namespace {

using namespace ext;  // NOLINT: the on-disk words

// dx_root_info, behind the two dot entries.
constexpr std::size_t kRootAt = 24;
constexpr std::size_t kRootBytes = 8;
constexpr std::uint8_t kMaxHashVersion = 2;  // legacy, half MD4, TEA; unsigned ones are a flag
constexpr std::uint8_t kUnknownFlag = 1;     // of the root: whoever does not know it must not read
constexpr int kMaxIndexLevels = 1;           // below the root, without large_dir
constexpr std::size_t kIndexEntryBytes = 8;  // hash, block; the first one: limit, count, block
constexpr std::uint32_t kBlockMask = 0xffffff;
constexpr std::uint32_t kLastHash = 0xfffffffe;

}  // namespace

std::optional<NameHashVersion> ImageCheck::CheckIndexRoot(std::uint32_t number,
                                                          const SeenDirectory& directory) {
  if (directory.blocks.empty()) return std::nullopt;
  const std::vector<std::byte> root = ReadBlock(directory.blocks[0].second);
  const auto reserved = ReadRecord<std::uint32_t>(root, kRootAt);
  const auto version = ReadRecord<std::uint8_t>(root, kRootAt + 4);
  const auto info_bytes = ReadRecord<std::uint8_t>(root, kRootAt + 5);
  const auto levels = ReadRecord<std::uint8_t>(root, kRootAt + 6);
  const auto flags = ReadRecord<std::uint8_t>(root, kRootAt + 7);
  const bool is_right = reserved == 0 && version <= kMaxHashVersion && info_bytes == kRootBytes &&
                        levels <= kMaxIndexLevels && (flags & kUnknownFlag) == 0;
  if (is_right) return static_cast<NameHashVersion>(version);
  Error(Kind::kIndex, "its index has a root that cannot be", number);
  return std::nullopt;
}

void ImageCheck::CheckIndex(std::uint32_t number, const SeenDirectory& directory,
                            const std::vector<HashRange>& found) {
  const std::vector<std::byte> root = ReadBlock(directory.blocks[0].second);
  IndexWalk walk{number, &directory, std::vector<IndexedBlock>(directory.block_count)};
  if (!walk.blocks.empty()) walk.blocks[0].is_reached = true;
  CheckIndexNode(walk, root, kRootAt + kRootBytes, ReadRecord<std::uint8_t>(root, kRootAt + 6),
                 {0, kLastHash});
  for (std::size_t i = 0; i < walk.blocks.size(); ++i) {
    const IndexedBlock& block = walk.blocks[i];
    if (!block.is_reached) {
      return Error(Kind::kIndex, absl::StrFormat("its index does not reach block %d", i), number);
    }
    const bool is_right = !block.is_leaf || (found[i].least >= block.hashes.least &&
                                             found[i].most <= block.hashes.most);
    if (!is_right) {
      Error(Kind::kIndex,
            absl::StrFormat("block %d holds a name that its index looks for elsewhere", i), number);
    }
  }
}

// At most two levels deep. Entries begin at byte `at` of `node`.
void ImageCheck::CheckIndexNode(IndexWalk& walk, Bytes node, std::size_t at, int levels,
                                HashRange hashes) {
  const auto wrong = [&](std::string text) { Error(Kind::kIndex, std::move(text), walk.inode); };
  const auto limit = ReadRecord<std::uint16_t>(node, at);
  const auto count = ReadRecord<std::uint16_t>(node, at + 2);
  const std::size_t room = (node.size() - at) / kIndexEntryBytes;
  if (limit != room || count == 0 || count > limit) {
    return wrong(absl::StrFormat("its index has a node of %d entries of %d", count, limit));
  }
  const auto hash_of = [&](std::size_t i) {
    return ReadRecord<std::uint32_t>(node, at + i * kIndexEntryBytes) & ~1u;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const HashRange own = {i == 0 ? hashes.least : hash_of(i),
                           i + 1 < count ? hash_of(i + 1) : hashes.most};
    const auto block = ReadRecord<std::uint32_t>(node, at + i * kIndexEntryBytes + 4) & kBlockMask;
    if (i + 1 < count && own.most < (i == 0 ? 0 : own.least)) wrong("its index is out of order");
    if (block >= walk.blocks.size() || walk.blocks[block].is_reached) {
      wrong(absl::StrFormat("its index names block %d, which cannot be", block));
      continue;
    }
    walk.blocks[block] = {.is_reached = true, .is_leaf = levels == 0, .hashes = own};
    if (levels != 0) CheckIndexChild(walk, block, levels - 1, own);
  }
}

void ImageCheck::CheckIndexChild(IndexWalk& walk, std::uint32_t block, int levels,
                                 HashRange hashes) {
  const std::vector<MappedBlock>& blocks = walk.directory->blocks;
  const auto found = std::lower_bound(blocks.begin(), blocks.end(), MappedBlock{block, 0});
  if (found == blocks.end() || found->first != block) return;  // a hole: said with the entries
  const std::vector<std::byte> child = ReadBlock(found->second);
  // An entry over the whole block hides the node from who reads linearly.
  const auto cover = ReadRecord<DiskEntry>(child);
  if (cover.inode != 0 || cover.record_length != block_bytes_) {
    Error(Kind::kIndex, "a node of its index is not hidden", walk.inode, found->second);
  }
  CheckIndexNode(walk, child, sizeof(DiskEntry), levels, hashes);
}

}  // namespace lamina::internal
