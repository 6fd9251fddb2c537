// AufsSubject: a union of AUFS on MemFs branches, several of which may be writable, under test
// (subject.h). Branches may come, go and change their mode between the calls.
//
// Threads: thread-compatible.
#ifndef LAMINA_TESTS_MODEL_AUFS_SUBJECT_H_
#define LAMINA_TESTS_MODEL_AUFS_SUBJECT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/union/aufs.h"
#include "tests/model/aufs_drawing.h"
#include "tests/model/subject.h"

namespace lamina::sim {

// A union before its first call.
struct DrawnUnion {
  std::vector<DrawnBranch> branches;  // topmost first
  bool one_fs = true;                 // all branches on one file system
  Branches changes = Branches::kStay;
  std::vector<OperationKind> swarm;

  // The set-up in the scenario language, up to the mount.
  std::string Show() const;
};

// Where faults are planted.
struct AufsFaults {
  Decorate in_union;
  Decorate in_branches;
};

class AufsSubject final : public Subject {
 public:
  AufsSubject(const DrawnUnion& drawn, const AufsFaults& faults);
  ~AufsSubject() override { Shut(); }

  ModelOutcome ExecuteStep(const AufsStep& step);
  std::string CompareStep(const PosixModel& model, const AufsStep& step, const ModelOutcome& want,
                          const ModelOutcome& got);

 private:
  // A file system, and what the union sees of it.
  struct Home {
    MemFs fs;
    std::unique_ptr<FileSystem> decorated;
    FileSystem& seen() { return decorated == nullptr ? fs : *decorated; }
  };
  struct Part {
    std::string name;  // "/b0" in mount strings
    ModelBranchMode mode{};
    bool was_writable = false;
    Home* home = nullptr;
    RawLayer layer;
  };

  Home& HomeForNext();
  std::string AddPart(std::size_t index, ModelBranchMode mode,
                      const std::vector<ModelOperation>& content);
  Result<DirectoryRef> Resolve(std::string_view path);
  std::string MountText() const;
  void Mount();
  void Remount() override;
  std::string RemountLine() const override;
  Leniency LeniencyFor(const PosixModel& model) const override;
  bool RecyclesNumbers() const override { return true; }
  std::string CompareInside(const PosixModel& model) override;
  std::string CompareBranch(const Part& part, const ModelTree& want);
  Result<void> ChangeBranches(const BranchChange& change);
  Result<void> Flush();
  void RunRemovals();

  DrawnUnion drawn_;
  AufsFaults faults_;
  std::vector<std::unique_ptr<Home>> homes_;
  LayerBuilder builder_;
  std::vector<Part> parts_;  // topmost first
  std::vector<Part> gone_;
  int next_part_ = 0;
  bool links_settled_ = true;  // numbers and link counts are
  std::unique_ptr<UnionFs> union_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_AUFS_SUBJECT_H_
