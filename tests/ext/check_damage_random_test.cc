// CheckExt and e2fsck -fn agree on clean or not, wherever an image is damaged.
//
// LAMINA_EXT_DAMAGES: damages per image (default 60); LAMINA_EXT_DAMAGE_SEED: the first seed.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/ext/layout.h"
#include "tests/ext/tool_image.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

std::uint64_t NumberOf(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Region {
  const char* what;
  std::uint64_t offset;
  std::uint64_t bytes;
};

struct Base {
  const char* name;
  const char* arguments;
  const char* size;
  bool is_indexed;
};

class DamagedImage : public ToolImage, public ::testing::WithParamInterface<Base> {
 protected:
  void SetUp() override {
    ToolImage::SetUp();
    if (IsSkipped()) return;
    MakeTree("tree");
    ASSERT_NO_FATAL_FAILURE(
        Make("base.img", std::string(GetParam().arguments) + " -N 256 -d tree -O " + kNotRefused,
             GetParam().size));
    std::ofstream(File("value")) << std::string(700, 'v');
    ASSERT_NO_FATAL_FAILURE(Debug("base.img",
                                  "mknod fifo p\nmknod null c 1 3\nmknod disk b 259 70000\n"
                                  "ea_set small user.short value\nea_set small user.second 2\n"
                                  "ea_set -f value big user.long\nea_set -f value a user.long"));
    if (GetParam().is_indexed) Tool("e2fsck -fyD base.img");
    ASSERT_EQ(Fsck("base.img").status, 0);
    std::ifstream file(File("base.img"), std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    FindRegions();
  }

  template <typename Number>
  Number At(std::uint64_t offset) const {
    return ext::ReadRecord<Number>(std::as_bytes(std::span(bytes_)), offset);
  }

  // Numbers behind `mark` in what debugfs says: "(IND):95, (ETB0):96".
  static std::vector<std::uint64_t> NumbersBehind(const std::string& text,
                                                  const std::string& mark) {
    std::vector<std::uint64_t> numbers;
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
      numbers.push_back(std::strtoull(text.c_str() + at + mark.size(), nullptr, 10));
    }
    return numbers;
  }

  void AddBlocks(const char* what, const std::vector<std::uint64_t>& blocks) {
    for (const std::uint64_t block : blocks) {
      if (block != 0) regions_.push_back({what, block * block_bytes_, block_bytes_});
    }
  }

  void FindRegions() {
    const auto super = At<ext::DiskSuperblock>(ext::kSuperblockOffset);
    block_bytes_ = 1024u << super.log_block_size;
    const std::uint32_t inode_bytes = super.revision == 0 ? 128 : super.inode_size;
    const std::uint64_t groups_at = (super.first_data_block + 1ull) * block_bytes_;
    const auto group = At<ext::DiskGroup>(groups_at);
    regions_.push_back({"superblock", ext::kSuperblockOffset, 0x254});
    regions_.push_back({"descriptors", groups_at, sizeof(ext::DiskGroup)});
    regions_.push_back({"block bitmap", group.block_bitmap * block_bytes_, block_bytes_});
    regions_.push_back({"inode bitmap", group.inode_bitmap * block_bytes_, block_bytes_});
    // The inodes that are there, and two that are not.
    const std::uint64_t table = group.inode_table * block_bytes_;
    for (std::uint64_t inode = 1; inode < 32; ++inode) {
      regions_.push_back({"inode", table + (inode - 1) * inode_bytes, inode_bytes});
    }
    for (const char* name : {"/", "/a", "/a/b", "/many", "/lost+found"}) {
      std::vector<std::uint64_t> blocks;
      std::istringstream words(Tool(absl::StrFormat("debugfs -R 'blocks %s' base.img", name)).out);
      for (std::string word; words >> word;) {
        const std::uint64_t block = std::strtoull(word.c_str(), nullptr, 10);
        if (block > 0 && std::all_of(word.begin(), word.end(), ::isdigit)) blocks.push_back(block);
      }
      AddBlocks("directory", blocks);
    }
    for (const char* name : {"/big", "/sparse", "/small", "/a", "<7>", "<8>"}) {
      const std::string text = Tool(absl::StrFormat("debugfs -R 'stat %s' base.img", name)).out;
      AddBlocks("indirect", NumbersBehind(text, "(IND):"));
      AddBlocks("double indirect", NumbersBehind(text, "(DIND):"));
      AddBlocks("extents", NumbersBehind(text, "(ETB0):"));
      AddBlocks("attributes", NumbersBehind(text, "File ACL: "));
    }
  }

  // Damages bytes of `image` somewhere; what it did.
  std::string Damage(std::string& image, SplitMix64& random) const {
    // As often a superblock as an inode: regions of one kind share the dice.
    const char* what = regions_[random.Below(regions_.size())].what;
    if (random.Below(2) == 0) {
      std::vector<const char*> kinds;
      for (const Region& region : regions_) {
        if (kinds.empty() || kinds.back() != region.what) kinds.push_back(region.what);
      }
      what = kinds[random.Below(kinds.size())];
    }
    std::vector<Region> candidates;
    std::copy_if(regions_.begin(), regions_.end(), std::back_inserter(candidates),
                 [&](const Region& region) { return region.what == what; });
    const Region& region = candidates[random.Below(candidates.size())];
    // Most of a block is empty; what stands in front counts.
    const std::uint64_t span =
        random.Below(3) == 0 ? region.bytes : std::min<std::uint64_t>(region.bytes, 128);
    const std::uint64_t at = random.Below(span);
    const std::uint64_t word = region.offset + at / 4 * 4;
    const auto put = [&](std::uint64_t offset, std::uint32_t value, int bytes) {
      for (int i = 0; i < bytes; ++i) image[offset + i] = static_cast<char>(value >> 8 * i);
    };
    switch (random.Below(6)) {
      case 0:
        image[region.offset + at] ^= static_cast<char>(1 << random.Below(8));
        break;
      case 1:
        put(region.offset + at, static_cast<std::uint32_t>(random.Next()), 1);
        break;
      case 2:
        put(word, 0, 4);
        break;
      case 3:
        put(word, static_cast<std::uint32_t>(random.Below(300)), 4);
        break;
      case 4:
        put(word + random.Below(2) * 2, static_cast<std::uint32_t>(random.Next()), 2);
        break;
      case 5:
        put(word, static_cast<std::uint32_t>(random.Below(image.size() / block_bytes_ + 2)), 4);
        break;
    }
    return absl::StrFormat("%s at %d, byte %d (inode %d)", region.what, region.offset, at,
                           (region.offset - regions_[4].offset) / regions_[4].bytes + 1);
  }

  static bool NamesOrphanList(const ExtReport& report) {
    return std::any_of(report.findings.begin(), report.findings.end(),
                       [](const ExtFinding& finding) {
                         return finding.severity == ExtSeverity::kError &&
                                finding.kind == ExtFindingKind::kOrphan &&
                                finding.text.find("orphan list") != std::string::npos;
                       });
  }

  // Clean for us, and clean for e2fsck. False: not compared, for one of three reasons below.
  bool Compare(std::uint64_t seed) const {
    SplitMix64 random(seed);
    std::string image = bytes_;
    std::string damage;
    for (std::uint64_t n = 1 + (random.Below(4) == 0 ? random.Below(3) : 0); n > 0; --n) {
      damage += Damage(image, random) + "; ";
    }
    std::ofstream(File("a.img"), std::ios::binary) << image;
    ExtOutcome<ExtReport> report = Check("a.img");
    if (!report.ok() && report.error().code == Errno::kOpNotSupp) return false;
    const ToolEnded fsck = Fsck("a.img");
    const bool is_clean = report.ok() && report->clean();
    if (fsck.out.find("is in the future") != std::string::npos) return false;
    if (report.ok() && NamesOrphanList(*report)) return false;  // with -n e2fsck does not read it
    // Of some things it says no word in its status.
    const bool is_clean_too = fsck.status == 0 && fsck.out.find("? no") == std::string::npos;
    EXPECT_EQ(is_clean, is_clean_too) << "seed " << seed << ": " << damage << "\nours:\n"
                                      << Findings("a.img") << "e2fsck: " << fsck.status << '\n'
                                      << fsck.out;
    return true;
  }

  std::string bytes_;
  std::uint64_t block_bytes_ = 0;
  std::vector<Region> regions_;
};

TEST_P(DamagedImage, IsCleanForUsWhenItIsForE2fsck) {
  const std::uint64_t first = NumberOf("LAMINA_EXT_DAMAGE_SEED", 1);
  const std::uint64_t count = NumberOf("LAMINA_EXT_DAMAGES", 60);
  std::uint64_t compared = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) compared += Compare(seed) ? 1 : 0;
  EXPECT_GE(compared * 2, count) << "most damages are skipped";
}

constexpr Base kBases[] = {
    {"ext2", "-t ext2", "2M", false},
    {"ext3_inodes_of_128", "-t ext3 -I 128", "4M", false},
    {"ext4", "-t ext4", "4M", false},
    {"ext4_blocks_of_4K", "-t ext4 -b 4096 -O ^has_journal", "8M", false},
    {"ext4_indexed", "-t ext4 -O ^has_journal", "2M", true},
};
INSTANTIATE_TEST_SUITE_P(Mke2fs, DamagedImage, ::testing::ValuesIn(kBases),
                         [](const auto& base) { return std::string(base.param.name); });

}  // namespace
}  // namespace lamina
