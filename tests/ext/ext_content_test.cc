// Content of files: both map formats, far offsets, holes, fragmentation, space that comes back; and
// an image that e2fsck likes, after all of it.
#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/ext/ext_fixture.h"
#include "tests/store/split_mix.h"

namespace lamina::test {
namespace {

struct Format {
  std::string name;
  ExtMkfsOptions options;
};

void PrintTo(const Format& format, std::ostream* out) { *out << format.name; }

class ExtContent : public testing::TestWithParam<Format> {
 protected:
  ExtBench bench_{16 * kMiB, GetParam().options};
};

// ── Random calls against a string ────────────────────────────────────────────────────────────────

class Histories {
 public:
  Histories(ExtBench& bench, std::uint64_t seed) : bench_(bench), random_(seed) {
    for (int index = 0; index < 3; ++index) Renew(index);
  }
  ~Histories() {
    for (const HandleId handle : handles_) bench_.fs().Close(handle);
  }

  // "" or what went wrong.
  std::string Step() {
    const auto index = static_cast<int>(random_.Below(3));
    std::string& want = content_[index];
    const std::uint64_t offset = random_.Below(random_.Below(3) == 0 ? 1'500'000 : 20'000);
    const std::uint64_t length = 1 + random_.Below(random_.Below(4) == 0 ? 60'000 : 3'000);
    const std::string name = Change(index, handles_[index], want, offset, length);
    const HandleId handle = handles_[index];
    const Result<Stat> stat = bench_.fs().GetAttr(bench_.Op(), nodes_[index]);
    if (stat->size_bytes != want.size()) return name + ": size";
    if (bench_.Read(handle, 0, want.size() + 1) != want) return name + ": content";
    return CheckHoles(handle, want) ? "" : name + ": holes";
  }

 private:
  std::string Change(int index, HandleId handle, std::string& want, std::uint64_t offset,
                     std::uint64_t length) {
    switch (random_.Below(12)) {
      case 0:
      case 1:
        want.resize(offset);
        LAMINA_CHECK(bench_.fs().SetAttr(bench_.Op(), nodes_[index], {.size_bytes = offset}).ok());
        return "truncate";
      case 2:
        Allocate(handle, offset, length, AllocateMode::kPunch);
        for (std::uint64_t at = offset; at < std::min(offset + length, want.size()); ++at) {
          want[at] = '\0';
        }
        return "punch";
      case 3:
        if (!bench_.fs().limits().allocates) return "nothing";
        Allocate(handle, offset, length, AllocateMode::kExtend);
        want.resize(std::max(want.size(), offset + length));
        return "extend";
      case 4:
        if (!bench_.fs().limits().allocates) return "nothing";
        Allocate(handle, offset, length, AllocateMode::kKeepSize);
        return "keep size";
      case 5:
        if (!bench_.fs().limits().allocates) return "nothing";
        Allocate(handle, offset, length, AllocateMode::kZero);
        want.resize(std::max(want.size(), offset + length));
        std::fill_n(want.begin() + static_cast<std::ptrdiff_t>(offset), length, '\0');
        return "zero";
      case 6:
        LAMINA_CHECK(bench_.fs().Sync(bench_.Op(), handle, SyncMode::kAll).ok());
        return "sync";
      case 7:
        if (random_.Below(6) == 0) Renew(index);
        return "renew";
      default: {
        std::string text(length, static_cast<char>('a' + random_.Below(26)));
        text.front() = '<';
        text.back() = '>';
        LAMINA_CHECK(bench_.Write(handle, offset, text));
        want.resize(std::max(want.size(), offset + length));
        want.replace(offset, length, text);
        return "write";
      }
    }
  }

  void Allocate(HandleId handle, std::uint64_t offset, std::uint64_t length, AllocateMode mode) {
    LAMINA_CHECK(bench_.fs().Allocate(bench_.Op(), handle, offset, length, mode).ok());
  }

  // Removes the file, which is open, and makes it again.
  void Renew(int index) {
    const std::string name = "f" + std::to_string(index);
    if (nodes_[index].value != 0) {
      const Place place{bench_.root(), name};
      LAMINA_CHECK(bench_.fs().Remove(bench_.Op(), place, FileType::kRegular).ok());
      bench_.fs().Close(handles_[index]);
    }
    nodes_[index] = bench_.Make(bench_.root(), name);
    handles_[index] = bench_.Open(nodes_[index]);
    content_[index].clear();
  }

  // What SEEK_DATA and SEEK_HOLE call a hole reads as zeros.
  bool CheckHoles(HandleId handle, const std::string& want) {
    std::uint64_t at = 0;
    while (at < want.size()) {
      const Result<std::uint64_t> data = bench_.fs().Seek(bench_.Op(), handle, at, SeekKind::kData);
      const std::uint64_t end = data.ok() ? *data : want.size();
      const std::size_t other = want.find_first_not_of('\0', at);
      if (std::min(other, want.size()) < end) return false;
      if (!data.ok()) return true;
      at = *bench_.fs().Seek(bench_.Op(), handle, *data, SeekKind::kHole);
    }
    return true;
  }

  ExtBench& bench_;
  SplitMix64 random_;
  std::array<NodeId, 3> nodes_{};
  std::array<HandleId, 3> handles_{};
  std::array<std::string, 3> content_;
};

TEST_P(ExtContent, EXT_RandomCallsOnLongFilesReadBack) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    {
      Histories histories(bench_, seed);
      for (int step = 0; step < 80; ++step) {
        ASSERT_EQ(histories.Step(), "") << "seed " << seed << " step " << step;
      }
    }
    ASSERT_EQ(bench_.UnmountAndCheck(), "") << "seed " << seed;
    bench_.Mount();
    for (const char* name : {"f0", "f1", "f2"}) {
      const Place place{bench_.root(), name};
      ASSERT_TRUE(bench_.fs().Remove(bench_.Op(), place, FileType::kRegular).ok());
    }
  }
}

// ── Far offsets ──────────────────────────────────────────────────────────────────────────────────

TEST_P(ExtContent, EXT_FarOffsetsAreMappedReadBackAndGivenBack) {
  const std::uint64_t free = bench_.free_bytes();
  const HandleId handle = bench_.Open(bench_.Make(bench_.root(), "a"));
  // Direct, indirect, double and triple indirect, in blocks of any size.
  const std::array<std::uint64_t, 6> offsets = {0,          11'000,        290'000,
                                                66'000'000, 5'000'000'000, 16'000'000'000};
  for (const std::uint64_t offset : offsets) {
    ASSERT_TRUE(bench_.Write(handle, offset, std::to_string(offset))) << offset;
  }
  for (const std::uint64_t offset : offsets) {
    const std::string want = std::to_string(offset);
    EXPECT_EQ(bench_.Read(handle, offset, want.size()), want);
  }
  ASSERT_EQ(bench_.UnmountAndCheck(), "");
  bench_.Mount();
  const NodeId node = *bench_.fs().Lookup(bench_.Op(), {bench_.root(), "a"});
  for (auto each = offsets.rbegin(); each != offsets.rend(); ++each) {
    ASSERT_TRUE(bench_.fs().SetAttr(bench_.Op(), node, {.size_bytes = *each}).ok());
  }
  EXPECT_EQ(bench_.fs().GetAttr(bench_.Op(), node)->allocated_sectors, 0U);
  EXPECT_EQ(bench_.free_bytes(), free);
  EXPECT_EQ(bench_.UnmountAndCheck(), "");
}

// ── Fragments ────────────────────────────────────────────────────────────────────────────────────

TEST_P(ExtContent, EXT_FilesOfManyFragmentsReadBackAndGiveTheirSpaceBack) {
  const std::uint64_t free = bench_.free_bytes();
  const HandleId comb = bench_.Open(bench_.Make(bench_.root(), "comb"));
  const std::uint64_t block = bench_.fs().block_bytes();
  constexpr std::uint64_t kTeeth = 700;
  const std::string tooth(block, 't');
  for (std::uint64_t index = 0; index < 2 * kTeeth; ++index) {
    ASSERT_TRUE(bench_.Write(comb, index * block, tooth));
  }
  for (std::uint64_t index = 0; index < kTeeth; ++index) {
    ASSERT_TRUE(bench_.fs()
                    .Allocate(bench_.Op(), comb, 2 * index * block, block, AllocateMode::kPunch)
                    .ok());
  }
  ASSERT_TRUE(bench_.fs().SyncAll(bench_.Op()).ok());
  const HandleId file = bench_.Open(bench_.Make(bench_.root(), "file"));
  std::string want;
  for (std::uint64_t index = 0; index < kTeeth; ++index) {
    want += std::string(block, static_cast<char>('a' + index % 26));
  }
  ASSERT_TRUE(bench_.Write(file, 0, want));
  EXPECT_EQ(bench_.Read(file, 0, want.size() + 1), want);
  ASSERT_EQ(bench_.UnmountAndCheck(), "");
  bench_.Mount();
  for (const char* name : {"comb", "file"}) {
    const Place place{bench_.root(), name};
    ASSERT_TRUE(bench_.fs().Remove(bench_.Op(), place, FileType::kRegular).ok());
  }
  EXPECT_EQ(bench_.free_bytes(), free);
  EXPECT_EQ(bench_.UnmountAndCheck(), "");
}

TEST_P(ExtContent, EXT_AFullFileSystemFailsCleanly) {
  const HandleId file = bench_.Open(bench_.Make(bench_.root(), "a"));
  const std::string piece(300'000, 'x');
  std::uint64_t at = 0;
  Errno error{};
  while (true) {
    const Result<std::size_t> bytes = bench_.fs().Write(bench_.Op(), file, at, AsBytes(piece));
    if (!bytes.ok()) {
      error = bytes.error();
      break;
    }
    at += *bytes;
  }
  EXPECT_EQ(error, Errno::kNoSpc);
  EXPECT_LT(bench_.free_bytes(), 8 * bench_.fs().block_bytes());
  EXPECT_EQ(bench_.UnmountAndCheck(), "");
  bench_.Mount();
  ASSERT_TRUE(bench_.fs().Remove(bench_.Op(), {bench_.root(), "a"}, FileType::kRegular).ok());
  // What was freed can be used at once: a call that finds no space commits and looks again.
  bench_.MakeFile(bench_.root(), "b", piece);
  EXPECT_EQ(bench_.UnmountAndCheck(), "");
}

// ── Directories ──────────────────────────────────────────────────────────────────────────────────

TEST_P(ExtContent, EXT_LongDirectoriesComeAndGo) {
  const NodeId dir = bench_.Make(bench_.root(), "d", FileType::kDirectory);
  for (int index = 0; index < 1500; ++index) {
    bench_.Make(dir, "a_name_of_some_length_" + std::to_string(index));
  }
  EXPECT_FALSE(bench_.fs().Create(bench_.Op(), {dir, "a_name_of_some_length_7"}, {}).ok());
  ASSERT_EQ(bench_.UnmountAndCheck(), "");
  bench_.Mount();
  for (int index = 0; index < 1500; ++index) {
    const std::string name = "a_name_of_some_length_" + std::to_string(index);
    ASSERT_TRUE(bench_.fs().Remove(bench_.Op(), {dir, name}, FileType::kRegular).ok());
  }
  const Place place{bench_.root(), "d"};
  ASSERT_TRUE(bench_.fs().Remove(bench_.Op(), place, FileType::kDirectory).ok());
  EXPECT_EQ(bench_.UnmountAndCheck(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Formats, ExtContent,
    testing::Values(Format{"Ext4", {.version = ExtVersion::kExt4}},
                    Format{"Ext4Of4KiB", {.version = ExtVersion::kExt4, .block_bytes = 4096}},
                    Format{"Ext3", {.version = ExtVersion::kExt3}},
                    Format{"Ext2Of2KiB", {.version = ExtVersion::kExt2, .block_bytes = 2048}},
                    Format{"Ext2OfSmallInodes",
                           {.version = ExtVersion::kExt2, .inode_bytes = 128}}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace lamina::test
