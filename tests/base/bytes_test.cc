#include "lamina/base/bytes.h"

#include <gtest/gtest.h>

#include <string_view>

namespace lamina {
namespace {

TEST(Bytes, TextGoesToBytesAndBack) {
  EXPECT_EQ(AsText(AsBytes("layer")), "layer");
  EXPECT_EQ(AsBytes("layer").size(), 5U);
}

TEST(Bytes, AZeroByteIsKept) {
  using namespace std::string_view_literals;
  EXPECT_EQ(AsText(AsBytes("a\0b"sv)), "a\0b"sv);
}

TEST(Bytes, NoBytesAreNoText) { EXPECT_EQ(AsText(Bytes()), ""); }

TEST(Bytes, AViewIsNotACopy) {
  const std::string_view text = "layer";
  EXPECT_EQ(AsText(AsBytes(text)).data(), text.data());
}

}  // namespace
}  // namespace lamina
