// UnionDialect: whose rules a mount follows, and in which form its layers keep their marks.
//
//                             kOverlay                        kAufs
//   /d/x is deleted           d/x, a character device 0:0     d/.wh.x, a file
//   /d hides all below it     d, xattr overlay.opaque=y       d/.wh..wh..opq, a file
//
// Threads: a plain value.
#ifndef LAMINA_FACADE_UNION_DIALECT_H_
#define LAMINA_FACADE_UNION_DIALECT_H_

#include <cstdint>

namespace lamina {

enum class UnionDialect : std::uint8_t { kOverlay, kAufs };

}  // namespace lamina
#endif  // LAMINA_FACADE_UNION_DIALECT_H_
