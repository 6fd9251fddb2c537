// AUFS: mount string, options, branch verbs, and the mount itself. The dialect of aufs5.x, as its
// manual and its source describe it (AUFS is in no kernel that could be asked).
//
//   Result<std::unique_ptr<UnionFs>> fs = MountAufs(op, "br:/w1=rw:/l1=ro+wh,create=mfs", resolve);
//   Result<void> done = RemountAufs(op, **fs, "add:1:/l2=ro,del:/w2", resolve);
//
// Several branches may be writable. Deletions leave a file .wh.NAME, a directory that hides what is
// below holds .wh..wh..opq. A file is copied up at its first write, not when it is opened.
//
// Threads: pure functions, but those that take a UnionFs, which is thread-compatible: whoever
// shares it runs them under its lock (SynchronizedFileSystem::Exclusively).
// Lifetime: the branches' file systems must outlive the union.
#ifndef LAMINA_UNION_AUFS_H_
#define LAMINA_UNION_AUFS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "lamina/base/result.h"
#include "lamina/base/time.h"
#include "lamina/fs/file_system.h"
#include "lamina/union/branch.h"
#include "lamina/union/union_fs.h"

namespace lamina {

// A union's names are that much shorter than a branch's (255): ".wh..wh." twice, and "." and a
// number in a temporary name.
inline constexpr std::uint32_t kAufsNameMax = 242;

// ── Branches ─────────────────────────────────────────────────────────────────────────────────────

enum class AufsPermission : std::uint8_t {
  kReadWrite,       // rw
  kReadOnly,        // ro
  kReallyReadOnly,  // rr: as ro, and nobody changes it directly either
};

// What an open of an entry of the branch does (coo_reg, coo_all, moo).
enum class AufsOnOpen : std::uint8_t { kNothing, kCopyFiles, kCopyAll, kMove };

// Namespaces of xattrs that need not be copied (icexsec … icexoth).
inline constexpr std::uint8_t kAufsIcexSecurity = 1;
inline constexpr std::uint8_t kAufsIcexSystem = 2;
inline constexpr std::uint8_t kAufsIcexTrusted = 4;
inline constexpr std::uint8_t kAufsIcexUser = 8;
inline constexpr std::uint8_t kAufsIcexOther = 16;
inline constexpr std::uint8_t kAufsIcexAll = 31;

struct AufsMode {
  AufsPermission permission = AufsPermission::kReadOnly;
  bool whiteouts = false;        // +wh: a read-only branch whose whiteouts count
  bool plain_whiteouts = false;  // +nolwh: each whiteout is a file of its own, not a hard link
  AufsOnOpen on_open = AufsOnOpen::kNothing;
  bool fhsm = false;
  std::uint8_t icex = 0;  // kAufsIcex…: failures of these are ignored in a copy to this branch

  bool writable() const { return permission == AufsPermission::kReadWrite; }
  // Whiteouts and opaque marks of the branch hide what is below.
  bool whable() const { return writable() || whiteouts; }
  friend bool operator==(const AufsMode&, const AufsMode&) = default;
};

// "rw", "ro+wh+coo_reg". Never fails, as in AUFS: an unknown permission is ro; an unknown attribute
// ends the reading, those before it hold; attributes that do not go with the permission are
// dropped; of coo_reg, coo_all and moo the last one holds.
AufsMode ParseAufsMode(std::string_view text);
std::string FormatAufsMode(const AufsMode& mode);

struct AufsBranch {
  DirectoryRef directory;
  // Absent: rw for the topmost branch of a mount that is not ro, else ro.
  std::optional<AufsMode> mode = std::nullopt;
};

// ── Options ──────────────────────────────────────────────────────────────────────────────────────

enum class AufsCreate : std::uint8_t {
  kTopDownParent,  // tdp
  kRoundRobin,     // rr
  kMostFreeSpace,  // mfs
  kMostFreeSpaceRoundRobin,
  kTopDownMostFreeSpace,
  kParentMostFreeSpace,
  kParentMostFreeSpaceRoundRobin,
};

struct AufsCreatePolicy {
  AufsCreate kind = AufsCreate::kTopDownParent;
  std::uint64_t low_bytes = 0;       // mfsrr, tdmfs, pmfsrr: fewer free bytes are too few
  std::uint32_t cache_seconds = 30;  // how long a figure of free space holds; 0…3600
  friend bool operator==(const AufsCreatePolicy&, const AufsCreatePolicy&) = default;
};

enum class AufsCopyUp : std::uint8_t { kTopDownParent, kBottomUpParent, kBottomUp };  // tdp bup bu

// What is noticed of changes made to a branch directly.
enum class AufsUdba : std::uint8_t {
  kNone,    // nothing: what was looked up stays
  kReval,   // that a recorded object went, moved or changed its type
  kNotify,  // everything
};

// Where the manual and the source of AUFS disagree, the manual's rule is the default (false).
struct AufsQuirks {
  bool lowest_opaque_wins = false;      // of several opaque marks the lowest holds
  bool override_only_writable = false;  // a whiteout on ro+wh does not choose the branch above
  bool pmfsrr_as_mfsrr = false;         // pmfsrr with too little space goes on as mfsrr
  friend bool operator==(const AufsQuirks&, const AufsQuirks&) = default;
};

struct AufsOptions {
  AufsCreatePolicy create = {};
  AufsCopyUp copy_up = AufsCopyUp::kTopDownParent;
  AufsUdba udba = AufsUdba::kReval;
  bool plink = true;           // hard links of a copied file stay together
  bool xino = true;            // inode numbers are kept
  bool dirperm1 = false;       // only the topmost directory's permissions count
  bool shwh = false;           // whiteouts can be seen; for a read-only mount
  bool sum = false;            // statfs adds the branches up
  bool dio = false;            // O_DIRECT is allowed
  bool dirren = false;         // directories of lower branches can be renamed
  bool opaque_always = false;  // diropq=always: every new directory is opaque
  bool warn_perm = true;
  bool verbose = false;
  bool trunc_xino = false;
  std::uint32_t dirwh = 3;  // a removed directory with more whiteouts is emptied later
  std::uint32_t rdblk = 512;
  std::uint32_t rdhash = 32;
  std::uint32_t rdcache_seconds = 10;  // 0…3600
  std::uint32_t max_branches = 127;    // compiled in: 127, 511, 1023 or 32767
  AufsQuirks quirks = {};
  friend bool operator==(const AufsOptions&, const AufsOptions&) = default;
};

// One option that is no branch verb: "create=rr", "noplink", "dirwh=5".
// Errors: kInval an unknown option, a value out of range.
Result<void> SetAufsOption(std::string_view option, AufsOptions& options);
// As /proc/mounts shows them: those that are not the default, "create=mfs:60,noplink".
std::string FormatAufsOptions(const AufsOptions& options);

// ── Mounting ─────────────────────────────────────────────────────────────────────────────────────

// One option of a mount or remount, in the order written.
struct AufsDirective {
  enum class Kind : std::uint8_t {
    kBranch,   // br:P…, one directive a branch
    kAdd,      // add:I:P, ins:I:P
    kAppend,   // append:P
    kPrepend,  // prepend:P
    kDelete,   // del:P
    kModify,   // mod:P=perm
    kOption,   // anything else
  };
  Kind kind = Kind::kOption;
  std::int64_t index = 0;  // kAdd
  std::string path;
  std::optional<AufsMode> mode = std::nullopt;
  std::string option;  // kOption; SetAufsOption takes it
};

struct AufsText {
  std::vector<AufsDirective> directives;
  bool read_only = false;  // ro; rw, nosuid, nodev, noatime are accepted and say nothing here
};

// Takes "br:/w=rw:/l=ro+wh,create=mfs" or "add:1:/x=ro,del:/y" apart. `br`, `dirs`, `add` … take
// `:` or `=` after the word.
// Errors: kInval an unknown option or value, an empty path, mod without a permission, an index that
// is no number; k2Big more options than fit in a page.
Result<AufsText> ParseAufsText(std::string_view text);

struct AufsMount {
  std::vector<AufsBranch> branches;  // topmost first
  AufsOptions options;
  bool read_only = false;
};

// Mounts: checks the branches in order, makes the base entries of the writable ones.
//
// Errors, as mount(2), for each branch in this order:
//   kInval  no branch; a branch twice; (kNoSpc) over max_branches; not a directory or deleted; on
//   an
//           overlay or another union; rw on a read-only file system, or on one whose names are
//           shorter than 255 bytes; inside or around another branch; a base entry of another type
Result<std::unique_ptr<UnionFs>> MountAufs(const OpContext& op, const AufsMount& mount);

// Where a path of the mount string leads. Errors: those of Walk.
using AufsResolve = absl::FunctionRef<Result<DirectoryRef>(std::string_view path)>;

// The same from text. Options hold whatever their place; errors also those of ParseAufsText.
Result<std::unique_ptr<UnionFs>> MountAufs(const OpContext& op, std::string_view text,
                                           AufsResolve resolve);

// ── A live union ─────────────────────────────────────────────────────────────────────────────────
// `fs` must be one that MountAufs made; else kInval.

// Carries the directives out from left to right; those before a failing one stay.
// Errors: those of ParseAufsText; those of mounting a branch, where k NoEnt, kNotDir, kExist and
// kIo are told as kInval; kDom an index out of range; kBusy a branch in use or the last one. A
// branch that is there already, or one to delete that is not, is no error and changes nothing.
Result<void> RemountAufs(const OpContext& op, UnionFs& fs, std::string_view text,
                         AufsResolve resolve);

const AufsOptions& AufsOptionsOf(const UnionFs& fs);
const AufsMode& AufsModeOf(const UnionFs& fs, BranchIndex branch);

// A name .wh..wh.* of a writable branch that the mount still needs: a base entry, a pseudo-link
// that holds, a directory to be emptied later. Any other one is a leftover of a crash.
bool AufsStillUses(const OpContext& op, const UnionFs& fs, BranchIndex branch, Place place);

// What makes a verb answer kBusy, "/f is open"; none: nothing does.
enum class AufsUse : std::uint8_t {
  kOfBranch,    // what keeps `del` from taking the branch away
  kOfMappings,  // what keeps `mod` from making it read-only
};
std::vector<std::string> AufsHolders(const UnionFs& fs, BranchIndex branch, AufsUse use);

// `auplink flush`: gives every pseudo-linked name its hard link and forgets the pseudo-links.
Result<void> FlushPseudoLinks(const OpContext& op, UnionFs& fs);
// Forgets the names and objects that nothing holds open, as memory pressure or drop_caches does.
void DropUnusedNames(UnionFs& fs);

}  // namespace lamina
#endif  // LAMINA_UNION_AUFS_H_
