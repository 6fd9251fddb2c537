// Inode numbers, types over types, changes between mounts. Numbers are those of the table in
// README.md.
#include <map>
#include <utility>

#include "lamina/image/layer_tar.h"
#include "lamina/testing/matchers.h"
#include "tests/history/replay.h"
#include "tests/image/tar_builder.h"
#include "tests/union/overlay_stack.h"

namespace lamina::testing {
namespace {

using test::TarBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// 47: numbers of two devices were compared without the devices.
TEST(OverlayHistory, F_359_DirectoriesOfEqualNumberOnTwoDevicesAreTwo) {
  const Replay replay(R"(
    layer one fs=1
      mkdir /first 0755
      put /first/f 0644 "1"
    layer two fs=2
      mkdir /second 0755
      put /second/f 0644 "2"
    layer upper
    stack one two upper
    mount
      readdir /       -> [first:d second:d]
      stat /first     -> d 0755 0:0 nlink=2 mtime=1000 dev=d1 ino=i1
      stat /second    -> d 0755 0:0 nlink=2 mtime=1000 dev=d1 ino=i2
      read /first/f   -> "1"
      read /second/f  -> "2"
      stat /first/f   -> f 0644 0:0 size=1 nlink=1 mtime=1000 dev=d2 ino=i3
      stat /second/f  -> f 0644 0:0 size=1 nlink=1 mtime=1000 dev=d3 ino=i4
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_EQ(replay.Layer("one").Lstat("/first")->ino, replay.Layer("two").Lstat("/second")->ino);
  EXPECT_THAT(replay.Merged(), Shows("/first/\n  f \"1\"\n/second/\n  f \"2\""));
}

// The names of each file, by its device and inode number.
std::vector<std::vector<std::string>> NamesByIdentity(const LayeredFs& fs) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::string>> names;
  const absl::StatusOr<std::vector<std::string>> paths = fs.Merged().AllPaths();
  EXPECT_THAT(paths, IsOk());
  for (const std::string& path : *paths) {
    const absl::StatusOr<Stat> stat = fs.Lstat(path);
    EXPECT_THAT(stat, IsOk());
    names[{stat->dev, stat->ino}].push_back(path);
  }
  std::vector<std::vector<std::string>> groups;
  for (auto& [identity, group] : names) groups.push_back(std::move(group));
  std::sort(groups.begin(), groups.end());
  return groups;
}

// 48: two files had one identity, or one file two.
TEST(OverlayHistory, K_9c6d8f13e9da_TwoNamesHaveOneIdentityOnlyWhenTheyAreOneFile) {
  FsPtr fs = Overlay({.lower = {Tree("/d/\n  a \"1\"\n  e/\n/h \"h\"\n/i hardlink /h"),
                                Tree("/d/\n  b \"2\"\n/k \"k\"")},
                      .upper = Tree("/d/\n  c \"3\"\n/u \"u\"\n/v hardlink /u")});
  const auto one_for_each_file = ElementsAre(
      ElementsAre("/d"), ElementsAre("/d/a"), ElementsAre("/d/b"), ElementsAre("/d/c"),
      ElementsAre("/d/e"), ElementsAre("/h", "/i"), ElementsAre("/k"), ElementsAre("/u", "/v"));
  EXPECT_THAT(NamesByIdentity(*fs), one_for_each_file);
  ASSERT_THAT(fs->Chmod("/d/a", 0600), IsOk());
  ASSERT_THAT(fs->Chmod("/d/b", 0600), IsOk());
  ASSERT_THAT(fs->Chmod("/d/e", 0700), IsOk());
  ASSERT_THAT(fs->Chmod("/k", 0600), IsOk());
  ASSERT_THAT(fs->Chmod("/u", 0600), IsOk());
  EXPECT_THAT(NamesByIdentity(*fs), one_for_each_file);
  ASSERT_THAT(fs->Rename("/d/a", "/d/b"), IsOk());
  ASSERT_THAT(fs->Chmod("/h", 0600), IsOk());  // without an index this breaks the link
  EXPECT_THAT(NamesByIdentity(*fs),
              ElementsAre(ElementsAre("/d"), ElementsAre("/d/b"), ElementsAre("/d/c"),
                          ElementsAre("/d/e"), ElementsAre("/h"), ElementsAre("/i"),
                          ElementsAre("/k"), ElementsAre("/u", "/v")));
}

// 49: the index was asked for a file that had one name when it was copied up.
TEST(OverlayHistory, K_6eaf011144af_AFileLinkedOfflineInALowerIsFound) {
  const Replay replay(R"(
    layer lower
      put /a 0644 "data"
    layer upper
    stack lower upper
    mount
      append /a "!"     -> OK 1
    umount
    layer lower
      link /a /b        -> OK
    options index=on
    mount
      stat /a           -> f 0644 0:0 size=5 nlink=1 mtime=now dev=d1 ino=i1
      stat /b           -> f 0644 0:0 size=4 nlink=2 mtime=1000 dev=d1 ino=i2
      read /a           -> "data!"
      read /b           -> "data"
      append /b "?"     -> OK 1
      read /a           -> "data!"
      read /b           -> "data?"
      readdir /         -> [a:f b:f]
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Layer("lower"), Shows("a \"data\"\nb hardlink /a"));
}

// 50: each name got a file of its own, or the link led out of the tree.
TEST(OverlayHistory, M_b467f8b2ef_HardLinksOfALayerTarStayOneFile) {
  FsPtr fs = Stack()
                 .Push(LayerFromTar(
                     TarBuilder().File("a", "x").Dir("d").Link("d/b", "a").Link("c", "d/b").Done()))
                 .MountOrDie();
  EXPECT_THAT(*fs, Shows("a \"x\"\nc hardlink /a\n/d/\n  b hardlink /a"));
  EXPECT_EQ(fs->Lstat("/d/b")->nlink, 3u);
  MemFs outside;
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  ASSERT_THAT(outside.Create(op, {outside.root(), "secret"}, {FileType::kRegular, 0600, 0, {}}),
              IsOk());
  Result<NodeId> layer =
      outside.Create(op, {outside.root(), "layer"}, {FileType::kDirectory, 0755, 0, {}});
  ASSERT_THAT(layer, IsOk());
  EXPECT_THAT(ReadLayerTar(TarBuilder().Link("a", "../secret").Done(), outside, *layer),
              Not(IsOk()));
  EXPECT_THAT(ReadLayerTar(TarBuilder().Link("a", "/secret").Done(), outside, *layer), Not(IsOk()));
  EXPECT_THAT(TreeView(outside, *layer, "layer"), Shows(""));
}

// 51: the working directory was lost by an rmdir that was refused.
TEST(OverlayHistory, K_ce9113bbcbf4_ARefusedRemovalLeavesTheWorkingDirectory) {
  OverlayStack stack(1);
  std::unique_ptr<Process> lower = stack.OnLower(0);
  ASSERT_THAT(lower->Mkdir("/d", 0755), IsOk());
  PutFile(*lower, "/d/f", "f");
  ASSERT_THAT(lower->Mkdir("/e", 0755), IsOk());
  PutFile(*lower, "/e/g", "g");
  stack.Mount();
  Process& process = stack.process();
  ASSERT_THAT(process.Chdir("/d"), IsOk());
  Result<Process::Fd> file = process.Open("f", {}, 0);
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(process.Rmdir("/d"), IsErrno(Errno::kNotEmpty));
  EXPECT_THAT(process.Rename("/e", "/d", RenameMode::kReplace), IsErrno(Errno::kXDev));
  EXPECT_THAT(process.Rename("/d", "/d/below", RenameMode::kReplace), IsErrno(Errno::kInval));
  EXPECT_THAT(process.Unlink("/d"), IsErrno(Errno::kIsDir));
  EXPECT_EQ(process.GetStat(".", LastLink::kKeep)->ino,
            process.GetStat("/d", LastLink::kKeep)->ino);
  EXPECT_THAT(process.ReadFile("f"), IsOkAndHolds("f"));
  EXPECT_THAT(process.ReadFile("../e/g"), IsOkAndHolds("g"));
  EXPECT_EQ(process.Fstat(*file)->nlink, 1u);
  EXPECT_THAT(NamesIn(*stack.OnHome(), "/upper"), IsEmpty());
  PutFile(process, "new", "n");
  EXPECT_THAT(NamesIn(process, "/d"), ElementsAre("f", "new"));
}

// 52: where the upper has a directory and the lower a symlink to one, the lookup went through it.
TEST(OverlayHistory, F_337_EveryTypeOverEveryTypeHidesItWhole) {
  constexpr std::string_view kLower = R"(
      /target/    0755
        inside    "i"
      /d/
        over_f/   0755
          low     "l"
        over_l/   0755
          low     "l"
        over_p/   0755
          low     "l"
        over_d/   0755
          low     "l"
      /f/
        over_d    "low"
        over_l    "low"
        over_p    "low"
        over_f    "low"
      /l/
        over_d    -> /target
        over_f    -> /target
        over_p    -> /target
        over_l    -> /target
      /p/
        over_d    fifo
        over_f    fifo
        over_l    fifo
        over_p    fifo
  )";
  constexpr std::string_view kUpper = R"(
      /d/
        over_f    "up"
        over_l    -> up
        over_p    fifo
        over_d/   0700
          up      "u"
      /f/
        over_d/   0700
          up      "u"
        over_l    -> up
        over_p    fifo
        over_f    "up"
      /l/
        over_d/   0700
          up      "u"
        over_f    "up"
        over_p    fifo
        over_l    -> up
      /p/
        over_d/   0700
          up      "u"
        over_f    "up"
        over_l    -> up
        over_p    fifo
  )";
  FsPtr fs = Overlay({.lower = {Tree(kLower)}, .upper = Tree(kUpper)});
  EXPECT_THAT(fs->ReadFile("/l/over_d/inside"), HasErrno(ENOENT));
  EXPECT_THAT(fs->WriteFile("/l/over_d/new", ""), IsOk());
  EXPECT_THAT(fs->Unlink("/l/over_d/new"), IsOk());
  EXPECT_THAT(*fs, Shows(std::string(kUpper) + R"(
      /target/
        inside        "i"
      /d/over_d/low   "l"
  )"));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

}  // namespace
}  // namespace lamina::testing
