// Scene: a small tree, as a file system for threads and as a model, that histories begin with. Few
// names, so that calls meet: files and directories of the upper, of a lower, of both, a whiteout;
// one directory that holds names; handles on three of the files.
//
//   /a /b /s/ /t/ /d/x /d/y      /c absent (in the overlay: whited out)
//   h0 = /a (read)   h1 = /b (read and write)   h2 = /d/x (read)      opened by program.h
//
// Threads: a Scene makes file systems for one thread at a time; its frozen layers are shared.
#ifndef LAMINA_TESTS_LINEARIZABILITY_SCENE_H_
#define LAMINA_TESTS_LINEARIZABILITY_SCENE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "lamina/fs/file_system.h"
#include "lamina/fs/mem_fs.h"
#include "tests/linearizability/model_specification.h"

namespace lamina::sim {

enum class SceneKind : std::uint8_t { kMemFs, kMemFsSharedReads, kOverlay };

// A file system that threads may use, with all that is below it.
class SharedTree {
 public:
  virtual ~SharedTree() = default;
  virtual FileSystem& fs() = 0;
};

class Scene {
 public:
  explicit Scene(SceneKind kind);

  // The tree of the picture, fresh.
  std::unique_ptr<SharedTree> Make();
  // The same with the handles open.
  const ModelSpecification& specification() const { return *specification_; }

 private:
  SceneKind kind_;
  std::vector<std::unique_ptr<MemFs>> lowers_;  // frozen, topmost first
  std::unique_ptr<ModelSpecification> specification_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_LINEARIZABILITY_SCENE_H_
