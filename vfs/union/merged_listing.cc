#include "vfs/union/merged_listing.h"

#include <algorithm>
#include <bit>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace lamina {
namespace {

constexpr std::size_t kUsualNameBytes = 12;
constexpr std::uint64_t kHashMask = ~std::uint64_t{0} << 32U;

std::uint64_t HashOfName(std::string_view name) {
  return absl::HashOf(absl::string_view(name.data(), name.size()));
}

}  // namespace

void MergedListing::Reserve(std::size_t count) {
  entries.reserve(count);
  names_.reserve(count * kUsualNameBytes);
}

void ListingMerge::Begin(BranchIndex branch, bool lowest) {
  branch_ = branch;
  lowest_branch_ = lowest;
  above_ = listing_.entries.size();
  next_ = 0;
}

void ListingMerge::CompleteIndex() {
  constexpr std::size_t kFewest = 16;
  if (2 * above_ > slots_.size()) {
    slots_.assign(std::bit_ceil(std::max(2 * above_, kFewest)), 0);
    indexed_ = 0;
  }
  const std::size_t mask = slots_.size() - 1;
  for (; indexed_ < above_; ++indexed_) {
    const std::uint64_t hash = HashOfName(name(indexed_));
    std::size_t slot = hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = (hash & kHashMask) | (indexed_ + 1);
  }
}

std::uint64_t ListingMerge::FindInIndex(std::string_view wanted) {
  if (indexed_ < above_) CompleteIndex();
  const std::uint64_t hash = HashOfName(wanted);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const std::uint64_t held = slots_[slot];
    if (held == 0) return kNone;
    if (((held ^ hash) & kHashMask) != 0) continue;
    const std::uint64_t at = (held & ~kHashMask) - 1;
    if (name(at) == wanted) return at;
  }
}

std::optional<std::size_t> ListingMerge::Add(std::string_view name, FileType type,
                                             std::uint64_t ino) {
  const std::uint64_t known = Find(name);
  if (known != kNone) {
    next_ = known + 1;
    if (lowest_branch_) lowest_.push_back(known);
    return std::nullopt;
  }
  const std::size_t at = listing_.entries.size();
  listing_.Append(name, type, ino, branch_);
  if (lowest_branch_) lowest_.push_back(at);
  return at;
}

MergedListing ListingMerge::Take() && {
  std::vector<ListedEntry>& entries = listing_.entries;
  // One branch, or none that the lowest has not: they stand in order.
  const bool whole = lowest_.empty() || lowest_.size() == entries.size();
  if (whole && std::is_sorted(lowest_.begin(), lowest_.end())) {
    return std::move(listing_);
  }
  std::vector<ListedEntry> ordered;
  ordered.reserve(entries.size());
  std::vector<bool> taken(entries.size());
  for (const std::uint64_t at : lowest_) {
    if (!taken[at]) ordered.push_back(entries[at]);
    taken[at] = true;  // a marker beside an object of its name comes twice
  }
  for (std::size_t at = 0; at < entries.size(); ++at) {
    if (!taken[at]) ordered.push_back(entries[at]);
  }
  entries = std::move(ordered);
  return std::move(listing_);
}

}  // namespace lamina
