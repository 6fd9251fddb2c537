// A thin pool on two memory disks, spoken to in pages of 4 KiB, as devicemapper.md section 18 does.
//
//   ThinRig rig({.blocks = 8});
//   rig.Create(0);
//   rig.Write(0, 15, 2, 7);                       pages 15 and 16 of device 0, filled with 7s
//   EXPECT_EQ(rig.Mappings(0), "0>0@0 1>1@0");    virtual block > data block @ time
#ifndef LAMINA_TESTS_BLOCK_THIN_RIG_H_
#define LAMINA_TESTS_BLOCK_THIN_RIG_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/block/forwarding_device.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_device.h"
#include "lamina/block/thin_pool.h"

namespace lamina {

inline constexpr std::uint64_t kPageSectors = 8;
inline constexpr std::uint64_t kPageSize = kPageSectors * kSectorBytes;

// A device that fails when it is told to, and counts.
class TroubledDevice final : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;

  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override {
    ++reads;
    if (fail_reads) return Errno::kIo;
    return target().Read(op, first, into);
  }
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override {
    ++writes;
    if (fail_writes > 0) {
      --fail_writes;
      return Errno::kIo;
    }
    return target().Write(op, first, from);
  }
  // What does not fail may share the bytes.
  Result<void> CopySectors(const OpContext& op, SectorRange from, Sector to) override {
    if (fail_reads || fail_writes > 0) return ForwardingDevice::CopySectors(op, from, to);
    ++reads;
    ++writes;
    return target().CopySectors(op, from, to);
  }
  Result<void> WriteZeros(const OpContext& op, SectorRange range) override {
    if (fail_writes > 0) return ForwardingDevice::WriteZeros(op, range);
    ++writes;
    return target().WriteZeros(op, range);
  }
  Result<void> Flush(const OpContext& op) override {
    ++flushes;
    if (fail_flushes) return Errno::kIo;
    return target().Flush(op);
  }
  Result<void> Discard(const OpContext& op, SectorRange range) override {
    discards.push_back(range);
    if (fail_discards) return Errno::kIo;
    return target().Discard(op, range);
  }
  std::uint64_t max_discard_sectors() const override { return longest_discard; }

  int reads = 0;
  int writes = 0;
  int flushes = 0;
  std::vector<SectorRange> discards;
  bool fail_reads = false;
  bool fail_flushes = false;
  int fail_writes = 0;  // the next so many
  bool fail_discards = false;
  std::uint64_t longest_discard = ~std::uint64_t{0};
};

class ThinRig {
 public:
  struct Shape {
    std::uint64_t blocks = 1024;
    std::string features = {};  // "1 error_if_no_space"
    std::uint64_t low_water = 0;
    std::uint64_t block_sectors = 128;
    std::uint64_t metadata_blocks = 1024;
    std::uint64_t device_blocks = 4096;  // the thin devices' length
    std::uint64_t data_blocks = 0;       // of the data disk; 0: as the pool
    EventSink* sink = nullptr;
  };

  ThinRig() : ThinRig(Shape{}) {}
  explicit ThinRig(Shape shape)
      : shape_(shape),
        metadata_disk_(shape.metadata_blocks * 8),
        data_disk_((shape.data_blocks != 0 ? shape.data_blocks : shape.blocks) *
                   shape.block_sectors),
        metadata(metadata_disk_),
        data(data_disk_) {
    Open();
  }

  OpContext Op() const { return {credentials_, now_, Probe(shape_.sink)}; }
  Instant now() const { return now_; }
  const Shape& shape() const { return shape_; }
  ThinPool& pool() { return *pool_; }
  MemDisk& data_disk() { return data_disk_; }
  MemDisk& metadata_disk() { return metadata_disk_; }

  ThinPoolTable Table(std::uint64_t blocks, const std::string& features) const {
    const TableResult<ThinPoolTable> table = ParseThinPoolTable(
        absl::StrFormat("0 %d thin-pool meta data %d %d %s", blocks * shape_.block_sectors,
                        shape_.block_sectors, shape_.low_water, features));
    EXPECT_TRUE(table.ok()) << table.message();
    return *table;
  }
  // Opens the pool; the errno when that fails.
  std::optional<TableError> TryOpen() {
    TableResult<std::unique_ptr<ThinPool>> pool =
        ThinPool::Create(Op(), Table(shape_.blocks, shape_.features), metadata, data);
    if (!pool.ok()) return pool.failure();
    pool_ = *std::move(pool);
    return std::nullopt;
  }
  void Open() {
    const std::optional<TableError> failed = TryOpen();
    ASSERT_FALSE(failed.has_value()) << failed->message;
  }
  // Nothing is committed: what is not on the disks is lost.
  void Crash() {
    Drop();
    Open();
  }
  void Drop() {
    devices_.clear();
    pool_.reset();
  }
  // Closes and opens again.
  void Reopen() { Reopen(shape_.features); }
  void Reopen(const std::string& features) {
    devices_.clear();
    ASSERT_TRUE(pool_->Close(Op()).ok());
    pool_.reset();
    shape_.features = features;
    Open();
  }
  std::optional<TableError> Reload(std::uint64_t blocks, const std::string& features) {
    shape_.blocks = blocks;
    shape_.features = features;
    return pool_->Reload(Op(), Table(blocks, features), metadata, data);
  }
  Result<void> ReloadAndResume(std::uint64_t blocks, const std::string& features) {
    const std::optional<TableError> refused = Reload(blocks, features);
    if (refused.has_value()) return refused->error;
    return pool_->Resume(Op());
  }

  Result<void> Message(const std::string& text) { return pool_->Message(Op(), text); }
  void Create(std::uint64_t id) {
    ASSERT_TRUE(Message(absl::StrFormat("create_thin %d", id)).ok());
  }
  void Snap(std::uint64_t id, std::uint64_t origin) {
    ASSERT_TRUE(Message(absl::StrFormat("create_snap %d %d", id, origin)).ok());
  }
  Result<void> Delete(std::uint64_t id) {
    devices_.erase(id);
    return Message(absl::StrFormat("delete %d", id));
  }
  void Commit() { ASSERT_TRUE(pool_->Commit(Op()).ok()); }
  // Lets time pass, and what is due happen.
  void Advance(std::int64_t seconds) {
    now_.virtual_ns += seconds * kNanosecondsPerSecond;
    ASSERT_TRUE(pool_->RunUntil(Op(), now_).ok());
  }

  // The device, activated at its first use.
  ThinDevice& Device(std::uint64_t id) { return Device(id, shape_.device_blocks, nullptr); }
  ThinDevice& Device(std::uint64_t id, std::uint64_t blocks, BlockDevice* origin) {
    std::unique_ptr<ThinDevice>& device = devices_[id];
    if (device == nullptr) {
      Result<std::unique_ptr<ThinDevice>> active =
          pool_->Activate(Op(), ThinId{id}, blocks * shape_.block_sectors, origin);
      EXPECT_TRUE(active.ok());
      device = *std::move(active);
    }
    return *device;
  }
  void Deactivate(std::uint64_t id) { devices_.erase(id); }

  Result<void> Write(std::uint64_t id, std::uint64_t page, std::uint64_t pages, int fill) {
    return Device(id).Write(Op(), Sector{page * kPageSectors}, Pages(pages, fill));
  }
  WriteTicket Submit(std::uint64_t id, std::uint64_t page, std::uint64_t pages, int fill) {
    return Device(id).Submit(Op(), Sector{page * kPageSectors}, Pages(pages, fill));
  }
  Result<void> Discard(std::uint64_t id, std::uint64_t page, std::uint64_t pages) {
    return Device(id).Discard(Op(), {Sector{page * kPageSectors}, pages * kPageSectors});
  }
  Result<void> Flush(std::uint64_t id) { return Device(id).Flush(Op()); }
  // The fill of each page; -1 for one that is not uniform, empty when the read fails.
  std::vector<int> Read(std::uint64_t id, std::uint64_t page, std::uint64_t pages) {
    std::vector<std::byte> bytes(pages * kPageSize);
    if (!Device(id).Read(Op(), Sector{page * kPageSectors}, bytes).ok()) return {};
    std::vector<int> fills;
    for (std::uint64_t i = 0; i < pages; ++i) {
      const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(i * kPageSize);
      const std::vector<std::byte> one(at, at + kPageSize);
      const int fill = static_cast<int>(one[0]);
      fills.push_back(one == Pages(1, fill) ? fill : -1);
    }
    return fills;
  }

  // Data blocks in use after a commit.
  std::uint64_t Used() {
    EXPECT_TRUE(pool_->Commit(Op()).ok());
    return pool_->metadata().data_blocks().allocated;
  }
  std::string Mappings(std::uint64_t id) {
    std::string text;
    EXPECT_TRUE(pool_->metadata()
                    .ForEachMapping(Op(), ThinId{id}, 0,
                                    [&text](std::uint64_t block, const ThinMapping& mapping) {
                                      text +=
                                          absl::StrFormat("%s%d>%d@%d", text.empty() ? "" : " ",
                                                          block, mapping.data_block, mapping.time);
                                      return true;
                                    })
                    .ok());
    return text;
  }
  // The true reference counts of the data blocks from `first` on.
  std::vector<std::uint64_t> Counts(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> counts;
    for (std::uint64_t block = first; block < first + count; ++block) {
      const Result<std::uint64_t> one = pool_->metadata().DataReferenceCount(Op(), block);
      EXPECT_TRUE(one.ok());
      counts.push_back(one.ok() ? *one : 99);
    }
    return counts;
  }
  ThinDetails Details(std::uint64_t id) {
    const Result<ThinDetails> details = pool_->metadata().Details(Op(), ThinId{id});
    EXPECT_TRUE(details.ok());
    return details.ok() ? *details : ThinDetails{};
  }
  std::string ThinStatus(std::uint64_t id) { return Device(id).Status(Op()); }
  std::string PoolStatus() { return pool_->Status(Op()); }

  static std::vector<std::byte> Pages(std::uint64_t pages, int fill) {
    return std::vector<std::byte>(pages * kPageSize, static_cast<std::byte>(fill));
  }

 private:
  Shape shape_;
  MemDisk metadata_disk_;
  MemDisk data_disk_;

 public:
  TroubledDevice metadata;
  TroubledDevice data;

 private:
  Credentials credentials_;
  Instant now_ = kSimulationStart;
  std::unique_ptr<ThinPool> pool_;
  std::map<std::uint64_t, std::unique_ptr<ThinDevice>> devices_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_THIN_RIG_H_
