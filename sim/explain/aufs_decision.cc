// AufsDecision and AufsNotes: why a change of an AUFS union does what it does.
#include <algorithm>
#include <optional>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lamina/union/aufs.h"
#include "sim/explain/aufs_words.h"

namespace lamina::sim::internal {
namespace {

using Kind = PlannedChange::Kind;
using Outcome = BranchFinding::Outcome;

bool Holds(const PlannedChange& change, std::string_view part) {
  return std::any_of(change.steps.begin(), change.steps.end(), [&](const PlannedStep& step) {
    return step.text.find(part) != std::string::npos;
  });
}

bool LeavesWhiteout(const PlannedChange& change) { return Holds(change, "create whiteout "); }

bool Copies(const PlannedChange& change) {
  return change.source && change.target && *change.source != *change.target;
}

// What was seen under a path; null: it was not looked up.
const SeenName* FindSeen(const PlanningFs& plan, std::string_view path) {
  for (const SeenName& name : plan.names()) {
    if (name.path == path) return &name;
  }
  return nullptr;
}

std::vector<const BranchFinding*> Found(const SeenName& name) {
  std::vector<const BranchFinding*> found;
  for (const BranchFinding& finding : name.findings.branches) {
    if (finding.outcome == Outcome::kFound) found.push_back(&finding);
  }
  return found;
}

class Decision {
 public:
  Decision(const PlannedChange& change, const PlanningFs& plan,
           const std::vector<BranchName>& names)
      : change_(change), plan_(plan), names_(names) {}

  std::string Text() const {
    switch (change_.kind) {
      case Kind::kMake:
        return OfMake();
      case Kind::kRemove:
        return OfRemove();
      case Kind::kRename:
        return OfRename();
      case Kind::kLink:
        return OfLink();
      case Kind::kOpen:
        return OfOpen();
      case Kind::kFirstRead:
        return "a pseudo-linked name gets its hard link in " + Target();
      case Kind::kChange:
      case Kind::kFirstWrite:
        return OfCopyUp("change it there");
      case Kind::kWrite:
        return "";
    }
    return "";
  }

 private:
  const std::string& Label(BranchIndex branch) const { return names_[branch].label; }
  bool IsWritable(BranchIndex branch) const { return names_[branch].mode.starts_with("rw"); }

  // "b1 (tdp: highest branch with the parent)".
  std::string Target() const {
    if (!change_.target) return "";
    for (const PlannedStep& step : change_.steps) {
      if (step.branch != *change_.target || step.reason.empty()) continue;
      return absl::StrFormat("%s (%s)", Label(*change_.target), step.reason);
    }
    return Label(*change_.target);
  }

  // "b2 is read-only: copy it up to b1 (…)".
  std::string CopyText() const {
    const BranchIndex source = *change_.source;
    if (IsWritable(source)) {
      return absl::StrFormat("copy it up from %s to %s", Label(source), Target());
    }
    return absl::StrFormat("%s is read-only: copy it up to %s", Label(source), Target());
  }

  std::string OfCopyUp(std::string_view there) const {
    if (Copies(change_)) return CopyText();
    if (change_.steps.empty() && change_.source) {
      return Label(*change_.source) + " is read-only: times of such a file are dropped";
    }
    if (Holds(change_, "link as ")) return "a pseudo-linked name gets its hard link in " + Target();
    if (!change_.target) return "";
    return absl::StrFormat("%s is writable: %s", Label(*change_.target), there);
  }

  std::string OfMake() const {
    std::string text = "in " + Target();
    if (Holds(change_, "remove .wh.")) text += "; its whiteout goes";
    if (Holds(change_, ".wh..wh..opq")) text += "; opaque, so nothing below shows in it";
    return text;
  }

  std::string OfRemove() const {
    const SeenName* seen = FindSeen(plan_, change_.path);
    if (seen == nullptr || !change_.target) return "";
    const std::vector<const BranchFinding*> found = Found(*seen);
    if (found.empty()) return "";
    const BranchIndex top = found.front()->branch;
    if (top != *change_.target) {
      return absl::StrFormat("%s is read-only: leave a whiteout in %s", Label(top), Target());
    }
    if (!LeavesWhiteout(change_)) {
      return absl::StrFormat("nothing below %s has the name: remove it there", Label(top));
    }
    return absl::StrFormat("%s has the name, too: leave a whiteout, then remove it in %s",
                           Label(NextBelow(*seen, top)), Label(top));
  }

  // The branch whose entry would show without a whiteout.
  static BranchIndex NextBelow(const SeenName& seen, BranchIndex top) {
    for (const BranchFinding& finding : seen.findings.branches) {
      const bool entry = finding.stat && finding.outcome != Outcome::kWhiteout;
      if (finding.branch > top && entry) return finding.branch;
    }
    return top;
  }

  std::string OfRename() const {
    std::string text = Copies(change_) ? CopyText() : "in " + Target();
    if (LeavesWhiteout(change_)) text += "; a whiteout hides the old name below";
    if (Holds(change_, ".wh..wh..opq")) text += "; opaque, so nothing below shows in it";
    return text;
  }

  std::string OfLink() const {
    if (!Copies(change_)) return "in " + Target();
    return CopyText() + ", under the new name only";
  }

  std::string OfOpen() const {
    const bool copies = Copies(change_);
    if (copies && Holds(change_, "copy data")) return CopyText();
    if (copies) return CopyText() + ", without data";
    if (!change_.steps.empty() || !change_.source) return OfCopyUp("truncate it there");
    if (IsWritable(*change_.source)) return Label(*change_.source) + " is writable";
    return Label(*change_.source) + " is read-only: nothing is copied before the first write";
  }

  const PlannedChange& change_;
  const PlanningFs& plan_;
  const std::vector<BranchName>& names_;
};

class Notes {
 public:
  Notes(const Explanation& why, const PlanningFs& plan, const UnionFs& fs,
        const std::vector<BranchName>& names)
      : why_(why), plan_(plan), fs_(fs), names_(names), options_(AufsOptionsOf(fs)) {}

  std::vector<std::string> All() {
    if (why_.error == Errno::kRoFs) AddReadOnly();
    if (why_.error == Errno::kXDev) AddCrossBranch();
    for (const PlannedChange& change : plan_.changes()) {
      AddLinks(change);
      AddDeferred(change);
      AddLeftBelow(change);
      AddNotCopied(change);
    }
    return std::move(notes_);
  }

 private:
  void AddReadOnly() {
    if (fs_.limits().read_only) {
      notes_.push_back("the union is mounted read-only");
      return;
    }
    BranchIndex from = 0;
    if (!plan_.names().empty()) {
      const SeenName& last = plan_.names().back();
      const auto parts =
          fs_.BranchNodes(last.findings.answer.ok() ? *last.findings.answer : last.dir);
      if (parts.ok() && !parts->empty()) from = parts->front().first;
    }
    std::string note = "no writable branch at or above " + names_[from].label;
    const bool below = std::any_of(names_.begin() + from, names_.end(),
                                   [](const auto& name) { return name.mode.starts_with("rw"); });
    if (below) note += "; AUFS never goes further down";
    notes_.push_back(std::move(note));
  }

  void AddCrossBranch() {
    for (const SeenName& name : plan_.names()) {
      const std::vector<const BranchFinding*> found = Found(name);
      const bool directory = !found.empty() && found.front()->stat->type == FileType::kDirectory;
      const bool on_the_way =
          std::any_of(plan_.names().begin(), plan_.names().end(), [&](const SeenName& other) {
            return name.findings.answer.ok() && other.dir == *name.findings.answer;
          });
      if (!directory || on_the_way) continue;
      notes_.push_back(absl::StrFormat(
          "the directory shows entries of a lower branch (%s), and a rename copies none; mv does",
          names_[found.back()->branch].label));
      return;
    }
  }

  void AddLinks(const PlannedChange& change) {
    const bool pseudo =
        std::any_of(change.steps.begin(), change.steps.end(), [](const PlannedStep& step) {
          return step.text.starts_with("link as ") && step.text.ends_with("*");
        });
    if (pseudo) {
      notes_.push_back("pseudo-link: the file's other names show the copy as well, until unmount");
      return;
    }
    const SeenName* seen = FindSeen(plan_, change.path);
    if (seen == nullptr || options_.plink || !Copies(change)) return;
    const std::vector<const BranchFinding*> found = Found(*seen);
    if (found.empty() || found.front()->stat->type == FileType::kDirectory) return;
    if (found.front()->stat->nlink < 2) return;
    notes_.push_back("noplink: the file's other names keep the old data");
  }

  void AddDeferred(const PlannedChange& change) {
    const bool deferred = std::any_of(change.steps.begin(), change.steps.end(),
                                      [](const auto& step) { return step.left_for_later; });
    if (!deferred) return;
    notes_.push_back(
        options_.dirwh <= 1
            ? absl::StrFormat("emptied later: dirwh=%d", options_.dirwh)
            : absl::StrFormat("emptied later: more than dirwh=%d whiteouts", options_.dirwh));
  }

  void AddLeftBelow(const PlannedChange& change) {
    if (change.kind != Kind::kRemove || !LeavesWhiteout(change)) return;
    const SeenName* seen = FindSeen(plan_, change.path);
    if (seen == nullptr) return;
    std::uint64_t bytes = 0;
    for (const BranchFinding& finding : seen->findings.branches) {
      const bool file = finding.stat && finding.stat->type == FileType::kRegular;
      if (file && !finding.lone_whiteout && finding.branch > *change.target) {
        bytes += finding.stat->size_bytes;
      }
    }
    if (bytes == 0) return;
    notes_.push_back(absl::StrFormat("%s below %s stay stored: a whiteout frees nothing",
                                     SizeText(bytes), names_[*change.target].label));
  }

  // Only when the operation ends before the first write.
  void AddNotCopied(const PlannedChange& change) {
    if (change.kind != Kind::kOpen || !change.steps.empty() || !change.source) return;
    if (names_[*change.source].mode.starts_with("rw")) return;
    const bool writes =
        std::any_of(plan_.changes().begin(), plan_.changes().end(),
                    [](const PlannedChange& other) { return other.kind == Kind::kFirstWrite; });
    if (writes) return;
    notes_.push_back("open for writing, but not copied up yet: the first write copies the file");
  }

  const Explanation& why_;
  const PlanningFs& plan_;
  const UnionFs& fs_;
  const std::vector<BranchName>& names_;
  const AufsOptions& options_;
  std::vector<std::string> notes_;
};

}  // namespace

std::string AufsDecision(const PlannedChange& change, const PlanningFs& plan,
                         const std::vector<BranchName>& names) {
  return Decision(change, plan, names).Text();
}

std::vector<std::string> AufsNotes(const Explanation& why, const PlanningFs& plan,
                                   const UnionFs& fs, const std::vector<BranchName>& names) {
  return Notes(why, plan, fs, names).All();
}

}  // namespace lamina::sim::internal
