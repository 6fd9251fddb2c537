#include "lamina/base/check.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(Check, AConditionIsEvaluatedOnce) {
  int calls = 0;
  LAMINA_CHECK(++calls == 1);
  EXPECT_EQ(calls, 1);
}

TEST(CheckDeathTest, AFailureNamesFileAndCondition) {
  EXPECT_DEATH(LAMINA_CHECK(1 + 1 == 3), "check_test.cc:[0-9]+: check failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace lamina
