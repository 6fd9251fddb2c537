// Errno: the error numbers of the data plane, with Linux's values and names.
//
// Data-plane calls return Result<T> with one of these: no message, no allocation. The facade turns
// one into an absl::Status with a path and a reason.
//
// Threads: values only.
#ifndef LAMINA_BASE_ERRNO_H_
#define LAMINA_BASE_ERRNO_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace lamina {

enum class Errno : std::uint16_t {
  kPerm = 1,
  kNoEnt = 2,
  kIntr = 4,
  kIo = 5,
  kNxIo = 6,
  k2Big = 7,
  kBadF = 9,
  kAgain = 11,
  kNoMem = 12,
  kAccess = 13,
  kFault = 14,
  kNotBlk = 15,
  kBusy = 16,
  kExist = 17,
  kXDev = 18,
  kNoDev = 19,
  kNotDir = 20,
  kIsDir = 21,
  kInval = 22,
  kNFile = 23,
  kMFile = 24,
  kNoTty = 25,
  kTxtBsy = 26,
  kFBig = 27,
  kNoSpc = 28,
  kSPipe = 29,
  kRoFs = 30,
  kMLink = 31,
  kPipe = 32,
  kDom = 33,
  kRange = 34,
  kDeadLk = 35,
  kNameTooLong = 36,
  kNoLck = 37,
  kNoSys = 38,
  kNotEmpty = 39,
  kLoop = 40,
  kNoData = 61,
  kTime = 62,
  kNoLink = 67,
  kProto = 71,
  kBadMsg = 74,
  kOverflow = 75,
  kOpNotSupp = 95,
  kTimedOut = 110,
  kStale = 116,
  kUClean = 117,
  kRemote = 66,
  kDQuot = 122,
  kNoMedium = 123,
};

// The symbolic name, for example "ENOENT". kOpNotSupp is "EOPNOTSUPP" and kAgain is "EAGAIN".
std::string_view ErrnoName(Errno error);

// The sentence of the C library in the C locale, for example "No such file or directory".
std::string_view ErrnoText(Errno error);

// The number for a symbolic name; nothing when `name` is not one of the names above.
std::optional<Errno> ErrnoFromName(std::string_view name);

}  // namespace lamina
#endif  // LAMINA_BASE_ERRNO_H_
