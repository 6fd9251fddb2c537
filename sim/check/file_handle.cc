#include "sim/check/file_handle.h"

#include <cstring>

namespace lamina::sim::internal {
namespace {

constexpr std::size_t kHeadBytes = 5;
constexpr std::size_t kLeastBytes = kHeadBytes + 16;
constexpr char kMagic = '\xfb';
constexpr char kOurType = '\x4c';

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<FileHandle> ParseFileHandle(std::string_view bytes) {
  if (bytes.size() < kLeastBytes || bytes[0] != '\0' || bytes[1] != kMagic) return std::nullopt;
  if (static_cast<unsigned char>(bytes[2]) > bytes.size()) return std::nullopt;
  FileHandle handle;
  handle.ours = bytes.size() == kLeastBytes && bytes[4] == kOurType;
  if (!handle.ours) return handle;
  std::memcpy(&handle.device, bytes.data() + kHeadBytes, 8);
  std::memcpy(&handle.node.value, bytes.data() + kHeadBytes + 8, 8);
  return handle;
}

std::optional<std::string> BytesOfHex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]);
    const int low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace lamina::sim::internal
