// The words for findings: ids, severities, text for people.
#include "absl/strings/str_format.h"
#include "lamina/sim/check.h"
#include "lamina/sim/text_style.h"

namespace lamina::sim {
namespace {

std::string CountText(std::size_t count, std::string_view word) {
  return absl::StrFormat("%d %s%s", count, word, count == 1 ? "" : "s");
}

}  // namespace

std::string_view FindingId(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDeadWhiteout:
      return "dead-whiteout";
    case FindingKind::kWhiteoutInOpaque:
      return "whiteout-in-opaque";
    case FindingKind::kWhiteoutInPureDirectory:
      return "whiteout-in-pure-directory";
    case FindingKind::kUnmarkedXattrWhiteout:
      return "unmarked-xattr-whiteout";
    case FindingKind::kUnconvertedWhiteout:
      return "unconverted-whiteout";
    case FindingKind::kOpaqueRoot:
      return "opaque-root";
    case FindingKind::kUnknownOpaqueValue:
      return "unknown-opaque-value";
    case FindingKind::kIgnoredMark:
      return "ignored-mark";
    case FindingKind::kMalformedRedirect:
      return "malformed-redirect";
    case FindingKind::kDanglingRedirect:
      return "dangling-redirect";
    case FindingKind::kRedirectRefused:
      return "redirect-refused";
    case FindingKind::kSharedRedirect:
      return "shared-redirect";
    case FindingKind::kMetacopyWithoutData:
      return "metacopy-without-data";
    case FindingKind::kMetacopyRefused:
      return "metacopy-refused";
    case FindingKind::kLostOrigin:
      return "lost-origin";
    case FindingKind::kForeignRoot:
      return "foreign-root";
    case FindingKind::kVolatileMark:
      return "volatile-mark";
    case FindingKind::kLeftoverTemporary:
      return "leftover-temporary";
    case FindingKind::kBadIndexName:
      return "bad-index-name";
    case FindingKind::kIndexWithoutOrigin:
      return "index-without-origin";
    case FindingKind::kStaleIndex:
      return "stale-index";
    case FindingKind::kIndexOfOtherType:
      return "index-of-other-type";
    case FindingKind::kOrphanIndex:
      return "orphan-index";
    case FindingKind::kBadIndexNlink:
      return "bad-index-nlink";
    case FindingKind::kWrongIndexNlink:
      return "wrong-index-nlink";
    case FindingKind::kIndexWhiteout:
      return "index-whiteout";
    case FindingKind::kWhiteoutAndEntry:
      return "whiteout-and-entry";
    case FindingKind::kOddWhiteout:
      return "odd-whiteout";
    case FindingKind::kUnhonouredMark:
      return "unhonoured-mark";
    case FindingKind::kTwoOpaqueMarks:
      return "two-opaque-marks";
    case FindingKind::kLeftPseudoLink:
      return "left-pseudo-link";
    case FindingKind::kLeftOrphan:
      return "left-orphan";
    case FindingKind::kLeftBaseEntry:
      return "left-base-entry";
    case FindingKind::kListedOnly:
      return "listed-only";
    case FindingKind::kNotFound:
      return "not-found";
    case FindingKind::kNotListed:
      return "not-listed";
    case FindingKind::kListedTwice:
      return "listed-twice";
    case FindingKind::kListedType:
      return "listed-type";
    case FindingKind::kShownMark:
      return "shown-mark";
  }
  return "";
}

std::string_view SeverityWord(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "";
}

bool IsFaultOfLamina(FindingKind kind) {
  return kind == FindingKind::kNotFound || kind == FindingKind::kNotListed ||
         kind == FindingKind::kListedTwice || kind == FindingKind::kListedType ||
         kind == FindingKind::kShownMark;
}

std::string FindingsText(const std::vector<StackFinding>& findings) {
  if (findings.empty()) return "no findings\n";
  std::string text;
  std::size_t errors = 0;
  std::size_t warnings = 0;
  for (const StackFinding& finding : findings) {
    if (finding.severity == Severity::kError) ++errors;
    if (finding.severity == Severity::kWarning) ++warnings;
    absl::StrAppendFormat(&text, "%-7s  %s  %s %s  %s\n         %s\n         %s\n",
                          SeverityWord(finding.severity), FindingId(finding.kind), finding.label,
                          OneLine(finding.layer), OneLine(finding.path), OneLine(finding.what),
                          finding.kernel);
  }
  absl::StrAppendFormat(&text, "%s: %s, %s, %s\n", CountText(findings.size(), "finding"),
                        CountText(errors, "error"), CountText(warnings, "warning"),
                        CountText(findings.size() - errors - warnings, "note"));
  return text;
}

}  // namespace lamina::sim
