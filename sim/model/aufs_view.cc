// What is seen of the union, and by whom.
#include "sim/model/aufs_view.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"

namespace lamina::sim {
namespace {

bool IsSpecial(ModelType type) {
  switch (type) {
    case ModelType::kCharDevice:
    case ModelType::kBlockDevice:
    case ModelType::kFifo:
    case ModelType::kSocket:
      return true;
    case ModelType::kFile:
    case ModelType::kDirectory:
    case ModelType::kSymlink:
      return false;
  }
  return false;
}

}  // namespace

AufsView::AufsView(const std::vector<Content>& branches) {
  for (const Content& content : branches) {
    ModelBranch branch(next_branch_++, content.tree);
    const Result<void> set = branch.SetMode(content.mode);
    LAMINA_CHECK(set.ok());
    stack_.Insert(stack_.size(), std::move(branch));
  }
}

std::unique_ptr<ModelView> AufsView::Clone() const { return std::make_unique<AufsView>(*this); }

// ── Real files ─────────────────────────────────────────────────────────────────────────────────

AufsReal AufsView::RealOf(const std::string& path) const {
  const std::size_t top = stack_.LookUp(path).top();
  const AufsReal named{stack_.at(top).id(), stack_.at(top).tree().InoOf(path)};
  const PseudoLink* link = inodes_.LinkOf(inodes_.NumberOf(named));
  if (link == nullptr) return named;
  const AufsReal& first = link->parts.front();
  return *stack_.IndexOf(first.branch) < top ? first : named;
}

const ModelInode* AufsView::InodeOf(const AufsReal& real) const {
  return stack_.at(*stack_.IndexOf(real.branch)).tree().ByIno(real.ino);
}

ModelInode* AufsView::InodeOf(const AufsReal& real) {
  return stack_.at(*stack_.IndexOf(real.branch)).tree().ByIno(real.ino);
}

// §6.2, §4.6, §3.4
std::uint32_t AufsView::LinksOf(const AufsReal& real) const {
  const PseudoLink* link = inodes_.LinkOf(inodes_.NumberOf(real));
  if (link != nullptr) return link->links;
  const std::uint32_t links = stack_.at(*stack_.IndexOf(real.branch)).tree().Links(real.ino);
  return links - inodes_.TakenFrom(real);
}

std::vector<std::string> AufsView::NamesOf(std::uint64_t number) const {
  std::set<std::string> names;
  for (std::size_t index = 0; index < stack_.size(); ++index) {
    for (const std::string& path : stack_.at(index).tree().Paths()) {
      if (IsShown(path) && Identity(path) == number) names.insert(path);
    }
  }
  return {names.begin(), names.end()};
}

// ── What is seen ───────────────────────────────────────────────────────────────────────────────

const ModelInode* AufsView::Find(const std::string& path) const {
  return IsShown(path) ? InodeOf(RealOf(path)) : nullptr;
}

bool AufsView::IsShown(const std::string& path) const {
  for (const std::string& prefix : Prefixes(path)) {
    const std::string name = LastName(prefix);
    if (IsReservedName(name) || name.size() > kModelAufsNameLimit) return false;
  }
  return stack_.LookUp(path).is_there();
}

// §2.1, §2.3
Result<void> AufsView::CheckLookUp(const std::string& path) const {
  const std::string name = LastName(path);
  if (IsReservedName(name)) {
    Note(DeviationRule::kAufsReservedName);
    return Errno::kPerm;
  }
  if (name.size() > kModelAufsNameLimit) {
    Note(DeviationRule::kAufsShortName);
    return Errno::kNameTooLong;
  }
  if (stack_.LookUp(path).broken) {
    Note(DeviationRule::kAufsBrokenName);
    return Errno::kIo;
  }
  return {};
}

// §2.7. To write asks the topmost part only; to read or search a directory asks every part.
Result<void> AufsView::Permits(const ModelCaller& caller, const std::string& path,
                               unsigned wanted) const {
  const ModelInode& inode = *Find(path);
  if (!Allows(caller, inode, wanted)) return Errno::kAccess;
  if ((wanted & kModelWrite) != 0) {
    const std::size_t top = *stack_.IndexOf(RealOf(path).branch);
    if (IsSpecial(inode.type) || stack_.IsWritableAtOrAbove(top)) return {};
    Note(DeviationRule::kAufsReadOnly);
    return Errno::kRoFs;
  }
  if (!inode.is_directory()) return {};
  for (const std::size_t index : stack_.LookUp(path).parts) {
    if (Allows(caller, *stack_.at(index).tree().Find(path), wanted)) continue;
    Note(DeviationRule::kAufsEveryPart);
    return Errno::kAccess;
  }
  return {};
}

// §4.1
bool AufsView::DropsTimes(const std::string& path) const {
  const AufsReal real = RealOf(path);
  if (!IsSpecial(InodeOf(real)->type) || stack_.at(*stack_.IndexOf(real.branch)).is_writable()) {
    return false;
  }
  Note(DeviationRule::kAufsSpecialTimes);
  return true;
}

std::vector<ListedName> AufsView::List(const std::string& dir) const {
  std::vector<ListedName> listed = stack_.List(dir);
  for (const ListedName& entry : listed) {
    if (entry.name.size() > kModelAufsNameLimit) Note(DeviationRule::kAufsShortName);
    if (stack_.LookUp(JoinPath(dir, entry.name)).broken) Note(DeviationRule::kAufsBrokenName);
  }
  return listed;
}

bool AufsView::IsEmpty(const std::string& dir) const {
  if (!stack_.IsEmpty(dir)) {
    if (stack_.List(dir).empty()) Note(DeviationRule::kAufsBrokenName);
    return false;
  }
  if (!stack_.List(dir).empty()) Note(DeviationRule::kAufsForeignWhiteout);
  return true;
}

// A whiteout beside its victim: what it does to the list depends on the order of the branch.
bool AufsView::IsEmptinessSettled(const std::string& dir) const {
  for (const std::size_t index : stack_.LookUp(dir).parts) {
    const ModelBranch& branch = stack_.at(index);
    const std::vector<std::string> names = branch.tree().NamesIn(dir);
    const bool mixed = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return branch.HasWhiteout(JoinPath(dir, name));
    });
    if (mixed) return false;
  }
  return true;
}

// A change may have to make a directory where a branch has a file (it answers EIO here).
bool AufsView::IsPlaceSettled(const std::string& path) const {
  for (const std::string& prefix : Prefixes(path)) {
    if (!IsShown(prefix)) return true;
    const AufsFound found = stack_.LookUp(prefix);
    for (std::size_t index = found.top(); index < stack_.size(); ++index) {
      const bool in_the_way = stack_.at(index).is_writable() && IsInTheWay(prefix, index);
      if (in_the_way && Find(prefix)->is_directory()) return false;
    }
  }
  return true;
}

// By the letter of §3.6 and §3.7 a name can come to lie where something above hides or covers it,
// or a file go down to a branch below the one it is on.
bool AufsView::IsMoveSettled(const std::string& from, const std::string& to) const {
  const bool replaces = IsShown(to);
  // One number for two files: what becomes visible again when a branch changes.
  if (replaces && IsSameFile(from, to) && RealOf(from) != RealOf(to)) return false;
  // Of a pseudo-linked name the text has two places: its own entry, and the copy it shows.
  for (const std::string& path : {from, to}) {
    if (!IsShown(path) || Find(path)->is_directory()) continue;
    const std::size_t own = stack_.TopOf(path);
    if (stack_.at(own).is_writable() && stack_.at(own).id() != RealOf(path).branch) return false;
  }
  if (const auto target = stack_.RenameTarget(from, to); target.has_value()) {
    if (*target > stack_.TopOf(from) || !stack_.IsSeenAt(to, *target)) return false;
    if (replaces && (*target > stack_.TopOf(to) || !stack_.IsSeenAt(from, *target))) return false;
  }
  if (replaces || Find(from)->is_directory()) return true;
  const std::size_t source = *stack_.IndexOf(RealOf(from).branch);
  const auto target = stack_.LinkTarget(from, to, source);
  return !target.has_value() || (*target <= source && stack_.IsSeenAt(to, *target));
}

// §6.2: st_nlink of a directory is that of its topmost part and n - 2 of every other one.
std::uint32_t AufsView::Links(const std::string& path) const {
  const ModelInode& inode = *Find(path);
  if (!inode.is_directory()) {
    const std::uint32_t links = LinksOf(RealOf(path));
    const bool one_name = links == 1 && inodes_.LinkOf(Identity(path)) == nullptr;
    if (!one_name && links != NamesOf(Identity(path)).size()) Note(DeviationRule::kAufsLinkCount);
    return links;
  }
  std::uint32_t links = 0;
  for (const std::size_t index : stack_.LookUp(path).parts) {
    const ModelTree& tree = stack_.at(index).tree();
    const std::uint32_t own = tree.Links(tree.InoOf(path));
    links += links == 0 || own < 2 ? own : own - 2;
  }
  const std::vector<ListedName> listed = stack_.List(path);
  const auto directories = std::count_if(listed.begin(), listed.end(), [](const ListedName& entry) {
    return entry.type == ModelType::kDirectory;
  });
  if (links != 2 + static_cast<std::uint32_t>(directories)) {
    Note(DeviationRule::kAufsDirectoryLinks);
  }
  return links;
}

std::uint64_t AufsView::Identity(const std::string& path) const {
  return inodes_.NumberOf(RealOf(path));
}

bool AufsView::IsSameFile(const std::string& one, const std::string& other) const {
  return Identity(one) == Identity(other);
}

}  // namespace lamina::sim
