#include "sim/cli/ext_source.h"

#include "absl/strings/str_format.h"
#if defined(LAMINA_WITH_IMAGE)
#include "lamina/image/host_disk.h"
#endif

namespace lamina::cli {

#if defined(LAMINA_WITH_IMAGE)
absl::StatusOr<ExtReport> CheckExtSource(std::string_view source) {
  const std::string_view path = source.substr(source.find(':') + 1);
  if (path.empty()) {
    return absl::InvalidArgumentError(absl::StrFormat("'%s' is not ext4:FILE", source));
  }
  const absl::StatusOr<std::unique_ptr<HostDisk>> disk =
      HostDisk::Open(path, HostAccess::kReadOnly);
  if (!disk.ok()) return disk.status();
  const Credentials root = RootCredentials();
  ExtOutcome<ExtReport> report = CheckExt({root, kSimulationStart, Probe()}, **disk);
  if (report.ok()) return *std::move(report);
  const std::string text = absl::StrFormat("%s: %s", path, report.error().text);
  if (report.error().code == Errno::kOpNotSupp) return absl::UnimplementedError(text);
  return absl::InvalidArgumentError(text);
}
#else
absl::StatusOr<ExtReport> CheckExtSource(std::string_view source) {
  return absl::UnimplementedError(absl::StrFormat("'%s': built without lamina::image", source));
}
#endif

}  // namespace lamina::cli
