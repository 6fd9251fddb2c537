#include "lamina/sim/faulty_device.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace lamina::sim {
namespace {

std::vector<std::string> NoPaths() { return {}; }

SectorSpan SpanOf(Sector first, std::size_t bytes) { return {first.value, bytes / kSectorBytes}; }

void Flip(const std::vector<std::uint64_t>& bits, MutableBytes bytes) {
  for (const std::uint64_t bit : bits) {
    std::byte& one = bytes[bit / 8 % bytes.size()];
    one ^= std::byte{1} << (bit % 8);
  }
}

}  // namespace

void FaultyDevice::CountChange() {
  if (!plan_.crashed()) ++changes_;
}

Result<void> FaultyDevice::Read(const OpContext& op, Sector first, MutableBytes into) {
  const FaultPlan::Running running(plan_, site_,
                                   {.ops = {Op::kPread},
                                    .paths = NoPaths,
                                    .can_be_flipped = !into.empty(),
                                    .sectors = SpanOf(first, into.size())},
                                   op.probe);
  if (running.failure()) return *running.failure();
  Result<void> done = target().Read(op, first, into);
  if (done.ok()) Flip(running.flipped_bits(), into);
  return done;
}

Result<void> FaultyDevice::Write(const OpContext& op, Sector first, Bytes from) {
  CountChange();
  const FaultPlan::Running running(plan_, site_,
                                   {.ops = {Op::kPwrite},
                                    .paths = NoPaths,
                                    .can_be_short = !from.empty(),
                                    .can_be_dropped = true,
                                    .can_be_flipped = !from.empty(),
                                    .sectors = SpanOf(first, from.size())},
                                   op.probe);
  if (running.failure()) return *running.failure();
  if (running.dropped()) return {};
  std::vector<std::byte> spoilt;
  if (!running.flipped_bits().empty()) {
    spoilt.assign(from.begin(), from.end());
    Flip(running.flipped_bits(), spoilt);
    from = spoilt;
  }
  if (!running.short_bytes() || *running.short_bytes() >= from.size()) {
    return target().Write(op, first, from);
  }
  const std::size_t landed = *running.short_bytes() / kSectorBytes * kSectorBytes;
  if (Result<void> done = target().Write(op, first, from.first(landed)); !done.ok()) return done;
  return Errno::kIo;
}

Result<void> FaultyDevice::Flush(const OpContext& op) {
  const FaultPlan::Running running(
      plan_, site_, {.ops = {Op::kFsync}, .paths = NoPaths, .can_be_dropped = true}, op.probe);
  if (running.failure()) return *running.failure();
  if (plan_.crashed()) return Errno::kIo;
  if (running.dropped()) return {};
  return target().Flush(op);
}

Result<void> FaultyDevice::Discard(const OpContext& op, SectorRange range) {
  CountChange();
  const FaultPlan::Running running(plan_, site_,
                                   {.ops = {Op::kDiscard},
                                    .paths = NoPaths,
                                    .can_be_dropped = true,
                                    .sectors = SectorSpan{range.first.value, range.count}},
                                   op.probe);
  if (running.failure()) return *running.failure();
  if (running.dropped()) return {};
  return target().Discard(op, range);
}

}  // namespace lamina::sim
