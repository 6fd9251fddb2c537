#include "lamina/facade/tree_view.h"

#include <algorithm>

#include "lamina/store/paged_bytes.h"
#include "sim/facade/facade_mount.h"

namespace lamina {
namespace {

const Credentials& Root() {
  static const Credentials root = RootCredentials();
  return root;
}

OpContext Observer() { return {Root(), kSimulationStart, Probe()}; }

absl::Status Failed(std::string_view call, std::string_view path, Errno error) {
  return StatusOf(error, internal::CallText{call, {path}}.Posix());
}

Result<std::string> ReadHandle(FileSystem& fs, HandleId handle, std::uint64_t size_bytes) {
  const OpContext op = Observer();
  std::string out(static_cast<std::size_t>(size_bytes), '\0');
  const MutableBytes into(reinterpret_cast<std::byte*>(out.data()), out.size());
  if (Result<std::shared_ptr<const PagedBytes>> content = fs.ShareContent(op, handle);
      content.ok()) {
    out.resize((*content)->Read(0, into));
    return out;
  }
  Result<std::size_t> got = fs.Read(op, handle, 0, into);
  if (!got.ok()) return got.error();
  out.resize(*got);
  return out;
}

Result<std::vector<Entry>> ListNode(FileSystem& fs, NodeId dir) {
  Result<HandleId> handle = fs.Open(Observer(), dir, {});
  if (!handle.ok()) return handle.error();
  std::vector<Entry> entries;
  Result<DirCookie> end = fs.ReadDir(Observer(), *handle, DirCookie(), [&](const DirEntry& entry) {
    entries.push_back({std::string(entry.name), entry.type, entry.ino});
    return true;
  });
  fs.Close(*handle);
  if (!end.ok()) return end.error();
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace

Result<Stat> TreeView::Find(std::string_view path, LastLink last_link) const {
  const WalkStart start{fs_, root_, {}};
  Result<WalkResult> walked = Walk(Observer(), start, path, last_link);
  if (!walked.ok()) return walked.error();
  if (!walked->stat) return walked->missing;
  return *walked->stat;
}

UnionDialect TreeView::dialect() const {
  return mount_ == nullptr ? UnionDialect::kOverlay : mount_->options.dialect;
}

const Call* TreeView::MadeBy(std::string_view path) const {
  return mount_ == nullptr ? nullptr : mount_->MadeBy(path);
}

absl::StatusOr<lamina::Stat> TreeView::Lstat(std::string_view path) const {
  Result<lamina::Stat> found = Find(path, LastLink::kKeep);
  if (!found.ok()) return Failed("Lstat", path, found.error());
  return *found;
}

absl::StatusOr<lamina::Stat> TreeView::Stat(std::string_view path) const {
  Result<lamina::Stat> found = Find(path, LastLink::kFollow);
  if (!found.ok()) return Failed("Stat", path, found.error());
  return *found;
}

absl::StatusOr<std::string> TreeView::Readlink(std::string_view path) const {
  Result<lamina::Stat> found = Find(path, LastLink::kKeep);
  if (!found.ok()) return Failed("Readlink", path, found.error());
  Result<std::string> target = fs_->ReadLink(Observer(), found->node);
  if (!target.ok()) return Failed("Readlink", path, target.error());
  return *std::move(target);
}

absl::StatusOr<std::string> TreeView::ReadFile(std::string_view path) const {
  Result<lamina::Stat> found = Find(path, LastLink::kFollow);
  if (!found.ok()) return Failed("ReadFile", path, found.error());
  if (found->type == FileType::kDirectory) return Failed("ReadFile", path, Errno::kIsDir);
  if (found->type != FileType::kRegular) return Failed("ReadFile", path, Errno::kInval);
  FileSystem* fs = fs_;
  NodeId node = found->node;
  if (mount_ != nullptr && fs == mount_->fs.get()) {
    // Where the bytes are: an open of the merged file may copy it up (AUFS, coo_reg).
    const Result<std::pair<BranchIndex, NodeId>> body = mount_->fs->BodyNode(Observer(), node);
    if (!body.ok()) return Failed("ReadFile", path, body.error());
    fs = mount_->fs->branches()[body->first].fs;
    node = body->second;
  }
  Result<HandleId> handle = fs->Open(Observer(), node, {});
  if (!handle.ok()) return Failed("ReadFile", path, handle.error());
  Result<std::string> content = ReadHandle(*fs, *handle, found->size_bytes);
  fs->Close(*handle);
  if (!content.ok()) return Failed("ReadFile", path, content.error());
  return *std::move(content);
}

absl::StatusOr<std::vector<Entry>> TreeView::ReadDir(std::string_view path) const {
  Result<lamina::Stat> found = Find(path, LastLink::kFollow);
  if (!found.ok()) return Failed("ReadDir", path, found.error());
  if (found->type != FileType::kDirectory) return Failed("ReadDir", path, Errno::kNotDir);
  Result<std::vector<Entry>> entries = ListNode(*fs_, found->node);
  if (!entries.ok()) return Failed("ReadDir", path, entries.error());
  return *std::move(entries);
}

absl::StatusOr<std::string> TreeView::Getxattr(std::string_view path, std::string_view key) const {
  Result<lamina::Stat> found = Find(path, LastLink::kKeep);
  if (!found.ok()) return Failed("Getxattr", path, found.error());
  Result<std::string> value = fs_->GetXattr(Observer(), found->node, key);
  if (!value.ok()) return Failed("Getxattr", path, value.error());
  return *std::move(value);
}

absl::StatusOr<std::vector<std::string>> TreeView::Listxattr(std::string_view path) const {
  Result<lamina::Stat> found = Find(path, LastLink::kKeep);
  if (!found.ok()) return Failed("Listxattr", path, found.error());
  Result<std::vector<std::string>> keys = fs_->ListXattr(Observer(), found->node);
  if (!keys.ok()) return Failed("Listxattr", path, keys.error());
  std::sort(keys->begin(), keys->end());
  return *std::move(keys);
}

absl::StatusOr<std::vector<std::string>> TreeView::AllPaths() const {
  struct Level {
    std::string path;
    NodeId node;
  };
  std::vector<Level> pending = {{"", root_}};
  std::vector<std::string> paths;
  while (!pending.empty()) {
    const Level level = std::move(pending.back());
    pending.pop_back();
    Result<std::vector<Entry>> entries = ListNode(*fs_, level.node);
    if (!entries.ok()) return Failed("ReadDir", level.path, entries.error());
    for (const Entry& entry : *entries) {
      std::string path = level.path + '/' + entry.name;
      Result<NodeId> node = fs_->Lookup(Observer(), {level.node, entry.name});
      if (entry.type == FileType::kDirectory && node.ok()) pending.push_back({path, *node});
      paths.push_back(std::move(path));
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace lamina
