// UnionFs: the questions explain, tree and the matchers ask. Nothing here changes a branch.
#include <map>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"
#include "lamina/union/union_fs.h"
#include "vfs/union/aufs_names.h"
#include "vfs/union/union_body.h"

namespace lamina {
namespace {

// How the steps of one plan are told.
struct StepWords {
  bool aufs = false;
  // The names of slots, where those are not in the work directory.
  std::map<int, std::string> temporaries = {};
};

std::string PlaceText(const StepPlace& place, const StepWords& words) {
  if (place.dir.kind != StepNode::Kind::kSlot || !place.name.empty()) return place.name;
  const auto known = words.temporaries.find(place.dir.slot);
  return known == words.temporaries.end() ? "workdir" : known->second;
}

// AUFS makes its temporaries beside the entry; the name ends in four hexadecimal digits.
void NoteTemporary(const Step& step, StepWords& words) {
  const std::string name = absl::StrFormat("%s%s.HHHH", kAufsReserved, step.place.name);
  if (step.kind == StepKind::kCreateTemp && step.beside) {
    words.temporaries[step.result_slot] = name;
  }
  const bool aside = step.kind == StepKind::kRename && step.to.dir.kind == StepNode::Kind::kSlot;
  if (words.aufs && aside) words.temporaries[step.to.dir.slot] = name;
}

bool IsWhiteout(const StepPlace& place, const StepWords& words) {
  return words.aufs && IsAufsWhiteout(place.name) && !IsAufsReserved(place.name);
}

std::string StepText(const Step& step, const StepWords& words) {
  const std::string kind(StepKindName(step.kind));
  switch (step.kind) {
    case StepKind::kSetXattr:
    case StepKind::kDropXattr:
      return absl::StrFormat("%s %s", kind, step.key);
    case StepKind::kLinkNode:
    case StepKind::kLinkUnnamed:
      if (IsWhiteout(step.to, words)) return "create whiteout " + step.to.name;
      // A pseudo-link's name ends in a number that only the step knows.
      return absl::StrFormat("%s as %s%s", kind, PlaceText(step.to, words),
                             step.number_slot >= 0 ? "*" : "");
    case StepKind::kRename:
      return absl::StrFormat("%s %s to %s%s", kind, PlaceText(step.place, words),
                             PlaceText(step.to, words),
                             step.rename_mode == RenameMode::kExchange        ? " (exchange)"
                             : step.rename_mode == RenameMode::kLeaveWhiteout ? " (whiteout)"
                                                                              : "");
    case StepKind::kCreate:
      if ((step.type == FileType::kCharDevice && step.rdev == 0) || IsWhiteout(step.place, words)) {
        return "create whiteout " + PlaceText(step.place, words);
      }
      return absl::StrFormat("%s %s", kind, PlaceText(step.place, words));
    case StepKind::kRemove:
      return absl::StrFormat("%s %s", kind, PlaceText(step.place, words));
    case StepKind::kCreateTemp:
      if (step.beside) return "create " + words.temporaries.at(step.result_slot);
      if (step.type == FileType::kCharDevice && step.rdev == 0) return "create whiteout in workdir";
      return kind;
    case StepKind::kCreateUnnamed:
    case StepKind::kCopyData:
    case StepKind::kSetAttr:
    case StepKind::kSyncNode:
      return kind;
  }
  return kind;
}

std::vector<PlannedStep> Describe(const Plan& plan, const Dialect& dialect) {
  std::vector<PlannedStep> steps;
  StepWords words{.aufs = dialect.name() == "aufs"};
  for (const Step& step : plan.steps) {
    NoteTemporary(step, words);
    PlannedStep& described = steps.emplace_back();
    described.text = StepText(step, words);
    described.branch = step.branch;
    described.reason = plan.reason;
    described.commit = step.phase == StepPhase::kCommit;
    described.clean_up = step.phase == StepPhase::kCleanUp;
    described.left_for_later = step.kind == StepKind::kRename && plan.left_for_later >= 0 &&
                               step.to.dir.slot == plan.left_for_later;
    if (step.kind != StepKind::kCopyData) continue;
    described.drops_zeros = step.drops_zeros;
    described.bytes_copied = step.length_bytes;
    described.source_branch = step.source_branch;
    described.source = step.source;
  }
  return steps;
}

}  // namespace

Result<BranchIndex> UnionFs::SourceBranch(NodeId id) const {
  Result<UnionNode*> node = body_->FindNode(id);
  if (!node.ok()) return node.error();
  const UnionNode& found = **node;
  if (found.type != FileType::kRegular) return found.top().branch;
  return (found.body() == nullptr ? found.top() : *found.body()).branch;
}

Result<std::pair<BranchIndex, NodeId>> UnionFs::BodyNode(const OpContext& op, NodeId id) {
  Result<UnionNode*> node = body_->FindNode(id);
  if (!node.ok()) return node.error();
  if ((*node)->type != FileType::kRegular) return Errno::kInval;
  Result<Hit> body = body_->FindBody(op, **node);
  if (!body.ok()) return body.error();
  return std::pair(body->branch, body->node);
}

Result<std::vector<std::pair<BranchIndex, NodeId>>> UnionFs::BranchNodes(NodeId id) const {
  Result<UnionNode*> node = body_->FindNode(id);
  if (!node.ok()) return node.error();
  std::vector<std::pair<BranchIndex, NodeId>> nodes;
  for (const Hit& hit : (*node)->hits) nodes.emplace_back(hit.branch, hit.node);
  return nodes;
}

void UnionFs::MarkBody(const OpContext& op, NameFindings& findings) {
  if (!findings.answer.ok()) return;
  Result<std::pair<BranchIndex, NodeId>> body = BodyNode(op, *findings.answer);
  if (!body.ok()) return;
  BranchFinding& finding = findings.branches[body->first];
  finding.body = true;
  finding.outcome = BranchFinding::Outcome::kFound;
  Result<Stat> stat = body_->state->fs(body->first).GetAttr(AsMounter(op), body->second);
  if (stat.ok()) finding.stat = *stat;
}

Result<NameFindings> UnionFs::FindInBranches(const OpContext& caller, Place place) {
  const OpContext op = AsMounter(caller);
  Result<UnionNode*> found = body_->FindDirectory(place.dir);
  if (!found.ok()) return found.error();
  const UnionNode& dir = **found;
  const UnionState& state = *body_->state;
  NameFindings findings;
  Result<Resolution> resolution = body_->dialect->Resolve(op, state, dir, place.name);
  const Hits shown = resolution.ok() ? resolution->hits : Hits();
  // A metacopy file goes on below, to its body.
  const bool chain =
      resolution.ok() &&
      (resolution->metacopy || !resolution->data_redirect.empty() ||
       (shown.size() > 1 && shown.front().type == FileType::kRegular && shown.front().branch != 0));
  bool ended = false;
  for (std::size_t i = 0; i < state.branches.size(); ++i) {
    BranchFinding& finding = findings.branches.emplace_back();
    finding.branch = static_cast<BranchIndex>(i);
    finding.outcome = BranchFinding::Outcome::kNoDirectory;
    const Hit* part = nullptr;
    for (const Hit& hit : dir.hits) {
      if (hit.branch == i) part = &hit;
    }
    // The second hit of a file is where its copy came from, maybe another name: no part of it.
    const Hit* answer = nullptr;
    for (const Hit& hit : shown) {
      const bool origin_only = &hit != &shown.front() && hit.type != FileType::kDirectory && !chain;
      if (hit.branch == i && !origin_only) answer = &hit;
    }
    FileSystem& fs = state.fs(finding.branch);
    Result<NodeId> node = Errno::kNoEnt;
    if (part != nullptr) {
      finding.outcome = BranchFinding::Outcome::kNoEntry;
      node = fs.Lookup(op, {part->node, place.name});
    }
    finding.through_index = i == 0 && answer != nullptr && resolution->needs_link;
    // Through a redirect the object stands under another name.
    if (answer != nullptr && (!node.ok() || *node != answer->node)) node = answer->node;
    const bool may_be_hidden_beside =
        node.ok() && answer == nullptr && !ended && body_->dialect->WhiteoutsPrecede();
    Result<NodeId> whiteout = Errno::kNoEnt;
    if (part != nullptr && (!node.ok() || may_be_hidden_beside)) {
      whiteout =
          body_->dialect->FindWhiteoutFile(op, state, finding.branch, part->node, place.name);
    }
    if (whiteout.ok()) {
      Result<Stat> marker = fs.GetAttr(op, *whiteout);
      if (marker.ok()) finding.stat = *marker;
      Result<Stat> beside = node.ok() ? fs.GetAttr(op, *node) : Result<Stat>(Errno::kNoEnt);
      if (beside.ok()) finding.beside = *beside;
      finding.outcome = ended ? BranchFinding::Outcome::kHidden : BranchFinding::Outcome::kWhiteout;
      ended = true;
      continue;
    }
    if (!node.ok()) continue;
    Result<Stat> stat = fs.GetAttr(op, *node);
    if (!stat.ok()) continue;
    finding.stat = *stat;
    body_->dialect->DescribeMarks(op, state, finding, *node, *stat);
    if (answer != nullptr) {
      finding.outcome = BranchFinding::Outcome::kFound;
      ended =
          ended || (answer->type != FileType::kDirectory && !finding.metacopy) || finding.opaque;
    } else if (finding.outcome == BranchFinding::Outcome::kWhiteout && !ended) {
      ended = true;
    } else {
      finding.outcome = BranchFinding::Outcome::kHidden;
    }
  }
  body_->dialect->DescribeName(op, state, dir, place.name, findings);
  if (!resolution.ok()) {
    findings.answer = resolution.error();
  } else if (!resolution->hits.empty()) {
    findings.answer = Lookup(caller, place);
    if (chain) MarkBody(caller, findings);
  }
  return findings;
}

Result<std::vector<PlannedStep>> UnionFs::PlanOfCopyUp(const OpContext& op, NodeId id,
                                                       BodyNeed need) {
  Result<UnionNode*> node = body_->FindNode(id);
  if (!node.ok()) return node.error();
  Plan plan;
  if (Result<BranchIndex> planned = body_->PlanWrite(op, **node, need, plan); !planned.ok()) {
    return planned.error();
  }
  return Describe(plan, *body_->dialect);
}

Result<std::vector<PlannedStep>> UnionFs::PlanOfOpen(const OpContext& op, NodeId id) {
  Result<UnionNode*> node = body_->FindNode(id);
  if (!node.ok()) return node.error();
  Plan plan;
  Result<void> planned = body_->dialect->PlanOpen(op, *body_->state, **node, plan);
  if (!planned.ok()) return planned.error();
  return Describe(plan, *body_->dialect);
}

Result<std::vector<PlannedStep>> UnionFs::PlanOfRead(const OpContext& op, NodeId id) {
  Result<UnionNode*> node = body_->FindNode(id);
  if (!node.ok()) return node.error();
  if (!body_->dialect->LinksUpAtUse() || !(*node)->needs_link()) return std::vector<PlannedStep>();
  return PlanOfCopyUp(op, id, {});
}

Result<std::vector<PlannedStep>> UnionFs::PlanOfUnnamed(const OpContext& op, NodeId id) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable.error();
  Result<UnionNode*> dir = body_->FindDirectory(id);
  if (!dir.ok()) return dir.error();
  if ((*dir)->dead) return Errno::kNoEnt;
  Plan plan;
  Result<BranchIndex> branch = body_->dialect->PlanUnnamed(op, *body_->state, **dir, plan);
  if (!branch.ok()) return branch.error();
  Step& make = plan.Add(StepKind::kCreateUnnamed, StepPhase::kCommit);
  make.branch = *branch;
  return Describe(plan, *body_->dialect);
}

Result<std::vector<PlannedStep>> UnionFs::PlanOfRemove(const OpContext& op, Place place,
                                                       FileType expected) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable.error();
  Result<NamedNode> named = body_->FindName(op, place);
  if (!named.ok()) return named.error();
  if (named->node == nullptr) return Errno::kNoEnt;
  const bool directory = named->node->type == FileType::kDirectory;
  if (directory && expected != FileType::kDirectory) return Errno::kIsDir;
  if (!directory && expected == FileType::kDirectory) return Errno::kNotDir;
  Plan plan;
  Result<void> planned = body_->dialect->PlanHide(op, *body_->state, *named, plan);
  if (!planned.ok()) return planned.error();
  return Describe(plan, *body_->dialect);
}

Result<std::vector<PlannedStep>> UnionFs::PlanOfCreate(const OpContext& op, Place place,
                                                       const NewNode& node) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable.error();
  Result<NamedNode> named = body_->FindName(op, place);
  if (!named.ok()) return named.error();
  if (named->node != nullptr) return Errno::kExist;
  Plan plan;
  Result<void> planned = body_->dialect->PlanCreate(op, *body_->state, *named, node, plan);
  if (!planned.ok()) return planned.error();
  return Describe(plan, *body_->dialect);
}

Result<std::vector<PlannedStep>> UnionFs::PlanOfLink(const OpContext& op, NodeId node,
                                                     Place place) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable.error();
  Result<UnionNode*> found = body_->FindNode(node);
  if (!found.ok()) return found.error();
  Result<NamedNode> named = body_->FindName(op, place);
  if (!named.ok()) return named.error();
  if (named->node != nullptr) return Errno::kExist;
  if ((*found)->type == FileType::kDirectory) return Errno::kPerm;
  if ((*found)->dead) return Errno::kNoEnt;
  Plan plan;
  Result<void> planned =
      body_->dialect->PlanLink(op, *body_->state, **found, HandleId{}, *named, plan);
  if (!planned.ok()) return planned.error();
  return Describe(plan, *body_->dialect);
}

Result<std::vector<PlannedStep>> UnionFs::PlanOfRename(const OpContext& op, Place from_place,
                                                       Place to_place, RenameMode mode) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable.error();
  Result<NamedNode> from = body_->FindName(op, from_place);
  if (!from.ok()) return from.error();
  if (from->node == nullptr) return Errno::kNoEnt;
  Result<NamedNode> to = body_->FindName(op, to_place);
  if (!to.ok()) return to.error();
  if (mode != RenameMode::kLeaveWhiteout) {
    if (Result<void> allowed = body_->CheckRename(*from, *to, mode); !allowed.ok()) {
      return allowed.error();
    }
  }
  Plan plan;
  if (from->node == to->node) return Describe(plan, *body_->dialect);
  Result<void> planned = body_->dialect->PlanRename(op, *body_->state, *from, *to, mode, plan);
  if (!planned.ok()) return planned.error();
  if (plan.refusal.has_value()) return *plan.refusal;
  return Describe(plan, *body_->dialect);
}

}  // namespace lamina
