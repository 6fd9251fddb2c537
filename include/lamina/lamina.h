// lamina: everything a test author includes. Build a stack of layers, mount it, call it like a
// POSIX file system, ask what happened.
//
//   using namespace lamina;
//   FsPtr fs = Stack()                                   // first pushed = bottom
//       .Push(NamedLayer("base").File("/etc/hosts", "127.0.0.1 localhost\n"))
//       .Push(NamedLayer("app").File("/srv/app.conf", "port=80\n"))
//       .MountOrDie();                                   // adds an empty writable "upper"
//   absl::Status done = fs->Unlink("/etc/hosts");
//   puts(fs->Explain("/etc/hosts")->ToString().c_str()); // whiteout in upper, stop, ENOENT
//
// Matchers for GoogleTest are in lamina/testing/matchers.h, drawn trees in lamina/testing/tree.h.
//
// The host's O_*, S_I*, E* and RENAME_* constants come along.
#ifndef LAMINA_LAMINA_H_
#define LAMINA_LAMINA_H_

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "lamina/facade/crash_image.h"
#include "lamina/facade/explanation.h"
#include "lamina/facade/layer.h"
#include "lamina/facade/layered_fs.h"
#include "lamina/facade/stack.h"
#include "lamina/facade/status.h"
#include "lamina/facade/tree_view.h"
#include "lamina/facade/union_dialect.h"

#endif  // LAMINA_LAMINA_H_
