#include "lamina/sim/fault_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lamina/base/check.h"

namespace lamina::sim {

std::string FiredFault::ToString() const {
  std::string text = ops.ToString();
  if (!detail.empty()) absl::StrAppendFormat(&text, " %s", detail);
  if (!paths.empty()) absl::StrAppendFormat(&text, " of %s", absl::StrJoin(paths, ", "));
  if (sectors) absl::StrAppendFormat(&text, " of sectors %d+%d", sectors->first, sectors->count);
  if (site.kind == FaultSite::Kind::kMount) return text + " at the mount";
  text += site.kind == FaultSite::Kind::kDevice ? " at device" : " at";
  return text + absl::StrFormat(" %s", site.name);
}

void FaultPlan::Add(const Fault& fault) {
  LAMINA_CHECK(depth_ == 0);
  LAMINA_CHECK(!fault.Mistake().has_value());
  const bool delays = fault.effect() == Fault::Effect::kDelay;
  LAMINA_CHECK(!delays || options_.clock != nullptr);
  rules_.push_back(Rule{fault});
}

void FaultPlan::Clear() {
  LAMINA_CHECK(depth_ == 0);
  rules_.clear();
  fired_.clear();
}

std::vector<std::string> FaultPlan::Unfired() const {
  std::vector<std::string> texts;
  for (const Rule& rule : rules_) {
    if (rule.fired == 0) texts.push_back(rule.fault.ToString());
  }
  return texts;
}

void FaultPlan::Crash() {
  if (crashed_) return;
  crashed_ = true;
  if (on_crash_) on_crash_();
}

bool FaultPlan::WantsPaths() const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [](const Rule& rule) { return rule.fault.has_pattern(); });
}

// ── Running ────────────────────────────────────────────────────────────────────────────────────

struct FaultPlan::Running::Arrival {
  const FaultSite& site;
  const FaultCall& call;
  const Probe& probe;
  std::vector<std::string> paths = {};
};

namespace {

bool MatchesSite(const Fault& fault, const FaultSite& site) {
  switch (fault.place()) {
    case FaultPlace::kAnywhere:
      return true;
    case FaultPlace::kMount:
      return site.kind == FaultSite::Kind::kMount;
    case FaultPlace::kBranch:
      return site.kind == FaultSite::Kind::kBranch && site.name == fault.branch();
    case FaultPlace::kDevice:
      return site.kind == FaultSite::Kind::kDevice && site.name == fault.device();
  }
  return false;
}

// What the effect needs of a call.
bool Suits(Fault::Effect effect, const FaultCall& call) {
  switch (effect) {
    case Fault::Effect::kShortWrite:
      return call.can_be_short;
    case Fault::Effect::kDrop:
      return call.can_be_dropped;
    case Fault::Effect::kFlipBit:
      return call.can_be_flipped;
    case Fault::Effect::kFail:
    case Fault::Effect::kDelay:
    case Fault::Effect::kCrash:
      return true;
  }
  return false;
}

}  // namespace

FaultPlan::Running::Running(FaultPlan& plan, const FaultSite& site, const FaultCall& call,
                            const Probe& probe)
    : plan_(plan), outer_paths_(plan.outer_paths_.size()) {
  const bool inside = plan.depth_ > 0 || site.kind == FaultSite::Kind::kMount;
  ++plan.depth_;
  if (plan.crashed_ && call.ops.changes()) failure_ = Errno::kIo;
  if (failure_ || plan.rules_.empty()) return;
  if (plan.options_.only_inside_mount_calls && !inside) return;

  Arrival arrival{site, call, probe};
  if (plan.WantsPaths()) arrival.paths = call.paths();
  // Each piece asks every rule anew; the call as a whole covers what is inside it.
  for (std::uint64_t piece = 0; piece < call.pieces && !failure_; ++piece) {
    for (std::size_t i = 0; i < plan.rules_.size() && !failure_; ++i) Count(arrival, i);
  }
  for (const std::size_t index : covered_) ++plan.rules_[index].covered;
  plan.outer_paths_.insert(plan.outer_paths_.end(), arrival.paths.begin(), arrival.paths.end());
}

FaultPlan::Running::~Running() {
  for (const std::size_t index : covered_) --plan_.rules_[index].covered;
  plan_.outer_paths_.resize(outer_paths_);
  --plan_.depth_;
}

void FaultPlan::Running::Count(Arrival& arrival, std::size_t index) {
  Rule& rule = plan_.rules_[index];
  const Fault& fault = rule.fault;
  if (rule.covered > 0 || !arrival.call.ops.Has(fault.op())) return;
  if (!MatchesSite(fault, arrival.site) || !Suits(fault.effect(), arrival.call)) return;
  if (!fault.MatchesSectors(arrival.call.sectors)) return;
  if (fault.has_pattern()) {
    const auto fits = [&](const std::string& path) { return fault.MatchesPath(path); };
    if (std::none_of(arrival.paths.begin(), arrival.paths.end(), fits) &&
        std::none_of(plan_.outer_paths_.begin(), plan_.outer_paths_.end(), fits)) {
      return;
    }
  }
  if (std::find(covered_.begin(), covered_.end(), index) == covered_.end()) {
    covered_.push_back(index);
  }
  if (fault.Hits(++rule.matched)) Fire(arrival, index);
}

void FaultPlan::Running::Fire(Arrival& arrival, std::size_t index) {
  Rule& rule = plan_.rules_[index];
  const Fault& fault = rule.fault;
  ++rule.fired;
  switch (fault.effect()) {
    case Fault::Effect::kFail:
      failure_ = fault.error();
      break;
    case Fault::Effect::kCrash:
      failure_ = Errno::kIo;
      break;
    case Fault::Effect::kShortWrite:
      short_bytes_ = std::min(short_bytes_.value_or(fault.short_bytes()), fault.short_bytes());
      break;
    case Fault::Effect::kDelay:
      plan_.options_.clock->Advance(fault.delay());
      break;
    case Fault::Effect::kDrop:
      dropped_ = true;
      break;
    case Fault::Effect::kFlipBit:
      flipped_bits_.push_back(fault.bit());
      break;
  }
  if (arrival.paths.empty()) arrival.paths = arrival.call.paths();
  plan_.fired_.push_back({index, arrival.site, arrival.call.ops, arrival.paths,
                          std::string(arrival.call.detail), failure_, arrival.call.sectors});
  arrival.probe.Emit([&] {
    const Errno error = failure_.value_or(Errno{});
    return Event{.kind = EventKind::kFaultInjected, .detail = static_cast<std::uint64_t>(error)};
  });
  if (fault.effect() == Fault::Effect::kCrash) plan_.Crash();
}

}  // namespace lamina::sim
