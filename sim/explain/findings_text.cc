#include "sim/explain/findings_text.h"

#include "absl/strings/str_format.h"

namespace lamina::sim::internal {
namespace {

using Outcome = BranchFinding::Outcome;

// The search from the top down, as far as it has come.
struct Search {
  bool found = false;  // the answer, or a part of a merged directory
  bool ended = false;  // no branch below counts
};

std::string MarkText(const BranchFinding& finding) {
  std::string text;
  if (finding.metacopy) text += ", attributes only (metacopy)";
  if (finding.opaque) text += ", opaque";
  if (!finding.redirect.empty()) text += ", redirect to " + finding.redirect;
  return text;
}

void DescribeFound(const BranchFinding& finding, bool last, Search& search, ExplainedBranch& line) {
  if (finding.through_index) line.outcome = "no entry, but the index: ";
  line.outcome += ObjectText(*finding.stat) + MarkText(finding);
  const bool directory = finding.stat->type == FileType::kDirectory;
  line.decision = !search.found ? "found" : directory ? "merged" : "the body";
  search.found = true;
  search.ended = (!directory && !finding.metacopy) || finding.opaque;
  if (finding.metacopy) {
    line.decision += ", its body is below";
  } else if (search.ended) {
    line.decision += ", stop";
  } else if (!last) {
    line.decision += ", look below";
  }
}

void Describe(const BranchFinding& finding, bool last, Search& search, ExplainedBranch& line) {
  switch (finding.outcome) {
    case Outcome::kNoDirectory:
    case Outcome::kNoEntry:
      if (search.ended) {
        line.outcome = "not searched";
        return;
      }
      line.outcome = finding.outcome == Outcome::kNoEntry ? "no entry" : "no such directory";
      if (!last) {
        line.decision = "look below";
      } else if (!search.found) {
        line.decision = "ENOENT";
      }
      return;
    case Outcome::kFound:
      DescribeFound(finding, last, search, line);
      return;
    case Outcome::kWhiteout:
      line.outcome = finding.xattr_whiteout ? "whiteout (xattr)" : "whiteout (char 0:0)";
      line.decision = search.found ? "stop" : "stop, ENOENT";
      search.ended = true;
      return;
    case Outcome::kHidden:
      line.outcome = ObjectText(*finding.stat) + MarkText(finding);
      line.decision = "hidden";
      search.ended = true;
      return;
  }
}

}  // namespace

std::string ObjectText(const Stat& stat) {
  switch (stat.type) {
    case FileType::kRegular:
      return "regular, " + SizeText(stat.size_bytes);
    case FileType::kDirectory:
      return "directory";
    case FileType::kSymlink:
      return "symlink";
    case FileType::kCharDevice:
      return absl::StrFormat("char %d:%d", DeviceMajor(stat.rdev), DeviceMinor(stat.rdev));
    case FileType::kBlockDevice:
      return absl::StrFormat("block %d:%d", DeviceMajor(stat.rdev), DeviceMinor(stat.rdev));
    case FileType::kFifo:
      return "fifo";
    case FileType::kSocket:
      return "socket";
  }
  return "";
}

std::vector<ExplainedBranch> FindingsText(const NameFindings& findings,
                                          const std::vector<BranchName>& names) {
  std::size_t named = 0;  // branches that give names
  while (named < names.size() && !names[named].data_only) ++named;
  std::vector<ExplainedBranch> lines;
  Search search;
  for (const BranchFinding& finding : findings.branches) {
    if (finding.branch >= named && !finding.body) continue;  // gives no names
    ExplainedBranch& line = lines.emplace_back();
    line.label = names[finding.branch].label;
    line.layer = names[finding.branch].layer;
    Describe(finding, finding.branch + std::size_t{1} == named, search, line);
  }
  return lines;
}

}  // namespace lamina::sim::internal
