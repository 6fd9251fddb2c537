// CheckWork: the findings of a work directory: left-overs of an earlier mount, and the index.
//
// Threads: a pure function.
#ifndef LAMINA_SIM_CHECK_WORK_CHECK_H_
#define LAMINA_SIM_CHECK_WORK_CHECK_H_

#include <map>
#include <vector>

#include "sim/check/shown_directories.h"
#include "sim/check/stack_reader.h"

namespace lamina::sim::internal {

inline constexpr std::string_view kWorkLabel = "W";

// Only when the stack has a work directory. `links` is how many names each file has in its layer.
// Errors: what reading gives.
Result<void> CheckWork(const StackReader& reader, const ShownDirectories& shown,
                       const std::map<Inode, std::uint64_t>& links,
                       std::vector<StackFinding>& findings);

// The same for index/, which is `index`.
Result<void> CheckIndex(const StackReader& reader, const ShownDirectories& shown,
                        const std::map<Inode, std::uint64_t>& links, NodeId index,
                        std::vector<StackFinding>& findings);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_WORK_CHECK_H_
