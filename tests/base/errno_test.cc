#include "lamina/base/errno.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace lamina {
namespace {

// Every number of the enumeration, found by its name.
std::vector<Errno> AllErrnos() {
  std::vector<Errno> all;
  for (int number = 1; number < 200; ++number) {
    const Errno error = static_cast<Errno>(number);
    if (ErrnoName(error) != "E?") all.push_back(error);
  }
  return all;
}

class ErrnoOfLinux : public ::testing::TestWithParam<Errno> {};

TEST_P(ErrnoOfLinux, NameGivesTheNumberBack) {
  EXPECT_EQ(ErrnoFromName(ErrnoName(GetParam())), GetParam());
}

TEST_P(ErrnoOfLinux, TextIsThatOfTheCLibrary) {
  std::setlocale(LC_ALL, "C");
  EXPECT_EQ(ErrnoText(GetParam()), std::strerror(static_cast<int>(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Each, ErrnoOfLinux, ::testing::ValuesIn(AllErrnos()),
                         [](const auto& test) { return std::string(ErrnoName(test.param)); });

TEST(Errno, EveryNumberHasAName) { EXPECT_EQ(AllErrnos().size(), 50U); }

TEST(Errno, NamesOfDoubledNumbersAreTheUsualOnes) {
  EXPECT_EQ(ErrnoName(Errno::kAgain), "EAGAIN");
  EXPECT_EQ(ErrnoName(Errno::kOpNotSupp), "EOPNOTSUPP");
}

TEST(Errno, AnUnknownNumberHasAPlaceholder) {
  EXPECT_EQ(ErrnoName(static_cast<Errno>(3)), "E?");
  EXPECT_EQ(ErrnoText(static_cast<Errno>(3)), "Unknown error");
}

TEST(Errno, AnUnknownNameIsNoErrno) {
  EXPECT_EQ(ErrnoFromName("ENOSUCHNAME"), std::nullopt);
  EXPECT_EQ(ErrnoFromName(""), std::nullopt);
  EXPECT_EQ(ErrnoFromName("enoent"), std::nullopt);
}

}  // namespace
}  // namespace lamina
