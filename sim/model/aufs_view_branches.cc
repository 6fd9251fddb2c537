// Branches come, go and change their mode. §1.5 to §1.7, §4.6 (auplink).
#include <algorithm>
#include <utility>

#include "sim/model/aufs_view.h"

namespace lamina::sim {

Result<void> AufsView::AddBranch(std::size_t index, ModelBranchMode mode,
                                 const ModelTree& content) {
  if (stack_.size() >= kModelAufsBranchLimit) return Errno::kNoSpc;
  if (index > stack_.size()) return Errno::kDom;
  ModelBranch branch(next_branch_, content);
  if (Result<void> set = branch.SetMode(mode); !set.ok()) return set;
  ++next_branch_;
  stack_.Insert(index, std::move(branch));
  RefreshSlots();
  return {};
}

// §1.6
bool AufsView::HoldsBranch(int number, const Slot& slot, std::size_t index) const {
  const int id = stack_.at(index).id();
  const bool is_working_directory = number == kWorkingDirectory;
  if (slot.nameless)
    return is_working_directory ? slot.on == std::set<int>{id} : slot.on.contains(id);
  const AufsFound found = stack_.LookUp(slot.path);
  if (is_working_directory) return found.parts == std::vector<std::size_t>{index};
  if (slot.path == "/") return false;
  return slot.on.contains(id) || found.is_on(index);
}

bool AufsView::IsNowOn(const Slot& slot, std::size_t index) const {
  if (!slot.nameless && stack_.LookUp(slot.path).is_on(index)) return true;
  return slot.is_directory ? slot.nameless : slot.real.branch == stack_.at(index).id();
}

bool AufsView::IsDeletionSettled(std::size_t index) const {
  if (index >= stack_.size()) return true;
  bool was = false;
  for (const auto& [number, slot] : slots_) {
    if (!HoldsBranch(number, slot, index)) continue;
    if (IsNowOn(slot, index)) return true;
    was = true;
  }
  return !was;
}

Result<void> AufsView::DeleteBranch(std::size_t index) {
  if (index >= stack_.size()) return {};
  if (stack_.size() == 1) return Errno::kBusy;
  const bool in_use = std::any_of(slots_.begin(), slots_.end(), [&](const auto& item) {
    return HoldsBranch(item.first, item.second, index);
  });
  if (in_use) return Errno::kBusy;
  inodes_.ForgetBranch(stack_.at(index).id());
  stack_.Erase(index);
  RefreshSlots();
  return {};
}

Result<void> AufsView::SetMode(std::size_t index, ModelBranchMode mode) {
  if (Result<void> set = stack_.at(index).SetMode(mode); !set.ok()) return set;
  RefreshSlots();
  return {};
}

// §6.4: what a new file covers is as if it had been removed.
void AufsView::RefreshSlots() {
  for (auto& [number, slot] : slots_) {
    const ModelInode* dir = Find(ParentPath(slot.path));
    if (dir == nullptr || !dir->is_directory()) slot.parent_gone = true;
    const ModelInode* inode = Find(slot.path);
    const bool same = inode != nullptr &&
                      (slot.is_directory ? inode->is_directory() : RealOf(slot.path) == slot.real);
    if (same || slot.nameless) continue;
    slot.nameless = true;
    slot.links_left = 0;
  }
}

bool AufsView::KeepsNamesInUse(const AufsView& after) const {
  return std::all_of(slots_.begin(), slots_.end(), [&](const auto& item) {
    return item.second.nameless || !after.slots_.at(item.first).nameless;
  });
}

void AufsView::SetWorkingDirectory(const std::string& dir) {
  if (slots_.contains(kWorkingDirectory)) CloseSlot(kWorkingDirectory);
  OpenSlot(kWorkingDirectory, dir);
}

void AufsView::ForgetUnused() {
  std::set<AufsReal> used;
  for (const auto& [number, slot] : slots_) used.insert(slot.real);
  inodes_.ForgetTaken(used);
}

Result<void> AufsView::FlushPseudoLinks() {
  std::set<std::string> paths;
  for (std::size_t index = 0; index < stack_.size(); ++index) {
    for (const std::string& path : stack_.at(index).tree().Paths()) paths.insert(path);
  }
  for (const std::string& path : paths) {
    if (!IsShown(path) || inodes_.LinkOf(Identity(path)) == nullptr) continue;
    if (Result<void> linked = LinkToData(path); !linked.ok()) return linked;
  }
  for (std::size_t index = 0; index < stack_.size(); ++index) {
    if (stack_.at(index).is_writable()) stack_.at(index).DropPseudoLinkNames();
  }
  for (auto& [number, slot] : slots_) {
    if (inodes_.LinkOf(inodes_.NumberOf(slot.real)) == nullptr) continue;
    slot.links_left = stack_.at(*stack_.IndexOf(slot.real.branch)).tree().Links(slot.real.ino);
    slot.counts_names = false;
  }
  inodes_.ForgetLinks();
  return {};
}

}  // namespace lamina::sim
