#include "lamina/ext/mkfs.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "lamina/ext/journal.h"
#include "vfs/ext/bitmap.h"
#include "vfs/ext/directory.h"
#include "vfs/ext/mkfs_plan.h"

namespace lamina {
namespace {

using namespace ext;  // NOLINT: the module's own words

constexpr std::uint64_t kLostAndFoundBytes = 16384;

class Maker {
 public:
  Maker(const OpContext& op, BlockDevice& device, const ExtMkfsOptions& options, MkfsPlan plan)
      : op_(op),
        device_(device),
        options_(options),
        plan_(std::move(plan)),
        cache_(device, plan_.geometry.block_bytes),
        allocator_(plan_.geometry, cache_),
        volume_{plan_.geometry, cache_, allocator_},
        directories_(volume_) {}

  Result<void> Run() {
    if (Result<void> done = WriteBooks(); !done.ok()) return done;
    ExtError wrong;
    if (Result<void> loaded = allocator_.Load(op_, &wrong); !loaded.ok()) return loaded;
    if (Result<void> made = MakeRoot(); !made.ok()) return made;
    if (Result<void> made = MakeLostAndFound(); !made.ok()) return made;
    // mke2fs makes it also when there is nothing to reserve.
    if (Result<void> made = MakeResizeInode(); !made.ok()) return made;
    if (plan_.journal_blocks != 0) {
      if (Result<void> made = MakeJournal(); !made.ok()) return made;
    }
    if (Result<void> written = cache_.Commit(op_); !written.ok()) return written;
    if (Result<void> written = WriteCopies(); !written.ok()) return written;
    return device_.Flush(op_);
  }

 private:
  const Geometry& geometry() const { return plan_.geometry; }

  // Zeros, written only where there is something else.
  Result<void> Zero(std::uint64_t first_byte, std::uint64_t bytes) {
    std::vector<std::byte> piece(std::size_t{64} << 10U);
    while (bytes > 0) {
      const MutableBytes part =
          MutableBytes(piece).first(std::min<std::uint64_t>(piece.size(), bytes));
      const Sector sector{first_byte / kSectorBytes};
      if (Result<void> read = device_.Read(op_, sector, part); !read.ok()) return read;
      const bool used = std::any_of(part.begin(), part.end(),
                                    [](std::byte byte) { return byte != std::byte{0}; });
      if (used) {
        std::fill(part.begin(), part.end(), std::byte{0});
        if (Result<void> written = device_.Write(op_, sector, part); !written.ok()) return written;
      }
      first_byte += part.size();
      bytes -= part.size();
    }
    return {};
  }

  // Superblock, descriptors, bitmaps and inode tables of groups that hold nothing yet.
  Result<void> WriteBooks() {
    if (Result<void> zeroed = Zero(0, kSuperblockOffset); !zeroed.ok()) return zeroed;
    WriteRecord(cache_.Create(geometry().super_block()), plan_.super, geometry().super_offset());
    const std::uint32_t per_block = geometry().descriptors_per_block();
    for (std::uint32_t group = 0; group < geometry().groups_count; group += per_block) {
      const MutableBytes block =
          cache_.Create(geometry().first_descriptor_block() + group / per_block);
      for (std::uint32_t each = group; each < std::min(group + per_block, geometry().groups_count);
           ++each) {
        WriteRecord(block, plan_.groups[each], (each - group) * sizeof(DiskGroup));
      }
    }
    for (std::uint32_t group = 0; group < geometry().groups_count; ++group) {
      FillBitmaps(group);
      const std::uint64_t bytes = geometry().block_bytes;
      Result<void> zeroed =
          Zero(plan_.groups[group].inode_table * bytes, geometry().inode_table_blocks() * bytes);
      if (!zeroed.ok()) return zeroed;
    }
    return {};
  }

  void FillBitmaps(std::uint32_t group) {
    const std::uint32_t bits = geometry().block_bytes * 8;
    const MutableBytes blocks = cache_.Create(plan_.groups[group].block_bitmap);
    const std::uint32_t used = LeadingBlocks(plan_, group) + 2 + geometry().inode_table_blocks();
    for (std::uint32_t bit = 0; bit < used; ++bit) SetBit(blocks, bit);
    for (std::uint32_t bit = geometry().blocks_in(group); bit < bits; ++bit) SetBit(blocks, bit);
    const MutableBytes inodes = cache_.Create(plan_.groups[group].inode_bitmap);
    const std::uint32_t reserved = group == 0 ? geometry().first_inode - 1 : 0;
    for (std::uint32_t bit = 0; bit < reserved; ++bit) SetBit(inodes, bit);
    for (std::uint32_t bit = geometry().inodes_per_group; bit < bits; ++bit) SetBit(inodes, bit);
  }

  Inode NewInode(std::uint32_t number, std::uint16_t mode, std::uint16_t links) {
    Inode inode;
    inode.number = number;
    inode.disk_bytes = geometry().inode_bytes;
    inode.disk.mode = mode;
    inode.disk.links_count = links;
    if (inode.disk_bytes > kMinInodeBytes) inode.disk.extra_isize = kWantExtraIsize;
    inode.set_atime(op_.now);
    inode.set_mtime(op_.now);
    inode.set_ctime(op_.now);
    inode.set_created(op_.now);
    ClearMap(volume_, inode);
    return inode;
  }

  Result<void> MakeRoot() {
    Inode root = NewInode(kRootInode, kModeDirectory | 0755, 3);
    root.set_uid(options_.root_uid);
    root.set_gid(options_.root_gid);
    Result<void> made = directories_.MakeEmpty(op_, root, kRootInode, Reserve::kUse);
    if (!made.ok()) return made;
    Result<void> named = directories_.Add(op_, root, "lost+found", geometry().first_inode,
                                          FileType::kDirectory, Reserve::kUse);
    if (!named.ok()) return named;
    return StoreInode(op_, volume_, root);
  }

  Result<void> MakeLostAndFound() {
    Result<std::uint32_t> number = allocator_.TakeInode(op_, kRootInode, InodeUse::kOther);
    if (!number.ok()) return number.error();
    LAMINA_CHECK(*number == geometry().first_inode);
    // The root is a directory too; both are in group 0.
    if (Result<void> counted = CountDirectories(2); !counted.ok()) return counted;
    Inode dir = NewInode(*number, kModeDirectory | 0700, 2);
    Result<void> made = directories_.MakeEmpty(op_, dir, kRootInode, Reserve::kUse);
    if (!made.ok()) return made;
    // As mke2fs: 16 KiB, at least two blocks, at most the direct ones.
    const std::uint64_t bytes = geometry().block_bytes;
    for (std::uint32_t blocks = 1; blocks < kDirectBlocks; ++blocks) {
      if (blocks >= 2 && blocks * bytes >= kLostAndFoundBytes) break;
      Result<void> appended = directories_.AppendBlock(op_, dir, Reserve::kUse);
      if (!appended.ok()) return appended;
    }
    return StoreInode(op_, volume_, dir);
  }

  Result<void> CountDirectories(std::uint16_t count) {
    Result<MutableBytes> part =
        cache_.Edit(op_, geometry().first_descriptor_block(), 0, sizeof(DiskGroup));
    if (!part.ok()) return part.error();
    auto group = ReadRecord<DiskGroup>(*part);
    group.used_dirs_count = count;
    WriteRecord(*part, group);
    return {};
  }

  // The inode that owns the reserved descriptor blocks: those of group 0 are its indirect blocks,
  // and each lists its copies in the groups with backups.
  Result<void> MakeResizeInode() {
    Inode inode = NewInode(kResizeInode, kModeRegular | 0600, 1);
    inode.disk.block = {};
    inode.disk.flags &= ~kInodeExtents;
    Result<std::uint32_t> top = TakeMapBlock(op_, volume_, inode, Reserve::kUse);
    if (!top.ok()) return top.error();
    inode.disk.block[kDoubleSlot] = *top;
    const std::uint32_t per_block = geometry().block_bytes / 4;
    const std::uint64_t blocks = std::uint64_t{per_block} * per_block + per_block + kDirectBlocks;
    inode.set_size(blocks * geometry().block_bytes);
    std::uint32_t owned = 0;
    for (std::uint32_t index = 0; index < plan_.super.reserved_gdt_blocks; ++index) {
      const std::uint32_t place = geometry().descriptor_blocks + index;
      const std::uint32_t block = geometry().first_descriptor_block() + place;
      Result<MutableBytes> pointer = cache_.Edit(op_, *top, place % per_block * 4, 4);
      if (!pointer.ok()) return pointer.error();
      WriteRecord(*pointer, block);
      owned += 1 + ListCopies(cache_.Create(block), block);
    }
    if (!inode.AddBlocks(geometry(), owned)) return Errno::kUClean;
    return StoreInode(op_, volume_, inode);
  }

  std::uint32_t ListCopies(MutableBytes list, std::uint32_t block) const {
    std::uint32_t count = 0;
    for (std::uint32_t group = 1; group < geometry().groups_count; ++group) {
      if (!HasSuperblock(plan_.super, group)) continue;
      const std::uint32_t copy = block + group * geometry().blocks_per_group;
      WriteRecord(list, copy, std::size_t{count} * 4);
      ++count;
    }
    return count;
  }

  // get_midpoint_journal_block: of the groups around the middle the emptiest; ext3 has no choice.
  Result<std::uint32_t> JournalGoal() {
    if (!geometry().has_extents()) return geometry().first_data_block;
    const std::uint32_t middle = (geometry().blocks_count - geometry().first_data_block) / 2;
    const std::uint32_t group = geometry().group_of(std::max(middle, geometry().first_data_block));
    std::uint32_t best = group > 0 ? group - 1 : group;
    const std::uint32_t last = std::min(group + 1, geometry().groups_count - 1);
    std::uint32_t most = 0;
    for (std::uint32_t each = best; each <= last; ++each) {
      Result<std::uint32_t> free = allocator_.FreeBlocksOf(op_, each);
      if (!free.ok()) return free;
      if (*free <= most) continue;
      most = *free;
      best = each;
    }
    return geometry().first_block_of(best);
  }

  Result<void> MakeJournal() {
    Inode inode = NewInode(kJournalInode, kModeRegular | 0600, 1);
    Result<std::uint32_t> goal = JournalGoal();
    if (!goal.ok()) return goal.error();
    Journal::Layout layout;
    layout.block_bytes = geometry().block_bytes;
    BlockRequest request{Reserve::kUse, BlockUse::kData, BlockState::kWritten, *goal};
    while (layout.blocks.size() < plan_.journal_blocks) {
      const auto done = static_cast<std::uint32_t>(layout.blocks.size());
      Result<Mapping> added =
          AddBlocks(op_, volume_, inode, done, plan_.journal_blocks - done, request);
      if (!added.ok()) return added.error();
      for (std::uint32_t each = 0; each < added->count; ++each) {
        layout.blocks.push_back(added->physical + each);
      }
      request.goal = 0;
    }
    inode.set_size(std::uint64_t{plan_.journal_blocks} * geometry().block_bytes);
    if (Result<void> stored = StoreInode(op_, volume_, inode); !stored.ok()) return stored;
    if (Result<void> kept = KeepJournalMap(inode); !kept.ok()) return kept;
    Journal::Uuid uuid;
    std::memcpy(uuid.data(), options_.uuid.data(), uuid.size());
    return Journal::Format(op_, device_, layout, uuid);
  }

  // The superblock has a copy of the journal's map, for e2fsck.
  Result<void> KeepJournalMap(const Inode& inode) {
    Result<MutableBytes> part = cache_.Edit(op_, geometry().super_block(),
                                            geometry().super_offset(), sizeof(DiskSuperblock));
    if (!part.ok()) return part.error();
    auto super = ReadRecord<DiskSuperblock>(*part);
    super.journal_backup_type = 1;
    std::copy(inode.disk.block.begin(), inode.disk.block.end(), super.journal_blocks.begin());
    super.journal_blocks[15] = inode.disk.size_high;
    super.journal_blocks[16] = inode.disk.size_low;
    WriteRecord(*part, super);
    return {};
  }

  // The backups of superblock and descriptors.
  Result<void> WriteCopies() {
    std::vector<std::byte> block(geometry().block_bytes);
    for (std::uint32_t group = 1; group < geometry().groups_count; ++group) {
      if (!HasSuperblock(plan_.super, group)) continue;
      Result<Bytes> source = cache_.Read(op_, geometry().super_block());
      if (!source.ok()) return source.error();
      auto super = ReadRecord<DiskSuperblock>(*source, geometry().super_offset());
      super.block_group = static_cast<std::uint16_t>(group);
      std::fill(block.begin(), block.end(), std::byte{0});
      WriteRecord(MutableBytes(block), super);
      const std::uint32_t first = geometry().first_block_of(group);
      if (Result<void> written = WriteAt(first, block); !written.ok()) return written;
      for (std::uint32_t index = 0; index < geometry().descriptor_blocks; ++index) {
        Result<Bytes> groups = cache_.Read(op_, geometry().first_descriptor_block() + index);
        if (!groups.ok()) return groups.error();
        if (Result<void> done = WriteAt(first + 1 + index, *groups); !done.ok()) return done;
      }
    }
    return {};
  }

  Result<void> WriteAt(std::uint32_t block, Bytes content) {
    const std::uint64_t sector = std::uint64_t{block} * geometry().sectors_per_block();
    return device_.Write(op_, Sector{sector}, content);
  }

  const OpContext& op_;
  BlockDevice& device_;
  const ExtMkfsOptions& options_;
  MkfsPlan plan_;
  BlockCache cache_;
  Allocator allocator_;
  Volume volume_;
  Directories directories_;
};

}  // namespace

ExtOutcome<bool> MakeExt(const OpContext& op, BlockDevice& device, const ExtMkfsOptions& options) {
  const std::uint64_t sectors = std::min(device.size_sectors(), std::uint64_t{1} << 50U);
  ExtOutcome<MkfsPlan> plan = PlanMkfs(options, sectors * kSectorBytes, op.now);
  if (!plan.ok()) return plan.error();
  Result<void> made = Maker(op, device, options, *std::move(plan)).Run();
  if (made.ok()) return true;
  if (made.error() == Errno::kNoSpc) return ExtError{Errno::kInval, "too small"};
  return ExtError{made.error(), "the device failed"};
}

}  // namespace lamina
