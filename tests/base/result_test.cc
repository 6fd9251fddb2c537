#include "lamina/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace lamina {
namespace {

TEST(Result, HoldsAValue) {
  const Result<std::string> result = std::string("text");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(*result, "text");
  EXPECT_EQ(result->size(), 4U);
}

TEST(Result, HoldsAnError) {
  const Result<std::string> result = Errno::kNoEnt;
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.error(), Errno::kNoEnt);
}

TEST(Result, GivesAMoveOnlyValueAway) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(Result, ItsValueCanBeChanged) {
  Result<int> result = 1;
  *result = 2;
  EXPECT_EQ(*result, 2);
}

TEST(Result, OfPlainValuesIsPlain) {
  EXPECT_TRUE(std::is_trivially_copyable_v<Result<void*>>);
  EXPECT_EQ(sizeof(Result<void*>), 2 * sizeof(void*));
  EXPECT_EQ(sizeof(Result<void>), sizeof(Errno));
}

TEST(Result, OfVoidIsOkByDefault) {
  const Result<void> result;
  EXPECT_TRUE(result.ok());
}

TEST(Result, OfVoidHoldsAnError) {
  const Result<void> result = Errno::kRoFs;
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.error(), Errno::kRoFs);
}

TEST(ResultDeathTest, TheValueOfAnErrorIsAMistake) {
  Result<int> result = Errno::kIo;
  EXPECT_DEATH(static_cast<void>(*result), "check failed");
}

TEST(ResultDeathTest, TheErrorOfAValueIsAMistake) {
  const Result<int> result = 1;
  EXPECT_DEATH(static_cast<void>(result.error()), "check failed");
}

TEST(ResultDeathTest, AnErrorWithoutANumberIsAMistake) {
  EXPECT_DEATH(static_cast<void>(Result<void>(Errno{})), "check failed");
  EXPECT_DEATH(static_cast<void>(Result<int>(Errno{})), "check failed");
}

TEST(ResultDeathTest, TheErrorOfAnOkVoidIsAMistake) {
  const Result<void> result;
  EXPECT_DEATH(static_cast<void>(result.error()), "check failed");
}

}  // namespace
}  // namespace lamina
