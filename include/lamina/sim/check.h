// CheckStack: what is odd about the layers of an overlay, and what Linux 6.18 does with it; or
// about the branches of an AUFS union, and what AUFS does. Nothing is mounted and nothing is
// changed: the layers are read as they are stored.
//
//   U   /d/x   whiteout          L2  /d/x  file        fine: it hides L2's
//   L2  /e/y   whiteout          L1  /e/   empty       dead-whiteout
//   L1  /f/z   whiteout              (bottom)          whiteout-in-pure-directory: it is listed
//
// A layer is judged against the layers below it, as if it were the topmost one; whether the kernel
// gets to see an oddity at all depends on the layers above, and is said in the second sentence.
//
// Not a finding: what the kernel repairs without a word (origin and impure marks that are missing),
// and handles in marks that some other file system made: nothing here can tell where they lead.
//
// Threads: pure functions of their arguments; the file systems must not be used meanwhile.
#ifndef LAMINA_SIM_CHECK_H_
#define LAMINA_SIM_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/base/result.h"
#include "lamina/sim/scenario.h"
#include "lamina/trace/op_context.h"
#include "lamina/union/aufs.h"
#include "lamina/union/branch.h"
#include "lamina/union/overlay.h"
#include "lamina/union/union_fs.h"

namespace lamina::sim {

enum class FindingKind : std::uint8_t {
  // Whiteouts.
  kDeadWhiteout,             // nothing below has the name
  kWhiteoutInOpaque,         // nothing below an opaque directory is merged
  kWhiteoutInPureDirectory,  // no layer below has the directory
  kUnmarkedXattrWhiteout,    // in the xattr form, in the upper or a directory without opaque=x
  kUnconvertedWhiteout,      // a `.wh.` name: the form of AUFS and of layer tars
  // Marks.
  kOpaqueRoot,          // opaque=y on the root of a layer
  kUnknownOpaqueValue,  // neither y nor x
  kIgnoredMark,         // on a type of object where it has no meaning
  kMalformedRedirect,
  kDanglingRedirect,  // leads to no directory
  kRedirectRefused,   // redirect_dir=nofollow or userxattr
  kSharedRedirect,    // two names show one lower directory
  kMetacopyWithoutData,
  kMetacopyRefused,  // needs metacopy=on
  kLostOrigin,       // names an object that is gone or of another type
  kForeignRoot,      // the upper belongs to another lower root
  // The work directory.
  kVolatileMark,
  kLeftoverTemporary,
  kBadIndexName,
  kIndexWithoutOrigin,
  kStaleIndex,  // of another object, or of one that is gone
  kIndexOfOtherType,
  kOrphanIndex,      // no name is left
  kBadIndexNlink,    // cannot be read
  kWrongIndexNlink,  // is not the number of names
  kIndexWhiteout,
  // AUFS.
  kWhiteoutAndEntry,  // in one directory of one branch
  kOddWhiteout,       // no regular file
  kUnhonouredMark,    // a whiteout or an opaque mark on a branch that is ro without +wh
  kTwoOpaqueMarks,    // of one directory
  kLeftPseudoLink,
  kLeftOrphan,
  kLeftBaseEntry,  // on a read-only branch
  // The mounted tree.
  kListedOnly,  // listed, but a lookup fails with something else than kNoEnt
  kNotFound,    // listed, but a lookup says that there is no such name
  kNotListed,   // found, but not listed
  kListedTwice,
  kListedType,  // with another type than GetAttr
  kShownMark,   // a private mark among the xattrs
};

enum class Severity : std::uint8_t {
  kError,    // a mount or a lookup fails
  kWarning,  // the tree is not what the layers say
  kNote,     // harmless
};

// "dead-whiteout". Stable.
std::string_view FindingId(FindingKind kind);
// "error", "warning", "note".
std::string_view SeverityWord(Severity severity);
// The mounted tree contradicts itself in a way the kernel's never does: lamina is wrong.
bool IsFaultOfLamina(FindingKind kind);

struct StackFinding {
  FindingKind kind{};
  Severity severity{};
  std::string label;  // U; L2, L1 from the bottom; W the work directory; M the mounted tree; b0, b1
  std::string layer;  // name of the branch
  std::string path;   // in it; "/" for its root
  std::string what;   // one line
  std::string kernel;  // one line: "the kernel …", "AUFS …"
  BranchIndex branch = 0;
  NodeId node;  // the object, in that branch; 0: not of a layer
};

struct CheckedStack {
  std::vector<Branch> branches;      // topmost first; data-only ones last
  std::optional<DirectoryRef> work;  // beside a writable branch
  OverlayOptions options;            // it is, was or will be mounted with
  bool mounted = false;              // right now: the marks of that mount are no left-overs
  std::optional<AufsOptions> aufs = std::nullopt;  // of an AUFS union, which has no work directory
  const UnionFs* live = nullptr;  // that union, while mounted: what it uses is no left-over
};

// Checks layers and work directory. Sorted: topmost layer first, then the work directory; by path.
// Errors: what reading a branch gives.
Result<std::vector<StackFinding>> CheckStack(const CheckedStack& stack);

// Checks that a mounted union lists what can be looked up, each name once, and shows no private
// mark. Sorted by path. A name that leads to an object of `known` is not reported again. Lookups of
// a writable overlay may write marks into its upper, as the kernel's do.
// Errors: what reading the union gives.
Result<std::vector<StackFinding>> CheckMountedTree(const OpContext& op, UnionFs& fs,
                                                   const OverlayOptions& options,
                                                   const std::vector<StackFinding>& known);

// Both, for the stack that is mounted when `scenario` has run; CheckStack alone for the last stack
// of plain layers that was mounted, when none is. Errors: those of running; kFailedPrecondition
// nothing was ever mounted; kInternal the layers cannot be read.
absl::StatusOr<std::vector<StackFinding>> CheckScenario(const Scenario& scenario);

// Both, for layers of the host, as an overlay: "dir:DIR" or "tar:A,B,…" (bottom first).
// Errors: kInvalidArgument no path; those of reading; kInternal.
absl::StatusOr<std::vector<StackFinding>> CheckLayers(std::string_view source,
                                                      const OverlayOptions& options);

// For people: three lines a finding, and a last line with the count.
std::string FindingsText(const std::vector<StackFinding>& findings);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_CHECK_H_
