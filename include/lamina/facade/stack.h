// Stack: layers from the bottom up, and the mount on top of them.
//
//   FsPtr fs = Stack().Push(NamedLayer("base")).Push(NamedLayer("app")).MountOrDie();
//
// Threads: a plain value.
#ifndef LAMINA_FACADE_STACK_H_
#define LAMINA_FACADE_STACK_H_

#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/facade/layer.h"
#include "lamina/facade/layered_fs.h"

namespace lamina {

class Stack {
 public:
  // One more layer on top of those pushed before.
  Stack& Push(NamedLayer layer);
  // What the writable layer holds at the beginning; its name is "upper" whatever it says.
  Stack& Upper(NamedLayer layer);

  // Makes the layers, freezes them and mounts an overlay, or an AUFS, with a writable layer
  // "upper".
  //
  // Errors, in this order:
  //   InvalidArgument     no layer; a layer without a name; a name twice; a layer called "upper";
  //                       options of the other dialect; text that is no option; a mode of no layer
  //   Unimplemented       a mount option that is not modelled
  //   any                 a verb of a layer (NamedLayer::WriteTo)
  //   with an errno       what mount(2) gives
  absl::StatusOr<FsPtr> Mount(const MountOptions& options = {}) const;
  // The same; an error is printed and ends the program.
  FsPtr MountOrDie(const MountOptions& options = {}) const;

 private:
  std::vector<NamedLayer> layers_;  // bottom first
  std::optional<NamedLayer> upper_;
};

}  // namespace lamina
#endif  // LAMINA_FACADE_STACK_H_
