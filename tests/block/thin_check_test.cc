// CheckThinMetadata: silent about what is sound, loud about what is not, and at an end whatever it
// is given. The rest of ThinMetadata meets the same images.
#include "lamina/block/thin_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lamina/block/thin_dump.h"
#include "tests/block/thin_metadata_fixture.h"
#include "tests/store/split_mix.h"
#include "vfs/block/btree_node.h"
#include "vfs/block/metadata_blocks.h"
#include "vfs/block/thin_layout.h"

namespace lamina {
namespace {

using internal::BlockBytes;
using internal::BlockKind;
using internal::BlockNumber;
using internal::Superblock;
using ::testing::HasSubstr;

// A pool with every kind of block: snapshots, a held root, trees of two levels, large counts.
class CheckedPool {
 public:
  CheckedPool() : rig_(3000, 200) {
    rig_.CreateThin(0);
    rig_.Provision(0, 0, 900);
    for (std::uint64_t id = 1; id < 6; ++id) {
      rig_.CreateSnapshot(id, id / 2);
      rig_.Provision(id, id * 100, 3);
    }
    EXPECT_TRUE(rig_->ReserveMetadataSnapshot(MetadataOp()).ok());
    rig_.Provision(2, 1000, 5);
    rig_.Commit();
    rig_.metadata.reset();
  }

  MemDisk& disk() { return rig_.disk; }

  BlockBytes Read(BlockNumber number) {
    BlockBytes block;
    EXPECT_TRUE(internal::ReadBlock(MetadataOp(), disk(), number, block).ok());
    return block;
  }
  void Write(BlockNumber number, const BlockBytes& block) {
    EXPECT_TRUE(internal::WriteBlock(MetadataOp(), disk(), number, block).ok());
  }
  // With a good checksum.
  void WriteSealed(BlockKind kind, BlockNumber number, BlockBytes block) {
    internal::Seal(kind, number, block);
    Write(number, block);
  }
  Superblock superblock() { return *internal::DecodeSuperblock(Read(0), 0); }
  void SetSuperblock(const Superblock& superblock) {
    Write(0, internal::EncodeSuperblock(superblock, 0));
  }

  // What kind of block it is, by its checksum.
  std::optional<BlockKind> KindOf(BlockNumber number) {
    const BlockBytes block = Read(number);
    for (const BlockKind kind :
         {BlockKind::kSuperblock, BlockKind::kNode, BlockKind::kBitmap, BlockKind::kIndex}) {
      if (internal::IsSealed(kind, number, block)) return kind;
    }
    return std::nullopt;
  }

  // The leaf that holds the lowest key of a tree.
  BlockNumber FirstLeaf(BlockNumber root) {
    for (;;) {
      const BlockBytes block = Read(root);
      const internal::BtreeNode node(block);
      if (node.is_leaf()) return root;
      root = node.child(0);
    }
  }
  // The tree of device 0.
  BlockNumber TreeOfDevice0() {
    const BlockBytes block = Read(FirstLeaf(superblock().mapping_root));
    return internal::LoadLe<BlockNumber>(internal::BtreeNode(block).value(0));
  }

 private:
  MetadataRig rig_;
};

TEST(ThinCheck, IsSilentAboutASoundPool) {
  CheckedPool pool;
  EXPECT_EQ(FindingsOf(pool.disk()), "");
}

TEST(ThinCheck, NeedsADeviceOfOneBlock) {
  MemDisk tiny(7);
  EXPECT_EQ(CheckThinMetadata(MetadataOp(), tiny).error(), Errno::kInval);
}

TEST(ThinCheck, FindsAnUnformattedDevice) {
  MemDisk disk(80);
  EXPECT_THAT(DamageOf(disk), HasSubstr("the superblock is not one"));
}

TEST(ThinCheck, FindsAWrongDataCount) {
  CheckedPool pool;
  const BlockNumber index_leaf = pool.FirstLeaf(pool.superblock().data.bitmap_root);
  const BlockBytes leaf = pool.Read(index_leaf);
  const BlockNumber bitmap = internal::LoadIndexEntry(internal::BtreeNode(leaf).value(0)).bitmap;
  BlockBytes counts = pool.Read(bitmap);
  internal::StoreCount(counts, 899, 1);
  pool.WriteSealed(BlockKind::kBitmap, bitmap, counts);
  EXPECT_THAT(DamageOf(pool.disk()), HasSubstr("data block 899: the count is 1,"));
  internal::StoreCount(counts, 2999, 1);
  pool.WriteSealed(BlockKind::kBitmap, bitmap, counts);
  EXPECT_THAT(FindingsOf(pool.disk()), HasSubstr("data block 2999: the count is 1, 0 is right"));
  EXPECT_THAT(DamageOf(pool.disk()), testing::Not(HasSubstr("data block 2999")));
}

TEST(ThinCheck, FindsALeakedMetadataBlock) {
  CheckedPool pool;
  const BlockBytes index = pool.Read(pool.superblock().metadata.bitmap_root);
  const BlockNumber bitmap =
      internal::LoadIndexEntry(index.data() + internal::kIndexHeaderBytes).bitmap;
  BlockBytes counts = pool.Read(bitmap);
  internal::StoreCount(counts, 199, 2);
  pool.WriteSealed(BlockKind::kBitmap, bitmap, counts);
  EXPECT_THAT(FindingsOf(pool.disk()), HasSubstr("metadata block 199: the count is 2, 0 is right"));
}

TEST(ThinCheck, FindsWrongTotals) {
  CheckedPool pool;
  Superblock superblock = pool.superblock();
  superblock.data.nr_allocated -= 1;
  pool.SetSuperblock(superblock);
  EXPECT_THAT(DamageOf(pool.disk()), HasSubstr("the data space map: "));
}

TEST(ThinCheck, FindsAMappingPastTheData) {
  CheckedPool pool;
  const BlockNumber number = pool.FirstLeaf(pool.TreeOfDevice0());
  BlockBytes block = pool.Read(number);
  internal::StoreLe(internal::BtreeNodeEditor(block).mutable_value(3),
                    internal::PackMapping({3000, 0}));
  pool.WriteSealed(BlockKind::kNode, number, block);
  EXPECT_THAT(DamageOf(pool.disk()),
              HasSubstr("is mapped to data block 3000, which does not exist"));
}

TEST(ThinCheck, FindsALoop) {
  CheckedPool pool;
  const BlockNumber root = pool.TreeOfDevice0();
  BlockBytes block = pool.Read(root);
  ASSERT_FALSE(internal::BtreeNode(block).is_leaf());
  internal::BtreeNodeEditor(block).SetChild(1, root);
  pool.WriteSealed(BlockKind::kNode, root, block);
  EXPECT_THAT(DamageOf(pool.disk()), HasSubstr("a loop"));
}

TEST(ThinCheck, FindsABlockInTwoTrees) {
  CheckedPool pool;
  Superblock superblock = pool.superblock();
  superblock.details_root = superblock.mapping_root;
  pool.SetSuperblock(superblock);
  EXPECT_THAT(DamageOf(pool.disk()), HasSubstr("is part of the tree of devices"));
}

TEST(ThinCheck, FindsWrongDetails) {
  CheckedPool pool;
  const BlockNumber number = pool.FirstLeaf(pool.superblock().details_root);
  BlockBytes block = pool.Read(number);
  internal::StoreDetails(internal::BtreeNodeEditor(block).mutable_value(1), {7, 99, 88, 77});
  internal::BtreeNodeEditor(block).SetKey(5, 6);
  pool.WriteSealed(BlockKind::kNode, number, block);
  const std::string findings = FindingsOf(pool.disk());
  EXPECT_THAT(findings, HasSubstr("device 1 maps 900 blocks, its details say 7"));
  EXPECT_THAT(findings, HasSubstr("device 1: its times are after the pool's"));
  EXPECT_THAT(findings, HasSubstr("device 1: its transaction is after the pool's"));
  EXPECT_THAT(findings, HasSubstr("device 6 has no tree of mappings"));
  EXPECT_THAT(findings, HasSubstr("device 5 has mappings but no details"));
}

TEST(ThinCheck, ListsOnlySoManyFindings) {
  CheckedPool pool;
  const BlockNumber index_leaf = pool.FirstLeaf(pool.superblock().data.bitmap_root);
  const BlockBytes leaf = pool.Read(index_leaf);
  const BlockNumber bitmap = internal::LoadIndexEntry(internal::BtreeNode(leaf).value(0)).bitmap;
  pool.WriteSealed(BlockKind::kBitmap, bitmap, BlockBytes{});
  const auto findings = CheckThinMetadata(MetadataOp(), pool.disk());
  ASSERT_TRUE(findings.ok());
  EXPECT_EQ(findings->size(), kMaxThinFindings);
  EXPECT_THAT(findings->back().what, HasSubstr("more findings"));
}

// Everything that ThinMetadata can do, to an image that may say anything: each call comes to an end
// with an answer or an error.
void UseAll(MemDisk& disk, SplitMix64& draw) {
  const OpContext op = MetadataOp();
  Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(op, disk);
  if (!opened.ok()) return;
  ThinMetadata& pool = **opened;
  (void)ReadThinDump(op, pool);
  const auto ignore = [](const ThinUnmapped&) {};
  for (int step = 0; step < 12; ++step) {
    const ThinId id{draw.Below(7)};
    const std::uint64_t at = draw.Below(1100);
    switch (draw.Below(10)) {
      case 0:
        (void)pool.CreateSnapshot(op, ThinId{draw.Below(9)}, id);
        break;
      case 1:
        (void)pool.Delete(op, id);
        break;
      case 2:
      case 3:
        for (std::uint64_t i = 0; i < 40; ++i) {
          const Result<std::uint64_t> block = pool.AllocateDataBlock(op);
          if (!block.ok()) break;
          if (!pool.Insert(op, id, at + i, *block).ok()) (void)pool.FreeDataBlock(op, *block);
        }
        break;
      case 4:
        (void)pool.Remove(op, id, at, at + draw.Below(400), ignore);
        break;
      case 5:
        (void)pool.Commit(op);
        break;
      case 6:
        (void)pool.DataReferenceCount(op, at);
        (void)pool.HighestMapped(op, id);
        break;
      case 7:
        (void)pool.ForEachMapping(op, id, at,
                                  [](std::uint64_t, const ThinMapping&) { return true; });
        (void)pool.ForEachDevice(op, [](ThinId, const ThinDetails&) { return true; });
        break;
      case 8:
        (void)pool.ReleaseMetadataSnapshot(op);
        (void)pool.ReserveMetadataSnapshot(op);
        break;
      default:
        if (draw.Below(3) == 0) (void)pool.Abort(op);
        (void)pool.ResizeData(op, pool.nr_data_blocks() + at);
    }
  }
  (void)pool.Commit(op);
}

std::uint64_t ImagesWanted() {
  const char* const text = std::getenv("LAMINA_MODEL_OPS");
  return text == nullptr ? 300 : std::strtoull(text, nullptr, 10) / 20;
}

TEST(ThinCheckModel, EveryFlippedBitOfAUsedBlockIsFound) {
  CheckedPool pool;
  const MemDisk::Image sound = pool.disk().Capture();
  SplitMix64 draw(1);
  const std::uint64_t used = pool.superblock().metadata.nr_allocated;
  for (std::uint64_t i = 0; i < ImagesWanted() / 2; ++i) {
    pool.disk().Restore(sound);
    // A used block has a good checksum; one that is free now may have an old one.
    const BlockNumber number = draw.Below(used);
    BlockBytes block = pool.Read(number);
    const std::uint64_t bit = draw.Below(internal::kBlockBytes * 8);
    block[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    pool.Write(number, block);
    const bool is_found = !FindingsOf(pool.disk()).empty();
    UseAll(pool.disk(), draw);
    pool.disk().Restore(sound);
    if (pool.KindOf(number).has_value() && !is_found) {
      // Not found: then nothing names the block.
      pool.Write(number, BlockBytes{});
      EXPECT_EQ(FindingsOf(pool.disk()), "") << "block " << number << ", bit " << bit;
    }
  }
}

// Numbers that images of strangers like.
std::uint64_t OddNumber(SplitMix64& draw) {
  static constexpr std::uint64_t kNumbers[] = {
      0, 1, 2, 3, 84, 252, 253, 0x7fffffff, 0xffffffff, 0x100000000, ~0ULL >> 1, ~0ULL};
  return draw.Below(2) == 0 ? kNumbers[draw.Below(std::size(kNumbers))] : draw.Below(200);
}

// Changes a field of the block; the checksum is made good again.
void Mutate(CheckedPool& pool, BlockNumber number, BlockKind kind, SplitMix64& draw) {
  BlockBytes block = pool.Read(number);
  const std::size_t reach = kind == BlockKind::kSuperblock ? 368 : 600;
  for (std::uint64_t changes = 1 + draw.Below(3); changes > 0; --changes) {
    const std::size_t at = 8 * draw.Below((draw.Below(4) == 0 ? block.size() : reach) / 8);
    if (draw.Below(2) == 0) {
      internal::StoreLe(block.data() + at, OddNumber(draw));
    } else if (draw.Below(2) == 0) {
      internal::StoreLe(block.data() + at + 4, static_cast<std::uint32_t>(OddNumber(draw)));
    } else {
      block[at] ^= static_cast<std::byte>(1u << draw.Below(8));
    }
  }
  pool.WriteSealed(kind, number, block);
}

// Makes two nodes children of each other, of themselves, or the same child of many parents.
void Tangle(CheckedPool& pool, const std::vector<BlockNumber>& nodes, SplitMix64& draw) {
  for (std::uint64_t changes = 1 + draw.Below(4); changes > 0; --changes) {
    const BlockNumber number = nodes[draw.Below(nodes.size())];
    BlockBytes block = pool.Read(number);
    internal::BtreeNodeEditor node(block);
    if (node.size() == 0 || node.value_bytes() != 8) continue;
    const auto index = static_cast<std::uint32_t>(draw.Below(node.size()));
    node.SetChild(index, nodes[draw.Below(nodes.size())]);
    if (draw.Below(2) == 0) internal::StoreLe(block.data() + 4, internal::kInternalNode);
    pool.WriteSealed(BlockKind::kNode, number, block);
  }
}

TEST(ThinCheckModel, ImagesWithGoodChecksumsMaySayAnything) {
  CheckedPool pool;
  const MemDisk::Image sound = pool.disk().Capture();
  std::vector<std::pair<BlockNumber, BlockKind>> blocks;
  std::vector<BlockNumber> nodes;
  for (BlockNumber number = 0; number < 200; ++number) {
    const std::optional<BlockKind> kind = pool.KindOf(number);
    if (!kind.has_value()) continue;
    blocks.emplace_back(number, *kind);
    if (*kind == BlockKind::kNode) nodes.push_back(number);
  }
  SplitMix64 draw(2);
  int sound_images = 0;
  for (std::uint64_t i = 0; i < ImagesWanted(); ++i) {
    pool.disk().Restore(sound);
    if (draw.Below(3) == 0) {
      Tangle(pool, nodes, draw);
    } else {
      for (std::uint64_t changed = 1 + draw.Below(2); changed > 0; --changed) {
        const auto& [number, kind] = blocks[draw.Below(blocks.size())];
        Mutate(pool, number, kind, draw);
      }
    }
    const bool was_sound = FindingsOf(pool.disk()).empty();
    UseAll(pool.disk(), draw);
    if (!was_sound) continue;
    ++sound_images;
    ASSERT_EQ(FindingsOf(pool.disk()), "") << "image " << i;
  }
  EXPECT_GT(sound_images, 0);
  EXPECT_LT(sound_images, static_cast<int>(ImagesWanted()));
}

}  // namespace
}  // namespace lamina
