#include "tests/oracle/thin_history.h"

#include <iterator>
#include <utility>

#include "lamina/block/thin_canonical.h"
#include "tests/block/device_fixture.h"

namespace lamina {
namespace {

constexpr std::uint64_t kMostDevices = 8;
constexpr std::uint64_t kVirtualBlocks = 3000;

OpContext Op() {
  static const Caller caller;
  return caller.Op();
}

}  // namespace

ThinHistory::ThinHistory(MemDisk& disk, std::uint64_t seed) : disk_(disk), random_(seed) {
  Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(Op(), disk_);
  LAMINA_CHECK(opened.ok());
  metadata_ = std::move(*opened);
  Import();
}

// The model begins with what the metadata says.
void ThinHistory::Import() {
  now_.time = metadata_->time();
  now_.transaction = metadata_->transaction_id();
  const auto device = [&](ThinId id, const ThinDetails& details) {
    now_.devices[id.value].details = details;
    return true;
  };
  LAMINA_CHECK(metadata_->ForEachDevice(Op(), device).ok());
  for (auto& [id, imported] : now_.devices) {
    const auto mapping = [&, to = &imported](std::uint64_t block, const ThinMapping& each) {
      to->mappings[block] = each;
      return true;
    };
    LAMINA_CHECK(metadata_->ForEachMapping(Op(), ThinId{id}, 0, mapping).ok());
    LAMINA_CHECK(imported.mappings.size() == imported.details.mapped_blocks);
  }
  committed_ = now_;
}

void ThinHistory::Step() {
  const std::uint64_t dice = random_.Below(100);
  if (now_.devices.empty() || dice < 4) return Create();
  if (dice < 12) return Snapshot();
  if (dice < 15) return Delete();
  if (dice < 70) return Write();
  if (dice < 84) return Discard();
  if (dice < 87) return Hold();
  if (dice < 90) return NextTransaction();
  if (dice < 97) return Commit();
  return Crash();
}

void ThinHistory::Finish() {
  if (metadata_->held_root()) LAMINA_CHECK(metadata_->ReleaseMetadataSnapshot(Op()).ok());
  Commit();
}

std::uint64_t ThinHistory::AnyDevice() {
  const auto index = static_cast<std::ptrdiff_t>(random_.Below(now_.devices.size()));
  return std::next(now_.devices.begin(), index)->first;
}

void ThinHistory::Create() {
  const std::uint64_t id =
      random_.Below(8) == 0 ? random_.Below(kMaxThinId + 1) : random_.Below(12);
  const Result<void> made = metadata_->CreateThin(Op(), ThinId{id});
  if (now_.devices.contains(id)) {
    LAMINA_CHECK(!made.ok());
    LAMINA_CHECK(made.error() == Errno::kExist);
    return;
  }
  LAMINA_CHECK(made.ok());
  now_.devices[id].details = {0, now_.transaction, now_.time, now_.time};
}

void ThinHistory::Snapshot() {
  if (now_.devices.size() >= kMostDevices) return Delete();
  const std::uint64_t origin = AnyDevice();
  std::uint64_t id = origin + 1;
  while (now_.devices.contains(id)) ++id;
  LAMINA_CHECK(metadata_->CreateSnapshot(Op(), ThinId{id}, ThinId{origin}).ok());
  ++now_.time;
  Device& from = now_.devices[origin];
  from.details.snapshotted_time = now_.time;
  Device copy = from;
  copy.details.transaction_id = now_.transaction;
  copy.details.creation_time = now_.time;
  now_.devices[id] = std::move(copy);
}

void ThinHistory::Delete() {
  const std::uint64_t id = AnyDevice();
  LAMINA_CHECK(metadata_->Delete(Op(), ThinId{id}).ok());
  now_.devices.erase(id);
}

bool ThinHistory::Provision(std::uint64_t id, std::uint64_t virtual_block) {
  Device& device = now_.devices.at(id);
  const auto known = device.mappings.find(virtual_block);
  const Result<std::optional<ThinMapping>> found =
      metadata_->Lookup(Op(), ThinId{id}, virtual_block);
  LAMINA_CHECK(found.ok());
  LAMINA_CHECK(found->has_value() == (known != device.mappings.end()));
  if (found->has_value()) {
    LAMINA_CHECK(**found == known->second);
    if (!LooksShared(device.details, known->second)) return true;  // written in place
  }
  Result<std::uint64_t> block = metadata_->AllocateDataBlock(Op());
  if (!block.ok() && block.error() == Errno::kNoSpc) {
    Commit();
    block = metadata_->AllocateDataBlock(Op());
    if (!block.ok() && block.error() == Errno::kNoSpc) return false;
  }
  LAMINA_CHECK(block.ok());
  LAMINA_CHECK(metadata_->Insert(Op(), ThinId{id}, virtual_block, *block).ok());
  if (!found->has_value()) ++device.details.mapped_blocks;
  device.mappings[virtual_block] = {*block, now_.time};
  return true;
}

void ThinHistory::Write() {
  const std::uint64_t id = AnyDevice();
  const std::uint64_t most = random_.Below(8) == 0 ? 300 : 12;
  const std::uint64_t first = random_.Below(kVirtualBlocks);
  const std::uint64_t stride = 1 + random_.Below(2);
  const std::uint64_t count = 1 + random_.Below(most);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!Provision(id, first + i * stride)) return;
  }
}

void ThinHistory::Discard() {
  const std::uint64_t id = AnyDevice();
  Device& device = now_.devices.at(id);
  const std::uint64_t begin = random_.Below(kVirtualBlocks);
  const std::uint64_t end = begin + 1 + random_.Below(60);
  const auto from = device.mappings.lower_bound(begin);
  const auto to = device.mappings.lower_bound(end);
  const auto gone = static_cast<std::uint64_t>(std::distance(from, to));
  std::uint64_t seen = 0;
  const Result<std::uint64_t> removed =
      metadata_->Remove(Op(), ThinId{id}, begin, end, [&](const ThinUnmapped& unmapped) {
        LAMINA_CHECK(device.mappings.at(unmapped.virtual_block).data_block == unmapped.data_block);
        ++seen;
      });
  LAMINA_CHECK(removed.ok());
  LAMINA_CHECK(*removed == gone);
  LAMINA_CHECK(seen == gone);
  device.mappings.erase(from, to);
  device.details.mapped_blocks -= gone;
}

void ThinHistory::Hold() {
  if (metadata_->held_root()) {
    LAMINA_CHECK(metadata_->ReleaseMetadataSnapshot(Op()).ok());
    return;
  }
  LAMINA_CHECK(metadata_->ReserveMetadataSnapshot(Op()).ok());
  Commit();
}

void ThinHistory::NextTransaction() {
  LAMINA_CHECK(metadata_->SetTransactionId(Op(), now_.transaction, now_.transaction + 1).ok());
  ++now_.transaction;
}

void ThinHistory::Commit() {
  LAMINA_CHECK(metadata_->Commit(Op()).ok());
  committed_ = now_;
}

void ThinHistory::Crash() {
  metadata_.reset();
  Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(Op(), disk_);
  LAMINA_CHECK(opened.ok());
  metadata_ = std::move(*opened);
  now_ = committed_;
}

ThinDump ThinHistory::ModelDump() const {
  ThinDump dump;
  dump.time = now_.time;
  dump.transaction = now_.transaction;
  dump.data_block_size = metadata_->block_sectors();
  dump.nr_data_blocks = metadata_->nr_data_blocks();
  for (const auto& [id, device] : now_.devices) {
    ThinDumpDevice one{id,
                       device.details.mapped_blocks,
                       device.details.transaction_id,
                       device.details.creation_time,
                       device.details.snapshotted_time,
                       {}};
    for (const auto& [block, mapping] : device.mappings) {
      one.runs.push_back({block, mapping.data_block, 1, mapping.time});
    }
    dump.devices.push_back(std::move(one));
  }
  return CanonicalThinDump(dump);
}

}  // namespace lamina
