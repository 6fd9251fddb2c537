// MemDisk: a disk in memory. Sparse: what was never written, or was discarded, reads as zeros and
// costs nothing, so a disk of 100 GiB is as cheap as what lies on it.
//
//   MemDisk disk(MemDisk::SectorsOf(64 << 20));
//   MemDisk::Image before = disk.Capture();      O(1), whatever was written
//   disk.Restore(before);                        every byte as it was
//
// Source of the contract: block_device.h. Emits kSectorRead, kSectorWrite, kFlush and kDiscard.
//
// Threads: thread-compatible. Two disks that share an image may be used by two threads.
#ifndef LAMINA_BLOCK_MEM_DISK_H_
#define LAMINA_BLOCK_MEM_DISK_H_

#include <cstdint>
#include <memory>

#include "lamina/block/block_device.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {

class MemDisk final : public BlockDevice {
 public:
  // What a disk held at one moment. Copies share it.
  using Image = std::shared_ptr<const PagedBytes>;

  // Rounded up to whole sectors.
  static constexpr std::uint64_t SectorsOf(std::uint64_t bytes) {
    return bytes / kSectorBytes + (bytes % kSectorBytes != 0 ? 1 : 0);
  }

  // `source` names the disk in events. At most PagedBytes::kMaxSizeBytes / 512 sectors.
  explicit MemDisk(std::uint64_t size_sectors, std::uint32_t source = 0);

  std::uint64_t size_sectors() const override { return content_.size_bytes() / kSectorBytes; }

  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  Result<void> Flush(const OpContext& op) override;
  // Discarded sectors read as zeros.
  Result<void> Discard(const OpContext& op, SectorRange range) override;
  // Whole pages of 4 KiB are shared, not copied: cheap here, told as the full copy.
  Result<void> CopySectors(const OpContext& op, SectorRange from, Sector to) override;
  // Costs no memory.
  Result<void> WriteZeros(const OpContext& op, SectorRange range) override;

  // A longer disk has zeros at its end; a shorter one has lost what was there.
  void Resize(std::uint64_t size_sectors);

  // O(1). An image keeps the size too.
  Image Capture() const;
  void Restore(const Image& image);

  // Bytes that are held in memory, in whole pages of 4 KiB.
  std::uint64_t allocated_bytes() const { return content_.page_count() * kPageBytes; }
  const PagedBytes& content() const { return content_; }

 private:
  PagedBytes content_;
  std::uint32_t source_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_MEM_DISK_H_
