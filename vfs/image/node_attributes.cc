#include "vfs/image/node_attributes.h"

#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "lamina/base/check.h"

namespace lamina {
namespace {

absl::Status XattrError(Errno error, const std::string& key) {
  const absl::Status status = MemFsError(error, "setting");
  return absl::Status(status.code(), absl::StrFormat("xattr \"%s\": %s", absl::CEscape(key),
                                                     std::string(status.message())));
}

absl::Status SetXattrs(const OpContext& op, MemFs& fs, NodeId node,
                       const NodeAttributes& attributes, std::uint64_t& dropped) {
  const Result<std::vector<std::string>> before = fs.ListXattr(op, node);
  if (!before.ok()) return MemFsError(before.error(), "listing xattrs");
  for (const std::string& key : *before) {
    if (attributes.xattrs.contains(key)) continue;
    const Result<void> removed = fs.RemoveXattr(op, node, key);
    if (!removed.ok()) return XattrError(removed.error(), key);
  }
  for (const auto& [key, value] : attributes.xattrs) {
    const Result<void> set = fs.SetXattr(op, node, key, value, XattrMode::kSet);
    if (set.ok()) continue;
    const bool unsupported = set.error() == Errno::kOpNotSupp || set.error() == Errno::kPerm;
    if (!unsupported) return XattrError(set.error(), key);
    ++dropped;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MemFsError(Errno error, std::string_view doing) {
  const std::string message = absl::StrFormat("%s: %s", doing, ErrnoText(error));
  switch (error) {
    case Errno::kNoSpc:
    case Errno::kFBig:
    case Errno::kMLink:
      return absl::ResourceExhaustedError(message);
    case Errno::kExist:
      return absl::AlreadyExistsError(message);
    case Errno::kRoFs:
      return absl::FailedPreconditionError(message);
    case Errno::kNameTooLong:
    case Errno::kInval:
    case Errno::kRange:
    case Errno::k2Big:
    case Errno::kPerm:
    case Errno::kOpNotSupp:
      return absl::InvalidArgumentError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::Status SetAttributes(MemFs& fs, NodeId node, const NodeAttributes& attributes,
                           std::uint64_t& dropped) {
  const Credentials root = RootCredentials();
  const OpContext op{root, attributes.ctime, {}};
  // First the owner, which takes set-id bits away; then the mode; then ACLs, whose mask a change of
  // mode would rewrite.
  AttrChange owner;
  owner.uid = attributes.uid;
  owner.gid = attributes.gid;
  AttrChange rest;
  rest.mode = attributes.mode;
  rest.atime = attributes.atime;
  rest.mtime = attributes.mtime;
  Result<void> set = fs.SetAttr(op, node, owner);
  if (set.ok()) set = fs.SetAttr(op, node, rest);
  if (!set.ok()) return MemFsError(set.error(), "setting attributes");
  absl::Status xattrs = SetXattrs(op, fs, node, attributes, dropped);
  if (!xattrs.ok()) return xattrs;
  set = fs.SetChangeTime(node, attributes.ctime);
  if (!set.ok()) return MemFsError(set.error(), "setting ctime");
  return absl::OkStatus();
}

NodeAttributes GetAttributes(MemFs& fs, NodeId node) {
  const Credentials root = RootCredentials();
  const OpContext op{root, {}, {}};
  const Result<Stat> stat = fs.GetAttr(op, node);
  LAMINA_CHECK(stat.ok());
  NodeAttributes attributes{stat->mode,  stat->uid,   stat->gid, stat->atime,
                            stat->mtime, stat->ctime, {}};
  const Result<std::vector<std::string>> keys = fs.ListXattr(op, node);
  LAMINA_CHECK(keys.ok());
  for (const std::string& key : *keys) {
    Result<std::string> value = fs.GetXattr(op, node, key);
    LAMINA_CHECK(value.ok());
    attributes.xattrs.emplace(key, *std::move(value));
  }
  return attributes;
}

}  // namespace lamina
