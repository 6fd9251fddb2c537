// A device that remembers what was written to it, and can fail from some call on.
#ifndef LAMINA_TESTS_BLOCK_WRITE_LOG_H_
#define LAMINA_TESTS_BLOCK_WRITE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "lamina/block/forwarding_device.h"

namespace lamina {

class WriteLog final : public ForwardingDevice {
 public:
  struct Entry {
    Sector first;
    std::vector<std::byte> bytes;
    std::size_t epoch = 0;  // how many flushes came before it
  };

  using ForwardingDevice::ForwardingDevice;

  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override {
    if (Fails()) return Errno::kIo;
    return ForwardingDevice::Read(op, first, into);
  }
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override {
    if (Fails()) return Errno::kIo;
    writes.push_back({first, {from.begin(), from.end()}, flushes});
    return ForwardingDevice::Write(op, first, from);
  }
  Result<void> Flush(const OpContext& op) override {
    if (Fails()) return Errno::kIo;
    ++flushes;
    return ForwardingDevice::Flush(op);
  }

  // `calls` more calls go well, then `failures` fail.
  void FailAfter(std::uint64_t calls, std::uint64_t failures) {
    good_calls_ = calls;
    failures_ = failures;
  }

  std::vector<Entry> writes;
  std::size_t flushes = 0;

 private:
  bool Fails() {
    if (good_calls_ > 0) {
      --good_calls_;
      return false;
    }
    if (failures_ == 0) return false;
    --failures_;
    return true;
  }

  std::uint64_t good_calls_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t failures_ = 0;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_WRITE_LOG_H_
