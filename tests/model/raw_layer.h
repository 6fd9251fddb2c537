// RawLayer: a directory that a union under test is made of, and a process that looks into it past
// the union.
//
// Threads: thread-compatible.
// Lifetime: layers must not outlive their builder and their file systems.
#ifndef LAMINA_TESTS_MODEL_RAW_LAYER_H_
#define LAMINA_TESTS_MODEL_RAW_LAYER_H_

#include <memory>
#include <string>
#include <vector>

#include "lamina/fs/file_system.h"
#include "lamina/union/branch.h"
#include "tests/model/process_runner.h"

namespace lamina::sim {

struct RawLayer {
  FileSystem* fs = nullptr;
  NodeId root;
  std::unique_ptr<ProcessRunner> raw;
  std::vector<ModelEntry> before;  // when it was made

  std::vector<ModelEntry> Dump() const;
  // `seen`: the file system as the union is to see it.
  DirectoryRef RefThrough(FileSystem& seen) const;
  DirectoryRef Ref() const { return RefThrough(*fs); }
};

class LayerBuilder {
 public:
  // A directory of the file system's root, made by `calls`, each of which must succeed. All of it
  // is of 1000 s.
  RawLayer Build(FileSystem& fs, const std::string& name, const std::vector<ModelOperation>& calls);

 private:
  Clock clock_{InstantFromSeconds(1000)};
  IdentityNumbers identities_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_RAW_LAYER_H_
