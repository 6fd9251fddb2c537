#include "lamina/union/object_handle.h"

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace lamina {
namespace {

// Shaped like the kernel's handle: version 0, magic 0xfb, length, flags, type; then what only the
// file system itself reads.
constexpr std::size_t kHeadBytes = 5;
constexpr std::size_t kHandleBytes = kHeadBytes + 16;
constexpr unsigned char kMagic = 0xfb;
constexpr unsigned char kFlagBigEndian = 1U << 0U;
constexpr unsigned char kFlagAnyEndian = 1U << 1U;
constexpr unsigned char kFlagWritable = 1U << 2U;
constexpr unsigned char kFlagsKnown = kFlagBigEndian | kFlagAnyEndian | kFlagWritable;
constexpr unsigned char kType = 0x4c;

std::string Head(bool of_writable) {
  std::string head(kHeadBytes, '\0');
  head[1] = static_cast<char>(kMagic);
  head[2] = static_cast<char>(kHandleBytes);
  head[3] = static_cast<char>(of_writable ? kFlagWritable : 0);
  head[4] = static_cast<char>(kType);
  return head;
}

// The files of a union may be on other devices than its root.
Result<std::uint64_t> DeviceOf(const OpContext& op, FileSystem& fs) {
  Result<Stat> root = fs.GetAttr(op, fs.root());
  if (!root.ok()) return root.error();
  return root->dev;
}

}  // namespace

bool HasHandles(const FileSystem& fs) { return fs.limits().file_handles; }

std::string EncodeHandle(const OpContext& op, FileSystem& fs, const Stat& stat, HandleOf of) {
  if (!HasHandles(fs)) return {};
  Result<std::uint64_t> device = DeviceOf(op, fs);
  if (!device.ok()) return {};
  std::string value = Head(of == HandleOf::kWritable);
  for (const std::uint64_t word : {*device, stat.node.value}) {
    char bytes[8];
    std::memcpy(bytes, &word, 8);
    value.append(bytes, 8);
  }
  return value;
}

Result<ObjectHandle> ParseHandle(std::string_view value) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(value[at]); };
  if (value.size() < kHandleBytes || byte(2) > value.size() || byte(1) != kMagic) {
    return Errno::kInval;
  }
  const unsigned char flags = byte(3);
  if (byte(0) != 0 || (flags & ~kFlagsKnown) != 0) return Errno::kNoData;
  if ((flags & kFlagAnyEndian) == 0 && (flags & kFlagBigEndian) != 0) return Errno::kNoData;
  ObjectHandle handle;
  handle.of_writable = (flags & kFlagWritable) != 0;
  handle.ours = value.size() == kHandleBytes && value.starts_with(Head(handle.of_writable));
  if (!handle.ours) return handle;
  std::memcpy(&handle.dev, value.data() + kHeadBytes, 8);
  std::memcpy(&handle.node.value, value.data() + kHeadBytes + 8, 8);
  return handle;
}

Result<Stat> DecodeHandle(const OpContext& op, FileSystem& fs, const ObjectHandle& handle) {
  if (!handle.ours || !HasHandles(fs)) return Errno::kStale;
  Result<std::uint64_t> device = DeviceOf(op, fs);
  if (!device.ok()) return device.error();
  if (*device != handle.dev) return Errno::kStale;
  Result<Stat> stat = fs.GetAttr(op, handle.node);
  if (stat.ok() && stat->nlink == 0) return Errno::kStale;
  return stat;
}

std::string IndexName(std::string_view handle) {
  return absl::BytesToHexString(absl::string_view(handle.data(), handle.size()));
}

Result<std::string> ParseIndexName(std::string_view name) {
  name.remove_suffix(name.size() % 2);  // the kernel does not look at it
  for (const char c : name) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return Errno::kInval;
  }
  std::string bytes = absl::HexStringToBytes(absl::string_view(name.data(), name.size()));
  if (Result<ObjectHandle> handle = ParseHandle(bytes); !handle.ok()) return handle.error();
  return bytes;
}

}  // namespace lamina
