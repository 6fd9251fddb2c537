#include "sim/model/aufs_branch.h"

#include <array>

namespace lamina::sim {
namespace {

constexpr std::string_view kPrefix = ".wh.";
const std::string kOpaqueMark = ".wh..wh..opq";

struct BaseEntry {
  const char* path;
  ModelType type;
  std::uint16_t mode;
};

const std::string kMarkSource = "/.wh..wh.aufs";
const std::string kPseudoLinkDir = "/.wh..wh.plnk";

constexpr std::array kBaseEntries = {
    BaseEntry{"/.wh..wh.aufs", ModelType::kFile, 0444},
    BaseEntry{"/.wh..wh.plnk", ModelType::kDirectory, 0700},
    BaseEntry{"/.wh..wh.orph", ModelType::kDirectory, 0700},
};

}  // namespace

bool IsReservedName(std::string_view name) { return name.starts_with(kPrefix); }

bool IsWhiteoutName(std::string_view name) {
  return IsReservedName(name) && name.size() > kPrefix.size();
}

std::string WhiteoutOf(const std::string& path) {
  return JoinPath(ParentPath(path), std::string(kPrefix) + LastName(path));
}

Result<void> ModelBranch::SetMode(ModelBranchMode mode) {
  const bool was_writable = is_writable();
  const bool becomes_writable = mode == ModelBranchMode::kReadWrite;
  if (becomes_writable && !was_writable) {
    if (Result<void> added = AddBaseEntries(); !added.ok()) return added;
  }
  if (was_writable && !becomes_writable) DropBaseEntries();
  mode_ = mode;
  return {};
}

Result<void> ModelBranch::AddBaseEntries() {
  for (const BaseEntry& entry : kBaseEntries) {
    const ModelInode* there = tree_.Find(entry.path);
    if (there != nullptr && there->type != entry.type) return Errno::kInval;
  }
  for (const BaseEntry& entry : kBaseEntries) {
    if (tree_.InoOf(entry.path) != 0) continue;
    ModelInode inode;
    inode.type = entry.type;
    inode.mode = entry.mode;
    if (const ModelInode& root = *tree_.Find("/"); (root.mode & kModelSetGid) != 0) {
      inode.gid = root.gid;
      if (inode.is_directory()) inode.mode |= kModelSetGid;
    }
    tree_.Add(entry.path, inode);
    tree_.Find("/")->mtime_ns = kModelNow;
  }
  return {};
}

// §1.7: a directory that is not empty stays.
void ModelBranch::DropBaseEntries() {
  for (const BaseEntry& entry : kBaseEntries) {
    if (tree_.InoOf(entry.path) == 0 || !tree_.NamesIn(entry.path).empty()) continue;
    tree_.Drop(entry.path);
    tree_.Find("/")->mtime_ns = kModelNow;
  }
}

bool ModelBranch::IsOpaque(const std::string& dir) const {
  return tree_.InoOf(JoinPath(dir, kOpaqueMark)) != 0;
}

void ModelBranch::AddMark(const std::string& path) {
  if (tree_.InoOf(path) == 0) tree_.AddName(path, tree_.InoOf(kMarkSource));
}

void ModelBranch::AddWhiteout(const std::string& path) { AddMark(WhiteoutOf(path)); }

void ModelBranch::DropWhiteout(const std::string& path) {
  if (HasWhiteout(path)) tree_.Drop(WhiteoutOf(path));
}

void ModelBranch::MarkOpaque(const std::string& dir) { AddMark(JoinPath(dir, kOpaqueMark)); }

void ModelBranch::KeepForPseudoLink(std::uint64_t number, ModelIno ino) {
  const std::string name = std::to_string(number) + "." + std::to_string(ino);
  const std::string path = JoinPath(kPseudoLinkDir, name);
  if (tree_.InoOf(path) != 0) tree_.Drop(path);
  tree_.AddName(path, ino);
}

void ModelBranch::DropPseudoLinkNames() {
  for (const std::string& name : tree_.NamesIn(kPseudoLinkDir)) {
    tree_.DropAll(JoinPath(kPseudoLinkDir, name));
  }
}

ModelIno ModelBranch::AddPinned(const ModelInode& inode) {
  const std::string aside = "/\x01 orphan";
  const ModelIno ino = tree_.Add(aside, inode);
  tree_.Pin(ino);
  tree_.Drop(aside);
  return ino;
}

}  // namespace lamina::sim
