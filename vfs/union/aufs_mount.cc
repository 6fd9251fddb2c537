// Mounting an AUFS union: the checks of a branch in the order of fs/aufs/branch.c, and its base
// entries (whout.c).
#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "vfs/union/aufs_control.h"
#include "vfs/union/aufs_names.h"
#include "vfs/union/branch_tree.h"

namespace lamina {
namespace {

// What a caller of mount(2) is told.
Errno Told(Errno error) {
  switch (error) {
    case Errno::kNoEnt:
    case Errno::kNotDir:
    case Errno::kExist:
    case Errno::kIo:
    case Errno::kStale:
      return Errno::kInval;
    default:
      return error;
  }
}

Result<NodeId> EnsureEntry(const OpContext& op, FileSystem& fs, NodeId root, std::string_view name,
                           FileType type, std::uint16_t mode) {
  Result<NodeId> found = fs.Lookup(op, {root, name});
  if (!found.ok()) {
    if (found.error() != Errno::kNoEnt) return found;
    return fs.Create(op, {root, name}, {.type = type, .mode = mode});
  }
  Result<Stat> stat = fs.GetAttr(op, *found);
  if (!stat.ok()) return stat.error();
  return stat->type == type ? found : Result<NodeId>(Errno::kExist);
}

void RemoveEntry(const OpContext& op, FileSystem& fs, NodeId root, std::string_view name,
                 FileType type) {
  // What is not empty, or not there, stays as it is.
  Result<void> removed = fs.Remove(op, {root, name}, type);
  (void)removed;
}

}  // namespace

Result<void> CheckAufsBranch(const OpContext& op, const AufsCheck& check,
                             const DirectoryRef& directory, const AufsMode& mode) {
  if (check.directories.size() >= check.max_branches) return Errno::kNoSpc;
  const auto count = static_cast<std::int64_t>(check.directories.size());
  if (check.index < 0 || check.index > count) return Errno::kDom;
  Result<Stat> stat = directory.fs->GetAttr(op, directory.node);
  if (!stat.ok()) return Told(stat.error());
  if (stat->type != FileType::kDirectory || stat->nlink == 0) return Errno::kInval;
  const FsLimits limits = directory.fs->limits();
  if (limits.stacking_depth > 0) return Errno::kInval;
  if (mode.writable()) {
    const bool read_only = limits.read_only || directory.fs->frozen();
    if (read_only || limits.name_max < 255) return Errno::kInval;
  }
  for (const DirectoryRef& other : check.directories) {
    if (IsInside(directory, other) || IsInside(other, directory)) return Errno::kInval;
  }
  return {};
}

Result<AufsBaseEntries> MakeAufsBase(const OpContext& op, const DirectoryRef& directory,
                                     const AufsMode& mode, const AufsOptions& options) {
  AufsBaseEntries base;
  if (!mode.writable()) return base;
  FileSystem& fs = *directory.fs;
  if (mode.plain_whiteouts) {
    RemoveEntry(op, fs, directory.node, kAufsBase, FileType::kRegular);
  } else {
    Result<NodeId> made = EnsureEntry(op, fs, directory.node, kAufsBase, FileType::kRegular, 0444);
    if (!made.ok()) return Told(made.error());
    base.whiteout = *made;
  }
  if (options.plink) {
    Result<NodeId> made =
        EnsureEntry(op, fs, directory.node, kAufsPlinks, FileType::kDirectory, 0700);
    if (!made.ok()) return Told(made.error());
    base.plinks = *made;
  }
  Result<NodeId> made =
      EnsureEntry(op, fs, directory.node, kAufsOrphans, FileType::kDirectory, 0700);
  if (!made.ok()) return Told(made.error());
  base.orphans = *made;
  return base;
}

void RemoveAufsBase(const OpContext& op, FileSystem& fs, NodeId root) {
  RemoveEntry(op, fs, root, kAufsBase, FileType::kRegular);
  RemoveEntry(op, fs, root, kAufsPlinks, FileType::kDirectory);
  RemoveEntry(op, fs, root, kAufsOrphans, FileType::kDirectory);
}

AufsMode DefaultAufsMode(std::int64_t index, bool read_only) {
  const bool writable = index == 0 && !read_only;
  return {.permission = writable ? AufsPermission::kReadWrite : AufsPermission::kReadOnly};
}

BranchMode BranchModeOf(const AufsMode& mode) {
  if (mode.writable()) return BranchMode::kReadWrite;
  return mode.whiteouts ? BranchMode::kReadOnlyWhiteout : BranchMode::kReadOnly;
}

Result<std::unique_ptr<UnionFs>> MountAufs(const OpContext& caller, const AufsMount& mount) {
  const OpContext op = AsMounter(caller);
  if (mount.branches.empty()) return Errno::kInval;
  auto state = std::make_unique<UnionState>();
  AufsBooks books;
  books.options = mount.options;
  state->read_only = mount.read_only;
  std::vector<DirectoryRef> directories;
  for (const AufsBranch& branch : mount.branches) {
    const auto index = static_cast<std::int64_t>(directories.size());
    const AufsMode mode = branch.mode.value_or(DefaultAufsMode(index, mount.read_only));
    const bool twice = std::any_of(
        directories.begin(), directories.end(),
        [&](const DirectoryRef& other) { return SameDirectory(other, branch.directory); });
    if (twice) return Errno::kInval;
    const AufsCheck check{directories, mount.options.max_branches, index};
    Result<void> checked = CheckAufsBranch(op, check, branch.directory, mode);
    if (!checked.ok()) return checked.error();
    Result<AufsBaseEntries> base = MakeAufsBase(op, branch.directory, mode, mount.options);
    if (!base.ok()) return base.error();
    state->branches.push_back({branch.directory.fs, branch.directory.node, BranchModeOf(mode),
                               false, branch.directory.name});
    books.modes.push_back(mode);
    books.base.push_back(*base);
    directories.push_back(branch.directory);
  }
  books.directories = std::move(directories);
  books.device = NextUnionDevice();
  const std::uint64_t device = books.device;
  UnionNode& root = state->nodes.Add(FileType::kDirectory);
  root.parent = root.id;
  root.private_ino = AufsInodes::kRoot;
  state->root = root.id;
  auto dialect = std::make_unique<AufsDialect>(std::move(books));
  auto fs = std::make_unique<UnionFs>(std::move(state), std::move(dialect), device);
  AufsControl(*fs).BranchesChanged(op);
  return fs;
}

Result<std::unique_ptr<UnionFs>> MountAufs(const OpContext& op, std::string_view text,
                                           AufsResolve resolve) {
  Result<AufsText> parsed = ParseAufsText(text);
  if (!parsed.ok()) return parsed.error();
  AufsMount mount;
  mount.read_only = parsed->read_only;
  using Kind = AufsDirective::Kind;
  for (const AufsDirective& directive : parsed->directives) {
    if (directive.kind != Kind::kOption) continue;
    Result<void> set = SetAufsOption(directive.option, mount.options);
    if (!set.ok()) return set.error();
  }
  for (const AufsDirective& directive : parsed->directives) {
    if (directive.kind == Kind::kOption) continue;
    if (directive.kind == Kind::kDelete || directive.kind == Kind::kModify) return Errno::kInval;
    Result<DirectoryRef> directory = resolve(directive.path);
    if (!directory.ok()) return Told(directory.error());
    const auto count = static_cast<std::int64_t>(mount.branches.size());
    std::int64_t index = count;
    if (directive.kind == Kind::kAdd) index = directive.index;
    if (directive.kind == Kind::kPrepend) index = 0;
    if (index < 0 || index > count) return Errno::kDom;
    AufsBranch branch{*std::move(directory), directive.mode};
    if (!branch.mode.has_value() && directive.kind == Kind::kAppend) branch.mode = AufsMode{};
    mount.branches.insert(mount.branches.begin() + index, std::move(branch));
  }
  return MountAufs(op, mount);
}

}  // namespace lamina
