#include "lamina/base/errno.h"

#include <algorithm>
#include <array>

namespace lamina {
namespace {

struct Row {
  Errno error;
  std::string_view name;
  std::string_view text;
};

// Ascending by number. The sentences are those of the GNU C library in the C locale.
constexpr std::array<Row, 50> kRows = {{
    {Errno::kPerm, "EPERM", "Operation not permitted"},
    {Errno::kNoEnt, "ENOENT", "No such file or directory"},
    {Errno::kIntr, "EINTR", "Interrupted system call"},
    {Errno::kIo, "EIO", "Input/output error"},
    {Errno::kNxIo, "ENXIO", "No such device or address"},
    {Errno::k2Big, "E2BIG", "Argument list too long"},
    {Errno::kBadF, "EBADF", "Bad file descriptor"},
    {Errno::kAgain, "EAGAIN", "Resource temporarily unavailable"},
    {Errno::kNoMem, "ENOMEM", "Cannot allocate memory"},
    {Errno::kAccess, "EACCES", "Permission denied"},
    {Errno::kFault, "EFAULT", "Bad address"},
    {Errno::kNotBlk, "ENOTBLK", "Block device required"},
    {Errno::kBusy, "EBUSY", "Device or resource busy"},
    {Errno::kExist, "EEXIST", "File exists"},
    {Errno::kXDev, "EXDEV", "Invalid cross-device link"},
    {Errno::kNoDev, "ENODEV", "No such device"},
    {Errno::kNotDir, "ENOTDIR", "Not a directory"},
    {Errno::kIsDir, "EISDIR", "Is a directory"},
    {Errno::kInval, "EINVAL", "Invalid argument"},
    {Errno::kNFile, "ENFILE", "Too many open files in system"},
    {Errno::kMFile, "EMFILE", "Too many open files"},
    {Errno::kNoTty, "ENOTTY", "Inappropriate ioctl for device"},
    {Errno::kTxtBsy, "ETXTBSY", "Text file busy"},
    {Errno::kFBig, "EFBIG", "File too large"},
    {Errno::kNoSpc, "ENOSPC", "No space left on device"},
    {Errno::kSPipe, "ESPIPE", "Illegal seek"},
    {Errno::kRoFs, "EROFS", "Read-only file system"},
    {Errno::kMLink, "EMLINK", "Too many links"},
    {Errno::kPipe, "EPIPE", "Broken pipe"},
    {Errno::kDom, "EDOM", "Numerical argument out of domain"},
    {Errno::kRange, "ERANGE", "Numerical result out of range"},
    {Errno::kDeadLk, "EDEADLK", "Resource deadlock avoided"},
    {Errno::kNameTooLong, "ENAMETOOLONG", "File name too long"},
    {Errno::kNoLck, "ENOLCK", "No locks available"},
    {Errno::kNoSys, "ENOSYS", "Function not implemented"},
    {Errno::kNotEmpty, "ENOTEMPTY", "Directory not empty"},
    {Errno::kLoop, "ELOOP", "Too many levels of symbolic links"},
    {Errno::kNoData, "ENODATA", "No data available"},
    {Errno::kTime, "ETIME", "Timer expired"},
    {Errno::kRemote, "EREMOTE", "Object is remote"},
    {Errno::kNoLink, "ENOLINK", "Link has been severed"},
    {Errno::kProto, "EPROTO", "Protocol error"},
    {Errno::kBadMsg, "EBADMSG", "Bad message"},
    {Errno::kOverflow, "EOVERFLOW", "Value too large for defined data type"},
    {Errno::kOpNotSupp, "EOPNOTSUPP", "Operation not supported"},
    {Errno::kTimedOut, "ETIMEDOUT", "Connection timed out"},
    {Errno::kStale, "ESTALE", "Stale file handle"},
    {Errno::kUClean, "EUCLEAN", "Structure needs cleaning"},
    {Errno::kDQuot, "EDQUOT", "Disk quota exceeded"},
    {Errno::kNoMedium, "ENOMEDIUM", "No medium found"},
}};

const Row* FindRow(Errno error) {
  const auto* row =
      std::lower_bound(kRows.begin(), kRows.end(), error,
                       [](const Row& candidate, Errno wanted) { return candidate.error < wanted; });
  return row != kRows.end() && row->error == error ? row : nullptr;
}

}  // namespace

std::string_view ErrnoName(Errno error) {
  const Row* row = FindRow(error);
  return row != nullptr ? row->name : "E?";
}

std::string_view ErrnoText(Errno error) {
  const Row* row = FindRow(error);
  return row != nullptr ? row->text : "Unknown error";
}

std::optional<Errno> ErrnoFromName(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.error;
  }
  return std::nullopt;
}

}  // namespace lamina
