// Walk: the only place that knows paths: '/', ".", "..", symlinks, trailing slashes, and the search
// permission on every directory on the way. Its result is an inode, or a Place to make one.
//
//   Walk("/etc/../etc/hosts")  ──►  chain [root, etc]   place {etc, "hosts"}   node 42
//
// Rules of Linux (path_resolution(7)): at most 40 symlinks (kLoop), a path of at most 4095 bytes
// and components of at most name_max bytes (kNameTooLong), "" is kNoEnt, ".." of the root is the
// root.
//
// Threads: a pure function of the file system.
#ifndef LAMINA_FS_WALK_H_
#define LAMINA_FS_WALK_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"

namespace lamina {

inline constexpr int kMaxSymlinks = 40;
inline constexpr std::size_t kMaxPathBytes = 4095;

enum class LastLink : std::uint8_t { kFollow, kKeep };  // a symlink as the last component

struct WalkStart {
  FileSystem* fs = nullptr;
  NodeId root;              // of the process: where '/' and an absolute symlink begin
  std::vector<NodeId> cwd;  // chain from the root to the working directory; empty: the root
};

// Where a path leads. `chain` holds the directories from the root down to the parent of the last
// component (to the node itself when `last` is not kName), so ancestors are known without asking
// the file system.
struct WalkResult {
  enum class Last : std::uint8_t { kName, kRoot, kDot, kDotDot };
  std::vector<NodeId> chain;
  Last last = Last::kName;
  std::string name;  // last component, when last == kName
  bool trailing_slash = false;
  std::optional<Stat> stat;       // of the node, when there is one
  Errno missing = Errno::kNoEnt;  // why there is none, when there is none (kNameTooLong too)

  NodeId parent() const { return chain.back(); }
  Place place() const { return {chain.back(), name}; }
};

// Resolves `path`. A missing *last* component is not an error: `stat` is empty then. A trailing
// slash follows a symlink and asks for a directory, whatever `last_link` says.
// Errors: kNoEnt "" or a missing directory on the way; kNameTooLong; kNotDir; kAccess; kLoop; and
// what Lookup gives.
Result<WalkResult> Walk(const OpContext& op, const WalkStart& start, std::string_view path,
                        LastLink last_link);

// As Walk, for calls that make, remove or move the name itself: the last component is never
// followed, and what a trailing slash means is left to the caller. An error of the last lookup is
// in `missing`.
Result<WalkResult> WalkToParent(const OpContext& op, const WalkStart& start, std::string_view path);

// As Walk, for O_CREAT: a trailing slash, in the path or in a symlink it ends in, is kIsDir.
Result<WalkResult> WalkToCreate(const OpContext& op, const WalkStart& start, std::string_view path,
                                LastLink last_link);

}  // namespace lamina
#endif  // LAMINA_FS_WALK_H_
