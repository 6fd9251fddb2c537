// Subject: the file system under test in a model test: a MemFs, or an overlay on MemFs layers, with
// a process on it. It carries out calls, and compares everything that can be seen of it with a
// model after each of them.
//
// Threads: thread-compatible.
#ifndef LAMINA_TESTS_MODEL_SUBJECT_H_
#define LAMINA_TESTS_MODEL_SUBJECT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lamina/fs/file_system.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/union/overlay.h"
#include "sim/model/overlay_view.h"
#include "tests/model/process_runner.h"

namespace lamina::sim {

// A case before its first call.
struct DrawnCase {
  std::vector<std::vector<ModelOperation>> lowers;  // topmost first; empty: no union
  std::vector<ModelOperation> upper;                // or the tree of the MemFs
  bool one_fs = true;                               // all layers on one file system
  bool kernel_quirks = true;
  std::vector<OperationKind> swarm;  // kinds of calls to draw from, as often as wanted

  // The set-up in the scenario language, up to `mount`.
  std::string Show() const;
};

// Puts a decorator on the file system the process sees: how a fault is planted.
using Decorate = std::function<std::unique_ptr<FileSystem>(FileSystem&)>;

// How often what came out of which call.
class Tally {
 public:
  void Count(const ModelOperation& operation, const ModelOutcome& outcome);
  void CountDeviations(const std::set<DeviationRule>& rules);
  int operations() const { return operations_; }
  int failures() const { return failures_; }
  int successes_of(OperationKind kind) const;
  int failures_of(OperationKind kind) const;
  int uses_of(DeviationRule rule) const;
  std::string Show() const;  // a table, one line a kind

 private:
  std::map<OperationKind, std::map<std::string, int>> counts_;
  std::map<DeviationRule, int> deviations_;
  int operations_ = 0;
  int failures_ = 0;
};

class Subject {
 public:
  virtual ~Subject() = default;
  ModelOutcome Execute(const ModelOperation& operation);
  // The first difference from the model after a call, or "". The layers are not looked at after a
  // call that only looks: the next one that changes something shows what it may have left there.
  std::string Compare(const PosixModel& model, const ModelOperation& operation,
                      const ModelOutcome& want, const ModelOutcome& got);
  // Set-up and calls so far, to be pasted into a file.
  const std::string& scenario() const { return scenario_; }

 protected:
  explicit Subject(const DrawnCase& drawn, const Decorate& decorate);
  void Open(FileSystem& fs, NodeId root);  // a new process
  void Shut();
  // Closed and opened again, with the same content.
  virtual void Remount() = 0;
  virtual std::string CompareInside(const PosixModel& model) = 0;

  DrawnCase drawn_;
  Clock set_up_clock_{InstantFromSeconds(1000)};
  std::map<std::uint64_t, std::uint64_t> known_;  // identity of the model -> number seen
  std::map<std::uint64_t, std::uint64_t> model_of_;

 private:
  std::string CheckIdentity(const std::string& where, std::uint64_t want, std::uint64_t got);

  Decorate decorate_;
  Clock clock_;
  IdentityNumbers identities_;
  std::unique_ptr<FileSystem> decorated_;
  std::unique_ptr<ProcessRunner> runner_;
  ModelOperation caller_;  // who makes the calls, umask in `mode`
  std::string scenario_;
};

class MemFsSubject final : public Subject {
 public:
  MemFsSubject(const DrawnCase& drawn, const Decorate& decorate);
  ~MemFsSubject() override { Shut(); }

 private:
  void Remount() override;
  std::string CompareInside(const PosixModel&) override { return ""; }

  MemFs fs_;
  NodeId root_;
};

class OverlaySubject final : public Subject {
 public:
  OverlaySubject(const DrawnCase& drawn, const Decorate& decorate);
  ~OverlaySubject() override { Shut(); }

 private:
  struct Layer {
    FileSystem* fs = nullptr;
    NodeId root;
    std::unique_ptr<ProcessRunner> raw;
    std::vector<ModelEntry> before;
  };

  Layer Build(FileSystem& fs, const std::string& name, const std::vector<ModelOperation>& calls);
  DirectoryRef RefTo(const Layer& layer) const;
  void Mount();
  void Remount() override;
  std::string CompareInside(const PosixModel& model) override;
  std::string CompareLowers();
  std::string CompareUpper(const ModelTree& upper);
  std::string CompareWork();

  MemFs home_;
  std::vector<std::unique_ptr<MemFs>> lower_fs_;
  IdentityNumbers raw_identities_;
  std::vector<Layer> lowers_;
  Layer upper_;
  Layer work_;
  std::unique_ptr<FileSystem> union_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_SUBJECT_H_
