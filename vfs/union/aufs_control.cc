#include "vfs/union/aufs_control.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "vfs/union/aufs_names.h"
#include "vfs/union/branch_tree.h"

namespace lamina {
namespace {

// As mount(2) tells it.
Errno Told(Errno error) {
  const bool hidden = error == Errno::kNoEnt || error == Errno::kNotDir || error == Errno::kExist ||
                      error == Errno::kIo;
  return hidden ? Errno::kInval : error;
}

}  // namespace

AufsControl::AufsControl(UnionFs& fs)
    : body_(*fs.body_),
      state_(*fs.body_->state),
      dialect_(const_cast<AufsDialect&>(static_cast<const AufsDialect&>(*fs.body_->dialect))) {
  LAMINA_CHECK(IsAufs(fs));
}

bool AufsControl::IsAufs(const UnionFs& fs) { return fs.dialect_name() == "aufs"; }

std::optional<BranchIndex> AufsControl::Find(const DirectoryRef& directory) const {
  const std::vector<DirectoryRef>& known = books().directories;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (SameDirectory(known[i], directory)) return static_cast<BranchIndex>(i);
  }
  return std::nullopt;
}

// ── What is cached ───────────────────────────────────────────────────────────────────────────────

void AufsControl::ForgetNames() { state_.names.Clear(); }

void AufsControl::DropUnused() {
  ForgetNames();
  absl::flat_hash_set<std::uint64_t> kept;
  const auto keep = [&](UnionNode* at) {
    while (at != nullptr && kept.insert(at->id.value).second) at = state_.nodes.Find(at->parent);
  };
  keep(&state_.node(state_.root));
  // The name a file was opened by need not be the one it was last seen under.
  for (const UnionHandle& handle : body_.handles) {
    if (handle.kind != UnionHandle::Kind::kClosed) keep(state_.nodes.Find(handle.dir));
  }
  std::vector<UnionNode*> all;
  state_.nodes.ForEach([&](UnionNode& node) {
    all.push_back(&node);
    // A pseudo-link holds its file.
    if (node.handles > 0 || node.indexed) keep(&node);
  });
  for (UnionNode* node : all) {
    state_.directories.Drop(*node);
    if (kept.contains(node->id.value)) continue;
    body_.SetOrphan(*node, false);
    state_.nodes.Erase(*node);
  }
  if (!books().options.xino) dialect_.books().inodes.ForgetObjects();
}

void AufsControl::Refresh(const OpContext& op, UnionNode& node,
                          absl::flat_hash_set<std::uint64_t>& done) {
  if (node.id == state_.root || !done.insert(node.id.value).second) return;
  UnionNode* parent = state_.nodes.Find(node.parent);
  if (parent == nullptr || node.dead) return;
  Refresh(op, *parent, done);
  Result<Resolution> now = dialect_.Resolve(op, state_, *parent, node.name);
  if (node.indexed) {
    // Of a file with a pseudo-link the name may lead to any object.
    const bool there = now.ok() && !now->hits.empty();
    const Hit found = there ? now->hits.front() : Hit{};
    node.dead = !there || state_.nodes.FindByKey({&state_.fs(found.branch), found.node}) != &node;
    return;
  }
  const bool directory = node.type == FileType::kDirectory;
  const bool same = now.ok() && !now->hits.empty() && now->hits.front().type == node.type &&
                    (directory || now->hits.front() == node.top());
  if (!same || parent->dead) {
    // Something else has the name, or nothing: as if it had been removed.
    node.dead = true;
    return;
  }
  if (!directory) return;
  body_.Learn(node, *now);
  ++node.version;
  const Hit& top = node.top();
  const NodeKey key{&state_.fs(top.branch), top.node};
  state_.nodes.Rekey(node, key, false);
  dialect_.books().inodes.Set(key, node.private_ino);
}

void AufsControl::BranchesChanged(const OpContext& op) {
  AufsBooks& books = dialect_.books();
  books.policy.ForgetSpace();
  state_.changing.clear();
  state_.has_writable = false;
  state_.sole_writable = kNoBranch;
  for (std::size_t i = 0; i < state_.branches.size(); ++i) {
    Branch& branch = state_.branches[i];
    branch.mode = BranchModeOf(books.modes[i]);
    if (branch.mode == BranchMode::kReadWrite) {
      state_.sole_writable = state_.has_writable ? kNoBranch : static_cast<BranchIndex>(i);
      state_.has_writable = true;
    }
    const bool known = std::find(state_.changing.begin(), state_.changing.end(), branch.fs) !=
                       state_.changing.end();
    if (!branch.fs->frozen() && !known) state_.changing.push_back(branch.fs);
  }
  state_.follows_edits = books.options.udba != AufsUdba::kNone;
  body_.SeeOwnChanges();
  UnionNode& root = state_.node(state_.root);
  root.hits.clear();
  for (std::size_t i = 0; i < state_.branches.size(); ++i) {
    const auto index = static_cast<BranchIndex>(i);
    root.hits.push_back({index, state_.branches[i].root, FileType::kDirectory});
  }
  root.may_hold_whiteouts = true;
  root.name_in_writable = true;
  ++root.version;
  DropUnused();
  absl::flat_hash_set<std::uint64_t> done;
  std::vector<UnionNode*> nodes;
  state_.nodes.ForEach([&](UnionNode& node) { nodes.push_back(&node); });
  for (UnionNode* node : nodes) Refresh(op, *node, done);
  for (UnionNode* node : nodes) {
    if (!node->hits.empty()) node->has_writable = state_.writable(node->top().branch);
  }
}

template <typename Renumber>
void AufsControl::Shift(Renumber renumber) {
  state_.nodes.ForEach([&](UnionNode& node) {
    for (Hit& hit : node.hits) hit.branch = renumber(hit.branch);
    if (node.opaque_branch != kNoBranch) node.opaque_branch = renumber(node.opaque_branch);
  });
  for (UnionHandle& handle : body_.handles) handle.branch = renumber(handle.branch);
  for (AufsRemoval& removal : dialect_.books().removals) {
    removal.branch = renumber(removal.branch);
  }
}

// ── Verbs ────────────────────────────────────────────────────────────────────────────────────────

Result<void> AufsControl::Add(const OpContext& caller, std::int64_t index,
                              const AufsBranch& branch) {
  const OpContext op = AsMounter(caller);
  if (Find(branch.directory).has_value()) return {};
  AufsBooks& books = dialect_.books();
  const AufsMode mode = branch.mode.value_or(DefaultAufsMode(index, state_.read_only));
  const AufsCheck check{books.directories, books.options.max_branches, index};
  Result<void> checked = CheckAufsBranch(op, check, branch.directory, mode);
  if (!checked.ok()) return checked;
  Result<AufsBaseEntries> base = MakeAufsBase(op, branch.directory, mode, books.options);
  if (!base.ok()) return base.error();
  const auto at = static_cast<BranchIndex>(index);
  Shift([&](BranchIndex old) { return static_cast<BranchIndex>(old >= at ? old + 1 : old); });
  books.modes.insert(books.modes.begin() + index, mode);
  books.base.insert(books.base.begin() + index, *base);
  books.directories.insert(books.directories.begin() + index, branch.directory);
  state_.branches.insert(state_.branches.begin() + index,
                         Branch{branch.directory.fs, branch.directory.node, BranchModeOf(mode),
                                false, branch.directory.name});
  BranchesChanged(op);
  return {};
}

Result<void> AufsControl::Delete(const OpContext& caller, const DirectoryRef& directory) {
  const OpContext op = AsMounter(caller);
  const std::optional<BranchIndex> found = Find(directory);
  if (!found.has_value()) return {};
  const BranchIndex branch = *found;
  if (IsBusy(branch)) return Errno::kBusy;
  std::vector<UnionNode*> pseudo_links;
  state_.nodes.ForEach([&](UnionNode& node) {
    const bool only_there = !node.hits.empty() && node.top().branch == branch;
    if (node.indexed && only_there) pseudo_links.push_back(&node);
    const auto gone = std::remove_if(node.hits.begin(), node.hits.end(),
                                     [&](const Hit& hit) { return hit.branch == branch; });
    node.hits.erase(gone, node.hits.end());
    if (node.opaque_branch == branch) node.opaque_branch = kNoBranch;
  });
  for (UnionNode* node : pseudo_links) node->indexed = false;
  // A directory that is held goes on with what it has elsewhere.
  for (UnionHandle& handle : body_.handles) {
    if (handle.node == nullptr || handle.branch != branch) continue;
    const Hit& top = handle.node->top();
    FileSystem& fs = state_.fs(top.branch);
    Result<HandleId> real = fs.Open(op, top.node, handle.flags);
    handle.fs->Close(handle.real);
    handle.fs = &fs;
    handle.branch = top.branch;
    handle.real = real.ok() ? *real : HandleId{};
  }
  const auto at = static_cast<std::ptrdiff_t>(branch);
  AufsBooks& books = dialect_.books();
  Shift([&](BranchIndex old) { return static_cast<BranchIndex>(old > branch ? old - 1 : old); });
  books.modes.erase(books.modes.begin() + at);
  books.base.erase(books.base.begin() + at);
  books.directories.erase(books.directories.begin() + at);
  state_.branches.erase(state_.branches.begin() + at);
  BranchesChanged(op);
  return {};
}

Result<void> AufsControl::Modify(const OpContext& caller, const DirectoryRef& directory,
                                 const AufsMode& mode) {
  const OpContext op = AsMounter(caller);
  const std::optional<BranchIndex> found = Find(directory);
  if (!found.has_value()) return Errno::kInval;
  AufsBooks& books = dialect_.books();
  AufsMode& current = books.modes[*found];
  if (current == mode) return {};
  const bool was_writable = current.writable();
  if (was_writable && !mode.writable()) {
    if (!Mappings().empty()) return Errno::kBusy;
    RemoveAufsBase(op, *directory.fs, directory.node);
    books.base[*found] = AufsBaseEntries{};
  }
  if (mode.writable()) {
    const FsLimits limits = directory.fs->limits();
    if (limits.read_only || directory.fs->frozen()) return Errno::kInval;
    Result<AufsBaseEntries> base = MakeAufsBase(op, directory, mode, books.options);
    if (!base.ok()) return base.error();
    books.base[*found] = *base;
  }
  current = mode;
  BranchesChanged(op);
  return {};
}

Result<void> AufsControl::Set(const OpContext& op, std::string_view option) {
  AufsBooks& books = dialect_.books();
  AufsOptions options = books.options;
  if (Result<void> set = SetAufsOption(option, options); !set.ok()) return set;
  options.max_branches = books.options.max_branches;  // compiled in
  if (books.options.plink && !options.plink) {
    if (Result<void> flushed = FlushPseudoLinks(op); !flushed.ok()) return flushed;
  }
  if (options.create != books.options.create) {
    // The turn of rr begins at the lowest writable branch.
    std::int64_t lowest = 0;
    for (std::size_t i = 0; i < state_.branches.size(); ++i) {
      if (state_.writable(static_cast<BranchIndex>(i))) lowest = static_cast<std::int64_t>(i);
    }
    books.policy.round_robin = -lowest;
  }
  books.options = options;
  BranchesChanged(AsMounter(op));
  return {};
}

// ── Pseudo-links ─────────────────────────────────────────────────────────────────────────────────

Result<void> AufsControl::LinkAll(const OpContext& op, UnionNode& dir) {
  Result<MergedListing> listing = dialect_.List(op, state_, dir);
  if (!listing.ok()) return listing.error();
  for (const ListedEntry& entry : listing->entries) {
    if (entry.whiteout) continue;
    Result<NamedNode> named = body_.FindName(op, {dir.id, listing->name(entry)});
    if (!named.ok() || named->node == nullptr) continue;
    UnionNode& node = *named->node;
    if (node.type == FileType::kDirectory) {
      if (Result<void> below = LinkAll(op, node); !below.ok()) return below;
    } else if (node.needs_link()) {
      Plan plan;
      Result<BranchIndex> planned = dialect_.PlanCopyUp(op, state_, node, {}, plan);
      if (!planned.ok()) return planned.error();
      if (Result<void> done = body_.Apply(op, plan); !done.ok()) return done;
    }
  }
  return {};
}

Result<void> AufsControl::FlushPseudoLinks(const OpContext& caller) {
  const OpContext op = AsMounter(caller);
  bool any = false;
  state_.nodes.ForEach([&](UnionNode& node) { any = any || node.indexed; });
  if (any) {
    Result<void> linked = LinkAll(op, state_.node(state_.root));
    if (!linked.ok()) return linked;
  }
  state_.nodes.ForEach([&](UnionNode& node) {
    if (!node.indexed) return;
    node.indexed = node.counts_names = false;
    // What it was copied from is another file when it is seen again.
    const NodeKey top{&state_.fs(node.top().branch), node.top().node};
    for (const NodeKey& key : node.keys) {
      if (key != top) dialect_.books().inodes.Forget(key);
    }
    state_.nodes.Rekey(node, top, false);
  });
  for (std::size_t i = 0; i < state_.branches.size(); ++i) {
    const NodeId plinks = books().base[i].plinks;
    if (plinks.value == 0) continue;
    Result<void> emptied = EmptyDirectory(op, state_.fs(static_cast<BranchIndex>(i)), plinks);
    if (!emptied.ok()) return emptied;
  }
  body_.SeeOwnChanges();
  return {};
}

bool AufsControl::StillUses(const OpContext& caller, BranchIndex branch, Place place) const {
  const OpContext op = AsMounter(caller);
  if (place.dir == state_.branches[branch].root) {
    for (const std::string_view base : {kAufsBase, kAufsPlinks, kAufsOrphans}) {
      if (place.name == base) return true;
    }
  }
  FileSystem& fs = state_.fs(branch);
  const std::vector<AufsRemoval>& removals = books().removals;
  const bool waits = std::any_of(removals.begin(), removals.end(), [&](const AufsRemoval& removal) {
    return removal.fs == &fs && removal.parent == place.dir && removal.name == place.name;
  });
  const Result<NodeId> node = fs.Lookup(op, place);
  if (waits || !node.ok() || place.dir != books().base[branch].plinks) return waits;
  bool holds = false;
  state_.nodes.ForEach([&](UnionNode& known) {
    const Hit* own = known.in_branch(branch);
    holds = holds || (known.indexed && own != nullptr && own->node == *node);
  });
  return holds;
}

// ── The public functions ─────────────────────────────────────────────────────────────────────────

Result<void> RemountAufs(const OpContext& op, UnionFs& fs, std::string_view text,
                         AufsResolve resolve) {
  if (!AufsControl::IsAufs(fs)) return Errno::kInval;
  Result<AufsText> parsed = ParseAufsText(text);
  if (!parsed.ok()) return parsed.error();
  AufsControl control(fs);
  using Kind = AufsDirective::Kind;
  if (parsed->read_only) control.MakeReadOnly();
  for (const AufsDirective& directive : parsed->directives) {
    if (directive.kind == Kind::kOption) {
      if (Result<void> set = control.Set(op, directive.option); !set.ok()) return set;
      continue;
    }
    Result<DirectoryRef> directory = resolve(directive.path);
    if (!directory.ok()) {
      if (directive.kind == Kind::kDelete) continue;  // no branch
      return Told(directory.error());
    }
    AufsBranch branch{*directory, directive.mode};
    Result<void> done;
    switch (directive.kind) {
      case Kind::kAdd:
        done = control.Add(op, directive.index, branch);
        break;
      case Kind::kPrepend:
        done = control.Add(op, 0, branch);
        break;
      case Kind::kBranch:
      case Kind::kAppend:
        if (!branch.mode.has_value()) branch.mode = AufsMode{};
        done = control.Add(op, control.count(), branch);
        break;
      case Kind::kDelete:
        done = control.Delete(op, *directory);
        break;
      case Kind::kModify:
        done = control.Modify(op, *directory, directive.mode.value_or(AufsMode{}));
        break;
      case Kind::kOption:
        break;
    }
    if (!done.ok()) return Told(done.error());
  }
  return {};
}

namespace {

const AufsBooks& BooksOf(const UnionFs& fs) {
  LAMINA_CHECK(AufsControl::IsAufs(fs));
  return AufsControl(const_cast<UnionFs&>(fs)).books();
}

}  // namespace

const AufsOptions& AufsOptionsOf(const UnionFs& fs) { return BooksOf(fs).options; }

const AufsMode& AufsModeOf(const UnionFs& fs, BranchIndex branch) {
  return BooksOf(fs).modes[branch];
}

bool AufsStillUses(const OpContext& op, const UnionFs& fs, BranchIndex branch, Place place) {
  LAMINA_CHECK(AufsControl::IsAufs(fs));
  return AufsControl(const_cast<UnionFs&>(fs)).StillUses(op, branch, place);
}

Result<void> FlushPseudoLinks(const OpContext& op, UnionFs& fs) {
  if (!AufsControl::IsAufs(fs)) return Errno::kInval;
  return AufsControl(fs).FlushPseudoLinks(op);
}

void DropUnusedNames(UnionFs& fs) {
  if (AufsControl::IsAufs(fs)) AufsControl(fs).DropUnused();
}

}  // namespace lamina
