#include "lamina/sim/fault.h"

#include <fnmatch.h>

#include <array>
#include <utility>

#include "absl/strings/str_format.h"

namespace lamina::sim {
namespace {

constexpr std::array<std::string_view, 34> kNames = {
    "lookup", "stat",      "readlink", "getxattr", "listxattr",  "open",     "readdir",
    "pread",  "lseek",     "mmap",     "statfs",   "fsync",      "syncfs",   "create",
    "mkdir",  "mknod",     "symlink",  "tmpfile",  "link",       "unlink",   "rmdir",
    "rename", "chmod",     "chown",    "utimens",  "truncate",   "setxattr", "removexattr",
    "pwrite", "fallocate", "reflink",  "discard",  "any change", "any call"};
static_assert(kNames.size() == static_cast<std::size_t>(Op::kAny) + 1);

// Calls of this kind give nothing back but an error, or a count of bytes.
bool CanBeDropped(Op op) {
  switch (op) {
    case Op::kFsync:
    case Op::kSyncfs:
    case Op::kLink:
    case Op::kUnlink:
    case Op::kRmdir:
    case Op::kRename:
    case Op::kChmod:
    case Op::kChown:
    case Op::kUtimens:
    case Op::kTruncate:
    case Op::kSetxattr:
    case Op::kRemovexattr:
    case Op::kPwrite:
    case Op::kFallocate:
    case Op::kDiscard:
    case Op::kAnyChange:
    case Op::kAny:
      return true;
    case Op::kLookup:
    case Op::kStat:
    case Op::kReadlink:
    case Op::kGetxattr:
    case Op::kListxattr:
    case Op::kOpen:
    case Op::kReadDir:
    case Op::kPread:
    case Op::kLseek:
    case Op::kMmap:
    case Op::kStatfs:
    case Op::kCreate:
    case Op::kMkdir:
    case Op::kMknod:
    case Op::kSymlink:
    case Op::kTmpfile:
    case Op::kReflink:
      return false;
  }
  return false;
}

}  // namespace

std::string_view OpName(Op op) { return kNames.at(static_cast<std::size_t>(op)); }

std::string OpSet::ToString() const {
  std::string text;
  for (unsigned i = 0; i < static_cast<unsigned>(Op::kAnyChange); ++i) {
    const auto op = static_cast<Op>(i);
    if (!Has(op)) continue;
    if (!text.empty()) text += '+';
    text += OpName(op);
  }
  return text;
}

// ── FaultCalls ─────────────────────────────────────────────────────────────────────────────────

FaultCalls& FaultCalls::Path(std::string_view pattern) {
  pattern_ = std::string(pattern);
  return *this;
}

FaultCalls& FaultCalls::AtMount() {
  place_ = FaultPlace::kMount;
  return *this;
}

FaultCalls& FaultCalls::AtBranch(std::string_view name) {
  place_ = FaultPlace::kBranch;
  name_ = std::string(name);
  return *this;
}

FaultCalls& FaultCalls::AtDevice(std::string_view name) {
  place_ = FaultPlace::kDevice;
  name_ = std::string(name);
  return *this;
}

FaultCalls& FaultCalls::Sectors(std::uint64_t first, std::uint64_t count) {
  sectors_ = SectorSpan{first, count};
  return *this;
}

FaultCalls& FaultCalls::After(std::uint64_t calls) {
  after_ = calls;
  return *this;
}

FaultCalls& FaultCalls::Times(std::uint64_t calls) {
  times_ = calls;
  return *this;
}

Fault FaultCalls::Fail(Errno error) const {
  Fault fault(*this, Fault::Effect::kFail);
  fault.error_ = error;
  return fault;
}

Fault FaultCalls::Fail(int host_errno) const { return Fail(static_cast<Errno>(host_errno)); }

Fault FaultCalls::ShortWrite(std::size_t bytes) const {
  Fault fault(*this, Fault::Effect::kShortWrite);
  fault.short_bytes_ = bytes;
  return fault;
}

Fault FaultCalls::Delay(Duration time) const {
  Fault fault(*this, Fault::Effect::kDelay);
  fault.delay_ = time;
  return fault;
}

Fault FaultCalls::FlipBit(std::uint64_t bit) const {
  Fault fault(*this, Fault::Effect::kFlipBit);
  fault.bit_ = bit;
  return fault;
}

Fault FaultCalls::Drop() const { return Fault(*this, Fault::Effect::kDrop); }
Fault FaultCalls::Crash() const { return Fault(*this, Fault::Effect::kCrash); }

// ── Fault ──────────────────────────────────────────────────────────────────────────────────────

Fault::Fault(FaultCalls calls, Effect effect) : calls_(std::move(calls)), effect_(effect) {}

std::optional<std::string> Fault::Mistake() const {
  if (effect_ == Effect::kFail && !ErrnoFromName(ErrnoName(error_))) {
    return absl::StrFormat("%d is no errno of lamina", static_cast<int>(error_));
  }
  if (effect_ == Effect::kShortWrite && op() != Op::kPwrite) {
    return absl::StrFormat("a %s cannot be cut short", OpName(op()));
  }
  if (effect_ == Effect::kShortWrite && short_bytes_ == 0) {
    return "a short write writes at least one byte";
  }
  if (effect_ == Effect::kDrop && !CanBeDropped(op())) {
    return absl::StrFormat("a %s gives something back and cannot be dropped", OpName(op()));
  }
  if (effect_ == Effect::kFlipBit && op() != Op::kPread && op() != Op::kPwrite) {
    return absl::StrFormat("a %s carries no bits to flip", OpName(op()));
  }
  if (calls_.sectors_ && calls_.sectors_->count == 0) return "a fault of 0 sectors hits nothing";
  if (calls_.times_ == std::uint64_t{0}) return "a fault of 0 times hits nothing";
  return std::nullopt;
}

std::string Fault::ToString() const {
  std::string text(OpName(op()));
  if (calls_.pattern_) absl::StrAppendFormat(&text, " of %s", *calls_.pattern_);
  if (calls_.sectors_) {
    absl::StrAppendFormat(&text, " of sectors %d+%d", calls_.sectors_->first,
                          calls_.sectors_->count);
  }
  if (place() == FaultPlace::kMount) text += " at the mount";
  if (place() == FaultPlace::kBranch) absl::StrAppendFormat(&text, " at %s", branch());
  if (place() == FaultPlace::kDevice) absl::StrAppendFormat(&text, " at device %s", device());
  if (calls_.after_ > 0) absl::StrAppendFormat(&text, ", after %d", calls_.after_);
  if (calls_.times_) {
    absl::StrAppendFormat(&text, ", %d time%s", *calls_.times_, *calls_.times_ == 1 ? "" : "s");
  }
  text += ": ";
  switch (effect_) {
    case Effect::kFail:
      return text + absl::StrFormat("fails with %s", ErrnoName(error_));
    case Effect::kShortWrite:
      return text + absl::StrFormat("writes %d B at most", short_bytes_);
    case Effect::kDelay:
      return text + absl::StrFormat("takes %d ns", delay_.virtual_ns);
    case Effect::kDrop:
      return text + "is dropped";
    case Effect::kFlipBit:
      return text + absl::StrFormat("has bit %d flipped", bit_);
    case Effect::kCrash:
      return text + "crashes";
  }
  return text;
}

bool Fault::MatchesPath(const std::string& path) const {
  return fnmatch(calls_.pattern_->c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

bool Fault::MatchesSectors(const std::optional<SectorSpan>& touched) const {
  if (!calls_.sectors_) return true;
  if (!touched || touched->count == 0) return false;
  const SectorSpan& mine = *calls_.sectors_;
  return touched->first >= mine.first ? touched->first - mine.first < mine.count
                                      : mine.first - touched->first < touched->count;
}

bool Fault::Hits(std::uint64_t count) const {
  if (count <= calls_.after_) return false;
  return !calls_.times_ || count - calls_.after_ <= *calls_.times_;
}

}  // namespace lamina::sim
