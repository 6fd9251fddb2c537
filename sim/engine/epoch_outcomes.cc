#include "sim/engine/epoch_outcomes.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "lamina/sim/choosers.h"

namespace lamina::sim::internal {
namespace {

// Up to so many changes, the ways to keep two of them, or to lose one of a prefix, are all tried.
constexpr std::size_t kManyChanges = 32;
// Up to so many sectors, a write is torn at each of them.
constexpr std::uint64_t kManySectors = 8;

class Outcomes {
 public:
  Outcomes(std::span<const DeviceChange> changes, const CrashBounds& bounds,
           absl::FunctionRef<void(const CrashOutcome&)> visit)
      : changes_(changes), bounds_(bounds), visit_(visit) {}

  // All ways there are, if those are not too many.
  void EveryWay() {
    if (!FewWays()) return;
    ExhaustiveChooser chooser;
    do {
      Visit(ChooseOutcome(changes_, bounds_.rules, chooser));
    } while (Room() && chooser.Next());
  }

  bool EverySubset() {
    const std::uint64_t subsets = std::uint64_t{1} << changes_.size();
    for (std::uint64_t subset = 0; subset < subsets; ++subset) {
      if (!Room()) return false;
      CrashOutcome outcome;
      for (std::size_t i = 0; i < changes_.size(); ++i) {
        if ((subset >> i & 1) != 0) outcome.push_back(Whole(i));
      }
      Visit(outcome);
    }
    return true;
  }

  void Prefixes() {
    for (std::size_t length = 0; length <= changes_.size() && Room(); ++length) {
      Visit(Prefix(length));
    }
  }

  // The last change of a prefix is torn, alone or after all others.
  void TornLast() {
    for (std::size_t last = 0; last < changes_.size(); ++last) {
      for (const Landing& part : Parts(last)) {
        if (!Room()) return;
        CrashOutcome outcome = Prefix(last);
        outcome.push_back(part);
        Visit(outcome);
      }
    }
  }

  // Everything but one change, and, when there are few changes, the same of every prefix.
  void LessOne() {
    const std::size_t all = changes_.size();
    for (std::size_t length = all <= kManyChanges ? 1 : all; length <= all; ++length) {
      for (std::size_t lost = 0; lost < length && Room(); ++lost) {
        CrashOutcome outcome = Prefix(length);
        outcome.erase(outcome.begin() + static_cast<std::ptrdiff_t>(lost));
        Visit(outcome);
      }
    }
  }

  // One change, and, when there are few changes, two.
  void OneOrTwo() {
    for (std::size_t one = 0; one < changes_.size() && Room(); ++one) Visit({Whole(one)});
    if (changes_.size() > kManyChanges) return;
    for (std::size_t one = 0; one < changes_.size(); ++one) {
      for (std::size_t two = one + 1; two < changes_.size() && Room(); ++two) {
        Visit({Whole(one), Whole(two)});
      }
    }
  }

  // Half of the samples decide for every change alone; the others are a crash in the middle of the
  // epoch, before which only a few changes went another way.
  void Samples(std::uint64_t seed) {
    RandomChooser chooser(seed);
    for (std::uint64_t i = 0; i < bounds_.samples; ++i) {
      if (i % 2 == 0) {
        visit_(ChooseOutcome(changes_, bounds_.rules, chooser));
        continue;
      }
      CrashOutcome outcome = Prefix(chooser.Choose(changes_.size() + 1));
      for (std::uint64_t odd = chooser.Choose(4); odd > 0 && !outcome.empty(); --odd) {
        const auto at = static_cast<std::ptrdiff_t>(chooser.Choose(outcome.size()));
        const std::vector<Landing> parts = Parts(outcome[static_cast<std::size_t>(at)].change);
        const std::uint64_t part = chooser.Choose(parts.size() + 1);
        if (part == parts.size()) {
          outcome.erase(outcome.begin() + at);
        } else {
          outcome[static_cast<std::size_t>(at)] = parts[part];
        }
      }
      visit_(outcome);
    }
  }

 private:
  bool Room() const { return visited_ < bounds_.max_outcomes; }
  // Orders are not counted.
  bool FewWays() const {
    std::uint64_t ways = 1;
    for (const DeviceChange& change : changes_) {
      ways *= bounds_.rules.may_tear ? 2 * change.range.count : 2;
      if (ways > bounds_.max_outcomes) return false;
    }
    return changes_.size() <= bounds_.exhaustive_tears;
  }
  void Visit(const CrashOutcome& outcome) {
    ++visited_;
    visit_(outcome);
  }
  Landing Whole(std::size_t change) const { return {change, 0, changes_[change].range.count}; }
  CrashOutcome Prefix(std::size_t length) const { return WholeOutcome(changes_.first(length)); }

  // Beginnings and ends of a change.
  std::vector<Landing> Parts(std::size_t change) const {
    std::vector<Landing> parts;
    const std::uint64_t count = changes_[change].range.count;
    if (!bounds_.rules.may_tear) return parts;
    const std::uint64_t step = count <= kManySectors ? 1 : count / 4;
    for (std::uint64_t at = 1; at < count; at += step) {
      parts.push_back({change, 0, at});
      parts.push_back({change, at, count - at});
    }
    return parts;
  }

  std::span<const DeviceChange> changes_;
  const CrashBounds& bounds_;
  absl::FunctionRef<void(const CrashOutcome&)> visit_;
  std::uint64_t visited_ = 0;
};

}  // namespace

bool ForEachOutcome(std::span<const DeviceChange> changes, const CrashBounds& bounds,
                    std::uint64_t seed, absl::FunctionRef<void(const CrashOutcome&)> visit) {
  Outcomes outcomes(changes, bounds, visit);
  const bool few = changes.size() <= std::min<std::size_t>(bounds.exhaustive_changes, 16);
  const bool complete = few && outcomes.EverySubset();
  if (!complete) {
    outcomes.Prefixes();
    outcomes.LessOne();
    outcomes.OneOrTwo();
  }
  outcomes.TornLast();
  outcomes.EveryWay();
  if (!changes.empty()) outcomes.Samples(seed);
  return complete;
}

}  // namespace lamina::sim::internal
