// UnionFs: branches that somebody else changes under a mounted union (AUFS calls it udba).
#include "lamina/union/union_fs.h"
#include "vfs/union/union_body.h"

namespace lamina {
namespace {

std::uint64_t CountChanges(const UnionState& state) {
  std::uint64_t count = 0;
  for (const FileSystem* fs : state.changing) count += fs->change_count();
  return count;
}

}  // namespace

void UnionFs::Body::NoticeEdits() {
  const std::uint64_t count = CountChanges(*state);
  if (count == state->seen_changes) return;
  state->seen_changes = count;
  ++state->epoch;
}

void UnionFs::Body::SeeOwnChanges() {
  if (state->follows_edits) state->seen_changes = CountChanges(*state);
}

bool UnionFs::Body::StillHolds(const OpContext& op, const NamedNode& named) {
  NoticeEdits();
  CachedName* cached = state->names.Find(named.dir->id, named.name);
  if (cached->epoch == state->epoch) return true;
  if (dialect->StillHolds(op, *state, *named.dir, named.name, *cached->node)) {
    cached->epoch = state->epoch;
    return true;
  }
  UnionNode& node = *cached->node;
  state->names.Erase(named.dir->id, named.name);
  ++named.dir->version;
  node.dead = node.names == 0;
  EraseIfUnused(node);
  return false;
}

}  // namespace lamina
