#include "lamina/sim/chooser.h"

#include "lamina/base/check.h"

namespace lamina::sim {

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t RandomChooser::Next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31U);
}

std::uint64_t RandomChooser::Choose(std::uint64_t bound) {
  LAMINA_CHECK(bound >= 1);
  // Values below 2^64 mod bound would make small results likelier: they are drawn again.
  const std::uint64_t rejected = (std::uint64_t{0} - bound) % bound;
  std::uint64_t drawn = Next();
  while (drawn < rejected) drawn = Next();
  return drawn % bound;
}

}  // namespace lamina::sim
