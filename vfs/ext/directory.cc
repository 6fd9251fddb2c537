#include "vfs/ext/directory.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lamina::ext {
namespace {

constexpr std::uint32_t kMaxBlocksWithoutIndex = 2;
constexpr std::size_t kMaxIndexedEntries = 1'000'000;
constexpr std::uint8_t kNoteDirectory = 0x20;

DiskEntry EntryAt(Bytes block, std::uint32_t offset) {
  return ReadRecord<DiskEntry>(block, offset);
}
std::string_view NameAt(Bytes block, std::uint32_t offset, const DiskEntry& entry) {
  return AsText(block.subspan(offset + sizeof(DiskEntry), entry.name_length));
}
// What an entry takes at least; the rest of its length is slack.
std::uint32_t UsedBytes(const DiskEntry& entry) {
  return entry.inode == 0 ? 0 : EntryBytes(entry.name_length);
}
bool IsDot(std::string_view name) { return name == "." || name == ".."; }

void PutEntry(MutableBytes block, std::uint32_t offset, const DiskEntry& entry,
              std::string_view name) {
  WriteRecord(block, entry, offset);
  std::byte* const at = block.data() + offset + sizeof(DiskEntry);
  std::memset(at, 0, EntryBytes(entry.name_length) - sizeof(DiskEntry));
  std::memcpy(at, name.data(), name.size());
}

}  // namespace

// ── Blocks ───────────────────────────────────────────────────────────────────────────────────────

Result<std::uint32_t> Directories::BlockCount(const Inode& dir) const {
  const std::uint64_t size = dir.size();
  if (size % volume_.geometry.block_bytes != 0 || size >> 31U != 0) return Errno::kUClean;
  // Hardly a directory has holes; one that claims many more blocks than it has would take long.
  if (size / kSectorBytes > dir.sectors(volume_.geometry)) return Errno::kUClean;
  return static_cast<std::uint32_t>(size / volume_.geometry.block_bytes);
}

Result<std::uint32_t> Directories::DeviceBlock(const OpContext& op, const Inode& dir,
                                               std::uint32_t index, std::uint32_t* length) {
  Result<Mapping> mapping = FindBlocks(op, volume_, dir, index);
  if (!mapping.ok()) return mapping.error();
  *length = mapping->state == BlockState::kWritten ? 1 : mapping->count;
  return mapping->state == BlockState::kWritten ? mapping->physical : 0;
}

bool Directories::IsSane(Bytes block) const {
  std::uint32_t offset = 0;
  const auto end = static_cast<std::uint32_t>(block.size());
  while (offset < end) {
    if (end - offset < sizeof(DiskEntry)) return false;
    const DiskEntry entry = EntryAt(block, offset);
    if (entry.record_length < sizeof(DiskEntry) || entry.record_length % 4 != 0) return false;
    if (entry.record_length > end - offset) return false;
    if (entry.inode != 0) {
      if (entry.name_length == 0 || EntryBytes(entry.name_length) > entry.record_length) {
        return false;
      }
      if (entry.inode > volume_.geometry.inodes_count) return false;
      const std::string_view name = NameAt(block, offset, entry);
      if (name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos) {
        return false;
      }
    }
    offset += entry.record_length;
  }
  return true;
}

Result<Bytes> Directories::ReadBlock(const OpContext& op, std::uint32_t block) {
  Result<BlockCache::Noted> read = volume_.cache.ReadNoted(op, block);
  if (!read.ok()) return read.error();
  if (*read->note != kNoteDirectory) {
    if (!IsSane(read->bytes)) return Errno::kUClean;
    *read->note = kNoteDirectory;
  }
  return read->bytes;
}

Result<void> Directories::Scan(const OpContext& op, const Inode& dir, std::uint32_t first_block,
                               absl::FunctionRef<bool(const Entry&, std::string_view)> visit) {
  Result<std::uint32_t> count = BlockCount(dir);
  if (!count.ok()) return count.error();
  std::uint32_t length = 1;
  for (std::uint64_t index = first_block; index < *count; index += length) {
    const auto here = static_cast<std::uint32_t>(index);
    Result<std::uint32_t> block = DeviceBlock(op, dir, here, &length);
    if (!block.ok()) return block.error();
    if (*block == 0) continue;
    Result<Bytes> bytes = ReadBlock(op, *block);
    if (!bytes.ok()) return bytes.error();
    std::uint32_t offset = 0;
    while (offset < bytes->size()) {
      const DiskEntry entry = EntryAt(*bytes, offset);
      if (entry.inode != 0) {
        const std::uint8_t type = volume_.geometry.has_file_type() ? entry.file_type : 0;
        if (!visit({entry.inode, type, here, offset}, NameAt(*bytes, offset, entry))) return {};
      }
      offset += entry.record_length;
    }
  }
  return {};
}

// ── The index ────────────────────────────────────────────────────────────────────────────────────

std::uint32_t Directories::RoomIn(Bytes block) const {
  std::uint32_t room = 0;
  std::uint32_t offset = 0;
  while (offset < block.size()) {
    const DiskEntry entry = EntryAt(block, offset);
    room = std::max(room, entry.record_length - UsedBytes(entry));
    offset += entry.record_length;
  }
  return room;
}

Result<Directories::Index*> Directories::IndexOf(const OpContext& op, const Inode& dir) {
  const auto known = indexes_.find(dir.number);
  if (known != indexes_.end()) return &known->second;
  Result<std::uint32_t> count = BlockCount(dir);
  if (!count.ok()) return count.error();
  if (*count <= kMaxBlocksWithoutIndex) return nullptr;
  Index index;
  // In the order of the directory: of a name that is there twice, the first one counts.
  Result<void> scanned = Scan(op, dir, 0, [&](const Entry& entry, std::string_view name) {
    index.entries.emplace(std::string(name), entry);
    return true;
  });
  if (!scanned.ok()) return scanned.error();
  index.room.assign(*count, 0);
  std::uint32_t length = 1;
  for (std::uint64_t each = 0; each < *count; each += length) {
    const auto here = static_cast<std::uint32_t>(each);
    Result<std::uint32_t> block = DeviceBlock(op, dir, here, &length);
    if (!block.ok()) return block.error();
    if (*block == 0) continue;
    Result<Bytes> bytes = ReadBlock(op, *block);
    if (!bytes.ok()) return bytes.error();
    index.room[here] = static_cast<std::uint16_t>(RoomIn(*bytes));
  }
  if (indexed_entries_ + index.entries.size() > kMaxIndexedEntries) ForgetAll();
  indexed_entries_ += index.entries.size();
  return &indexes_.emplace(dir.number, std::move(index)).first->second;
}

// ── Names ────────────────────────────────────────────────────────────────────────────────────────

Result<std::optional<Entry>> Directories::Find(const OpContext& op, const Inode& dir,
                                               std::string_view name) {
  Result<Index*> index = IndexOf(op, dir);
  if (!index.ok()) return index.error();
  if (*index != nullptr) {
    const auto found = (*index)->entries.find(absl::string_view(name.data(), name.size()));
    if (found == (*index)->entries.end()) return std::optional<Entry>();
    return std::optional<Entry>(found->second);
  }
  std::optional<Entry> result;
  Result<void> scanned = Scan(op, dir, 0, [&](const Entry& entry, std::string_view each) {
    if (each == name) result = entry;
    return !result.has_value();
  });
  if (!scanned.ok()) return scanned.error();
  return result;
}

std::uint8_t Directories::FileTypeFor(FileType type) const {
  return volume_.geometry.has_file_type() ? EntryTypeOf(type) : kEntryUnknown;
}

Result<bool> Directories::AddInBlock(const OpContext& op, Inode& dir, std::uint32_t block_index,
                                     std::string_view name, std::uint32_t inode, FileType type) {
  std::uint32_t length = 1;
  Result<std::uint32_t> block = DeviceBlock(op, dir, block_index, &length);
  if (!block.ok()) return block.error();
  if (*block == 0) return false;
  Result<Bytes> bytes = ReadBlock(op, *block);
  if (!bytes.ok()) return bytes.error();
  const std::uint32_t needed = EntryBytes(static_cast<std::uint32_t>(name.size()));
  std::uint32_t offset = 0;
  DiskEntry host{};
  while (offset < bytes->size()) {
    host = EntryAt(*bytes, offset);
    if (host.record_length - UsedBytes(host) >= needed) break;
    offset += host.record_length;
  }
  if (offset >= bytes->size()) return false;
  const std::uint32_t used = UsedBytes(host);
  Result<MutableBytes> part = volume_.cache.Edit(op, *block, offset, used + needed, kNoteDirectory);
  if (!part.ok()) return part.error();
  DiskEntry made{inode, host.record_length, static_cast<std::uint8_t>(name.size()),
                 FileTypeFor(type)};
  if (used != 0) {
    made.record_length = static_cast<std::uint16_t>(host.record_length - used);
    host.record_length = static_cast<std::uint16_t>(used);
    WriteRecord(*part, host);
  }
  PutEntry(*part, used, made, name);
  Changed(dir);
  const auto index = indexes_.find(dir.number);
  if (index != indexes_.end()) {
    ++indexed_entries_;
    index->second.entries[std::string(name)] = {inode, made.file_type, block_index, offset + used};
    index->second.room[block_index] = static_cast<std::uint16_t>(RoomIn(*bytes));
  }
  return true;
}

Result<void> Directories::AppendBlock(const OpContext& op, Inode& dir, Reserve reserve) {
  Result<std::uint32_t> count = BlockCount(dir);
  if (!count.ok()) return count.error();
  if (dir.size() + volume_.geometry.block_bytes > 0x7fffffffU) return Errno::kNoSpc;
  Result<Mapping> there = FindBlocks(op, volume_, dir, *count);
  if (!there.ok()) return there.error();
  if (there->state != BlockState::kHole) return Errno::kUClean;
  Result<Mapping> added =
      AddBlocks(op, volume_, dir, *count, 1, {reserve, BlockUse::kMetadata, BlockState::kWritten});
  if (!added.ok()) return added.error();
  const MutableBytes block = volume_.cache.Create(added->physical);
  WriteRecord(block, DiskEntry{0, static_cast<std::uint16_t>(block.size()), 0, 0});
  dir.set_size(dir.size() + block.size());
  Changed(dir);
  const auto index = indexes_.find(dir.number);
  if (index != indexes_.end()) {
    index->second.room.push_back(static_cast<std::uint16_t>(block.size()));
  }
  return {};
}

Result<void> Directories::Add(const OpContext& op, Inode& dir, std::string_view name,
                              std::uint32_t inode, FileType type, Reserve reserve) {
  Result<Index*> index = IndexOf(op, dir);
  if (!index.ok()) return index.error();
  Result<std::uint32_t> count = BlockCount(dir);
  if (!count.ok()) return count.error();
  const std::uint32_t needed = EntryBytes(static_cast<std::uint32_t>(name.size()));
  for (std::uint32_t each = 0; each < *count; ++each) {
    if (*index != nullptr && (*index)->room[each] < needed) continue;
    Result<bool> added = AddInBlock(op, dir, each, name, inode, type);
    if (!added.ok()) return added.error();
    if (*added) return {};
  }
  if (Result<void> appended = AppendBlock(op, dir, reserve); !appended.ok()) return appended;
  Result<bool> added = AddInBlock(op, dir, *count, name, inode, type);
  if (!added.ok()) return added.error();
  if (!*added) return Errno::kUClean;  // the block is in use for something else
  return {};
}

Result<void> Directories::Remove(const OpContext& op, Inode& dir, std::string_view name,
                                 const Entry& entry) {
  std::uint32_t length = 1;
  Result<std::uint32_t> block = DeviceBlock(op, dir, entry.block_index, &length);
  if (!block.ok()) return block.error();
  if (*block == 0) return Errno::kUClean;
  Result<Bytes> bytes = ReadBlock(op, *block);
  if (!bytes.ok()) return bytes.error();
  std::uint32_t before = 0;
  std::uint32_t offset = 0;
  while (offset < entry.offset) {
    before = offset;
    offset += EntryAt(*bytes, offset).record_length;
  }
  if (offset != entry.offset) return Errno::kUClean;  // two directories share the block
  const DiskEntry removed = EntryAt(*bytes, offset);
  if (offset == 0) {
    Result<MutableBytes> part =
        volume_.cache.Edit(op, *block, 0, sizeof(DiskEntry), kNoteDirectory);
    if (!part.ok()) return part.error();
    WriteRecord(*part, DiskEntry{0, removed.record_length, 0, 0});
  } else {
    Result<MutableBytes> part =
        volume_.cache.Edit(op, *block, before, sizeof(DiskEntry), kNoteDirectory);
    if (!part.ok()) return part.error();
    auto host = ReadRecord<DiskEntry>(*part);
    host.record_length = static_cast<std::uint16_t>(host.record_length + removed.record_length);
    WriteRecord(*part, host);
  }
  Changed(dir);
  const auto index = indexes_.find(dir.number);
  if (index != indexes_.end()) {
    index->second.entries.erase(absl::string_view(name.data(), name.size()));
    --indexed_entries_;
    index->second.room[entry.block_index] = static_cast<std::uint16_t>(RoomIn(*bytes));
  }
  return {};
}

Result<void> Directories::Replace(const OpContext& op, Inode& dir, std::string_view name,
                                  const Entry& entry, std::uint32_t inode, FileType type) {
  std::uint32_t length = 1;
  Result<std::uint32_t> block = DeviceBlock(op, dir, entry.block_index, &length);
  if (!block.ok()) return block.error();
  if (*block == 0) return Errno::kUClean;
  Result<MutableBytes> part =
      volume_.cache.Edit(op, *block, entry.offset, sizeof(DiskEntry), kNoteDirectory);
  if (!part.ok()) return part.error();
  auto disk = ReadRecord<DiskEntry>(*part);
  disk.inode = inode;
  disk.file_type = FileTypeFor(type);
  WriteRecord(*part, disk);
  Changed(dir);
  const auto index = indexes_.find(dir.number);
  if (index != indexes_.end()) {
    index->second.entries[std::string(name)] = {inode, disk.file_type, entry.block_index,
                                                entry.offset};
  }
  return {};
}

// ── "." and ".." ─────────────────────────────────────────────────────────────────────────────────

Result<void> Directories::MakeEmpty(const OpContext& op, Inode& dir, std::uint32_t parent,
                                    Reserve reserve) {
  if (Result<void> appended = AppendBlock(op, dir, reserve); !appended.ok()) return appended;
  Result<bool> self = AddInBlock(op, dir, 0, ".", dir.number, FileType::kDirectory);
  if (!self.ok()) return self.error();
  Result<bool> above = AddInBlock(op, dir, 0, "..", parent, FileType::kDirectory);
  if (!above.ok()) return above.error();
  return {};
}

Result<std::uint32_t> Directories::ParentOf(const OpContext& op, const Inode& dir) {
  std::optional<std::uint32_t> parent;
  Result<void> scanned = Scan(op, dir, 0, [&](const Entry& entry, std::string_view name) {
    if (name == "..") parent = entry.inode;
    return entry.block_index == 0 && !parent.has_value();
  });
  if (!scanned.ok()) return scanned.error();
  if (!parent.has_value()) return Errno::kUClean;
  return *parent;
}

Result<void> Directories::SetParent(const OpContext& op, Inode& dir, std::uint32_t parent) {
  std::optional<Entry> found;
  Result<void> scanned = Scan(op, dir, 0, [&](const Entry& entry, std::string_view name) {
    if (name == "..") found = entry;
    return entry.block_index == 0 && !found.has_value();
  });
  if (!scanned.ok()) return scanned;
  if (!found.has_value()) return Errno::kUClean;
  return Replace(op, dir, "..", *found, parent, FileType::kDirectory);
}

// ── Listing ──────────────────────────────────────────────────────────────────────────────────────

Result<bool> Directories::IsEmpty(const OpContext& op, const Inode& dir) {
  bool empty = true;
  Result<void> scanned = Scan(op, dir, 0, [&](const Entry&, std::string_view name) {
    empty = IsDot(name);
    return empty;
  });
  if (!scanned.ok()) return scanned.error();
  return empty;
}

Result<void> Directories::List(const OpContext& op, const Inode& dir, std::uint64_t cookie,
                               absl::FunctionRef<bool(const ListedEntry&)> visit) {
  const std::uint32_t block_bytes = volume_.geometry.block_bytes;
  const std::uint64_t first_block = cookie / block_bytes;
  if (first_block > 0xffffffffU) return {};
  const auto listed = [&](const Entry& entry, std::string_view name) {
    const std::uint64_t here = std::uint64_t{entry.block_index} * block_bytes + entry.offset;
    if (here < cookie || IsDot(name)) return true;
    return visit({entry.inode, entry.file_type, name, here});
  };
  return Scan(op, dir, static_cast<std::uint32_t>(first_block), listed);
}

}  // namespace lamina::ext
