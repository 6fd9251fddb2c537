// What is odd about the marks of an object that is no whiteout: opaque, redirect, metacopy, origin.
//
// Threads: a MarkCheck belongs to one check.
// Lifetime: keeps references to its arguments.
#ifndef LAMINA_SIM_CHECK_MARK_CHECK_H_
#define LAMINA_SIM_CHECK_MARK_CHECK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/check/layer_search.h"
#include "sim/check/stack_reader.h"

namespace lamina::sim::internal {

// An object of a layer, and what the layers from there on show under its name.
struct LayerObject {
  std::string path;
  Part part;
  Stat stat;
  FoundName found;
};

class MarkCheck {
 public:
  MarkCheck(const StackReader& reader, std::vector<StackFinding>& findings)
      : reader_(reader), findings_(findings) {}

  // The root of a layer: what is read of it at mount.
  Result<void> CheckRoot(BranchIndex branch);
  void CheckDirectory(const LayerObject& dir);
  void CheckFile(const LayerObject& file);

  void Add(FindingKind kind, Severity severity, const Part& part, std::string path,
           std::string what, std::string kernel);

 private:
  void CheckIgnored(const LayerObject& object, std::string_view mark, std::string_view meant_for);
  enum class Redirect : std::uint8_t { kNone, kFollowed, kRefused };
  Redirect CheckRedirect(const LayerObject& object);
  void CheckMetacopy(const LayerObject& file);
  void CheckOrigin(const LayerObject& object);

  const StackReader& reader_;
  std::vector<StackFinding>& findings_;
};

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_MARK_CHECK_H_
