// Status lines (section 11), and what the pool tells about its blocks.
#include "lamina/block/thin_report.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "lamina/block/thin_pool.h"
#include "vfs/block/thin_pieces.h"

namespace lamina {
namespace {

using UserVisitor = std::function<void(std::uint64_t data_block, const ThinUser&)>;

// Every mapping of every device, by device, virtual block.
Result<void> ForEachUser(const OpContext& op, ThinMetadata& metadata, const UserVisitor& visit) {
  std::vector<ThinId> ids;
  Result<void> listed = metadata.ForEachDevice(op, [&ids](ThinId id, const ThinDetails&) {
    ids.push_back(id);
    return true;
  });
  if (!listed.ok()) return listed;
  for (const ThinId id : ids) {
    Result<void> walked = metadata.ForEachMapping(
        op, id, 0, [&](std::uint64_t virtual_block, const ThinMapping& mapping) {
          visit(mapping.data_block, {id, virtual_block, mapping.time});
          return true;
        });
    if (!walked.ok()) return walked;
  }
  return {};
}

std::string_view DiscardWord(const ThinPoolFeatures& features, bool passdown) {
  if (features.ignore_discard) return "ignore_discard";
  return passdown ? "discard_passdown" : "no_discard_passdown";
}

}  // namespace

std::string_view ThinPoolModeWord(ThinPoolMode mode) {
  switch (mode) {
    case ThinPoolMode::kWrite:
      return "rw";
    case ThinPoolMode::kOutOfDataSpace:
      return "out_of_data_space";
    case ThinPoolMode::kOutOfMetadataSpace:
    case ThinPoolMode::kReadOnly:
      return "ro";
    case ThinPoolMode::kFail:
      return "Fail";
  }
  return {};
}

std::string ThinPool::Status(const OpContext& op, StatusFlush flush) {
  // dm-thin: pool_status looks at no error of this commit; it shows in the mode.
  if (flush == StatusFlush::kCommit && !suspended_) (void)Commit(op);
  if (mode_ == ThinPoolMode::kFail) return "Fail";
  const ThinBlockCounts metadata = metadata_->metadata_blocks();
  const ThinBlockCounts data = metadata_->data_blocks();
  const std::uint64_t free_metadata =
      metadata.free() - std::min(metadata.free(), metadata_reserve_blocks());
  const std::optional<std::uint64_t> held = metadata_->held_root();
  return absl::StrFormat("%d %d/%d %d/%d %s %s %s %s %s %d ", metadata_->transaction_id(),
                         metadata.total - free_metadata, metadata.total, data.allocated, data.total,
                         held.has_value() ? absl::StrFormat("%d", *held) : "-",
                         ThinPoolModeWord(mode_), DiscardWord(table_.features, passdown_),
                         error_if_no_space_ ? "error_if_no_space" : "queue_if_no_space",
                         metadata_->needs_check() ? "needs_check" : "-",
                         metadata_low_water_blocks());
}

std::string ThinPool::StatusLine(const OpContext& op, StatusFlush flush) {
  return absl::StrFormat("0 %d thin-pool %s", table_.length_sectors, Status(op, flush));
}

Result<ThinBlockReport> ThinPool::Explain(const OpContext& op, ThinId id,
                                          std::uint64_t virtual_block) {
  const Result<ThinDetails> details = metadata_->Details(op, id);
  if (!details.ok()) return details.error();
  const Result<std::optional<ThinMapping>> found = metadata_->Lookup(op, id, virtual_block);
  if (!found.ok()) return found.error();
  ThinBlockReport report{.device = id,
                         .virtual_block = virtual_block,
                         .mapping = *found,
                         .snapshotted_time = details->snapshotted_time};
  if (!found->has_value()) return report;
  const ThinMapping& mapping = **found;
  report.looks_shared = LooksShared(*details, mapping);
  report.next_write =
      report.looks_shared ? ThinWriteEffect::kBreakSharing : ThinWriteEffect::kInPlace;
  const Result<std::uint64_t> references = metadata_->DataReferenceCount(op, mapping.data_block);
  if (!references.ok()) return references.error();
  report.references = *references;
  Result<void> walked = ForEachUser(op, *metadata_, [&](std::uint64_t block, const ThinUser& user) {
    const bool itself = user.device == id && user.virtual_block == virtual_block;
    if (block == mapping.data_block && !itself) report.others.push_back(user);
  });
  if (!walked.ok()) return walked.error();
  return report;
}

Result<ThinChunkMap> ThinPool::ChunkMap(const OpContext& op) {
  const ThinBlockCounts blocks = metadata_->data_blocks();
  ThinChunkMap map{.total_blocks = blocks.total, .allocated_blocks = blocks.allocated};
  absl::flat_hash_map<std::uint64_t, std::size_t> chunk_of;
  Result<void> walked = ForEachUser(op, *metadata_, [&](std::uint64_t block, const ThinUser& user) {
    const auto [chunk, fresh] = chunk_of.try_emplace(block, map.chunks.size());
    if (fresh) map.chunks.push_back({.data_block = block, .users = {}});
    map.chunks[chunk->second].users.push_back(user);
  });
  if (!walked.ok()) return walked.error();
  std::sort(map.chunks.begin(), map.chunks.end(),
            [](const ThinChunk& a, const ThinChunk& b) { return a.data_block < b.data_block; });
  return map;
}

}  // namespace lamina
