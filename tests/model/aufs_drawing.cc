#include "tests/model/aufs_drawing.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace lamina::sim {
namespace {

ModelBranchMode DrawBranchMode(const Choose& choose) {
  static const std::array<ModelBranchMode, 5> kModes = {
      ModelBranchMode::kReadOnlyWhiteout, ModelBranchMode::kReadOnly, ModelBranchMode::kReadWrite,
      ModelBranchMode::kReadOnlyWhiteout, ModelBranchMode::kReadWrite};
  return kModes.at(static_cast<std::size_t>(choose(static_cast<int>(kModes.size()))));
}

}  // namespace

std::string_view WordOf(ModelBranchMode mode) {
  switch (mode) {
    case ModelBranchMode::kReadWrite:
      return "rw";
    case ModelBranchMode::kReadOnly:
      return "ro";
    case ModelBranchMode::kReadOnlyWhiteout:
      return "ro+wh";
  }
  return "";
}

std::vector<DrawnBranch> DrawBranches(const Choose& choose) {
  std::vector<DrawnBranch> branches;
  const int count = 1 + choose(4);
  for (int i = 0; i < count; ++i) {
    const ModelBranchMode mode = DrawBranchMode(choose);
    branches.push_back({mode, DrawLayer(choose, Marks::kAufs)});
  }
  const int writable = choose(8) == 1 ? choose(count) : 0;
  branches.at(static_cast<std::size_t>(writable)).mode = ModelBranchMode::kReadWrite;
  return branches;
}

std::vector<AufsView::Content> ContentsOf(const std::vector<DrawnBranch>& branches) {
  std::vector<AufsView::Content> contents;
  for (const DrawnBranch& branch : branches) {
    contents.push_back({branch.mode, BuildLayer(branch.content)});
  }
  return contents;
}

std::string BranchChange::Show() const {
  std::string text;
  for (const ModelOperation& call : content) text += call.Show() + "\n";
  const std::string at = std::to_string(index);
  switch (kind) {
    case Kind::kAdd:
      return text + "add " + at + " " + std::string(WordOf(mode));
    case Kind::kDelete:
      return "del " + at;
    case Kind::kSetMode:
      return "mod " + at + " " + std::string(WordOf(mode));
  }
  return text;
}

BranchChange DrawBranchChange(const AufsView& view, const Choose& choose) {
  BranchChange change;
  const int count = static_cast<int>(view.branch_count());
  const int choice = choose(4);
  change.kind = BranchChange::Kind::kSetMode;
  if (choice == 1 || count > 5) change.kind = BranchChange::Kind::kDelete;
  if (choice == 2 && count <= 5) change.kind = BranchChange::Kind::kAdd;
  const bool adds = change.kind == BranchChange::Kind::kAdd;
  change.index = static_cast<std::size_t>(choose(adds ? count + 2 : count));
  change.mode = DrawBranchMode(choose);
  if (adds) change.content = DrawLayer(choose, Marks::kAufs);
  return change;
}

Result<void> ApplyBranchChange(AufsView& view, const BranchChange& change) {
  switch (change.kind) {
    case BranchChange::Kind::kAdd:
      return view.AddBranch(change.index, change.mode, BuildLayer(change.content));
    case BranchChange::Kind::kDelete:
      return view.DeleteBranch(change.index);
    case BranchChange::Kind::kSetMode:
      return view.SetMode(change.index, change.mode);
  }
  return {};
}

ModelOperation WithOddName(ModelOperation call, const Choose& choose) {
  if (choose(24) != 1) return call;
  static const std::array<std::string, 5> kNames = {".wh.a", ".wh.", ".wh..wh..opq",
                                                    std::string(242, 'l'), std::string(243, 'l')};
  const bool has_other = call.kind == OperationKind::kRename || call.kind == OperationKind::kLink;
  std::string& path = has_other && choose(2) == 1 ? call.other : call.path;
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return call;
  const int name = choose(static_cast<int>(kNames.size()));
  path = path.substr(0, slash + 1) + kNames.at(static_cast<std::size_t>(name));
  return call;
}

// ── Steps ──────────────────────────────────────────────────────────────────────────────────────

std::string_view AufsStep::Word() const {
  switch (kind) {
    case Kind::kCall:
      return OperationWord(call.kind);
    case Kind::kBranches:
      switch (change.kind) {
        case BranchChange::Kind::kAdd:
          return "add branch";
        case BranchChange::Kind::kDelete:
          return "delete branch";
        case BranchChange::Kind::kSetMode:
          return "modify branch";
      }
      return "";
    case Kind::kFlush:
      return "flush";
    case Kind::kForgetNames:
      return "forget names";
  }
  return "";
}

std::string AufsStep::Show() const {
  switch (kind) {
    case Kind::kCall:
      return call.Show();
    case Kind::kBranches:
      return change.Show();
    case Kind::kFlush:
      return "# auplink flush";
    case Kind::kForgetNames:
      return "# drop_caches";
  }
  return "";
}

namespace {

// Rules that a call drawn at random seldom meets.
bool IsSeldomMet(DeviationRule rule) {
  switch (rule) {
    case DeviationRule::kAufsBrokenName:
    case DeviationRule::kAufsDirectoryRename:
    case DeviationRule::kAufsRealParent:
    case DeviationRule::kAufsForeignWhiteout:
    case DeviationRule::kAufsLinkCount:
    case DeviationRule::kAufsLostLinks:
    case DeviationRule::kAufsParentTime:
    case DeviationRule::kAufsOpaqueTime:
    case DeviationRule::kAufsCopiedHoles:
    case DeviationRule::kAufsOldFifo:
    case DeviationRule::kAufsSpecialTimes:
      return true;
    default:
      return false;
  }
}

// The last of a few calls, or one of them that meets such a rule.
ModelOperation DrawSeldomCall(const PosixModel& model, const std::vector<OperationKind>& swarm,
                              const Choose& choose) {
  constexpr int kTries = 8;
  ModelOperation call;
  for (int i = 0; i < kTries; ++i) {
    call = DrawOperation(model, swarm, choose);
    if (!IsSettled(model, call)) continue;
    PosixModel after = model;
    after.view().TakeDeviations();
    ApplyOperation(after, call);
    const std::set<DeviationRule> met = after.view().TakeDeviations();
    if (std::any_of(met.begin(), met.end(), IsSeldomMet)) return call;
  }
  return call;
}

}  // namespace

AufsStep DrawStep(const PosixModel& model, const std::vector<OperationKind>& swarm,
                  Branches branches, const Choose& choose) {
  AufsStep step;
  const int choice = choose(40);
  if (choice == 1 || choice == 2) {
    step.kind = choice == 1 ? AufsStep::Kind::kForgetNames : AufsStep::Kind::kFlush;
  } else if (branches == Branches::kChange && choice > 36) {
    step.kind = AufsStep::Kind::kBranches;
    step.change = DrawBranchChange(dynamic_cast<const AufsView&>(model.view()), choose);
  } else {
    const bool seldom = choose(5) == 1;
    step.call = seldom ? DrawSeldomCall(model, swarm, choose)
                       : WithOddName(DrawOperation(model, swarm, choose), choose);
  }
  return step;
}

bool IsSettled(const PosixModel& model, const AufsStep& step) {
  switch (step.kind) {
    case AufsStep::Kind::kCall:
      return IsSettled(model, step.call);
    case AufsStep::Kind::kBranches: {
      const auto& before = dynamic_cast<const AufsView&>(model.view());
      const bool adds = step.change.kind == BranchChange::Kind::kAdd;
      if (!adds && step.change.index >= before.branch_count()) return false;  // in a shorter story
      const bool deletes = step.change.kind == BranchChange::Kind::kDelete;
      if (deletes && !before.IsDeletionSettled(step.change.index)) return false;
      AufsView after = before;
      Result<void> changed = after.FlushPseudoLinks();
      if (changed.ok()) changed = ApplyBranchChange(after, step.change);
      return !changed.ok() || before.KeepsNamesInUse(after);
    }
    case AufsStep::Kind::kFlush:
    case AufsStep::Kind::kForgetNames:
      return true;
  }
  return true;
}

ModelOutcome ApplyStep(PosixModel& model, const AufsStep& step) {
  auto& view = dynamic_cast<AufsView&>(model.view());
  Result<void> done;
  switch (step.kind) {
    case AufsStep::Kind::kCall:
      return ApplyOperation(model, step.call);
    case AufsStep::Kind::kBranches:
      done = view.FlushPseudoLinks();
      if (done.ok()) done = ApplyBranchChange(view, step.change);
      break;
    case AufsStep::Kind::kFlush:
      done = view.FlushPseudoLinks();
      break;
    case AufsStep::Kind::kForgetNames:
      view.ForgetUnused();
      break;
  }
  ModelOutcome outcome;
  if (!done.ok()) outcome.error = done.error();
  return outcome;
}

}  // namespace lamina::sim
