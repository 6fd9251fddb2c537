#include "lamina/fs/lock_table.h"

#include <algorithm>

namespace lamina {

void LockTable::Opened(NodeId node, OpenFileId file, bool writes) {
  nodes_[node].open_files[file] = writes;
}

void LockTable::Closed(NodeId node, OpenFileId file) {
  auto found = nodes_.find(node);
  if (found == nodes_.end()) return;
  found->second.open_files.erase(file);
  found->second.locks.erase(file);
  found->second.leases.erase(file);
  if (found->second.open_files.empty()) nodes_.erase(found);
}

Result<void> LockTable::CheckOpen(NodeId node, bool writes) const {
  auto found = nodes_.find(node);
  if (found == nodes_.end()) return {};
  for (const auto& [holder, kind] : found->second.leases) {
    if (writes || kind == LeaseKind::kWrite) return Errno::kAgain;
  }
  return {};
}

Result<void> LockTable::Lock(NodeId node, OpenFileId file, LockKind kind) {
  std::map<OpenFileId, LockKind>& locks = nodes_[node].locks;
  auto own = locks.find(file);
  if (own != locks.end()) {
    if (own->second == kind) return {};
    locks.erase(own);
  }
  if (kind == LockKind::kUnlock) return {};
  for (const auto& [holder, held] : locks) {
    if (kind == LockKind::kExclusive || held == LockKind::kExclusive) return Errno::kAgain;
  }
  locks[file] = kind;
  return {};
}

Result<void> LockTable::SetLease(NodeId node, OpenFileId file, LeaseKind kind) {
  Node& state = nodes_[node];
  switch (kind) {
    case LeaseKind::kUnlock:
      if (state.leases.erase(file) == 0) return Errno::kAgain;
      return {};
    case LeaseKind::kRead:
      // The caller's own open counts too.
      if (std::any_of(state.open_files.begin(), state.open_files.end(),
                      [](const auto& entry) { return entry.second; })) {
        return Errno::kAgain;
      }
      break;
    case LeaseKind::kWrite:
      if (std::any_of(state.open_files.begin(), state.open_files.end(),
                      [&](const auto& entry) { return entry.first != file; })) {
        return Errno::kAgain;
      }
      break;
  }
  state.leases[file] = kind;
  return {};
}

}  // namespace lamina
