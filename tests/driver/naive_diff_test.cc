// The comparison of mounted trees that the aufs driver falls back to when the parent that is asked
// about is not the direct one. Layers without parents need no mount.
#include <gtest/gtest.h>

#include "lamina/testing/matchers.h"
#include "tests/driver/entries.h"
#include "tests/driver/machine.h"
#include "vfs/driver/layer_unpacker.h"
#include "vfs/driver/naive_diff.h"
#include "vfs/driver/tree_compare.h"

namespace lamina {
namespace {

using internal::MarkHandling;
using internal::Voice;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsErrno;
using testing::IsOk;

// Two trees in a home of their own: /before and /after.
class Trees {
 public:
  Trees() : process_(machine_.At(fs_, fs_.root())) {
    MakeDirectories(*process_, "/before");
    MakeDirectories(*process_, "/after");
    before = In("/before");
    after = In("/after");
  }
  std::vector<std::string> Compare() {
    Result<std::vector<LayerChange>> changes =
        internal::CompareTrees(machine_.op(), {&fs_, NodeAt("/before")}, {&fs_, NodeAt("/after")});
    EXPECT_THAT(changes, IsOk());
    return Lines(*changes);
  }
  NodeId NodeAt(std::string_view path) { return process_->GetStat(path, LastLink::kKeep)->node; }
  std::unique_ptr<Process> In(std::string_view path) { return machine_.At(fs_, NodeAt(path)); }
  MemFs& fs() { return fs_; }
  Machine& machine() { return machine_; }
  // The same file in both.
  void PutBoth(const std::string& path, std::string_view text) {
    Put(*before, path, text);
    Put(*after, path, text);
    for (const auto& process : {before.get(), after.get()}) {
      const TimeChange time{TimeChange::Kind::kAt, InstantFromSeconds(1000)};
      EXPECT_THAT(process->Utimens(path, time, time, LastLink::kKeep), IsOk());
    }
  }

 private:
  Machine machine_;
  MemFs fs_;
  std::unique_ptr<Process> process_;

 public:
  std::unique_ptr<Process> before;
  std::unique_ptr<Process> after;
};

// ── Comparing ────────────────────────────────────────────────────────────────────────────────────

TEST(CompareTrees, TellsAdditionsDeletionsAndTheDirectoriesTheyAreIn) {
  Trees trees;
  MakeDirectories(*trees.before, "/d/old");
  Put(*trees.before, "/d/old/f", "x");
  MakeDirectories(*trees.after, "/d/new");
  Put(*trees.after, "/d/new/f", "x");
  EXPECT_THAT(trees.Compare(), ElementsAre("C /d", "A /d/new", "A /d/new/f", "D /d/old"));
}

TEST(CompareTrees, FilesOfOneTimeAndSizeAreTheSame) {
  Trees trees;
  trees.PutBoth("/f", "body");
  EXPECT_THAT(trees.Compare(), IsEmpty());
}

TEST(CompareTrees, EachAttributeMakesAModification) {
  Trees trees;
  for (const char* path : {"/capability", "/gid", "/mode", "/mtime", "/same", "/size", "/uid"}) {
    trees.PutBoth(path, "body");
  }
  Process& after = *trees.after;
  const TimeChange keep{TimeChange::Kind::kKeep, {}};
  const auto at = [](std::int64_t seconds, std::int64_t nanoseconds) {
    return TimeChange{TimeChange::Kind::kAt, InstantFromSeconds(seconds, nanoseconds)};
  };
  ASSERT_THAT(after.Setxattr("/capability", "security.capability",
                             std::string("\1\0\0\2", 4) + std::string(16, '\0'), XattrMode::kSet,
                             LastLink::kKeep),
              IsOk());
  ASSERT_THAT(after.Setxattr("/same", "user.k", "v", XattrMode::kSet, LastLink::kKeep), IsOk());
  ASSERT_THAT(after.Chown("/gid", 0, 1, LastLink::kKeep), IsOk());
  ASSERT_THAT(after.Chown("/uid", 1, 0, LastLink::kKeep), IsOk());
  ASSERT_THAT(after.Chmod("/mode", 0600), IsOk());
  ASSERT_THAT(after.Utimens("/mtime", keep, at(1001, 0), LastLink::kKeep), IsOk());
  ASSERT_THAT(after.Utimens("/same", keep, at(1000, 5), LastLink::kKeep), IsOk());
  ASSERT_THAT(after.Truncate("/size", 3), IsOk());
  ASSERT_THAT(after.Utimens("/size", keep, at(1000, 0), LastLink::kKeep), IsOk());
  EXPECT_THAT(trees.Compare(),
              ElementsAre("C /capability", "C /gid", "C /mode", "C /mtime", "C /size", "C /uid"));
}

TEST(CompareTrees, TheTimeOfADirectoryDoesNotMatter) {
  Trees trees;
  MakeDirectories(*trees.before, "/d");
  MakeDirectories(*trees.after, "/d");
  EXPECT_THAT(trees.Compare(), IsEmpty());
  ASSERT_THAT(trees.after->Chmod("/d", 0700), IsOk());
  EXPECT_THAT(trees.Compare(), ElementsAre("C /d"));
}

// What was below it went with it.
TEST(CompareTrees, AFileInPlaceOfADirectoryIsOneModification) {
  Trees trees;
  MakeDirectories(*trees.before, "/d/sub");
  Put(*trees.after, "/d", "x");
  EXPECT_THAT(trees.Compare(), ElementsAre("C /d"));
}

TEST(CompareTrees, ADirectoryInPlaceOfAFileAddsWhatIsInIt) {
  Trees trees;
  Put(*trees.before, "/d", "x");
  MakeDirectories(*trees.after, "/d/sub");
  EXPECT_THAT(trees.Compare(), ElementsAre("C /d", "A /d/sub"));
}

TEST(CompareTrees, AHardLinkToTheOldFileIsTheSame) {
  Trees trees;
  Put(*trees.before, "/f", "x");
  const OpContext op = trees.machine().op();
  const NodeId after = trees.NodeAt("/after");
  ASSERT_THAT(trees.fs().Link(op, trees.NodeAt("/before/f"), {after, "f"}), IsOk());
  EXPECT_THAT(trees.Compare(), IsEmpty());
}

TEST(CompareTrees, WithoutATreeBeforeEverythingIsAdded) {
  Trees trees;
  MakeDirectories(*trees.after, "/d");
  Put(*trees.after, "/d/f", "x");
  Put(*trees.after, "/d-", "x");
  const Result<std::vector<LayerChange>> changes =
      internal::CompareTrees(trees.machine().op(), {}, {&trees.fs(), trees.NodeAt("/after")});
  ASSERT_THAT(changes, IsOk());
  EXPECT_THAT(Lines(*changes), ElementsAre("A /d", "A /d-", "A /d/f"));
}

// ── Carrying marks out ───────────────────────────────────────────────────────────────────────────

class Unpacked : public Trees {
 public:
  Result<void> Unpack(const ChangeSet& set) {
    const Voice voice([this](const DriverMessage& message) { said = message.text; });
    const OpContext op = machine().op();
    internal::LayerUnpacker unpacker(op, fs(), NodeAt("/after"), MarkHandling::kCarryOut, voice);
    return unpacker.Unpack(set);
  }
  std::string said;
};

TEST(CarryOut, AWhiteoutRemovesTheName) {
  Unpacked trees;
  MakeDirectories(*trees.after, "/d/sub");
  Put(*trees.after, "/f", "x");
  ASSERT_THAT(trees.Unpack({{FileEntry("/.wh.f"), FileEntry("/.wh.d"), FileEntry("/.wh.missing")}}),
              IsOk());
  EXPECT_THAT(NamesOf(*trees.after, "/"), IsEmpty());
}

TEST(CarryOut, AnOpaqueMarkRemovesWhatTheSetHasNotPut) {
  Unpacked trees;
  MakeDirectories(*trees.after, "/d/sub");
  Put(*trees.after, "/d/old", "x");
  Put(*trees.after, "/d/sub/old", "x");
  ASSERT_THAT(
      trees.Unpack({{DirectoryEntry("/d"), DirectoryEntry("/d/sub"), FileEntry("/d/early", "1"),
                     FileEntry("/d/.wh..wh..opq"), FileEntry("/d/late", "2")}}),
      IsOk());
  EXPECT_THAT(NamesOf(*trees.after, "/d"), ElementsAre("early", "late", "sub"));
  EXPECT_THAT(NamesOf(*trees.after, "/d/sub"), IsEmpty());
}

TEST(CarryOut, AnOpaqueRootKeepsNothing) {
  Unpacked trees;
  Put(*trees.after, "/old", "x");
  ASSERT_THAT(trees.Unpack({{FileEntry("/.wh..wh..opq"), FileEntry("/new", "x")}}), IsOk());
  EXPECT_THAT(NamesOf(*trees.after, "/"), ElementsAre("new"));
}

TEST(CarryOut, PrivateNamesArePassedOver) {
  Unpacked trees;
  ASSERT_THAT(trees.Unpack({{FileEntry("/.wh..wh.aufs"), DirectoryEntry("/.wh..wh.orph"),
                             FileEntry("/.wh..wh.plnk/1.2", "x")}}),
              IsOk());
  EXPECT_THAT(NamesOf(*trees.after, "/"), IsEmpty());
}

TEST(CarryOut, AHardLinkToAPseudoLinkIsAFileOfItsOwn) {
  Unpacked trees;
  ASSERT_THAT(
      trees.Unpack({{FileEntry("/.wh..wh.plnk/1.2", "body"), LinkEntry("/a", "/.wh..wh.plnk/1.2"),
                     LinkEntry("/b", "/.wh..wh.plnk/1.2")}}),
      IsOk());
  EXPECT_EQ(TextOf(*trees.after, "/a"), "body");
  EXPECT_EQ(TextOf(*trees.after, "/b"), "body");
  EXPECT_EQ(trees.after->GetStat("/a", LastLink::kKeep)->nlink, 1);
}

TEST(CarryOut, APseudoLinkThatTheSetDoesNotHoldIsAnError) {
  Unpacked trees;
  EXPECT_THAT(trees.Unpack({{LinkEntry("/a", "/.wh..wh.plnk/1.2")}}), IsErrno(Errno::kInval));
  EXPECT_EQ(trees.said, "Invalid aufs hardlink");
}

TEST(CarryOut, AWhiteoutOfNothingIsRefused) {
  Unpacked trees;
  Put(*trees.after, "/f", "x");
  for (const char* name : {"/.wh.", "/.wh..", "/.wh..."}) {
    EXPECT_THAT(trees.Unpack({{FileEntry(name)}}), IsErrno(Errno::kInval)) << name;
  }
  EXPECT_THAT(NamesOf(*trees.after, "/"), ElementsAre("f"));
}

TEST(CarryOut, TheRootGetsItsAttributes) {
  Unpacked trees;
  LayerEntry root = DirectoryEntry("/");
  root.mode = 0711;
  root.mtime = InstantFromSeconds(99);
  ASSERT_THAT(trees.Unpack({{root, FileEntry("/f", "x")}}), IsOk());
  const Result<Stat> stat = trees.after->GetStat("/", LastLink::kKeep);
  EXPECT_EQ(stat->mode, 0711);
  EXPECT_EQ(stat->mtime, InstantFromSeconds(99));
}

// ── Through the driver ───────────────────────────────────────────────────────────────────────────

// Layers 1{f, d/old}, 2 above it (f changed, d/old removed), 3 above that (new).
class ThreeLayers {
 public:
  ThreeLayers() {
    machine.Create("1");
    machine.Create("2", "1");
    machine.Create("3", "2");
    Put(machine.on_home(), "/aufs/diff/1/f", "1");
    MakeDirectories(machine.on_home(), "/aufs/diff/1/d");
    Put(machine.on_home(), "/aufs/diff/1/d/old", "x");
    {
      const Mount mount = machine.Get("2");
      Put(*machine.In(mount), "/f", "two");
      Remove(*machine.In(mount), "/d/old");
    }
    const Mount mount = machine.Get("3");
    Put(*machine.In(mount), "/new", "three");
  }
  Machine machine;
};

TEST(NaiveDiff, ComparesWithAParentThatIsNotTheDirectOne) {
  ThreeLayers scene;
  EXPECT_THAT(Lines(scene.machine.Changes("3", "1")),
              ElementsAre("C /d", "D /d/old", "C /f", "A /new"));
  const ChangeSet set = scene.machine.Diff("3", "1");
  EXPECT_THAT(MemberLines(set), ElementsAre("d/", "d/.wh.old", "f", "new"));
  EXPECT_EQ(BodyOf(EntryAt(set, "/f")), "two");
  EXPECT_EQ(EntryAt(set, "/d/.wh.old").mode, 0);
  EXPECT_EQ(scene.machine.DiffSize("3", "1"), 3 + 5);
  EXPECT_THAT(scene.machine.mounts().TargetsBelow("/"), IsEmpty());
}

TEST(NaiveDiff, WithoutAParentIsTheWholeTree) {
  ThreeLayers scene;
  EXPECT_THAT(MemberLines(scene.machine.Diff("3")), ElementsAre("d/", "f", "new"));
  EXPECT_THAT(Lines(scene.machine.Changes("3")), ElementsAre("A /d", "A /f", "A /new"));
  EXPECT_EQ(scene.machine.DiffSize("3"), 3 + 5);
}

TEST(NaiveDiff, AppliesThroughTheMount) {
  ThreeLayers scene;
  const LayerId other{"1"};
  ChangeSet set{{FileEntry("/.wh.f"), FileEntry("/g", "gg")}};
  const Result<std::uint64_t> bytes =
      scene.machine.driver().ApplyDiff(scene.machine.op(), {"3"}, &other, set);
  EXPECT_THAT(bytes, testing::IsOkAndHolds(2));
  const Mount mount = scene.machine.Get("3");
  EXPECT_THAT(NamesOf(*scene.machine.In(mount), "/"), ElementsAre("d", "g", "new"));
}

TEST(NaiveDiff, AParentThatIsNotThereIsAnError) {
  ThreeLayers scene;
  const LayerId missing{"missing"};
  EXPECT_THAT(scene.machine.driver().Diff(scene.machine.op(), {"3"}, &missing),
              IsErrno(Errno::kNoEnt));
  EXPECT_THAT(scene.machine.mounts().TargetsBelow("/"), IsEmpty());
}

}  // namespace
}  // namespace lamina
