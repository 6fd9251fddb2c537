// The policies of AUFS on random mounts, compared with a plain reading of the rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/union/aufs_policy_scene.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;

// Every rule as a list of branches, the best first.
class PlainPolicies {
 public:
  explicit PlainPolicies(const Scene& scene) : scene_(scene) {}

  std::string Tdp() const { return Name(TdpIndex()); }
  std::string Bup() const {
    std::vector<int> best;
    for (int branch = scene_.top; branch >= scene_.parent_top; --branch) {
      if (HasParent(branch)) best.push_back(branch);
    }
    for (int branch = scene_.parent_top - 1; branch >= 0; --branch) best.push_back(branch);
    return Name(FirstWritable(best));
  }
  std::string Bu() const { return Name(FirstWritable(Upwards(scene_.top))); }
  std::string Mfs(bool ask_policy) const {
    if (const std::optional<int> mark = Mark(ask_policy)) return Name(*mark);
    std::vector<int> best = Upwards(static_cast<int>(scene_.branches.size()) - 1);
    SortByFree(best);
    return Name(NonOpaque(FirstWritable(best)));
  }
  std::string Pmfs(bool ask_policy) const {
    if (const std::optional<int> mark = Mark(ask_policy)) return Name(*mark);
    const int tdp = TdpIndex();
    if (tdp < 0 || !IsWritable(tdp)) return Name(-1);
    std::vector<int> parents;
    for (int branch = scene_.parent_top; branch <= scene_.parent_tail; ++branch) {
      if (HasParent(branch)) parents.push_back(branch);
    }
    if (parents.size() == 1) return Name(tdp);
    parents.insert(parents.begin(), tdp);
    SortByFree(parents);
    return Name(NonOpaque(FirstWritable(parents)));
  }

 private:
  bool IsWritable(int branch) const {
    return scene_.branches[static_cast<std::size_t>(branch)].writable;
  }
  bool HasParent(int branch) const {
    return scene_.branches[static_cast<std::size_t>(branch)].has_parent;
  }
  std::string Name(int branch) const {
    return branch >= 0 && IsWritable(branch) ? 'b' + std::to_string(branch) : "EROFS";
  }
  static std::vector<int> Upwards(int from) {
    std::vector<int> branches;
    for (int branch = from; branch >= 0; --branch) branches.push_back(branch);
    return branches;
  }
  int FirstWritable(const std::vector<int>& best) const {
    const auto found =
        std::find_if(best.begin(), best.end(), [&](int branch) { return IsWritable(branch); });
    return found == best.end() ? -1 : *found;
  }
  int NonOpaque(int branch) const {
    for (const int opaque : scene_.opaque_above) {
      if (opaque < branch) return NonOpaque(opaque);
    }
    return branch;
  }
  // Equals keep their order.
  void SortByFree(std::vector<int>& branches) const {
    std::stable_sort(branches.begin(), branches.end(), [&](int left, int right) {
      const auto free = [&](int branch) {
        return std::max(0, scene_.free_gib[static_cast<std::size_t>(branch)]);
      };
      return free(left) > free(right);
    });
  }
  int TdpIndex() const {
    std::vector<int> best = {scene_.top};
    for (int branch = scene_.parent_top; branch < scene_.top; ++branch) {
      if (HasParent(branch)) best.push_back(branch);
    }
    const int with_parent = FirstWritable(best);
    return with_parent >= 0 ? with_parent : NonOpaque(FirstWritable(Upwards(scene_.top - 1)));
  }
  std::optional<int> Mark(bool ask_policy) const {
    std::vector<int> marks;
    if (scene_.whiteout) marks.push_back(*scene_.whiteout);
    if (scene_.opaque) marks.push_back(*scene_.opaque);
    if (marks.empty()) return std::nullopt;
    const int mark = NonOpaque(*std::min_element(marks.begin(), marks.end()));
    if (!IsWritable(mark) && ask_policy) return std::nullopt;
    return FirstWritable(Upwards(mark));
  }

  const Scene& scene_;
};

class RandomScenes {
 public:
  // A mount of up to eight branches, with the parent directory in one of them at least.
  Scene Next() {
    Scene scene;
    const BranchIndex count = Between(1, 8);
    for (BranchIndex branch = 0; branch < count; ++branch) {
      scene.branches.push_back({.writable = OneIn(2), .has_parent = OneIn(2)});
      scene.free_gib.push_back(Between(0, 4) - 1);
    }
    scene.branches[Between(0, count - 1)].has_parent = true;
    scene.SetBounds();
    if (OneIn(4)) scene.parent_tail = Between(scene.parent_top, count - 1);
    if (OneIn(4)) scene.whiteout = Between(scene.parent_top, count - 1);
    if (OneIn(4)) scene.opaque = Between(scene.parent_top, count - 1);
    for (int opaque = Between(0, 4) - 2; opaque > 0; --opaque) {
      scene.opaque_above.push_back(Between(scene.parent_top, count - 1));
    }
    return scene;
  }
  BranchIndex Between(int least, int most) {
    return static_cast<BranchIndex>(static_cast<std::uint64_t>(least) +
                                    random_() % (static_cast<std::uint64_t>(most - least) + 1));
  }

 private:
  bool OneIn(std::uint64_t count) { return random_() % count == 0; }

  std::mt19937_64 random_{20261124};
};

TEST(AufsPolicyPlain, CreatesAgree) {
  RandomScenes scenes;
  for (int round = 0; round < 20000; ++round) {
    Scene scene = scenes.Next();
    const PlainPolicies plain(scene);
    EXPECT_EQ(scene.Create(kTdp), plain.Tdp()) << "round " << round;
    EXPECT_EQ(scene.Create(kMfs), plain.Mfs(false)) << "round " << round;
    EXPECT_EQ(scene.Create(kMfs, kMarkMustBeWritable), plain.Mfs(true)) << "round " << round;
    EXPECT_EQ(scene.Create(kPmfs), plain.Pmfs(false)) << "round " << round;
    EXPECT_EQ(scene.Create(kPmfs, kMarkMustBeWritable), plain.Pmfs(true)) << "round " << round;
  }
}

TEST(AufsPolicyPlain, CopyUpsAgree) {
  RandomScenes scenes;
  for (int round = 0; round < 20000; ++round) {
    Scene scene = scenes.Next();
    scene.top = scenes.Between(scene.parent_top, static_cast<int>(scene.branches.size()) - 1);
    const PlainPolicies plain(scene);
    EXPECT_THAT(scene.CopyUps(), ElementsAre(plain.Tdp(), plain.Bup(), plain.Bu()))
        << "round " << round;
  }
}

}  // namespace
}  // namespace lamina
