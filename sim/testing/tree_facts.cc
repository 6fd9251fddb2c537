#include "sim/testing/tree_facts.h"

#include "absl/strings/str_format.h"
#include "sim/facade/aufs_words.h"

namespace lamina::testing::internal {
namespace {

constexpr std::size_t kBytesShown = 200;

bool IsMark(std::string_view key) {
  return key.starts_with("trusted.overlay.") || key.starts_with("user.overlay.");
}

absl::Status AddXattrs(const TreeView& view, const std::string& path, DrawnEntry& entry) {
  const absl::StatusOr<std::vector<std::string>> keys = view.Listxattr(path);
  if (!keys.ok()) return keys.status();
  for (const std::string& key : *keys) {
    if (IsMark(key)) continue;
    absl::StatusOr<std::string> value = view.Getxattr(path, key);
    if (!value.ok()) return value.status();
    entry.xattrs.emplace_back(key, *std::move(value));
  }
  return absl::OkStatus();
}

}  // namespace

std::string ObjectText(const Stat& stat) {
  switch (stat.type) {
    case FileType::kRegular:
      return absl::StrFormat("a file of %d B", stat.size_bytes);
    case FileType::kDirectory:
      return "a directory";
    case FileType::kSymlink:
      return "a symlink";
    case FileType::kCharDevice:
      return stat.rdev == 0 ? "a whiteout" : "a char device";
    case FileType::kBlockDevice:
      return "a block device";
    case FileType::kFifo:
      return "a fifo";
    case FileType::kSocket:
      return "a socket";
  }
  return "?";
}

std::string Shortened(std::string_view bytes) {
  if (bytes.size() <= kBytesShown) return Quoted(bytes);
  return absl::StrFormat("%s and %d bytes more", Quoted(bytes.substr(0, kBytesShown)),
                         bytes.size() - kBytesShown);
}

std::string WhiteoutPlace(const TreeView& view, const std::string& path) {
  const bool aufs = view.dialect() == UnionDialect::kAufs;
  return aufs ? lamina::internal::WhiteoutPathOf(path) : path;
}

bool IsWhiteoutAt(const TreeView& view, const std::string& path) {
  const absl::StatusOr<Stat> stat = view.Lstat(WhiteoutPlace(view, path));
  if (!stat.ok()) return false;
  if (view.dialect() == UnionDialect::kAufs) return stat->type == FileType::kRegular;
  if (stat->type == FileType::kCharDevice) return stat->rdev == 0;
  // ovl: an empty regular file with this xattr, in a directory marked opaque=x.
  return stat->type == FileType::kRegular &&
         (view.Getxattr(path, "trusted.overlay.whiteout").ok() ||
          view.Getxattr(path, "user.overlay.whiteout").ok());
}

bool IsOpaqueAt(const TreeView& view, const std::string& path) {
  if (view.dialect() == UnionDialect::kAufs) {
    const absl::StatusOr<Stat> mark =
        view.Lstat(absl::StrFormat("%s/%s", path, lamina::internal::kAufsOpaqueName));
    return mark.ok() && mark->type == FileType::kRegular;
  }
  for (const std::string_view key : {"trusted.overlay.opaque", "user.overlay.opaque"}) {
    const absl::StatusOr<std::string> value = view.Getxattr(path, key);
    if (value.ok() && *value == "y") return true;
  }
  return false;
}

std::optional<DrawnName> DrawnNameOf(const TreeView& view, const std::string& path) {
  namespace words = lamina::internal;
  if (view.dialect() == UnionDialect::kOverlay) return DrawnName{path};
  if (words::IsBaseEntry(path) || words::IsOldNameMark(words::LastNameOf(path))) {
    return std::nullopt;
  }
  const std::string_view parent = words::ParentOf(path);
  if (words::LastNameOf(path) == words::kAufsOpaqueName && !parent.empty()) return std::nullopt;
  const std::optional<std::string> hidden = words::HiddenPathOf(path);
  if (!hidden || !IsWhiteoutAt(view, *hidden) || view.Lstat(*hidden).ok()) return DrawnName{path};
  return DrawnName{*hidden, true};
}

absl::StatusOr<DrawnEntry> EntryAt(const TreeView& view, const std::string& path,
                                   const DrawnEntry& pattern, EntryDetail detail) {
  const absl::StatusOr<Stat> stat = view.Lstat(path);
  if (!stat.ok()) return stat.status();
  DrawnEntry entry;
  entry.path = path;
  entry.type = stat->type;
  entry.whiteout = view.dialect() == UnionDialect::kOverlay && IsWhiteoutAt(view, path);
  entry.opaque = stat->type == FileType::kDirectory && IsOpaqueAt(view, path);
  if (!pattern.hardlink.empty()) {
    const absl::StatusOr<Stat> other = view.Lstat(pattern.hardlink);
    const bool same = other.ok() && other->ino == stat->ino && other->dev == stat->dev;
    if (same) entry.hardlink = pattern.hardlink;
  }
  if (stat->type == FileType::kRegular && entry.hardlink.empty() && !entry.whiteout) {
    absl::StatusOr<std::string> content = view.ReadFile(path);
    if (!content.ok()) return content.status();
    entry.content = *std::move(content);
  }
  if (stat->type == FileType::kSymlink) {
    absl::StatusOr<std::string> target = view.Readlink(path);
    if (!target.ok()) return target.status();
    entry.target = *std::move(target);
  }
  const bool all = detail == EntryDetail::kAll;
  if (all || pattern.mode) entry.mode = stat->mode;
  if (all || pattern.owner) entry.owner = {stat->uid, stat->gid};
  if (all) {
    if (absl::Status added = AddXattrs(view, path, entry); !added.ok()) return added;
  }
  for (const auto& [key, value] : pattern.xattrs) {
    if (all) break;
    absl::StatusOr<std::string> found = view.Getxattr(path, key);
    if (found.ok()) entry.xattrs.emplace_back(key, *std::move(found));
  }
  return entry;
}

}  // namespace lamina::testing::internal
