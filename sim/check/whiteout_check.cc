#include "sim/check/whiteout_check.h"

namespace lamina::sim::internal {
namespace {

constexpr std::string_view kListsOnly = "the kernel lists the name, but a lookup gives ENOENT";

// What the kernel makes of a whiteout that hides nothing. `unmarked`: in the xattr form where
// readdir does not look for that.
std::string KernelText(Listing listing, FileType type, bool unmarked) {
  switch (listing) {
    case Listing::kHidden:
      return "the kernel does not come here: the layers above hide the directory";
    case Listing::kMerged:
      if (unmarked) return std::string(kListsOnly);
      return "the kernel shows the same tree with the whiteout and without it";
    case Listing::kPassed:
      return "the kernel lists the name, as " + std::string(TypeText(type)) +
             ", because it passes the listing of a directory of one layer through; a lookup gives "
             "ENOENT";
  }
  return "";
}

// Why nothing below shows `name`: nothing when something does.
Result<std::optional<std::string>> WhyDead(const StackReader& reader, const LayerDirectory& dir,
                                           std::string_view name) {
  for (std::size_t i = 1; i < dir.parts.size(); ++i) {
    const Result<std::optional<Part>> child = reader.Child(dir.parts[i], name);
    if (!child.ok()) return child.error();
    if (!child->has_value()) continue;
    const Result<Stat> stat = reader.GetStat(**child);
    if (!stat.ok()) return stat.error();
    // ovl: the first lower layer that has the name decides (ovl_lower_positive).
    if (!reader.IsWhiteout(**child, *stat)) return std::optional<std::string>();
    return std::optional<std::string>("whiteout of a name that " + reader.label((*child)->branch) +
                                      " whites out already");
  }
  return std::optional<std::string>("whiteout of a name that no layer below has");
}

}  // namespace

Result<std::vector<WhiteoutFinding>> CheckWhiteout(const StackReader& reader,
                                                   const LayerDirectory& dir, Listing listing,
                                                   std::string_view name, FileType type) {
  // ovl: readdir looks for the xattr form only in directories marked so (OVL-012), and of lower
  // layers.
  const bool upper = reader.IsWritable(dir.parts.front().branch);
  const bool unmarked = type == FileType::kRegular && (upper || !dir.xattr_whiteouts);
  const bool listed = listing == Listing::kPassed || (listing == Listing::kMerged && unmarked);
  const Severity severity = listed ? Severity::kWarning : Severity::kNote;
  const std::string kernel = KernelText(listing, type, unmarked);
  std::vector<WhiteoutFinding> findings;
  if (dir.opaque) {
    findings.push_back({FindingKind::kWhiteoutInOpaque, severity,
                        "whiteout in an opaque directory, which hides everything below anyway",
                        kernel});
    return findings;
  }
  if (dir.parts.size() == 1 && !dir.path.empty()) {
    findings.push_back({FindingKind::kWhiteoutInPureDirectory, severity,
                        "whiteout in a directory that no layer below has", kernel});
    return findings;
  }
  const Result<std::optional<std::string>> dead = WhyDead(reader, dir, name);
  if (!dead.ok()) return dead.error();
  if (dead->has_value()) {
    findings.push_back({FindingKind::kDeadWhiteout, severity, **dead, kernel});
  }
  if (unmarked && listed) {
    findings.push_back({FindingKind::kUnmarkedXattrWhiteout, Severity::kWarning,
                        upper ? "whiteout in the xattr form in the upper"
                              : "whiteout in the xattr form in a directory without " +
                                    reader.MarkKey("opaque") + "=x",
                        std::string(kListsOnly)});
  }
  return findings;
}

}  // namespace lamina::sim::internal
