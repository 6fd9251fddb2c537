// Explorer: one operation on one scene, broken at every place where it can break.
//
//   crash    before change k of the writable layer, for every k; then mount what is left, check,
//            mount again; where the work directory holds something, crash in that mount, too
//   fault    change k, or flush k, fails with an errno, once or from then on; check the running
//            mount, what a restart shows, and that the same call succeeds when the fault is gone
//
// Threads: one.
#ifndef LAMINA_TESTS_CRASH_EXPLORER_H_
#define LAMINA_TESTS_CRASH_EXPLORER_H_

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/crash/deviations.h"
#include "tests/crash/machine.h"

namespace lamina::testing {

struct Exploration {
  std::uint64_t runs = 0;        // operations that were broken
  std::uint64_t states = 0;      // of these, different images (with another call running, another)
  std::uint64_t recoveries = 0;  // mounts that were broken, too
  std::uint64_t swallowed = 0;   // steps that failed without failing their call
  RowCounts deviations;
  RowCounts tolerated;
  std::vector<std::string> findings;  // a line each: scene, operation, place, what is wrong

  void Add(const Exploration& other);
  std::string Summary() const;
  std::string FindingsText() const;  // a line each, the first hundred
};

enum class FaultLength : std::uint8_t { kOnce, kFromThenOn };

class Explorer {
 public:
  // Performs the operation once without faults, to know what is right. `planted`: faults that are
  // in place ever after, for a control.
  Explorer(const Scene& scene, const Operation& operation, std::vector<Fault> planted = {});

  void Crashes();
  // `op`: kAnyChange, or kFsync. Everything is checked with EIO; with ENOSPC, EDQUOT and EROFS
  // (once only) the same must be stored afterwards.
  void Faults(Op op, FaultLength length);

  const Exploration& exploration() const { return exploration_; }

 private:
  void PerformReference();
  void Report(const std::string& place, const std::string& what);
  void CheckLowers(const Machine& machine, const std::string& place);
  void CheckLowerTexts();
  std::vector<std::string> Judge(const std::vector<PlainTree>& allowed, const Machine& machine,
                                 const PlainTree& seen);

  // A mounted machine on the scene, with what is planted.
  Machine Start() const;
  // Upper and work directory as text.
  std::string StoredText(const CrashState& state) const;
  // No state with this image was to be `expected` so far.
  bool IsNew(const CrashState& state, std::string_view expected);
  // Mounts a state and checks everything; gives the merged tree.
  PlainTree CheckMount(const CrashState& state, const std::vector<PlainTree>& allowed,
                       const std::string& place);
  // The same; the mount, too, is crashed at every place.
  void CheckRecovery(const CrashState& state, const std::vector<PlainTree>& allowed,
                     const std::string& place);
  // The trees that a break in the last of these calls may show.
  std::vector<PlainTree> AllowedAfter(const Outcomes& outcomes) const;

  // Injects one fault, performs, checks; false when the fault hit nothing.
  bool BreakAt(const FaultCalls& calls, FaultLength length, const std::string& place);
  // What is stored when the fault gives another error must be `stored` again.
  void BreakAlike(const FaultCalls& calls, Errno error, const Outcomes& with_eio,
                  const std::string& stored, const std::string& place);
  void CheckFailed(const Machine& machine, const Outcomes& outcomes, FaultLength length,
                   const std::string& place);
  void CheckSwallowed(const Machine& machine, const std::string& place);
  void CheckLive(const Machine& machine, const std::vector<PlainTree>& allowed,
                 bool may_leave_litter, const std::string& place);
  void CheckRetry(Machine& machine, const std::string& place);

  const Scene& scene_;
  const Operation& operation_;
  std::vector<Fault> planted_;
  std::vector<std::string> lowers_;  // as text, before anything was done
  Outcomes outcomes_;                // what is right
  std::vector<PlainTree> trees_;     // after a restart before the first call, and after each
  PlainTree live_before_;            // as the mount shows it without a restart
  PlainTree live_after_;
  std::set<std::string> seen_;  // images, as text, with what they are to be
  Exploration exploration_;
};

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_CRASH_EXPLORER_H_
