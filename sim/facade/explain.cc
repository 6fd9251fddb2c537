// LayeredFs: Explain, ExplainDir and ExplainWrite. Built on what the union says about itself
// (FindInBranches, BranchNodes, PlanOfCopyUp); nothing is changed.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/fs/permission.h"
#include "sim/facade/aufs_words.h"
#include "sim/facade/facade_mount.h"

namespace lamina {
namespace {

using internal::Caller;
using internal::Lookup;
using internal::ObjectText;

// A whiteout that is a file: "whiteout (.wh.f)", "whiteout (.wh.f) beside regular, 3 B".
std::string WhiteoutFileText(const BranchFinding& finding, std::string_view name) {
  std::string text = absl::StrFormat("whiteout (%s%s", internal::kDotWh, Escaped(name));
  if (finding.stat->type != FileType::kRegular) {
    absl::StrAppendFormat(&text, " is a %s", internal::TypeWord(finding.stat->type));
  }
  text += ')';
  if (finding.beside) text += " beside " + ObjectText(*finding.beside);
  return text;
}

bool IsWhiteoutFile(const BranchFinding& finding) {
  return finding.outcome == BranchFinding::Outcome::kWhiteout && finding.stat &&
         !internal::IsWhiteoutStat(*finding.stat);
}

std::string FoundText(const BranchFinding& finding, std::string_view name) {
  if (finding.xattr_whiteout) return "whiteout (xattr)";
  if (!finding.stat) return "whiteout";
  if (IsWhiteoutFile(finding)) return WhiteoutFileText(finding, name);
  std::string text = ObjectText(*finding.stat);
  if (finding.opaque) text += ", opaque";
  if (!finding.redirect.empty()) text += ", redirect " + Escaped(finding.redirect);
  return text;
}

// Turns findings into steps from the top down, and remembers who decided.
class Narrator {
 public:
  explicit Narrator(const Caller& caller)
      : caller_(caller),
        marks_may_be_passed_(caller.mount->aufs() &&
                             caller.mount->options.aufs.quirks.lowest_opaque_wins) {}

  std::vector<ExplainStep> steps;
  std::string decided_by;  // the layer whose object is shown or hides the name

  void Tell(const NameFindings& findings, std::string_view name) {
    name_ = name;
    if (!findings.answer.ok()) error_ = findings.answer.error();
    for (const BranchFinding& finding : findings.branches) TellOne(finding);
    if (findings.answer.ok()) TellPseudoLink(*findings.answer);
  }

  // A node without a name of its own: the root, or what "." and ".." name.
  void TellParts(const std::vector<std::pair<BranchIndex, NodeId>>& parts) {
    for (const auto& [branch, node] : parts) {
      const Result<Stat> stat =
          caller_.mount->fs->branches()[branch].fs->GetAttr(caller_.mount->AsRoot(), node);
      const std::string what = stat.ok() ? ObjectText(*stat) : "unreadable";
      Add(branch, what, found_ ? "merged" : "found");
      if (!found_) decided_by = caller_.mount->BranchName(branch);
      found_ = true;
    }
  }

 private:
  void Add(BranchIndex branch, std::string outcome, std::string detail) {
    steps.push_back({.layer = caller_.mount->BranchName(branch),
                     .outcome = std::move(outcome),
                     .detail = std::move(detail),
                     .name = {},
                     .branch = internal::BranchText(*caller_.mount->fs, branch)});
  }

  // The name leads to an object of a lower branch, of which another name was copied up.
  void TellPseudoLink(NodeId node) {
    if (!caller_.mount->aufs()) return;
    const Result<BranchIndex> source = caller_.mount->fs->SourceBranch(node);
    if (!source.ok() || caller_.mount->BranchName(*source) == decided_by) return;
    const Result<Stat> stat = caller_.mount->fs->GetAttr(caller_.op(), node);
    Add(*source, stat.ok() ? ObjectText(*stat) : "unreadable", "shown instead: pseudo-link");
    decided_by = caller_.mount->BranchName(*source);
  }

  void TellFound(const BranchFinding& finding) {
    const bool directory = finding.stat && finding.stat->type == FileType::kDirectory;
    const bool ends = !directory || (finding.opaque && !marks_may_be_passed_);
    const std::string_view what = found_ ? "merged" : "found";
    Add(finding.branch, FoundText(finding, name_),
        absl::StrFormat("%s%s", what, ends ? ", stop" : ""));
    if (!found_) decided_by = caller_.mount->BranchName(finding.branch);
    found_ = true;
    ended_ = ended_ || ends;
  }

  void TellOne(const BranchFinding& finding) {
    switch (finding.outcome) {
      case BranchFinding::Outcome::kNoDirectory:
      case BranchFinding::Outcome::kNoEntry: {
        const bool entry = finding.outcome == BranchFinding::Outcome::kNoEntry;
        if (ended_) {
          Add(finding.branch, "not searched", "");
        } else {
          Add(finding.branch, entry ? "no entry" : "no directory", "look below");
        }
        return;
      }
      case BranchFinding::Outcome::kFound:
        TellFound(finding);
        return;
      case BranchFinding::Outcome::kWhiteout:
        Add(finding.branch, FoundText(finding, name_),
            found_ ? "stop" : absl::StrFormat("stop, %s", ErrnoName(error_)));
        if (!found_) decided_by = caller_.mount->BranchName(finding.branch);
        ended_ = true;
        return;
      case BranchFinding::Outcome::kHidden:
        // aufs: what is no directory does not end the search for parts of one.
        Add(finding.branch, FoundText(finding, name_),
            ended_ || !caller_.mount->aufs() ? "hidden" : "hidden, look below");
        return;
    }
  }

  const Caller& caller_;
  const bool marks_may_be_passed_;
  std::string_view name_;
  Errno error_ = Errno::kNoEnt;
  bool found_ = false;
  bool ended_ = false;
};

struct Told {
  std::vector<ExplainStep> steps;
  std::string layer;
  absl::StatusOr<Stat> answer = absl::UnknownError("not asked");
};

absl::Status NotFoundAs(const Caller& caller, Errno error, std::string_view call,
                        std::string_view path) {
  return caller.Error(error, {call, {path}});
}

// What was looked at for the last name of `lookup`, and the answer that follows from it.
absl::StatusOr<Told> TellLookup(const Caller& caller, const Lookup& lookup, std::string_view call,
                                std::string_view path) {
  Told told;
  Narrator narrator(caller);
  UnionFs& fs = *caller.mount->fs;
  Result<NodeId> node = Errno::kNoEnt;
  if (const std::optional<Place> place = lookup.place(); place) {
    const Result<NameFindings> findings = fs.FindInBranches(caller.op(), *place);
    if (!findings.ok()) return caller.Error(findings.error(), {call, {path}});
    node = findings->answer;
    const bool own_name = !lookup.stat.ok() || (node.ok() && *node == lookup.stat->node);
    if (own_name) narrator.Tell(*findings, place->name);
  }
  if (narrator.steps.empty() && lookup.stat.ok()) {
    const auto parts = fs.BranchNodes(lookup.stat->node);
    if (!parts.ok()) return caller.Error(parts.error(), {call, {path}});
    narrator.TellParts(*parts);
    node = lookup.stat->node;
  }
  told.steps = std::move(narrator.steps);
  told.layer = std::move(narrator.decided_by);
  const bool whole_path = lookup.prefix == path;
  if (whole_path && node.ok()) {
    const Result<Stat> stat = fs.GetAttr(caller.op(), *node);
    if (stat.ok() && lookup.stat.ok()) {
      told.answer = *stat;
      return told;
    }
  }
  const Errno missing = node.ok() ? Errno::kNoEnt : node.error();
  told.answer = NotFoundAs(caller, lookup.stat.ok() ? missing : lookup.stat.error(), call, path);
  return told;
}

std::string QuestionFor(const Lookup& lookup, std::string_view verb, std::string_view path) {
  std::string question = absl::StrFormat("%s %s", verb, Escaped(path));
  if (lookup.prefix != path) {
    absl::StrAppendFormat(&question, " (stopped at %s)", Escaped(lookup.prefix));
  }
  return question;
}

// The name that an entry of a branch is about: of a whiteout of AUFS the one that it hides.
// Nothing: it is about none.
std::optional<std::string> NameOf(const Caller& caller, BranchIndex branch,
                                  const std::string& name) {
  const UnionFs& fs = *caller.mount->fs;
  if (!caller.mount->aufs() || !name.starts_with(internal::kDotWh)) return name;
  if (AufsOptionsOf(fs).shwh) return name;
  const std::optional<std::string> hidden = internal::HiddenPathOf("/" + name);
  if (!hidden || !AufsModeOf(fs, branch).whable()) return std::nullopt;
  return hidden->substr(1);
}

// Every name that a layer holds in its part of the directory, merged or hidden.
using NamesByBranch = std::map<std::string, std::map<BranchIndex, Stat>>;

Result<void> CollectNames(const Caller& caller, BranchIndex branch, NodeId dir,
                          NamesByBranch& names) {
  FileSystem& fs = *caller.mount->fs->branches()[branch].fs;
  const OpContext op = caller.mount->AsRoot();
  Result<HandleId> handle = fs.Open(op, dir, {});
  if (!handle.ok()) return handle.error();
  std::vector<std::string> found;
  Result<DirCookie> end = fs.ReadDir(op, *handle, DirCookie(), [&](const DirEntry& entry) {
    found.emplace_back(entry.name);
    return true;
  });
  fs.Close(*handle);
  if (!end.ok()) return end.error();
  for (const std::string& name : found) {
    const Result<NodeId> node = fs.Lookup(op, {dir, name});
    const Result<Stat> stat = node.ok() ? fs.GetAttr(op, *node) : Result<Stat>(node.error());
    const std::optional<std::string> shown = NameOf(caller, branch, name);
    if (stat.ok() && shown) names[*shown].emplace(branch, *stat);
  }
  return {};
}

// The directory's objects in every layer, those that an opaque mark or a file hides included.
Result<std::vector<std::pair<BranchIndex, NodeId>>> PartsOf(const Caller& caller,
                                                            const Lookup& lookup) {
  UnionFs& fs = *caller.mount->fs;
  Result<std::vector<std::pair<BranchIndex, NodeId>>> parts = fs.BranchNodes(lookup.stat->node);
  const std::optional<Place> place = lookup.place();
  if (!parts.ok() || !place) return parts;
  const Result<NameFindings> findings = fs.FindInBranches(caller.op(), *place);
  if (!findings.ok()) return findings.error();
  for (const BranchFinding& finding : findings->branches) {
    const bool hidden = finding.outcome == BranchFinding::Outcome::kHidden && finding.stat &&
                        finding.stat->type == FileType::kDirectory;
    if (hidden) parts->emplace_back(finding.branch, finding.stat->node);
  }
  return parts;
}

void TellName(const Caller& caller, const std::string& name,
              const std::map<BranchIndex, Stat>& holders, const NameFindings& findings,
              std::vector<ExplainStep>& steps) {
  std::optional<std::string> shown_by;
  for (const BranchFinding& finding : findings.branches) {
    const auto holder = holders.find(finding.branch);
    const bool found = finding.outcome == BranchFinding::Outcome::kFound;
    if (holder == holders.end() && !found) continue;
    ExplainStep step;
    step.layer = caller.mount->BranchName(finding.branch);
    step.branch = internal::BranchText(*caller.mount->fs, finding.branch);
    step.name = name;
    step.outcome = finding.stat ? FoundText(finding, name) : ObjectText(holder->second);
    if (found) {
      step.detail = shown_by ? "merged" : "listed";
    } else if (finding.outcome == BranchFinding::Outcome::kWhiteout) {
      step.detail = "hides the name below";
    } else {
      step.detail = "hidden";
    }
    const bool decides = found || finding.outcome == BranchFinding::Outcome::kWhiteout;
    if (decides && !shown_by) shown_by = step.layer;
    if (!decides && shown_by) step.detail += " by " + Escaped(*shown_by);
    if (!decides && !shown_by) step.detail += " by an opaque directory";
    steps.push_back(std::move(step));
  }
}

// The branch a copy-up goes to, and the policy that chose it.
void TellTarget(const Caller& caller, BranchIndex target, const std::vector<PlannedStep>& plan,
                std::vector<ExplainStep>& steps) {
  if (plan.empty() || plan.front().reason.empty()) return;
  steps.push_back({.layer = caller.mount->BranchName(target),
                   .outcome = "copy up to here",
                   .detail = std::string(plan.front().reason),
                   .name = {},
                   .branch = internal::BranchText(*caller.mount->fs, target)});
}

}  // namespace

absl::StatusOr<Explanation> LayeredFs::Explain(std::string_view path) const {
  const Lookup lookup = internal::LookUp(*caller_, path, LastLink::kKeep);
  absl::StatusOr<Told> told = TellLookup(*caller_, lookup, "Lstat", path);
  if (!told.ok()) return told.status();
  return Explanation(QuestionFor(lookup, "lookup", path), std::move(told->steps),
                     std::move(told->answer), std::move(told->layer));
}

absl::StatusOr<Explanation> LayeredFs::ExplainDir(std::string_view path) const {
  const Lookup lookup = internal::LookUp(*caller_, path, LastLink::kFollow);
  absl::StatusOr<Told> told = TellLookup(*caller_, lookup, "ReadDir", path);
  if (!told.ok()) return told.status();
  if (told->answer.ok() && told->answer->type != FileType::kDirectory) {
    told->answer = caller_->Error(Errno::kNotDir, {"ReadDir", {path}});
  }
  const std::string question = QuestionFor(lookup, "list", path);
  if (!told->answer.ok()) {
    return Explanation(question, std::move(told->steps), told->answer, told->layer);
  }
  const auto parts = PartsOf(*caller_, lookup);
  if (!parts.ok()) return caller_->Error(parts.error(), {"ReadDir", {path}});
  NamesByBranch names;
  for (const auto& [branch, node] : *parts) {
    const Result<void> collected = CollectNames(*caller_, branch, node, names);
    if (!collected.ok()) return caller_->Error(collected.error(), {"ReadDir", {path}});
  }
  std::vector<ExplainStep> steps;
  for (const auto& [name, holders] : names) {
    const Result<NameFindings> findings =
        union_fs().FindInBranches(caller_->op(), {lookup.stat->node, name});
    if (!findings.ok()) return caller_->Error(findings.error(), {"ReadDir", {path}});
    TellName(*caller_, name, holders, *findings, steps);
  }
  return Explanation(question, std::move(steps), told->answer, told->layer);
}

absl::StatusOr<Explanation> LayeredFs::ExplainWrite(std::string_view path, std::uint64_t offset,
                                                    std::uint64_t length) const {
  const std::string call = absl::StrFormat("write %d B at %d to", length, offset);
  const Lookup lookup = internal::LookUp(*caller_, path, LastLink::kFollow);
  absl::StatusOr<Told> told = TellLookup(*caller_, lookup, "Open", path);
  if (!told.ok()) return told.status();
  const auto finish = [&](absl::StatusOr<lamina::Stat> answer) {
    return Explanation(QuestionFor(lookup, call, path), std::move(told->steps), std::move(answer),
                       std::move(told->layer));
  };
  if (!told->answer.ok()) return finish(told->answer);
  const lamina::Stat stat = *told->answer;
  const auto refuse = [&](Errno error) { return finish(caller_->Error(error, {"Open", {path}})); };
  if (stat.type == FileType::kDirectory) return refuse(Errno::kIsDir);
  if (stat.type != FileType::kRegular) return refuse(Errno::kInval);
  const Result<void> allowed = caller_->process.CheckPath(path, kMayWrite, LastLink::kFollow);
  if (!allowed.ok()) return refuse(allowed.error());
  const Result<std::vector<PlannedStep>> plan = union_fs().PlanOfCopyUp(
      caller_->op(), stat.node, {.data = true, .limit_bytes = stat.size_bytes});
  if (!plan.ok()) return refuse(plan.error());
  BranchIndex target = 0;
  if (caller_->mount->aufs()) {
    const Result<BranchIndex> source = union_fs().SourceBranch(stat.node);
    if (source.ok()) target = *source;
    if (!plan->empty()) target = plan->front().branch;
    TellTarget(*caller_, target, *plan, told->steps);
  }
  for (const PlannedStep& planned : *plan) {
    told->steps.push_back({.layer = caller_->mount->BranchName(planned.branch),
                           .outcome = planned.text,
                           .detail = planned.commit     ? "commit"
                                     : planned.clean_up ? "clean up"
                                                        : "",
                           .name = {},
                           .bytes_read = planned.bytes_copied,
                           .bytes_written = planned.bytes_copied,
                           .branch = internal::BranchText(union_fs(), planned.branch)});
  }
  told->steps.push_back({.layer = caller_->mount->BranchName(target),
                         .outcome = absl::StrFormat("write at %d", offset),
                         .detail = "",
                         .name = {},
                         .bytes_read = 0,
                         .bytes_written = length,
                         .branch = internal::BranchText(union_fs(), target)});
  return finish(stat);
}

}  // namespace lamina
