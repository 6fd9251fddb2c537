// HostDisk: a file of the host (or a device of it) as a BlockDevice: an image that mke2fs, e2fsck
// and the kernel read as well.
//
//   absl::StatusOr<std::unique_ptr<HostDisk>> disk = HostDisk::Open("a.img",
//   HostAccess::kReadOnly); absl::StatusOr<std::unique_ptr<HostDisk>> made =
//   HostDisk::Create("b.img", 64 << 20);
//
// Nothing is kept in memory. What is behind the last whole sector of a file is left alone.
//
// Threads: thread-compatible. Lifetime: holds a descriptor of the file.
#ifndef LAMINA_IMAGE_HOST_DISK_H_
#define LAMINA_IMAGE_HOST_DISK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/block/block_device.h"

namespace lamina {

enum class HostAccess : std::uint8_t { kReadOnly, kReadWrite };

class HostDisk final : public BlockDevice {
 public:
  // Errors, each naming the file:
  //   NotFound            it does not exist
  //   PermissionDenied    the host refuses
  //   InvalidArgument     neither a regular file nor a block device
  //   Unavailable         any other error of the host
  static absl::StatusOr<std::unique_ptr<HostDisk>> Open(std::string_view path, HostAccess access);

  // A file of `size_bytes` bytes of zeros, rounded up to whole sectors, that takes no space yet. It
  // may be there when it holds nothing: no byte, or one hole.
  //
  // Errors, each naming the file:
  //   AlreadyExists       something else has that name
  //   PermissionDenied    the host refuses
  //   Unavailable         any other error of the host, a size it cannot hold too
  static absl::StatusOr<std::unique_ptr<HostDisk>> Create(std::string_view path,
                                                          std::uint64_t size_bytes);
  ~HostDisk() override;
  HostDisk(const HostDisk&) = delete;
  HostDisk& operator=(const HostDisk&) = delete;

  std::uint64_t size_sectors() const override { return size_sectors_; }
  // kRoFs when opened kReadOnly; kNoSpc when the host is full; kIo for every other error of it.
  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  Result<void> Flush(const OpContext& op) override;
  // Leaves a hole. kOpNotSupp when the host's file system knows none.
  Result<void> Discard(const OpContext& op, SectorRange range) override;

  // Makes a file one of `size_sectors` sectors of zeros.
  // Errors: kRoFs  opened kReadOnly; kInval  not a file, or no file can be so long; kNoSpc, kIo the
  // host refuses, and the file may be empty.
  Result<void> Clear(std::uint64_t size_sectors);

 private:
  HostDisk(int descriptor, std::uint64_t size_sectors, HostAccess access)
      : descriptor_(descriptor), size_sectors_(size_sectors), access_(access) {}

  int descriptor_;
  std::uint64_t size_sectors_;
  HostAccess access_;
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_HOST_DISK_H_
