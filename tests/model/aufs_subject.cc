#include "tests/model/aufs_subject.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "sim/model/plain_view.h"

namespace lamina::sim {
namespace {

constexpr std::string_view kPseudoLinks = "/.wh..wh.plnk";
constexpr Instant kLater = InstantFromSeconds(4'000'000'000);

std::string ShowBranch(const std::string& name, bool one_fs, const DrawnBranch& branch) {
  return "layer " + name + (one_fs ? "" : " fs=" + name) + "\n" + LinesOf(branch.content);
}

// The names of pseudo-links hold numbers that are the union's own: how many there are must do. The
// time of their directory is that of the last of them.
void ReducePseudoLinks(std::vector<ModelEntry>& dump) {
  const std::string below = std::string(kPseudoLinks) + "/";
  std::size_t count = 0;
  for (const ModelEntry& entry : dump) count += entry.path.starts_with(below) ? 1U : 0U;
  std::erase_if(dump, [&](const ModelEntry& entry) { return entry.path.starts_with(below); });
  for (ModelEntry& entry : dump) {
    if (!entry.path.starts_with("/.wh..wh.")) continue;
    if (entry.inode.is_directory()) entry.inode.mtime_ns = 0;
    if (entry.path == kPseudoLinks) entry.inode.xattrs["names"] = std::to_string(count);
  }
}

}  // namespace

std::string DrawnUnion::Show() const {
  std::string text = "scenario 2\ndriver aufs\n";
  std::string mount = "rawmount merged br:";
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const std::string name = "b" + std::to_string(i);
    text += ShowBranch(name, one_fs, branches[i]);
    mount += (i == 0 ? "@" : ":@") + name + "@=" + std::string(WordOf(branches[i].mode));
  }
  return text + mount + "\n";
}

AufsSubject::AufsSubject(const DrawnUnion& drawn, const AufsFaults& faults)
    : Subject(drawn.Show(), faults.in_union), drawn_(drawn), faults_(faults) {
  for (const DrawnBranch& branch : drawn.branches) {
    AddPart(parts_.size(), branch.mode, branch.content);
    const bool frozen = !drawn.one_fs && drawn.changes == Branches::kStay &&
                        branch.mode != ModelBranchMode::kReadWrite;
    if (frozen) parts_.back().home->fs.Freeze();
  }
  Mount();
}

AufsSubject::Home& AufsSubject::HomeForNext() {
  if (homes_.empty() || !drawn_.one_fs) {
    homes_.push_back(std::make_unique<Home>());
    Home& home = *homes_.back();
    if (faults_.in_branches) home.decorated = faults_.in_branches(home.fs);
  }
  return *homes_.back();
}

std::string AufsSubject::AddPart(std::size_t index, ModelBranchMode mode,
                                 const std::vector<ModelOperation>& content) {
  const std::string name = "b" + std::to_string(next_part_++);
  Part part{"/" + name, mode, mode == ModelBranchMode::kReadWrite, &HomeForNext(), {}};
  part.layer = builder_.Build(part.home->fs, name, content);
  parts_.insert(parts_.begin() + static_cast<std::ptrdiff_t>(index), std::move(part));
  return name;
}

Result<DirectoryRef> AufsSubject::Resolve(std::string_view path) {
  for (const Part& part : parts_) {
    if (part.name == path) return part.layer.RefThrough(part.home->seen());
  }
  return Errno::kNoEnt;
}

std::string AufsSubject::MountText() const {
  std::string text = "br";
  for (const Part& part : parts_) {
    text += ":" + part.name + "=" + std::string(WordOf(part.mode));
  }
  return text;
}

void AufsSubject::Mount() {
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  Result<std::unique_ptr<UnionFs>> mounted =
      MountAufs(op, MountText(), [&](std::string_view path) { return Resolve(path); });
  LAMINA_CHECK(mounted.ok());
  union_ = std::move(*mounted);
  Open(*union_, union_->root());
}

void AufsSubject::Remount() {
  Shut();
  union_.reset();
  ForgetNumbers();
  links_settled_ = true;
  Mount();
}

std::string AufsSubject::RemountLine() const {
  std::string line = "umount\nrawmount merged br";
  for (const Part& part : parts_) {
    line += ":@" + part.name.substr(1) + "@=" + std::string(WordOf(part.mode));
  }
  return line;
}

void AufsSubject::RunRemovals() {
  const Credentials root = RootCredentials();
  const Result<void> done = union_->RunUntil(OpContext{root, kSimulationStart, Probe()}, kLater);
  LAMINA_CHECK(done.ok());
}

Result<void> AufsSubject::ChangeBranches(const BranchChange& change) {
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  const auto remount = [&](const std::string& text) {
    return RemountAufs(op, *union_, text, [&](std::string_view path) { return Resolve(path); });
  };
  const std::string mode = "=" + std::string(WordOf(change.mode));
  const auto at = parts_.begin() + static_cast<std::ptrdiff_t>(change.index);
  switch (change.kind) {
    case BranchChange::Kind::kAdd: {
      const std::size_t place = std::min(change.index, parts_.size());
      const std::string name = AddPart(place, change.mode, change.content);
      const std::string verb = "add:" + std::to_string(change.index) + ":";
      Tell("layer " + name + "\n" + LinesOf(change.content) + "merged\nremount merged " + verb +
           "@" + name + "@" + mode);
      const Result<void> done = remount(verb + "/" + name + mode);
      if (done.ok()) return {};
      gone_.push_back(std::move(parts_[place]));
      parts_.erase(parts_.begin() + static_cast<std::ptrdiff_t>(place));
      return done;
    }
    case BranchChange::Kind::kDelete: {
      Tell("remount merged del:@" + at->name.substr(1) + "@");
      if (Result<void> done = remount("del:" + at->name); !done.ok()) return done;
      gone_.push_back(std::move(*at));
      parts_.erase(at);
      return {};
    }
    case BranchChange::Kind::kSetMode: {
      Tell("remount merged mod:@" + at->name.substr(1) + "@" + mode);
      if (Result<void> done = remount("mod:" + at->name + mode); !done.ok()) return done;
      at->mode = change.mode;
      at->was_writable = at->was_writable || change.mode == ModelBranchMode::kReadWrite;
      return {};
    }
  }
  return {};
}

Result<void> AufsSubject::Flush() {
  Tell("# auplink flush");
  const Credentials root = RootCredentials();
  return FlushPseudoLinks(OpContext{root, kSimulationStart, Probe()}, *union_);
}

ModelOutcome AufsSubject::ExecuteStep(const AufsStep& step) {
  ModelOutcome outcome;
  Result<void> done;
  switch (step.kind) {
    case AufsStep::Kind::kCall:
      outcome = Execute(step.call);
      break;
    case AufsStep::Kind::kBranches:
      done = Flush();
      if (done.ok()) done = ChangeBranches(step.change);
      if (done.ok()) links_settled_ = false;
      break;
    case AufsStep::Kind::kFlush:
      done = Flush();
      break;
    case AufsStep::Kind::kForgetNames:
      Tell(step.Show());
      DropUnusedNames(*union_);
      break;
  }
  if (!done.ok()) outcome.error = done.error();
  RunRemovals();
  return outcome;
}

Subject::Leniency AufsSubject::LeniencyFor(const PosixModel& model) const {
  Leniency leniency;
  leniency.links = leniency.numbers = !links_settled_;
  const auto& view = dynamic_cast<const AufsView&>(model.view());
  leniency.unread = [&view](const std::string& path) { return view.IsLinkedByReading(path); };
  return leniency;
}

std::string AufsSubject::CompareStep(const PosixModel& model, const AufsStep& step,
                                     const ModelOutcome& want, const ModelOutcome& got) {
  if (step.kind == AufsStep::Kind::kCall) return Compare(model, step.call, want, got);
  std::string text = CompareSeen(model, want, got);
  if (text.empty()) text = CompareInside(model);
  // The call that follows finds nothing remembered either.
  if (step.kind == AufsStep::Kind::kForgetNames) DropUnusedNames(*union_);
  return text;
}

std::string AufsSubject::CompareBranch(const Part& part, const ModelTree& want_tree) {
  std::vector<ModelEntry> got = part.layer.Dump();
  if (!part.was_writable) {
    const std::string text = CompareDumps(part.layer.before, got);
    if (!text.empty()) return "read-only " + part.name + " has changed\n" + text;
  }
  std::vector<ModelEntry> want = DumpView(PlainView(want_tree));
  ReducePseudoLinks(got);
  ReducePseudoLinks(want);
  const std::string text = CompareDumps(want, got);
  return text.empty() ? "" : "in branch " + part.name + "\n" + text;
}

std::string AufsSubject::CompareInside(const PosixModel& model) {
  const auto& view = dynamic_cast<const AufsView&>(model.view());
  if (view.branch_count() != parts_.size()) return "another number of branches";
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    std::string text = CompareBranch(parts_[i], view.branch(i));
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace lamina::sim
