#include "vfs/image/sparse_map.h"

#include "absl/strings/str_format.h"
#include "vfs/image/pax_records.h"

namespace lamina {
namespace {

constexpr std::size_t kPairBytes = 24;
constexpr std::size_t kMaxNumberDigits = 20;

absl::Status TooManyExtents(std::uint64_t max_extents) {
  return absl::ResourceExhaustedError(
      absl::StrFormat("a sparse map of more than %d extents (max_sparse_extents)", max_extents));
}

absl::Status Add(SparseExtent extent, std::uint64_t max_extents, SparseMap& map) {
  if (map.size() >= max_extents) return TooManyExtents(max_extents);
  map.push_back(extent);
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> ParseSparseNumber(std::string_view field) {
  const absl::StatusOr<std::int64_t> number = ParseTarNumber(field, "sparse map");
  if (!number.ok()) return number.status();
  if (*number < 0) return absl::InvalidArgumentError("the sparse map has a negative number");
  return static_cast<std::uint64_t>(*number);
}

// Up to `count` pairs; one that starts with a NUL ends the list.
absl::Status AddPairs(std::string_view pairs, std::size_t count, std::uint64_t max_extents,
                      SparseMap& map) {
  for (std::size_t index = 0; index < count; ++index) {
    const std::string_view pair = pairs.substr(index * kPairBytes, kPairBytes);
    if (pair[0] == '\0') break;
    const absl::StatusOr<std::uint64_t> offset = ParseSparseNumber(pair.substr(0, 12));
    if (!offset.ok()) return offset.status();
    const absl::StatusOr<std::uint64_t> length = ParseSparseNumber(pair.substr(12, 12));
    if (!length.ok()) return length.status();
    absl::Status added = Add({*offset, *length}, max_extents, map);
    if (!added.ok()) return added;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSparseMap(const SparseMap& map, std::uint64_t size_bytes,
                            std::uint64_t stored_bytes) {
  std::uint64_t end = 0;
  std::uint64_t total = 0;
  for (const SparseExtent& extent : map) {
    if (extent.offset_bytes < end) {
      return absl::InvalidArgumentError("the sparse map overlaps or goes backwards");
    }
    if (extent.offset_bytes > size_bytes ||
        extent.length_bytes > size_bytes - extent.offset_bytes) {
      return absl::InvalidArgumentError("the sparse map passes the end of its file");
    }
    end = extent.offset_bytes + extent.length_bytes;
    total += extent.length_bytes;
  }
  if (total != stored_bytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the sparse map speaks of %d bytes, the body has %d", total, stored_bytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<SparseMap> ParseSparseText(std::string_view text, std::uint64_t max_extents) {
  SparseMap map;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (comma == std::string_view::npos) {
      return absl::InvalidArgumentError("the sparse map ends in the middle of a pair");
    }
    const std::size_t end = text.find(',', comma + 1);
    const absl::StatusOr<std::uint64_t> offset =
        ParsePaxNumber(text.substr(0, comma), "sparse map");
    if (!offset.ok()) return offset.status();
    const absl::StatusOr<std::uint64_t> length =
        ParsePaxNumber(text.substr(comma + 1, end - comma - 1), "sparse map");
    if (!length.ok()) return length.status();
    absl::Status added = Add({*offset, *length}, max_extents, map);
    if (!added.ok()) return added;
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return map;
}

absl::StatusOr<OldSparseHeader> ParseOldSparse(const TarBlock& block, std::uint64_t max_extents,
                                               SparseMap& map) {
  const std::string_view bytes(block.data(), block.size());
  absl::Status added = AddPairs(bytes.substr(386, 4 * kPairBytes), 4, max_extents, map);
  if (!added.ok()) return added;
  const absl::StatusOr<std::uint64_t> real_size = ParseSparseNumber(bytes.substr(483, 12));
  if (!real_size.ok()) return real_size.status();
  return OldSparseHeader{*real_size, bytes[482] != '\0'};
}

absl::StatusOr<bool> ParseOldSparseExtension(const TarBlock& block, std::uint64_t max_extents,
                                             SparseMap& map) {
  const std::string_view bytes(block.data(), block.size());
  absl::Status added = AddPairs(bytes.substr(0, 21 * kPairBytes), 21, max_extents, map);
  if (!added.ok()) return added;
  return bytes[504] != '\0';
}

absl::Status SparseLines::Add(std::string_view block) {
  for (const char byte : block) {
    if (complete()) break;
    if (byte != '\n') {
      line_.push_back(byte);
      if (line_.size() <= kMaxNumberDigits) continue;
      return absl::InvalidArgumentError("the sparse map has a number that is too long");
    }
    const absl::StatusOr<std::uint64_t> number = ParsePaxNumber(line_, "sparse map");
    if (!number.ok()) return number.status();
    line_.clear();
    if (absl::Status added = AddNumber(*number); !added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::Status SparseLines::AddNumber(std::uint64_t number) {
  if (!numbers_left_.has_value()) {
    if (number > max_extents_) return TooManyExtents(max_extents_);
    numbers_left_ = number * 2;
    return absl::OkStatus();
  }
  --*numbers_left_;
  if (!offset_.has_value()) {
    offset_ = number;
    return absl::OkStatus();
  }
  map_.push_back({*offset_, number});
  offset_.reset();
  return absl::OkStatus();
}

}  // namespace lamina
