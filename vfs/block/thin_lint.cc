#include "lamina/block/thin_lint.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

namespace lamina {
namespace {

constexpr std::uint64_t kMinBlockSectors = 128;
constexpr std::uint64_t kMaxBlockSectors = 2097152;
constexpr std::uint32_t kMaxMappingTime = (1U << 24U) - 1;

std::uint64_t SaturatingSum(std::uint64_t a, std::uint64_t b) {
  return b > std::numeric_limits<std::uint64_t>::max() - a
             ? std::numeric_limits<std::uint64_t>::max()
             : a + b;
}

std::uint64_t EndOf(const ThinRun& run) { return SaturatingSum(run.origin_begin, run.length); }
std::uint64_t DataEndOf(const ThinRun& run) { return SaturatingSum(run.data_begin, run.length); }

std::string Text(std::uint64_t value) { return std::to_string(value); }

class Lint {
 public:
  explicit Lint(const ThinDump& dump) : dump_(dump) {}

  std::vector<ThinFinding> Run() {
    CheckPool();
    for (std::size_t i = 0; i < dump_.devices.size() && !full_; ++i) CheckDevice(i);
    CheckIdsAreUnique();
    return std::move(findings_);
  }

 private:
  void Find(ThinFindingKind kind, std::string what) {
    if (full_) return;
    if (findings_.size() + 1 == kMaxThinFindings) {
      findings_.push_back({kind, "there are more findings, which are not listed"});
      full_ = true;
      return;
    }
    findings_.push_back({kind, std::move(what)});
  }
  void Damage(std::string what) { Find(ThinFindingKind::kDamage, std::move(what)); }
  void Odd(std::string what) { Find(ThinFindingKind::kOdd, std::move(what)); }

  void CheckPool() {
    if (dump_.version != 2) Odd("version is " + Text(dump_.version) + ", not 2");
    const std::uint64_t size = dump_.data_block_size;
    if (size < kMinBlockSectors || size > kMaxBlockSectors || size % kMinBlockSectors != 0) {
      Odd("data_block_size " + Text(size) + " is not a multiple of 128 in 128..2097152");
    }
    if (dump_.time > kMaxMappingTime) {
      Odd("the pool's time " + Text(dump_.time) + " needs more than 24 bits");
    }
    if (dump_.nr_data_blocks > kMaxThinDataBlocks) {
      Damage("nr_data_blocks " + Text(dump_.nr_data_blocks) + " is more than 2^40");
    }
  }

  void CheckDevice(std::size_t index) {
    const ThinDumpDevice& device = dump_.devices[index];
    const std::string name = "device " + Text(device.dev_id);
    if (device.dev_id > kMaxThinId) Odd(name + ": the id needs more than 24 bits");
    if (index > 0 && device.dev_id < dump_.devices[index - 1].dev_id) {
      Odd(name + " comes after device " + Text(dump_.devices[index - 1].dev_id));
    }
    if (device.creation_time > device.snap_time) {
      Odd(name + ": creation_time " + Text(device.creation_time) + " is later than snap_time " +
          Text(device.snap_time));
    }
    if (device.snap_time > dump_.time) {
      Odd(name + ": snap_time " + Text(device.snap_time) + " is later than the pool's time " +
          Text(dump_.time));
    }
    if (device.transaction > dump_.transaction) {
      Odd(name + ": transaction " + Text(device.transaction) + " is later than the pool's " +
          Text(dump_.transaction));
    }
    std::uint64_t mapped = 0;
    for (const ThinRun& run : device.runs) {
      CheckRun(name, run);
      mapped = SaturatingSum(mapped, run.length);
    }
    if (mapped != device.mapped_blocks) {
      Damage(name + ": mapped_blocks is " + Text(device.mapped_blocks) + ", but " + Text(mapped) +
             " are mapped");
    }
    CheckOrder(name, device.runs);
    CheckOverlap(name, device.runs, "virtual block", ThinFindingKind::kDamage,
                 [](const ThinRun& run) { return run.origin_begin; });
    CheckOverlap(name, device.runs, "data block", ThinFindingKind::kOdd,
                 [](const ThinRun& run) { return run.data_begin; });
  }

  void CheckRun(const std::string& name, const ThinRun& run) {
    const std::string where = name + ", virtual block " + Text(run.origin_begin) + ": ";
    if (run.length == 0) {
      Odd(where + "an empty run");
      return;
    }
    if (DataEndOf(run) > dump_.nr_data_blocks) {
      Damage(where + "data block " + Text(DataEndOf(run) - 1) + " is past the pool's " +
             Text(dump_.nr_data_blocks));
    }
    if (run.time > kMaxMappingTime) {
      Damage(where + "time " + Text(run.time) + " needs more than 24 bits");
    } else if (run.time > dump_.time) {
      Odd(where + "time " + Text(run.time) + " is later than the pool's time " + Text(dump_.time));
    }
  }

  void CheckOrder(const std::string& name, const std::vector<ThinRun>& runs) {
    for (std::size_t i = 1; i < runs.size() && !full_; ++i) {
      const ThinRun& last = runs[i - 1];
      const ThinRun& next = runs[i];
      if (next.origin_begin < last.origin_begin) {
        Odd(name + ": virtual block " + Text(next.origin_begin) + " comes after " +
            Text(last.origin_begin));
      }
      if (EndOf(last) == next.origin_begin && DataEndOf(last) == next.data_begin &&
          last.time == next.time) {
        Odd(name + ": the run at virtual block " + Text(next.origin_begin) +
            " goes on with the one before");
      }
    }
  }

  // Do the runs, from `begin_of` on, lie apart? The first place where they do not is told.
  void CheckOverlap(const std::string& name, std::vector<ThinRun> runs, std::string_view unit,
                    ThinFindingKind kind, std::uint64_t (*begin_of)(const ThinRun&)) {
    std::erase_if(runs, [](const ThinRun& run) { return run.length == 0; });
    std::sort(runs.begin(), runs.end(),
              [&](const ThinRun& a, const ThinRun& b) { return begin_of(a) < begin_of(b); });
    for (std::size_t i = 1; i < runs.size(); ++i) {
      if (SaturatingSum(begin_of(runs[i - 1]), runs[i - 1].length) <= begin_of(runs[i])) continue;
      std::string what = name + ": ";
      what.append(unit);
      Find(kind, what + ' ' + Text(begin_of(runs[i])) + " is mapped more than once");
      return;
    }
  }

  void CheckIdsAreUnique() {
    std::vector<std::uint64_t> ids;
    for (const ThinDumpDevice& device : dump_.devices) ids.push_back(device.dev_id);
    std::sort(ids.begin(), ids.end());
    for (std::size_t i = 1; i < ids.size() && !full_; ++i) {
      const bool first_of_them = i < 2 || ids[i - 2] != ids[i];
      if (ids[i] == ids[i - 1] && first_of_them) {
        Damage("device " + Text(ids[i]) + " is there more than once");
      }
    }
  }

  const ThinDump& dump_;
  std::vector<ThinFinding> findings_;
  bool full_ = false;
};

}  // namespace

std::vector<ThinFinding> LintThinDump(const ThinDump& dump) { return Lint(dump).Run(); }

}  // namespace lamina
