// Recording: a small reader of kernel recordings (NAME.scn and NAME.expected) that replays them on
// the model and compares every result, the upper tree and the merged tree. It knows path calls and
// handles, default mount options, one mount point. Its own reader on purpose: the model must not be
// tested through the library's.
//
// Threads: thread-compatible.
#ifndef LAMINA_TESTS_MODEL_RECORDING_H_
#define LAMINA_TESTS_MODEL_RECORDING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/model/entry.h"
#include "sim/model/operation.h"
#include "sim/model/overlay_view.h"
#include "sim/model/posix.h"

namespace lamina::sim {

class Recording {
 public:
  enum class Extent : std::uint8_t {
    kFull,     // every call known, final trees compared
    kPartial,  // compared up to a call the model does not know
    kNone,     // not a scenario of default options
  };

  Recording(const std::string& scenario, const std::string& expected);

  // Replays. Afterwards:
  void Replay();
  Extent extent() const { return extent_; }
  const std::string& reason() const { return reason_; }  // why not kFull
  int compared() const { return compared_; }             // results and dump lines
  const std::vector<std::string>& differences() const { return differences_; }
  const std::set<DeviationRule>& deviations() const { return deviations_; }

 private:
  using Words = std::vector<std::string>;

  void Step(int line, const Words& words);
  bool Control(int line, const Words& words);
  void Mount(int line);
  void SetUp(const Words& words);
  void Call(int line, const Words& words);
  void CompareUpperEntry(int line, const std::string& path);
  void CompareTrees();
  void CompareText(const std::string& where, const std::string& want, const std::string& got);
  void Stop(Extent extent, const std::string& reason);
  std::string ResultOf(int line) const;
  // The recorded text without the classes of identity; notes and checks the class.
  std::string WithoutIdentity(const std::string& where, std::string text, std::uint64_t identity);
  const OverlayView& overlay() const;

  std::vector<Words> lines_;
  std::map<int, std::string> results_;  // by line of the scenario
  std::vector<std::string> upper_dump_;
  std::vector<std::string> merged_dump_;

  std::map<std::string, PosixModel> layers_;
  std::string target_;  // layer under construction
  Words stack_;
  std::unique_ptr<PosixModel> mounted_;
  bool is_mounted_ = false;
  std::map<std::string, int> slots_;
  std::map<std::string, std::uint64_t> class_to_identity_;
  std::map<std::uint64_t, std::string> identity_to_class_;

  Extent extent_ = Extent::kFull;
  bool stopped_ = false;
  std::string reason_;
  int compared_ = 0;
  std::vector<std::string> differences_;
  std::set<DeviationRule> deviations_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_RECORDING_H_
