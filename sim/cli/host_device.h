// HostDevice: a file or a disk of this machine as a BlockDevice.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_HOST_DEVICE_H_
#define LAMINA_SIM_CLI_HOST_DEVICE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lamina/block/block_device.h"

namespace lamina::cli {

class HostDevice final : public BlockDevice {
 public:
  enum class Access : std::uint8_t { kRead, kWrite };

  // Errors: kNotFound  the host refuses. The message is complete.
  static absl::StatusOr<std::unique_ptr<HostDevice>> Open(const std::string& path, Access access);

  ~HostDevice() override;
  HostDevice(const HostDevice&) = delete;
  HostDevice& operator=(const HostDevice&) = delete;

  // Of a file that grows: whole sectors.
  std::uint64_t size_sectors() const override { return size_sectors_; }

  // Errors: as BlockDevice; kIo also when the file became shorter.
  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  Result<void> Flush(const OpContext& op) override;
  // Errors: kOpNotSupp  always.
  Result<void> Discard(const OpContext& op, SectorRange range) override;

  // Makes a file one of `size_sectors` zeros. Errors: kInval  no file; kIo  the host refuses.
  Result<void> Clear(std::uint64_t size_sectors);

 private:
  HostDevice(int descriptor, Access access) : descriptor_(descriptor), access_(access) {}
  // Reads the size. False: the host refuses.
  bool Measure();

  int descriptor_;
  Access access_;
  bool is_file_ = false;
  std::uint64_t size_sectors_ = 0;
};

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_HOST_DEVICE_H_
