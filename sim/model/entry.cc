#include "sim/model/entry.h"

#include <algorithm>

#include "sim/model/operation.h"
#include "sim/model/tree.h"

namespace lamina::sim {
namespace {

ModelEntry EntryOf(const ModelView& view, const std::string& path) {
  ModelEntry entry;
  entry.path = path;
  const ModelInode* inode = view.Find(path);
  entry.found = inode != nullptr;
  if (!entry.found) return entry;
  entry.inode = *inode;
  entry.inode.xattrs.clear();
  entry.inode.pages.clear();
  for (const auto& [stored, value] : inode->xattrs) {
    const std::optional<std::string> key = view.ShownKey(stored);
    if (key.has_value()) entry.inode.xattrs[*key] = value;
  }
  entry.links = view.Links(path);
  entry.identity = view.Identity(path);
  return entry;
}

// Which earlier path has the same identity; the path itself when none has.
std::map<std::string, std::string> FirstNames(const std::vector<ModelEntry>& dump) {
  std::map<std::uint64_t, std::string> first;
  std::map<std::string, std::string> names;
  for (const ModelEntry& entry : dump) {
    if (entry.found) names[entry.path] = first.emplace(entry.identity, entry.path).first->second;
  }
  return names;
}

bool ShowsTheSame(const ModelEntry& one, const ModelEntry& other) {
  if (one.path != other.path || one.found != other.found) return false;
  return one.inode == other.inode && one.links == other.links;
}

}  // namespace

std::string ShowXattrs(const std::map<std::string, std::string>& xattrs) {
  std::string text;
  for (const auto& [key, value] : xattrs) {
    text += (text.empty() ? "{" : ",") + key + "=" + QuoteData(value);
  }
  return text.empty() ? "" : text + "}";
}

std::string ModelEntry::Show() const {
  if (!found) return path + " listed only";
  const std::size_t size_bytes = inode.content.size() + inode.target.size();
  std::string text = path + " " + ShowStat(inode, size_bytes, links);
  if (inode.type == ModelType::kSymlink) text += " target=" + QuoteData(inode.target);
  if (inode.type == ModelType::kFile) text += " content=" + QuoteData(inode.content);
  if (!inode.xattrs.empty()) text += " xattrs=" + ShowXattrs(inode.xattrs);
  return text;
}

std::vector<ModelEntry> DumpView(const ModelView& view) {
  std::vector<ModelEntry> dump;
  std::vector<std::string> pending = {"/"};
  while (!pending.empty()) {
    const std::string path = pending.back();
    pending.pop_back();
    dump.push_back(EntryOf(view, path));
    if (!dump.back().found || !dump.back().inode.is_directory()) continue;
    std::vector<ListedName> names = view.List(path);
    std::reverse(names.begin(), names.end());
    for (const ListedName& listed : names) pending.push_back(JoinPath(path, listed.name));
  }
  return dump;
}

std::string CompareDumps(const std::vector<ModelEntry>& want, const std::vector<ModelEntry>& got) {
  for (std::size_t i = 0; i < std::max(want.size(), got.size()); ++i) {
    const bool in_both = i < want.size() && i < got.size();
    if (in_both && ShowsTheSame(want[i], got[i])) continue;
    const std::string wanted = i < want.size() ? want[i].Show() : "(nothing)";
    const std::string seen = i < got.size() ? got[i].Show() : "(nothing)";
    return "want " + wanted + "\ngot  " + seen;
  }
  const std::map<std::string, std::string> want_first = FirstNames(want);
  const std::map<std::string, std::string> got_first = FirstNames(got);
  for (const auto& [path, first] : want_first) {
    if (first == got_first.at(path)) continue;
    return path + ": want the identity of " + first + ", got that of " + got_first.at(path);
  }
  return "";
}

}  // namespace lamina::sim
