// ModelOperation: one call as plain data. It shows itself as a line of the scenario language, and
// can be applied to a model. Whoever tests a file system draws operations, applies each one to both
// and compares the outcomes.
//
//   rename /a /b exchange        open h1 /d/f rdwr,creat 0644        hwrite h1 3 "xyz"
//
// Threads: plain values, pure functions of the model.
#ifndef LAMINA_SIM_MODEL_OPERATION_H_
#define LAMINA_SIM_MODEL_OPERATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lamina/base/errno.h"
#include "sim/model/posix.h"

namespace lamina::sim {

enum class OperationKind : std::uint8_t {
  kMkdir,
  kCreate,
  kPut,
  kWrite,
  kAppend,
  kTruncate,
  kRead,
  kUnlink,
  kRmdir,
  kRename,
  kLink,
  kSymlink,
  kReadlink,
  kChmod,
  kChown,
  kUtimens,
  kSetXattr,
  kGetXattr,
  kListXattr,
  kRemoveXattr,
  kMknod,
  kFifo,
  kSocket,
  kReaddir,
  kStat,
  kAccess,
  kOpen,
  kHandleRead,
  kHandleWrite,
  kHandleTruncate,
  kHandleStat,
  kHandleChmod,
  kHandleSync,
  kClose,
  kAs,
  kUmask,
  kRemount,  // umount and mount again: open files are closed first
};
inline constexpr int kOperationKinds = static_cast<int>(OperationKind::kRemount) + 1;

// The word of the scenario language.
std::string_view OperationWord(OperationKind kind);

struct ModelOperation {
  OperationKind kind = OperationKind::kStat;
  std::string path;
  std::string other;  // second path of rename and link; target of symlink; xattr key
  std::uint16_t mode = 0;
  std::uint64_t number = 0;          // offset, size, seconds of utimens, access bits, major
  std::uint64_t second = 0;          // length to read, minor
  std::optional<std::uint32_t> uid;  // chown (absent: -1), as
  std::optional<std::uint32_t> gid;
  std::string data;
  ModelRename rename = ModelRename::kReplace;
  ModelXattrMode xattr = ModelXattrMode::kSet;
  ModelType type = ModelType::kCharDevice;  // mknod
  ModelOpenHow how;                         // open
  int slot = 0;                             // handles: h0, h1, …

  // One line of the scenario language.
  std::string Show() const;
};

// What a call gave back. `value` is empty for calls that only succeed.
struct ModelOutcome {
  enum class Value : std::uint8_t { kNone, kCount, kData, kText };
  std::optional<Errno> error;
  Value kind = Value::kNone;
  std::string value;           // a number, raw bytes, or text of the scenario language
  std::uint64_t identity = 0;  // stat and hstat: equal for one (st_dev, st_ino); 0 not compared

  bool ok() const { return !error.has_value(); }
  // As in a recording, data always as quoted text: OK, OK 3, ENOENT, "abc", [a:d b:f].
  std::string Show() const;
};

// Does the reference say what this call does in this state? A call of which it does not is no test.
bool IsSettled(const PosixModel& model, const ModelOperation& operation);

ModelOutcome ApplyOperation(PosixModel& model, const ModelOperation& operation);

// Pieces of the scenario language, for whoever has the same facts from elsewhere.
std::string QuoteData(std::string_view data);
std::string ShowListing(std::vector<ListedName> names);  // [a:d b:f], sorted
std::string ShowKeys(std::vector<std::string> keys);     // [user.a user.b], sorted
std::string ShowTime(std::int64_t time_ns);              // 1000, 1.5, now
std::string ShowMode(std::uint16_t mode);                // 0644
// f 0600 0:0 size=3 nlink=1 mtime=1000. No nlink when `links` is 0 and it is a directory.
std::string ShowStat(const ModelInode& inode, std::uint64_t size_bytes, std::uint32_t links);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_OPERATION_H_
