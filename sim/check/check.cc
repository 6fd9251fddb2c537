// CheckStack: the checks of every layer and of the work directory, in order.
#include "lamina/sim/check.h"

#include <algorithm>
#include <map>
#include <utility>

#include "sim/check/aufs_check.h"
#include "sim/check/layer_check.h"
#include "sim/check/shown_directories.h"
#include "sim/check/stack_reader.h"
#include "sim/check/work_check.h"

namespace lamina::sim {
namespace {

void SortByPath(std::vector<StackFinding>::iterator begin,
                std::vector<StackFinding>::iterator end) {
  std::stable_sort(begin, end,
                   [](const StackFinding& a, const StackFinding& b) { return a.path < b.path; });
}

Result<std::vector<StackFinding>> CheckAufs(const internal::StackReader& reader) {
  const auto shown = internal::AufsSearch(reader).ShownParts();
  if (!shown.ok()) return shown.error();
  std::vector<StackFinding> findings;
  for (BranchIndex i = 0; i < reader.named_count(); ++i) {
    const auto before = static_cast<std::ptrdiff_t>(findings.size());
    const Result<void> done = internal::CheckAufsBranch(reader, *shown, i, findings);
    if (!done.ok()) return done.error();
    SortByPath(findings.begin() + before, findings.end());
  }
  return findings;
}

}  // namespace

Result<std::vector<StackFinding>> CheckStack(const CheckedStack& stack) {
  const internal::StackReader reader(stack);
  if (stack.aufs) return CheckAufs(reader);
  const auto shown = internal::ShownDirectories::Read(reader, 0);
  if (!shown.ok()) return shown.error();
  std::vector<StackFinding> findings;
  std::map<internal::Inode, std::uint64_t> links;
  for (BranchIndex i = 0; i < reader.named_count(); ++i) {
    const auto before = static_cast<std::ptrdiff_t>(findings.size());
    if (Result<void> done = internal::CheckLayer(reader, *shown, i, findings, links); !done.ok()) {
      return done.error();
    }
    SortByPath(findings.begin() + before, findings.end());
  }
  if (!stack.work) return findings;
  const auto before = static_cast<std::ptrdiff_t>(findings.size());
  if (Result<void> done = internal::CheckWork(reader, *shown, links, findings); !done.ok()) {
    return done.error();
  }
  SortByPath(findings.begin() + before, findings.end());
  return findings;
}

}  // namespace lamina::sim
