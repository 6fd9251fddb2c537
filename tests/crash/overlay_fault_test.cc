// Every operation on every scene, with each of its changes and flushes failing.
#include <cstdio>

#include "lamina/testing/matchers.h"
#include "tests/crash/explorer.h"

namespace lamina::testing {
namespace {

struct FaultSweep {
  Presence presence{};
  std::uint64_t least_runs = 0;  // that were broken; fewer is a generator that broke
  std::uint64_t least_redirect_runs = 0;
};

void PrintTo(const FaultSweep& sweep, std::ostream* os) { *os << PresenceName(sweep.presence); }

std::string NameOf(const ::testing::TestParamInfo<FaultSweep>& info) {
  std::string name(PresenceName(info.param.presence));
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

Exploration FailEverything(Presence presence, RedirectDir redirect_dir) {
  Exploration total;
  for (const Scene& scene : MakeScenes(presence, {.redirect_dir = redirect_dir})) {
    for (const Operation& operation : OperationsOn(scene)) {
      if (redirect_dir == RedirectDir::kOn && !ConcernsRedirects(operation)) continue;
      Explorer explorer(scene, operation);
      explorer.Faults(Op::kAnyChange, FaultLength::kOnce);
      explorer.Faults(Op::kAnyChange, FaultLength::kFromThenOn);
      // A flush is part of a copy-up, which knows nothing of redirects.
      if (redirect_dir != RedirectDir::kOn) explorer.Faults(Op::kFsync, FaultLength::kOnce);
      total.Add(explorer.exploration());
    }
  }
  std::printf("%s\n", total.Summary().c_str());
  return total;
}

class OverlayFaults : public ::testing::TestWithParam<FaultSweep> {};

TEST_P(OverlayFaults, FailTheCallOrAreTolerated) {
  const Exploration total = FailEverything(GetParam().presence, RedirectDir::kDefault);
  EXPECT_EQ(total.FindingsText(), "");
  EXPECT_GE(total.runs, GetParam().least_runs);
}

TEST_P(OverlayFaults, FailTheCallOrAreToleratedWithRedirects) {
  const Exploration total = FailEverything(GetParam().presence, RedirectDir::kOn);
  EXPECT_EQ(total.FindingsText(), "");
  EXPECT_GE(total.runs, GetParam().least_redirect_runs);
}

constexpr FaultSweep kSweeps[] = {
    {Presence::kLowerOnly, 8000, 5200},    {Presence::kUpperOnly, 2000, 1400},
    {Presence::kBoth, 1600, 1500},         {Presence::kWhitedOut, 1900, 1050},
    {Presence::kOpaqueParent, 1800, 1500}, {Presence::kDeepLower, 15000, 8300},
    {Presence::kDrawn, 3700, 2400},
};
INSTANTIATE_TEST_SUITE_P(Target, OverlayFaults, ::testing::ValuesIn(kSweeps), NameOf);

}  // namespace
}  // namespace lamina::testing
