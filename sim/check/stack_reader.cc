#include "sim/check/stack_reader.h"

#include <algorithm>

#include "lamina/sim/text_style.h"
#include "lamina/union/object_handle.h"

namespace lamina::sim::internal {

StackReader::StackReader(const CheckedStack& stack)
    : stack_(stack), prefix_(stack.options.userxattr ? "user.overlay." : "trusted.overlay.") {
  const std::vector<Branch>& branches = stack.branches;
  std::size_t lowers = 0;
  std::size_t data_only = 0;
  for (const Branch& branch : branches) {
    if (branch.data_only) {
      ++data_only;
    } else {
      ++named_count_;
      if (branch.mode != BranchMode::kReadWrite) ++lowers;
    }
  }
  for (const Branch& branch : branches) {
    if (stack.aufs) {
      labels_.push_back('b' + std::to_string(labels_.size()));
    } else if (branch.data_only) {
      labels_.push_back('D' + std::to_string(data_only--));
    } else if (branch.mode == BranchMode::kReadWrite) {
      labels_.push_back("U");
    } else {
      labels_.push_back('L' + std::to_string(lowers--));
    }
  }
}

bool StackReader::IsWritable(BranchIndex index) const {
  return stack_.branches[index].mode == BranchMode::kReadWrite;
}

Parts StackReader::RootsFrom(std::size_t first) const {
  Parts roots;
  for (std::size_t i = first; i < named_count_; ++i) {
    roots.push_back({static_cast<BranchIndex>(i), stack_.branches[i].root});
  }
  return roots;
}

Result<std::optional<Part>> StackReader::Child(const Part& dir, std::string_view name) const {
  const Result<NodeId> node = fs(dir.branch).Lookup(op(), {dir.node, name});
  if (node.ok()) return std::optional<Part>({dir.branch, *node});
  // A name that is listed by a layer that is itself a union need not be found; nor one too long for
  // a layer below.
  const bool absent = node.error() == Errno::kNoEnt || node.error() == Errno::kNameTooLong ||
                      node.error() == Errno::kStale;
  if (absent) return std::optional<Part>();
  return node.error();
}

Result<std::vector<StackReader::Named>> StackReader::List(FileSystem& fs, NodeId dir) const {
  const Result<HandleId> handle = fs.Open(op(), dir, {});
  if (!handle.ok()) return handle.error();
  std::vector<Named> entries;
  const Result<DirCookie> end = fs.ReadDir(op(), *handle, {}, [&](const DirEntry& entry) {
    entries.push_back({std::string(entry.name), entry.type});
    return true;
  });
  fs.Close(*handle);
  if (!end.ok()) return end.error();
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::optional<std::string> StackReader::Mark(FileSystem& fs, NodeId node,
                                             std::string_view mark) const {
  Result<std::string> value = fs.GetXattr(op(), node, MarkKey(mark));
  if (!value.ok()) return std::nullopt;
  return *std::move(value);
}

bool StackReader::IsWhiteout(const Part& part, const Stat& stat) const {
  if (stat.type == FileType::kCharDevice) return stat.rdev == MakeDevice(0, 0);
  if (stat.type != FileType::kRegular || stat.size_bytes != 0) return false;
  return Mark(part, "whiteout").has_value();
}

bool StackReader::RefusesRedirects() const {
  // ovl: userxattr implies redirect_dir=nofollow (overlayfs.rst, "User xattr").
  return stack_.options.userxattr || stack_.options.redirect_dir == RedirectDir::kNoFollow;
}

HandleTarget StackReader::Decode(std::string_view bytes) const {
  const Result<ObjectHandle> handle = ParseHandle(bytes);
  if (!handle.ok() || !handle->ours) return {};
  HandleTarget target{HandleTarget::Outcome::kNoLayer, {}, nullptr};
  for (const Branch& branch : stack_.branches) {
    if (branch.mode == BranchMode::kReadWrite || !HasHandles(*branch.fs)) continue;
    const Result<Stat> root = branch.fs->GetAttr(op(), branch.fs->root());
    if (!root.ok() || root->dev != handle->dev) continue;
    const Result<Stat> stat = DecodeHandle(op(), *branch.fs, *handle);
    if (!stat.ok()) return {HandleTarget::Outcome::kGone, {}, nullptr};
    return {HandleTarget::Outcome::kFound, *stat, branch.fs};
  }
  return target;
}

std::string_view TypeText(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return "a regular file";
    case FileType::kDirectory:
      return "a directory";
    case FileType::kSymlink:
      return "a symlink";
    case FileType::kCharDevice:
      return "a character device";
    case FileType::kBlockDevice:
      return "a block device";
    case FileType::kFifo:
      return "a fifo";
    case FileType::kSocket:
      return "a socket";
  }
  return "";
}

std::string ValueText(std::string_view value) { return '"' + OneLine(value) + '"'; }

}  // namespace lamina::sim::internal
