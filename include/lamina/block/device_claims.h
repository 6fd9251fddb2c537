// DeviceClaims: which devices are in use as the metadata of a pool. One set per simulated machine.
//
// Threads: thread-compatible. Lifetime: outlives what claims; does not own the devices.
#ifndef LAMINA_BLOCK_DEVICE_CLAIMS_H_
#define LAMINA_BLOCK_DEVICE_CLAIMS_H_

#include <set>

#include "lamina/block/block_device.h"

namespace lamina {

class DeviceClaims {
 public:
  // Errors: kBusy  somebody has it.
  Result<void> Claim(const BlockDevice& device) {
    return claimed_.insert(&device).second ? Result<void>() : Errno::kBusy;
  }
  void Release(const BlockDevice& device) { claimed_.erase(&device); }

 private:
  std::set<const BlockDevice*> claimed_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_DEVICE_CLAIMS_H_
