// Random changes of a pool's metadata, without looking at what they should do.
#ifndef LAMINA_TESTS_BLOCK_THIN_CHANGES_H_
#define LAMINA_TESTS_BLOCK_THIN_CHANGES_H_

#include <gtest/gtest.h>

#include <cstdint>

#include "lamina/block/thin_metadata.h"
#include "tests/block/thin_metadata_fixture.h"
#include "tests/store/split_mix.h"

namespace lamina {

// Maps `count` virtual blocks; stops when no data block is left. Nothing when there is no device.
inline void ProvisionIfThere(ThinMetadata& pool, ThinId id, std::uint64_t from,
                             std::uint64_t count) {
  if (!*pool.Exists(MetadataOp(), id)) return;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Result<std::uint64_t> block = pool.AllocateDataBlock(MetadataOp());
    if (!block.ok()) return;
    ASSERT_TRUE(pool.Insert(MetadataOp(), id, from + i, *block).ok());
  }
}

// One change of a pool of few devices. `most`: of mappings at once.
inline void ChangeOnce(ThinMetadata& pool, SplitMix64& draw, std::uint64_t most) {
  constexpr std::uint64_t kIds = 5;
  const OpContext op = MetadataOp();
  const ThinId id{draw.Below(kIds)};
  const std::uint64_t from = draw.Below(1000);
  switch (draw.Below(6)) {
    case 0:
      (void)pool.CreateThin(op, id);
      break;
    case 1:
      (void)pool.CreateSnapshot(op, ThinId{draw.Below(kIds)}, id);
      break;
    case 2:
      (void)pool.Remove(op, id, from, from + draw.Below(2 * most), [](const ThinUnmapped&) {});
      break;
    case 3:
      if (draw.Below(4) == 0) (void)pool.Delete(op, id);
      break;
    default:
      ProvisionIfThere(pool, id, from, draw.Below(most));
  }
}

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_THIN_CHANGES_H_
