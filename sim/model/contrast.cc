#include "sim/model/contrast.h"

#include <array>

namespace lamina::sim {
namespace {

constexpr std::string_view kTwoNames = "put /a 0644 \"1\"; link /a /b";

constexpr std::array kTable = {
    Contrast{"copied up when opened to write, or at the first write", kTwoNames,
             "open h /a rdwr; stat /a", "f 0644 0:0 size=1 nlink=1 mtime=1000",
             "f 0644 0:0 size=1 nlink=2 mtime=1000", "§9; §4.1"},
    Contrast{"hard links after a copy", kTwoNames, "append /a \"2\"; read /b", "\"1\"", "\"12\"",
             "§9; §4.6"},
    Contrast{"two names of one lower file are one file to rename", kTwoNames,
             "rename /a /b; read /a", "ENOENT", "\"1\"", "§7; §3.7"},
    Contrast{"nlink of a merged directory", "mkdir /d 0755; mkdir /d/s 0755",
             "chmod /d 0700; stat /d", "d 0700 0:0 nlink=1 mtime=1000",
             "d 0700 0:0 nlink=3 mtime=1000", "§4; §6.2"},
    Contrast{"mtime of the root: AUFS makes its own entries there at the mount", "mkdir /d 0755",
             "stat /", "d 0755 0:0 nlink=1 mtime=1000", "d 0755 0:0 nlink=5 mtime=now", "§4; §6.2"},
    Contrast{"an empty lower directory can be moved", "mkdir /d 0755", "rename /d /e", "EXDEV",
             "OK", "§7; §3.7"},
    Contrast{"and one of which every lower name is hidden", "mkdir /d 0755; put /d/x 0644 \"x\"",
             "unlink /d/x; put /d/y 0644 \"y\"; rename /d /e", "EXDEV", "OK", "§7; §3.7"},
    Contrast{"a file between two directories",
             "mkdir /d 0755 / put /d 0644 \"\" / mkdir /d 0755; put /d/x 0644 \"x\"", "readdir /d",
             "[]", "[x:f]", "§3; §2.3"},
    Contrast{"names of 243 to 255 bytes", "mkdir /d 0755", "create /{243} 0644", "OK",
             "ENAMETOOLONG", "§15; §2.1"},
    Contrast{"names that are marks of AUFS", "mkdir /d 0755", "create /.wh.x 0644", "OK", "EPERM",
             "§2; §2.1"},
    Contrast{"the device that is a mark of overlayfs", "mkdir /d 0755", "mknod /w 0600 c 0 0",
             "EPERM", "OK", "§5; §2.2"},
    Contrast{"attributes that are marks of overlayfs",
             "put /f 0644 \"x\"; setxattr /f trusted.overlay.x \"1\"",
             "getxattr /f trusted.overlay.x", "ENODATA", "\"1\"", "§14; §10"},
    Contrast{"permission of a lower part", "mkdir /d 0700",
             "chmod /d 0755; as 1000 1000; readdir /d", "[]", "EACCES", "§14; §2.7"},
    Contrast{"a handle of a lower file that has lost its name", "put /f 0644 \"x\"",
             "open h /f rdonly; unlink /f; hchmod h 0600", "EEXIST", "OK", "§10; §4.8"},
    Contrast{"nlink of such a handle", "put /f 0644 \"x\"", "open h /f rdonly; unlink /f; hstat h",
             "f 0644 0:0 size=1 nlink=1 mtime=1000", "f 0644 0:0 size=1 nlink=0 mtime=1000",
             "§10; §3.4"},
    Contrast{"the ends of a fifo that was copied in between", "fifo /p 0644",
             "open h /p rdwr; chmod /p 0600; open i /p wronly", "OK", "ENXIO", "§10; §7"},
};

}  // namespace

std::span<const Contrast> Contrasts() { return kTable; }

std::string ContrastTable() {
  std::string text = "| what | below | calls | overlay | aufs | sections |\n";
  text += "| --- | --- | --- | --- | --- | --- |\n";
  for (const Contrast& row : kTable) {
    text += "| " + std::string(row.what) + " | `" + std::string(row.below) + "` | `" +
            std::string(row.calls) + "` | `" + std::string(row.overlay) + "` | `" +
            std::string(row.aufs) + "` | " + std::string(row.source) + " |\n";
  }
  return text;
}

}  // namespace lamina::sim
