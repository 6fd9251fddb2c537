// Hostile images: whatever stands in the metadata, a mount is refused or every call on it ends,
// with an error or not; nothing crashes or runs on.
//
//   LAMINA_EXT_HOSTILE=10000    how many images of each kind (default 250)
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/block/device_fixture.h"
#include "tests/ext/ext_fixture.h"
#include "tests/store/split_mix.h"

namespace lamina::test {
namespace {

constexpr int kImagesByDefault = 250;
constexpr int kMostNodes = 300;  // seen of one image: it may pretend to hold any number
constexpr std::size_t kMostBytes = 64 << 10U;

int ImagesWanted() {
  const char* text = std::getenv("LAMINA_EXT_HOSTILE");
  return text == nullptr ? kImagesByDefault : std::atoi(text);
}

// An image with something of everything: deep maps, long directories, xattrs, orphans, a log.
MemDisk::Image MakeVictim(ExtVersion version) {
  ExtBench bench(4 * kMiB, {.version = version});
  const NodeId dir = bench.Make(bench.root(), "d", FileType::kDirectory);
  for (int index = 0; index < 120; ++index) bench.Make(dir, "entry_" + std::to_string(index));
  const HandleId comb = bench.Open(bench.Make(bench.root(), "comb"));
  for (std::uint64_t index = 0; index < 400; ++index) {
    LAMINA_CHECK(bench.Write(comb, index * 2048, "tooth"));
  }
  LAMINA_CHECK(bench.Write(comb, 70'000'000, "far"));
  const NodeId file = bench.MakeFile(dir, "file", std::string(20'000, 'x'));
  LAMINA_CHECK(bench.fs().SetXattr(bench.Op(), file, "user.a", "near", XattrMode::kSet).ok());
  LAMINA_CHECK(
      bench.fs().SetXattr(bench.Op(), file, "user.b", std::string(500, 'f'), XattrMode::kSet).ok());
  const std::string target(200, 't');
  LAMINA_CHECK(
      bench.fs().Create(bench.Op(), {dir, "link"}, {FileType::kSymlink, 0777, 0, target}).ok());
  for (const char* name : {"gone1", "gone2"}) {
    bench.Open(bench.MakeFile(bench.root(), name, std::string(9000, 'o')));
    LAMINA_CHECK(bench.fs().Remove(bench.Op(), {bench.root(), name}, FileType::kRegular).ok());
  }
  LAMINA_CHECK(bench.fs().SyncAll(bench.Op()).ok());
  bench.Crash();
  return bench.disk.Capture();
}

class Attack {
 public:
  Attack(MemDisk& disk, SplitMix64& random) : disk_(disk), random_(random) {}

  // Changes a few words, in the superblock and descriptors more often than elsewhere.
  void Corrupt() {
    const std::uint64_t changes = std::uint64_t{1} << random_.Below(7);
    for (std::uint64_t change = 0; change < changes; ++change) {
      std::uint64_t sector = 2 + random_.Below(4);
      for (int tries = 0; tries < 200 && random_.Below(4) != 0; ++tries) {
        sector = random_.Below(disk_.size_sectors());
        if (!IsZero(sector)) break;
      }
      CorruptSector(sector);
    }
  }

  void Look() {
    auto fs = ExtFs::Mount(op(), disk_, {.access = ExtAccess::kReadOnly});
    if (!fs.ok()) return;
    ++mounted;
    Walk(**fs);
    (void)(*fs)->GetSpace(op());
  }

  void Change() {
    auto fs = ExtFs::Mount(op(), disk_, {});
    if (!fs.ok()) return;
    Walk(**fs);
    for (std::size_t index = 0; index < names_.size(); ++index) {
      const Place place{dirs_[index], names_[index]};
      ChangeOne(**fs, place, index);
    }
    (void)(*fs)->SyncAll(op());
    (void)(*fs)->Unmount(op());
  }

  int mounted = 0;

 private:
  OpContext op() {
    now_.virtual_ns += 1000;
    return {credentials_, now_, {}};
  }

  bool IsZero(std::uint64_t sector) {
    std::vector<std::byte> bytes(kSectorBytes);
    LAMINA_CHECK(disk_.Read(op(), Sector{sector}, bytes).ok());
    return bytes == std::vector<std::byte>(kSectorBytes);
  }

  void CorruptSector(std::uint64_t sector) {
    std::vector<std::byte> bytes(kSectorBytes);
    LAMINA_CHECK(disk_.Read(op(), Sector{sector}, bytes).ok());
    const std::size_t width = std::size_t{1} << random_.Below(3);
    const std::size_t at = random_.Below(kSectorBytes / width) * width;
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, width);
    switch (random_.Below(6)) {
      case 0:
        value = random_.Next();
        break;
      case 1:
        value = ~std::uint64_t{0};
        break;
      case 2:
        value = 0;
        break;
      case 3:
        value += random_.Below(2) == 0 ? 1 : ~std::uint64_t{0};
        break;
      case 4:
        value = random_.Below(4096);
        break;
      default:
        value ^= std::uint64_t{1} << random_.Below(8 * width);
    }
    std::memcpy(bytes.data() + at, &value, width);
    LAMINA_CHECK(disk_.Write(op(), Sector{sector}, bytes).ok());
  }

  // Looks at up to kMostNodes nodes, and keeps their places.
  void Walk(ExtFs& fs) {
    names_.clear();
    dirs_.clear();
    std::vector<NodeId> open = {fs.root()};
    while (!open.empty() && names_.size() < kMostNodes) {
      const NodeId dir = open.back();
      open.pop_back();
      const Result<HandleId> handle = fs.Open(op(), dir, {});
      if (!handle.ok()) continue;
      std::vector<std::string> names;
      (void)fs.ReadDir(op(), *handle, {}, [&](const DirEntry& entry) {
        names.emplace_back(entry.name);
        return names.size() < kMostNodes;
      });
      fs.Close(*handle);
      for (const std::string& name : names) {
        const Result<NodeId> node = fs.Lookup(op(), {dir, name});
        if (!node.ok()) continue;
        names_.push_back(name);
        dirs_.push_back(dir);
        LookAt(fs, *node);
        const Result<Stat> stat = fs.GetAttr(op(), *node);
        if (stat.ok() && stat->type == FileType::kDirectory) open.push_back(*node);
      }
    }
  }

  void LookAt(ExtFs& fs, NodeId node) {
    (void)fs.ReadLink(op(), node);
    if (const auto keys = fs.ListXattr(op(), node); keys.ok()) {
      for (const std::string& key : *keys) (void)fs.GetXattr(op(), node, key);
    }
    const Result<HandleId> handle = fs.Open(op(), node, {});
    if (!handle.ok()) return;
    std::vector<std::byte> bytes(kMostBytes);
    (void)fs.Read(op(), *handle, 0, bytes);
    (void)fs.Read(op(), *handle, 69'999'999, bytes);
    (void)fs.Seek(op(), *handle, 0, SeekKind::kHole);
    (void)fs.Seek(op(), *handle, 5000, SeekKind::kData);
    fs.Close(*handle);
  }

  void ChangeOne(ExtFs& fs, Place place, std::size_t index) {
    const Result<NodeId> node = fs.Lookup(op(), place);
    if (!node.ok()) return;
    const std::string text(3000, 'w');
    switch (random_.Below(8)) {
      case 0:
        (void)fs.Remove(op(), place, FileType::kRegular);
        return;
      case 1:
        (void)fs.Rename(op(), place, {fs.root(), "r" + std::to_string(index)},
                        RenameMode::kReplace);
        return;
      case 2:
        (void)fs.SetAttr(op(), *node, {.size_bytes = random_.Below(100'000)});
        return;
      case 3:
        (void)fs.SetXattr(op(), *node, "user.n", text.substr(0, random_.Below(600)),
                          XattrMode::kSet);
        return;
      case 4:
        (void)fs.Create(op(), {*node, "new"}, {FileType::kDirectory, 0755, 0, {}});
        return;
      case 5:
        (void)fs.Remove(op(), place, FileType::kDirectory);
        return;
      default: {
        const Result<HandleId> handle = fs.Open(op(), *node, {.access = Access::kReadWrite});
        if (!handle.ok()) return;
        (void)fs.Write(op(), *handle, random_.Below(900'000), AsBytes(text));
        (void)fs.Allocate(op(), *handle, random_.Below(100'000), 5000, AllocateMode::kZero);
        (void)fs.Allocate(op(), *handle, random_.Below(100'000), 5000, AllocateMode::kPunch);
        fs.Close(*handle);
      }
    }
  }

  MemDisk& disk_;
  SplitMix64& random_;
  const Credentials credentials_;
  Instant now_ = kSimulationStart;
  std::vector<std::string> names_;
  std::vector<NodeId> dirs_;
};

class ExtHostile : public testing::TestWithParam<ExtVersion> {};

TEST_P(ExtHostile, EXT_NoChangeOfMetadataCrashesOrHangs) {
  const MemDisk::Image victim = MakeVictim(GetParam());
  MemDisk disk(MemDisk::SectorsOf(4 * kMiB));
  int mounted = 0;
  for (int image = 1; image <= ImagesWanted(); ++image) {
    SplitMix64 random(static_cast<std::uint64_t>(image));
    disk.Restore(victim);
    Attack attack(disk, random);
    attack.Corrupt();
    attack.Look();
    attack.Change();
    mounted += attack.mounted;
  }
  std::cout << mounted << " of " << ImagesWanted() << " images can be mounted\n";
  EXPECT_GT(mounted * 4, ImagesWanted());
  EXPECT_LT(mounted, ImagesWanted());
}

std::string NameOf(const testing::TestParamInfo<ExtVersion>& tested) {
  return std::string("Ext").append(1, static_cast<char>('2' + static_cast<int>(tested.param)));
}

INSTANTIATE_TEST_SUITE_P(Versions, ExtHostile,
                         testing::Values(ExtVersion::kExt2, ExtVersion::kExt3, ExtVersion::kExt4),
                         &NameOf);

}  // namespace
}  // namespace lamina::test
