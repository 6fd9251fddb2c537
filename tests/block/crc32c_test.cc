// CRC-32C against the numbers of RFC 3720.
#include "lamina/block/crc32c.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string_view>
#include <vector>

namespace lamina {
namespace {

// As it is usually given.
std::uint32_t Usual(Bytes bytes) { return ~Crc32cOf(~std::uint32_t{0}, bytes); }

TEST(Crc32c, HasTheNumbersOfTheStandard) {
  EXPECT_EQ(Usual(AsBytes(std::string_view("123456789"))), 0xe3069283u);
  EXPECT_EQ(Usual(std::vector<std::byte>(32, std::byte{0x00})), 0x8a9136aau);
  EXPECT_EQ(Usual(std::vector<std::byte>(32, std::byte{0xff})), 0x62a8ab43u);
}

TEST(Crc32c, GoesOnWhereItStopped) {
  std::vector<std::byte> bytes;
  for (int i = 0; i < 100; ++i) bytes.push_back(static_cast<std::byte>(i * 7));
  const Bytes all(bytes);
  const std::uint32_t whole = Crc32cOf(5, all);
  EXPECT_EQ(internal::Crc32cOverTables(5, all), whole);
  EXPECT_EQ(Crc32cOf(Crc32cOf(5, all.first(13)), all.subspan(13)), whole);
}

}  // namespace
}  // namespace lamina
