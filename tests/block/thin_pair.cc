#include "tests/block/thin_pair.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/block/thin_check.h"

namespace lamina {
namespace {

constexpr ThinModel::Tag kTorn = ~ThinModel::Tag{0};

ThinModel::Tag TagOf(const std::byte* page) {
  ThinModel::Tag first = 0, last = 0;
  std::memcpy(&first, page, sizeof(first));
  std::memcpy(&last, page + kPageSize - sizeof(last), sizeof(last));
  const bool whole = first == last && page[kPageSize / 2] == static_cast<std::byte>(first);
  return whole ? first : kTorn;
}

}  // namespace

ThinRig::Shape ThinPair::ShapeOf(std::uint64_t seed) {
  SplitMix64 random(seed);
  ThinRig::Shape shape;
  shape.block_sectors = seed % 8 == 7 ? 384 : 128;
  shape.blocks = 20 + random.Below(100);
  shape.data_blocks = shape.blocks + 40;
  shape.device_blocks = kDeviceBlocks;
  shape.low_water = random.Below(20);
  if (random.Below(3) == 0) shape.features += " error_if_no_space";
  if (random.Below(3) == 0) shape.features += " no_discard_passdown";
  const auto words = std::count(shape.features.begin(), shape.features.end(), ' ');
  shape.features = absl::StrFormat("%d%s", words, shape.features);
  return shape;
}

ThinModel::Rules ThinPair::RulesOf(const ThinRig::Shape& shape) {
  return {.pages_per_block = shape.block_sectors / kPageSectors,
          .blocks = shape.blocks,
          .passes_discards_down = shape.features.find("passdown") == std::string::npos,
          .errors_if_no_space = shape.features.find("error") != std::string::npos};
}

ThinPair::ThinPair(std::uint64_t seed)
    : random_(seed * 7919 + 1), rig_(ShapeOf(seed)), model_(RulesOf(rig_.shape())) {}

std::optional<std::uint64_t> ThinPair::SomeDevice() {
  const auto& devices = model_.now().devices;
  if (devices.empty()) return std::nullopt;
  return std::next(devices.begin(), static_cast<std::ptrdiff_t>(random_.Below(devices.size())))
      ->first;
}

ThinPair::Extent ThinPair::SomeExtent() {
  const std::uint64_t block = rig_.shape().block_sectors / kPageSectors;
  const std::uint64_t all = kDeviceBlocks * block;
  if (Chance(30)) return {random_.Below(kDeviceBlocks) * block, block};
  const std::uint64_t page = random_.Below(all);
  const std::uint64_t most = Chance(60) ? 4 : 5 * block;
  return {page, 1 + random_.Below(std::min(most, all - page))};
}

ThinDevice& ThinPair::Active(std::uint64_t id) {
  active_.insert(id);
  return rig_.Device(id);
}

std::vector<std::byte> ThinPair::PagesOf(std::uint64_t pages, Tag tag) const {
  std::vector<std::byte> bytes = ThinRig::Pages(pages, static_cast<int>(tag & 0xff));
  for (std::uint64_t page = 0; page < pages; ++page) {
    std::memcpy(&bytes[page * kPageSize], &tag, sizeof(tag));
    std::memcpy(&bytes[(page + 1) * kPageSize - sizeof(tag)], &tag, sizeof(tag));
  }
  return bytes;
}

// ── Calls ────────────────────────────────────────────────────────────────────────────────────────

void ThinPair::Answered(const std::string& call, Result<void> pool, Result<void> model) {
  Note(call);
  ASSERT_EQ(pool.ok(), model.ok()) << call;
  if (pool.ok()) return;
  ++tally_[call + " failed"];
  ASSERT_EQ(pool.error(), model.error()) << call;
}

void ThinPair::Step() {
  const std::uint64_t draw = random_.Below(100);
  if (draw < 18) {
    MessageStep();
  } else if (draw < 90) {
    DeviceStep();
  } else {
    PoolStep();
  }
  CompareState();
}

void ThinPair::MessageStep() {
  const std::uint64_t id = AnyId();
  const std::uint64_t draw = random_.Below(18);
  if (draw < 3) {
    Answered("create_thin", rig_.Message(absl::StrFormat("create_thin %d", id)), model_.Create(id));
  } else if (draw < 10) {
    const std::uint64_t origin = AnyId();
    Answered("create_snap", rig_.Message(absl::StrFormat("create_snap %d %d", id, origin)),
             model_.Snapshot(id, origin));
  } else if (draw < 14) {
    Answered("delete", rig_.Message(absl::StrFormat("delete %d", id)),
             model_.Delete(id, active_.contains(id)));
  } else if (draw < 16) {
    const std::uint64_t expected = model_.now().transaction + random_.Below(2);
    const std::uint64_t next = expected + random_.Below(5);
    Answered("set_transaction_id",
             rig_.Message(absl::StrFormat("set_transaction_id %d %d", expected, next)),
             model_.SetTransaction(expected, next));
  } else if (draw < 17) {
    Answered("reserve", rig_.Message("reserve_metadata_snap"), model_.Reserve());
  } else {
    Answered("release", rig_.Message("release_metadata_snap"), model_.Release());
  }
}

void ThinPair::DeviceStep() {
  const std::optional<std::uint64_t> id = SomeDevice();
  if (!id.has_value()) return MessageStep();
  const std::uint64_t draw = random_.Below(72);
  if (draw < 40) {
    WriteStep(*id);
  } else if (draw < 45) {
    SubmitStep(*id);
  } else if (draw < 55) {
    DiscardStep(*id);
  } else if (draw < 60) {
    model_.Flush(*id);
    Answered("flush", Active(*id).Flush(rig_.Op()), {});
  } else if (draw < 66) {
    Note("read");
    ComparePages(*id, SomeExtent());
  } else if (draw < 68) {
    ExplainStep(*id);
  } else {
    Note("deactivate");
    rig_.Deactivate(*id);
    active_.erase(*id);
    model_.Deactivate(*id);
  }
}

void ThinPair::WriteStep(std::uint64_t id) {
  const Extent extent = SomeExtent();
  const Tag tag = next_tag_++;
  const Result<void> pool =
      Active(id).Write(rig_.Op(), Sector{extent.page * kPageSectors}, PagesOf(extent.pages, tag));
  Answered("write", pool, model_.Write(id, extent.page, extent.pages, tag));
  ComparePages(id, extent);
}

void ThinPair::SubmitStep(std::uint64_t id) {
  const Extent extent = SomeExtent();
  const Tag tag = next_tag_++;
  const WriteTicket ticket =
      Active(id).Submit(rig_.Op(), Sector{extent.page * kPageSectors}, PagesOf(extent.pages, tag));
  const Result<void> expected = model_.Submit(tag, id, extent.page, extent.pages, tag);
  if (ticket.waits()) {
    Note("submit that waits");
    tickets_.emplace(tag, ticket);
  } else {
    Answered("submit", *ticket.result(), expected);
  }
  ComparePages(id, extent);
}

void ThinPair::DiscardStep(std::uint64_t id) {
  const Extent extent = SomeExtent();
  model_.Discard(id, extent.page, extent.pages);
  const SectorRange range{Sector{extent.page * kPageSectors}, extent.pages * kPageSectors};
  Answered("discard", Active(id).Discard(rig_.Op(), range), {});
  ComparePages(id, extent);
}

void ThinPair::ExplainStep(std::uint64_t id) {
  Note("explain");
  const std::uint64_t block = random_.Below(kDeviceBlocks);
  const Result<ThinBlockReport> report = rig_.pool().Explain(rig_.Op(), ThinId{id}, block);
  ASSERT_TRUE(report.ok());
  const ThinModel::Device& device = model_.now().devices.at(id);
  const auto found = device.mappings.find(block);
  ASSERT_EQ(report->mapping.has_value(), found != device.mappings.end());
  if (!report->mapping.has_value()) {
    ASSERT_EQ(report->next_write, ThinWriteEffect::kProvision);
    return;
  }
  const ThinModel::Mapping& mapping = found->second;
  ASSERT_EQ(report->looks_shared, device.snapshotted_time > mapping.time);
  ASSERT_EQ(report->references, mapping.block->users);
  std::size_t others = 0;
  for (const auto& [other, there] : model_.now().devices) {
    for (const auto& [at, one] : there.mappings) {
      others += one.block == mapping.block && (other != id || at != block) ? 1 : 0;
    }
  }
  ASSERT_EQ(report->others.size(), others);
}

void ThinPair::PoolStep() {
  const std::uint64_t draw = random_.Below(20);
  if (draw < 8) {
    AdvanceStep();
  } else if (draw < 12) {
    Note("status");
    model_.Commit();
    const std::string status = rig_.PoolStatus();
    const std::string counts = absl::StrFormat(" %d/%d ", model_.used(), model_.blocks());
    ASSERT_NE(status.find(counts), std::string::npos) << status << "\nwanted" << counts;
    const bool full = status.find(" out_of_data_space ") != std::string::npos;
    ASSERT_EQ(full, model_.out_of_space()) << status;
  } else if (draw < 15) {
    Note("crash");
    rig_.Crash();
    GoneDevices();
    model_.Reopen();
    CheckLastCommit();
    CompareAll();
  } else if (draw < 16) {
    Note("reopen");
    rig_.Reopen();
    GoneDevices();
    model_.Commit();
    model_.Reopen();
    CompareAll();
  } else if (draw < 19) {
    model_.SuspendAndResume();
    Result<void> pool = rig_.pool().Suspend(rig_.Op());
    if (pool.ok()) pool = rig_.pool().Resume(rig_.Op());
    Answered("resume", pool, {});
  } else if (model_.blocks() + 2 <= rig_.shape().data_blocks) {
    const std::uint64_t blocks = model_.blocks() + random_.Below(3);
    model_.Grow(blocks);
    Answered("grow", rig_.ReloadAndResume(blocks, rig_.shape().features), {});
  }
}

void ThinPair::GoneDevices() {
  for (const std::uint64_t id : active_) model_.Deactivate(id);
  active_.clear();
}

void ThinPair::AdvanceStep() {
  Note("advance");
  const std::int64_t seconds = Chance(10) ? 61 : static_cast<std::int64_t>(random_.Below(2));
  model_.Advance(seconds * kNanosecondsPerSecond);
  rig_.Advance(seconds);
}

// ── Comparisons ──────────────────────────────────────────────────────────────────────────────────

// What is cheap to compare after every call.
void ThinPair::CompareState() {
  const ThinMetadata& metadata = rig_.pool().metadata();
  ASSERT_EQ(metadata.time(), model_.now().time);
  ASSERT_EQ(metadata.transaction_id(), model_.now().transaction);
  ASSERT_EQ(metadata.held_root().has_value(), model_.now().held.has_value());
  ASSERT_EQ(metadata.data_blocks().total, model_.blocks());
  ASSERT_EQ(metadata.data_blocks().allocatable, model_.blocks() - model_.used_or_committed());
  ASSERT_EQ(rig_.pool().mode() == ThinPoolMode::kOutOfDataSpace, model_.out_of_space());
  ASSERT_EQ(rig_.pool().errors_if_no_space(), model_.errors_if_no_space());
  ASSERT_EQ(rig_.pool().waiting_pieces(), model_.waiting().size());
  std::set<std::uint64_t> waiting;
  for (const ThinModel::Waiting& piece : model_.waiting()) waiting.insert(piece.number);
  for (const auto& [number, ticket] : tickets_) {
    ASSERT_EQ(ticket.waits(), waiting.contains(number));
  }
  std::erase_if(tickets_, [](const auto& entry) { return !entry.second.waits(); });
}

void ThinPair::ComparePages(std::uint64_t id, Extent extent) {
  std::vector<std::byte> bytes(extent.pages * kPageSize);
  ASSERT_TRUE(Active(id).Read(rig_.Op(), Sector{extent.page * kPageSectors}, bytes).ok());
  std::vector<Tag> tags;
  for (std::uint64_t i = 0; i < extent.pages; ++i) tags.push_back(TagOf(&bytes[i * kPageSize]));
  ASSERT_EQ(tags, model_.Read(id, extent.page, extent.pages)) << "device " << id;
}

void ThinPair::CompareDevice(std::uint64_t id) {
  const ThinModel::Device& device = model_.now().devices.at(id);
  ASSERT_EQ(rig_.Details(id), (ThinDetails{.mapped_blocks = device.mappings.size(),
                                           .transaction_id = device.transaction,
                                           .creation_time = device.creation_time,
                                           .snapshotted_time = device.snapshotted_time}));
  auto next = device.mappings.begin();
  const auto same = [&](std::uint64_t block, const ThinMapping& mapping) {
    if (next == device.mappings.end()) return false;
    const auto [place, fresh] = places_.emplace(next->second.block.get(), mapping.data_block);
    const bool equal = next->first == block && next->second.time == mapping.time &&
                       place->second == mapping.data_block;
    if (equal) ++next;
    return equal;
  };
  ASSERT_TRUE(rig_.pool().metadata().ForEachMapping(rig_.Op(), ThinId{id}, 0, same).ok());
  ASSERT_TRUE(next == device.mappings.end()) << "device " << id << ": " << rig_.Mappings(id);
  const std::uint64_t block_pages = rig_.shape().block_sectors / kPageSectors;
  ComparePages(id, {0, kDeviceBlocks * block_pages});
}

void ThinPair::CompareAll() {
  places_.clear();
  std::vector<std::uint64_t> ids, expected;
  const auto collect = [&ids](ThinId id, const ThinDetails&) {
    ids.push_back(id.value);
    return true;
  };
  ASSERT_TRUE(rig_.pool().metadata().ForEachDevice(rig_.Op(), collect).ok());
  for (const auto& [id, device] : model_.now().devices) expected.push_back(id);
  ASSERT_EQ(ids, expected);
  for (const std::uint64_t id : ids) CompareDevice(id);
  std::set<std::uint64_t> blocks;
  for (const auto& [block, place] : places_) blocks.insert(place);
  ASSERT_EQ(blocks.size(), places_.size()) << "two blocks in one place";
  ASSERT_EQ(rig_.pool().metadata().data_blocks().allocated, model_.used());
}

void ThinPair::Commit() {
  model_.Commit();
  rig_.Commit();
  CompareState();
}

void ThinPair::CheckLastCommit() {
  const Result<std::vector<ThinFinding>> findings =
      CheckThinMetadata(rig_.Op(), rig_.metadata_disk());
  ASSERT_TRUE(findings.ok());
  for (const ThinFinding& finding : *findings) ADD_FAILURE() << finding.what;
}

void ThinPair::CompareCounts() {
  std::map<std::uint64_t, std::uint64_t> users;
  for (const auto& [block, place] : places_) users[place] = block->users;
  std::uint64_t held_only = 0;
  for (std::uint64_t block = 0; block < model_.blocks(); ++block) {
    const Result<std::uint64_t> count = rig_.pool().metadata().DataReferenceCount(rig_.Op(), block);
    const Result<std::uint64_t> entry = rig_.pool().metadata().DataLeafCount(rig_.Op(), block);
    ASSERT_TRUE(count.ok());
    ASSERT_TRUE(entry.ok());
    ASSERT_EQ(*count > 0, *entry > 0) << "block " << block;
    ASSERT_LE(*entry, *count) << "block " << block;
    if (const auto found = users.find(block); found != users.end()) {
      ASSERT_EQ(*count, found->second) << "block " << block;
    } else {
      held_only += *count > 0 ? 1 : 0;
    }
  }
  ASSERT_EQ(held_only, model_.used() - places_.size());
}

}  // namespace lamina
