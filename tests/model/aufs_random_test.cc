// Random calls on random unions of AUFS: what must hold whatever the reference says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <set>

#include "sim/model/entry.h"
#include "sim/model/plain_view.h"
#include "tests/model/aufs_drawing.h"

namespace lamina::sim {
namespace {

constexpr int kCases = 40;
constexpr int kCallsPerCase = 40;

// A union between two calls, and how it came to be so.
struct Course {
  PosixModel& model;
  AufsView& view;
  Choose choose;
  const std::vector<AufsView::Content>& contents;  // of the branches, before the first call
  std::string story;
  std::string last;                              // the line of the last call, "" when it was none
  std::map<std::string, std::uint64_t> numbers;  // of what was seen before it
};

using Look = std::function<void(Course& course)>;

std::string StoryOf(const std::vector<AufsView::Content>& branches) {
  std::string text;
  for (const AufsView::Content& branch : branches) {
    text += "branch " + std::to_string(static_cast<int>(branch.mode)) + "\n";
    for (const ModelEntry& entry : DumpView(PlainView(branch.tree))) text += entry.Show() + "\n";
  }
  return text;
}

std::map<std::string, std::uint64_t> NumbersOf(const ModelView& view) {
  std::map<std::string, std::uint64_t> numbers;
  for (const ModelEntry& entry : DumpView(view)) {
    if (entry.found) numbers[entry.path] = entry.identity;
  }
  return numbers;
}

void Step(Course& course, const std::vector<OperationKind>& swarm, Branches branches) {
  if (branches == Branches::kChange && course.choose(6) == 1) {
    const BranchChange change = DrawBranchChange(course.view, course.choose);
    course.story += change.Show() + "\n";
    const Result<void> changed = ApplyBranchChange(course.view, change);
    course.story += changed.ok() ? "" : "  refused\n";
    return;
  }
  const ModelOperation call =
      WithOddName(DrawOperation(course.model, swarm, course.choose), course.choose);
  if (!IsSettled(course.model, call)) return;
  course.last = call.Show();
  course.story += course.last + " = " + ApplyOperation(course.model, call).Show() + "\n";
}

// Looks after each step; stops at the first failure.
void LookAfterEachStep(Branches branches, const Look& look) {
  std::mt19937 random(20261125);
  const Choose choose = [&](int count) { return static_cast<int>(random() % count); };
  for (int i = 0; i < kCases; ++i) {
    const std::vector<AufsView::Content> contents = ContentsOf(DrawBranches(choose));
    PosixModel model(std::make_unique<AufsView>(contents));
    Course course{
        model, dynamic_cast<AufsView&>(model.view()), choose, contents, StoryOf(contents), "", {}};
    const std::vector<OperationKind> swarm = DrawSwarm(choose);
    for (int j = 0; j < kCallsPerCase; ++j) {
      course.last.clear();
      course.numbers = NumbersOf(course.view);
      Step(course, swarm, branches);
      look(course);
      ASSERT_FALSE(testing::Test::HasFailure()) << course.story;
    }
  }
}

// Every listed name is found with its type, and no other name is.
void ExpectListIsLookUp(Course& course) {
  std::set<std::string> listed;
  for (const ModelEntry& entry : DumpView(course.view)) {
    listed.insert(entry.path);
    if (entry.found) continue;
    const Result<void> refused = course.view.CheckLookUp(entry.path);
    EXPECT_FALSE(refused.ok()) << entry.path << " is listed only";
  }
  for (const std::string& dir : std::set<std::string>(listed)) {
    const ModelInode* inode = course.view.Find(dir);
    if (inode == nullptr || !inode->is_directory()) continue;
    for (const ListedName& entry : course.view.List(dir)) {
      const ModelInode* found = course.view.Find(JoinPath(dir, entry.name));
      EXPECT_TRUE(found == nullptr || found->type == entry.type) << dir << "/" << entry.name;
    }
    for (const std::string name : {"a", "b", "c", "d"}) {
      const std::string path = JoinPath(dir, name);
      if (!course.view.CheckLookUp(path).ok()) continue;
      EXPECT_EQ(course.view.Find(path) != nullptr, listed.contains(path)) << path;
    }
  }
}

TEST(AufsRandom, WhatIsListedIsFound) { LookAfterEachStep(Branches::kStay, ExpectListIsLookUp); }

TEST(AufsRandom, WhatIsListedIsFoundAfterChangesOfTheBranches) {
  LookAfterEachStep(Branches::kChange, ExpectListIsLookUp);
}

// What is seen apart from link counts and times: those of directories depend on the branches.
std::vector<ModelEntry> DumpOfContent(const AufsView& view) {
  std::vector<ModelEntry> dump = DumpView(view);
  for (ModelEntry& entry : dump) {
    entry.links = 0;
    entry.inode.mtime_ns = 0;
  }
  return dump;
}

// Any name to a free one in the same directory and back again, on a copy of the union.
void ExpectRenameThereAndBack(Course& course) {
  std::vector<std::string> paths;
  for (const ModelEntry& entry : DumpView(course.view)) {
    if (entry.found && entry.path != "/") paths.push_back(entry.path);
  }
  if (paths.empty()) return;
  const int index = course.choose(static_cast<int>(paths.size()));
  const std::string& from = paths.at(static_cast<std::size_t>(index));
  const std::string to = JoinPath(ParentPath(from), "free");
  PosixModel there = course.model;
  there.Become(0, 0);
  if (!there.IsMoveSettled(from, to)) return;
  if (!there.Rename(from, to, ModelRename::kNoReplace).ok()) return;
  EXPECT_EQ(there.view().Find(from), nullptr);
  const Result<void> back = there.Rename(to, from, ModelRename::kNoReplace);
  EXPECT_TRUE(back.ok()) << from;
  const auto& view = dynamic_cast<const AufsView&>(there.view());
  EXPECT_EQ(CompareDumps(DumpOfContent(course.view), DumpOfContent(view)), "") << from;
}

TEST(AufsRandom, ARenameThereAndBackChangesNothing) {
  LookAfterEachStep(Branches::kStay, ExpectRenameThereAndBack);
}

void ExpectOldReadOnlyBranches(Course& course) {
  for (std::size_t index = 0; index < course.contents.size(); ++index) {
    const AufsView::Content& before = course.contents[index];
    if (before.mode == ModelBranchMode::kReadWrite) continue;
    const std::vector<ModelEntry> now = DumpView(PlainView(course.view.branch(index)));
    EXPECT_EQ(CompareDumps(DumpView(PlainView(before.tree)), now), "");
  }
}

TEST(AufsRandom, BranchesThatAreNotWritableNeverChange) {
  LookAfterEachStep(Branches::kStay, ExpectOldReadOnlyBranches);
}

// Copied, linked, read and changed, a file stays itself.
void ExpectNumbersStay(Course& course) {
  if (course.last.starts_with("rename") || course.last.starts_with("umount")) return;
  const std::map<std::string, std::uint64_t> now = NumbersOf(course.view);
  for (const auto& [path, number] : course.numbers) {
    const auto found = now.find(path);
    EXPECT_TRUE(found == now.end() || found->second == number) << path;
  }
}

TEST(AufsRandom, NumbersOfNamesInPlaceStay) {
  LookAfterEachStep(Branches::kStay, ExpectNumbersStay);
}

}  // namespace
}  // namespace lamina::sim
