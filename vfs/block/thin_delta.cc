#include "lamina/block/thin_delta.h"

#include <algorithm>
#include <limits>

namespace lamina {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// Walks over the mapped virtual blocks of a device.
class RunCursor {
 public:
  explicit RunCursor(const std::vector<ThinRun>& runs) : runs_(runs) {}

  bool at_end() const { return index_ == runs_.size(); }
  // The next mapped block and the end of its run; kNever when there is none.
  std::uint64_t begin() const { return at_end() ? kNever : runs_[index_].origin_begin + skipped_; }
  std::uint64_t end() const {
    return at_end() ? kNever : runs_[index_].origin_begin + runs_[index_].length;
  }
  std::uint64_t data_block() const { return at_end() ? 0 : runs_[index_].data_begin + skipped_; }

  void Advance(std::uint64_t count) {
    skipped_ += count;
    if (skipped_ < runs_[index_].length) return;
    ++index_;
    skipped_ = 0;
  }

 private:
  const std::vector<ThinRun>& runs_;
  std::size_t index_ = 0;
  std::uint64_t skipped_ = 0;  // of the current run
};

bool Continues(const ThinDeltaRange& last, const ThinDeltaRange& next) {
  const std::uint64_t left = last.kind == ThinDeltaKind::kRightOnly ? 0 : last.length;
  const std::uint64_t right = last.kind == ThinDeltaKind::kLeftOnly ? 0 : last.length;
  return last.kind == next.kind && last.begin + last.length == next.begin &&
         last.left_data_begin + left == next.left_data_begin &&
         last.right_data_begin + right == next.right_data_begin;
}

ThinDeltaRange NextRange(const RunCursor& left, const RunCursor& right) {
  ThinDeltaRange range;
  range.begin = std::min(left.begin(), right.begin());
  if (left.begin() < right.begin()) {
    range.kind = ThinDeltaKind::kLeftOnly;
    range.length = std::min(left.end(), right.begin()) - range.begin;
    range.left_data_begin = left.data_block();
  } else if (right.begin() < left.begin()) {
    range.kind = ThinDeltaKind::kRightOnly;
    range.length = std::min(right.end(), left.begin()) - range.begin;
    range.right_data_begin = right.data_block();
  } else {
    range.length = std::min(left.end(), right.end()) - range.begin;
    range.left_data_begin = left.data_block();
    range.right_data_begin = right.data_block();
    range.kind = range.left_data_begin == range.right_data_begin ? ThinDeltaKind::kSame
                                                                 : ThinDeltaKind::kDifferent;
  }
  return range;
}

}  // namespace

std::string_view ThinDeltaWord(ThinDeltaKind kind) {
  switch (kind) {
    case ThinDeltaKind::kSame:
      return "same";
    case ThinDeltaKind::kDifferent:
      return "different";
    case ThinDeltaKind::kLeftOnly:
      return "left_only";
    case ThinDeltaKind::kRightOnly:
      return "right_only";
  }
  return "";
}

std::vector<ThinDeltaRange> DiffThinDevices(const ThinDumpDevice& left,
                                            const ThinDumpDevice& right) {
  std::vector<ThinDeltaRange> ranges;
  RunCursor of_left(left.runs);
  RunCursor of_right(right.runs);
  while (!of_left.at_end() || !of_right.at_end()) {
    const ThinDeltaRange range = NextRange(of_left, of_right);
    if (range.kind != ThinDeltaKind::kRightOnly) of_left.Advance(range.length);
    if (range.kind != ThinDeltaKind::kLeftOnly) of_right.Advance(range.length);
    if (!ranges.empty() && Continues(ranges.back(), range)) {
      ranges.back().length += range.length;
    } else {
      ranges.push_back(range);
    }
  }
  return ranges;
}

std::vector<ThinDeltaRun> RunsOfThinDelta(const std::vector<ThinDeltaRange>& ranges) {
  std::vector<ThinDeltaRun> runs;
  for (const ThinDeltaRange& range : ranges) {
    if (!runs.empty() && runs.back().kind == range.kind &&
        runs.back().begin + runs.back().length == range.begin) {
      runs.back().length += range.length;
    } else {
      runs.push_back({range.kind, range.begin, range.length});
    }
  }
  return runs;
}

}  // namespace lamina
