#include "vfs/driver/aufs/aufs_books.h"

#include <array>
#include <utility>

#include "absl/strings/str_format.h"
#include "vfs/driver/tree_files.h"

namespace lamina::internal {
namespace {

constexpr std::uint16_t kFolderMode = 0710;
constexpr std::uint16_t kLayerMode = 0755;
constexpr std::uint16_t kFileMode = 0644;
constexpr std::array<std::string_view, 3> kFolderNames = {"diff", "layers", "mnt"};
constexpr std::string_view kRemoving = "-removing";

std::string_view NameOf(AufsBooks::Folder folder) {
  return kFolderNames[static_cast<std::size_t>(folder)];
}

// open(O_CREAT | O_TRUNC | O_WRONLY)
Result<HandleId> OpenNew(const OpContext& op, FileSystem& fs, Place place) {
  const OpenFlags flags{.access = Access::kWrite, .truncate = true};
  const Result<NodeId> there = fs.Lookup(op, place);
  if (there.ok()) return fs.Open(op, *there, flags);
  if (there.error() != Errno::kNoEnt) return there.error();
  const NewNode node{.type = FileType::kRegular, .mode = kFileMode};
  const Result<Opened> made = fs.CreateOpen(op, place, node, flags);
  return made.ok() ? Result<HandleId>(made->handle) : made.error();
}

}  // namespace

bool IsGoodLayerId(const LayerId& id) {
  const std::string& name = id.value;
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
}

Result<AufsBooks> AufsBooks::Open(const OpContext& op, FileSystem& home,
                                  std::string_view shown_root) {
  while (shown_root.ends_with('/')) shown_root.remove_suffix(1);
  AufsBooks books(home, absl::StrFormat("%s/%s", shown_root, kAufsDirectory));
  const Result<NodeId> top = EnsureDirectory(op, home, {home.root(), kAufsDirectory}, kFolderMode);
  if (!top.ok()) return top.error();
  for (const Folder folder : {Folder::kMnt, Folder::kDiff, Folder::kLayers}) {
    const Result<NodeId> made = EnsureDirectory(op, home, {*top, NameOf(folder)}, kFolderMode);
    if (!made.ok()) return made.error();
    books.folders_[static_cast<std::size_t>(folder)] = *made;
  }
  return books;
}

void AufsBooks::SweepRemoved(const OpContext& op, const Voice& voice) const {
  for (const Folder which : {Folder::kMnt, Folder::kDiff}) {
    const Result<std::vector<std::string>> names = NamesIn(op, *home_, folder(which));
    if (!names.ok()) {
      voice.Warn(absl::StrFormat("error reading dir entries: %s", ErrnoText(names.error())));
      continue;
    }
    for (const std::string& name : *names) {
      const Place place{folder(which), name};
      if (!name.ends_with(kRemoving)) continue;
      const Result<Stat> stat = StatAt(op, *home_, place);
      if (!stat.ok() || stat->type != FileType::kDirectory) continue;
      const Result<void> removed = RemoveTree(op, *home_, place);
      if (removed.ok()) continue;
      voice.Warn(absl::StrFormat("Error removing stale layer dir %s: %s", name,
                                 ErrnoText(removed.error())));
    }
  }
}

Result<void> AufsBooks::Create(const OpContext& op, const LayerId& id,
                               const LayerId* parent) const {
  if (!IsGoodLayerId(id) || (parent != nullptr && !IsGoodLayerId(*parent))) return Errno::kInval;
  for (const Folder which : {Folder::kMnt, Folder::kDiff}) {
    const Result<NodeId> made = EnsureDirectory(op, *home_, {folder(which), id.value}, kLayerMode);
    if (!made.ok()) return made.error();
  }
  return WriteAncestors(op, id, parent);
}

// The file is there before the parent is looked at, and each line is a write of its own: a crash
// leaves an empty or a short list, as Docker does.
Result<void> AufsBooks::WriteAncestors(const OpContext& op, const LayerId& id,
                                       const LayerId* parent) const {
  const Result<HandleId> opened = OpenNew(op, *home_, {folder(Folder::kLayers), id.value});
  if (!opened.ok()) return opened.error();
  const OpenNode open(*home_, *opened);
  if (parent == nullptr) return {};
  Result<std::vector<LayerId>> lines = Ancestors(op, *parent);
  if (!lines.ok()) return lines.error();
  lines->insert(lines->begin(), *parent);
  std::uint64_t offset = 0;
  for (const LayerId& line : *lines) {
    const std::string text = line.value + '\n';
    if (Result<void> put = WriteText(op, *home_, open.handle(), offset, text); !put.ok()) {
      return put;
    }
    offset += text.size();
  }
  return {};
}

bool AufsBooks::Exists(const OpContext& op, const LayerId& id) const {
  return IsGoodLayerId(id) && StatAt(op, *home_, {folder(Folder::kLayers), id.value}).ok();
}

Result<std::vector<LayerId>> AufsBooks::Ancestors(const OpContext& op, const LayerId& id) const {
  if (!IsGoodLayerId(id)) return Errno::kInval;
  const Result<NodeId> file = home_->Lookup(op, {folder(Folder::kLayers), id.value});
  if (!file.ok()) return file.error();
  const Result<std::string> text = ReadText(op, *home_, *file);
  if (!text.ok()) return text.error();
  std::vector<LayerId> ancestors;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (!line.empty()) ancestors.push_back({std::string(line)});
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return ancestors;
}

Result<NodeId> AufsBooks::Directory(const OpContext& op, Folder which, const LayerId& id) const {
  if (!IsGoodLayerId(id)) return Errno::kInval;
  const Result<Stat> stat = StatAt(op, *home_, {folder(which), id.value});
  if (!stat.ok()) return stat.error();
  if (stat->type != FileType::kDirectory) return Errno::kNotDir;
  return stat->node;
}

Result<void> AufsBooks::RemoveAncestors(const OpContext& op, const LayerId& id) const {
  Result<void> removed = home_->Remove(op, {folder(Folder::kLayers), id.value}, FileType::kRegular);
  if (!removed.ok() && removed.error() == Errno::kNoEnt) return {};
  return removed;
}

Result<void> AufsBooks::RemoveDirectory(const OpContext& op, Folder which, const LayerId& id,
                                        const Voice& voice) const {
  const std::string aside = absl::StrFormat("%s%s", id.value, kRemoving);
  const Place target{folder(which), aside};
  const Result<void> renamed =
      home_->Rename(op, {folder(which), id.value}, target, RenameMode::kReplace);
  if (!renamed.ok() && renamed.error() == Errno::kNotEmpty) {
    return voice.Fail(Errno::kNotEmpty,
                      absl::StrFormat("target rename dir \"%s%s\" exists but should not, this "
                                      "needs to be manually cleaned up",
                                      ShownPath(which, id), kRemoving));
  }
  if (!renamed.ok() && renamed.error() != Errno::kNoEnt) return renamed;
  return RemoveTree(op, *home_, target);
}

std::size_t AufsBooks::CountLayers(const OpContext& op) const {
  const Result<std::vector<std::string>> names = NamesIn(op, *home_, folder(Folder::kLayers));
  if (!names.ok()) return 0;
  std::size_t count = 0;
  for (const std::string& name : *names) {
    const Result<Stat> stat = StatAt(op, *home_, {folder(Folder::kLayers), name});
    if (stat.ok() && stat->type != FileType::kDirectory) ++count;
  }
  return count;
}

Result<std::vector<LayerId>> AufsBooks::MountPoints(const OpContext& op) const {
  Result<std::vector<std::string>> names = NamesIn(op, *home_, folder(Folder::kMnt));
  if (!names.ok()) return names.error();
  std::vector<LayerId> ids;
  for (std::string& name : *names) {
    if (Directory(op, Folder::kMnt, {name}).ok()) ids.push_back({std::move(name)});
  }
  return ids;
}

std::string AufsBooks::ShownPath(Folder which, const LayerId& id) const {
  return absl::StrFormat("%s/%s/%s", shown_, NameOf(which), id.value);
}

}  // namespace lamina::internal
