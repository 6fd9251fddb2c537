// FaultyDevice: a block device on which the faults of a plan come true.
//
//   FaultPlan plan;
//   FaultyDevice data(disk, plan, "data");
//   plan.Add(Fault::On(Op::kPwrite).AtDevice("data").After(2).Times(1).Fail(Errno::kNoSpc));
//   plan.Add(Fault::On(Op::kPread).AtDevice("data").Sectors(0, 8).FlipBit(17));
//   plan.Add(Fault::On(Op::kFsync).AtDevice("data").Drop());      a flush that does nothing
//
// A call is a kPread, kPwrite, kDiscard or kFsync (fault.h). A short write leaves the first whole
// sectors on the medium and gives EIO. A flipped bit of a read is wrong in what the caller gets and
// not on the medium; one of a write is wrong on the medium. A call that is outside the device, or
// is of no bytes, meets only Fail, Delay and Crash.
//
// After a Crash fault writes, discards and flushes give EIO for good, so that nothing becomes
// durable on a CrashDevice below that was not.
//
// Errors: those of the target, and those of the plan. Threads: belong to one simulation.
// Lifetime: does not own target and plan.
#ifndef LAMINA_SIM_FAULTY_DEVICE_H_
#define LAMINA_SIM_FAULTY_DEVICE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "lamina/block/forwarding_device.h"
#include "lamina/sim/fault_plan.h"

namespace lamina::sim {

class FaultyDevice final : public ForwardingDevice {
 public:
  FaultyDevice(BlockDevice& target, FaultPlan& plan, std::string name)
      : ForwardingDevice(target), plan_(plan), site_{FaultSite::Kind::kDevice, std::move(name)} {}

  // Writes and discards that arrived, as many as the plan counts for kAnyChange. Those after a
  // crash are not counted.
  std::uint64_t changes() const { return changes_; }

  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  Result<void> Flush(const OpContext& op) override;
  Result<void> Discard(const OpContext& op, SectorRange range) override;

 private:
  void CountChange();

  FaultPlan& plan_;
  FaultSite site_;
  std::uint64_t changes_ = 0;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_FAULTY_DEVICE_H_
