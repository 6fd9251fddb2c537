// Pools that come from outside: thin_dump XML. With host_layers.h the only file of the scenario
// runner that knows lamina/image.
//
//   xml:FILE            what thin_dump printed; a dump has no data, so every chunk is zeros
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_POOL_SOURCE_H_
#define LAMINA_SIM_SCENARIO_POOL_SOURCE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lamina/block/mem_disk.h"

namespace lamina::sim::internal {

// What is wrong with a SOURCE; empty when nothing is.
std::string CheckPoolSource(std::string_view source, bool host_files);

struct ImportedPool {
  MemDisk::Image metadata;
  std::uint64_t chunk_sectors = 0;
  std::uint64_t data_sectors = 0;
};

// The pool that `source` describes.
//
// Errors, each with the path in it:
//   Unimplemented      built without thin_dump XML
//   NotFound           the file cannot be read
//   InvalidArgument    what reading the XML gives, with line and column
//   ResourceExhausted  as there; more than kMostPoolChunks chunks, more than 1 GiB of metadata, or
//                      more data than a disk in memory can have
absl::StatusOr<ImportedPool> ReadPoolSource(const OpContext& op, std::string_view source);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_POOL_SOURCE_H_
