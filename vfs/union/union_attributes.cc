// UnionFs: attributes and xattrs. Reads go to the topmost object; changes copy up first.
#include <algorithm>

#include "lamina/store/page.h"
#include "lamina/union/union_fs.h"
#include "vfs/union/union_body.h"

namespace lamina {
namespace {

// Refused by the VFS before the file system is asked, hence without a copy-up.
Result<void> CheckXattrKey(std::string_view key, FileType type) {
  const bool user = key.substr(0, 5) == "user.";
  if (user && type != FileType::kRegular && type != FileType::kDirectory) return Errno::kPerm;
  return {};
}

}  // namespace

Result<Stat> UnionFs::GetAttr(const OpContext& op, NodeId id) {
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  const UnionNode& node = **found;
  const UnionState& state = *body_->state;
  Result<Stat> stat = state.fs(node.top().branch).GetAttr(AsMounter(op), node.top().node);
  if (!stat.ok()) return stat;
  Result<StatIdentity> identity = body_->dialect->Identity(op, state, node, *stat);
  if (!identity.ok()) return identity.error();
  stat->node = id;
  stat->ino = identity->ino;
  stat->dev = identity->dev;
  if (node.type == FileType::kDirectory) {
    stat->nlink = body_->dialect->DirectoryLinks(op, state, node, *stat);
    return stat;
  }
  if (node.counts_own_names()) stat->nlink = node.nlink;
  const Hit* data = node.type == FileType::kRegular ? node.body() : &node.top();
  if (data == nullptr) {
    // A body that was not looked up yet is guessed to be as long as the file says.
    stat->allocated_sectors = (stat->size_bytes + kPageBytes - 1) / kPageBytes * (kPageBytes / 512);
  } else if (data != &node.top()) {
    Result<Stat> body = state.fs(data->branch).GetAttr(AsMounter(op), data->node);
    if (!body.ok()) return body;
    stat->allocated_sectors = body->allocated_sectors;
  }
  return stat;
}

Result<void> UnionFs::SetAttr(const OpContext& op, NodeId id, const AttrChange& change) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable;
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  UnionNode& node = **found;
  body_->UseHandleName(op, node);
  if (change.size_bytes.has_value() && node.type != FileType::kRegular) {
    return node.type == FileType::kDirectory ? Errno::kIsDir : Errno::kInval;
  }
  if (body_->dialect->Ignores(node, change)) return {};
  Plan plan;
  const BodyNeed need{.data = change.size_bytes.has_value(),
                      .limit_bytes = change.size_bytes.value_or(~std::uint64_t{0})};
  Result<BranchIndex> branch = body_->PlanWrite(op, node, need, plan);
  if (!branch.ok()) return branch.error();
  Step& step = plan.Add(StepKind::kSetAttr, StepPhase::kCommit);
  step.branch = *branch;
  step.node = StepNode::WritableOf(id);
  step.change = change;
  if (change.size_bytes.has_value() && (!node.has_writable || node.metacopy) &&
      !change.mtime.has_value()) {
    // The copy has its new size already; that the file changes must show all the same.
    Result<Stat> stat = body_->state->fs(node.top().branch).GetAttr(AsMounter(op), node.top().node);
    if (!stat.ok()) return stat.error();
    if (stat->size_bytes != *change.size_bytes) step.change.mtime = op.now;
  }
  step.as_mounter = false;
  return body_->Apply(op, plan);
}

Result<BranchIndex> UnionFs::Body::PlanWrite(const OpContext& op, UnionNode& node, BodyNeed need,
                                             Plan& plan) const {
  if (node.has_writable && !node.needs_link() && !node.metacopy) return node.top().branch;
  if (node.dead && !node.has_writable && !dialect->CopiesUpUnnamed()) return Errno::kStale;
  return dialect->PlanCopyUp(op, *state, node, need, plan);
}

Result<BranchIndex> UnionFs::Body::PlanXattr(const OpContext& op, UnionNode& node,
                                             Plan& plan) const {
  // The kernel's overlay does not make the name of an indexed file for it.
  if (node.has_writable && !dialect->LinksUpAtUse()) return node.top().branch;
  return PlanWrite(op, node, {}, plan);
}

Result<Hit> UnionFs::Body::FindBody(const OpContext& op, UnionNode& node) const {
  Result<Hit> body = dialect->FindBody(op, *state, node);
  if (body.ok() && node.body() == nullptr) {
    node.hits.push_back(*body);
    node.data_redirect.clear();
  }
  return body;
}

Result<std::string> UnionFs::ReadLink(const OpContext& op, NodeId id) {
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  const Hit& top = (*found)->top();
  return body_->state->fs(top.branch).ReadLink(AsMounter(op), top.node);
}

Result<std::string> UnionFs::GetXattr(const OpContext& op, NodeId id, std::string_view key) {
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  const Hit& top = (*found)->top();
  FileSystem& fs = body_->state->fs(top.branch);
  const std::string stored = body_->dialect->StoredXattr(key);
  if (stored.empty() && !key.empty()) return Errno::kInval;
  return fs.GetXattr(AsMounter(op), top.node, stored);
}

Result<std::vector<std::string>> UnionFs::ListXattr(const OpContext& op, NodeId id) {
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  const Hit& top = (*found)->top();
  Result<std::vector<std::string>> stored =
      body_->state->fs(top.branch).ListXattr(AsMounter(op), top.node);
  if (!stored.ok()) return stored;
  std::vector<std::string> shown;
  for (const std::string& key : *stored) {
    if (std::optional<std::string> name = body_->dialect->ShownXattr(key)) {
      shown.push_back(*std::move(name));
    }
  }
  std::sort(shown.begin(), shown.end());
  return shown;
}

Result<void> UnionFs::SetXattr(const OpContext& op, NodeId id, std::string_view key,
                               std::string_view value, XattrMode mode) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable;
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  UnionNode& node = **found;
  body_->UseHandleName(op, node);
  if (Result<void> allowed = CheckXattrKey(key, node.type); !allowed.ok()) return allowed;
  if (!key.empty() && body_->dialect->StoredXattr(key).empty()) return Errno::kInval;
  Plan plan;
  Result<BranchIndex> branch = body_->PlanXattr(op, node, plan);
  if (!branch.ok()) return branch.error();
  Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kCommit);
  step.branch = *branch;
  step.node = StepNode::WritableOf(id);
  step.key = body_->dialect->StoredXattr(key);
  step.value = std::string(value);
  step.xattr_mode = mode;
  step.as_mounter = false;
  return body_->Apply(op, plan);
}

Result<void> UnionFs::RemoveXattr(const OpContext& op, NodeId id, std::string_view key) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable;
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  UnionNode& node = **found;
  body_->UseHandleName(op, node);
  if (Result<void> allowed = CheckXattrKey(key, node.type); !allowed.ok()) return allowed;
  if (!key.empty() && body_->dialect->StoredXattr(key).empty()) return Errno::kInval;
  if (!node.has_writable && body_->dialect->SparesMissingXattr()) {
    Result<std::string> there = GetXattr(op, id, key);
    if (!there.ok()) return there.error();
  }
  Plan plan;
  Result<BranchIndex> branch = body_->PlanXattr(op, node, plan);
  if (!branch.ok()) return branch.error();
  Step& step = plan.Add(StepKind::kDropXattr, StepPhase::kCommit);
  step.branch = *branch;
  step.node = StepNode::WritableOf(id);
  step.key = body_->dialect->StoredXattr(key);
  step.as_mounter = false;
  return body_->Apply(op, plan);
}

}  // namespace lamina
