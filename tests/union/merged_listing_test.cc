#include "vfs/union/merged_listing.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;

using BranchNames = std::vector<std::vector<std::string>>;  // topmost first

// "name@branch" of every entry, in order. The inode number of an entry is its branch's, too.
std::vector<std::string> Shown(const MergedListing& listing) {
  std::vector<std::string> shown;
  for (const ListedEntry& entry : listing.entries) {
    EXPECT_EQ(entry.ino, entry.branch);
    shown.push_back(std::string(listing.name(entry)) + '@' + std::to_string(entry.branch));
  }
  return shown;
}

std::vector<std::string> Merged(const BranchNames& branches, std::size_t expected = 0) {
  ListingMerge merge(expected);
  for (std::size_t branch = 0; branch < branches.size(); ++branch) {
    merge.Begin(static_cast<BranchIndex>(branch), branch + 1 == branches.size());
    for (const std::string& name : branches[branch]) merge.Add(name, FileType::kRegular, branch);
  }
  return Shown(std::move(merge).Take());
}

// The same, by looking through everything.
std::vector<std::string> MergedPlainly(const BranchNames& branches) {
  std::vector<std::string> rest;
  std::vector<std::string> names;
  std::vector<std::string> shown;
  const auto first_with = [&](const std::string& name) {
    std::size_t branch = 0;
    while (std::count(branches[branch].begin(), branches[branch].end(), name) == 0) ++branch;
    return name + '@' + std::to_string(branch);
  };
  for (const std::string& name : branches.back()) shown.push_back(first_with(name));
  for (const std::vector<std::string>& branch : branches) {
    for (const std::string& name : branch) {
      const std::string entry = first_with(name);
      if (std::count(shown.begin(), shown.end(), entry) == 0) shown.push_back(entry);
    }
  }
  return shown;
}

TEST(MergedListing, OfOneBranchIsTheBranchs) {
  EXPECT_THAT(Merged({{"b", "a"}}), ElementsAre("b@0", "a@0"));
}

TEST(MergedListing, TheTopmostBranchDecidesAndTheLowestGivesTheOrder) {
  EXPECT_THAT(Merged({{"new", "c", "a"}, {"mid", "b"}, {"a", "b", "c"}}),
              ElementsAre("a@0", "b@1", "c@0", "new@0", "mid@1"));
}

TEST(MergedListing, NamesInTheSameOrderAreOneEntryEach) {
  EXPECT_THAT(Merged({{"a", "b", "c"}, {"a", "b", "c"}}), ElementsAre("a@0", "b@0", "c@0"));
}

TEST(MergedListing, ABranchThatBeginsOnceMoreFindsItsOwnNames) {
  ListingMerge merge(0);
  merge.Begin(0, true);
  merge.Add("a", FileType::kRegular, 0);
  merge.Add("b", FileType::kRegular, 0);
  merge.Begin(0, true);
  EXPECT_EQ(merge.Add("b", FileType::kRegular, 0), std::nullopt);
  EXPECT_EQ(merge.Add("c", FileType::kRegular, 0), 2U);
  EXPECT_THAT(Shown(std::move(merge).Take()), ElementsAre("a@0", "b@0", "c@0"));
}

TEST(MergedListing, NamesOfEveryLengthAreKept) {
  const std::vector<std::string> names = {std::string(255, 'x'), "y", std::string(255, 'z')};
  EXPECT_THAT(Merged({names, {}}), ElementsAre(names[0] + "@0", names[1] + "@0", names[2] + "@0"));
}

TEST(MergedListing, RandomBranchesAgreeWithLookingThroughEverything) {
  std::mt19937_64 random(20261124);
  for (int round = 0; round < 400; ++round) {
    BranchNames branches(1 + random() % 5);
    const std::size_t pool = 1 + random() % 40;
    const std::uint64_t kept_in_order = random() % 2;
    for (std::vector<std::string>& branch : branches) {
      for (std::size_t name = 0; name < pool; ++name) {
        if (random() % 3 != 0) branch.push_back("n" + std::to_string(name));
      }
      if (kept_in_order == 0) std::shuffle(branch.begin(), branch.end(), random);
    }
    EXPECT_EQ(Merged(branches, random() % 50), MergedPlainly(branches)) << "round " << round;
  }
}

}  // namespace
}  // namespace lamina
