#include "vfs/fs/mem_security.h"

#include "lamina/base/check.h"

namespace lamina::internal {
namespace {

constexpr std::uint64_t kShortTargetBytes = 128;

}  // namespace

std::uint64_t TargetPages(std::uint64_t target_bytes) {
  return target_bytes > kShortTargetBytes ? 1 : 0;
}

XattrTable& WritableXattrs(Node& node) {
  if (!node.xattrs) {
    node.xattrs = Ref<XattrTable>::Adopt(new XattrTable());
  } else if (!node.xattrs->exclusive()) {
    node.xattrs = Ref<XattrTable>::Adopt(new XattrTable(*node.xattrs));
  }
  return *node.xattrs;
}

PosixAcl FindAcl(const Node& node, std::string_view key) {
  const std::string* value = node.xattrs ? node.xattrs->Find(key) : nullptr;
  if (value == nullptr) return {};
  Result<PosixAcl> acl = ParsePosixAcl(*value);
  LAMINA_CHECK(acl.ok());  // checked when it was set
  return *std::move(acl);
}

AclOfNew InheritedFrom(const Node& dir, FileType type, std::uint16_t mode) {
  return InheritedByNew(FindAcl(dir, kDefaultAclKey), type, mode);
}

}  // namespace lamina::internal
