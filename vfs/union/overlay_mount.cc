// Mounting an overlay: the checks of fs/overlayfs/super.c in their order, the work directory, the
// marks of the upper root.
#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "lamina/union/overlay.h"
#include "lamina/union/union_fs.h"
#include "vfs/union/branch_tree.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

bool Overlap(const DirectoryRef& a, const DirectoryRef& b) {
  return SameDirectory(a, b) || IsInside(a, b) || IsInside(b, a);
}

Result<void> CheckDirectory(const OpContext& op, const DirectoryRef& ref) {
  Result<Stat> stat = ref.fs->GetAttr(op, ref.node);
  if (!stat.ok()) return stat.error();
  return stat->type == FileType::kDirectory ? Result<void>() : Errno::kInval;
}

// Who may stand where: upper, work and lowers as single directories.
Result<void> CheckLayers(const OpContext& op, const OverlayMount& mount) {
  const std::size_t lowers = mount.lowers.size() + mount.data_only.size();
  if (mount.lowers.empty() || lowers > kMaxOverlayLowers) return Errno::kInval;
  if (mount.upper.has_value() != mount.work.has_value() && mount.upper.has_value()) {
    return Errno::kInval;
  }
  if (!mount.upper.has_value() && lowers < 2) return Errno::kInval;
  std::vector<const DirectoryRef*> all;
  if (mount.upper.has_value()) all = {&*mount.upper, &*mount.work};
  for (const DirectoryRef& lower : mount.lowers) all.push_back(&lower);
  for (const DirectoryRef& lower : mount.data_only) all.push_back(&lower);
  std::uint8_t depth = 0;
  for (const DirectoryRef* ref : all) {
    if (Result<void> directory = CheckDirectory(op, *ref); !directory.ok()) return directory;
    depth = std::max(depth, ref->fs->limits().stacking_depth);
  }
  if (depth >= kMaxStackingDepth) return Errno::kInval;
  if (mount.upper.has_value()) {
    const FsLimits limits = mount.upper->fs->limits();
    if (limits.read_only || limits.stacking_depth > 0) return Errno::kInval;
    if (mount.upper->fs != mount.work->fs) return Errno::kInval;
    if (Overlap(*mount.upper, *mount.work)) return Errno::kInval;
  }
  return {};
}

std::vector<const DirectoryRef*> AllLowers(const OverlayMount& mount) {
  std::vector<const DirectoryRef*> lowers;
  for (const DirectoryRef& lower : mount.lowers) lowers.push_back(&lower);
  for (const DirectoryRef& lower : mount.data_only) lowers.push_back(&lower);
  return lowers;
}

// A lower that is another layer (ovl_setup_trap).
Result<void> CheckDistinct(const OverlayMount& mount) {
  const std::vector<const DirectoryRef*> lowers = AllLowers(mount);
  for (std::size_t i = 0; i < lowers.size(); ++i) {
    if (mount.upper.has_value() && SameDirectory(*lowers[i], *mount.upper)) return Errno::kLoop;
    if (mount.work.has_value() && SameDirectory(*lowers[i], *mount.work)) return Errno::kLoop;
    for (std::size_t k = i + 1; k < lowers.size(); ++k) {
      if (SameDirectory(*lowers[i], *lowers[k])) return Errno::kLoop;
    }
  }
  return {};
}

// A lower inside another layer (ovl_check_overlapping_layers). An upper inside a lower is allowed.
Result<void> CheckNested(const OverlayMount& mount) {
  const std::vector<const DirectoryRef*> lowers = AllLowers(mount);
  for (std::size_t i = 0; i < lowers.size(); ++i) {
    if (mount.upper.has_value() && IsInside(*lowers[i], *mount.upper)) return Errno::kLoop;
    if (mount.work.has_value() && IsInside(*lowers[i], *mount.work)) return Errno::kLoop;
    for (std::size_t k = i + 1; k < lowers.size(); ++k) {
      if (Overlap(*lowers[i], *lowers[k])) return Errno::kLoop;
    }
  }
  return {};
}

Result<void> MarkVolatile(const OpContext& op, FileSystem& fs, NodeId work) {
  NodeId dir = work;
  for (const std::string_view name : {"incompat", "volatile"}) {
    Result<NodeId> made = fs.Create(op, {dir, name}, {.type = FileType::kDirectory, .mode = 0755});
    if (!made.ok()) return made.error();
    dir = *made;
  }
  return {};
}

// 16 bytes with the form of a random UUID, a function of the upper directory.
std::string MakeUuid(const Stat& upper) {
  std::string uuid;
  std::uint64_t state = upper.dev * 0x9e3779b97f4a7c15U + upper.node.value;
  for (int word = 0; word < 2; ++word) {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    mixed ^= mixed >> 31U;
    for (int byte = 0; byte < 8; ++byte) {
      uuid += static_cast<char>((mixed >> (8U * static_cast<unsigned>(byte))) & 0xffU);
    }
  }
  uuid[6] = static_cast<char>((uuid[6] & 0x0f) | 0x40);
  uuid[8] = static_cast<char>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

// uuid=auto writes one to an upper that was never used; uuid=on to any.
Result<void> MarkUuid(const OpContext& op, const OverlayOptions& options,
                      const OverlayConfig& config, const DirectoryRef& upper) {
  if (options.uuid == UuidMode::kOff || options.uuid == UuidMode::kNull) return {};
  if (ReadMark(op, *upper.fs, upper.node, config.marks.uuid).has_value()) return {};
  const bool used = ReadMark(op, *upper.fs, upper.node, config.marks.impure).has_value();
  if (used && options.uuid != UuidMode::kOn) return {};
  Result<Stat> stat = upper.fs->GetAttr(op, upper.node);
  if (!stat.ok()) return stat.error();
  return upper.fs->SetXattr(op, upper.node, config.marks.uuid, MakeUuid(*stat), XattrMode::kSet);
}

std::vector<Branch> MakeBranches(const OverlayMount& mount) {
  std::vector<Branch> branches;
  const auto add = [&](const DirectoryRef& ref, BranchMode mode, bool data_only) {
    branches.push_back({ref.fs, ref.node, mode, data_only, ref.name});
  };
  if (mount.upper.has_value()) add(*mount.upper, BranchMode::kReadWrite, false);
  for (const DirectoryRef& lower : mount.lowers) add(lower, BranchMode::kReadOnly, false);
  for (const DirectoryRef& lower : mount.data_only) add(lower, BranchMode::kReadOnly, true);
  return branches;
}

// The writable half of a mount, in the kernel's order: what a later check refuses has its work
// directory made already.
Result<void> PrepareUpper(const OpContext& op, const OverlayMount& mount, UnionState& state) {
  Result<NodeId> work = PrepareWork(op, *mount.work->fs, mount.work->node);
  if (!work.ok()) return work.error();
  state.work = *work;
  state.traps.insert({mount.work->fs, mount.work->node});
  state.traps.insert({mount.work->fs, *work});
  if (!mount.options.volatile_upper) return {};
  return MarkVolatile(op, *mount.work->fs, *work);
}

}  // namespace

Result<std::unique_ptr<UnionFs>> MountOverlay(const OpContext& caller, const OverlayMount& mount) {
  const OpContext op = AsMounter(caller);
  if (Result<void> checked = CheckOverlayOptions(mount.options); !checked.ok()) {
    return checked.error();
  }
  if (Result<void> checked = CheckLayers(op, mount); !checked.ok()) return checked.error();
  auto state = std::make_unique<UnionState>();
  state->branches = MakeBranches(mount);
  state->has_writable = mount.upper.has_value();
  state->read_only = mount.read_only || !state->has_writable;
  for (const Branch& branch : state->branches) state->traps.insert({branch.fs, branch.root});
  for (const Branch& branch : state->branches) {
    const bool known = std::find(state->changing.begin(), state->changing.end(), branch.fs) !=
                       state->changing.end();
    if (!branch.fs->frozen() && !known) state->changing.push_back(branch.fs);
    if (branch.fs->limits().stacking_depth > 0) state->cache_names = false;
  }
  auto dialect = std::make_unique<OverlayDialect>(MakeOverlayConfig(mount, state->branches));
  const OverlayConfig& config = dialect->config();
  if (state->has_writable) {
    Result<void> prepared = PrepareUpper(op, mount, *state);
    if (!prepared.ok()) return prepared.error();
  }
  if (Result<void> checked = CheckDistinct(mount); !checked.ok()) return checked.error();
  if (state->has_writable) {
    Result<void> marked = MarkUuid(op, mount.options, config, *mount.upper);
    if (!marked.ok()) return marked.error();
  }
  if (config.index) {
    // The index is the place for temporaries too.
    Result<NodeId> index = PrepareIndex(op, *dialect, *state, mount.work->node);
    if (!index.ok()) return index.error();
    state->work = *index;
    state->traps.insert({mount.work->fs, *index});
  }
  if (Result<void> checked = CheckNested(mount); !checked.ok()) return checked.error();
  Result<Resolution> root = dialect->ResolveRoot(op, *state);
  if (!root.ok()) return root.error();
  UnionNode& node = state->nodes.Add(FileType::kDirectory);
  node.hits = root->hits;
  node.has_writable = state->has_writable;
  node.name_in_writable = true;
  node.impure = root->impure;
  node.may_hold_whiteouts = true;
  node.xattr_whiteouts = root->xattr_whiteouts;
  node.parent = node.id;
  state->root = node.id;
  const std::uint64_t device = config.device;
  return std::make_unique<UnionFs>(std::move(state), std::move(dialect), device);
}

}  // namespace lamina
