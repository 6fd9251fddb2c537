#include "tests/linearizability/checker.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lamina/base/check.h"

namespace lamina::sim {
namespace {

using Mask = std::uint64_t;  // bit i: call i is done

Mask BitOf(std::size_t call) { return Mask{1} << call; }

class Search {
 public:
  Search(const History& history, const Specification& initial) : calls_(history.calls) {
    LAMINA_CHECK(calls_.size() <= kMaxHistoryCalls);
    for (std::size_t i = 0; i < calls_.size(); ++i) all_ |= BitOf(i);
    Advance(0, initial.Clone(), 0);
  }

  Verdict Run() {
    while (!path_.empty()) {
      if (path_.back().done == all_) {
        verdict_.linearizable = true;
        break;
      }
      if (!StepForward()) path_.pop_back();
    }
    return std::move(verdict_);
  }

 private:
  struct Point {
    Mask done = 0;
    std::unique_ptr<Specification> state;
    std::size_t call = 0;           // that led here
    std::vector<std::size_t> left;  // calls to try next, last first
    bool forced = false;            // there was one only
  };

  // The calls that may come next: those that began before any call that is left had ended.
  std::vector<std::size_t> Candidates(Mask done) const {
    std::uint64_t first_end = ~std::uint64_t{0};
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if ((done & BitOf(i)) == 0) first_end = std::min(first_end, calls_[i].returned);
    }
    std::vector<std::size_t> candidates;
    for (std::size_t i = calls_.size(); i-- > 0;) {
      if ((done & BitOf(i)) == 0 && calls_[i].called < first_end) candidates.push_back(i);
    }
    return candidates;
  }

  // Tries the calls that are left to try at the end of the path. False: none leads on.
  bool StepForward() {
    while (!path_.back().left.empty()) {
      Point& here = path_.back();
      const std::size_t call = here.left.back();
      here.left.pop_back();
      // Where there is no choice there is nothing to come back to, nor to remember.
      const bool forced = here.forced;
      std::unique_ptr<Specification> state = forced ? std::move(here.state) : here.state->Clone();
      ++verdict_.steps;
      if (state->Apply(calls_[call].operation) != calls_[call].result) continue;
      const Mask done = here.done | BitOf(call);
      if (!forced && !seen_.emplace(done, state->State()).second) continue;
      Advance(done, std::move(state), call);
      return true;
    }
    return false;
  }

  void Advance(Mask done, std::unique_ptr<Specification> state, std::size_t call) {
    std::vector<std::size_t> left = Candidates(done);
    const bool forced = left.size() == 1;
    path_.push_back({done, std::move(state), call, std::move(left), forced});
    if (path_.size() - 1 > verdict_.order.size()) KeepOrder();
  }

  void KeepOrder() {
    verdict_.order.clear();
    for (std::size_t i = 1; i < path_.size(); ++i) verdict_.order.push_back(path_[i].call);
  }

  const std::vector<RecordedCall>& calls_;
  Mask all_ = 0;
  std::vector<Point> path_;
  std::set<std::pair<Mask, std::string>> seen_;
  Verdict verdict_;
};

}  // namespace

std::string Verdict::Show(const History& history) const {
  std::string text = history.Show();
  text += linearizable ? "an order that explains it:\n" : "the longest order that is accepted:\n";
  for (const std::size_t call : order) {
    text += "  " + history.calls[call].operation.Show() + " = " + history.calls[call].result + "\n";
  }
  return text;
}

Verdict FindLinearization(const History& history, const Specification& initial) {
  return Search(history, initial).Run();
}

}  // namespace lamina::sim
