// Tree: a layer as a drawing; Overlay, Aufs: a mount of drawings. For tests where the shape is the
// point.
//
//   FsPtr fs = Overlay({.lower = {Tree(R"(
//                           /etc/
//                             hosts   "old"
//                             motd    "hi"
//                         )")},
//                       .upper = Tree(R"(
//                           /etc/     opaque
//                             hosts   "new" 0600 1000:1000
//                         )")});
//
// One entry a line; deeper lines stand in the directory above them. A name that begins with '/' is
// counted from the root wherever it stands. `#` begins a comment. Missing parents are 0755.
//
//   NAME/                  directory
//   NAME "content"         regular file; \n \t \" \\ \xNN inside the quotes
//   NAME size N [seed S]   regular file of N bytes (PatternBytes)
//   NAME -> TARGET         symlink
//   NAME hardlink PATH     one more name for the file PATH, drawn before it
//   NAME fifo
//   NAME whiteout          hides NAME of the layers below, in the form of the union that is mounted
//
// then, in any order:
//
//   opaque                 of a directory: hides what the layers below hold in it
//   0644                   mode: an octal number of 4 digits
//   1000:1000              owner
//   user.a="value"         an extended attribute
//
// NAME, TARGET and PATH may be quoted. When the text begins right after R"( the column of the first
// line says nothing: if it draws a directory, what follows is in it; else what follows is beside
// it.
//
// Threads: pure functions.
#ifndef LAMINA_TESTING_TREE_H_
#define LAMINA_TESTING_TREE_H_

#include <optional>
#include <string_view>
#include <vector>

#include "lamina/lamina.h"

namespace lamina::testing {

// A mistake in the drawing shows when the layer is made: "drawing, line 3: …".
NamedLayer Tree(std::string_view drawing);

struct StackDrawing {
  std::vector<NamedLayer> lower = {};  // topmost first; none: an empty one
  std::optional<NamedLayer> upper = std::nullopt;
  MountOptions options = {};
};

// Mounts. A layer without a name is called "lower", or "lower1" (topmost), "lower2", … when there
// are several; the writable one is "upper". An error is printed and ends the program.
FsPtr Overlay(const StackDrawing& drawing);
// The same as an AUFS, whatever dialect the options name.
FsPtr Aufs(StackDrawing drawing);

}  // namespace lamina::testing
#endif  // LAMINA_TESTING_TREE_H_
