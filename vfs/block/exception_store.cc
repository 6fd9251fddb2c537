#include "vfs/block/exception_store.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>

#include "lamina/base/check.h"
#include "lamina/block/sector_range.h"
#include "lamina/block/snapshot_table.h"

namespace lamina::internal {
namespace {

constexpr std::uint32_t kMagic = 0x70416e53;  // "SnAp"
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kEntryBytes = 16;

template <typename T>
T LittleAt(Bytes bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = static_cast<T>(value << 8 | std::to_integer<T>(bytes[at + i]));
  }
  return value;
}

template <typename T>
void PutLittle(MutableBytes bytes, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
  }
}

struct Header {
  std::uint32_t magic = 0;
  std::uint32_t valid = 0;
  std::uint32_t version = 0;
  std::uint32_t chunk_sectors = 0;
};

Result<Header> ReadHeader(const OpContext& op, BlockDevice& cow) {
  std::vector<std::byte> sector(kSectorBytes);
  if (Result<void> read = cow.Read(op, Sector{0}, sector); !read.ok()) return read.error();
  return Header{.magic = LittleAt<std::uint32_t>(sector, 0),
                .valid = LittleAt<std::uint32_t>(sector, 4),
                .version = LittleAt<std::uint32_t>(sector, 8),
                .chunk_sectors = LittleAt<std::uint32_t>(sector, 12)};
}

bool IsLegalHeader(const Header& header) {
  return std::has_single_bit(header.chunk_sectors) &&
         header.chunk_sectors <= kMaxSnapshotChunkSectors && header.version == kVersion;
}

}  // namespace

// ── PersistentStore ────────────────────────────────────────────────────────────────────────────

Result<PersistentStore::Opened> PersistentStore::Open(const OpContext& op, BlockDevice& cow,
                                                      std::uint64_t chunk_sectors,
                                                      const Visitor& visit) {
  std::uint64_t chunk = chunk_sectors == 0 ? kDefaultSnapshotChunkSectors : chunk_sectors;
  if (cow.size_sectors() < chunk) return Errno::kIo;
  const Result<Header> header = ReadHeader(op, cow);
  if (!header.ok()) return header.error();
  const bool fresh = header->magic == 0;
  if (!fresh && header->magic != kMagic) return Errno::kNxIo;
  if (!fresh && !IsLegalHeader(*header)) return Errno::kInval;
  if (!fresh) chunk = header->chunk_sectors;

  Opened opened{std::unique_ptr<PersistentStore>(new PersistentStore(cow, chunk)), true};
  if (fresh) {
    if (Result<void> made = opened.store->Initialize(op); !made.ok()) return made.error();
    return opened;
  }
  opened.valid = header->valid != 0;
  if (!opened.valid) return opened;
  if (Result<void> read = opened.store->ReadAreas(op, visit); !read.ok()) return read.error();
  return opened;
}

bool PersistentStore::HasChunk(std::uint64_t chunk) const {
  return chunk < cow_->size_sectors() / chunk_sectors_;
}

void PersistentStore::SkipArea() {
  if (next_free_ % (per_area() + 1) == 1) ++next_free_;
}

// The header comes last: with it on the medium, the first area is empty and not what was there.
Result<void> PersistentStore::Initialize(const OpContext& op) {
  if (!HasChunk(AreaChunk(0))) return Errno::kIo;
  if (Result<void> wiped = WriteChunk(op, AreaChunk(0), {}); !wiped.ok()) return wiped;
  if (Result<void> flushed = cow_->Flush(op); !flushed.ok()) return flushed;
  return WriteHeader(op, 1);
}

Result<void> PersistentStore::WriteHeader(const OpContext& op, std::uint32_t valid) {
  std::vector<std::byte> header(16);
  PutLittle(header, 0, kMagic);
  PutLittle(header, 4, valid);
  PutLittle(header, 8, kVersion);
  PutLittle(header, 12, static_cast<std::uint32_t>(chunk_sectors_));
  if (Result<void> written = WriteChunk(op, 0, header); !written.ok()) return written;
  return cow_->Flush(op);
}

// dm-snap-persistent: area_io with PREFLUSH and FUA. What the exceptions name is on the medium
// before they are.
Result<void> PersistentStore::WriteArea(const OpContext& op) {
  std::vector<std::byte> bytes(entries_.size() * kEntryBytes);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    PutLittle(bytes, i * kEntryBytes, entries_[i].origin_chunk);
    PutLittle(bytes, i * kEntryBytes + 8, entries_[i].cow_chunk);
  }
  if (Result<void> flushed = cow_->Flush(op); !flushed.ok()) return flushed;
  if (Result<void> written = WriteChunk(op, AreaChunk(area_), bytes); !written.ok()) return written;
  return cow_->Flush(op);
}

Result<void> PersistentStore::WriteChunk(const OpContext& op, std::uint64_t chunk, Bytes prefix) {
  const std::uint64_t first = chunk * chunk_sectors_;
  const std::uint64_t prefix_sectors = (prefix.size() + kSectorBytes - 1) / kSectorBytes;
  // One request, as in the kernel, unless the chunk is huge.
  const std::uint64_t head = std::max(std::min(chunk_sectors_, kCopySectors), prefix_sectors);
  std::vector<std::byte> bytes(head * kSectorBytes);
  std::copy(prefix.begin(), prefix.end(), bytes.begin());
  if (Result<void> written = cow_->Write(op, Sector{first}, bytes); !written.ok()) return written;
  if (head == chunk_sectors_) return {};
  return cow_->WriteZeros(op, {Sector{first + head}, chunk_sectors_ - head});
}

Result<std::vector<Exception>> PersistentStore::ReadArea(const OpContext& op,
                                                         std::uint64_t area) const {
  std::vector<Exception> entries;
  const std::uint64_t piece = std::min(chunk_sectors_, kCopySectors);
  std::vector<std::byte> bytes(piece * kSectorBytes);
  for (std::uint64_t done = 0; done < chunk_sectors_; done += piece) {
    const Sector first{AreaChunk(area) * chunk_sectors_ + done};
    if (Result<void> read = cow_->Read(op, first, bytes); !read.ok()) return read.error();
    for (std::size_t at = 0; at < bytes.size(); at += kEntryBytes) {
      const Exception entry{LittleAt<std::uint64_t>(bytes, at),
                            LittleAt<std::uint64_t>(bytes, at + 8)};
      if (entry.cow_chunk == 0) return entries;
      entries.push_back(entry);
    }
  }
  return entries;
}

bool PersistentStore::IsData(std::uint64_t chunk) const {
  return chunk >= 2 && chunk % (per_area() + 1) != 1 && HasChunk(chunk);
}

Result<void> PersistentStore::ReadAreas(const OpContext& op, const Visitor& visit) {
  const std::uint64_t chunks =
      std::numeric_limits<std::uint64_t>::max() / (chunk_sectors_ * kSectorBytes);
  for (;; ++area_) {
    if (!HasChunk(AreaChunk(area_))) return Errno::kIo;
    Result<std::vector<Exception>> entries = ReadArea(op, area_);
    if (!entries.ok()) return entries.error();
    for (const Exception& entry : *entries) {
      if (!IsData(entry.cow_chunk) || entry.origin_chunk >= chunks) return Errno::kInval;
      if (!visit(entry)) return Errno::kInval;
      next_free_ = std::max(next_free_, entry.cow_chunk + 1);
    }
    entries_ = *std::move(entries);
    if (entries_.size() < per_area()) break;
  }
  SkipArea();
  return {};
}

StoreUsage PersistentStore::usage() const {
  return {.allocated_sectors = next_free_ * chunk_sectors_,
          .total_sectors = cow_->size_sectors(),
          .metadata_sectors = (area_ + 2) * chunk_sectors_};
}

// Without the areas that lie among them; the last entry of an area needs a chunk for the next one.
std::uint64_t PersistentStore::free_chunks() const {
  const std::uint64_t total = cow_->size_sectors() / chunk_sectors_;
  if (next_free_ >= total) return 0;
  const auto areas_before = [this](std::uint64_t chunk) {
    return (chunk + per_area() - 1) / (per_area() + 1);
  };
  const std::uint64_t count = total - next_free_ - (areas_before(total) - areas_before(next_free_));
  const std::uint64_t entries = entries_.size() + count;
  const bool lacks_area =
      count > 0 && entries % per_area() == 0 && !HasChunk(AreaChunk(area_ + entries / per_area()));
  return lacks_area ? count - 1 : count;
}

Result<std::uint64_t> PersistentStore::Allocate() {
  if (!HasChunk(next_free_)) return Errno::kNoSpc;
  const std::uint64_t chunk = next_free_++;
  SkipArea();
  return chunk;
}

Result<void> PersistentStore::Commit(const OpContext& op, const Exception& exception) {
  entries_.push_back(exception);
  const bool full = entries_.size() == per_area();
  if (full) {
    // dm-snap-persistent: the next area is wiped before this one is full on the medium. Where it
    // would lie past the end, the exception fails.
    if (!HasChunk(AreaChunk(area_ + 1))) return Errno::kIo;
    if (Result<void> wiped = WriteChunk(op, AreaChunk(area_ + 1), {}); !wiped.ok()) return wiped;
  }
  if (Result<void> written = WriteArea(op); !written.ok()) return written;
  if (full) {
    ++area_;
    entries_.clear();
  }
  return {};
}

Result<std::optional<ExceptionRun>> PersistentStore::LastRun(const OpContext& op) {
  if (entries_.empty()) {
    if (area_ == 0) return std::optional<ExceptionRun>();
    Result<std::vector<Exception>> entries = ReadArea(op, area_ - 1);
    if (!entries.ok()) return entries.error();
    if (entries->size() != per_area()) return Errno::kIo;
    --area_;
    entries_ = *std::move(entries);
  }
  const Exception last = entries_.back();
  std::uint64_t count = 1;
  for (; count < entries_.size(); ++count) {
    const Exception& before = entries_[entries_.size() - 1 - count];
    if (before.origin_chunk != last.origin_chunk - count ||
        before.cow_chunk != last.cow_chunk - count) {
      break;
    }
  }
  return std::optional<ExceptionRun>(
      {{last.origin_chunk - (count - 1), last.cow_chunk - (count - 1)}, count});
}

Result<void> PersistentStore::DropLast(const OpContext& op, std::uint64_t count) {
  LAMINA_CHECK(count <= entries_.size());
  entries_.resize(entries_.size() - count);
  if (Result<void> written = WriteArea(op); !written.ok()) return written;
  next_free_ = AreaChunk(area_) + entries_.size() + 1;
  return {};
}

// ── TransientStore ─────────────────────────────────────────────────────────────────────────────

StoreUsage TransientStore::usage() const {
  return {.allocated_sectors = next_free_ * chunk_sectors_, .total_sectors = cow_->size_sectors()};
}

std::uint64_t TransientStore::free_chunks() const {
  const std::uint64_t total = cow_->size_sectors() / chunk_sectors_;
  return total - std::min(total, next_free_);
}

Result<std::uint64_t> TransientStore::Allocate() {
  if (next_free_ >= cow_->size_sectors() / chunk_sectors_) return Errno::kNoSpc;
  return next_free_++;
}

}  // namespace lamina::internal
