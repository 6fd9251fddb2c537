#include "tests/model/random_cases.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

namespace lamina::sim {
namespace {

constexpr int kCallsByDefault = 20'000;
constexpr std::uint64_t kFixedSeed = 20261124;

// The message of the failure, "" when there is none.
std::string Check(const std::function<void()>& one_case, const rc::detail::TestParams& params) {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  rc::detail::TestMetadata metadata;
  metadata.id = std::string(test->test_suite_name()) + "/" + test->name();
  metadata.description = test->name();
  const rc::detail::TestResult result = rc::detail::checkTestable(one_case, metadata, params);
  if (result.is<rc::detail::SuccessResult>()) return "";
  std::ostringstream text;
  rc::detail::printResultMessage(result, text);
  return text.str();
}

}  // namespace

int ChooseByRapidcheck(int count) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, count));
}

int CallsWanted() {
  const char* text = std::getenv("LAMINA_MODEL_OPS");
  return text == nullptr ? kCallsByDefault : std::atoi(text);
}

std::string RunRandomCases(const std::function<void()>& one_case) {
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  params.maxSize = kLongestSequence;
  params.maxSuccess = CallsWanted() / (kLongestSequence / 4) / 2;
  // The run of every day is the same run; a long one, or one that is asked for, has a seed of its
  // own as well.
  const bool daily = std::getenv("RC_PARAMS") == nullptr && CallsWanted() == kCallsByDefault;
  for (const std::uint64_t seed : {kFixedSeed, daily ? kFixedSeed + 1 : params.seed}) {
    params.seed = seed;
    std::cout << "seed " << seed << "\n";
    const std::string failure = Check(one_case, params);
    if (!failure.empty())
      return failure + "\nreplay: RC_PARAMS=\"seed=" + std::to_string(seed) + "\"";
  }
  return "";
}

std::string FindFault(int cases, const std::function<void()>& one_case) {
  rc::detail::TestParams params;
  params.seed = kFixedSeed;
  params.maxSize = kLongestSequence;
  params.maxSuccess = cases;
  params.disableShrinking = true;
  return Check(one_case, params);
}

void ExpectGoodMixture(const Tally& tally) {
  std::cout << tally.Show();
  EXPECT_GE(tally.operations(), CallsWanted() * 9 / 10);
  EXPECT_GE(tally.failures() * 10, tally.operations() * 3);
  EXPECT_LE(tally.failures() * 10, tally.operations() * 6);
  const int few = CallsWanted() / 2000;
  for (int i = 0; i < kOperationKinds; ++i) {
    const auto kind = static_cast<OperationKind>(i);
    const std::string_view word = OperationWord(kind);
    EXPECT_GE(tally.successes_of(word), few) << word;
    const bool cannot_fail = kind >= OperationKind::kAs;
    if (cannot_fail) continue;
    EXPECT_GE(tally.failures_of(word), few) << word;
  }
}

}  // namespace lamina::sim
