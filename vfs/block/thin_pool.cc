// Table loads, suspend, resume, growth, activation.
#include "lamina/block/thin_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"
#include "lamina/block/device_claims.h"
#include "lamina/block/thin_device.h"
#include "vfs/block/thin_pieces.h"

namespace lamina {
namespace {

TableError Refused(Errno error, std::string message) { return {error, std::move(message)}; }

ThinPoolMode ModeOf(const ThinPoolTable& table) {
  return table.features.read_only ? ThinPoolMode::kReadOnly : ThinPoolMode::kWrite;
}

std::uint64_t DataBlocksOf(const ThinPoolTable& table) {
  return table.length_sectors / table.block_sectors;
}

}  // namespace

ThinPool::ThinPool(ThinPoolTable table, BlockDevice& metadata, BlockDevice& data,
                   const ThinPoolSettings& settings)
    : table_(std::move(table)), settings_(settings), metadata_device_(&metadata), data_(&data) {}

ThinPool::~ThinPool() {
  LAMINA_CHECK(active_.empty());  // thin devices end before their pool
  if (settings_.claims != nullptr) settings_.claims->Release(*metadata_device_);
}

std::optional<TableError> ThinPool::CheckLoad(const ThinPoolTable& table,
                                              const BlockDevice& metadata,
                                              const BlockDevice& data) const {
  if (std::optional<TableError> bad = CheckThinPoolTable(table); bad.has_value()) return bad;
  if (&metadata == &data) return Refused(Errno::kInval, "metadata and data are the same device");
  if (table.length_sectors > data.size_sectors()) {
    return Refused(Errno::kInval, absl::StrFormat("the pool has %d sectors, its data device %d",
                                                  table.length_sectors, data.size_sectors()));
  }
  return std::nullopt;
}

std::optional<TableError> ThinPool::OpenMetadata(const OpContext& op) {
  const Result<bool> unformatted = ThinMetadata::IsUnformatted(op, *metadata_device_);
  if (!unformatted.ok()) return Refused(unformatted.error(), "the metadata cannot be read");
  if (*unformatted && table_.features.read_only) {
    return Refused(Errno::kPerm, "a read_only pool does not format its metadata");
  }
  Result<std::unique_ptr<ThinMetadata>> metadata =
      *unformatted
          ? ThinMetadata::Format(op, *metadata_device_, table_.block_sectors, DataBlocksOf(table_))
          : ThinMetadata::Open(op, *metadata_device_);
  if (!metadata.ok()) {
    return Refused(metadata.error(), *unformatted ? "the metadata cannot be formatted"
                                                  : "the metadata has no valid superblock");
  }
  metadata_ = *std::move(metadata);
  if (metadata_->block_sectors() != table_.block_sectors) {
    return Refused(Errno::kInval,
                   absl::StrFormat("the block size is %d sectors in the table, %d in the metadata",
                                   table_.block_sectors, metadata_->block_sectors()));
  }
  metadata_->SetCommitHook([this](const OpContext& at) { return data_->Flush(at); });
  return std::nullopt;
}

TableResult<std::unique_ptr<ThinPool>> ThinPool::Create(const OpContext& op,
                                                        const ThinPoolTable& table,
                                                        BlockDevice& metadata, BlockDevice& data,
                                                        const ThinPoolSettings& settings) {
  ThinPoolSettings unclaimed = settings;
  unclaimed.claims = nullptr;  // until it is claimed: the end of a pool releases
  std::unique_ptr<ThinPool> pool(new ThinPool(table, metadata, data, unclaimed));
  if (std::optional<TableError> bad = pool->CheckLoad(table, metadata, data); bad) return *bad;
  if (settings.claims != nullptr) {
    if (!settings.claims->Claim(metadata).ok()) {
      return Refused(Errno::kBusy, "the metadata device is in use by another pool");
    }
    pool->settings_.claims = settings.claims;
  }
  if (std::optional<TableError> bad = pool->OpenMetadata(op); bad) return *bad;
  pool->loaded_ = table;
  if (Result<void> resumed = pool->Resume(op); !resumed.ok()) {
    return Refused(resumed.error(),
                   resumed.error() == Errno::kInval
                       ? absl::StrFormat("the pool has %d blocks in the table, %d in the metadata",
                                         DataBlocksOf(table), pool->metadata_->nr_data_blocks())
                       : std::string("the pool cannot be resumed"));
  }
  return pool;
}

std::optional<TableError> ThinPool::Reload(const OpContext& /*op*/, const ThinPoolTable& table,
                                           BlockDevice& metadata, BlockDevice& data) {
  if (std::optional<TableError> bad = CheckLoad(table, metadata, data); bad) return bad;
  if (&metadata != metadata_device_ || &data != data_) {
    return Refused(Errno::kInval, "another pool cannot replace this one");
  }
  if (table.block_sectors != metadata_->block_sectors()) {
    return Refused(Errno::kInval,
                   absl::StrFormat("the block size is %d sectors in the table, %d in the metadata",
                                   table.block_sectors, metadata_->block_sectors()));
  }
  if (table.features.ignore_discard != table_.features.ignore_discard) {
    return Refused(Errno::kInval, "ignore_discard of a live pool cannot change");
  }
  loaded_ = table;
  return std::nullopt;
}

Result<void> ThinPool::Suspend(const OpContext& op) {
  if (suspended_) return {};
  suspended_ = true;  // what waits does so until the resume, even if there is space now
  // dm-thin: pool_postsuspend commits and looks at no error; a failure shows in the mode.
  if (mode_ < ThinPoolMode::kOutOfMetadataSpace) (void)CommitNow(op);
  no_space_deadline_.reset();
  first_change_.reset();
  return {};
}

void ThinPool::Bind(const OpContext& op) {
  if (loaded_.has_value()) {
    table_ = *std::exchange(loaded_, std::nullopt);
    table_mode_ = ModeOf(table_);
  }
  const ThinPoolFeatures& features = table_.features;
  passdown_ = !features.ignore_discard && !features.no_discard_passdown &&
              data_->max_discard_sectors() >= table_.block_sectors;
  error_if_no_space_ = features.error_if_no_space;
  SetMode(op, table_mode_);
}

Result<void> ThinPool::GrowData(const OpContext& op) {
  const std::uint64_t before = metadata_->nr_data_blocks();
  const std::uint64_t wanted = DataBlocksOf(table_);
  if (wanted < before) return Errno::kInval;
  if (wanted == before) return {};
  if (metadata_->needs_check() || mode_ >= ThinPoolMode::kOutOfMetadataSpace) {
    Log(absl::StrFormat("the data device stays at %d blocks: the pool is %s", before,
                        metadata_->needs_check() ? "to be checked" : "read-only"));
    return {};
  }
  Result<void> grown = metadata_->ResizeData(op, wanted);
  if (grown.ok() || grown.error() == Errno::kInval) return grown;
  MetadataFailed(op);
  return Errno::kIo;
}

Result<void> ThinPool::GrowMetadata(const OpContext& op) {
  const std::uint64_t before = metadata_->metadata_blocks().total;
  const std::uint64_t wanted =
      std::min(metadata_device_->size_sectors() * kSectorBytes / kThinMetadataBlockBytes,
               kMaxThinMetadataBlocks);
  if (wanted < before) return Errno::kInval;
  if (wanted == before) return {};
  if (metadata_->needs_check() || mode_ >= ThinPoolMode::kReadOnly) {
    Log(absl::StrFormat("the metadata device stays at %d blocks: the pool is %s", before,
                        metadata_->needs_check() ? "to be checked" : "read-only"));
    return {};
  }
  if (mode_ == ThinPoolMode::kOutOfMetadataSpace) SetMode(op, ThinPoolMode::kWrite);
  Result<void> grown = metadata_->ResizeMetadata(op);
  if (grown.ok() || grown.error() == Errno::kInval) return grown;
  MetadataFailed(op);
  return Errno::kIo;
}

Result<void> ThinPool::Grow(const OpContext& op) {
  if (mode_ == ThinPoolMode::kFail) return {};
  if (Result<void> data = GrowData(op); !data.ok()) return data;
  if (Result<void> metadata = GrowMetadata(op); !metadata.ok()) return metadata;
  // dm-thin: pool_preresume commits what grew; a failure shows in the mode.
  if (metadata_->AnyChange() && mode_ < ThinPoolMode::kOutOfMetadataSpace) (void)CommitNow(op);
  return {};
}

Result<void> ThinPool::Resume(const OpContext& op) {
  if (!suspended_ && !loaded_.has_value()) return {};
  if (!suspended_) (void)Suspend(op);
  Bind(op);
  if (Result<void> grown = Grow(op); !grown.ok()) {
    no_space_deadline_.reset();  // still suspended
    if (mode_ != ThinPoolMode::kFail) return grown;
  }
  suspended_ = false;
  low_water_told_ = false;
  Tell(op, ThinPoolEventKind::kResumed);
  RetryWaiting(op);
  return {};
}

Result<void> ThinPool::Close(const OpContext& op) {
  if (!active_.empty()) return Errno::kBusy;
  if (mode_ >= ThinPoolMode::kOutOfMetadataSpace) return {};
  return CommitNow(op);
}

Result<std::unique_ptr<ThinDevice>> ThinPool::Activate(const OpContext& op, ThinId id,
                                                       std::uint64_t size_sectors,
                                                       BlockDevice* external_origin) {
  return Activate(
      op,
      ThinTable{.length_sectors = size_sectors,
                .pool_device = settings_.name,
                .id = id,
                .external_origin = external_origin != nullptr ? "origin" : std::string()},
      external_origin);
}

Result<std::unique_ptr<ThinDevice>> ThinPool::Activate(const OpContext& op, const ThinTable& table,
                                                       BlockDevice* external_origin) {
  if (table.length_sectors == 0 || table.id.value > kMaxThinId) return Errno::kInval;
  if (suspended_ || mode_ == ThinPoolMode::kFail) return Errno::kInval;
  if (!table.external_origin.empty() && external_origin == nullptr) return Errno::kInval;
  const Result<ThinDetails> details = metadata_->Details(op, table.id);
  if (!details.ok()) return details.error() == Errno::kNoData ? Errno::kNoData : Errno::kIo;
  if (std::uint32_t& opened = active_[table.id]; ++opened == 1) metadata_->ForgetAborted(table.id);
  return std::unique_ptr<ThinDevice>(new ThinDevice(*this, table, external_origin));
}

void ThinPool::Forget(ThinDevice& device) {
  const auto gone = [&device](const std::unique_ptr<internal::WaitingWrite>& waiting) {
    if (waiting->device != &device) return false;
    waiting->End(Errno::kIo);
    return true;
  };
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), gone), waiting_.end());
  const auto opened = active_.find(device.id());
  if (--opened->second == 0) active_.erase(opened);
}

std::uint64_t ThinMetadataGuideBytes(std::uint64_t data_bytes, std::uint64_t block_bytes) {
  if (block_bytes == 0) return 0;
  constexpr std::uint64_t kBytesPerBlock = 48;
  constexpr std::uint64_t kLeast = std::uint64_t{2} << 20;
  constexpr std::uint64_t kMost = kMaxThinMetadataBlocks * kThinMetadataBlockBytes;
  const std::uint64_t blocks = data_bytes / block_bytes;
  if (blocks > kMost / kBytesPerBlock) return kMost;
  // Where the product would pass 2^64 a block is so large that the least is the answer.
  const std::uint64_t rest = data_bytes % block_bytes;
  const bool fits = rest <= ~std::uint64_t{0} / kBytesPerBlock;
  const std::uint64_t of_rest = fits ? kBytesPerBlock * rest / block_bytes : 0;
  return std::clamp(kBytesPerBlock * blocks + of_rest, kLeast, kMost);
}

}  // namespace lamina
