// What the options of a mount come to (ovl_fs_params_verify in fs/overlayfs/params.c, the fallbacks
// of ovl_lower_dir and ovl_get_layers in super.c).
#include <bit>

#include "vfs/union/branch_tree.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

void SettleRedirectAndMetacopy(const OverlayOptions& options, OverlayConfig& config) {
  config.redirect_create = options.redirect_dir == RedirectDir::kOn;
  config.redirect_follow = options.redirect_dir != RedirectDir::kNoFollow;
  config.metacopy = options.metacopy == Toggle::kOn;
  // CheckOverlayOptions refused what says otherwise.
  if (config.metacopy) config.redirect_create = true;
  if (!options.userxattr) return;
  config.redirect_create = config.redirect_follow = config.metacopy = false;
}

// nfs_export wants an index, and no metacopy.
void SettleIndex(const OverlayMount& mount, const std::vector<Branch>& branches,
                 OverlayConfig& config) {
  const OverlayOptions& options = mount.options;
  config.index = options.index == Toggle::kOn && mount.upper.has_value();
  config.nfs_export = options.nfs_export == Toggle::kOn;
  if (config.nfs_export && !config.index) {
    if (!mount.upper.has_value()) {
      config.nfs_export = options.redirect_dir == RedirectDir::kNoFollow;
    } else {
      config.index = true;
    }
  }
  for (const Branch& branch : branches) {
    if (!HasHandles(*branch.fs)) config.index = config.nfs_export = false;
  }
}

void SettleXino(const OverlayMount& mount, const std::vector<Branch>& branches,
                OverlayConfig& config) {
  std::vector<const FileSystem*> known = {mount.upper.has_value() ? mount.upper->fs : nullptr};
  bool handles = true;
  for (const Branch& branch : branches) {
    std::size_t number = 0;
    while (number < known.size() && known[number] != branch.fs) ++number;
    if (branch.data_only) number = 0;  // shows no inode of its own
    if (number == known.size()) known.push_back(branch.fs);
    config.fs_numbers.push_back(number);
    handles = handles && HasHandles(*branch.fs);
  }
  const XinoMode mode = mount.options.xino;
  const bool on = mode == XinoMode::kOn || (mode == XinoMode::kAuto && handles);
  const std::size_t others = known.size() - 1;  // number 0 is kept for the upper's
  config.same_fs = known.size() - (mount.upper.has_value() ? 0 : 1) == 1;
  if (on && !config.same_fs) {
    // One more bit than the numbers need is kept for inode numbers that are no branch's.
    config.xino_bits = static_cast<unsigned>(std::bit_width(others)) + 1;
  }
}

}  // namespace

OverlayConfig MakeOverlayConfig(const OverlayMount& mount, const std::vector<Branch>& branches) {
  const OverlayOptions& options = mount.options;
  OverlayConfig config;
  if (options.userxattr) config.prefix = "user.overlay.";
  config.marks = OverlayMarks(config.prefix);
  SettleRedirectAndMetacopy(options, config);
  SettleIndex(mount, branches, config);
  if (options.verity != VerityMode::kDefault) config.verity = options.verity;
  config.sync = !options.volatile_upper;
  config.allow_offline_changes =
      !config.index && !config.metacopy && !config.redirect_create && options.xino != XinoMode::kOn;
  config.kernel_quirks = options.kernel_quirks && !options.fuse_whiteouts;
  config.fuse_whiteouts = options.fuse_whiteouts;
  config.device = NextUnionDevice();
  SettleXino(mount, branches, config);
  for (std::size_t at = 0; at < branches.size(); ++at) {
    std::uint64_t device = 0;
    for (std::size_t i = 0; i < at; ++i) {
      if (branches[i].fs == branches[at].fs) device = config.pseudo_devices[i];
    }
    config.pseudo_devices.push_back(device != 0 ? device : NextUnionDevice());
    if (branches[at].data_only) ++config.data_only_count;
  }
  return config;
}

}  // namespace lamina
