// Chooser: the only source of nondeterminism. Random, exhaustive, replayed and fuzzed runs differ
// only in their Chooser.
//
// Threads: belongs to one simulation.
#ifndef LAMINA_SIM_CHOOSER_H_
#define LAMINA_SIM_CHOOSER_H_

#include <cstdint>

namespace lamina::sim {

class Chooser {
 public:
  virtual ~Chooser() = default;

  // A number in [0, bound). `bound` must be at least 1.
  virtual std::uint64_t Choose(std::uint64_t bound) = 0;
};

// Draws from a seed: the same seed gives the same numbers on every machine and compiler.
// (SplitMix64; the bound is applied by rejection, so every value is equally likely.)
class RandomChooser final : public Chooser {
 public:
  explicit RandomChooser(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Choose(std::uint64_t bound) override;

 private:
  std::uint64_t Next();
  std::uint64_t state_;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_CHOOSER_H_
