// The work directory of an overlay: work/, where new objects are prepared, and index/
// (ovl_workdir_create, ovl_workdir_cleanup, ovl_get_indexdir in fs/overlayfs/super.c,
// ovl_indexdir_cleanup in readdir.c, ovl_verify_index in namei.c).
#include <utility>
#include <vector>

#include "vfs/union/branch_tree.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {

namespace {

// Removes an entry, and what is below it.
Result<void> RemoveEntry(const OpContext& op, FileSystem& fs, NodeId dir, std::string_view name,
                         NodeId node, FileType type) {
  if (type == FileType::kDirectory) {
    if (Result<void> emptied = EmptyDirectory(op, fs, node); !emptied.ok()) return emptied;
  }
  return fs.Remove(op, {dir, name}, type);
}

}  // namespace

// work/ inside the work directory: made anew, mode 0. Errors: kInval left by a volatile mount.
Result<NodeId> PrepareWork(const OpContext& op, FileSystem& fs, NodeId workdir) {
  Result<NodeId> old = fs.Lookup(op, {workdir, "work"});
  if (old.ok()) {
    Result<NodeId> incompat = fs.Lookup(op, {*old, "incompat"});
    if (incompat.ok() && fs.Lookup(op, {*incompat, "volatile"}).ok()) return Errno::kInval;
    Result<Stat> stat = fs.GetAttr(op, *old);
    if (!stat.ok()) return stat.error();
    if (stat->type == FileType::kDirectory) {
      if (Result<void> emptied = EmptyDirectory(op, fs, *old); !emptied.ok()) {
        return emptied.error();
      }
    }
    if (Result<void> removed = fs.Remove(op, {workdir, "work"}, stat->type); !removed.ok()) {
      return removed.error();
    }
  }
  return fs.Create(op, {workdir, "work"}, {.type = FileType::kDirectory, .mode = 0});
}

namespace {

// The mark must hold the handle of `object`; it is written when there is none.
// Errors: kStale it holds another one.
Result<void> VerifyOrSet(const OpContext& op, FileSystem& fs, NodeId node, const std::string& key,
                         FileSystem& object_fs, NodeId object, HandleOf of) {
  Result<Stat> stat = object_fs.GetAttr(op, object);
  if (!stat.ok()) return stat.error();
  const std::string handle = EncodeHandle(op, object_fs, *stat, of);
  const std::optional<std::string> mark = ReadMark(op, fs, node, key);
  if (mark.has_value() && ParseHandle(*mark).ok()) {
    return *mark == handle ? Result<void>() : Errno::kStale;
  }
  return fs.SetXattr(op, node, key, handle, XattrMode::kSet);
}

// The directory a directory's index entry stands for. Errors: kStale no mark; kNoEnt it is gone;
// kIo it is none.
Result<NodeId> FindIndexedDirectory(const OpContext& op, const OverlayConfig& config,
                                    const UnionState& state, NodeId entry) {
  FileSystem& fs = state.fs(0);
  const std::optional<std::string> mark = ReadMark(op, fs, entry, config.marks.upper);
  const Result<ObjectHandle> handle = ParseHandle(mark.value_or(""));
  if (!handle.ok()) return Errno::kStale;
  Result<Stat> stat = DecodeHandle(op, fs, *handle);
  if (!stat.ok()) return Errno::kNoEnt;
  if (stat->type != FileType::kDirectory) return Errno::kIo;
  return stat->node;
}

// Whether a lower object of this handle exists, and its link count.
Result<std::uint32_t> LowerNlink(const OpContext& op, const UnionState& state,
                                 const ObjectHandle& handle) {
  for (std::size_t i = 1; i < state.branches.size(); ++i) {
    const Branch& branch = state.branches[i];
    Result<Stat> stat = DecodeHandle(op, *branch.fs, handle);
    if (stat.ok()) return stat->nlink;
  }
  return Errno::kStale;
}

// ovl_verify_index. Errors: kStale an entry that may go; kNoEnt an orphan; kInval, kNoData
// not an entry.
Result<void> VerifyIndexEntry(const OpContext& op, const OverlayConfig& config,
                              const OverlayDialect& dialect, const UnionState& state,
                              const std::string& name, NodeId entry, const Stat& stat) {
  const Result<std::string> bytes = ParseIndexName(name);
  if (!bytes.ok()) return bytes.error();
  FileSystem& fs = state.fs(0);
  if (IsWhiteout(op, config, fs, entry, stat)) return {};
  const bool directory = stat.type == FileType::kDirectory;
  if (directory && !config.nfs_export) return {};
  NodeId copy = entry;
  if (directory) {
    Result<NodeId> found = FindIndexedDirectory(op, config, state, entry);
    if (!found.ok()) return found.error();
    copy = *found;
  }
  const std::optional<std::string> origin = ReadMark(op, fs, copy, config.marks.origin);
  if (!ParseHandle(origin.value_or("")).ok()) return Errno::kNoData;
  if (*origin != *bytes) return Errno::kStale;
  if (directory || stat.nlink != 1) return {};
  // Only the index holds it: no name of the union is left unless lower ones are.
  Result<std::uint32_t> lower = LowerNlink(op, state, *ParseHandle(*bytes));
  if (!lower.ok()) return lower.error();
  return dialect.IndexNlink(op, state, entry, *lower) == 0 ? Errno::kNoEnt : Result<void>();
}

Result<void> HideOrphan(const OpContext& op, FileSystem& fs, NodeId index, const std::string& name,
                        NodeId node, FileType type) {
  if (Result<void> gone = RemoveEntry(op, fs, index, name, node, type); !gone.ok()) return gone;
  Result<NodeId> made = fs.Create(op, {index, name}, {.type = FileType::kCharDevice});
  return made.ok() ? Result<void>() : made.error();
}

Result<void> CleanIndex(const OpContext& op, const OverlayDialect& dialect, const UnionState& state,
                        NodeId index) {
  const OverlayConfig& config = dialect.config();
  FileSystem& fs = state.fs(0);
  Result<std::vector<NamedEntry>> entries = ReadEntries(op, fs, index);
  if (!entries.ok()) return entries.error();
  for (const auto& [name, type] : *entries) {
    Result<NodeId> node = fs.Lookup(op, {index, name});
    if (!node.ok()) return node.error();
    Result<void> done;
    if (name.front() == '#') {
      done = RemoveEntry(op, fs, index, name, *node, type);
    } else {
      Result<Stat> stat = fs.GetAttr(op, *node);
      if (!stat.ok()) return stat.error();
      done = VerifyIndexEntry(op, config, dialect, state, name, *node, *stat);
      if (!done.ok() && done.error() == Errno::kNoEnt && config.nfs_export) {
        done = HideOrphan(op, fs, index, name, *node, type);
      } else if (!done.ok() && (done.error() == Errno::kStale || done.error() == Errno::kNoEnt)) {
        done = RemoveEntry(op, fs, index, name, *node, type);
      }
    }
    if (!done.ok()) return done;
  }
  return {};
}

}  // namespace

Result<NodeId> PrepareIndex(const OpContext& op, const OverlayDialect& dialect,
                            const UnionState& state, NodeId workdir) {
  const OverlayMarks& marks = dialect.config().marks;
  FileSystem& fs = state.fs(0);
  const NodeId upper = state.branches[0].root;
  const Branch& lower = state.branches[1];
  if (Result<void> same =
          VerifyOrSet(op, fs, upper, marks.origin, *lower.fs, lower.root, HandleOf::kLower);
      !same.ok()) {
    return same.error();
  }
  Result<NodeId> index = fs.Lookup(op, {workdir, "index"});
  if (!index.ok()) {
    index = fs.Create(op, {workdir, "index"}, {.type = FileType::kDirectory, .mode = 0});
  }
  if (!index.ok()) return index;
  if (Result<void> same = VerifyOrSet(op, fs, *index, marks.upper, fs, upper, HandleOf::kWritable);
      !same.ok()) {
    return same.error();
  }
  if (Result<void> cleaned = CleanIndex(op, dialect, state, *index); !cleaned.ok()) {
    return cleaned.error();
  }
  return index;
}

}  // namespace lamina
