// Copying up: when a file or directory comes to be on another branch. §3.1, §4.
#include <algorithm>
#include <utility>

#include "sim/model/aufs_view.h"

namespace lamina::sim {
namespace {

// §4.5: a block of zeros becomes a hole, all else is written.
std::set<std::size_t> PagesOfCopy(const std::string& content) {
  std::set<std::size_t> pages;
  for (std::size_t at = 0; at < content.size(); at += kModelPageBytes) {
    const std::string block = content.substr(at, kModelPageBytes);
    const bool skipped = block == std::string(kModelPageBytes, '\0');
    if (!skipped) pages.insert(at / kModelPageBytes);
  }
  return pages;
}

}  // namespace

Result<void> AufsView::CopyTo(const std::string& path, std::size_t branch) {
  for (const std::string& prefix : Prefixes(path)) {
    if (stack_.LookUp(prefix).is_on(branch)) continue;
    if (Result<void> copied = CopyHere(prefix, branch); !copied.ok()) return copied;
  }
  return {};
}

Result<void> AufsView::CopyHere(const std::string& path, std::size_t branch) {
  if (stack_.at(branch).tree().InoOf(path) != 0) return Errno::kIo;
  const AufsFound found = stack_.LookUp(path);
  if (Find(path)->is_directory()) {
    CopyDirectory(path, found, branch);
  } else {
    PlaceFile(RealOf(path), path, branch, Bond::kIfHardLinked);
  }
  return {};
}

// §3.1, §4.2: downwards without times, those of the directory above it either; and opaque where a
// whiteout was.
void AufsView::CopyDirectory(const std::string& path, const AufsFound& found, std::size_t branch) {
  const ModelBranch& source = stack_.at(found.top());
  ModelBranch& target = stack_.at(branch);
  const AufsReal from{source.id(), source.tree().InoOf(path)};
  ModelInode copy = *source.tree().Find(path);
  const bool upwards = branch < found.top();
  if (!upwards) {
    copy.mtime_ns = kModelNow;
    copy.xattrs.clear();
    target.tree().Find(ParentPath(path))->mtime_ns = kModelNow;
  }
  const AufsReal to{target.id(), target.tree().Add(path, copy)};
  if (upwards) inodes_.Copied(from, to);
  if (target.HasWhiteout(path)) {
    target.MarkOpaque(path);
    target.DropWhiteout(path);
  }
}

void AufsView::PlaceFile(const AufsReal& source, const std::string& path, std::size_t branch,
                         Bond bond) {
  ModelBranch& target = stack_.at(branch);
  if (const PseudoLink* link = inodes_.LinkOf(inodes_.NumberOf(source)); link != nullptr) {
    for (const AufsReal& part : link->parts) {
      if (part.branch == target.id()) return target.tree().AddName(path, part.ino);
    }
  }
  ModelInode copy = *InodeOf(source);
  const std::set<std::size_t> pages = PagesOfCopy(copy.content);
  if (std::exchange(copy.pages, pages) != pages) Note(DeviationRule::kAufsCopiedHoles);
  AfterCopy(source, {target.id(), target.tree().Add(path, copy)}, bond);
}

// §4.6, §6.1, §7: the number goes along, and so do open files.
void AufsView::AfterCopy(const AufsReal& source, const AufsReal& copy, Bond bond) {
  const std::uint64_t number = inodes_.NumberOf(source);
  const ModelTree& tree = stack_.at(*stack_.IndexOf(source.branch)).tree();
  const bool hard_linked = tree.Links(source.ino) > 1 || inodes_.LinkOf(number) != nullptr;
  inodes_.Copied(source, copy);
  if (hard_linked || bond == Bond::kAlways) {
    inodes_.AddLink(source, copy, LinksOf(source));
    stack_.at(*stack_.IndexOf(copy.branch)).KeepForPseudoLink(number, copy.ino);
  } else {
    inodes_.Renumber(source);
  }
  for (auto& [number_of_slot, slot] : slots_) {
    if (slot.real != source) continue;
    Pin(copy);
    Unpin(source);
    slot.real = copy;
    slot.on.insert(copy.branch);
  }
}

bool AufsView::IsLinkedByReading(const std::string& path) const {
  if (!IsShown(path)) return false;
  const std::size_t data = *stack_.IndexOf(RealOf(path).branch);
  return stack_.at(data).is_writable() && !stack_.LookUp(path).is_on(data);
}

Result<void> AufsView::LinkToData(const std::string& path) {
  const std::size_t data = *stack_.IndexOf(RealOf(path).branch);
  if (!stack_.at(data).is_writable()) return {};
  return CopyTo(path, data);
}

// §4.1, §5.3
Result<ModelInode*> AufsView::Change(const std::string& path) {
  const std::size_t data = *stack_.IndexOf(RealOf(path).branch);
  const std::optional<std::size_t> target = stack_.Target(path, data);
  if (!target.has_value()) {
    Note(DeviationRule::kAufsReadOnly);
    return Errno::kRoFs;
  }
  if (Result<void> copied = CopyTo(path, *target); !copied.ok()) return copied.error();
  return InodeOf(RealOf(path));
}

Result<void> AufsView::Use(const std::string& path, ModelUse use) {
  switch (use) {
    case ModelUse::kOpenToWrite:
      return {};
    case ModelUse::kRead:
      return Find(path)->type == ModelType::kFile ? LinkToData(path) : Result<void>();
    case ModelUse::kSync:
    case ModelUse::kRemoveXattr: {
      Result<ModelInode*> changed = Change(path);
      return changed.ok() ? Result<void>() : changed.error();
    }
  }
  return {};
}

// §4.8: the copy has no name either.
Result<ModelInode*> AufsView::ChangeNameless(const Slot& slot) {
  const AufsReal source = slot.real;
  const std::size_t data = *stack_.IndexOf(source.branch);
  const std::string place = slot.parent_gone ? "/" + LastName(slot.path) : slot.path;
  const std::optional<std::size_t> target = stack_.Target(place, data);
  if (!target.has_value()) {
    Note(DeviationRule::kAufsReadOnly);
    return Errno::kRoFs;
  }
  if (*target == data) return InodeOf(source);
  if (Result<void> copied = CopyTo(ParentPath(place), *target); !copied.ok()) {
    return copied.error();
  }
  ModelBranch& branch = stack_.at(*target);
  ModelInode inode = *InodeOf(source);
  inode.pages = PagesOfCopy(inode.content);
  const AufsReal copy{branch.id(), branch.AddPinned(inode)};
  AfterCopy(source, copy, Bond::kIfHardLinked);
  Unpin(copy);
  return InodeOf(copy);
}

}  // namespace lamina::sim
