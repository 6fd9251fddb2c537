#include "tests/crash/plain_tree.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "lamina/base/credentials.h"
#include "lamina/store/paged_bytes.h"

namespace lamina::testing {
namespace {

const Credentials& Root() {
  static const Credentials root = RootCredentials();
  return root;
}

OpContext Observer() { return {Root(), kSimulationStart, Probe()}; }

class TreeReader {
 public:
  TreeReader(FileSystem& fs, Instant recent) : fs_(fs), recent_(recent) {}

  PlainTree Read(NodeId root) {
    pending_.emplace_back("/", root);
    while (!pending_.empty()) {
      const auto [path, node] = std::move(pending_.back());
      pending_.pop_back();
      Add(path, node);
    }
    FindFirstNames();
    return std::move(tree_);
  }

 private:
  using Inode = std::pair<std::uint64_t, std::uint64_t>;

  void Add(const std::string& path, NodeId node) {
    PlainEntry& entry = tree_[path];
    const Result<Stat> stat = fs_.GetAttr(Observer(), node);
    if (!stat.ok()) {
      entry.error = stat.error();
      return;
    }
    entry.type = stat->type;
    entry.mode = stat->mode;
    entry.uid = stat->uid;
    entry.gid = stat->gid;
    entry.nlink = stat->nlink;
    entry.atime = Rounded(stat->atime);
    entry.mtime = Rounded(stat->mtime);
    inodes_[path] = {stat->dev, stat->ino};
    AddXattrs(entry, node);
    switch (stat->type) {
      case FileType::kRegular:
        entry.content = Body(node);
        break;
      case FileType::kSymlink:
        entry.content = *fs_.ReadLink(Observer(), node);
        break;
      case FileType::kDirectory:
        AddEntries(path, node);
        break;
      case FileType::kCharDevice:
      case FileType::kBlockDevice:
      case FileType::kFifo:
      case FileType::kSocket:
        entry.content = std::to_string(stat->rdev);
    }
  }

  Instant Rounded(Instant time) const { return time > recent_ ? kRecently : time; }

  void AddXattrs(PlainEntry& entry, NodeId node) {
    const Result<std::vector<std::string>> keys = fs_.ListXattr(Observer(), node);
    if (!keys.ok()) return;
    for (const std::string& key : *keys) {
      const Result<std::string> value = fs_.GetXattr(Observer(), node, key);
      entry.xattrs[key] = value.ok() ? *value : std::string(ErrnoName(value.error()));
    }
  }

  std::string Body(NodeId node) {
    const Result<HandleId> handle = fs_.Open(Observer(), node, {});
    if (!handle.ok()) return std::string(ErrnoName(handle.error()));
    const Result<std::shared_ptr<const PagedBytes>> pages = fs_.ShareContent(Observer(), *handle);
    fs_.Close(*handle);
    if (!pages.ok()) return std::string(ErrnoName(pages.error()));
    std::string bytes((*pages)->size_bytes(), '\0');
    (*pages)->Read(0, {reinterpret_cast<std::byte*>(bytes.data()), bytes.size()});
    return bytes;
  }

  void AddEntries(const std::string& path, NodeId dir) {
    const Result<HandleId> handle = fs_.Open(Observer(), dir, {});
    if (!handle.ok()) return;
    std::vector<std::string> names;
    const Result<DirCookie> end = fs_.ReadDir(Observer(), *handle, {}, [&](const DirEntry& listed) {
      names.emplace_back(listed.name);
      return true;
    });
    fs_.Close(*handle);
    if (!end.ok()) return;
    for (const std::string& name : names) {
      const std::string child = path == "/" ? '/' + name : path + '/' + name;
      const Result<NodeId> node = fs_.Lookup(Observer(), {dir, name});
      if (node.ok()) {
        pending_.emplace_back(child, *node);
      } else {
        tree_[child].error = node.error();
      }
    }
  }

  void FindFirstNames() {
    std::map<Inode, std::string> first;
    for (const auto& [path, inode] : inodes_) {
      tree_[path].same_as = first.try_emplace(inode, path).first->second;
    }
  }

  FileSystem& fs_;
  Instant recent_;
  std::vector<std::pair<std::string, NodeId>> pending_;
  std::map<std::string, Inode> inodes_;
  PlainTree tree_;
};

std::string TimeText(Instant time) {
  return time == kRecently ? "recently" : std::to_string(time.virtual_ns);
}

std::string FieldText(const PlainEntry* entry, TreeField field) {
  if (entry == nullptr) return "no entry";
  if (entry->error) return absl::StrFormat("listed, %s", ErrnoName(*entry->error));
  switch (field) {
    case TreeField::kPresence:
      return absl::StrFormat("type %d", static_cast<int>(entry->type));
    case TreeField::kMode:
      return absl::StrFormat("mode %04o", entry->mode);
    case TreeField::kOwner:
      return absl::StrFormat("owner %d:%d", entry->uid, entry->gid);
    case TreeField::kLinks:
      return absl::StrFormat("nlink %d", entry->nlink);
    case TreeField::kContent:
      return absl::StrFormat("%d B \"%s\"", entry->content.size(),
                             absl::CEscape(entry->content.substr(0, 40)));
    case TreeField::kAtime:
      return "atime " + TimeText(entry->atime);
    case TreeField::kMtime:
      return "mtime " + TimeText(entry->mtime);
    case TreeField::kXattrs: {
      std::string text = "xattrs";
      for (const auto& [key, value] : entry->xattrs) {
        absl::StrAppendFormat(&text, " %s=%s", key, absl::CEscape(value));
      }
      return text;
    }
    case TreeField::kIdentity:
      return "inode of " + entry->same_as;
  }
  return "";
}

constexpr TreeField kFields[] = {TreeField::kMode,    TreeField::kOwner,   TreeField::kLinks,
                                 TreeField::kContent, TreeField::kAtime,   TreeField::kMtime,
                                 TreeField::kXattrs,  TreeField::kIdentity};

bool SamePresence(const PlainEntry& a, const PlainEntry& b) {
  return a.error == b.error && a.type == b.type;
}

bool Equal(const PlainEntry& a, const PlainEntry& b, TreeField field) {
  switch (field) {
    case TreeField::kPresence:
      return SamePresence(a, b);
    case TreeField::kMode:
      return a.mode == b.mode;
    case TreeField::kOwner:
      return a.uid == b.uid && a.gid == b.gid;
    case TreeField::kLinks:
      return a.nlink == b.nlink;
    case TreeField::kContent:
      return a.content == b.content;
    case TreeField::kAtime:
      return a.atime == b.atime;
    case TreeField::kMtime:
      return a.mtime == b.mtime;
    case TreeField::kXattrs:
      return a.xattrs == b.xattrs;
    case TreeField::kIdentity:
      return a.same_as == b.same_as;
  }
  return false;
}

}  // namespace

PlainTree ReadPlainTree(FileSystem& fs, NodeId root, Instant recent) {
  return TreeReader(fs, recent).Read(root);
}

std::string TreeDifference::ToString() const {
  return absl::StrFormat("%s: %s, expected %s", path, FieldText(seen, field),
                         FieldText(expected, field));
}

std::vector<TreeDifference> Compare(const PlainTree& expected, const PlainTree& seen) {
  std::vector<TreeDifference> differences;
  for (const auto& [path, entry] : expected) {
    const auto other = seen.find(path);
    if (other == seen.end() || !SamePresence(entry, other->second)) {
      const PlainEntry* there = other == seen.end() ? nullptr : &other->second;
      differences.push_back({path, TreeField::kPresence, &entry, there});
      continue;
    }
    for (const TreeField field : kFields) {
      if (Equal(entry, other->second, field)) continue;
      differences.push_back({path, field, &entry, &other->second});
    }
  }
  for (const auto& [path, entry] : seen) {
    if (!expected.contains(path)) {
      differences.push_back({path, TreeField::kPresence, nullptr, &entry});
    }
  }
  return differences;
}

std::string TreeText(const PlainTree& tree) {
  std::string text;
  for (const auto& [path, entry] : tree) {
    absl::StrAppendFormat(&text, "%s %s", path, FieldText(&entry, TreeField::kPresence));
    for (const TreeField field : kFields) {
      if (!entry.error) text += ' ' + FieldText(&entry, field);
    }
    // FieldText shortens: the rest of a content is part of the text all the same.
    text += entry.content.size() > 40 ? entry.content + '\n' : "\n";
  }
  return text;
}

}  // namespace lamina::testing
