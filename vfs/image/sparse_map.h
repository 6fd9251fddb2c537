// SparseMap: which bytes of a sparse file a tar holds. GNU tar writes it in four ways; all of them
// end in a list of extents.
//
//   old GNU   type 'S': 4 pairs in the header, 21 more in each block that follows
//   pax 0.0   records GNU.sparse.offset, GNU.sparse.numbytes, again and again
//   pax 0.1   one record GNU.sparse.map: "offset,length,offset,length"
//   pax 1.0   decimal lines in front of the body: count, then offset and length
//
// Source: GNU tar manual, "Sparse Formats".
//
// Threads: pure functions.
#ifndef LAMINA_IMAGE_SPARSE_MAP_H_
#define LAMINA_IMAGE_SPARSE_MAP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "vfs/image/tar_header.h"

namespace lamina {

struct SparseExtent {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};
using SparseMap = std::vector<SparseExtent>;

// Extents go forward, do not overlap, lie inside a file of `size_bytes`, and together are the
// `stored_bytes` of the body. Errors: InvalidArgument says which rule is broken.
absl::Status CheckSparseMap(const SparseMap& map, std::uint64_t size_bytes,
                            std::uint64_t stored_bytes);

// "offset,length,offset,length". Errors: InvalidArgument; ResourceExhausted over `max_extents`.
absl::StatusOr<SparseMap> ParseSparseText(std::string_view text, std::uint64_t max_extents);

// The header of an old GNU sparse file: real size, and whether a block of pairs follows.
struct OldSparseHeader {
  std::uint64_t real_size_bytes = 0;
  bool extended = false;
};

// Adds the pairs of the header block (extension: of a block behind it) to `map`.
// Errors: InvalidArgument; ResourceExhausted.
absl::StatusOr<OldSparseHeader> ParseOldSparse(const TarBlock& block, std::uint64_t max_extents,
                                               SparseMap& map);
absl::StatusOr<bool> ParseOldSparseExtension(const TarBlock& block, std::uint64_t max_extents,
                                             SparseMap& map);

// Format 1.0, block by block: "count\n", then "offset\n" "length\n" for each extent.
class SparseLines {
 public:
  explicit SparseLines(std::uint64_t max_extents) : max_extents_(max_extents) {}

  // The count and all extents are read; what follows in the block is filling.
  bool complete() const { return numbers_left_ == 0U; }
  // Errors: InvalidArgument not a number; ResourceExhausted.
  absl::Status Add(std::string_view block);
  SparseMap TakeMap() { return std::move(map_); }

 private:
  absl::Status AddNumber(std::uint64_t number);

  std::uint64_t max_extents_;
  std::optional<std::uint64_t> numbers_left_;  // two for each extent; unknown before the count
  std::optional<std::uint64_t> offset_;        // of an extent whose length is still to come
  std::string line_;
  SparseMap map_;
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_SPARSE_MAP_H_
