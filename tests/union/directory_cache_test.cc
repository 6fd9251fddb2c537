// What a union remembers of directories (vfs/union/directory_cache.h): what a second question
// costs, and what makes it ask anew. That the answers are right is in
// directory_cache_random_test.cc.
#include "vfs/union/directory_cache.h"

#include <deque>

#include "tests/union/counting_branch.h"
#include "tests/union/overlay_stack.h"
#include "vfs/union/union_node.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// An overlay whose branches count. Each branch has /d and /e, each lower /f and /d/f.
class CountedStack {
 public:
  // `layers`: with the upper.
  CountedStack(int layers, bool frozen) : stack_(layers - 1) {
    for (int i = 0; i < layers - 1; ++i) {
      const std::unique_ptr<Process> lower = stack_.OnLower(i);
      PutFile(*lower, "/f", "f");
      EXPECT_TRUE(lower->Mkdir("/d", 0755).ok());
      EXPECT_TRUE(lower->Mkdir("/e", 0755).ok());
      PutFile(*lower, "/d/f", "f");
      if (frozen) stack_.lower(i).Freeze();
      branches_.emplace_back(stack_.lower(i));
    }
    EXPECT_TRUE(stack_.OnHome()->Mkdir("/upper/d", 0755).ok());
    EXPECT_TRUE(stack_.OnHome()->Mkdir("/upper/e", 0755).ok());
    branches_.emplace_back(stack_.failing());
    OverlayMount mount = stack_.Request();
    for (int i = 0; i < layers - 1; ++i) {
      mount.lowers[static_cast<std::size_t>(i)].fs = &branches_[static_cast<std::size_t>(i)];
    }
    mount.upper->fs = mount.work->fs = &branches_.back();
    stack_.Mount(mount);
  }

  Process& process() { return stack_.process(); }
  OverlayStack& stack() { return stack_; }

  // Branch lookups that a stat of this path takes.
  std::uint64_t LookupsOf(std::string_view path) {
    const std::uint64_t before = Sum(&CountingBranch::lookups);
    (void)process().GetStat(path, LastLink::kKeep);
    return Sum(&CountingBranch::lookups) - before;
  }
  // Branch directory reads that a listing takes.
  std::uint64_t ReadsOf(std::string_view path) {
    const std::uint64_t before = Sum(&CountingBranch::dir_reads);
    EXPECT_TRUE(process().ListDirectory(path).ok());
    return Sum(&CountingBranch::dir_reads) - before;
  }

 private:
  std::uint64_t Sum(std::uint64_t CountingBranch::*counter) const {
    std::uint64_t sum = 0;
    for (const CountingBranch& branch : branches_) sum += branch.*counter;
    return sum;
  }

  OverlayStack stack_;
  std::deque<CountingBranch> branches_;
};

// ── Missing names ──────────────────────────────────────────────────────────────────────────────

struct Shape {
  std::string name;
  int layers;
  bool frozen;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

class MissingName : public testing::TestWithParam<Shape> {};

TEST_P(MissingName, CostsNoBranchLookupTheSecondTime) {
  CountedStack counted(GetParam().layers, GetParam().frozen);
  EXPECT_GE(counted.LookupsOf("/none"), static_cast<std::uint64_t>(GetParam().layers));
  EXPECT_EQ(counted.LookupsOf("/none"), 0u);
  EXPECT_EQ(counted.LookupsOf("/another"), 0u);  // the names were read for it
  counted.LookupsOf("/d/none");
  EXPECT_EQ(counted.LookupsOf("/d/none"), 0u);
  EXPECT_EQ(counted.LookupsOf("/d/another"), 0u);
}

TEST_P(MissingName, CostsNoneAfterChangesOfOtherDirectoriesOrOfOtherNames) {
  CountedStack counted(GetParam().layers, GetParam().frozen);
  ASSERT_TRUE(counted.process().GetStat("/d", LastLink::kKeep).ok());
  counted.LookupsOf("/none");
  counted.LookupsOf("/d/none");
  PutFile(counted.process(), "/made", "m");
  PutFile(counted.process(), "/e/made", "m");
  ASSERT_TRUE(counted.process().Unlink("/f").ok());
  ASSERT_TRUE(counted.process().Chmod("/d", 0700).ok());  // copied up
  EXPECT_EQ(counted.LookupsOf("/none"), 0u);
  EXPECT_EQ(counted.LookupsOf("/d/none"), 0u);
}

TEST_P(MissingName, IsFoundOnceItWasMade) {
  CountedStack counted(GetParam().layers, GetParam().frozen);
  counted.LookupsOf("/none");
  ASSERT_EQ(counted.LookupsOf("/none"), 0u);
  PutFile(counted.process(), "/none", "made");
  EXPECT_EQ(*counted.process().ReadFile("/none"), "made");
  ASSERT_TRUE(counted.process().Unlink("/none").ok());
  EXPECT_FALSE(counted.process().GetStat("/none", LastLink::kKeep).ok());
}

INSTANTIATE_TEST_SUITE_P(Of, MissingName,
                         testing::Values(Shape{"FourLayers", 4, false},
                                         Shape{"FourFrozenLayers", 4, true},
                                         Shape{"ThirtyTwoLayers", 32, false},
                                         Shape{"ThirtyTwoFrozenLayers", 32, true},
                                         Shape{"FiveHundredLayers", 500, false},
                                         Shape{"FiveHundredFrozenLayers", 500, true}),
                         [](const auto& tested) { return tested.param.name; });

TEST(MissingNameOfFewBranches, IsAskedEachTime) {
  CountedStack counted(3, false);
  EXPECT_EQ(counted.LookupsOf("/none"), 3u);
  EXPECT_EQ(counted.LookupsOf("/none"), 3u);
}

// An unfrozen lower that changes elsewhere is asked how its directory is, not for the name.
TEST(MissingNameOfAChangingLower, CostsNoLookupWhenAnotherDirectoryChanged) {
  CountedStack counted(8, false);
  counted.LookupsOf("/d/none");
  ASSERT_EQ(counted.LookupsOf("/d/none"), 0u);
  PutFile(*counted.stack().OnLower(3), "/e/direct", "x");
  EXPECT_EQ(counted.LookupsOf("/d/none"), 0u);
}

TEST(MissingNameOfAChangingLower, IsFoundWhenItIsPutThere) {
  CountedStack counted(8, false);
  counted.LookupsOf("/d/none");
  PutFile(*counted.stack().OnLower(3), "/d/none", "direct");
  EXPECT_TRUE(counted.process().GetStat("/d/none", LastLink::kKeep).ok());
  counted.LookupsOf("/later");
  PutFile(*counted.stack().OnHome(), "/upper/later", "direct");
  EXPECT_TRUE(counted.process().GetStat("/later", LastLink::kKeep).ok());
}

// What somebody else did is not taken for what the union did to the same directory after it.
TEST(MissingNameOfAChangingLower, IsFoundWhenTheUnionChangedTheDirectoryAfterwards) {
  CountedStack counted(8, false);
  counted.LookupsOf("/d/none");
  ASSERT_EQ(counted.LookupsOf("/d/none"), 0u);
  PutFile(*counted.stack().OnLower(3), "/d/none", "direct");
  PutFile(counted.process(), "/d/made", "m");
  const Result<std::string> found = counted.process().ReadFile("/d/none");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, "direct");
}

// ── Listings ───────────────────────────────────────────────────────────────────────────────────

TEST(SecondListing, ReadsNoBranchDirectory) {
  CountedStack counted(8, false);
  EXPECT_EQ(counted.ReadsOf("/"), 8u);
  EXPECT_EQ(counted.ReadsOf("/"), 0u);
  EXPECT_GE(counted.ReadsOf("/d"), 7u);
  EXPECT_EQ(counted.ReadsOf("/d"), 0u);
  EXPECT_EQ(counted.ReadsOf("/"), 0u);
  EXPECT_THAT(NamesIn(counted.process(), "/"), ElementsAre("d", "e", "f"));
}

TEST(SecondListing, ReadsNoneAfterAChangeOfAnotherDirectory) {
  CountedStack counted(8, false);
  ASSERT_TRUE(counted.process().Chmod("/e", 0700).ok());
  counted.ReadsOf("/d");
  PutFile(counted.process(), "/e/made", "m");
  PutFile(*counted.stack().OnLower(0), "/e/direct", "x");
  EXPECT_EQ(counted.ReadsOf("/d"), 0u);
}

TEST(SecondListing, ShowsWhatTheUnionChanged) {
  CountedStack counted(8, false);
  counted.ReadsOf("/d");
  PutFile(counted.process(), "/d/made", "m");
  EXPECT_THAT(NamesIn(counted.process(), "/d"), ElementsAre("f", "made"));
  ASSERT_TRUE(counted.process().Unlink("/d/f").ok());
  EXPECT_THAT(NamesIn(counted.process(), "/d"), ElementsAre("made"));
  ASSERT_TRUE(counted.process().Rename("/d/made", "/d/moved", RenameMode::kReplace).ok());
  EXPECT_THAT(NamesIn(counted.process(), "/d"), ElementsAre("moved"));
}

TEST(SecondListing, ShowsWhatWasPutIntoABranch) {
  CountedStack counted(8, false);
  counted.ReadsOf("/d");
  PutFile(*counted.stack().OnLower(6), "/d/direct", "x");
  EXPECT_THAT(NamesIn(counted.process(), "/d"), ElementsAre("direct", "f"));
}

TEST(SecondListing, OfAnEmptyDirectoryShowsWhatWasPutIntoABranch) {
  CountedStack counted(8, false);
  ASSERT_THAT(NamesIn(counted.process(), "/e"), IsEmpty());
  PutFile(*counted.stack().OnLower(6), "/e/direct", "x");
  EXPECT_THAT(NamesIn(counted.process(), "/e"), ElementsAre("direct"));
}

// Whether the listing of /d gives each name the inode number that a stat gives.
bool ListsTheNumbersOfStat(Process& process) {
  const Result<std::vector<ProcessEntry>> entries = process.ListDirectory("/d");
  if (!entries.ok() || entries->empty()) return false;
  for (const ProcessEntry& entry : *entries) {
    const Result<Stat> stat = process.GetStat("/d/" + entry.name, LastLink::kKeep);
    if (!stat.ok() || stat->ino != entry.ino) return false;
  }
  return true;
}

// All branches on one file system, where readdir tells the numbers of stat. The copy of a hard link
// gets a number of its own.
TEST(SecondListing, ShowsTheInodeNumberOfACopy) {
  OverlayStack stack(1);
  const std::unique_ptr<Process> home = stack.OnHome();
  ASSERT_TRUE(home->Mkdir("/lower", 0755).ok());
  ASSERT_TRUE(home->Mkdir("/lower/d", 0755).ok());
  PutFile(*home, "/lower/d/a", "x");
  PutFile(*home, "/lower/d/c", "x");
  ASSERT_TRUE(home->Link("/lower/d/a", "/lower/d/b", LastLink::kKeep).ok());
  ASSERT_TRUE(home->Mkdir("/upper/d", 0755).ok());
  OverlayMount mount = stack.Request();
  mount.lowers = {stack.HomeDirectory("lower")};
  stack.Mount(mount);
  EXPECT_TRUE(ListsTheNumbersOfStat(stack.process()));
  ASSERT_TRUE(stack.process().Chmod("/d/a", 0600).ok());
  EXPECT_TRUE(ListsTheNumbersOfStat(stack.process()));
  ASSERT_TRUE(stack.process().Rename("/d/c", "/d/b", RenameMode::kReplace).ok());
  EXPECT_TRUE(ListsTheNumbersOfStat(stack.process()));
}

// ── The budget ─────────────────────────────────────────────────────────────────────────────────

// Puts a listing of a quarter of the budget into the cache of `node`.
void Fill(DirectoryCaches& caches, UnionNode& node) {
  static const std::shared_ptr<MergedListing>& quarter = *new std::shared_ptr<MergedListing>([] {
    auto listing = std::make_shared<MergedListing>();
    listing->entries.resize(DirectoryCaches::kBudgetEntries / 4);
    return listing;
  }());
  caches.Of(node).listing = quarter;
  caches.Charge(node);
}

TEST(DirectoryCachesBudget, KeepsWhatFits) {
  DirectoryCaches caches;
  std::vector<UnionNode> nodes(4);
  EXPECT_TRUE(caches.empty());
  for (UnionNode& node : nodes) Fill(caches, node);
  EXPECT_FALSE(caches.empty());
  for (UnionNode& node : nodes) EXPECT_NE(node.cache, nullptr);
}

TEST(DirectoryCachesBudget, DropsTheLeastRecentlyUsed) {
  DirectoryCaches caches;
  std::vector<UnionNode> nodes(6);
  for (std::size_t i = 0; i < 4; ++i) Fill(caches, nodes[i]);
  caches.Of(nodes[0]);  // used again
  Fill(caches, nodes[4]);
  EXPECT_NE(nodes[0].cache, nullptr);
  EXPECT_EQ(nodes[1].cache, nullptr);
  EXPECT_NE(nodes[2].cache, nullptr);
  Fill(caches, nodes[5]);
  EXPECT_NE(nodes[0].cache, nullptr);
  EXPECT_EQ(nodes[2].cache, nullptr);
  EXPECT_NE(nodes[3].cache, nullptr);
  EXPECT_NE(nodes[4].cache, nullptr);
}

TEST(DirectoryCachesBudget, CountsADirectoryOnceHoweverOftenItIsCharged) {
  DirectoryCaches caches;
  std::vector<UnionNode> nodes(4);
  for (UnionNode& node : nodes) Fill(caches, node);
  for (UnionNode& node : nodes) Fill(caches, node);
  for (UnionNode& node : nodes) EXPECT_NE(node.cache, nullptr);
}

TEST(DirectoryCachesBudget, GivesBackWhatIsDropped) {
  DirectoryCaches caches;
  std::vector<UnionNode> nodes(6);
  for (std::size_t i = 0; i < 4; ++i) Fill(caches, nodes[i]);
  caches.Drop(nodes[3]);
  caches.Drop(nodes[3]);  // nothing is there any more
  Fill(caches, nodes[4]);
  EXPECT_NE(nodes[0].cache, nullptr);
  nodes[1].cache->listing.reset();
  caches.Charge(nodes[1]);  // smaller than before
  Fill(caches, nodes[5]);
  EXPECT_NE(nodes[0].cache, nullptr);
  for (UnionNode& node : nodes) caches.Drop(node);
  EXPECT_TRUE(caches.empty());
}

TEST(DirectoryCachesBudget, KeepsTheOneInUseWhateverItsSize) {
  DirectoryCaches caches;
  std::vector<UnionNode> nodes(2);
  Fill(caches, nodes[0]);
  auto listing = std::make_shared<MergedListing>();
  listing->entries.resize(DirectoryCaches::kBudgetEntries + 1);
  caches.Of(nodes[1]).listing = listing;
  caches.Charge(nodes[1]);
  EXPECT_EQ(nodes[0].cache, nullptr);
  EXPECT_NE(nodes[1].cache, nullptr);
}

TEST(DirectoryCacheNames, MayHoldWhatWasAddedAndNothingBeforeTheyWereRead) {
  DirectoryCache cache;
  cache.Add("early");
  EXPECT_EQ(cache.entries(), 0u);
  cache.has_names = true;
  cache.Add("a");
  cache.Add("a");
  EXPECT_TRUE(cache.MayHold("a"));
  EXPECT_FALSE(cache.MayHold("early"));
  EXPECT_EQ(cache.entries(), 1u);
}

}  // namespace
}  // namespace lamina
