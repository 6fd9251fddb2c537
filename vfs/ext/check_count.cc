// The bitmaps and the counters against what was counted.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {
namespace {

using namespace ext;  // NOLINT: the on-disk words

bool BitAt(Bytes bitmap, std::size_t index) {
  return (std::to_integer<unsigned>(bitmap[index / 8]) >> index % 8 & 1) != 0;
}

// Where a bitmap and a count part: the first place, and how many.
struct Difference {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  void Add(std::uint64_t at) {
    if (count++ == 0) first = at;
  }
};

std::string Text(const char* what, const Difference& difference) {
  return absl::StrFormat("%s: %d, the first is %d", what, difference.count, difference.first);
}

}  // namespace

void ImageCheck::CheckCounts() {
  std::uint64_t free_blocks = 0;
  std::uint64_t free_inodes = 0;
  for (std::uint32_t group = 0; group < group_count_; ++group) {
    const DiskGroup& says = groups_[group];
    std::uint32_t group_blocks = 0;
    std::uint32_t group_inodes = 0;
    std::uint32_t group_directories = 0;
    CheckBlockBitmap(group, group_blocks);
    CheckInodeBitmap(group, group_inodes, group_directories);
    const auto compare = [&](const char* what, std::uint32_t written, std::uint32_t found) {
      if (written == found) return;
      GroupError(Kind::kCount, group, absl::StrFormat("%s %d, found %d", what, written, found));
    };
    compare("free blocks", says.free_blocks_count, group_blocks);
    compare("free inodes", says.free_inodes_count, group_inodes);
    compare("directories", says.used_dirs_count, group_directories);
    free_blocks += group_blocks;
    free_inodes += group_inodes;
    report_.directories += group_directories;
  }
  report_.used_blocks = super_.blocks_count - super_.first_data_block - free_blocks;
  report_.used_inodes = super_.inodes_count - free_inodes;
  if (super_.free_blocks_count != free_blocks) {
    Error(Kind::kCount,
          absl::StrFormat("free blocks %d, found %d", super_.free_blocks_count, free_blocks));
  }
  if (super_.free_inodes_count != free_inodes) {
    Error(Kind::kCount,
          absl::StrFormat("free inodes %d, found %d", super_.free_inodes_count, free_inodes));
  }
}

void ImageCheck::CheckBlockBitmap(std::uint32_t group, std::uint32_t& free_blocks) {
  const std::vector<std::byte> bitmap = ReadBlock(groups_[group].block_bitmap);
  const std::uint32_t first = FirstBlockOf(group);
  const std::uint32_t count = BlockCountOf(group);
  Difference lost;
  Difference unmarked;
  Difference padding;
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool is_used = used_blocks_[first + i];
    if (!is_used) ++free_blocks;
    if (BitAt(bitmap, i) == is_used) continue;
    (is_used ? unmarked : lost).Add(first + i);
  }
  for (std::uint32_t i = count; i < block_bytes_ * 8; ++i) {
    if (!BitAt(bitmap, i)) padding.Add(i);
  }
  if (lost.count != 0)
    GroupError(Kind::kBlockBitmap, group, Text("blocks marked in use that nobody has", lost));
  if (unmarked.count != 0)
    GroupError(Kind::kBlockBitmap, group, Text("blocks in use that are marked free", unmarked));
  if (padding.count != 0)
    GroupError(Kind::kBlockBitmap, group,
               Text("bits behind the block bitmap that are free", padding));
}

void ImageCheck::CheckInodeBitmap(std::uint32_t group, std::uint32_t& free_inodes,
                                  std::uint32_t& directories) {
  const std::vector<std::byte> bitmap = ReadBlock(groups_[group].inode_bitmap);
  const std::uint32_t first = group * super_.inodes_per_group + 1;
  Difference lost;
  Difference unmarked;
  Difference padding;
  auto next = inodes_.lower_bound(first);
  for (std::uint32_t i = 0; i < super_.inodes_per_group; ++i) {
    while (next != inodes_.end() && next->first < first + i) ++next;
    const bool is_found = next != inodes_.end() && next->first == first + i;
    const bool is_used = is_found || IsReserved(first + i);
    if (!is_used) ++free_inodes;
    if (is_found && (next->second.mode & kModeTypeMask) == kModeDirectory) ++directories;
    if (BitAt(bitmap, i) == is_used) continue;
    (is_used ? unmarked : lost).Add(first + i);
  }
  for (std::uint32_t i = super_.inodes_per_group; i < block_bytes_ * 8; ++i) {
    if (!BitAt(bitmap, i)) padding.Add(i);
  }
  if (lost.count != 0)
    GroupError(Kind::kInodeBitmap, group, Text("inodes marked in use that are not", lost));
  if (unmarked.count != 0)
    GroupError(Kind::kInodeBitmap, group, Text("inodes in use that are marked free", unmarked));
  if (padding.count != 0)
    GroupError(Kind::kInodeBitmap, group,
               Text("bits behind the inode bitmap that are free", padding));
}

}  // namespace lamina::internal
