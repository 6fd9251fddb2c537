// Subject: the file system under test in a model test, with a process on it. It carries out calls,
// and compares everything that can be seen of it with a model after each of them. Here: a MemFs,
// and an overlay on MemFs layers; aufs_subject.h has the other union.
//
// Threads: thread-compatible.
#ifndef LAMINA_TESTS_MODEL_SUBJECT_H_
#define LAMINA_TESTS_MODEL_SUBJECT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lamina/fs/file_system.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/union/overlay.h"
#include "sim/model/overlay_view.h"
#include "tests/model/process_runner.h"
#include "tests/model/raw_layer.h"

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

// One call a line.
std::string LinesOf(const std::vector<ModelOperation>& calls);

// Puts a decorator on the file system the process sees: how a fault is planted.
using Decorate = std::function<std::unique_ptr<FileSystem>(FileSystem&)>;

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
  // What is left out of a comparison.
  struct Leniency {
    bool links = false;                                   // link counts
    bool numbers = false;                                 // (st_dev, st_ino)
    std::function<bool(const std::string&)> unread = {};  // the content of these files
  };

  explicit Subject(const std::string& set_up, const Decorate& decorate);
  void Open(FileSystem& fs, NodeId root);  // a new process
  void Shut();
  void Tell(const std::string& line) { scenario_ += line + "\n"; }
  // Closed and opened again, with the same content.
  virtual void Remount() = 0;
  // How the scenario says that.
  virtual std::string RemountLine() const;
  virtual std::string CompareInside(const PosixModel& model) = 0;
  virtual Leniency LeniencyFor(const PosixModel&) const { return {}; }
  // Files that are gone give their numbers to others.
  virtual bool RecyclesNumbers() const { return false; }
  // Numbers are those of this mount only.
  void ForgetNumbers();
  std::string CompareSeen(const PosixModel& model, const ModelOutcome& want,
                          const ModelOutcome& got);

 private:
  static void Relax(const Leniency& leniency, std::vector<ModelEntry>& tree);
  std::string CheckIdentity(const std::string& where, std::uint64_t want, std::uint64_t got);
  void ForgetGone(const PosixModel& model, const std::vector<ModelEntry>& tree);

  Decorate decorate_;
  Clock clock_;
  IdentityNumbers identities_;
  std::map<std::uint64_t, std::uint64_t> known_;  // identity of the model -> number seen
  std::map<std::uint64_t, std::uint64_t> model_of_;
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
  LayerBuilder builder_;
  RawLayer tree_;
};

class OverlaySubject final : public Subject {
 public:
  OverlaySubject(const DrawnCase& drawn, const Decorate& decorate);
  ~OverlaySubject() override { Shut(); }

 private:
  void Mount();
  void Remount() override;
  std::string CompareInside(const PosixModel& model) override;
  std::string CompareLowers();
  std::string CompareUpper(const ModelTree& upper);
  std::string CompareWork();

  DrawnCase drawn_;
  MemFs home_;
  std::vector<std::unique_ptr<MemFs>> lower_fs_;
  LayerBuilder builder_;
  std::vector<RawLayer> lowers_;
  RawLayer upper_;
  RawLayer work_;
  std::unique_ptr<FileSystem> union_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_SUBJECT_H_
