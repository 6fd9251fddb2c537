// What tests of the journal share: a small disk whose first blocks are homes and whose last ones
// are a journal, blocks that tell what is in them, and a device that keeps a list of its writes.
#ifndef LAMINA_TESTS_EXT_JOURNAL_FIXTURE_H_
#define LAMINA_TESTS_EXT_JOURNAL_FIXTURE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lamina/block/forwarding_device.h"
#include "lamina/block/mem_disk.h"
#include "lamina/ext/journal.h"
#include "tests/block/device_fixture.h"

namespace lamina {

inline constexpr std::uint32_t kBlockBytes = 1024;
inline constexpr std::uint32_t kHomeBlocks = 64;

// A write, or (no sector) a flush.
struct DeviceStep {
  std::optional<Sector> first;
  std::vector<std::byte> bytes;
};

// Passes everything on and keeps what was written, in order.
class RecordingDevice final : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override {
    steps.push_back({first, {from.begin(), from.end()}});
    return target().Write(op, first, from);
  }
  Result<void> Flush(const OpContext& op) override {
    steps.push_back({});
    return target().Flush(op);
  }

  std::vector<DeviceStep> steps;
};

// A disk of kHomeBlocks blocks and a journal of `journal_blocks` behind them, scattered backwards.
struct JournalDisk {
  explicit JournalDisk(std::uint32_t journal_blocks)
      : disk(std::uint64_t{kHomeBlocks + journal_blocks} * (kBlockBytes / kSectorBytes)) {
    layout.block_bytes = kBlockBytes;
    for (std::uint32_t i = journal_blocks; i-- > 0;) layout.blocks.push_back(kHomeBlocks + i);
  }

  Result<void> Format() {
    return Journal::Format(caller.Op(), disk, layout, Journal::Uuid{std::byte{0x55}});
  }
  std::unique_ptr<Journal> Open() { return OpenOn(disk); }
  std::unique_ptr<Journal> OpenOn(BlockDevice& device) {
    Result<std::unique_ptr<Journal>> opened = Journal::Open(caller.Op(), device, layout);
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  Caller caller;
  MemDisk disk;
  Journal::Layout layout;
};

inline std::vector<std::byte> BlockOf(int fill) {
  return std::vector<std::byte>(kBlockBytes, static_cast<std::byte>(fill));
}

// Commits one block per pair of number and fill.
inline Result<void> CommitFills(Journal& journal,
                                const std::vector<std::pair<std::uint32_t, int>>& fills,
                                const std::vector<std::uint32_t>& revoked = {}) {
  std::vector<std::vector<std::byte>> contents;
  std::vector<Journal::Block> blocks;
  contents.reserve(fills.size());
  for (const auto& [block, fill] : fills) {
    contents.push_back(BlockOf(fill));
    blocks.push_back({block, contents.back()});
  }
  return journal.Commit(Caller().Op(), blocks, revoked);
}

// The fill of a home block on the device; -1: not uniform.
inline int HomeFill(BlockDevice& device, std::uint32_t block) {
  const std::vector<int> fills = Fills(device, std::uint64_t{block} * 2, 2);
  return fills.size() == 2 && fills[0] == fills[1] ? fills[0] : -1;
}

}  // namespace lamina
#endif  // LAMINA_TESTS_EXT_JOURNAL_FIXTURE_H_
