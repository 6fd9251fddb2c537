// ModelSpecification: the reference model as the specification of the calls of a FileSystem
// (inode_calls.h). The calls are those of a process; what differs:
//
//   stat P         whether the name is there
//   link hN P      (slot in `slot`, new name in `other`) one more name for an open file
//
// Threads: thread-compatible.
#ifndef LAMINA_TESTS_LINEARIZABILITY_MODEL_SPECIFICATION_H_
#define LAMINA_TESTS_LINEARIZABILITY_MODEL_SPECIFICATION_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/linearizability/checker.h"

namespace lamina::sim {

class ModelSpecification final : public Specification {
 public:
  explicit ModelSpecification(PosixModel model) : model_(std::move(model)) {}

  PosixModel& model() { return model_; }
  std::unique_ptr<Specification> Clone() const override;
  // "?" when the reference does not say what the call does.
  std::string Apply(const ModelOperation& operation) override;
  std::string State() const override;

 private:
  std::string Link(const ModelOperation& operation);
  std::string SlotState(int slot, const std::vector<std::string>& paths) const;

  PosixModel model_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_LINEARIZABILITY_MODEL_SPECIFICATION_H_
