#include "lamina/base/time.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(Instant, IsNanosecondsSinceTheEpoch) {
  EXPECT_EQ(InstantFromSeconds(2, 5).virtual_ns, 2'000'000'005);
  EXPECT_LT(InstantFromSeconds(-1), Instant{});
}

TEST(Clock, StartsAtTheStartOfTheSimulation) { EXPECT_EQ(Clock().now(), kSimulationStart); }

TEST(Clock, StartsWhereItIsTold) {
  EXPECT_EQ(Clock(InstantFromSeconds(7)).now(), InstantFromSeconds(7));
}

TEST(Clock, AdvancesByADuration) {
  Clock clock(InstantFromSeconds(1));
  clock.Advance(Duration{250});
  clock.Advance(Duration{50});
  EXPECT_EQ(clock.now(), InstantFromSeconds(1, 300));
}

TEST(Clock, StandsStillByItself) {
  const Clock clock;
  EXPECT_EQ(clock.now(), clock.now());
}

}  // namespace
}  // namespace lamina
