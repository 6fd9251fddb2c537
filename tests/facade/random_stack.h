// RandomStack: mounts drawn from a seed, and calls on them. Few names and three levels, so that
// everything collides with everything: types, whiteouts, opaque marks, symlinks, hard links.
//
// Threads: belongs to a test.
#ifndef LAMINA_TESTS_FACADE_RANDOM_STACK_H_
#define LAMINA_TESTS_FACADE_RANDOM_STACK_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "lamina/lamina.h"

namespace lamina::testing {

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Below(std::uint64_t bound);  // in [0, bound)

 private:
  std::uint64_t state_;
};

class RandomStack {
 public:
  explicit RandomStack(std::uint64_t seed, UnionDialect dialect = UnionDialect::kOverlay)
      : dialect_(dialect), random_(seed) {}

  FsPtr Mount();
  // One call that changes something, or tries to.
  void Act(LayeredFs& fs);
  // Every path over the names of the drawing, three levels deep, and some odd ones.
  static std::vector<std::string> Paths();

 private:
  MountOptions Options();
  std::string AnyPath();
  NamedLayer Layer(const std::string& name);
  void AddEntry(NamedLayer& layer, std::set<std::string>& directories,
                std::set<std::string>& taken);

  UnionDialect dialect_;
  SplitMix64 random_;
};

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_FACADE_RANDOM_STACK_H_
