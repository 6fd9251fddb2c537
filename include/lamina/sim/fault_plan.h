// FaultPlan: the faults of one run, what has become of them, and whether the machine still runs.
// Every FaultyFs and FaultyDevice of a run shares one: it sees every call, wherever it arrives.
//
//   Process ─► FaultyFs "merged" ─► UnionFs ─► FaultyFs "upper" ─► MemFs
//                      └───────── FaultPlan ─────────┘
//
// After a Crash fault the machine is dead: every call that would change something gives kIo, at
// every place, for good. Calls that change nothing still answer; what they say is of no account.
//
// Threads: belongs to one simulation.
// Lifetime: must outlive those that ask it; does not own the clock.
#ifndef LAMINA_SIM_FAULT_PLAN_H_
#define LAMINA_SIM_FAULT_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "lamina/base/errno.h"
#include "lamina/base/time.h"
#include "lamina/sim/fault.h"
#include "lamina/trace/probe.h"

namespace lamina::sim {

// Where a FaultyFs or FaultyDevice stands.
struct FaultSite {
  enum class Kind : std::uint8_t { kMount, kBranch, kDevice };
  Kind kind = Kind::kBranch;
  std::string name;  // of the branch or device
};

// A call as it arrives at a site.
struct FaultCall {
  OpSet ops;
  // What it is about, as the site knows it. Asked when somebody wants to know.
  absl::FunctionRef<std::vector<std::string>()> paths;
  std::string_view detail = {};  // key of an xattr
  std::uint64_t pieces = 1;      // it counts as so many calls
  bool can_be_short = false;
  bool can_be_dropped = false;
  bool can_be_flipped = false;
  std::optional<SectorSpan> sectors = {};  // that it touches, on a device
};

// A call that was hit.
struct FiredFault {
  std::size_t fault = 0;  // in the order of Add, from 0
  FaultSite site;
  OpSet ops = {};
  std::vector<std::string> paths;
  std::string detail;
  std::optional<Errno> error;  // that it gave because of the fault
  std::optional<SectorSpan> sectors = {};

  // "setxattr user.k of /a at upper", "pwrite of sectors 8+16 at device data"
  std::string ToString() const;
};

struct FaultPlanOptions {
  Clock* clock = nullptr;  // moved by Delay, which may not be used without
  // A branch or device counts only what happens inside a call on the mount: whoever reads a branch
  // directly meets no fault.
  bool only_inside_mount_calls = false;
};

class FaultPlan {
 public:
  explicit FaultPlan(const FaultPlanOptions& options = {}) : options_(options) {}
  FaultPlan(const FaultPlan&) = delete;
  FaultPlan& operator=(const FaultPlan&) = delete;

  // Not while a call runs. The fault must be without mistake.
  void Add(const Fault& fault);
  // Forgets the faults and what they did; a machine that is dead stays dead.
  void Clear();

  std::size_t size() const { return rules_.size(); }
  const std::vector<FiredFault>& fired() const { return fired_; }
  // Those that have hit no call yet, as text, in the order of Add.
  std::vector<std::string> Unfired() const;

  bool crashed() const { return crashed_; }
  // Stops the machine now; nothing when it has stopped already.
  void Crash();
  // Called once, when the machine stops and before anybody learns of it: the moment to capture.
  void OnCrash(std::function<void()> capture) { on_crash_ = std::move(capture); }

  // A call from its arrival to its end. Counts it and says what is to become of it.
  class Running {
   public:
    Running(FaultPlan& plan, const FaultSite& site, const FaultCall& call, const Probe& probe);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    // The call is not done and gives this.
    std::optional<Errno> failure() const { return failure_; }
    // The call is not done and says it was.
    bool dropped() const { return dropped_; }
    // No more bytes than these are written.
    std::optional<std::size_t> short_bytes() const { return short_bytes_; }
    // These bits are wrong.
    const std::vector<std::uint64_t>& flipped_bits() const { return flipped_bits_; }

   private:
    struct Arrival;
    void Count(Arrival& arrival, std::size_t index);
    void Fire(Arrival& arrival, std::size_t index);

    FaultPlan& plan_;
    std::vector<std::size_t> covered_;  // rules that have counted this call
    std::size_t outer_paths_ = 0;       // of the plan, before this call
    std::optional<Errno> failure_;
    bool dropped_ = false;
    std::optional<std::size_t> short_bytes_;
    std::vector<std::uint64_t> flipped_bits_;
  };

 private:
  struct Rule {
    Fault fault;
    std::uint64_t matched = 0;  // calls counted
    std::uint64_t fired = 0;
    std::uint64_t covered = 0;  // running calls that it has counted: those inside are not new
  };
  bool WantsPaths() const;

  FaultPlanOptions options_;
  std::vector<Rule> rules_;
  std::vector<FiredFault> fired_;
  std::function<void()> on_crash_;
  bool crashed_ = false;
  std::size_t depth_ = 0;                 // calls that run now, one inside the other
  std::vector<std::string> outer_paths_;  // what those are about
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_FAULT_PLAN_H_
