#include "tests/block/thin_model.h"

#include <algorithm>

namespace lamina {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

// ── Messages ─────────────────────────────────────────────────────────────────────────────────────

Result<void> ThinModel::Create(std::uint64_t id) {
  if (now_.devices.contains(id)) return Errno::kExist;
  now_.devices[id] = {{}, now_.transaction, now_.time, now_.time};
  Commit();
  return {};
}

Result<void> ThinModel::Snapshot(std::uint64_t id, std::uint64_t origin) {
  if (now_.devices.contains(id)) return Errno::kExist;
  const auto source = now_.devices.find(origin);
  if (source == now_.devices.end()) return Errno::kNoData;
  ++now_.time;
  source->second.snapshotted_time = now_.time;
  now_.devices[id] = {source->second.mappings, now_.transaction, now_.time, now_.time};
  CountUsers();
  Commit();
  return {};
}

Result<void> ThinModel::Delete(std::uint64_t id, bool active) {
  if (!now_.devices.contains(id)) return Errno::kNoData;
  if (active) return Errno::kBusy;
  now_.devices.erase(id);
  CountUsers();
  Commit();
  return {};
}

Result<void> ThinModel::SetTransaction(std::uint64_t expected, std::uint64_t next) {
  if (expected != now_.transaction) return Errno::kInval;
  now_.transaction = next;
  Commit();
  return {};
}

Result<void> ThinModel::Reserve() {
  Commit();
  if (now_.held.has_value()) return Errno::kBusy;
  now_.held = now_.devices;
  CountUsers();
  Commit();
  return {};
}

Result<void> ThinModel::Release() {
  if (!now_.held.has_value()) return Errno::kInval;
  now_.held.reset();
  CountUsers();
  Commit();
  return {};
}

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────

std::vector<ThinModel::Waiting> ThinModel::PiecesOf(std::uint64_t number, std::uint64_t id,
                                                    std::uint64_t page, std::uint64_t pages,
                                                    Tag tag) const {
  std::vector<Waiting> pieces;
  while (pages > 0) {
    const std::uint64_t first = page % rules_.pages_per_block;
    const std::uint64_t count = std::min(pages, rules_.pages_per_block - first);
    pieces.push_back({number, id, page / rules_.pages_per_block, first, count, tag});
    page += count;
    pages -= count;
  }
  return pieces;
}

Result<void> ThinModel::Write(std::uint64_t id, std::uint64_t page, std::uint64_t pages, Tag tag) {
  for (const Waiting& piece : PiecesOf(0, id, page, pages, tag)) {
    if (Result<void> written = WritePiece(piece); !written.ok()) return written;
  }
  return {};
}

Result<void> ThinModel::Submit(std::uint64_t number, std::uint64_t id, std::uint64_t page,
                               std::uint64_t pages, Tag tag) {
  Result<void> first;
  for (const Waiting& piece : PiecesOf(number, id, page, pages, tag)) {
    const Result<void> written = WritePiece(piece);
    if (!written.ok() && written.error() == Errno::kAgain) {
      waiting_.push_back(piece);
    } else if (!written.ok() && first.ok()) {
      first = written;
    }
  }
  return first;
}

Result<void> ThinModel::WritePiece(const Waiting& piece) {
  Device& device = now_.devices.at(piece.device);
  const auto found = device.mappings.find(piece.block);
  const bool mapped = found != device.mappings.end();
  std::shared_ptr<Block> block;
  if (mapped && device.snapshotted_time <= found->second.time) {
    block = found->second.block;
  } else {
    Result<std::shared_ptr<Block>> fresh = Allocate();
    if (!fresh.ok()) return fresh.error();
    block = *std::move(fresh);
    if (mapped) {
      block->tags = found->second.block->tags;
      Unmap(device.mappings, found);
    }
    device.mappings[piece.block] = {block, now_.time};
    ++block->users;
    NoteChange(piece.device);
  }
  for (std::uint64_t i = 0; i < piece.pages; ++i) block->tags[piece.first_page + i] = piece.tag;
  return {};
}

Result<std::shared_ptr<ThinModel::Block>> ThinModel::Allocate() {
  if (!out_of_space_ && live_ == rules_.blocks) Commit();
  if (!out_of_space_ && live_ == rules_.blocks) EnterNoSpace();
  if (out_of_space_) return errors_if_no_space() ? Errno::kNoSpc : Errno::kAgain;
  return std::make_shared<Block>(live_, rules_.pages_per_block);
}

void ThinModel::EnterNoSpace() {
  out_of_space_ = true;
  if (!errors_if_no_space()) no_space_deadline_ns_ = clock_ns_ + rules_.no_space_seconds * kSecond;
}

void ThinModel::Unmap(Mappings& mappings, Mappings::iterator at) {
  --at->second.block->users;
  mappings.erase(at);
}

void ThinModel::Discard(std::uint64_t id, std::uint64_t page, std::uint64_t pages) {
  Mappings& mappings = now_.devices.at(id).mappings;
  const std::uint64_t size = rules_.pages_per_block;
  const std::uint64_t end = (page + pages) / size;
  auto at = mappings.lower_bound((page + size - 1) / size);
  while (at != mappings.end() && at->first < end) {
    const std::shared_ptr<Block> block = at->second.block;
    const auto next = std::next(at);
    Unmap(mappings, at);
    at = next;
    // The content is gone, even if a power cut brings the mapping back.
    const bool passed = block->users == 0 && rules_.passes_discards_down;
    if (passed) std::fill(block->tags.begin(), block->tags.end(), 0);
    NoteChange(id);
  }
}

void ThinModel::Flush(std::uint64_t id) {
  if (changed_.contains(id)) Commit();
}

std::vector<ThinModel::Tag> ThinModel::Read(std::uint64_t id, std::uint64_t page,
                                            std::uint64_t pages) const {
  const Mappings& mappings = now_.devices.at(id).mappings;
  std::vector<Tag> tags;
  for (std::uint64_t i = page; i < page + pages; ++i) {
    const auto found = mappings.find(i / rules_.pages_per_block);
    const bool mapped = found != mappings.end();
    tags.push_back(mapped ? found->second.block->tags[i % rules_.pages_per_block] : 0);
  }
  return tags;
}

void ThinModel::Deactivate(std::uint64_t id) {
  std::erase_if(waiting_, [id](const Waiting& waiting) { return waiting.device == id; });
}

// ── The pool ─────────────────────────────────────────────────────────────────────────────────────

void ThinModel::NoteChange(std::uint64_t id) {
  changed_.insert(id);
  if (!first_change_ns_.has_value()) first_change_ns_ = clock_ns_;
}

void ThinModel::Commit() {
  const bool was_out_of_space = out_of_space_;
  CommitWithoutRetry();
  if (was_out_of_space && !out_of_space_) Retry();
}

void ThinModel::CommitWithoutRetry() {
  committed_ = now_;
  changed_.clear();
  first_change_ns_.reset();
  if (live_ < rules_.blocks) HaveSpace();
}

void ThinModel::HaveSpace() {
  out_of_space_ = false;
  errors_now_ = false;
  no_space_deadline_ns_.reset();
}

void ThinModel::Retry() {
  const std::vector<Waiting> retried = std::exchange(waiting_, {});
  for (const Waiting& piece : retried) {
    const Result<void> written = WritePiece(piece);
    if (!written.ok() && written.error() == Errno::kAgain) waiting_.push_back(piece);
  }
}

void ThinModel::Advance(std::int64_t virtual_ns) {
  const std::int64_t until = clock_ns_ + virtual_ns;
  for (;;) {
    const std::int64_t commit = first_change_ns_.value_or(until) + kSecond;
    const std::int64_t timeout = no_space_deadline_ns_.value_or(until + 1);
    const std::int64_t next = std::min(commit, timeout);
    if (next > until) break;
    clock_ns_ = next;
    if (commit == next) {
      Commit();
    } else {
      errors_now_ = true;
      no_space_deadline_ns_.reset();
      waiting_.clear();
    }
  }
  clock_ns_ = until;
}

void ThinModel::Reopen() {
  now_ = committed_;
  CountUsers();
  changed_.clear();
  first_change_ns_.reset();
  HaveSpace();
  waiting_.clear();
}

void ThinModel::SuspendAndResume() {
  CommitWithoutRetry();
  errors_now_ = false;
  if (out_of_space_) EnterNoSpace();
  Retry();
}

void ThinModel::Grow(std::uint64_t blocks) {
  CommitWithoutRetry();
  rules_.blocks = blocks;
  HaveSpace();
  Retry();
}

std::uint64_t ThinModel::used() const {
  std::set<const Block*> blocks;
  const auto add = [&blocks](const std::map<std::uint64_t, Device>& devices) {
    for (const auto& [id, device] : devices) {
      for (const auto& [at, mapping] : device.mappings) blocks.insert(mapping.block.get());
    }
  };
  add(now_.devices);
  if (now_.held.has_value()) add(*now_.held);
  return blocks.size();
}

void ThinModel::CountUsers() {
  const auto each = [](std::map<std::uint64_t, Device>& devices, auto visit) {
    for (auto& [id, device] : devices) {
      for (auto& [at, mapping] : device.mappings) visit(*mapping.block);
    }
  };
  const auto clear = [](Block& block) { block.users = 0; };
  const auto count = [](Block& block) { ++block.users; };
  each(now_.devices, clear);
  if (now_.held.has_value()) each(*now_.held, clear);
  each(now_.devices, count);
  if (now_.held.has_value()) each(*now_.held, count);
}

}  // namespace lamina
