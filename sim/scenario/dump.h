// Dump: the canonical text of trees, of single entries and of stat results.
//
//   PATH TYPE MODE UID:GID [size=N] nlink=N [rdev=..] [target=..] [sha256=H] mtime=T [xattrs={..}]
//
// Threads: they belong to the run.
#ifndef LAMINA_SIM_SCENARIO_DUMP_H_
#define LAMINA_SIM_SCENARIO_DUMP_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/process.h"
#include "sim/scenario/identity.h"

namespace lamina::sim::internal {

using Fd = Process::Fd;

enum class TreeSide : std::uint8_t {
  kUpper,   // a layer: whiteouts are named, hard links get a class
  kMerged,  // a mounted tree: every entry shows its inode class
};

struct DumpContext {
  IdentityClasses* classes = nullptr;
  std::uint64_t digest_bytes = 0;  // a longer file prints ERR:EFBIG
};

// One line about `path`. Errors: what lstat and readlink give.
Result<std::string> EntryLine(Process& process, std::string_view path, TreeSide side,
                              const DumpContext& context);

// Depth first from "/", children in byte order, two blanks of indent.
std::vector<std::string> TreeLines(Process& process, TreeSide side, const DumpContext& context);

// The result of `stat`.
std::string StatLine(const Stat& stat, IdentityClasses& classes);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_DUMP_H_
