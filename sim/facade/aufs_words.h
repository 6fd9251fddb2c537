// The words of AUFS: the names it keeps for itself, and its branches as text.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_FACADE_AUFS_WORDS_H_
#define LAMINA_SIM_FACADE_AUFS_WORDS_H_

#include <optional>
#include <string>
#include <string_view>

#include "lamina/fs/file_system.h"
#include "lamina/union/aufs.h"
#include "lamina/union/union_fs.h"

namespace lamina::internal {

inline constexpr std::string_view kDotWh = ".wh.";
inline constexpr std::string_view kAufsOpaqueName = ".wh..wh..opq";

// The last name of a path; the path of the directory above it, "" for the root.
std::string_view LastNameOf(std::string_view path);
std::string_view ParentOf(std::string_view path);

// "/d/.wh.x" of "/d/x".
std::string WhiteoutPathOf(std::string_view path);
// "/d/x" of "/d/.wh.x"; nothing when that is no whiteout: .wh..wh.* never is.
std::optional<std::string> HiddenPathOf(std::string_view path);
// A name .wh..wh.*.
bool IsReservedName(std::string_view name);
// The old name of a directory of a lower branch that was renamed (dirren).
bool IsOldNameMark(std::string_view name);
// One of the entries that a mount makes in the root of a writable branch.
bool IsBaseEntry(std::string_view path);

// "b1 ro+wh"; empty when the union is no AUFS.
std::string BranchText(const UnionFs& fs, BranchIndex branch);

}  // namespace lamina::internal
#endif  // LAMINA_SIM_FACADE_AUFS_WORDS_H_
