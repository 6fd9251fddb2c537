#include "sim/model/plain_view.h"

namespace lamina::sim {

std::unique_ptr<ModelView> PlainView::Clone() const { return std::make_unique<PlainView>(*this); }

const ModelInode* PlainView::Find(const std::string& path) const { return tree_.Find(path); }

std::vector<ListedName> PlainView::List(const std::string& dir) const {
  std::vector<ListedName> listed;
  for (const std::string& name : tree_.NamesIn(dir)) {
    listed.push_back({name, tree_.Find(JoinPath(dir, name))->type});
  }
  return listed;
}

bool PlainView::IsEmpty(const std::string& dir) const { return tree_.NamesIn(dir).empty(); }

bool PlainView::IsEmptinessSettled(const std::string&) const { return true; }

std::uint32_t PlainView::Links(const std::string& path) const {
  return tree_.Links(tree_.InoOf(path));
}

std::uint64_t PlainView::Identity(const std::string& path) const { return tree_.InoOf(path); }

bool PlainView::IsSameFile(const std::string& one, const std::string& other) const {
  return tree_.InoOf(one) == tree_.InoOf(other);
}

std::string PlainView::StoredKey(const std::string& key) const { return key; }

std::optional<std::string> PlainView::ShownKey(const std::string& stored) const { return stored; }

Result<ModelInode*> PlainView::Change(const std::string& path) { return tree_.Find(path); }

Result<void> PlainView::Add(const std::string& path, const ModelInode& inode) {
  tree_.Add(path, inode);
  tree_.Find(ParentPath(path))->mtime_ns = kModelNow;
  return {};
}

Result<void> PlainView::Link(const std::string& from, const std::string& to) {
  tree_.AddName(to, tree_.InoOf(from));
  tree_.Find(ParentPath(to))->mtime_ns = kModelNow;
  return {};
}

Result<void> PlainView::Remove(const ModelCaller&, const std::string& path) {
  tree_.Drop(path);
  tree_.Find(ParentPath(path))->mtime_ns = kModelNow;
  return {};
}

Result<void> PlainView::Rename(const ModelCaller&, const std::string& from, const std::string& to,
                               ModelRename mode, const ModelInode& whiteout) {
  const ModelInode* target = tree_.Find(to);
  if (mode == ModelRename::kExchange) {
    tree_.Swap(from, to);
  } else {
    if (target != nullptr && target->is_directory() && !IsEmpty(to)) return Errno::kNotEmpty;
    if (target != nullptr) tree_.Drop(to);
    tree_.Move(from, to);
    if (mode == ModelRename::kLeaveWhiteout) tree_.Add(from, whiteout);
  }
  tree_.Find(ParentPath(from))->mtime_ns = kModelNow;
  tree_.Find(ParentPath(to))->mtime_ns = kModelNow;
  return {};
}

void PlainView::OpenSlot(int slot, const std::string& path) {
  slots_[slot] = tree_.InoOf(path);
  tree_.Pin(slots_[slot]);
}

void PlainView::CloseSlot(int slot) {
  tree_.Unpin(slots_.at(slot));
  slots_.erase(slot);
}

const ModelInode& PlainView::InSlot(int slot) const { return *tree_.ByIno(slots_.at(slot)); }

std::uint32_t PlainView::LinksInSlot(int slot) const { return tree_.Links(slots_.at(slot)); }

std::uint64_t PlainView::IdentityInSlot(int slot) const { return slots_.at(slot); }

bool PlainView::IsSlotOf(int slot, const std::string& path) const {
  return slots_.at(slot) == tree_.InoOf(path);
}

Result<ModelInode*> PlainView::ChangeInSlot(int slot) { return tree_.ByIno(slots_.at(slot)); }

bool PlainView::IsSlotSettled(int) const { return true; }

}  // namespace lamina::sim
