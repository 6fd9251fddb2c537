// What must hold for every stack and whatever was called.
#include "tests/facade/random_stack.h"

#include <map>
#include <set>
#include <tuple>

#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

constexpr std::uint64_t kStacks = 60;
constexpr int kCalls = 25;

struct Outcome {
  int error = 0;
  std::uint64_t ino = 0;
  FileType type{};
  std::uint64_t size_bytes = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome OutcomeOf(const absl::StatusOr<Stat>& stat) {
  if (!stat.ok()) return {.error = ErrnoOf(stat.status())};
  return {0, stat->ino, stat->type, stat->size_bytes};
}

class RandomStacks : public ::testing::TestWithParam<std::tuple<UnionDialect, std::uint64_t>> {
 protected:
  RandomStacks() : stack_(std::get<1>(GetParam()), std::get<0>(GetParam())), fs_(stack_.Mount()) {
    for (int i = 0; i < kCalls; ++i) {
      stack_.Act(*fs_);
      // A directory that waits in another one to be emptied would keep that one.
      EXPECT_THAT(fs_->RunDeferred(), IsOk());
    }
  }

  // Paths for which Explain says something else than Lstat.
  static std::vector<std::string> Disagreements(const LayeredFs& fs) {
    std::vector<std::string> wrong;
    for (const std::string& path : RandomStack::Paths()) {
      const absl::StatusOr<Explanation> explained = fs.Explain(path);
      const Outcome real = OutcomeOf(fs.Lstat(path));
      if (explained.ok() && OutcomeOf(explained->answer()) == real) continue;
      wrong.push_back(path);
    }
    return wrong;
  }

  // Paths whose explanation names another layer than the union itself.
  static std::vector<std::string> WrongLayers(const LayeredFs& fs) {
    std::vector<std::string> wrong;
    for (const std::string& path : RandomStack::Paths()) {
      const absl::StatusOr<Explanation> explained = fs.Explain(path);
      if (!explained.ok() || !explained->answer().ok()) continue;
      const Result<BranchIndex> branch = fs.union_fs().SourceBranch(explained->answer()->node);
      const bool right =
          branch.ok() && fs.union_fs().branches()[*branch].name == explained->layer();
      if (!right) wrong.push_back(path);
    }
    return wrong;
  }

  // Paths that can be looked up: without the whiteouts that a directory of one layer lists.
  static std::set<std::string> VisiblePaths(const TreeView& view) {
    std::set<std::string> visible;
    const absl::StatusOr<std::vector<std::string>> paths = view.AllPaths();
    if (!paths.ok()) return visible;
    for (const std::string& path : *paths) {
      if (view.Lstat(path).ok()) visible.insert(path);
    }
    return visible;
  }

  // What came and what went, from two whole trees; of a tree that went only the top.
  static std::vector<LayerChange> CameAndWent(const std::set<std::string>& before,
                                              const std::set<std::string>& after) {
    std::vector<LayerChange> changes;
    for (const std::string& path : after) {
      if (!before.contains(path)) changes.push_back(Added(path));
    }
    for (const std::string& path : before) {
      const std::string parent = path.substr(0, path.rfind('/'));
      const bool parent_left = parent.empty() || after.contains(parent);
      if (!after.contains(path) && parent_left) changes.push_back(Deleted(path));
    }
    return changes;
  }

  RandomStack stack_;
  FsPtr fs_;
};

TEST_P(RandomStacks, ExplainAgreesWithLstat) {
  EXPECT_THAT(Disagreements(*fs_), ::testing::IsEmpty());
  EXPECT_THAT(Disagreements(fs_->As(UserCredentials(1000, 1000))), ::testing::IsEmpty());
  EXPECT_THAT(WrongLayers(*fs_), ::testing::IsEmpty());
}

TEST_P(RandomStacks, KeepTheInvariants) { EXPECT_THAT(fs_->CheckInvariants(), IsOk()); }

// Against a comparison of the two whole trees. A directory that became something else is a change,
// and what was in it is not listed.
TEST_P(RandomStacks, DiffAgreesWithTheTrees) {
  const Result<sim::LowerView> lower = sim::MountLowerView(fs_->union_fs());
  ASSERT_TRUE(lower.ok());
  const TreeView below(*lower->fs, lower->fs->root(), "lower");
  std::vector<LayerChange> expected = CameAndWent(VisiblePaths(below), VisiblePaths(fs_->Merged()));
  std::erase_if(expected, [&](const LayerChange& change) {
    const std::string parent = change.path.substr(0, change.path.rfind('/'));
    return change.kind == ChangeKind::kDelete && !parent.empty() &&
           fs_->Merged().Lstat(parent)->type != FileType::kDirectory;
  });
  absl::StatusOr<std::vector<LayerChange>> changes = fs_->Diff();
  ASSERT_THAT(changes, IsOk());
  std::erase_if(*changes,
                [](const LayerChange& change) { return change.kind == ChangeKind::kModify; });
  EXPECT_THAT(*changes, ::testing::UnorderedElementsAreArray(expected));
}

class RandomAufsStacks : public RandomStacks {
 protected:
  using Facts = std::tuple<FileType, std::uint16_t, std::uint64_t>;

  // Of what can be seen: type, mode and size. Without hard links, of which an AUFS keeps track only
  // while it is mounted.
  static std::map<std::string, Facts> FactsOf(const TreeView& view) {
    std::map<std::string, Facts> facts;
    for (const std::string& path : VisiblePaths(view)) {
      const absl::StatusOr<Stat> stat = view.Lstat(path);
      const std::uint64_t size = stat->type == FileType::kDirectory ? 0 : stat->size_bytes;
      facts.emplace(path, Facts(stat->type, stat->mode, size));
    }
    return facts;
  }
};

TEST_P(RandomAufsStacks, AreTheSameAfterARestart) {
  ASSERT_THAT(fs_->FlushPseudoLinks(), IsOk());
  FsPtr next = *Reopen(fs_->Crash());
  EXPECT_EQ(FactsOf(next->Merged()), FactsOf(fs_->Merged()));
  EXPECT_THAT(next->CheckInvariants(), IsOk());
}

INSTANTIATE_TEST_SUITE_P(Overlay, RandomStacks,
                         ::testing::Combine(::testing::Values(UnionDialect::kOverlay),
                                            ::testing::Range(std::uint64_t{0}, kStacks)));
INSTANTIATE_TEST_SUITE_P(Aufs, RandomStacks,
                         ::testing::Combine(::testing::Values(UnionDialect::kAufs),
                                            ::testing::Range(std::uint64_t{0}, kStacks)));
INSTANTIATE_TEST_SUITE_P(Aufs, RandomAufsStacks,
                         ::testing::Combine(::testing::Values(UnionDialect::kAufs),
                                            ::testing::Range(std::uint64_t{0}, kStacks)));

TEST(RandomStackPaths, AreManyEnough) { EXPECT_GE(kStacks * RandomStack::Paths().size(), 2000u); }

}  // namespace
}  // namespace lamina::testing
