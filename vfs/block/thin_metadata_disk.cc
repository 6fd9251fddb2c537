#include "lamina/block/thin_metadata_disk.h"

#include <algorithm>

namespace lamina {
namespace {

constexpr std::uint64_t kMappingsPerLeaf = 252;  // devicemapper.md §17
constexpr std::uint64_t kCountsPerBitmap = 16320;
constexpr std::uint64_t kGuideBytesPerDataBlock = 48;  // §12
constexpr std::uint64_t kLeastGuideBlocks = 512;       // 2 MiB
constexpr std::uint64_t kTooManyBlocks = kMaxThinMetadataBlocks + 1;

std::uint64_t GuideBlocks(const ThinDump& dump) {
  constexpr std::uint64_t kPerBlock = kThinMetadataBlockBytes / kGuideBytesPerDataBlock;
  return std::max(kLeastGuideBlocks, dump.nr_data_blocks / kPerBlock);
}

}  // namespace

std::uint64_t LeastThinMetadataBlocks(const ThinDump& dump) {
  std::uint64_t blocks = dump.nr_data_blocks / kCountsPerBitmap;
  for (const ThinDumpDevice& device : dump.devices) {
    if (blocks >= kTooManyBlocks) break;
    blocks += 1 + device.mapped_blocks / kMappingsPerLeaf;
  }
  return std::min(blocks, kTooManyBlocks);
}

Result<std::unique_ptr<MemDisk>> MakeThinMetadataDisk(const OpContext& op, const ThinDump& dump) {
  const std::uint64_t least = LeastThinMetadataBlocks(dump);
  if (least == kTooManyBlocks) return Errno::kNoSpc;
  std::uint64_t blocks = std::min(GuideBlocks(dump) + 2 * least, kMaxThinMetadataBlocks);
  for (;;) {
    auto disk = std::make_unique<MemDisk>(MemDisk::SectorsOf(blocks * kThinMetadataBlockBytes));
    const Result<void> restored = RestoreThinMetadata(op, dump, *disk);
    if (restored.ok()) return disk;
    if (restored.error() != Errno::kNoSpc || blocks == kMaxThinMetadataBlocks) {
      return restored.error();
    }
    blocks = std::min(2 * blocks, kMaxThinMetadataBlocks);
  }
}

}  // namespace lamina
