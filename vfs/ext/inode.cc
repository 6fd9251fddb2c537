#include "vfs/ext/inode.h"

#include <algorithm>
#include <limits>

namespace lamina::ext {
namespace {

constexpr std::uint32_t kRefusedFlags =
    kInodeEncrypt | kInodeInlineData | kInodeEaInode | kInodeCaseFold;

constexpr std::int64_t kMaxSeconds =
    std::numeric_limits<std::int64_t>::max() / kNanosecondsPerSecond - 1;

// Seconds and nanoseconds, the latter never negative.
struct Split {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
};
Split SplitTime(Instant time) {
  std::int64_t seconds = time.virtual_ns / kNanosecondsPerSecond;
  std::int64_t rest = time.virtual_ns % kNanosecondsPerSecond;
  if (rest < 0) {
    rest += kNanosecondsPerSecond;
    --seconds;
  }
  return {seconds, static_cast<std::uint32_t>(rest)};
}

// The extra word: two bits of epoch below thirty bits of nanoseconds.
Instant DecodeTime(std::uint32_t low, std::uint32_t extra) {
  std::int64_t seconds = static_cast<std::int32_t>(low);
  seconds += static_cast<std::int64_t>(extra & 3U) << 32U;
  const std::int64_t nanoseconds = std::min<std::int64_t>(extra >> 2U, kNanosecondsPerSecond - 1);
  return InstantFromSeconds(std::min(seconds, kMaxSeconds), nanoseconds);
}

std::uint32_t EncodeExtra(const Split& time) {
  const auto low = static_cast<std::int32_t>(time.seconds);
  const auto epoch = static_cast<std::uint32_t>((time.seconds - low) >> 32U) & 3U;
  return epoch | time.nanoseconds << 2U;
}

// What the word holds: 1901 to 2038, and with the extra word to 2446.
constexpr std::int64_t kFirstSecond = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kLastSecond = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kLastSecondExtra = kLastSecond + (std::int64_t{3} << 32U);

void EncodeTime(Instant time, bool has_extra, std::uint32_t* low, std::uint32_t* extra) {
  Split split = SplitTime(time);
  const std::int64_t last = has_extra ? kLastSecondExtra : kLastSecond;
  if (split.seconds < kFirstSecond || split.seconds > last) {
    split = {std::clamp(split.seconds, kFirstSecond, last), 0};
  }
  *low = static_cast<std::uint32_t>(split.seconds);
  if (has_extra) *extra = EncodeExtra(split);
}

}  // namespace

// ── What the numbers mean ────────────────────────────────────────────────────────────────────────

FileType Inode::type() const {
  switch (disk.mode & kModeTypeMask) {
    case kModeDirectory:
      return FileType::kDirectory;
    case kModeSymlink:
      return FileType::kSymlink;
    case kModeCharDevice:
      return FileType::kCharDevice;
    case kModeBlockDevice:
      return FileType::kBlockDevice;
    case kModeFifo:
      return FileType::kFifo;
    case kModeSocket:
      return FileType::kSocket;
    default:
      return FileType::kRegular;
  }
}

std::uint16_t ModeTypeOf(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return kModeRegular;
    case FileType::kDirectory:
      return kModeDirectory;
    case FileType::kSymlink:
      return kModeSymlink;
    case FileType::kCharDevice:
      return kModeCharDevice;
    case FileType::kBlockDevice:
      return kModeBlockDevice;
    case FileType::kFifo:
      return kModeFifo;
    case FileType::kSocket:
      return kModeSocket;
  }
  return kModeRegular;
}

FileType TypeOfEntry(std::uint8_t file_type) {
  switch (file_type) {
    case kEntryRegular:
      return FileType::kRegular;
    case kEntryDirectory:
      return FileType::kDirectory;
    case kEntryCharDevice:
      return FileType::kCharDevice;
    case kEntryBlockDevice:
      return FileType::kBlockDevice;
    case kEntryFifo:
      return FileType::kFifo;
    case kEntrySocket:
      return FileType::kSocket;
    case kEntrySymlink:
      return FileType::kSymlink;
    default:
      return kUnknownType;
  }
}

std::uint8_t EntryTypeOf(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return kEntryRegular;
    case FileType::kDirectory:
      return kEntryDirectory;
    case FileType::kSymlink:
      return kEntrySymlink;
    case FileType::kCharDevice:
      return kEntryCharDevice;
    case FileType::kBlockDevice:
      return kEntryBlockDevice;
    case FileType::kFifo:
      return kEntryFifo;
    case FileType::kSocket:
      return kEntrySocket;
  }
  return kEntryUnknown;
}

bool Inode::is_fast_symlink(const Geometry& geometry) const {
  const std::uint64_t xattr_sectors = disk.xattr_block != 0 ? geometry.sectors_per_block() : 0;
  return is_symlink() && sectors(geometry) <= xattr_sectors;
}

bool Inode::has_map() const { return is_regular() || is_directory() || is_symlink(); }

void Inode::set_mode(std::uint16_t mode) {
  disk.mode = static_cast<std::uint16_t>((disk.mode & kModeTypeMask) | (mode & kModeAll));
}

void Inode::set_uid(std::uint32_t uid) {
  disk.uid_low = static_cast<std::uint16_t>(uid);
  disk.uid_high = static_cast<std::uint16_t>(uid >> 16U);
}

void Inode::set_gid(std::uint32_t gid) {
  disk.gid_low = static_cast<std::uint16_t>(gid);
  disk.gid_high = static_cast<std::uint16_t>(gid >> 16U);
}

std::uint64_t Inode::size() const { return disk.size_low | std::uint64_t{disk.size_high} << 32U; }

void Inode::set_size(std::uint64_t bytes) {
  disk.size_low = static_cast<std::uint32_t>(bytes);
  disk.size_high = static_cast<std::uint32_t>(bytes >> 32U);
}

std::uint64_t Inode::sectors(const Geometry& geometry) const {
  if (!geometry.has_ro_compat(kRoCompatHugeFile)) return disk.blocks_low;
  const std::uint64_t count = disk.blocks_low | std::uint64_t{disk.blocks_high} << 32U;
  return (disk.flags & kInodeHugeFile) != 0 ? count * geometry.sectors_per_block() : count;
}

// ext4_inode_blocks_set
bool Inode::AddBlocks(const Geometry& geometry, std::int64_t blocks) {
  const std::int64_t before = static_cast<std::int64_t>(sectors(geometry));
  const std::int64_t after = before + blocks * geometry.sectors_per_block();
  if (after < 0) return false;
  auto count = static_cast<std::uint64_t>(after);
  disk.flags &= ~kInodeHugeFile;
  if (count > 0xffffffffU && !geometry.has_ro_compat(kRoCompatHugeFile)) return false;
  if (count > 0xffffffffffffU) {
    disk.flags |= kInodeHugeFile;
    count /= geometry.sectors_per_block();
  }
  disk.blocks_low = static_cast<std::uint32_t>(count);
  disk.blocks_high = static_cast<std::uint16_t>(count >> 32U);
  return true;
}

// old_decode_dev, new_decode_dev
std::uint64_t Inode::rdev() const {
  if (disk.block[0] != 0) return MakeDevice(disk.block[0] >> 8U & 0xffU, disk.block[0] & 0xffU);
  const std::uint32_t value = disk.block[1];
  return MakeDevice((value & 0xfff00U) >> 8U, (value & 0xffU) | (value >> 12U & 0xfff00U));
}

bool Inode::set_rdev(std::uint64_t rdev) {
  const std::uint32_t major = DeviceMajor(rdev);
  const std::uint32_t minor = DeviceMinor(rdev);
  if (major > 0xfffU || minor > 0xfffffU) return false;
  disk.block = {};
  if (major < 256 && minor < 256) {
    disk.block[0] = major << 8U | minor;
  } else {
    disk.block[1] = (minor & 0xffU) | major << 8U | (minor & ~0xffU) << 12U;
  }
  return true;
}

std::uint64_t Inode::change() const {
  const bool wide = has_field(offsetof(DiskInode, project));
  return disk.version_low | (wide ? std::uint64_t{disk.version_high} << 32U : 0);
}

void Inode::set_change(std::uint64_t change) {
  disk.version_low = static_cast<std::uint32_t>(change);
  if (has_field(offsetof(DiskInode, project))) {
    disk.version_high = static_cast<std::uint32_t>(change >> 32U);
  }
}

Instant Inode::atime() const {
  const bool has = has_field(offsetof(DiskInode, created_time));
  return DecodeTime(disk.atime, has ? disk.atime_extra : 0);
}
Instant Inode::mtime() const {
  const bool has = has_field(offsetof(DiskInode, atime_extra));
  return DecodeTime(disk.mtime, has ? disk.mtime_extra : 0);
}
Instant Inode::ctime() const {
  const bool has = has_field(offsetof(DiskInode, mtime_extra));
  return DecodeTime(disk.ctime, has ? disk.ctime_extra : 0);
}
void Inode::set_atime(Instant time) {
  EncodeTime(time, has_field(offsetof(DiskInode, created_time)), &disk.atime, &disk.atime_extra);
}
void Inode::set_mtime(Instant time) {
  EncodeTime(time, has_field(offsetof(DiskInode, atime_extra)), &disk.mtime, &disk.mtime_extra);
}
void Inode::set_ctime(Instant time) {
  EncodeTime(time, has_field(offsetof(DiskInode, mtime_extra)), &disk.ctime, &disk.ctime_extra);
}
void Inode::set_created(Instant time) {
  if (!has_field(offsetof(DiskInode, version_high))) return;
  EncodeTime(time, true, &disk.created_time, &disk.created_time_extra);
}

MutableBytes Inode::xattr_area() {
  const std::size_t begin = kMinInodeBytes + std::size_t{extra()};
  if (disk_bytes == kMinInodeBytes || extra() < 4 || begin + 4 > disk_bytes) return {};
  return std::as_writable_bytes(std::span(&disk, 1)).subspan(begin, disk_bytes - begin);
}

Bytes Inode::xattr_area() const { return const_cast<Inode*>(this)->xattr_area(); }

NodeId NodeOf(const Inode& inode) {
  return NodeId{std::uint64_t{inode.disk.generation} << 32U | inode.number};
}

// ── The table ────────────────────────────────────────────────────────────────────────────────────

namespace {

struct InodePlace {
  std::uint32_t block;
  std::uint32_t offset;
};

InodePlace PlaceOf(const Volume& volume, std::uint32_t number) {
  const Geometry& geometry = volume.geometry;
  const std::uint32_t group = (number - 1) / geometry.inodes_per_group;
  const std::uint32_t index = (number - 1) % geometry.inodes_per_group;
  const std::uint32_t per_block = geometry.block_bytes / geometry.inode_bytes;
  return {volume.allocator.inode_table(group) + index / per_block,
          index % per_block * geometry.inode_bytes};
}

}  // namespace

Result<Inode> LoadInode(const OpContext& op, Volume& volume, std::uint32_t number) {
  if (number == 0 || number > volume.geometry.inodes_count) return Errno::kUClean;
  const InodePlace place = PlaceOf(volume, number);
  Result<Bytes> block = volume.cache.Read(op, place.block);
  if (!block.ok()) return block.error();
  Inode inode;
  inode.number = number;
  inode.disk_bytes = volume.geometry.inode_bytes;
  std::memcpy(&inode.disk, block->data() + place.offset, inode.disk_bytes);
  return inode;
}

Result<Inode> LoadLiveInode(const OpContext& op, Volume& volume, std::uint32_t number) {
  if (number != kRootInode && number < volume.geometry.first_inode) return Errno::kUClean;
  Result<Inode> inode = LoadInode(op, volume, number);
  if (!inode.ok()) return inode;
  if (inode->disk.mode == 0) return Errno::kUClean;
  if ((inode->disk.mode & kModeTypeMask) != ModeTypeOf(inode->type())) return Errno::kUClean;
  if ((inode->disk.flags & kRefusedFlags) != 0) return Errno::kUClean;
  if (inode->disk.xattr_block_high != 0) return Errno::kUClean;
  if (inode->has_extents() && !volume.geometry.has_extents()) return Errno::kUClean;
  if (inode->extra() % 4 != 0 || inode->extra() > kMaxInodeBytes - kMinInodeBytes) {
    return Errno::kUClean;
  }
  if (inode->size() >> 63U != 0) return Errno::kUClean;
  return inode;
}

Result<void> StoreInode(const OpContext& op, Volume& volume, const Inode& inode) {
  const InodePlace place = PlaceOf(volume, inode.number);
  Result<MutableBytes> part =
      volume.cache.Edit(op, place.block, place.offset, volume.geometry.inode_bytes);
  if (!part.ok()) return part.error();
  std::memcpy(part->data(), &inode.disk, part->size());
  return {};
}

}  // namespace lamina::ext
