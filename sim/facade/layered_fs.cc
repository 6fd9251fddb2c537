// LayeredFs: calls by path.
#include "lamina/facade/layered_fs.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_format.h"
#include "sim/facade/facade_mount.h"

namespace lamina {

using internal::Caller;
using internal::CallText;

namespace {

std::optional<RenameMode> RenameModeOf(unsigned flags) {
  switch (flags) {
    case 0:
      return RenameMode::kReplace;
    case RENAME_NOREPLACE:
      return RenameMode::kNoReplace;
    case RENAME_EXCHANGE:
      return RenameMode::kExchange;
    case RENAME_WHITEOUT:
      return RenameMode::kLeaveWhiteout;
    default:
      return std::nullopt;
  }
}

std::string ModeRest(std::uint16_t mode) { return absl::StrFormat(", %04o", mode); }

std::string IdText(std::optional<std::uint32_t> id) { return id ? std::to_string(*id) : "-1"; }

// What a directory tree holds, children before their parents.
Result<std::vector<std::pair<std::string, FileType>>> TreeFromBelow(Process& process,
                                                                    std::string_view path) {
  Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
  if (!stat.ok()) return stat.error();
  std::vector<std::pair<std::string, FileType>> found = {{std::string(path), stat->type}};
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].second != FileType::kDirectory) continue;
    Result<std::vector<ProcessEntry>> entries = process.ListDirectory(found[i].first);
    if (!entries.ok()) return entries.error();
    const std::string parent = found[i].first;
    for (const ProcessEntry& entry : *entries) {
      found.emplace_back(parent + (parent.ends_with('/') ? "" : "/") + entry.name, entry.type);
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

Result<void> RemoveTree(Process& process, std::string_view path) {
  const auto found = TreeFromBelow(process, path);
  if (!found.ok()) return found.error();
  for (const auto& [name, type] : *found) {
    const Result<void> removed =
        type == FileType::kDirectory ? process.Rmdir(name) : process.Unlink(name);
    if (!removed.ok()) return removed;
  }
  return {};
}

Result<std::vector<Entry>> SortedEntries(Result<std::vector<ProcessEntry>> listed) {
  if (!listed.ok()) return listed.error();
  std::vector<Entry> entries;
  for (ProcessEntry& entry : *listed) {
    entries.push_back({std::move(entry.name), entry.type, entry.ino});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace

LayeredFs::LayeredFs(std::shared_ptr<Caller> caller) : caller_(std::move(caller)) {}
LayeredFs::LayeredFs(LayeredFs&&) noexcept = default;
LayeredFs& LayeredFs::operator=(LayeredFs&&) noexcept = default;
LayeredFs::~LayeredFs() = default;

LayeredFs LayeredFs::As(const Credentials& credentials) const {
  return LayeredFs(std::make_shared<Caller>(caller_->mount, credentials));
}

// ── By path ────────────────────────────────────────────────────────────────────────────────────

absl::StatusOr<Stat> LayeredFs::Lstat(std::string_view path) const {
  return caller_->Answer({"Lstat", {path}}, caller_->process.GetStat(path, LastLink::kKeep));
}

absl::StatusOr<lamina::Stat> LayeredFs::Stat(std::string_view path) const {
  return caller_->Answer({"Stat", {path}}, caller_->process.GetStat(path, LastLink::kFollow));
}

absl::StatusOr<std::string> LayeredFs::Readlink(std::string_view path) const {
  return caller_->Answer({"Readlink", {path}}, caller_->process.Readlink(path));
}

absl::StatusOr<std::vector<Entry>> LayeredFs::ReadDir(std::string_view path) const {
  return caller_->Answer({"ReadDir", {path}}, SortedEntries(caller_->process.ListDirectory(path)));
}

absl::Status LayeredFs::Mkdir(std::string_view path, std::uint16_t mode) {
  return caller_->Done({"Mkdir", {path}, ModeRest(mode), true}, caller_->process.Mkdir(path, mode));
}

absl::Status LayeredFs::Rmdir(std::string_view path) {
  return caller_->Done({"Rmdir", {path}}, caller_->process.Rmdir(path));
}

absl::Status LayeredFs::Unlink(std::string_view path) {
  return caller_->Done({"Unlink", {path}}, caller_->process.Unlink(path));
}

absl::Status LayeredFs::Rename(std::string_view from, std::string_view to, unsigned flags) {
  const std::optional<RenameMode> mode = RenameModeOf(flags);
  std::string rest;
  if (flags != 0) rest = absl::StrFormat(", %#x", flags);
  const bool creates = mode != RenameMode::kExchange;
  return caller_->Done({"Rename", {from, to}, rest, creates},
                       mode ? caller_->process.Rename(from, to, *mode) : Errno::kInval);
}

absl::Status LayeredFs::Link(std::string_view from, std::string_view to) {
  return caller_->Done({"Link", {from, to}, "", true},
                       caller_->process.Link(from, to, LastLink::kKeep));
}

absl::Status LayeredFs::Symlink(std::string_view target, std::string_view path) {
  const CallText call{"Symlink", {path}, " -> " + Quoted(target), true};
  return caller_->Done(call, caller_->process.Symlink(target, path));
}

absl::Status LayeredFs::Mkfifo(std::string_view path, std::uint16_t mode) {
  return caller_->Done({"Mkfifo", {path}, ModeRest(mode), true},
                       caller_->process.Mknod(path, FileType::kFifo, mode, 0));
}

absl::Status LayeredFs::Truncate(std::string_view path, std::uint64_t size_bytes) {
  return caller_->Done({"Truncate", {path}, absl::StrFormat(", %d", size_bytes)},
                       caller_->process.Truncate(path, size_bytes));
}

absl::Status LayeredFs::Chmod(std::string_view path, std::uint16_t mode) {
  return caller_->Done({"Chmod", {path}, ModeRest(mode)}, caller_->process.Chmod(path, mode));
}

absl::Status LayeredFs::Chown(std::string_view path, std::optional<std::uint32_t> uid,
                              std::optional<std::uint32_t> gid) {
  return caller_->Done({"Chown", {path}, absl::StrFormat(", %s, %s", IdText(uid), IdText(gid))},
                       caller_->process.Chown(path, uid, gid, LastLink::kFollow));
}

absl::Status LayeredFs::Utimens(std::string_view path, TimeChange atime, TimeChange mtime) {
  return caller_->Done({"Utimens", {path}},
                       caller_->process.Utimens(path, atime, mtime, LastLink::kFollow));
}

absl::StatusOr<std::string> LayeredFs::Getxattr(std::string_view path, std::string_view key) const {
  return caller_->Answer({"Getxattr", {path}, ", " + Quoted(key)},
                         caller_->process.Getxattr(path, key, LastLink::kFollow));
}

absl::Status LayeredFs::Setxattr(std::string_view path, std::string_view key,
                                 std::string_view value, XattrMode mode) {
  return caller_->Done({"Setxattr", {path}, ", " + Quoted(key)},
                       caller_->process.Setxattr(path, key, value, mode, LastLink::kFollow));
}

absl::StatusOr<std::vector<std::string>> LayeredFs::Listxattr(std::string_view path) const {
  Result<std::vector<std::string>> keys = caller_->process.Listxattr(path, LastLink::kFollow);
  if (keys.ok()) std::sort(keys->begin(), keys->end());
  return caller_->Answer({"Listxattr", {path}}, std::move(keys));
}

absl::Status LayeredFs::Removexattr(std::string_view path, std::string_view key) {
  return caller_->Done({"Removexattr", {path}, ", " + Quoted(key)},
                       caller_->process.Removexattr(path, key, LastLink::kFollow));
}

absl::StatusOr<ProcessSpace> LayeredFs::Statfs(std::string_view path) const {
  return caller_->Answer({"Statfs", {path}}, caller_->process.Statfs(path));
}

absl::Status LayeredFs::RemoveAll(std::string_view path) {
  return caller_->Done({"RemoveAll", {path}}, RemoveTree(caller_->process, path));
}

// ── Questions ──────────────────────────────────────────────────────────────────────────────────

std::vector<std::string> LayeredFs::LayerNames() const {
  std::vector<std::string> names;
  for (const Branch& branch : caller_->mount->fs->branches()) names.push_back(branch.name);
  return names;
}

UnionDialect LayeredFs::dialect() const { return caller_->mount->options.dialect; }

TreeView LayeredFs::Layer(std::string_view name) const {
  for (const Branch& branch : caller_->mount->fs->branches()) {
    if (branch.name == name) return TreeView(caller_->mount, *branch.fs, branch.root, name);
  }
  if (name == internal::kUpperName) {
    return TreeView(caller_->mount, *caller_->mount->upper_site, caller_->mount->upper, name);
  }
  if (const internal::LowerLayer* lower = caller_->mount->FindLower(name); lower != nullptr) {
    return TreeView(caller_->mount, *lower->site, lower->fs->root(), name);
  }
  std::fprintf(stderr, "lamina: the mount has no layer %s\n", Quoted(name).c_str());
  std::abort();
}

TreeView LayeredFs::Merged() const {
  return TreeView(caller_->mount, *caller_->mount->fs, caller_->mount->fs->root(), "merged");
}

absl::StatusOr<std::vector<LayerChange>> LayeredFs::Diff() const {
  return caller_->Answer({"Diff", {}},
                         sim::ChangesOf(*caller_->mount->fs, caller_->mount->options.overlay));
}

const FsCounters& LayeredFs::counters() const { return caller_->mount->sink.counters; }

const std::vector<Call>& LayeredFs::calls() const { return caller_->mount->calls; }

const Call* LayeredFs::MadeBy(std::string_view path) const { return caller_->mount->MadeBy(path); }

UnionFs& LayeredFs::union_fs() const { return *caller_->mount->fs; }

}  // namespace lamina
