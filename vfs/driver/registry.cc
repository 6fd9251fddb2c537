#include "lamina/driver/registry.h"

namespace lamina {

// Each driver defines its own.
#define LAMINA_DRIVER(name, open, description)                                       \
  Result<std::unique_ptr<StorageDriver>> open(const OpContext& op, FileSystem& home, \
                                              const DriverOptions& options);
#include "vfs/driver/drivers.def"
#undef LAMINA_DRIVER

namespace {

using Open = Result<std::unique_ptr<StorageDriver>> (*)(const OpContext&, FileSystem&,
                                                        const DriverOptions&);

constexpr DriverEntry kDrivers[] = {
#define LAMINA_DRIVER(name, open, description) {#name, description},
#include "vfs/driver/drivers.def"
#undef LAMINA_DRIVER
};

constexpr Open kOpen[] = {
#define LAMINA_DRIVER(name, open, description) open,
#include "vfs/driver/drivers.def"
#undef LAMINA_DRIVER
};

}  // namespace

std::span<const DriverEntry> Drivers() { return kDrivers; }

bool IsDeprecatedDriver(std::string_view name) {
  return name == "aufs" || name == "overlay" || name == "devicemapper";
}

Result<std::unique_ptr<StorageDriver>> OpenDriver(std::string_view name, const OpContext& op,
                                                  FileSystem& home, const DriverOptions& options) {
  for (std::size_t i = 0; i < std::size(kDrivers); ++i) {
    if (kDrivers[i].name == name) return kOpen[i](op, home, options);
  }
  return Errno::kNoDev;
}

}  // namespace lamina
