// Scene: the branches of a mount as the policies of AUFS see them, drawn in a line, and what was
// chosen told in a word: "b1", "EROFS".
#ifndef LAMINA_TESTS_UNION_AUFS_POLICY_SCENE_H_
#define LAMINA_TESTS_UNION_AUFS_POLICY_SCENE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "vfs/union/aufs_policy.h"

namespace lamina {

inline constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
inline constexpr AufsQuirks kManual = {};
inline constexpr AufsQuirks kMarkMustBeWritable = {.override_only_writable = true};

inline constexpr AufsCreatePolicy kTdp = {.kind = AufsCreate::kTopDownParent};
inline constexpr AufsCreatePolicy kRr = {.kind = AufsCreate::kRoundRobin};
inline constexpr AufsCreatePolicy kMfs = {.kind = AufsCreate::kMostFreeSpace};
inline constexpr AufsCreatePolicy kPmfs = {.kind = AufsCreate::kParentMostFreeSpace};
constexpr AufsCreatePolicy MostFree(std::uint32_t seconds) {
  return {.kind = AufsCreate::kMostFreeSpace, .cache_seconds = seconds};
}
constexpr AufsCreatePolicy WithLow(AufsCreate kind, std::uint64_t low_gib) {
  return {.kind = kind, .low_bytes = low_gib * kGiB, .cache_seconds = 0};
}
constexpr AufsCreatePolicy Mfsrr(std::uint64_t low_gib) {
  return WithLow(AufsCreate::kMostFreeSpaceRoundRobin, low_gib);
}
constexpr AufsCreatePolicy Tdmfs(std::uint64_t low_gib) {
  return WithLow(AufsCreate::kTopDownMostFreeSpace, low_gib);
}
constexpr AufsCreatePolicy Pmfsrr(std::uint64_t low_gib) {
  return WithLow(AufsCreate::kParentMostFreeSpaceRoundRobin, low_gib);
}

inline std::string BranchOf(const Result<PolicyChoice>& choice) {
  if (choice.ok()) return 'b' + std::to_string(choice->branch);
  return choice.error() == Errno::kRoFs ? "EROFS" : "another error";
}

// The branches of a mount, drawn topmost first: "rw/d ro" is a writable branch that has the parent
// directory and a read-only one that has not.
struct Scene {
  explicit Scene(const std::string& drawing = "") {
    std::istringstream words(drawing);
    for (std::string word; words >> word;) {
      branches.push_back({.writable = word.starts_with("rw"), .has_parent = word.ends_with("/d")});
    }
    SetBounds();
  }
  void SetBounds() {
    const auto has_parent = [](const PolicyBranch& branch) { return branch.has_parent; };
    const auto first = std::find_if(branches.begin(), branches.end(), has_parent);
    const auto last = std::find_if(branches.rbegin(), branches.rend(), has_parent);
    if (first == branches.end()) return;
    parent_top = static_cast<BranchIndex>(first - branches.begin());
    parent_tail = static_cast<BranchIndex>(branches.rend() - last - 1);
    top = parent_top;
  }
  Result<std::uint64_t> FreeBytes(BranchIndex branch) {
    EXPECT_TRUE(branches[branch].writable);
    ++asked;
    if (branch >= free_gib.size() || free_gib[branch] < 0) return Errno::kIo;
    return static_cast<std::uint64_t>(free_gib[branch]) * kGiB;
  }
  PolicyView View(absl::FunctionRef<Result<std::uint64_t>(BranchIndex)> free_bytes) const {
    return {.branches = branches,
            .parent_top = parent_top,
            .parent_tail = parent_tail,
            .top = top,
            .whiteout = whiteout,
            .parent_opaque = opaque,
            .opaque_above_parent = opaque_above,
            .free_bytes = free_bytes,
            .now = InstantFromSeconds(seconds)};
  }

  Result<PolicyChoice> Choose(const AufsCreatePolicy& policy, bool directory = false,
                              const AufsQuirks& quirks = kManual) {
    const auto free_bytes = [this](BranchIndex branch) { return FreeBytes(branch); };
    return ChooseForCreate(policy, quirks, directory, View(free_bytes), books);
  }
  std::string Create(const AufsCreatePolicy& policy, const AufsQuirks& quirks = kManual) {
    return BranchOf(Choose(policy, false, quirks));
  }
  std::string CopyUp(AufsCopyUp policy) {
    const auto free_bytes = [this](BranchIndex branch) { return FreeBytes(branch); };
    return BranchOf(ChooseForCopyUp(policy, View(free_bytes)));
  }
  std::vector<std::string> CopyUps() {
    return {CopyUp(AufsCopyUp::kTopDownParent), CopyUp(AufsCopyUp::kBottomUpParent),
            CopyUp(AufsCopyUp::kBottomUp)};
  }
  // Chooses and makes, so that turns are taken.
  std::vector<std::string> Make(int count, const AufsCreatePolicy& policy, bool directory = false) {
    std::vector<std::string> made;
    for (int i = 0; i < count; ++i) {
      const Result<PolicyChoice> choice = Choose(policy, directory);
      made.push_back(BranchOf(choice));
      if (choice.ok()) AdvanceRoundRobin(*choice, books);
    }
    return made;
  }

  std::vector<PolicyBranch> branches;
  BranchIndex parent_top = 0;
  BranchIndex parent_tail = 0;
  BranchIndex top = 0;
  std::optional<BranchIndex> whiteout = std::nullopt;
  std::optional<BranchIndex> opaque = std::nullopt;
  std::vector<BranchIndex> opaque_above = {};
  std::vector<int> free_gib = {};  // negative or missing: statfs fails
  std::int64_t seconds = 1000;
  int asked = 0;
  PolicyBooks books;
};

inline Scene SceneOf(const std::string& drawing, std::vector<int> free_gib) {
  Scene scene(drawing);
  scene.free_gib = std::move(free_gib);
  return scene;
}
inline Scene SourceAt(BranchIndex top, const std::string& drawing) {
  Scene scene(drawing);
  scene.top = top;
  return scene;
}

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_AUFS_POLICY_SCENE_H_
