// LayerWriter: carries out the verbs of a NamedLayer on a directory of a MemFs.
//
// Threads: belongs to the MemFs.
#ifndef LAMINA_SIM_FACADE_LAYER_WRITER_H_
#define LAMINA_SIM_FACADE_LAYER_WRITER_H_

#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/image/layer_tar.h"

namespace lamina::internal {

class LayerWriter {
 public:
  LayerWriter(MemFs& fs, NodeId root, std::string_view layer, WhiteoutForm form);

  Process& process() { return process_; }

  // Makes the directories above `path`. Errors: kInval a path that is not absolute, or is the root;
  // kExist, kNotDir the name, or one on the way, is whited out.
  Result<void> MakeParents(std::string_view path);
  // The marks. Errors: kExist the name is there.
  Result<void> PutWhiteout(std::string_view path);
  Result<void> PutOpaque(std::string_view path);
  // `result`, as an error of the verb: layer "base": File("/etc/hosts"): File exists [EEXIST].
  absl::Status Done(std::string_view verb, std::string_view path, Result<void> result) const;

 private:
  // A verb before has whited the name out, in a file beside it.
  bool IsWhitedOut(std::string_view path);

  Clock clock_;
  Process process_;
  std::string layer_;
  WhiteoutForm form_;
  std::set<NodeId> whiteouts_;  // those that are files beside the name they hide
};

}  // namespace lamina::internal
#endif  // LAMINA_SIM_FACADE_LAYER_WRITER_H_
