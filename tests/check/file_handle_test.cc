// File handles of origin marks and index names.
#include "sim/check/file_handle.h"

#include <gtest/gtest.h>

#include "tests/check/layer_stack.h"

namespace lamina::sim::internal {
namespace {

TEST(FileHandle, OfLamina) {
  const auto handle = ParseFileHandle(HandleOf(7, NodeId{9}));
  ASSERT_TRUE(handle.has_value());
  EXPECT_TRUE(handle->ours);
  EXPECT_EQ(handle->device, 7u);
  EXPECT_EQ(handle->node, NodeId{9});
}

// One of tmpfs: 16 bytes uuid, 12 bytes of its own.
TEST(FileHandle, OfAKernelIsNotRead) {
  std::string bytes = HandleOf(7, NodeId{9}) + std::string(12, 'x');
  bytes[2] = static_cast<char>(bytes.size());
  bytes[4] = 1;
  const auto handle = ParseFileHandle(bytes);
  ASSERT_TRUE(handle.has_value());
  EXPECT_FALSE(handle->ours);
}

TEST(FileHandle, IsNoneOfAnotherForm) {
  EXPECT_FALSE(ParseFileHandle(""));
  EXPECT_FALSE(ParseFileHandle(std::string(21, 'a')));
  EXPECT_FALSE(ParseFileHandle(HandleOf(7, NodeId{9}).substr(0, 20)));
  std::string longer = HandleOf(7, NodeId{9});
  longer[2] = 22;  // it says that it is longer than it is
  EXPECT_FALSE(ParseFileHandle(longer));
}

TEST(FileHandle, FromHex) {
  EXPECT_EQ(BytesOfHex("00fB7a"), std::string("\x00\xfb\x7a", 3));
  EXPECT_EQ(BytesOfHex(""), "");
  EXPECT_FALSE(BytesOfHex("0"));
  EXPECT_FALSE(BytesOfHex("0g"));
}

}  // namespace
}  // namespace lamina::sim::internal
