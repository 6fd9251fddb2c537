// What tests of devices share: a caller, and sectors that tell where they came from.
#ifndef LAMINA_TESTS_BLOCK_DEVICE_FIXTURE_H_
#define LAMINA_TESTS_BLOCK_DEVICE_FIXTURE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lamina/block/block_device.h"

namespace lamina {

// The calls of a test: uid 0, a fixed time, nobody listens unless `sink` is given.
class Caller {
 public:
  explicit Caller(EventSink* sink = nullptr) : probe_(sink) {}
  OpContext Op() const { return {credentials_, Instant{1'700'000'000'000'000'000}, probe_}; }

 private:
  Credentials credentials_;
  Probe probe_;
};

inline std::vector<std::byte> Sectors(std::uint64_t count, int fill) {
  return std::vector<std::byte>(count * kSectorBytes, static_cast<std::byte>(fill));
}

// The first byte of each of `count` sectors from `first`; -1 for a sector that is not uniform, and
// an empty list when the read fails.
inline std::vector<int> Fills(BlockDevice& device, std::uint64_t first, std::uint64_t count) {
  std::vector<std::byte> bytes(count * kSectorBytes);
  if (!device.Read(Caller().Op(), Sector{first}, bytes).ok()) return {};
  std::vector<int> fills;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(i * kSectorBytes);
    const std::vector<std::byte> one(at, at + kSectorBytes);
    fills.push_back(one == Sectors(1, static_cast<int>(one[0])) ? static_cast<int>(one[0]) : -1);
  }
  return fills;
}

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_DEVICE_FIXTURE_H_
