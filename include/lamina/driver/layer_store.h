// What Docker's layer store adds to a driver: how deep a chain of layers may be, and the two layers
// of a container.
//
//   image layer … image layer   ◄─ ID-init            ◄─ ID
//                                  mount points          what the container writes
//
// Threads: as the driver.
#ifndef LAMINA_DRIVER_LAYER_STORE_H_
#define LAMINA_DRIVER_LAYER_STORE_H_

#include <cstddef>

#include "lamina/driver/storage_driver.h"
#include "lamina/fs/file_system.h"

namespace lamina {

// 125 and the two layers of a container are the 127 branches that AUFS can have.
inline constexpr std::size_t kMaxLayerDepth = 125;

// Whether an image layer may be registered above a chain of `parent_depth` layers.
// Errors: kMLink "max depth exceeded".
Result<void> CheckLayerDepth(std::size_t parent_depth, const DriverListener& on_message = {});

// "ID-init"
LayerId InitLayerOf(const LayerId& container);

// Makes what a container finds in every image: empty files and directories to mount over, and
// /etc/mtab. A component on the way that is no directory goes first.
Result<void> FillInitLayer(const OpContext& caller, FileSystem& fs, NodeId root);

// Makes ID-init above `image` (null: none), fills it, and ID above it. After an error what was made
// stays, as in Docker.
Result<void> CreateContainer(const OpContext& op, StorageDriver& driver, const LayerId& id,
                             const LayerId* image, const LayerOptions& options = {});

}  // namespace lamina
#endif  // LAMINA_DRIVER_LAYER_STORE_H_
