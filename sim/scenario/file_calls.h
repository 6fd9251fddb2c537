// Sequences of calls that several operations are made of.
//
// Threads: they belong to the run.
#ifndef LAMINA_SIM_SCENARIO_FILE_CALLS_H_
#define LAMINA_SIM_SCENARIO_FILE_CALLS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/operation.h"

namespace lamina::sim::internal {

using Fd = Process::Fd;

// Writes until nothing is left, at `offset` or at the file position: "OK N".
// Errors: kInval a negative offset (unless there is nothing to write); what writing gives.
Outcome WriteAll(const Call& call, Process& process, Fd fd, const std::string& bytes,
                 std::optional<std::int64_t> offset);

// Up to `length` bytes at `offset`, or one read at the file position: the canonical text of them.
// Errors: kInval a negative offset or length; what reading gives.
Outcome ReadUpTo(const Call& call, Process& process, Fd fd, std::optional<std::int64_t> offset,
                 std::int64_t length);

// A kOwner argument: nothing for -1, which keeps the id.
std::optional<std::uint32_t> OwnerOrKeep(std::int64_t id);

// Every entry from the position on.
Result<std::vector<ProcessEntry>> ReadAllEntries(Process& process, Fd fd);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_FILE_CALLS_H_
