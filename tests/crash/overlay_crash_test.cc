// Every operation on every scene, crashed before each of its changes.
#include <cstdio>

#include "lamina/testing/matchers.h"
#include "tests/crash/explorer.h"

namespace lamina::testing {
namespace {

struct CrashSweep {
  Presence presence{};
  std::uint64_t least_states = 0;           // different images; fewer is a generator that broke
  std::uint64_t least_redirect_states = 0;  // with redirect_dir=on, of renames and new directories
};

void PrintTo(const CrashSweep& sweep, std::ostream* os) { *os << PresenceName(sweep.presence); }

std::string NameOf(const ::testing::TestParamInfo<CrashSweep>& info) {
  std::string name(PresenceName(info.param.presence));
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

Exploration CrashEverything(Presence presence, const OverlayOptions& options) {
  Exploration total;
  for (const Scene& scene : MakeScenes(presence, options)) {
    for (const Operation& operation : OperationsOn(scene)) {
      if (options.redirect_dir == RedirectDir::kOn && !ConcernsRedirects(operation)) continue;
      Explorer explorer(scene, operation);
      explorer.Crashes();
      total.Add(explorer.exploration());
    }
  }
  std::printf("%s\n", total.Summary().c_str());
  return total;
}

class OverlayCrash : public ::testing::TestWithParam<CrashSweep> {};

TEST_P(OverlayCrash, LeavesEachCallDoneOrNotDone) {
  const Exploration total = CrashEverything(GetParam().presence, {});
  EXPECT_EQ(total.FindingsText(), "");
  EXPECT_GE(total.states, GetParam().least_states);
}

TEST_P(OverlayCrash, LeavesEachCallDoneOrNotDoneWithRedirects) {
  const Exploration total =
      CrashEverything(GetParam().presence, {.redirect_dir = RedirectDir::kOn});
  EXPECT_EQ(total.FindingsText(), "");
  EXPECT_GE(total.states, GetParam().least_redirect_states);
}

TEST_P(OverlayCrash, LeavesEachCallDoneOrNotDoneWithMetacopy) {
  const Exploration total = CrashEverything(GetParam().presence, {.metacopy = Toggle::kOn});
  EXPECT_EQ(total.FindingsText(), "");
  EXPECT_GE(total.states, GetParam().least_states * 9 / 10);
}

TEST_P(OverlayCrash, LeavesEachCallDoneOrNotDoneWithAnIndex) {
  const Exploration total = CrashEverything(GetParam().presence, {.index = Toggle::kOn});
  EXPECT_EQ(total.FindingsText(), "");
  EXPECT_GE(total.states, GetParam().least_states * 9 / 10);
}

constexpr CrashSweep kSweeps[] = {
    {Presence::kLowerOnly, 850, 580},    {Presence::kUpperOnly, 300, 200},
    {Presence::kBoth, 230, 200},         {Presence::kWhitedOut, 250, 130},
    {Presence::kOpaqueParent, 270, 210}, {Presence::kDeepLower, 1750, 1000},
    {Presence::kDrawn, 650, 400},
};
INSTANTIATE_TEST_SUITE_P(Target, OverlayCrash, ::testing::ValuesIn(kSweeps), NameOf);

}  // namespace
}  // namespace lamina::testing
