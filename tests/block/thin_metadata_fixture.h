// What tests of thin metadata share: metadata on a memory disk, formatted for a small pool.
#ifndef LAMINA_TESTS_BLOCK_THIN_METADATA_FIXTURE_H_
#define LAMINA_TESTS_BLOCK_THIN_METADATA_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lamina/base/check.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_check.h"
#include "lamina/block/thin_metadata.h"
#include "tests/block/device_fixture.h"

namespace lamina {

inline constexpr std::uint64_t kSmallMetadataBlocks = 512;

inline OpContext MetadataOp() {
  static const Caller caller;
  return caller.Op();
}

// The findings of a check, one a line; "" when there is none.
inline std::string FindingsOf(BlockDevice& device) {
  const Result<std::vector<ThinFinding>> findings = CheckThinMetadata(MetadataOp(), device);
  if (!findings.ok()) return "cannot be read\n";
  std::string text;
  for (const ThinFinding& finding : *findings) text += finding.what + "\n";
  return text;
}

// Those that mean damage.
inline std::string DamageOf(BlockDevice& device) {
  const Result<std::vector<ThinFinding>> findings = CheckThinMetadata(MetadataOp(), device);
  if (!findings.ok()) return "cannot be read\n";
  std::string text;
  for (const ThinFinding& finding : *findings) {
    if (finding.kind == ThinFindingKind::kDamage) text += finding.what + "\n";
  }
  return text;
}

class MetadataRig {
 public:
  explicit MetadataRig(std::uint64_t data_blocks = 1024,
                       std::uint64_t metadata_blocks = kSmallMetadataBlocks)
      : disk(metadata_blocks * 8) {
    Result<std::unique_ptr<ThinMetadata>> made =
        ThinMetadata::Format(MetadataOp(), disk, 128, data_blocks);
    LAMINA_CHECK(made.ok());
    metadata = std::move(*made);
  }

  ThinMetadata* operator->() { return metadata.get(); }
  ThinMetadata& operator*() { return *metadata; }

  // Forgets what is not committed.
  void Reopen() {
    metadata.reset();
    Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(MetadataOp(), disk);
    LAMINA_CHECK(opened.ok());
    metadata = std::move(*opened);
  }

  // Maps count virtual blocks from `first` on to blocks it allocates.
  void Provision(std::uint64_t device, std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const Result<std::uint64_t> block = metadata->AllocateDataBlock(MetadataOp());
      ASSERT_TRUE(block.ok());
      ASSERT_TRUE(metadata->Insert(MetadataOp(), ThinId{device}, first + i, *block).ok());
    }
  }

  void CreateThin(std::uint64_t device) {
    ASSERT_TRUE(metadata->CreateThin(MetadataOp(), ThinId{device}).ok());
  }
  void CreateSnapshot(std::uint64_t device, std::uint64_t origin) {
    ASSERT_TRUE(metadata->CreateSnapshot(MetadataOp(), ThinId{device}, ThinId{origin}).ok());
  }
  void Commit() { ASSERT_TRUE(metadata->Commit(MetadataOp()).ok()); }

  // "block,time", or "-" when it is not mapped.
  std::string MappingOf(std::uint64_t device, std::uint64_t virtual_block) {
    const auto found = metadata->Lookup(MetadataOp(), ThinId{device}, virtual_block);
    if (!found.ok()) return "error";
    if (!found->has_value()) return "-";
    return std::to_string((*found)->data_block) + "," + std::to_string((*found)->time);
  }

  // Reference counts of data blocks 0..count-1.
  std::vector<std::uint64_t> Counts(std::uint64_t count) {
    std::vector<std::uint64_t> counts;
    for (std::uint64_t block = 0; block < count; ++block) {
      const Result<std::uint64_t> one = metadata->DataReferenceCount(MetadataOp(), block);
      counts.push_back(one.ok() ? *one : ~std::uint64_t{0});
    }
    return counts;
  }

  MemDisk disk;
  std::unique_ptr<ThinMetadata> metadata;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_THIN_METADATA_FIXTURE_H_
