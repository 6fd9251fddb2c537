#include "sim/model/aufs_stack.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace lamina::sim {

bool AufsFound::is_on(std::size_t branch) const {
  return std::find(parts.begin(), parts.end(), branch) != parts.end();
}

std::optional<std::size_t> AufsStack::IndexOf(int id) const {
  for (std::size_t index = 0; index < branches_.size(); ++index) {
    if (branches_[index].id() == id) return index;
  }
  return std::nullopt;
}

void AufsStack::Insert(std::size_t index, ModelBranch branch) {
  branches_.insert(branches_.begin() + static_cast<std::ptrdiff_t>(index), std::move(branch));
}

void AufsStack::Erase(std::size_t index) {
  branches_.erase(branches_.begin() + static_cast<std::ptrdiff_t>(index));
}

// ── What is seen ───────────────────────────────────────────────────────────────────────────────

// §2.3, for one component below a directory that was found.
AufsFound AufsStack::LookUpIn(const AufsFound& parent, const std::string& path) const {
  AufsFound found;
  std::optional<ModelType> type;
  bool first = true;
  for (const std::size_t index : parent.parts) {
    const ModelBranch& branch = branches_[index];
    const ModelInode* entry = branch.tree().Find(path);
    if (branch.honours_marks() && branch.HasWhiteout(path)) {
      const bool is_file = branch.tree().Find(WhiteoutOf(path))->type == ModelType::kFile;
      found.broken = !is_file || (first && entry != nullptr);
      found.whiteout = index;
      return found;
    }
    first = false;
    if (entry == nullptr) continue;
    // A file below a directory is passed over; the search goes on.
    if (type.has_value() && entry->type != *type) continue;
    type = entry->type;
    found.parts.push_back(index);
    if (!entry->is_directory()) return found;
    if (branch.honours_marks() && branch.IsOpaque(path)) {
      found.opaque = index;
      return found;
    }
  }
  return found;
}

AufsFound AufsStack::LookUp(const std::string& path) const {
  AufsFound found;
  for (std::size_t index = 0; index < branches_.size(); ++index) found.parts.push_back(index);
  for (const std::string& prefix : Prefixes(path)) {
    const AufsFound parent = found;
    found = LookUpIn(parent, prefix);
    if (!found.is_there()) return found;
  }
  return found;
}

// §6.3: the whiteouts of the last branch hide nothing, not even beside their victim.
std::vector<ListedName> AufsStack::List(const std::string& dir) const {
  std::map<std::string, ModelType> shown;
  std::set<std::string> hidden;
  const std::vector<std::size_t> parts = LookUp(dir).parts;
  for (const std::size_t index : parts) {
    const ModelBranch& branch = branches_[index];
    const std::vector<std::string> names = branch.tree().NamesIn(dir);
    const bool collects = branch.honours_marks() && index != parts.back();
    for (const std::string& name : names) {
      if (collects && IsWhiteoutName(name)) hidden.insert(name.substr(4));
    }
    for (const std::string& name : names) {
      if (IsWhiteoutName(name) || hidden.contains(name)) continue;
      shown.emplace(name, branch.tree().Find(JoinPath(dir, name))->type);
    }
  }
  std::vector<ListedName> listed;
  for (const auto& [name, type] : shown) listed.push_back({name, type});
  return listed;
}

// §3.5, §2.5
bool AufsStack::IsEmpty(const std::string& dir) const {
  std::set<std::string> hidden;
  for (const std::size_t index : LookUp(dir).parts) {
    const std::vector<std::string> names = branches_[index].tree().NamesIn(dir);
    for (const std::string& name : names) {
      if (IsWhiteoutName(name)) hidden.insert(name.substr(4));
    }
    const bool has_content = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return !IsReservedName(name) && !hidden.contains(name);
    });
    if (has_content) return false;
  }
  return true;
}

bool AufsStack::Reappears(const std::string& path, std::size_t branch) const {
  for (const std::size_t index : LookUp(ParentPath(path)).parts) {
    if (index <= branch) continue;
    if (branches_[index].honours_marks() && branches_[index].HasWhiteout(path)) return false;
    if (branches_[index].tree().InoOf(path) != 0) return true;
  }
  return false;
}

bool AufsStack::IsBrokenBelow(const std::string& path, std::size_t branch) const {
  for (const std::size_t index : LookUp(ParentPath(path)).parts) {
    if (index <= branch) continue;
    const ModelTree& tree = branches_[index].tree();
    if (branches_[index].honours_marks() && branches_[index].HasWhiteout(path)) {
      return tree.Find(WhiteoutOf(path))->type != ModelType::kFile;
    }
    if (tree.InoOf(path) != 0) return false;
  }
  return false;
}

bool AufsStack::IsHiddenByTop(const std::string& dir) const {
  const AufsFound found = LookUp(dir);
  for (const std::size_t index : found.parts) {
    if (index == found.top()) continue;
    for (const std::string& name : branches_[index].tree().NamesIn(dir)) {
      const bool hidden = branches_[found.top()].HasWhiteout(JoinPath(dir, name));
      if (!IsReservedName(name) && !hidden) return false;
    }
  }
  return true;
}

bool AufsStack::IsSeenAt(const std::string& path, std::size_t branch) const {
  for (const std::string& prefix : Prefixes(path)) {
    const AufsFound found = LookUp(prefix);
    if (prefix == path) {
      const bool hidden = found.whiteout.has_value() && *found.whiteout < branch;
      const bool covered = !found.parts.empty() && found.top() < branch;
      return !found.broken && !hidden && !covered;
    }
    if (found.is_on(branch)) continue;
    if (found.opaque.has_value() && *found.opaque < branch) return false;
    if (found.whiteout.has_value() && *found.whiteout < branch) return false;
    if (branches_[branch].tree().InoOf(prefix) != 0) return false;  // a file is in the way
  }
  return true;
}

// ── Where changes go ───────────────────────────────────────────────────────────────────────────

std::size_t AufsStack::TopOf(const std::string& path) const {
  const AufsFound found = LookUp(path);
  return found.is_there() ? found.top() : LookUp(ParentPath(path)).top();
}

bool AufsStack::IsWritableAtOrAbove(std::size_t branch) const {
  for (std::size_t index = 0; index <= branch; ++index) {
    if (branches_[index].is_writable()) return true;
  }
  return false;
}

// §5.2, §5.3. The look at the opaque ancestors (nonopq) finds nothing here: the name is on `branch`
// or its directory is, so every mark above the name is at `branch` or below.
std::optional<std::size_t> AufsStack::Target(const std::string& path, std::size_t branch) const {
  if (branches_[branch].is_writable()) return branch;
  if (path == "/") return std::nullopt;
  for (const std::size_t index : LookUp(ParentPath(path)).parts) {
    if (index < branch && branches_[index].is_writable()) return index;
  }
  for (std::size_t index = branch; index > 0; --index) {
    if (branches_[index - 1].is_writable()) return index - 1;
  }
  return std::nullopt;
}

std::optional<std::size_t> AufsStack::TargetOr(std::size_t wanted, const std::string& from,
                                               const std::string& to) const {
  const std::optional<std::size_t> opaque = LookUp(ParentPath(to)).opaque;
  const std::optional<std::size_t> whiteout = LookUp(to).whiteout;
  const bool hidden =
      (opaque.has_value() && *opaque < wanted) || (whiteout.has_value() && *whiteout < wanted);
  if (branches_[wanted].is_writable() && !hidden) return wanted;
  const std::size_t higher = std::min(TopOf(from), TopOf(to));
  if (branches_[higher].is_writable()) return higher;
  return Target(to, TopOf(to));
}

std::optional<std::size_t> AufsStack::LinkTarget(const std::string& from, const std::string& to,
                                                 std::size_t source) const {
  return TargetOr(source, from, to);
}

std::optional<std::size_t> AufsStack::RenameTarget(const std::string& from,
                                                   const std::string& to) const {
  const bool replaces = LookUp(to).is_there();
  return TargetOr(replaces ? std::min(TopOf(from), TopOf(to)) : TopOf(from), from, to);
}

}  // namespace lamina::sim
