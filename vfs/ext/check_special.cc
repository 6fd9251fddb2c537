// What is nobody's file: the journal, the inode that keeps room for descriptors, and the list of
// inodes that have no name any more.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/ext/journal.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {

using namespace ext;  // NOLINT: the on-disk words

std::vector<std::uint32_t> ImageCheck::JournalBlocks() {
  if (!HasCompat(kCompatHasJournal)) return {};
  if (super_.journal_inode == 0 || super_.journal_inode > super_.inodes_count) return {};
  const DiskInode inode = ReadInode(super_.journal_inode);
  if ((inode.mode & kModeTypeMask) != kModeRegular) return {};
  if ((inode.flags & kInodeExtents) != 0 && !HasIncompat(kIncompatExtents)) return {};
  Walk walk{.inode = super_.journal_inode, .keeps_list = true, .purpose = Purpose::kLook};
  // Its findings come with CheckInodes, which walks it again.
  ExtReport kept = report_;
  WalkBlocks(inode, walk);
  report_ = std::move(kept);
  std::vector<std::uint32_t> blocks;
  for (const auto& [logical, physical] : walk.list) {
    if (logical != blocks.size()) return {};
    blocks.push_back(physical);
  }
  return blocks;
}

void ImageCheck::CheckJournalInode() {
  if (!HasCompat(kCompatHasJournal)) return;
  const std::uint32_t number = super_.journal_inode;
  if (number == 0 || number > super_.inodes_count) return;  // said with the superblock
  const DiskInode inode = ReadInode(number);
  if ((inode.mode & kModeTypeMask) != kModeRegular || inode.links_count == 0) {
    return Error(Kind::kJournal, "the journal is not a file", number);
  }
  const std::vector<std::uint32_t> blocks = JournalBlocks();
  if (blocks.empty()) return Error(Kind::kJournal, "the journal has holes or no blocks", number);
  if (blocks.size() < Journal::kMinKernelBlocks) {
    Error(Kind::kJournal,
          absl::StrFormat("the journal has %d blocks, fewer than %d", blocks.size(),
                          Journal::kMinKernelBlocks),
          number);
  }
  if (super_.journal_backup_type != 1) return;
  const bool is_equal =
      std::equal(inode.block.begin(), inode.block.end(), super_.journal_blocks.begin()) &&
      super_.journal_blocks[15] == inode.size_high && super_.journal_blocks[16] == inode.size_low;
  if (!is_equal) Note(Kind::kJournal, "the superblock's copy of the journal inode differs", number);
}

// Block 13 maps, for each reserved block behind the descriptors, the places of its copies.
void ImageCheck::CheckResizeInode() {
  if (!HasCompat(kCompatResizeInode)) return;
  const DiskInode inode = ReadInode(kResizeInode);
  const std::uint32_t table = inode.block[kDoubleSlot];
  const auto wrong = [&](const char* what) { Error(Kind::kResizeInode, what, kResizeInode); };
  if (inode.links_count == 0 || (inode.mode & kModeTypeMask) != kModeRegular) {
    return wrong("is not a file");
  }
  if ((inode.flags & (kInodeExtents | kInodeInlineData)) != 0) return wrong("has no block map");
  for (std::uint32_t i = 0; i < kBlockSlots; ++i) {
    if (i != kDoubleSlot && inode.block[i] != 0) return wrong("maps blocks of its own");
  }
  if (!InRange(table)) return wrong("has no block");
  Walk walk{.inode = kResizeInode};
  if (!Claim(table, walk)) return;

  Walk copies_walk{.inode = kResizeInode, .purpose = Purpose::kCount};
  WalkBlockMap(inode, copies_walk);
  CheckIndexFlag(kResizeInode, inode);
  CheckSectorCount(kResizeInode, inode, copies_walk.blocks + CheckXattrBlock(kResizeInode, inode));
  CheckSize(kResizeInode, inode, {});

  const std::uint32_t per_block = block_bytes_ / 4;
  const std::vector<std::byte> reserved = ReadBlock(table);
  for (std::uint32_t i = 0; i < super_.reserved_gdt_blocks; ++i) {
    const std::uint32_t block = super_.first_data_block + 1 + descriptor_blocks_ + i;
    const std::uint32_t slot = (descriptor_blocks_ + i) % per_block;
    const bool is_mapped =
        InRange(block) && ReadRecord<std::uint32_t>(reserved, slot * 4ul) == block;
    // e2fsck looks at the first quarter only.
    if (!is_mapped && i >= super_.reserved_gdt_blocks / 4u) {
      return Note(Kind::kResizeInode, "does not map all reserved descriptor blocks", kResizeInode);
    }
    if (!is_mapped) return wrong("does not map the reserved descriptor blocks");
    const std::vector<std::byte> copies = ReadBlock(block);
    std::uint32_t n = 0;
    for (std::uint32_t group = 1; group < group_count_; ++group) {
      if (!HasSuperblock(super_, group)) continue;
      const std::uint32_t expected = block + group * super_.blocks_per_group;
      const bool is_right = n < per_block && ReadRecord<std::uint32_t>(copies, n * 4ul) == expected;
      if (!is_right && i >= super_.reserved_gdt_blocks / 4u) {
        return Note(Kind::kResizeInode, "does not map all copies of the reserved blocks",
                    kResizeInode);
      }
      if (!is_right) return wrong("does not map the copies of the reserved blocks");
      ++n;
    }
  }
}

void ImageCheck::CheckOrphans() {
  std::uint32_t number = super_.last_orphan;
  while (number != 0) {
    if (IsReserved(number) || number > super_.inodes_count) {
      return Error(Kind::kOrphan, absl::StrFormat("the orphan list names inode %d", number));
    }
    if (orphans_.contains(number))
      return Error(Kind::kOrphan, "the orphan list goes in circles", number);
    const DiskInode inode = ReadInode(number);
    orphans_[number] = inode.dtime;
    if (inode.mode == 0) Error(Kind::kOrphan, "an inode of the orphan list is not in use", number);
    number = inode.dtime;
  }
  if (orphans_.empty()) return;
  Note(Kind::kOrphan, absl::StrFormat("%d inodes on the orphan list; the next mount finishes them",
                                      orphans_.size()));
}

}  // namespace lamina::internal
