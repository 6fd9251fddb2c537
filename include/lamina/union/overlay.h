// OverlayFS: mount options, and the mount itself. The dialect of Linux's overlayfs; the reference
// is kernel 6.18 with module defaults (redirect_dir=N, redirect_always_follow=Y, index=N,
// metacopy=N, xino_auto=N, nfs_export=N).
//
//   OverlayMount mount;
//   mount.lowers = {{&image, image.root(), {}}};          // topmost first
//   mount.upper = DirectoryRef{&home, diff, {home.root()}};
//   mount.work = DirectoryRef{&home, work, {home.root()}};
//   Result<std::unique_ptr<UnionFs>> fs = MountOverlay(op, mount);
//
// Threads: pure functions; the file system they make is thread-compatible.
// Lifetime: the branches' file systems must outlive the union.
#ifndef LAMINA_UNION_OVERLAY_H_
#define LAMINA_UNION_OVERLAY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/result.h"
#include "lamina/fs/file_system.h"
#include "lamina/union/union_fs.h"

namespace lamina {

inline constexpr std::size_t kMaxOverlayLowers = 500;
inline constexpr std::uint8_t kMaxStackingDepth = 2;

enum class RedirectDir : std::uint8_t { kDefault, kOn, kOff, kFollow, kNoFollow };
enum class Toggle : std::uint8_t { kDefault, kOn, kOff };
enum class XinoMode : std::uint8_t { kDefault, kOn, kOff, kAuto };
enum class UuidMode : std::uint8_t { kDefault, kOff, kNull, kAuto, kOn };
enum class VerityMode : std::uint8_t { kDefault, kOff, kOn, kRequire };

struct OverlayOptions {
  RedirectDir redirect_dir = RedirectDir::kDefault;
  Toggle metacopy = Toggle::kDefault;
  Toggle index = Toggle::kDefault;
  Toggle nfs_export = Toggle::kDefault;
  XinoMode xino = XinoMode::kDefault;
  UuidMode uuid = UuidMode::kDefault;
  VerityMode verity = VerityMode::kDefault;
  bool volatile_upper = false;
  bool userxattr = false;
  // The kernel's two oddities: fchmod, fchown and fsetxattr on a handle of a lower-only file that
  // was unlinked fail with EEXIST; whiteouts in directories of one layer are listed.
  bool kernel_quirks = true;
  // No kernel option: marks of fuse-overlayfs are read too (.wh.NAME, .wh..wh..opq, its xattrs),
  // and redirects, metacopy and index are off. As text: x-lamina.fuse-whiteouts.
  bool fuse_whiteouts = false;
  friend bool operator==(const OverlayOptions&, const OverlayOptions&) = default;
};

struct OverlayMount {
  std::vector<DirectoryRef> lowers;     // topmost first
  std::vector<DirectoryRef> data_only;  // after `::`, topmost first
  std::optional<DirectoryRef> upper;
  std::optional<DirectoryRef> work;
  OverlayOptions options;
  bool read_only = false;  // mount flag ro
};

// The option string of mount(2), taken apart. Paths keep their bytes, `\:` and `\,` resolved.
struct OverlayMountText {
  std::vector<std::string> lowers;
  std::vector<std::string> data_only;
  std::optional<std::string> upper;
  std::optional<std::string> work;
  OverlayOptions options;
  bool read_only = false;
};

// Reads "lowerdir=a:b::d,upperdir=u,workdir=w,index=on". The flags ro, rw, nosuid, nodev, noatime
// are accepted (only ro has a meaning here).
// Errors: kInval an unknown option or value, bad colons, over 500 lowers, conflicting options.
Result<OverlayMountText> ParseOverlayMountText(std::string_view text);

// Options that exclude each other when both were written. Errors: kInval.
Result<void> CheckOverlayOptions(const OverlayOptions& options);

// Whether the mount is one that refuses layers which another mount uses (kBusy by the kernel's
// mount(2); who mounts knows the other mounts): index=on, or nfs_export=on, which implies it.
bool OverlayWantsIndex(const OverlayMount& mount);

// Mounts: checks, cleans the work directory, marks the upper root.
//
// Errors, as the kernel's mount(2):
//   kInval      no lower; one lower and no upper; upper without work; work inside upper, upper
//               inside work, or the same; upper and work on different file systems; upper on an
//               overlay; a union of unions of unions; over 500 lowers; conflicting options
//   kLoop       a lower twice, or equal to, inside or around upper or work, or another lower
//               (an upper inside a lower is allowed)
//   kNotDir     kInval here as in the kernel: one of the directories is none
//   kRoFs       never: an upper on a read-only file system is kInval
//   kStale      index=on: the upper was used with another lower, or the index with another upper
Result<std::unique_ptr<UnionFs>> MountOverlay(const OpContext& op, const OverlayMount& mount);

}  // namespace lamina
#endif  // LAMINA_UNION_OVERLAY_H_
