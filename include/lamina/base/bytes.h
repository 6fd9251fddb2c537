// Views of bytes, and the two ways between text and bytes.
//
// Threads: views; the owner of the bytes has the rule.
#ifndef LAMINA_BASE_BYTES_H_
#define LAMINA_BASE_BYTES_H_

#include <cstddef>
#include <span>
#include <string_view>

namespace lamina {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes AsBytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

inline std::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace lamina
#endif  // LAMINA_BASE_BYTES_H_
