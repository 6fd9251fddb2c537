#include "vfs/ext/name_hash.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace lamina::internal {
namespace {

using State = std::array<std::uint32_t, 4>;

constexpr State kUsualSeed = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

std::uint32_t Extended(char byte, NameBytes bytes) {
  if (bytes == NameBytes::kUnsigned) return static_cast<std::uint8_t>(byte);
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(byte)));
}

// The first words of a name, filled up with its length.
template <std::size_t kWords>
std::array<std::uint32_t, kWords> WordsOf(std::string_view name, NameBytes bytes) {
  const auto length = static_cast<std::uint32_t>(name.size());
  std::uint32_t pad = length | length << 8;
  pad |= pad << 16;
  std::array<std::uint32_t, kWords> words;
  words.fill(pad);
  std::size_t filled = 0;
  std::uint32_t word = pad;
  for (std::size_t i = 0; i < std::min(name.size(), kWords * 4); ++i) {
    word = Extended(name[i], bytes) + (word << 8);
    if (i % 4 == 3) {
      words[filled++] = word;
      word = pad;
    }
  }
  if (filled < kWords) words[filled] = word;
  return words;
}

void HalfMd4(State& state, const std::array<std::uint32_t, 8>& in) {
  constexpr std::array<std::array<int, 8>, 3> kOrder = {
      {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 7, 2, 6, 1, 5, 0, 4}}};
  constexpr std::array<std::array<int, 4>, 3> kTurns = {
      {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}}};
  constexpr std::array<std::uint32_t, 3> kAdded = {0, 0x5a827999, 0x6ed9eba1};
  State now = state;
  for (std::size_t round = 0; round < 3; ++round) {
    for (std::size_t step = 0; step < 8; ++step) {
      // a, d, c, b take turns.
      std::uint32_t& a = now[(4 - step % 4) % 4];
      const std::uint32_t b = now[(5 - step % 4) % 4];
      const std::uint32_t c = now[(6 - step % 4) % 4];
      const std::uint32_t d = now[(7 - step % 4) % 4];
      std::uint32_t mixed = b ^ c ^ d;
      if (round == 0) mixed = d ^ (b & (c ^ d));
      if (round == 1) mixed = (b & c) + ((b ^ c) & d);
      a += mixed + in[static_cast<std::size_t>(kOrder[round][step])] + kAdded[round];
      a = std::rotl(a, kTurns[round][step % 4]);
    }
  }
  for (std::size_t i = 0; i < 4; ++i) state[i] += now[i];
}

void Tea(State& state, const std::array<std::uint32_t, 4>& in) {
  std::uint32_t sum = 0;
  std::uint32_t first = state[0];
  std::uint32_t second = state[1];
  for (int round = 0; round < 16; ++round) {
    sum += 0x9e3779b9;
    first += ((second << 4) + in[0]) ^ (second + sum) ^ ((second >> 5) + in[1]);
    second += ((first << 4) + in[2]) ^ (first + sum) ^ ((first >> 5) + in[3]);
  }
  state[0] += first;
  state[1] += second;
}

std::uint32_t Legacy(std::string_view name, NameBytes bytes) {
  std::uint32_t last = 0x12a3fe2d;
  std::uint32_t before = 0x37abe8f9;
  for (const char byte : name) {
    std::uint32_t hash = before + (last ^ (Extended(byte, bytes) * 7152373u));
    if ((hash & 0x80000000u) != 0) hash -= 0x7fffffff;
    before = last;
    last = hash;
  }
  return last << 1;
}

}  // namespace

std::uint32_t NameHash(NameHashVersion version, NameBytes bytes, const State& seed,
                       std::string_view name) {
  const bool is_seeded = std::any_of(seed.begin(), seed.end(), [](auto word) { return word != 0; });
  State state = is_seeded ? seed : kUsualSeed;
  std::uint32_t hash = 0;
  switch (version) {
    case NameHashVersion::kLegacy:
      hash = Legacy(name, bytes);
      break;
    case NameHashVersion::kHalfMd4:
      for (; !name.empty(); name.remove_prefix(std::min<std::size_t>(name.size(), 32))) {
        HalfMd4(state, WordsOf<8>(name, bytes));
      }
      hash = state[1];
      break;
    case NameHashVersion::kTea:
      for (; !name.empty(); name.remove_prefix(std::min<std::size_t>(name.size(), 16))) {
        Tea(state, WordsOf<4>(name, bytes));
      }
      hash = state[0];
      break;
  }
  return hash & ~1u;
}

}  // namespace lamina::internal
