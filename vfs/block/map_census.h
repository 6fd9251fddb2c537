// MapCensus: a space map as the superblock names it, compared with what was counted.
//
// Threads: one caller at a time. Lifetime: owns neither the census nor the findings.
#ifndef LAMINA_VFS_BLOCK_MAP_CENSUS_H_
#define LAMINA_VFS_BLOCK_MAP_CENSUS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "vfs/block/space_map.h"
#include "vfs/block/thin_census.h"

namespace lamina::internal {

class MapCensus {
 public:
  // `name` stands in findings: "data" or "metadata".
  MapCensus(TreeCensus& trees, ThinFindings& findings, const char* name)
      : trees_(&trees), findings_(&findings), name_(name) {}

  // Names the map's own blocks in the census. False: they are damaged.
  bool Gather(const SpaceMapRoot& root, IndexForm form);
  // After Gather. `references`: what the counts should be.
  void Compare(const ReferenceCounts& references);

 private:
  using Expected = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

  bool GatherIndexBlock();
  bool GatherIndexTree();
  bool GatherCounts();
  // Names a bitmap. False: it is damaged.
  bool AddBitmap(const IndexEntry& entry);
  // Compares the counts of bitmap `index`, from `at` on in what is expected.
  void CompareBitmap(std::uint64_t index, const BlockBytes& bitmap, Expected::const_iterator& at,
                     Expected::const_iterator end);
  void CompareCount(std::uint64_t block, std::uint32_t stored, std::uint64_t expected);
  // A leak: something counts as used that is free.
  void Report(bool is_leak, std::string what);
  void CompareEntry(std::uint64_t index, const BlockBytes& bitmap);
  void CompareTotal();

  TreeCensus* trees_;
  ThinFindings* findings_;
  const char* name_;
  SpaceMapRoot root_;
  IndexForm form_ = IndexForm::kTree;
  std::vector<IndexEntry> entries_;
  absl::flat_hash_set<BlockNumber> bitmaps_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> large_counts_;
  std::uint64_t allocated_ = 0;
  std::vector<std::string> one_too_many_;  // entries that count one block more than is named
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_MAP_CENSUS_H_
