// Open files: they follow the copies. §4.8, §7.
#include "sim/model/aufs_view.h"

namespace lamina::sim {

void AufsView::Pin(const AufsReal& real) {
  stack_.at(*stack_.IndexOf(real.branch)).tree().Pin(real.ino);
}

void AufsView::Unpin(const AufsReal& real) {
  const std::optional<std::size_t> index = stack_.IndexOf(real.branch);
  if (index.has_value()) stack_.at(*index).tree().Unpin(real.ino);
}

void AufsView::OpenSlot(int number, const std::string& path) {
  Slot slot;
  slot.path = path;
  slot.real = slot.opened = RealOf(path);
  slot.on.insert(slot.real.branch);
  for (const std::size_t index : stack_.LookUp(path).parts) slot.on.insert(stack_.at(index).id());
  slot.is_directory = Find(path)->is_directory();
  Pin(slot.real);
  slots_[number] = slot;
}

void AufsView::CloseSlot(int number) {
  Unpin(slots_.at(number).real);
  slots_.erase(number);
}

const ModelInode& AufsView::InSlot(int number) const {
  const Slot& slot = slots_.at(number);
  const bool by_name = slot.is_directory && !slot.nameless;
  return by_name ? *Find(slot.path) : *InodeOf(slot.real);
}

// §3.4 for a file without names, else as by a name.
std::uint32_t AufsView::LinksInSlot(int number) const {
  const Slot& slot = slots_.at(number);
  const std::vector<std::string> names = NamesOf(inodes_.NumberOf(slot.real));
  const ModelTree& tree = stack_.at(*stack_.IndexOf(slot.real.branch)).tree();
  const std::uint32_t left = slot.counts_names ? slot.links_left : tree.Links(slot.real.ino);
  const std::uint32_t links = names.empty() ? left : LinksOf(slot.real);
  if (links != names.size()) Note(DeviationRule::kAufsLinkCount);
  return links;
}

std::uint64_t AufsView::IdentityInSlot(int number) const {
  return inodes_.NumberOf(slots_.at(number).real);
}

bool AufsView::IsSlotOf(int number, const std::string& path) const {
  const Slot& slot = slots_.at(number);
  if (!IsShown(path)) return false;
  if (slot.is_directory) return !slot.nameless && slot.path == path;
  if (slot.real != RealOf(path)) return false;
  if (InSlot(number).type != ModelType::kFifo || slot.opened == slot.real) return true;
  Note(DeviationRule::kAufsOldFifo);
  return false;
}

Result<ModelInode*> AufsView::ChangeInSlot(int number) {
  const Slot& slot = slots_.at(number);
  return slot.nameless ? ChangeNameless(slot) : Change(slot.path);
}

Result<void> AufsView::UseSlot(int number, ModelUse use) {
  const Slot& slot = slots_.at(number);
  if (!slot.nameless) return Use(slot.path, use);
  if (use != ModelUse::kSync) return {};
  Result<ModelInode*> changed = ChangeNameless(slot);
  return changed.ok() ? Result<void>() : changed.error();
}

// §4.8 speaks of the data of files, and of a copy that leaves nothing behind: not what becomes of
// the other names of a hard-linked file, which §4.6 keeps by a pseudo-link.
bool AufsView::IsSlotSettled(int number) const {
  const Slot& slot = slots_.at(number);
  const std::string dir = ParentPath(slot.path);
  if (!slot.nameless) return IsPlaceSettled(slot.path);
  if (!slot.parent_gone && !IsPlaceSettled(dir)) return false;
  const ModelType type = InSlot(number).type;
  const ModelBranch& branch = stack_.at(*stack_.IndexOf(slot.real.branch));
  const bool stays = branch.is_writable();
  const bool has_others = !NamesOf(inodes_.NumberOf(slot.real)).empty();
  if (!stays && (has_others || branch.tree().Links(slot.real.ino) > 1)) return false;
  return type == ModelType::kFile || (stays && type != ModelType::kDirectory);
}

}  // namespace lamina::sim
