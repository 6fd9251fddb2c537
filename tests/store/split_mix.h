// SplitMix64: a small generator with the same numbers everywhere, for replayable random tests.
//
// Threads: one generator a thread.
#ifndef LAMINA_TESTS_STORE_SPLIT_MIX_H_
#define LAMINA_TESTS_STORE_SPLIT_MIX_H_

#include <cstdint>

namespace lamina {

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
    return mixed ^ (mixed >> 31);
  }
  // 0..bound-1; bound > 0.
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_STORE_SPLIT_MIX_H_
