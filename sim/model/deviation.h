// Deviations: where a union may differ from plain POSIX, rule by rule. A difference that is not in
// this table is a bug in the library or in the model. The table of README.md is made from it.
//
// Threads: constants.
#ifndef LAMINA_SIM_MODEL_DEVIATION_H_
#define LAMINA_SIM_MODEL_DEVIATION_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lamina::sim {

enum class DeviationRule : std::uint8_t {
  kDirectoryRename,
  kRenameWhiteout,
  kWhiteoutDevice,
  kLinkBreak,
  kAliasRename,
  kLowerLinkCount,
  kMergedLinkCount,
  kListedWhiteout,
  kHiddenHandleChange,
  kHiddenHandleLinks,
  kPrivateNames,
  kAufsReservedName,
  kAufsShortName,
  kAufsBrokenName,
  kAufsDirectoryRename,
  kAufsRenameWhiteout,
  kAufsReadOnly,
  kAufsEveryPart,
  kAufsRealParent,
  kAufsForeignWhiteout,
  kAufsDirectoryLinks,
  kAufsLinkCount,
  kAufsLostLinks,
  kAufsParentTime,
  kAufsOpaqueTime,
  kAufsCopiedHoles,
  kAufsOldFifo,
  kAufsSpecialTimes,
};

struct Deviation {
  DeviationRule rule{};
  std::string_view id;       // stable, for messages
  std::string_view dialect;  // "overlay" or "aufs"
  std::string_view what;     // POSIX says …; the dialect does …
  std::string_view example;  // in the scenario language
  std::string_view source;   // section of overlayfs.md or aufs.md, scenario
};

// All rules, in the order of the enumeration.
std::span<const Deviation> Deviations();

// The row of one rule.
const Deviation& DeviationOf(DeviationRule rule);

// The table of README.md, Markdown, with a final newline.
std::string DeviationTable();

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_DEVIATION_H_
