// Random cases under rapidcheck: how many, with which seeds, and what a good mixture of calls is.
// One file that includes the drawing headers of rapidcheck for all tests that only choose numbers.
//
//   LAMINA_MODEL_OPS=200000      how many calls a suite makes, roughly (default 20000)
//   RC_PARAMS="seed=1"           the seed of the second half; a failure prints the one to use
#ifndef LAMINA_TESTS_MODEL_RANDOM_CASES_H_
#define LAMINA_TESTS_MODEL_RANDOM_CASES_H_

#include <functional>
#include <string>

#include "tests/model/tally.h"

namespace lamina::sim {

inline constexpr int kLongestSequence = 200;  // the average is a quarter of it

// One of 0 … count - 1; inside a case only.
int ChooseByRapidcheck(int count);

int CallsWanted();

// Runs half of the calls with a seed that never changes and half with a fresh one. The message of
// the first failure, with the seed to replay it; "" when there is none.
std::string RunRandomCases(const std::function<void()>& one_case);

// Runs at most `cases` with the fixed seed. The message of the failure, "" when there is none.
std::string FindFault(int cases, const std::function<void()>& one_case);

// Every kind of call must have succeeded and, where it can fail, failed often enough.
void ExpectGoodMixture(const Tally& tally);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_RANDOM_CASES_H_
