// LayerWriter: carries out the verbs of a NamedLayer on a directory of a MemFs.
//
// Threads: belongs to the MemFs.
#ifndef LAMINA_SIM_FACADE_LAYER_WRITER_H_
#define LAMINA_SIM_FACADE_LAYER_WRITER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"

namespace lamina::internal {

class LayerWriter {
 public:
  LayerWriter(MemFs& fs, NodeId root, std::string_view layer, std::string_view opaque_key);

  Process& process() { return process_; }
  std::string_view opaque_key() const { return opaque_key_; }

  // Makes the directories above `path`. Errors: kInval a path that is not absolute, or is the root.
  Result<void> MakeParents(std::string_view path);
  // `result`, as an error of the verb: layer "base": File("/etc/hosts"): File exists [EEXIST].
  absl::Status Done(std::string_view verb, std::string_view path, Result<void> result) const;

 private:
  Clock clock_;
  Process process_;
  std::string layer_;
  std::string opaque_key_;
};

}  // namespace lamina::internal
#endif  // LAMINA_SIM_FACADE_LAYER_WRITER_H_
