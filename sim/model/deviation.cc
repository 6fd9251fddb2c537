#include "sim/model/deviation.h"

#include <array>

namespace lamina::sim {
namespace {

constexpr std::array kTable = {
    Deviation{DeviationRule::kDirectoryRename, "directory-rename", "overlay",
              "a directory with a part in a lower layer cannot be moved: EXDEV",
              "`rename /lowerdir /x` = EXDEV", "§7, OVL-067, OVL-069, OVL-078"},
    Deviation{DeviationRule::kRenameWhiteout, "rename-whiteout", "overlay",
              "RENAME_WHITEOUT is refused: EINVAL", "`rename /f /g whiteout` = EINVAL",
              "§7, OVL-079"},
    Deviation{DeviationRule::kWhiteoutDevice, "whiteout-device", "overlay",
              "a character device 0:0 cannot be made: EPERM", "`mknod /w 0600 c 0 0` = EPERM",
              "§5, OVL-019"},
    Deviation{
        DeviationRule::kLinkBreak, "link-break", "overlay",
        "the first change of a lower file with several names changes only the name used; "
        "that name gets a new st_ino and nlink 1; setxattr that fails in the layer counts as a "
        "change",
        "`append /a X`, then `read /b` is old", "§9, §12, OVL-037, OVL-060"},
    Deviation{DeviationRule::kAliasRename, "alias-rename", "overlay",
              "two names of one lower file are two files to rename: it replaces instead of doing "
              "nothing",
              "`rename /a /b`, then `/a` is gone", "§7, §12 (compare OVL-081: upper names)"},
    Deviation{DeviationRule::kLowerLinkCount, "lower-link-count", "overlay",
              "nlink of a lower file counts the names in its layer, also hidden ones",
              "`unlink /a`, then `stat /b` has nlink=2", "§12, OVL-064"},
    Deviation{DeviationRule::kMergedLinkCount, "merged-link-count", "overlay",
              "nlink of a merged directory is 1", "`stat /` has nlink=1", "§4, OVL-124"},
    Deviation{DeviationRule::kListedWhiteout, "listed-whiteout", "overlay",
              "readdir of a directory of one layer lists its whiteouts, lookup does not find them "
              "(kernel_quirks)",
              "`readdir /p` = [w:c], `stat /p/w` = ENOENT", "§4, OVL-007, OVL-104"},
    Deviation{DeviationRule::kHiddenHandleChange, "hidden-handle-change", "overlay",
              "fchmod on a handle of a lower file whose name is gone: EEXIST (kernel_quirks)",
              "`open h /f`, `unlink /f`, `hchmod h 0600` = EEXIST", "§10, OVL-048"},
    Deviation{DeviationRule::kHiddenHandleLinks, "hidden-handle-links", "overlay",
              "fstat on a handle of a lower file whose name is gone keeps the lower nlink",
              "`open h /f`, `unlink /f`, `hstat h` has nlink=1", "§10, OVL-048"},
    Deviation{DeviationRule::kPrivateNames, "private-names", "overlay",
              "trusted.overlay.* set through the union is kept under an escaped name; the marks of "
              "the layers themselves cannot be reached",
              "`getxattr /f trusted.overlay.origin` = ENODATA", "§14, OVL-095"},
    Deviation{DeviationRule::kAufsReservedName, "aufs-reserved-name", "aufs",
              "a name that starts with .wh. can neither be asked for nor made: EPERM",
              "`stat /.wh.x` = EPERM", "§2.1, AUFS-034"},
    Deviation{DeviationRule::kAufsShortName, "aufs-short-name", "aufs",
              "a name has at most 242 bytes: ENAMETOOLONG; a longer one of a branch is listed, "
              "lookup does not find it",
              "`create /NAME-OF-243-BYTES 0644` = ENAMETOOLONG", "§2.1, AUFS-035, AUFS-036"},
    Deviation{DeviationRule::kAufsBrokenName, "aufs-broken-name", "aufs",
              "a name beside its own whiteout on the branch looked at first, or hidden by a "
              "whiteout that is no file: EIO; the name may be listed",
              "`stat /f` = EIO", "§2.3, AUFS-031, AUFS-033"},
    Deviation{DeviationRule::kAufsDirectoryRename, "aufs-directory-rename", "aufs",
              "a directory that has names on a branch below the one to be written, not all of "
              "them hidden by its topmost part, cannot be moved: EXDEV",
              "`rename /lowerdir /x` = EXDEV", "§3.7, AUFS-077 to AUFS-081"},
    Deviation{DeviationRule::kAufsRenameWhiteout, "aufs-rename-whiteout", "aufs",
              "RENAME_WHITEOUT is refused: EINVAL", "`rename /f /g whiteout` = EINVAL",
              "§3.7, AUFS-090"},
    Deviation{DeviationRule::kAufsReadOnly, "aufs-read-only", "aufs",
              "what is above every writable branch cannot be changed: EROFS, at open(2) and "
              "access(2) already",
              "`open h /f wronly` = EROFS", "§2.7, §4.2, AUFS-002, AUFS-067"},
    Deviation{DeviationRule::kAufsEveryPart, "aufs-every-part", "aufs",
              "every part of a merged directory must allow to read and search it: EACCES",
              "`as 1000 1000`, `readdir /d` = EACCES", "§2.7, AUFS-042"},
    Deviation{DeviationRule::kAufsRealParent, "aufs-real-parent", "aufs",
              "who takes a name out must be allowed to by the directory of the branch as well: "
              "EACCES",
              "`as 1000 1000`, `unlink /d/f` = EACCES", "§2.7"},
    Deviation{DeviationRule::kAufsForeignWhiteout, "aufs-foreign-whiteout", "aufs",
              "whiteouts of a branch that does not honour them count when a directory is to be "
              "empty: what is seen goes with it",
              "`readdir /d` = [x:f], `rmdir /d` = OK", "§2.5, §3.5"},
    Deviation{DeviationRule::kAufsDirectoryLinks, "aufs-directory-links", "aufs",
              "nlink of a directory is that of its topmost part and n - 2 of every other one; the "
              "base entries of the root count",
              "`stat /d` has nlink=6 of 3 and 5", "§6.2, AUFS-137"},
    Deviation{DeviationRule::kAufsLinkCount, "aufs-link-count", "aufs",
              "nlink of a file counts the names on its branch when it is read in, also hidden ones "
              "and the one that keeps a pseudo-link",
              "`unlink /a`, `umount`, `mount`, then `stat /b` has nlink=2", "§6.2, §3.4"},
    Deviation{DeviationRule::kAufsLostLinks, "aufs-lost-links", "aufs",
              "a hard link that a copy has broken holds until umount only, unless auplink makes it "
              "real",
              "`append /a X`, `umount`, `mount`, then `read /b` is old", "§4.6, AUFS-113"},
    Deviation{DeviationRule::kAufsParentTime, "aufs-parent-time", "aufs",
              "a change on a lower branch leaves the mtime of the directory when its topmost part "
              "cannot be written",
              "`unlink /d/f`, then `stat /d` has the old mtime", "§6.2"},
    Deviation{DeviationRule::kAufsOpaqueTime, "aufs-opaque-time", "aufs",
              "a directory that becomes opaque when it is moved gets a new mtime",
              "`rename /d /e`, then `stat /e` has mtime=now", "§3.7"},
    Deviation{DeviationRule::kAufsCopiedHoles, "aufs-copied-holes", "aufs",
              "a copy has holes where there are blocks of zeros, and nowhere else; truncate to the "
              "same size sets mtime of a file that is not all hole",
              "`truncate /hole 300`, then `stat /hole` has mtime=now", "§4.5, AUFS-108"},
    Deviation{DeviationRule::kAufsOldFifo, "aufs-old-fifo", "aufs",
              "a fifo opened before it was copied stays the old one: its ends do not meet",
              "`open h0 /p rdonly`, `chmod /p 0600`, `open h1 /p wronly` = ENXIO", "§7, §10"},
    Deviation{
        DeviationRule::kAufsSpecialTimes, "aufs-special-times", "aufs",
        "times set of a device, fifo or socket on a branch that cannot be written are dropped "
        "without an error",
        "`utimens /p 2000 2000` = OK, then `stat /p` has the old mtime", "§4.1"},
};

}  // namespace

std::span<const Deviation> Deviations() { return kTable; }

const Deviation& DeviationOf(DeviationRule rule) {
  return kTable.at(static_cast<std::size_t>(rule));
}

std::string DeviationTable() {
  std::string text = "| rule | dialect | what differs from POSIX | example | source |\n";
  text += "| --- | --- | --- | --- | --- |\n";
  for (const Deviation& row : kTable) {
    for (const std::string_view cell : {row.id, row.dialect, row.what, row.example, row.source}) {
      text += "| ";
      text += cell;
      text += ' ';
    }
    text += "|\n";
  }
  return text;
}

}  // namespace lamina::sim
