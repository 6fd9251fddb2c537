// AufsScene: a union of AUFS out of drawings of its branches, calls on it, and drawings of what is
// there afterwards. A drawing is a list of paths in byte order; the marks are files like others.
//
//   AufsScene scene({Rw("d/ d/.wh.x"), Ro("d/ d/x=old f=B")});
//   scene.Run("unlink /f")   "OK"
//   scene.On(0)              ".wh.f d/ d/.wh.x"       without the base entries
//   scene.Seen()             "d/"
//
// `d/` a directory, `f=B` a file and its content, `s>f` a symlink, `OPQ` the file .wh..wh..opq.
// Files are 0644, directories 0755, all of root and of 1000 s.
//
// Threads: thread-compatible.
#ifndef LAMINA_TESTS_MODEL_AUFS_SCENE_H_
#define LAMINA_TESTS_MODEL_AUFS_SCENE_H_

#include <map>
#include <string>
#include <vector>

#include "sim/model/aufs_view.h"
#include "sim/model/operation.h"
#include "sim/model/posix.h"

namespace lamina::sim {

// Carries out calls of the scenario language, separated by "; ". `umount` mounts again as well.
class CallRunner {
 public:
  explicit CallRunner(PosixModel& model) : model_(model) {}
  // The outcome of the last call.
  ModelOutcome Call(const std::string& calls);
  std::string Run(const std::string& calls) { return Call(calls).Show(); }

 private:
  ModelOutcome One(const std::string& line);

  PosixModel& model_;
  std::map<std::string, int> slots_;
};

ModelTree TreeOf(const std::string& drawing);
// What calls on an empty file system leave, all of it of 1000 s.
ModelTree TreeAfter(const std::string& calls);
std::string DrawingOf(const ModelTree& tree);

inline AufsView::Content Rw(const std::string& drawing) {
  return {ModelBranchMode::kReadWrite, TreeOf(drawing)};
}
inline AufsView::Content Ro(const std::string& drawing) {
  return {ModelBranchMode::kReadOnly, TreeOf(drawing)};
}
inline AufsView::Content RoWh(const std::string& drawing) {
  return {ModelBranchMode::kReadOnlyWhiteout, TreeOf(drawing)};
}

class AufsScene {
 public:
  explicit AufsScene(const std::vector<AufsView::Content>& branches);
  AufsScene(const AufsScene&) = delete;
  AufsScene& operator=(const AufsScene&) = delete;

  std::string Run(const std::string& calls) { return runner_.Run(calls); }
  // Names with their types, in the order of the list: [d:d f:f].
  std::string List(const std::string& dir) { return Run("readdir " + dir); }
  std::string Seen() const;
  std::string On(std::size_t branch) const { return DrawingOf(view_.branch(branch)); }
  ModelStat Stat(const std::string& path) const;
  AufsView& view() { return view_; }
  PosixModel& model() { return model_; }

 private:
  PosixModel model_;
  AufsView& view_;
  CallRunner runner_;
};

// "OK" or the name of the error.
std::string Shown(const Result<void>& result);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_AUFS_SCENE_H_
