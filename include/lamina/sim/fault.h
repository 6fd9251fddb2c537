// Fault: a rule that makes calls go wrong. Rules, not mocks: which calls, and what happens to them.
//
//   Fault::On(Op::kPwrite).Path("/big").After(3).Times(1).Fail(ENOSPC)
//
// reads: of the calls that write to /big let three pass, let the fourth fail with ENOSPC, and leave
// all later ones alone.
//
//   Op       what the call does; kAnyChange is every call that would change something
//   Path     what it is about; absent: anything
//   AtMount, AtBranch, AtDevice
//            where it is seen; absent: anywhere
//   Sectors  which sectors of a device it touches; absent: any
//   After    so many matching calls pass first; absent: none
//   Times    so many are hit then, one after the other; absent: all
//
// Path is a pattern of fnmatch(3) with FNM_PATHNAME: `*` and `?` do not match '/'. A call matches
// when it is about such a path, or is made on behalf of a call on the mount that is: the file a
// copy-up prepares has no name, but it is prepared for /big. At the mount a path is one of the
// merged tree, at a branch one of the branch, in both the one the node was last found under.
//
// A call is counted at the outermost place where it matches: a Pwrite on the mount is one call, not
// a second one in the branch. An Unlink of the mount that makes a whiteout in the branch is an
// Unlink at the mount and a Mknod and a Rename at the branch.
//
// The body of a copy-up counts as one kPwrite for each 64 KiB of data, holes apart, and at least
// one: the kernel copies through a pipe of 16 pages (fs/splice.c, PIPE_DEF_BUFFERS). So a file of
// 1 MiB is 16 calls, even where lamina shares the pages instead of copying them.
//
// On a block device a read is a kPread, a write a kPwrite, a flush a kFsync. A flush touches no
// sector.
//
// Threads: plain values.
#ifndef LAMINA_SIM_FAULT_H_
#define LAMINA_SIM_FAULT_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "lamina/base/errno.h"
#include "lamina/base/time.h"

namespace lamina::sim {

// What a call does, in the words of POSIX.
enum class Op : std::uint8_t {
  // These change nothing.
  kLookup,
  kStat,
  kReadlink,
  kGetxattr,
  kListxattr,
  kOpen,
  kReadDir,
  kPread,
  kLseek,
  kMmap,
  kStatfs,
  kFsync,
  kSyncfs,
  // These do.
  kCreate,  // a regular file with a name
  kMkdir,
  kMknod,  // devices, fifos, sockets; at a branch also whiteouts
  kSymlink,
  kTmpfile,  // a file without a name; at a branch also the beginning of a copy-up
  kLink,
  kUnlink,
  kRmdir,
  kRename,
  kChmod,
  kChown,
  kUtimens,
  kTruncate,  // also by an open
  kSetxattr,
  kRemovexattr,
  kPwrite,
  kFallocate,
  kReflink,
  kDiscard,  // of a block device
  // These stand for many.
  kAnyChange,
  kAny,
};
// "pwrite"; kAnyChange is "any change".
std::string_view OpName(Op op);

// What one call does: a SetAttr may be a chmod and a utimens.
class OpSet {
 public:
  constexpr OpSet(std::initializer_list<Op> ops) {
    for (const Op op : ops) Add(op);
  }
  // Not kAnyChange or kAny.
  constexpr void Add(Op op) { bits_ |= Bit(op); }
  constexpr bool Has(Op op) const {
    if (op == Op::kAny) return bits_ != 0;
    return op == Op::kAnyChange ? changes() : (bits_ & Bit(op)) != 0;
  }
  // Something would be different afterwards.
  constexpr bool changes() const { return (bits_ & ~(Bit(Op::kCreate) - 1)) != 0; }
  std::string ToString() const;  // "chmod+utimens"

 private:
  static constexpr std::uint64_t Bit(Op op) {
    return std::uint64_t{1} << static_cast<unsigned>(op);
  }
  std::uint64_t bits_ = 0;
};

enum class FaultPlace : std::uint8_t { kAnywhere, kMount, kBranch, kDevice };

class Fault;

struct SectorSpan {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

// The calls a fault is about. The last word, the effect, makes a Fault of it.
class FaultCalls {
 public:
  explicit FaultCalls(Op op) : op_(op) {}

  FaultCalls& Path(std::string_view pattern);
  FaultCalls& AtMount();
  FaultCalls& AtBranch(std::string_view name);
  FaultCalls& AtDevice(std::string_view name);
  // At least one of `count` sectors from `first`; only calls on devices match then.
  FaultCalls& Sectors(std::uint64_t first, std::uint64_t count);
  FaultCalls& After(std::uint64_t calls);
  FaultCalls& Times(std::uint64_t calls);

  // The call is not done and gives this error.
  Fault Fail(Errno error) const;
  Fault Fail(int host_errno) const;
  // A write writes only its first `bytes` bytes, at least 1, and says so. (A piece of a copy-up
  // that is cut short is continued.) A device knows no short count: the whole sectors in `bytes`
  // land, the others do not, and the call gives EIO.
  Fault ShortWrite(std::size_t bytes) const;
  // The call takes so long: the clock is that much later after it.
  Fault Delay(Duration time) const;
  // The call says that it was done, and was not: a lost write, a lost flush. Calls that give
  // something back are left alone. (A piece of a copy-up: the whole body is lost.)
  Fault Drop() const;
  // One bit is wrong: in what a read of a device gives, or in what a write puts on the medium. Bit
  // 9 is the second lowest of the second byte; counted modulo the length.
  Fault FlipBit(std::uint64_t bit) const;
  // The machine stops before the call: it is not done, and neither is any change after it. All of
  // them give EIO.
  Fault Crash() const;

 private:
  friend class Fault;
  Op op_;
  FaultPlace place_ = FaultPlace::kAnywhere;
  std::string name_;  // of the branch or device
  std::optional<SectorSpan> sectors_;
  std::optional<std::string> pattern_;
  std::uint64_t after_ = 0;
  std::optional<std::uint64_t> times_;
};

class Fault {
 public:
  enum class Effect : std::uint8_t { kFail, kShortWrite, kDelay, kDrop, kFlipBit, kCrash };

  static FaultCalls On(Op op) { return FaultCalls(op); }

  // What cannot be meant: an errno that lamina does not know, a short write of 0 bytes or of
  // something else than a write, a call that cannot be dropped, a flipped bit of something else
  // than a read or a write, no sectors or times. Nothing when all is well.
  std::optional<std::string> Mistake() const;
  // "pwrite of /big at upper, after 3, 1 time: fails with ENOSPC"
  std::string ToString() const;

  Op op() const { return calls_.op_; }
  FaultPlace place() const { return calls_.place_; }
  const std::string& branch() const { return calls_.name_; }  // of place kBranch
  const std::string& device() const { return calls_.name_; }  // of place kDevice
  bool has_pattern() const { return calls_.pattern_.has_value(); }
  bool MatchesPath(const std::string& path) const;  // only when has_pattern()
  // Does a call on `touched` (nothing: no sectors) match?
  bool MatchesSectors(const std::optional<SectorSpan>& touched) const;
  // Does the rule hit the matching call number `count`, counted from 1?
  bool Hits(std::uint64_t count) const;

  Effect effect() const { return effect_; }
  Errno error() const { return error_; }                    // kFail; kIo for kCrash
  std::size_t short_bytes() const { return short_bytes_; }  // kShortWrite
  Duration delay() const { return delay_; }                 // kDelay
  std::uint64_t bit() const { return bit_; }                // kFlipBit

 private:
  friend class FaultCalls;
  Fault(FaultCalls calls, Effect effect);

  FaultCalls calls_;
  Effect effect_;
  Errno error_ = Errno::kIo;
  std::size_t short_bytes_ = 0;
  Duration delay_;
  std::uint64_t bit_ = 0;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_FAULT_H_
