// CRC-32C (Castagnoli), the checksum of device-mapper metadata and of ext4.
//
// Threads: pure.
#ifndef LAMINA_BLOCK_CRC32C_H_
#define LAMINA_BLOCK_CRC32C_H_

#include <cstdint>

#include "lamina/base/bytes.h"

namespace lamina {

// Continues a checksum over `bytes`. Neither the start value nor the result is inverted here: the
// usual CRC-32C is ~Crc32cOf(~0u, bytes).
std::uint32_t Crc32cOf(std::uint32_t start, Bytes bytes);

namespace internal {
// The same on a processor without an instruction for it.
std::uint32_t Crc32cOverTables(std::uint32_t start, Bytes bytes);
}  // namespace internal

}  // namespace lamina
#endif  // LAMINA_BLOCK_CRC32C_H_
