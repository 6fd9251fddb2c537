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
