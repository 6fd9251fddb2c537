// Virtual time: Instant, Duration and the Clock. Nothing in lamina reads the host's clock.
//
// Threads: Instant and Duration are plain values; a Clock belongs to one thread or is guarded by
// its owner.
#ifndef LAMINA_BASE_TIME_H_
#define LAMINA_BASE_TIME_H_

#include <compare>
#include <cstdint>

namespace lamina {

// A length of virtual time.
struct Duration {
  std::int64_t virtual_ns = 0;
  friend auto operator<=>(const Duration&, const Duration&) = default;
};

// A point of virtual time: nanoseconds since 1970-01-01T00:00:00Z, negative before.
struct Instant {
  std::int64_t virtual_ns = 0;
  friend auto operator<=>(const Instant&, const Instant&) = default;
};

inline constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

constexpr Instant InstantFromSeconds(std::int64_t seconds, std::int64_t nanoseconds = 0) {
  return Instant{seconds * kNanosecondsPerSecond + nanoseconds};
}

// Where every simulation begins: dumps print times from 10^9 s on as `now`.
inline constexpr Instant kSimulationStart = InstantFromSeconds(1'700'000'000);

class Clock {
 public:
  Clock() = default;
  explicit Clock(Instant start) : now_(start) {}

  Instant now() const { return now_; }
  void Advance(Duration by) { now_.virtual_ns += by.virtual_ns; }

 private:
  Instant now_ = kSimulationStart;
};

}  // namespace lamina
#endif  // LAMINA_BASE_TIME_H_
