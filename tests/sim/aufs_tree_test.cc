// lamina tree and diff for AUFS: their texts, and that the sums add up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lamina/sim/layer_diff.h"
#include "lamina/sim/tree.h"
#include "tests/golden/golden_file.h"
#include "tests/sim/explained.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kLayers[] = R"(scenario 2
layer base
  mkdir /etc 0755
  put   /etc/hosts 0644 "127.0.0.1 localhost\n"
  put   /etc/motd 0644 fill:m:300
  mkdir /bin 0755
  put   /bin/sh 0755 fill:s:123KiB
  put   /one 0644 "linked\n"
  link  /one /two
  mkdir /cache 0755
  put   /cache/a 0644 fill:a:100
  put   /cache/b 0644 fill:b:200
  mkdir /kind 0755
  put   /kind/below 0644 "below"
layer image
  mkdir /etc 0755
  whiteout /etc/motd
  put   /kind 0644 "a file here"
  mkdir /cache 0700
  opaque /cache
layer plain
  whiteout /bin
layer w2
  mkdir /etc 0755
  put   /etc/hosts 0644 "::1 localhost\n"
layer w1
  mkdir /kind 0755
)";

std::string Stack(const std::string& branches) {
  return std::string(kLayers) + "driver aufs\nrawmount M " + branches + "\nmerged M\n";
}

std::string Changed() {
  return Stack("br:@w1@=rw:@w2@=rw:@plain@=ro:@image@=ro+wh:@base@=ro+wh") +
         "append /one x\nunlink /etc/hosts\nput /cache/new 0644 new\nrename /bin/sh /bin/bash\n"
         "symlink bash /bin/sh\n";
}

class Ended {
 public:
  explicit Ended(const std::string& text, std::uint64_t seed = 0)
      : scenario_(Parsed(text, seed)), run_(scenario_, {}) {
    EXPECT_TRUE(run_.RunToOperation(scenario_.statements.size()).ok());
  }

  const ScenarioRun& run() const { return run_; }

  LayeredTree Tree() const {
    if (run_.mount() == nullptr) return {};
    absl::StatusOr<LayeredTree> tree = ReadLayeredTree(*run_.mount());
    EXPECT_TRUE(tree.ok()) << tree.status();
    return tree.ok() ? *std::move(tree) : LayeredTree();
  }

  TreeEntry Entry(const std::string& path) const {
    const LayeredTree tree = Tree();
    const auto found = std::find_if(tree.entries.begin(), tree.entries.end(),
                                    [&](const TreeEntry& entry) { return entry.path == path; });
    EXPECT_NE(found, tree.entries.end()) << path;
    return found == tree.entries.end() ? TreeEntry() : *found;
  }

  std::string Changes(const std::string& layer) const {
    const absl::StatusOr<std::vector<LayerChange>> changes = ChangesOfLayer(run_, layer);
    EXPECT_TRUE(changes.ok()) << changes.status();
    std::string out;
    if (!changes.ok()) return out;
    for (const LayerChange& change : *changes) {
      out += std::string(ChangeLetter(change.kind)) + ' ' + change.path + '\n';
    }
    return out;
  }

 private:
  Scenario scenario_;
  ScenarioRun run_;
};

// ── Tree ─────────────────────────────────────────────────────────────────────────────────────────

TEST(AufsTreeText, ShowsProvenance) {
  ExpectGolden("tree_aufs.txt",
               LayeredTreeText(Ended(Changed()).Tree(), TreeSelection::kVisible, {}));
}

TEST(AufsTreeText, ShowsWhatIsHidden) {
  ExpectGolden("tree_aufs_hidden.txt",
               LayeredTreeText(Ended(Changed()).Tree(), TreeSelection::kHidden, {}));
}

TEST(AufsTreeText, ShowsWhatTheWritableBranchesChange) {
  ExpectGolden("tree_aufs_changes.txt",
               LayeredTreeText(Ended(Changed()).Tree(), TreeSelection::kChanges, {}));
}

TEST(AufsTree, CountsWhatAufsKeepsForItself) {
  const TreeTotals totals = Ended(Changed()).Tree().totals;
  EXPECT_EQ(totals.whiteouts, 3u);  // of motd, bin (on the plain branch), hosts
  EXPECT_EQ(totals.opaque_marks, 1u);
  EXPECT_EQ(totals.base_entries, 6u);
  EXPECT_EQ(totals.stored_bytes, totals.visible_bytes + totals.hidden_bytes);
}

TEST(AufsTree, LabelsAreIndicesFromTheTop) {
  EXPECT_THAT(Ended(Changed()).Entry("/etc").labels, ElementsAre("b1", "b3", "b4"));
}

TEST(AufsTree, APseudoLinkedNameComesFromTheCopy) {
  const TreeEntry entry = Ended(Changed()).Entry("/two");
  EXPECT_THAT(entry.labels, ElementsAre("b0"));
  EXPECT_THAT(entry.notes, Contains("a pseudo-link, its name is in b4"));
}

TEST(AufsTree, AWhiteoutThatDoesNotCountIsNoted) {
  const TreeEntry entry = Ended(Changed()).Entry("/bin");
  EXPECT_FALSE(entry.whiteout);
  EXPECT_THAT(entry.notes, Contains("b2's whiteout is not honoured"));
}

TEST(AufsTree, ANameWithAnEntryAndAWhiteoutIsAnError) {
  const Ended ended(std::string("scenario 2\nlayer up\nput /f 0644 fill:f:10\nwhiteout /f\n") +
                    "driver aufs\nrawmount M br:@up@=rw\nmerged M\n");
  EXPECT_EQ(ended.Entry("/f").error, Errno::kIo);
  EXPECT_EQ(ended.Tree().totals.hidden_bytes, 10u);
}

TEST(AufsTree, ATooLongNameIsHidden) {
  const Ended ended("scenario 2\nlayer up\nput /" + std::string(250, 'n') +
                    " 0644 fill:f:10\ndriver aufs\nrawmount M br:@up@=rw\nmerged M\n");
  EXPECT_EQ(ended.Entry('/' + std::string(250, 'n')).error, Errno::kNameTooLong);
  EXPECT_EQ(ended.Tree().totals.hidden_bytes, 10u);
}

TEST(AufsTree, LeftoversOfACrashAreHiddenBytes) {
  const TreeTotals totals = Ended(
                                "scenario 2\nlayer up\nput /.wh..wh.big.00ff 0600 fill:b:5000\n"
                                "driver aufs\nrawmount M br:@up@=rw\nmerged M\n")
                                .Tree()
                                .totals;
  EXPECT_EQ(totals.hidden_files, 1u);
  EXPECT_EQ(totals.hidden_bytes, 5000u);
  EXPECT_EQ(totals.stored_bytes, 5000u);
}

TEST(AufsTree, ARenamedDirectoryOfALowerBranchIsNotHidden) {
  const Ended ended(Stack("br:@w1@=rw:@base@=ro+wh,dirren") + "rename /cache /store\n");
  EXPECT_THAT(ended.Entry("/store").notes, Contains("still called /cache in b1"));
  EXPECT_THAT(ended.Entry("/store/a").labels, ElementsAre("b1"));
  EXPECT_TRUE(ended.Entry("/cache").whiteout);
  EXPECT_EQ(ended.Tree().totals.hidden_bytes, 0u);
}

TEST(AufsTree, LookingCopiesNothingUp) {
  const Ended ended(std::string(kLayers) +
                    "driver aufs\nrawmount M br:@w1@=rw:@base@=ro+wh+coo_all\nmerged M\n");
  const TreeTotals before = ended.Tree().totals;
  const TreeTotals after = ended.Tree().totals;
  EXPECT_EQ(after.hidden_bytes, before.hidden_bytes);
  EXPECT_EQ(after.stored_bytes, before.stored_bytes);
  EXPECT_THAT(ended.Entry("/etc").labels, ElementsAre("b1"));
}

TEST(AufsTree, FollowsVerbs) {
  const Ended ended(Stack("br:@w1@=rw:@base@=ro+wh") +
                    "remount M add:1:@image@=ro+wh,mod:@w1@=ro\n");
  EXPECT_THAT(ended.Entry("/cache").labels, ElementsAre("b1"));
  EXPECT_TRUE(ended.Entry("/etc/motd").whiteout);
}

struct Sums {
  std::string name;
  std::string mount;
};

class AufsTreeSums : public ::testing::TestWithParam<Sums> {};

TEST_P(AufsTreeSums, VisibleAndHiddenAreStored) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Ended ended(Stack(GetParam().mount) + "rand ops=200\n", seed);
    const TreeTotals totals = ended.Tree().totals;
    EXPECT_GT(totals.stored_bytes, 0u);
    EXPECT_EQ(totals.visible_bytes + totals.hidden_bytes, totals.stored_bytes) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(
    , AufsTreeSums,
    ::testing::Values(Sums{"tdp", "br:@w1@=rw:@w2@=rw:@plain@=ro:@image@=ro+wh:@base@=ro+wh"},
                      Sums{"rr", "br:@w1@=rw:@image@=ro+wh:@w2@=rw:@base@=ro+wh,create=rr,cpup=bu"},
                      Sums{"noplink", "br:@w1@=rw+nolwh:@base@=ro+wh,noplink,dirwh=0"},
                      Sums{"dirren", "br:@w1@=rw:@w2@=rw:@image@=ro+wh:@base@=ro+wh,dirren"},
                      Sums{"move", "br:@w1@=rw:@w2@=rw+moo:@base@=ro+wh+coo_all"},
                      Sums{"read_only_on_top", "br:@image@=ro+wh:@w1@=rw:@base@=ro+wh"}),
    [](const auto& parameter) { return parameter.param.name; });

// ── Diff ─────────────────────────────────────────────────────────────────────────────────────────

TEST(AufsDiff, OfEveryBranch) {
  const Ended ended(Changed());
  std::string text;
  for (const char* layer : {"w1", "w2", "plain", "image", "base"}) {
    text += std::string("== ") + layer + '\n' + ended.Changes(layer);
  }
  ExpectGolden("diff_aufs.txt", text);
}

TEST(AufsDiff, TheUpperIsTheTopmostWritableBranch) {
  const Ended ended(Stack("br:@plain@=ro:@w2@=rw:@w1@=rw:@base@=ro+wh"));
  EXPECT_EQ(WritableLayer(*ended.run().mount()), "w2");
}

TEST(AufsDiff, AnOpaqueDirectoryDeletesWhatWasBelow) {
  const Ended ended(Stack("br:@image@=ro+wh:@base@=ro+wh"));
  EXPECT_THAT(ended.Changes("image"), HasSubstr("C /cache\nD /cache/a\nD /cache/b\n"));
}

TEST(AufsDiff, APlainBranchDeletesNothing) {
  const Ended ended(Stack("br:@plain@=ro:@base@=ro+wh"));
  EXPECT_THAT(ended.Changes("plain"), IsEmpty());
}

TEST(AufsDiff, ReadingItChangesNoBranch) {
  const Ended ended(Changed());
  const TreeTotals before = ended.Tree().totals;
  ended.Changes("w1");
  ended.Changes("base");
  const TreeTotals after = ended.Tree().totals;
  EXPECT_EQ(after.base_entries, before.base_entries);
  EXPECT_EQ(after.stored_bytes, before.stored_bytes);
}

TEST(AufsDiff, OfTwoTreesLeavesBaseEntriesOut) {
  const Ended ended(Changed());
  const absl::StatusOr<std::vector<LayerChange>> changes =
      CompareLayers(ended.run(), "plain", "w2");
  ASSERT_TRUE(changes.ok()) << changes.status();
  EXPECT_THAT(*changes, Contains(LayerChange{"/.wh.bin", ChangeKind::kDelete}));
  EXPECT_THAT(*changes, ::testing::Not(Contains(LayerChange{"/.wh..wh.aufs", ChangeKind::kAdd})));
}

TEST(AufsDiff, UnknownBranchesAreErrors) {
  const Ended ended(Changed());
  EXPECT_EQ(ChangesOfLayer(ended.run(), "none").status().code(), absl::StatusCode::kNotFound);
}

// ── The column of lamina run ─────────────────────────────────────────────────────────────────────

std::string Column(const Ended& ended, const std::string& path) {
  return BranchSearch().Column(ended.run(), path);
}

TEST(AufsColumn, ShowsTheSearchBranchByBranch) {
  const Ended ended(Changed());
  EXPECT_EQ(Column(ended, "/etc/motd"), "b0·  b1·  b2·  b3⊘");
  EXPECT_EQ(Column(ended, "/etc/hosts"), "b0·  b1⊘");
  EXPECT_EQ(Column(ended, "/cache/a"), "b0·  b1·  b2·  b3✕");
}

TEST(AufsColumn, AFileBetweenDirectoriesIsPassed) {
  EXPECT_EQ(Column(Ended(Changed()), "/kind/below"), "b0·  b1·  b2·  b3·  b4●");
}

TEST(AufsColumn, NoBranchIsAskedForAWhiteoutName) {
  EXPECT_EQ(Column(Ended(Changed()), "/etc/.wh.motd"), "");
}

}  // namespace
}  // namespace lamina::sim
