#include "vfs/ext/block_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lamina/base/check.h"

namespace lamina::ext {
namespace {

constexpr std::uint8_t kKindMask = 0xf0;
constexpr std::size_t kMaxCachedBytes = std::size_t{32} << 20U;
constexpr std::size_t kMaxTransferBytes = std::size_t{256} << 10U;

}  // namespace

// ── Metadata ─────────────────────────────────────────────────────────────────────────────────────

Result<BlockCache::Buffer*> BlockCache::Load(const OpContext& op, std::uint32_t block) {
  const auto found = buffers_.find(block);
  if (found != buffers_.end()) {
    found->second->used = ++uses_;
    return found->second.get();
  }
  auto buffer = std::make_unique<Buffer>();
  buffer->bytes = std::make_unique_for_overwrite<std::byte[]>(block_bytes_);
  buffer->used = ++uses_;
  const Bytes pending = journal_ == nullptr ? Bytes() : journal_->Pending(block);
  if (!pending.empty()) {
    std::memcpy(buffer->bytes.get(), pending.data(), block_bytes_);
  } else {
    Result<void> read =
        device_->Read(op, SectorOf(block), MutableBytes(buffer->bytes.get(), block_bytes_));
    if (!read.ok()) return read.error();
  }
  Buffer* result = buffer.get();
  buffers_.emplace(block, std::move(buffer));
  return result;
}

Result<Bytes> BlockCache::Read(const OpContext& op, std::uint32_t block) {
  Result<Buffer*> buffer = Load(op, block);
  if (!buffer.ok()) return buffer.error();
  return Bytes((*buffer)->bytes.get(), block_bytes_);
}

Result<BlockCache::Noted> BlockCache::ReadNoted(const OpContext& op, std::uint32_t block) {
  Result<Buffer*> buffer = Load(op, block);
  if (!buffer.ok()) return buffer.error();
  return Noted{Bytes((*buffer)->bytes.get(), block_bytes_), &(*buffer)->note};
}

void BlockCache::Save(Change change, std::uint32_t block, MutableBytes old, std::size_t offset) {
  Undo undo;
  undo.change = change;
  undo.block = block;
  undo.offset = static_cast<std::uint32_t>(offset);
  undo.length = static_cast<std::uint32_t>(old.size());
  undo.saved = saved_.size();
  saved_.insert(saved_.end(), old.begin(), old.end());
  undo_.push_back(std::move(undo));
}

void BlockCache::MakeDirty(std::uint32_t block, Buffer& buffer) {
  if (buffer.dirty) return;
  buffer.dirty = true;
  dirty_.insert(block);
  Undo undo;
  undo.change = Change::kDirtied;
  undo.block = block;
  undo_.push_back(std::move(undo));
}

Result<MutableBytes> BlockCache::Edit(const OpContext& op, std::uint32_t block, std::size_t offset,
                                      std::size_t length, std::uint8_t kind) {
  LAMINA_CHECK(offset <= block_bytes_);
  LAMINA_CHECK(length <= block_bytes_ - offset);
  Result<Buffer*> buffer = Load(op, block);
  if (!buffer.ok()) return buffer.error();
  MakeDirty(block, **buffer);
  if (((*buffer)->note & kKindMask) != kind) (*buffer)->note = 0;
  const MutableBytes part((*buffer)->bytes.get() + offset, length);
  Save(Change::kBytes, block, part, offset);
  return part;
}

MutableBytes BlockCache::Create(std::uint32_t block) {
  Undo undo;
  undo.change = Change::kReplaced;
  undo.block = block;
  std::unique_ptr<Buffer>& slot = buffers_[block];
  undo.buffer = std::move(slot);
  undo_.push_back(std::move(undo));
  slot = std::make_unique<Buffer>();
  slot->bytes = std::make_unique<std::byte[]>(block_bytes_);
  slot->dirty = true;
  slot->used = ++uses_;
  dirty_.insert(block);
  return MutableBytes(slot->bytes.get(), block_bytes_);
}

void BlockCache::Forget(std::uint32_t block) {
  Undo undo;
  undo.change = Change::kReplaced;
  undo.block = block;
  const auto found = buffers_.find(block);
  if (found != buffers_.end()) {
    undo.buffer = std::move(found->second);
    buffers_.erase(found);
    dirty_.erase(block);
  }
  undo_.push_back(std::move(undo));
  if (journal_ == nullptr || !revoked_.insert(block).second) return;
  Undo revoke;
  revoke.change = Change::kRevoked;
  revoke.block = block;
  undo_.push_back(std::move(revoke));
}

// ── Data ─────────────────────────────────────────────────────────────────────────────────────────

MutableBytes BlockCache::CreateData(std::uint32_t block) {
  Undo undo;
  undo.change = Change::kData;
  undo.block = block;
  DataBuffer& slot = data_[block];
  undo.data = std::move(slot);
  undo_.push_back(std::move(undo));
  slot = std::make_unique<std::byte[]>(block_bytes_);
  return MutableBytes(slot.get(), block_bytes_);
}

Result<MutableBytes> BlockCache::EditData(const OpContext& op, std::uint32_t block,
                                          std::size_t offset, std::size_t length) {
  const auto found = data_.find(block);
  if (found != data_.end()) {
    const MutableBytes part(found->second.get() + offset, length);
    Save(Change::kDataBytes, block, part, offset);
    return part;
  }
  auto bytes = std::make_unique_for_overwrite<std::byte[]>(block_bytes_);
  if (length != block_bytes_) {
    Result<void> read = device_->Read(op, SectorOf(block), MutableBytes(bytes.get(), block_bytes_));
    if (!read.ok()) return read.error();
  }
  Undo undo;
  undo.change = Change::kData;
  undo.block = block;
  undo_.push_back(std::move(undo));
  std::byte* const start = bytes.get();
  data_.emplace(block, std::move(bytes));
  return MutableBytes(start + offset, length);
}

Result<void> BlockCache::ReadData(const OpContext& op, BlockRun run, MutableBytes into) {
  LAMINA_CHECK(into.size() == std::size_t{run.count} * block_bytes_);
  std::uint32_t done = 0;
  while (done < run.count) {
    const auto found = data_.empty() ? data_.end() : data_.find(run.first + done);
    if (found != data_.end()) {
      std::memcpy(into.data() + std::size_t{done} * block_bytes_, found->second.get(),
                  block_bytes_);
      ++done;
      continue;
    }
    std::uint32_t length = 1;
    while (done + length < run.count &&
           (data_.empty() || !data_.contains(run.first + done + length))) {
      ++length;
    }
    Result<void> read = device_->Read(
        op, SectorOf(run.first + done),
        into.subspan(std::size_t{done} * block_bytes_, std::size_t{length} * block_bytes_));
    if (!read.ok()) return read;
    done += length;
  }
  return {};
}

void BlockCache::ForgetData(BlockRun run) {
  const auto forget = [&](auto found) {
    Undo undo;
    undo.change = Change::kData;
    undo.block = found->first;
    undo.data = std::move(found->second);
    undo_.push_back(std::move(undo));
    data_.erase(found);
  };
  if (run.count < data_.size()) {
    for (std::uint32_t index = 0; index < run.count; ++index) {
      const auto found = data_.find(run.first + index);
      if (found != data_.end()) forget(found);
    }
    return;
  }
  std::vector<std::uint32_t> covered;
  for (const auto& item : data_) {
    if (item.first >= run.first && item.first - run.first < run.count) {
      covered.push_back(item.first);
    }
  }
  for (const std::uint32_t block : covered) forget(data_.find(block));
}

Result<void> BlockCache::WriteRuns(const OpContext& op,
                                   std::vector<std::pair<std::uint32_t, const std::byte*>> blocks) {
  std::sort(blocks.begin(), blocks.end());
  std::vector<std::byte> together;
  std::size_t begin = 0;
  while (begin < blocks.size()) {
    std::size_t end = begin + 1;
    while (end < blocks.size() && blocks[end].first == blocks[end - 1].first + 1 &&
           (end - begin) * block_bytes_ < kMaxTransferBytes) {
      ++end;
    }
    Bytes content(blocks[begin].second, block_bytes_);
    if (end - begin > 1) {
      together.resize((end - begin) * block_bytes_);
      for (std::size_t index = begin; index < end; ++index) {
        std::memcpy(together.data() + (index - begin) * block_bytes_, blocks[index].second,
                    block_bytes_);
      }
      content = Bytes(together);
    }
    Result<void> written = device_->Write(op, SectorOf(blocks[begin].first), content);
    if (!written.ok()) return written;
    begin = end;
  }
  return {};
}

Result<void> BlockCache::WriteData(const OpContext& op) {
  if (data_.empty()) return {};
  std::vector<std::pair<std::uint32_t, const std::byte*>> blocks;
  blocks.reserve(data_.size());
  for (const auto& [block, bytes] : data_) blocks.emplace_back(block, bytes.get());
  Result<void> written = WriteRuns(op, std::move(blocks));
  if (!written.ok()) return written;
  data_.clear();
  unflushed_ = true;
  return {};
}

// ── Calls and transactions ───────────────────────────────────────────────────────────────────────

void BlockCache::TakeBack(Undo& undo) {
  switch (undo.change) {
    case Change::kBytes: {
      Buffer& buffer = *buffers_.find(undo.block)->second;
      std::memcpy(buffer.bytes.get() + undo.offset, saved_.data() + undo.saved, undo.length);
      buffer.note = 0;
      return;
    }
    case Change::kDirtied:
      buffers_.find(undo.block)->second->dirty = false;
      dirty_.erase(undo.block);
      return;
    case Change::kReplaced:
      dirty_.erase(undo.block);
      if (undo.buffer == nullptr) {
        buffers_.erase(undo.block);
      } else {
        if (undo.buffer->dirty) dirty_.insert(undo.block);
        buffers_[undo.block] = std::move(undo.buffer);
      }
      return;
    case Change::kRevoked:
      revoked_.erase(undo.block);
      return;
    case Change::kDataBytes:
      std::memcpy(data_.find(undo.block)->second.get() + undo.offset, saved_.data() + undo.saved,
                  undo.length);
      return;
    case Change::kData:
      if (undo.data == nullptr) {
        data_.erase(undo.block);
      } else {
        data_[undo.block] = std::move(undo.data);
      }
      return;
  }
}

void BlockCache::RollBackTo(Mark mark) {
  while (undo_.size() > mark.entries) {
    TakeBack(undo_.back());
    undo_.pop_back();
  }
}

Result<void> BlockCache::WriteMetadata(const OpContext& op) {
  if (journal_ == nullptr) {
    std::vector<std::pair<std::uint32_t, const std::byte*>> blocks;
    for (const std::uint32_t block : dirty_) {
      blocks.emplace_back(block, buffers_.find(block)->second->bytes.get());
    }
    Result<void> written = WriteRuns(op, std::move(blocks));
    if (!written.ok()) return written;
    return device_->Flush(op);
  }
  if (dirty_.empty() && revoked_.empty()) return device_->Flush(op);
  std::vector<Journal::Block> blocks;
  for (const std::uint32_t block : dirty_) {
    blocks.push_back({block, Bytes(buffers_.find(block)->second->bytes.get(), block_bytes_)});
  }
  std::vector<std::uint32_t> revoked;
  for (const std::uint32_t block : revoked_) {
    if (!dirty_.contains(block)) revoked.push_back(block);
  }
  return journal_->Commit(op, blocks, revoked);
}

Result<void> BlockCache::Commit(const OpContext& op) {
  if (Result<void> written = WriteData(op); !written.ok()) return written;
  if (Result<void> written = WriteMetadata(op); !written.ok()) return written;
  for (const std::uint32_t block : dirty_) buffers_.find(block)->second->dirty = false;
  dirty_.clear();
  revoked_.clear();
  unflushed_ = false;
  Begin();
  return {};
}

void BlockCache::Trim() {
  if (buffers_.size() * block_bytes_ <= kMaxCachedBytes) return;
  std::vector<std::uint64_t> ages;
  ages.reserve(buffers_.size());
  for (const auto& item : buffers_) ages.push_back(item.second->used);
  const auto middle = ages.begin() + static_cast<std::ptrdiff_t>(ages.size() / 2);
  std::nth_element(ages.begin(), middle, ages.end());
  const std::uint64_t oldest_kept = *middle;
  absl::erase_if(buffers_, [&](const auto& item) {
    return !item.second->dirty && item.second->used < oldest_kept;
  });
}

void BlockCache::DropClean() {
  absl::erase_if(buffers_, [](const auto& item) { return !item.second->dirty; });
}

Result<void> BlockCache::WriteThrough(const OpContext& op, std::uint32_t block) {
  Result<Buffer*> buffer = Load(op, block);
  if (!buffer.ok()) return buffer.error();
  Result<void> written =
      device_->Write(op, SectorOf(block), Bytes((*buffer)->bytes.get(), block_bytes_));
  if (!written.ok()) return written;
  (*buffer)->dirty = false;
  dirty_.erase(block);
  Begin();
  return device_->Flush(op);
}

}  // namespace lamina::ext
