#include "sim/model/overlay_view.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "sim/model/flatten.h"

namespace lamina::sim {
namespace {

const std::string kOpaqueKey = "trusted.overlay.opaque";
const std::string kPrivatePrefix = "trusted.overlay.";
const std::string kEscapedPrefix = "trusted.overlay.overlay.";

}  // namespace

OverlayView::OverlayView(ModelTree upper, std::vector<ModelTree> lowers, KernelQuirks quirks)
    : upper_(std::move(upper)),
      lowers_(std::make_shared<const std::vector<ModelTree>>(std::move(lowers))),
      quirks_(quirks) {}

ModelTree OverlayView::Flatten() const { return FlattenView(*this); }

const ModelTree& OverlayView::Layer(std::size_t layer) const {
  return layer == kUpper ? upper_ : lowers_->at(layer - 1);
}

bool OverlayView::IsOpaque(const ModelInode& inode) const {
  const auto mark = inode.xattrs.find(kOpaqueKey);
  return mark != inode.xattrs.end() && mark->second == "y";
}

std::vector<std::size_t> OverlayView::LayersOf(const std::string& path) const {
  std::vector<std::size_t> layers;
  for (std::size_t layer = 0; layer <= lowers_->size(); ++layer) {
    layers.push_back(layer);
    if (IsOpaque(*Layer(layer).Find("/"))) break;
  }
  for (const std::string& prefix : Prefixes(path)) {
    std::size_t found = 0;  // that many layers have a part of `prefix`
    for (const std::size_t layer : layers) {
      const ModelInode* inode = Layer(layer).Find(prefix);
      if (inode == nullptr) continue;
      if (inode->is_whiteout()) break;
      // A file below a directory ends the merge and is not used itself.
      if (inode->is_directory() || found == 0) layers[found++] = layer;
      if (!inode->is_directory() || IsOpaque(*inode)) break;
    }
    layers.resize(found);
  }
  return layers;
}

bool OverlayView::IsPositiveBelow(const std::string& path) const {
  for (const std::size_t layer : LayersOf(ParentPath(path))) {
    if (layer == kUpper) continue;
    const ModelInode* inode = Layer(layer).Find(path);
    if (inode != nullptr) return !inode->is_whiteout();
  }
  return false;
}

std::unique_ptr<ModelView> OverlayView::Clone() const {
  return std::make_unique<OverlayView>(*this);
}

const ModelInode* OverlayView::Find(const std::string& path) const {
  const std::vector<std::size_t> layers = LayersOf(path);
  return layers.empty() ? nullptr : Layer(layers.front()).Find(path);
}

std::vector<ListedName> OverlayView::List(const std::string& dir) const {
  std::map<std::string, const ModelInode*> names;  // what is met first counts, whiteouts too
  const std::vector<std::size_t> layers = LayersOf(dir);
  for (const std::size_t layer : layers) {
    for (const std::string& name : Layer(layer).NamesIn(dir)) {
      names.emplace(name, Layer(layer).Find(JoinPath(dir, name)));
    }
  }
  std::vector<ListedName> listed;
  for (const auto& [name, inode] : names) {
    if (inode->is_whiteout()) {
      if (layers.size() > 1 || quirks_ == KernelQuirks::kOff) continue;
      Note(DeviationRule::kListedWhiteout);
    }
    listed.push_back({name, inode->type});
  }
  return listed;
}

bool OverlayView::IsEmpty(const std::string& dir) const {
  const std::vector<ListedName> listed = List(dir);
  return std::none_of(listed.begin(), listed.end(), [&](const ListedName& entry) {
    return Find(JoinPath(dir, entry.name)) != nullptr;
  });
}

// Whiteouts that somebody put into an upper directory with nothing below: overlayfs.md §6 says that
// they do not count, kernel 6.18 answers ENOTEMPTY.
bool OverlayView::IsEmptinessSettled(const std::string& dir) const {
  const bool pure_upper = LayersOf(dir) == std::vector<std::size_t>{kUpper};
  return !pure_upper || upper_.NamesIn(dir).empty() || !IsEmpty(dir);
}

std::uint32_t OverlayView::Links(const std::string& path) const {
  const std::vector<std::size_t> layers = LayersOf(path);
  const ModelTree& tree = Layer(layers.front());
  if (tree.Find(path)->is_directory() && layers.size() > 1) {
    Note(DeviationRule::kMergedLinkCount);
    return 1;
  }
  const std::uint32_t links = tree.Links(tree.InoOf(path));
  if (layers.front() != kUpper && links > 1) Note(DeviationRule::kLowerLinkCount);
  return links;
}

std::uint64_t OverlayView::IdentityIn(std::size_t layer, ModelIno ino) const {
  if (layer == kUpper) {
    if (const auto origin = origin_.find(ino); origin != origin_.end()) return origin->second;
  }
  return (std::uint64_t{layer + 1} << 32U) + ino;
}

std::uint64_t OverlayView::Identity(const std::string& path) const {
  std::vector<std::size_t> layers = LayersOf(path);
  // A merged directory is known by its topmost lower part, so that it stays itself at copy-up.
  const std::size_t layer = layers.front() == kUpper && layers.size() > 1 ? layers[1] : layers[0];
  return IdentityIn(layer, Layer(layer).InoOf(path));
}

bool OverlayView::IsSameFile(const std::string& one, const std::string& other) const {
  if (one == other) return true;
  if (Find(one)->is_directory() || Identity(one) != Identity(other)) return false;
  if (upper_.InoOf(one) != 0 && upper_.InoOf(one) == upper_.InoOf(other)) return true;
  Note(DeviationRule::kAliasRename);
  return false;
}

std::string OverlayView::StoredKey(const std::string& key) const {
  if (!key.starts_with(kPrivatePrefix)) return key;
  Note(DeviationRule::kPrivateNames);
  return kEscapedPrefix + key.substr(kPrivatePrefix.size());
}

std::optional<std::string> OverlayView::ShownKey(const std::string& stored) const {
  if (!stored.starts_with(kPrivatePrefix)) return stored;
  if (!stored.starts_with(kEscapedPrefix)) return std::nullopt;
  return kPrivatePrefix + stored.substr(kEscapedPrefix.size());
}

void OverlayView::CopyUp(const std::string& path) {
  for (const std::string& prefix : Prefixes(path)) {
    if (upper_.InoOf(prefix) == 0) CopyUpHere(prefix);
  }
}

void OverlayView::CopyUpHere(const std::string& path) {
  const std::size_t layer = LayersOf(path).front();
  const ModelTree& tree = Layer(layer);
  const ModelIno lower_ino = tree.InoOf(path);
  ModelInode copy = *tree.ByIno(lower_ino);
  std::erase_if(copy.xattrs, [&](const auto& item) { return !ShownKey(item.first).has_value(); });
  const ModelIno ino = upper_.Add(path, copy);
  if (!copy.is_directory()) {
    if (tree.Links(lower_ino) == 1) {
      origin_[ino] = IdentityIn(layer, lower_ino);
    } else {
      Note(DeviationRule::kLinkBreak);
    }
  }
  for (auto& [number, slot] : slots_) {
    if (slot.layer == kUpper || slot.hidden || slot.path != path) continue;
    slot = Slot{kUpper, ino, "", false, false};
    upper_.Pin(ino);
  }
}

Result<ModelInode*> OverlayView::Change(const std::string& path) {
  CopyUp(path);
  return upper_.Find(path);
}

Result<void> OverlayView::Use(const std::string& path, ModelUse use) {
  if (use == ModelUse::kOpenToWrite) CopyUp(path);
  return {};
}

void OverlayView::DropUpper(const std::string& path) {
  if (upper_.InoOf(path) != 0) upper_.DropAll(path);
}

Result<void> OverlayView::Add(const std::string& path, const ModelInode& inode) {
  if (inode.is_whiteout()) {
    Note(DeviationRule::kWhiteoutDevice);
    return Errno::kPerm;
  }
  CopyUp(ParentPath(path));
  ModelInode added = inode;
  if (upper_.InoOf(path) != 0 && inode.is_directory()) added.xattrs[kOpaqueKey] = "y";
  DropUpper(path);
  upper_.Add(path, added);
  Touch(ParentPath(path));
  return {};
}

Result<void> OverlayView::Link(const std::string& from, const std::string& to) {
  CopyUp(from);
  CopyUp(ParentPath(to));
  DropUpper(to);
  upper_.AddName(to, upper_.InoOf(from));
  Touch(ParentPath(to));
  return {};
}

void OverlayView::HideSlots(const std::string& path) {
  for (auto& [number, slot] : slots_) {
    if (slot.layer == kUpper) continue;
    if (slot.path == path) {
      slot.hidden = true;
    } else if (slot.hidden && IsAtOrBelow(slot.path, path)) {
      slot.parent_gone = true;
    }
  }
}

void OverlayView::Hide(const std::string& path) {
  CopyUp(ParentPath(path));
  HideSlots(path);
  DropUpper(path);
  if (!IsPositiveBelow(path)) return;
  ModelInode whiteout;
  whiteout.type = ModelType::kCharDevice;
  upper_.Add(path, whiteout);
}

Result<void> OverlayView::Remove(const ModelCaller&, const std::string& path) {
  Hide(path);
  Touch(ParentPath(path));
  return {};
}

bool OverlayView::CanMove(const std::string& path) const {
  if (!Find(path)->is_directory()) return true;
  return LayersOf(path) == std::vector<std::size_t>{kUpper};
}

void OverlayView::MarkMovedDirectory(const std::string& path) {
  ModelInode& inode = *upper_.Find(path);
  if (inode.is_directory() && IsMerged(ParentPath(path))) {
    inode.xattrs[kOpaqueKey] = "y";
  }
}

Result<void> OverlayView::Rename(const ModelCaller&, const std::string& from, const std::string& to,
                                 ModelRename mode, const ModelInode&) {
  if (mode == ModelRename::kLeaveWhiteout) {
    Note(DeviationRule::kRenameWhiteout);
    return Errno::kInval;
  }
  const bool exchange = mode == ModelRename::kExchange;
  if (!CanMove(from) || (exchange && !CanMove(to))) {
    Note(DeviationRule::kDirectoryRename);
    return Errno::kXDev;
  }
  const ModelInode* target = Find(to);
  const bool full_target = target != nullptr && target->is_directory() && !IsEmpty(to);
  if (!exchange && full_target) {
    // A target without lower part is found to be full by the upper file system only, when the mark
    // has been set already (recordings/mark-before-failure).
    if (CanMove(to) && IsMerged(ParentPath(to))) upper_.Find(from)->xattrs[kOpaqueKey] = "y";
    return Errno::kNotEmpty;
  }
  CopyUp(from);
  CopyUp(ParentPath(to));
  if (exchange) {
    CopyUp(to);
    upper_.Swap(from, to);
    MarkMovedDirectory(from);
  } else {
    if (target != nullptr) HideSlots(to);
    DropUpper(to);
    upper_.Move(from, to);
    Hide(from);
  }
  MarkMovedDirectory(to);
  Touch(ParentPath(from));
  Touch(ParentPath(to));
  return {};
}

void OverlayView::OpenSlot(int slot, const std::string& path) {
  const std::size_t layer = LayersOf(path).front();
  const ModelIno ino = Layer(layer).InoOf(path);
  slots_[slot] = Slot{layer, ino, layer == kUpper ? "" : path, false, false};
  if (layer == kUpper) upper_.Pin(ino);
}

void OverlayView::CloseSlot(int slot) {
  if (slots_.at(slot).layer == kUpper) upper_.Unpin(slots_.at(slot).ino);
  slots_.erase(slot);
}

const ModelInode& OverlayView::InSlot(int slot) const {
  return *Layer(slots_.at(slot).layer).ByIno(slots_.at(slot).ino);
}

std::uint32_t OverlayView::LinksInSlot(int slot) const {
  const Slot& open = slots_.at(slot);
  if (open.hidden) Note(DeviationRule::kHiddenHandleLinks);
  const std::uint32_t links = Layer(open.layer).Links(open.ino);
  if (open.layer != kUpper && links > 1) Note(DeviationRule::kLowerLinkCount);
  return links;
}

std::uint64_t OverlayView::IdentityInSlot(int slot) const {
  return IdentityIn(slots_.at(slot).layer, slots_.at(slot).ino);
}

bool OverlayView::IsSlotOf(int slot, const std::string& path) const {
  const Slot& open = slots_.at(slot);
  if (open.layer == kUpper) return open.ino == upper_.InoOf(path);
  return !open.hidden && open.path == path;
}

Result<ModelInode*> OverlayView::ChangeInSlot(int slot) {
  if (slots_.at(slot).hidden) {
    Note(DeviationRule::kHiddenHandleChange);
    return Errno::kExist;
  }
  if (slots_.at(slot).layer != kUpper) CopyUp(slots_.at(slot).path);
  return upper_.ByIno(slots_.at(slot).ino);
}

bool OverlayView::IsSlotSettled(int slot) const {
  const Slot& open = slots_.at(slot);
  if (open.hidden) {
    // Kernel 6.18 brings the name of a hidden fifo back; nobody says that it should.
    const bool regular = InSlot(slot).type == ModelType::kFile;
    return regular && !open.parent_gone && quirks_ == KernelQuirks::kOn;
  }
  if (!InSlot(slot).is_directory()) return true;
  return open.layer != kUpper || upper_.Links(open.ino) > 0;
}

}  // namespace lamina::sim
