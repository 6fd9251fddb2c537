// Mounting an AUFS over the layers of a FacadeMount: options, the modes of the branches, the mount.
//
// Threads: belong to the mount.
#ifndef LAMINA_SIM_FACADE_AUFS_MOUNT_H_
#define LAMINA_SIM_FACADE_AUFS_MOUNT_H_

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/image/layer_tar.h"
#include "sim/facade/facade_mount.h"

namespace lamina::internal {

// `options` with the text among them read: aufs_text is empty then.
// Errors: InvalidArgument options of the other dialect, text that is no option, a value out of
// range.
absl::StatusOr<MountOptions> CheckedOptions(MountOptions options);

// The form of the marks in the layers of such a mount.
WhiteoutForm FormOf(const MountOptions& options);

// A layer with that mode in MountOptions::aufs_modes can be written.
LayerUse UseOf(const MountOptions& options, std::string_view layer);

// Makes branches of the upper and the lowers.
void PlaceSlots(FacadeMount& mount);

// Where a branch is, by the name of its layer. Errors: kNoEnt no such layer.
Result<DirectoryRef> FindAufsDirectory(FacadeMount& mount, std::string_view layer);

// Mounts `slots`; the sites are in place. Errors: those of mount(2).
absl::Status MountAufsSlots(FacadeMount& mount);

// Reads the text of a mount or a remount.
// Errors: InvalidArgument, with EINVAL, naming what is no option; E2BIG.
absl::StatusOr<AufsText> ReadAufsText(std::string_view text, std::string_view call);

}  // namespace lamina::internal
#endif  // LAMINA_SIM_FACADE_AUFS_MOUNT_H_
