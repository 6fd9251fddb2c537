// ExtFs: mounting, unmounting, and what the whole file system says of itself.
#include <algorithm>
#include <atomic>
#include <utility>

#include "vfs/ext/body.h"

namespace lamina {

using namespace ext;  // NOLINT: the module's own words

namespace {

constexpr std::uint32_t kMaxJournal = 10'240'000;  // blocks, as e2fsprogs

std::uint64_t NextFreeDevice() {
  static std::atomic<std::uint64_t> next{0x10000};
  return next.fetch_add(1, std::memory_order_relaxed);
}

ExtError Unclean(std::string text) { return {Errno::kUClean, std::move(text)}; }
ExtError Failed(Errno error, std::string_view what) {
  return {error, std::string(what).append(": ").append(ErrnoName(error))};
}

std::uint32_t SecondsOf(Instant time) {
  return static_cast<std::uint32_t>(time.virtual_ns / kNanosecondsPerSecond);
}

std::string TextOf(const std::array<char, 16>& name) {
  return std::string(name.begin(), std::find(name.begin(), name.end(), '\0'));
}

}  // namespace

ExtFs::Body::Body(BlockDevice& wanted, std::unique_ptr<RamOverlay> memory, const Geometry& known,
                  const ExtMountOptions& chosen)
    : overlay(std::move(memory)),
      device(overlay != nullptr ? *overlay : wanted),
      options(chosen),
      device_number(chosen.device != 0 ? chosen.device : NextFreeDevice()),
      geometry(known),
      cache(device, known.block_bytes),
      allocator(geometry, cache),
      volume{geometry, cache, allocator},
      directories(volume),
      read_only(overlay != nullptr),
      discards(chosen.discard == ExtDiscard::kOn) {}

ExtFs::ExtFs(std::unique_ptr<Body> body) : body_(std::move(body)) {}
ExtFs::~ExtFs() = default;

ExtOutcome<std::unique_ptr<ExtFs>> ExtFs::Mount(const OpContext& op, BlockDevice& device,
                                                const ExtMountOptions& options) {
  std::array<std::byte, sizeof(DiskSuperblock)> bytes{};
  constexpr std::uint64_t kFirstSector = kSuperblockOffset / kSectorBytes;
  if (device.size_sectors() < kFirstSector + bytes.size() / kSectorBytes) {
    return ExtError{Errno::kInval, "not an ext file system: the device is too short"};
  }
  if (Result<void> read = device.Read(op, Sector{kFirstSector}, bytes); !read.ok()) {
    return Failed(read.error(), "superblock");
  }
  const auto super = ReadRecord<DiskSuperblock>(bytes);
  ExtOutcome<Geometry> geometry = ParseGeometry(super, device.size_sectors() * kSectorBytes);
  if (!geometry.ok()) return geometry.error();
  const bool read_only = options.access == ExtAccess::kReadOnly || geometry->unknown_ro_compat;
  auto overlay = read_only ? std::make_unique<RamOverlay>(device) : nullptr;
  auto body = std::make_unique<Body>(device, std::move(overlay), *geometry, options);
  body->label = TextOf(super.volume_name);
  body->features = FeatureNames(super);
  body->reserve_uid = super.default_reserved_uid;
  if (std::optional<ExtError> wrong = body->Prepare(op)) return *std::move(wrong);
  return std::unique_ptr<ExtFs>(new ExtFs(std::move(body)));
}

std::optional<ExtError> ExtFs::Body::Prepare(const OpContext& op) {
  // The journal's inode is found through descriptors that the journal may hold newer copies of; the
  // places they name never change.
  ExtError wrong;
  if (Result<void> loaded = allocator.Load(op, &wrong); !loaded.ok()) {
    return wrong.text.empty() ? Failed(loaded.error(), "group descriptors") : wrong;
  }
  if (geometry.has_journal()) {
    if (auto failure = OpenJournal(op)) return failure;
  }
  if (auto failure = CheckRoot(op)) return failure;
  if (read_only) return std::nullopt;
  if (auto failure = BeginWriting(op)) return failure;
  return FinishOrphans(op);
}

std::optional<ExtError> ExtFs::Body::OpenJournal(const OpContext& op) {
  Result<DiskSuperblock> super = ReadSuper(op);
  if (!super.ok()) return Failed(super.error(), "superblock");
  if (super->journal_inode == 0 || super->journal_device != 0) {
    return ExtError{Errno::kOpNotSupp, "unsupported: an external journal"};
  }
  if (super->journal_inode != kJournalInode) return Unclean("s_journal_inum");
  Result<Inode> inode = LoadInode(op, volume, kJournalInode);
  if (!inode.ok()) return Failed(inode.error(), "journal inode");
  if (!inode->is_regular() || inode->disk.links_count == 0 ||
      (inode->has_extents() && !geometry.has_extents())) {
    return Unclean("journal inode");
  }
  const std::uint64_t count = inode->size() / geometry.block_bytes;
  if (count < Journal::kMinKernelBlocks || count > std::min(geometry.blocks_count, kMaxJournal)) {
    return Unclean("journal of " + std::to_string(count) + " blocks");
  }
  Journal::Layout layout;
  layout.block_bytes = geometry.block_bytes;
  while (layout.blocks.size() < count) {
    const auto done = static_cast<std::uint32_t>(layout.blocks.size());
    Result<Mapping> mapping = FindBlocks(op, volume, *inode, done);
    if (!mapping.ok()) return Failed(mapping.error(), "journal inode");
    if (mapping->state != BlockState::kWritten) return Unclean("the journal has a hole");
    for (std::uint32_t each = 0; each < mapping->count && layout.blocks.size() < count; ++each) {
      layout.blocks.push_back(mapping->physical + each);
    }
  }
  Result<std::unique_ptr<Journal>> opened = Journal::Open(op, device, std::move(layout));
  if (!opened.ok()) return Failed(opened.error(), "journal");
  journal = *std::move(opened);
  if (journal->capacity_blocks() + 2 < Journal::kMinKernelBlocks) {
    return Unclean("journal: s_maxlen or s_first");
  }
  if (journal->needs_replay()) {
    Result<Journal::Replayed> replayed = journal->Replay(op);
    if (!replayed.ok()) return Failed(replayed.error(), "journal");
    // What was read before may be older than what the journal held.
    cache.DropClean();
    Result<DiskSuperblock> newer = ReadSuper(op);
    if (!newer.ok()) return Failed(newer.error(), "superblock");
    ExtOutcome<Geometry> again = ParseGeometry(*newer, device.size_sectors() * kSectorBytes);
    if (!again.ok()) return again.error();
    if (again->blocks_count != geometry.blocks_count ||
        again->block_bytes != geometry.block_bytes ||
        again->inodes_count != geometry.inodes_count ||
        again->feature_incompat != geometry.feature_incompat) {
      return Unclean("the journal holds the superblock of another file system");
    }
    ExtError wrong;
    if (Result<void> loaded = allocator.Load(op, &wrong); !loaded.ok()) {
      return wrong.text.empty() ? Failed(loaded.error(), "group descriptors") : wrong;
    }
  }
  if (!read_only) cache.UseJournal(journal.get());
  return std::nullopt;
}

std::optional<ExtError> ExtFs::Body::CheckRoot(const OpContext& op) {
  Result<Inode> inode = LoadLiveInode(op, volume, kRootInode);
  if (!inode.ok()) return Failed(inode.error(), "root inode");
  if (!inode->is_directory() || inode->disk.links_count == 0) return Unclean("root inode");
  root = NodeOf(*inode);
  return std::nullopt;
}

// From here on the image says that it is in use: needs_recovery with a journal, else not valid.
std::optional<ExtError> ExtFs::Body::BeginWriting(const OpContext& op) {
  cache.Begin();
  Result<void> repaired = allocator.RepairTotals(op);
  if (!repaired.ok()) return Failed(repaired.error(), "free counts");
  Result<void> edited = EditSuper(op, [&](DiskSuperblock& super) {
    super.mount_time = super.write_time = SecondsOf(op.now);
    ++super.mount_count;
    if (journal != nullptr) {
      super.feature_incompat |= kIncompatRecover;
    } else {
      super.state &= static_cast<std::uint16_t>(~kStateValid);
    }
  });
  if (edited.ok()) edited = cache.WriteThrough(op, geometry.super_block());
  if (!edited.ok()) return Failed(edited.error(), "superblock");
  return std::nullopt;
}

Result<DiskSuperblock> ExtFs::Body::ReadSuper(const OpContext& op) {
  Result<Bytes> block = cache.Read(op, geometry.super_block());
  if (!block.ok()) return block.error();
  return ReadRecord<DiskSuperblock>(*block, geometry.super_offset());
}

Result<void> ExtFs::Unmount(const OpContext& op) {
  Body& body = *body_;
  if (body.unmounted) return {};
  body.unmounted = true;
  if (body.read_only) return {};
  if (body.failed) return Errno::kRoFs;
  body.handles.Clear();
  body.never_named.clear();
  if (std::optional<ExtError> wrong = body.FinishOrphans(op)) return wrong->code;
  if (Result<void> committed = body.Commit(op); !committed.ok()) return committed;
  body.read_only = true;
  if (body.journal != nullptr) {
    if (Result<void> done = body.journal->Checkpoint(op); !done.ok()) return done;
  }
  body.cache.Begin();
  Result<void> edited = body.EditSuper(op, [&](DiskSuperblock& super) {
    super.write_time = SecondsOf(op.now);
    super.feature_incompat &= ~kIncompatRecover;
    super.state |= kStateValid;
  });
  if (!edited.ok()) return edited;
  return body.cache.WriteThrough(op, body.geometry.super_block());
}

// ── The whole ────────────────────────────────────────────────────────────────────────────────────

std::uint32_t ExtFs::block_bytes() const { return body_->geometry.block_bytes; }
std::string ExtFs::label() const { return body_->label; }
std::vector<std::string> ExtFs::features() const { return body_->features; }
std::uint64_t ExtFs::commits() const { return body_->commits; }

FsLimits ExtFs::limits() const {
  const Geometry& geometry = body_->geometry;
  const std::uint64_t blocks = MaxFileBlocks(geometry, geometry.has_extents());
  return {.name_max = kMaxNameBytes,
          .link_max = kMaxLinks,
          .read_only = body_->read_only,
          .file_bytes_max = blocks * geometry.block_bytes,
          .allocates = geometry.has_extents()};
}

bool ExtFs::frozen() const { return body_->read_only; }
std::uint64_t ExtFs::change_count() const { return body_->changes; }

Result<FsSpace> ExtFs::GetSpace(const OpContext& op) {
  Body& body = *body_;
  const ExtReadLock lock(body.read_only ? &body.reading : nullptr);
  Result<Allocator::Counts> counts = body.allocator.Count(op);
  if (!counts.ok()) return counts.error();
  const std::uint64_t overhead = body.allocator.overhead_blocks();
  const std::uint64_t blocks = body.geometry.blocks_count;
  const std::uint64_t bytes = body.geometry.block_bytes;
  return FsSpace{.type = kMagic,
                 .total_bytes = (blocks > overhead ? blocks - overhead : 0) * bytes,
                 .free_bytes = counts->free_blocks * bytes,
                 .total_nodes = body.geometry.inodes_count,
                 .free_nodes = counts->free_inodes};
}

}  // namespace lamina
