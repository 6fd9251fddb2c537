// The storage drivers there are, by Docker's names.
//
//   Result<std::unique_ptr<StorageDriver>> driver = OpenDriver("aufs", op, home);
//
// The list is vfs/driver/drivers.def.
//
// Threads: pure functions.
#ifndef LAMINA_DRIVER_REGISTRY_H_
#define LAMINA_DRIVER_REGISTRY_H_

#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "lamina/driver/storage_driver.h"

namespace lamina {

struct DriverEntry {
  std::string_view name;
  std::string_view description;  // one sentence
};

// Every driver that OpenDriver opens, in the order of drivers.def.
std::span<const DriverEntry> Drivers();

// The order in which Docker 20.10 tries drivers when none is named. Not all of them are here.
inline constexpr std::array<std::string_view, 8> kDriverPriority = {
    "btrfs", "zfs", "overlay2", "fuse-overlayfs", "aufs", "overlay", "devicemapper", "vfs"};
// Docker 20.10 warns of it.
bool IsDeprecatedDriver(std::string_view name);

// Opens `name` on `home`; makes its directories there when they are missing, and clears away what a
// crash has left.
// Errors: kNoDev no such driver; kOpNotSupp the machine does not support it, and kInval the file
// system below the home does not (with either Docker tries the next driver); what the home gives.
Result<std::unique_ptr<StorageDriver>> OpenDriver(std::string_view name, const OpContext& op,
                                                  FileSystem& home,
                                                  const DriverOptions& options = {});

}  // namespace lamina
#endif  // LAMINA_DRIVER_REGISTRY_H_
