// Operations and outcomes as text of the scenario language.
#include <algorithm>
#include <array>
#include <cstdio>

#include "sim/model/operation.h"

namespace lamina::sim {
namespace {

constexpr std::array<std::string_view, kOperationKinds> kWords = {
    "mkdir",    "create",   "put",       "write",       "append",   "truncate",  "read",  "unlink",
    "rmdir",    "rename",   "link",      "symlink",     "readlink", "chmod",     "chown", "utimens",
    "setxattr", "getxattr", "listxattr", "removexattr", "mknod",    "fifo",      "sock",  "readdir",
    "stat",     "access",   "open",      "hread",       "hwrite",   "htruncate", "hstat", "hchmod",
    "hfsync",   "close",    "as",        "umask",       "umount",
};

// The bytes with `"`, `\`, control and high bytes written as escapes, and `also` too.
std::string Escape(std::string_view data, std::string_view also) {
  std::string text;
  for (const char byte : data) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') {
      text += '\\';
      text += byte;
    } else if (code < 0x20 || code >= 0x7f || also.find(byte) != std::string_view::npos) {
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", code);
      text += hex.data();
    } else {
      text += byte;
    }
  }
  return text;
}

std::string ShowData(std::string_view data) {
  const bool uniform = !data.empty() && data.find_first_not_of(data[0]) == std::string_view::npos;
  if (data.size() <= 64 || !uniform) return QuoteData(data);
  return std::string("fill:") + data[0] + ":" + std::to_string(data.size());
}

std::string ShowId(const std::optional<std::uint32_t>& id) {
  return id.has_value() ? std::to_string(*id) : "-1";
}

std::string ShowHow(const ModelOpenHow& how) {
  std::string text = how.write ? (how.read ? "rdwr" : "wronly") : "rdonly";
  if (how.create) text += ",creat";
  if (how.exclusive) text += ",excl";
  if (how.truncate) text += ",trunc";
  if (how.append) text += ",append";
  if (how.directory) text += ",directory";
  if (how.no_follow) text += ",nofollow";
  return text;
}

std::string ShowAccess(std::uint64_t wanted) {
  std::string text;
  if ((wanted & kModelRead) != 0) text += 'r';
  if ((wanted & kModelWrite) != 0) text += 'w';
  if ((wanted & kModelExecute) != 0) text += 'x';
  return text.empty() ? "f" : text;
}

std::string ShowXattrMode(ModelXattrMode mode) {
  if (mode == ModelXattrMode::kCreate) return " create";
  return mode == ModelXattrMode::kReplace ? " replace" : "";
}

std::string ShowRename(ModelRename mode) {
  switch (mode) {
    case ModelRename::kReplace:
      return "";
    case ModelRename::kNoReplace:
      return " noreplace";
    case ModelRename::kExchange:
      return " exchange";
    case ModelRename::kLeaveWhiteout:
      return " whiteout";
  }
  return "";
}

// What follows the word for calls that name a handle.
std::string HandleArguments(const ModelOperation& o) {
  const std::string handle = "h" + std::to_string(o.slot);
  switch (o.kind) {
    case OperationKind::kOpen:
      return handle + " " + QuoteData(o.path) + " " + ShowHow(o.how) + " " + ShowMode(o.mode);
    case OperationKind::kHandleRead:
      return handle + " " + std::to_string(o.number) + " " + std::to_string(o.second);
    case OperationKind::kHandleWrite:
      return handle + " " + std::to_string(o.number) + " " + ShowData(o.data);
    case OperationKind::kHandleTruncate:
      return handle + " " + std::to_string(o.number);
    case OperationKind::kHandleChmod:
      return handle + " " + ShowMode(o.mode);
    default:
      return handle;
  }
}

// What follows the path.
std::string PathArguments(const ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kMkdir:
    case OperationKind::kCreate:
    case OperationKind::kChmod:
    case OperationKind::kFifo:
    case OperationKind::kSocket:
      return " " + ShowMode(o.mode);
    case OperationKind::kPut:
      return " " + ShowMode(o.mode) + " " + ShowData(o.data);
    case OperationKind::kWrite:
      return " " + std::to_string(o.number) + " " + ShowData(o.data);
    case OperationKind::kAppend:
      return " " + ShowData(o.data);
    case OperationKind::kTruncate:
      return " " + std::to_string(o.number);
    case OperationKind::kRename:
      return " " + QuoteData(o.other) + ShowRename(o.rename);
    case OperationKind::kLink:
      return " " + QuoteData(o.other);
    case OperationKind::kChown:
      return " " + ShowId(o.uid) + " " + ShowId(o.gid);
    case OperationKind::kUtimens:
      return " " + std::to_string(o.number) + " " + std::to_string(o.number);
    case OperationKind::kSetXattr:
      return " " + o.other + " " + ShowData(o.data) + ShowXattrMode(o.xattr);
    case OperationKind::kGetXattr:
    case OperationKind::kRemoveXattr:
      return " " + o.other;
    case OperationKind::kMknod:
      return " " + ShowMode(o.mode) + " " + TypeLetter(o.type) + " " + std::to_string(o.number) +
             " " + std::to_string(o.second);
    case OperationKind::kAccess:
      return " " + ShowAccess(o.number);
    default:
      return "";
  }
}

}  // namespace

std::string_view OperationWord(OperationKind kind) { return kWords[static_cast<int>(kind)]; }

std::string ModelOperation::Show() const {
  const std::string word(OperationWord(kind));
  if (kind == OperationKind::kRemount) return "umount\nmount";
  if (kind == OperationKind::kAs) return word + " " + ShowId(uid) + " " + ShowId(gid);
  if (kind == OperationKind::kUmask) return word + " " + ShowMode(mode);
  if (kind == OperationKind::kSymlink) return word + " " + QuoteData(other) + " " + QuoteData(path);
  const bool on_handle = kind >= OperationKind::kOpen && kind <= OperationKind::kClose;
  if (on_handle) return word + " " + HandleArguments(*this);
  return word + " " + QuoteData(path) + PathArguments(*this);
}

std::string ModelOutcome::Show() const {
  if (error.has_value()) return std::string(ErrnoName(*error));
  switch (kind) {
    case Value::kNone:
      return "OK";
    case Value::kCount:
      return "OK " + value;
    case Value::kData:
      return QuoteData(value);
    case Value::kText:
      return value;
  }
  return value;
}

std::string QuoteData(std::string_view data) { return "\"" + Escape(data, "") + "\""; }

std::string ShowListing(std::vector<ListedName> names) {
  std::sort(names.begin(), names.end(),
            [](const ListedName& one, const ListedName& other) { return one.name < other.name; });
  std::string text = "[";
  for (const ListedName& entry : names) {
    if (text.size() > 1) text += ' ';
    text += Escape(entry.name, " ") + ":" + TypeLetter(entry.type);
  }
  return text + "]";
}

std::string ShowKeys(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  std::string text = "[";
  for (const std::string& key : keys) {
    if (text.size() > 1) text += ' ';
    text += Escape(key, "");
  }
  return text + "]";
}

std::string ShowTime(std::int64_t time_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (time_ns >= kSecond * kSecond) return "now";
  std::array<char, 48> text{};
  if (time_ns % kSecond == 0) return std::to_string(time_ns / kSecond);
  std::snprintf(text.data(), text.size(), "%lld.%09lld", static_cast<long long>(time_ns / kSecond),
                static_cast<long long>(time_ns % kSecond));
  return text.data();
}

std::string ShowMode(std::uint16_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode));
  return text.data();
}

std::string ShowStat(const ModelInode& inode, std::uint64_t size_bytes, std::uint32_t links) {
  std::string text = std::string(1, TypeLetter(inode.type)) + " " + ShowMode(inode.mode) + " " +
                     std::to_string(inode.uid) + ":" + std::to_string(inode.gid);
  const bool sized = inode.type == ModelType::kFile || inode.type == ModelType::kSymlink;
  if (sized) text += " size=" + std::to_string(size_bytes);
  if (!inode.is_directory() || links != 0) text += " nlink=" + std::to_string(links);
  if (inode.is_device()) {
    text += " rdev=" + std::to_string(inode.major) + ":" + std::to_string(inode.minor);
  }
  return text + " mtime=" + ShowTime(inode.mtime_ns);
}

}  // namespace lamina::sim
