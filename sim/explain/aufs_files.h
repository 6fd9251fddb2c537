// What AUFS keeps for itself in a branch, and nobody sees: whiteouts, opaque marks, base entries,
// and whatever else is called .wh.*.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_EXPLAIN_AUFS_FILES_H_
#define LAMINA_SIM_EXPLAIN_AUFS_FILES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/result.h"
#include "lamina/fs/file_system.h"

namespace lamina::sim::internal {

inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kReservedPrefix = ".wh..wh.";
inline constexpr std::string_view kOpaqueMark = ".wh..wh..opq";
inline constexpr std::string_view kBaseFile = ".wh..wh.aufs";  // whiteouts are links to it
inline constexpr std::string_view kPseudoLinks = ".wh..wh.plnk";
inline constexpr std::string_view kOrphans = ".wh..wh.orph";
inline constexpr std::string_view kRenameMark = ".wh..wh..dr.";  // of dirren, and what it is about

// Never listed: ".wh." and something after it.
bool IsAufsOwn(std::string_view name);
// "x" for the whiteout ".wh.x"; "" for every other name.
std::string WhitedOutName(std::string_view name);

struct AufsOwnFile {
  enum class Kind : std::uint8_t {
    kWhiteout,
    kOpaque,  // mark of a directory
    kBase,    // .wh..wh.aufs, .wh..wh.plnk, .wh..wh.orph in the root
    kOther,   // in these, or under a temporary name
  };
  Kind kind = Kind::kOther;
  std::string path;
  NodeId parent;
  std::string name;
  Stat stat;
};

// Depth first from the branch's root. Errors: what reading the branch gives.
Result<std::vector<AufsOwnFile>> ReadAufsOwn(const OpContext& op, FileSystem& fs, NodeId root);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_EXPLAIN_AUFS_FILES_H_
