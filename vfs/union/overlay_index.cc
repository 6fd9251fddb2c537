// Overlay index: hard links of lower files that stay together over a copy-up, and the count of
// their names in the union (ovl_lookup_index in namei.c, ovl_nlink_start in util.c, ovl_link_up in
// copy_up.c of fs/overlayfs).
//
// An index entry is the copy itself, under the name of its lower object's handle; the names of the
// union are further links to it. With nfs_export every object has one; a directory's is a directory
// that bears the handle of the copy.
#include <charconv>

#include "absl/strings/str_format.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

// "U+2", "L-1": what the mark `nlink` adds to the count of the upper or lower object.
struct NlinkMark {
  char base = 'U';
  int difference = 0;
};

std::optional<NlinkMark> ParseNlinkMark(std::string_view value) {
  if (value.size() < 3 || value.size() > 12) return std::nullopt;
  NlinkMark mark{value[0], 0};
  if (mark.base != 'L' && mark.base != 'U') return std::nullopt;
  if (value[1] != '+' && value[1] != '-') return std::nullopt;
  const char* begin = value.data() + (value[1] == '+' ? 2 : 1);
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(begin, end, mark.difference);
  if (error != std::errc() || stop != end) return std::nullopt;
  return mark;
}

}  // namespace

// ovl_get_nlink
std::uint32_t OverlayDialect::UnionNlink(const OpContext& op, const UnionState& state,
                                         std::uint32_t lower_nlink, NodeId writable,
                                         std::uint32_t fallback) const {
  if (lower_nlink == 1) return fallback;
  const std::optional<std::string> value = ReadMark(op, state.fs(0), writable, config_.marks.nlink);
  if (!value.has_value()) return fallback;
  const std::optional<NlinkMark> mark = ParseNlinkMark(*value);
  if (!mark.has_value()) return fallback;
  std::int64_t nlink = lower_nlink;
  if (mark->base == 'U') {
    Result<Stat> above = state.fs(0).GetAttr(op, writable);
    if (!above.ok()) return fallback;
    nlink = above->nlink;
  }
  nlink += mark->difference;
  return nlink <= 0 ? fallback : static_cast<std::uint32_t>(nlink);
}

std::uint32_t OverlayDialect::IndexNlink(const OpContext& op, const UnionState& state, NodeId entry,
                                         std::uint32_t lower_nlink) const {
  return UnionNlink(op, state, lower_nlink, entry, 0);
}

Result<bool> OverlayDialect::NeedsIndex(const OpContext& op, const UnionState& state,
                                        const UnionNode& node) const {
  const Hit* lower = node.first_lower();
  if (lower == nullptr || !config_.index) return false;
  if (config_.index_all()) return true;
  if (node.type == FileType::kDirectory) return false;
  Result<Stat> stat = state.fs(lower->branch).GetAttr(op, lower->node);
  if (!stat.ok()) return stat.error();
  return stat->nlink > 1;
}

Result<std::string> OverlayDialect::IndexNameOf(const OpContext& op, const UnionState& state,
                                                const UnionNode& node) const {
  const Hit* lower = node.first_lower();
  if (lower == nullptr) return Errno::kIo;
  FileSystem& fs = state.fs(lower->branch);
  Result<Stat> stat = fs.GetAttr(op, lower->node);
  if (!stat.ok()) return stat.error();
  return IndexName(EncodeHandle(op, fs, *stat, HandleOf::kLower));
}

Result<std::optional<Hit>> OverlayDialect::FindIndex(const OpContext& op, const UnionState& state,
                                                     const std::optional<Hit>& writable,
                                                     const Hit& origin) const {
  FileSystem& lower_fs = state.fs(origin.branch);
  Result<Stat> lower = lower_fs.GetAttr(op, origin.node);
  if (!lower.ok()) return lower.error();
  FileSystem& fs = state.fs(0);
  const std::string name = IndexName(EncodeHandle(op, lower_fs, *lower, HandleOf::kLower));
  Result<NodeId> index = fs.Lookup(op, {state.work, name});
  if (!index.ok()) {
    if (index.error() == Errno::kNoEnt) return std::optional<Hit>();
    return index.error();
  }
  Result<Stat> stat = fs.GetAttr(op, *index);
  if (!stat.ok()) return stat.error();
  if (IsWhiteout(op, config_, fs, *index, *stat) || stat->type != lower->type) return Errno::kIo;
  if (stat->type == FileType::kDirectory) {
    if (!writable.has_value()) return Errno::kIo;  // an uncovered redirected directory
    Result<Stat> upper = fs.GetAttr(op, writable->node);
    if (!upper.ok()) return upper.error();
    const std::string handle = EncodeHandle(op, fs, *upper, HandleOf::kWritable);
    if (ReadMark(op, fs, *index, config_.marks.upper) != handle) return Errno::kIo;
  } else if (writable.has_value() && writable->node != *index) {
    return std::optional<Hit>();
  }
  return std::optional<Hit>(Hit{0, *index, stat->type});
}

void OverlayDialect::AddNlinkMark(StepNode node, char base, std::uint32_t nlink,
                                  std::uint32_t real_nlink, Plan& plan) const {
  Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kCommit);
  step.node = node;
  step.key = config_.marks.nlink;
  step.value = absl::StrFormat(
      "%c%+d", base, static_cast<std::int64_t>(nlink) - static_cast<std::int64_t>(real_nlink));
}

Result<void> OverlayDialect::PlanLinkUp(const OpContext& op, const UnionState& state,
                                        UnionNode& node, UnionNode& parent,
                                        std::uint32_t writable_nlink, Plan& plan) const {
  const Hit& below = parent.top();
  Result<Stat> parent_stat = state.fs(below.branch).GetAttr(op, below.node);
  if (!parent_stat.ok()) return parent.has_writable ? Errno::kNoEnt : parent_stat.error();
  Result<Stat> lower = state.fs(node.first_lower()->branch).GetAttr(op, node.first_lower()->node);
  if (!lower.ok()) return lower.error();
  PlanImpure(parent, plan);
  const StepNode copy = StepNode::WritableOf(node.id);
  AddNlinkMark(copy, 'L', node.nlink, lower->nlink, plan);
  Step& link = plan.Add(StepKind::kLinkNode, StepPhase::kCommit);
  link.node = copy;
  link.type = node.type;
  link.to = {StepNode::WritableOf(parent.id), node.name};
  link.linked = node.id;
  AddParentTimes(parent, *parent_stat, plan);
  AddNlinkMark(copy, 'U', node.nlink, writable_nlink + 1, plan);
  return {};
}

Result<std::uint32_t> OverlayDialect::PlanNlinkStart(const OpContext& caller,
                                                     const UnionState& state, UnionNode& node,
                                                     Plan& plan) const {
  const OpContext op = AsMounter(caller);
  Result<bool> needs = NeedsIndex(op, state, node);
  if (!needs.ok()) return needs.error();
  std::uint32_t writable_nlink = node.has_writable ? 0 : 2;  // the index entry and the name
  if (node.has_writable) {
    Result<Stat> stat = state.fs(0).GetAttr(op, node.top().node);
    if (!stat.ok()) return stat.error();
    writable_nlink = stat->nlink + (node.needs_link() ? 1 : 0);
  }
  if (*needs && (!node.has_writable || node.needs_link())) {
    if (Result<BranchIndex> up = PlanCopyUp(caller, state, node, {}, plan); !up.ok())
      return up.error();
  }
  const bool indexed = node.indexed || (*needs && !node.has_writable);
  if (indexed && node.type != FileType::kDirectory) {
    AddNlinkMark(StepNode::WritableOf(node.id), 'U', node.nlink, writable_nlink, plan);
  }
  return writable_nlink;
}

Result<void> OverlayDialect::PlanNlinkEnd(const OpContext& caller, const UnionState& state,
                                          const UnionNode& node, std::uint32_t writable_nlink,
                                          Plan& plan) const {
  const OpContext op = AsMounter(caller);
  Result<bool> needs = NeedsIndex(op, state, node);
  if (!needs.ok()) return needs.error();
  const bool directory = node.type == FileType::kDirectory;
  if (!node.indexed && !(*needs && !node.has_writable)) return {};
  if (!directory && NlinkAfterRemoval(node) > 0) return {};
  if (!directory && writable_nlink > 1) {
    // Names that the count does not know of: keep the entry (ovl_cleanup_index). The kernel sets
    // the count to that of the object without its entry.
    AddNlinkMark(StepNode::WritableOf(node.id), 'U', writable_nlink - 1, writable_nlink, plan);
    plan.steps.back().phase = StepPhase::kCleanUp;
    return {};
  }
  Result<std::string> name = IndexNameOf(op, state, node);
  if (!name.ok()) return name.error();
  const StepPlace entry{StepNode::Fixed(state.work), *std::move(name)};
  if (!config_.index_all()) {
    Step& remove = plan.Add(StepKind::kRemove, StepPhase::kCleanUp);
    remove.place = entry;
    remove.type = node.type;
    return {};
  }
  // So that a file handle of it is known to be stale.
  const int slot = plan.NewSlot();
  Step& make = plan.Add(StepKind::kCreateTemp, StepPhase::kCleanUp);
  make.type = FileType::kCharDevice;
  make.result_slot = slot;
  Step& hide = plan.Add(StepKind::kRename, StepPhase::kCleanUp);
  hide.place.dir = StepNode::Slot(slot);
  hide.node = StepNode::Slot(slot);
  hide.to = entry;
  hide.rename_mode = directory ? RenameMode::kExchange : RenameMode::kReplace;
  if (directory) {
    Step& remove = plan.Add(StepKind::kRemove, StepPhase::kCleanUp);
    remove.place.dir = StepNode::Slot(slot);
    remove.type = FileType::kDirectory;
  }
  return {};
}

}  // namespace lamina
