// AufsLookupText: the search of AUFS for one name, branch by branch.
#include <algorithm>
#include <optional>

#include "absl/strings/str_format.h"
#include "lamina/union/aufs.h"
#include "sim/explain/aufs_words.h"
#include "sim/explain/findings_text.h"

namespace lamina::sim::internal {
namespace {

using Outcome = BranchFinding::Outcome;

// The search from the top down, as far as it has come.
struct Search {
  bool found = false;  // the answer, or a part of a merged directory
  bool ended = false;  // no branch below is looked at
};

class LookupText {
 public:
  LookupText(const UnionFs& fs, const SeenName& name, const std::vector<BranchName>& names)
      : fs_(fs), seen_(name), names_(names) {
    const std::size_t slash = name.path.rfind('/');
    whiteout_ = ".wh." + name.path.substr(slash + 1);
    parent_ = slash == 0 ? "/" : name.path.substr(0, slash);
    const NameFindings& findings = name.findings;
    for (const BranchFinding& finding : findings.branches) {
      if (!finding.below_tail) last_ = finding.branch;
    }
    if (!findings.answer.ok()) return;
    const auto parts = fs.BranchNodes(*findings.answer);
    if (parts.ok() && !parts->empty()) top_ = parts->front().first;
  }

  std::vector<ExplainedBranch> Lines() {
    std::vector<ExplainedBranch> lines;
    for (const BranchFinding& finding : seen_.findings.branches) {
      const BranchName& name = names_[finding.branch];
      ExplainedBranch& line = lines.emplace_back();
      line.label = name.label;
      line.layer = name.layer;
      line.mode = name.mode;
      Describe(finding, line);
    }
    if (!search_.found && !search_.ended) lines[last_].decision = "ENOENT";
    return lines;
  }

 private:
  void Describe(const BranchFinding& finding, ExplainedBranch& line) {
    switch (finding.outcome) {
      case Outcome::kNoDirectory:
        DescribeNoDirectory(finding, line);
        return;
      case Outcome::kNoEntry:
        line.outcome = search_.ended ? "not looked at" : "no entry" + Ignored(finding);
        if (!search_.ended && !IsLast(finding)) line.decision = "look below";
        return;
      case Outcome::kFound:
        DescribeFound(finding, line);
        return;
      case Outcome::kWhiteout:
        DescribeWhiteout(finding, line);
        return;
      case Outcome::kHidden:
        DescribeHidden(finding, line);
        return;
    }
  }

  void DescribeNoDirectory(const BranchFinding& finding, ExplainedBranch& line) {
    if (search_.ended || finding.below_tail) {
      line.outcome = "not looked at";
      const auto parts = fs_.BranchNodes(seen_.dir);
      if (search_.ended || !parts.ok()) return;
      line.decision =
          absl::StrFormat("below the tail of %s, %s", parent_, names_[parts->back().first].label);
      return;
    }
    line.outcome = "no such directory";
    if (!IsLast(finding)) line.decision = "look below";
  }

  void DescribeFound(const BranchFinding& finding, ExplainedBranch& line) {
    const bool directory = finding.stat->type == FileType::kDirectory;
    line.outcome =
        ObjectText(*finding.stat) + (finding.opaque ? ", opaque" : "") + Ignored(finding);
    if (!finding.old_path.empty()) line.outcome += ", still called " + finding.old_path;
    line.decision = search_.found ? "merged" : "found";
    search_.found = true;
    if (!directory && top_ && *top_ != finding.branch) {
      line.decision +=
          absl::StrFormat(", stop; a pseudo-link: its file is %s's copy", names_[*top_].label);
      search_.ended = true;
      return;
    }
    const bool goes_on = finding.opaque && AufsOptionsOf(fs_).quirks.lowest_opaque_wins;
    search_.ended = !directory || (finding.opaque && !goes_on);
    if (search_.ended) {
      line.decision += ", stop";
    } else if (!IsLast(finding)) {
      line.decision += goes_on ? ", look below all the same" : ", look below";
    }
  }

  void DescribeWhiteout(const BranchFinding& finding, ExplainedBranch& line) {
    line.outcome = "whiteout " + whiteout_;
    const bool refused = !seen_.findings.answer.ok() && seen_.findings.answer.error() == Errno::kIo;
    if (finding.stat && finding.stat->type != FileType::kRegular) {
      line.outcome = absl::StrFormat("%s %s", ObjectText(*finding.stat), whiteout_);
      line.decision = "EIO: a whiteout is a regular file";
    } else if (finding.beside) {
      line.outcome += " beside " + ObjectText(*finding.beside);
      line.decision = refused ? "EIO: name and whiteout in the first branch" : "stop";
      if (!refused && !search_.found) line.decision = "stop, ENOENT: the whiteout counts";
    } else {
      line.decision = search_.found ? "stop" : "stop, ENOENT";
    }
    search_.ended = true;
  }

  void DescribeHidden(const BranchFinding& finding, ExplainedBranch& line) const {
    line.outcome = finding.lone_whiteout ? "whiteout " + whiteout_
                                         : ObjectText(*finding.stat) + Ignored(finding);
    line.decision = finding.lone_whiteout ? "not looked at" : "hidden";
    if (finding.other_type) line.decision = "ignored: of another type, look below";
  }

  // What a plain read-only branch holds in vain.
  std::string Ignored(const BranchFinding& finding) const {
    std::string text;
    if (finding.whiteout_ignored) text += absl::StrFormat(", %s not honoured", whiteout_);
    if (finding.opaque_ignored) text += ", opaque mark not honoured";
    return text;
  }

  bool IsLast(const BranchFinding& finding) const { return finding.branch == last_; }

  const UnionFs& fs_;
  const SeenName& seen_;
  const std::vector<BranchName>& names_;
  std::string whiteout_;
  std::string parent_;
  std::optional<BranchIndex> top_;  // of the answer
  BranchIndex last_ = 0;            // the lowest one that a lookup may come to
  Search search_;
};

// Why AUFS refuses a name before it looks into a branch; empty: it does not.
std::string Refusal(const SeenName& name) {
  if (name.findings.answer.ok()) return "";
  const std::size_t bytes = name.path.size() - name.path.rfind('/') - 1;
  switch (name.findings.answer.error()) {
    case Errno::kPerm:
      return "EPERM: names that begin with .wh. are AUFS's own, no branch is asked";
    case Errno::kNameTooLong:
      return absl::StrFormat("ENAMETOOLONG: %d bytes, and AUFS takes %d; no branch is asked", bytes,
                             kAufsNameMax);
    default:
      return "";
  }
}

}  // namespace

ExplainedLookup AufsLookupText(const UnionFs& fs, const SeenName& name,
                               const std::vector<BranchName>& names) {
  ExplainedLookup lookup;
  lookup.path = name.path;
  lookup.refused = Refusal(name);
  if (lookup.refused.empty()) lookup.branches = LookupText(fs, name, names).Lines();
  return lookup;
}

}  // namespace lamina::sim::internal
