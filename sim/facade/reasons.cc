// One clause for the message of a failed call: which part of which path, and which layer, is to
// blame. Asked after the call has failed; reads, and changes nothing.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "sim/facade/facade_mount.h"

namespace lamina::internal {
namespace {

std::string LayerOf(const Caller& caller, NodeId node) {
  const Result<BranchIndex> branch = caller.mount->fs->SourceBranch(node);
  return branch.ok() ? LayerWord(*caller.mount, *branch) : "layer \"\"";
}

// /srv/a is a directory from layer "image"
std::string Described(const Caller& caller, std::string_view path, const Stat& stat) {
  const std::string_view type =
      stat.type == FileType::kRegular ? "regular file" : TypeWord(stat.type);
  return absl::StrFormat("%s is a %s from %s", Escaped(path), type, LayerOf(caller, stat.node));
}

std::string MissingText(const Caller& caller, const Lookup& lookup) {
  if (const std::optional<Place> place = lookup.place(); place) {
    const Result<NameFindings> findings = caller.mount->fs->FindInBranches(caller.op(), *place);
    if (findings.ok()) {
      for (const BranchFinding& finding : findings->branches) {
        if (finding.outcome != BranchFinding::Outcome::kWhiteout) continue;
        return absl::StrFormat("%s is whited out in %s", Escaped(lookup.prefix),
                               LayerWord(*caller.mount, finding.branch));
      }
    }
  }
  return absl::StrFormat("%s does not exist", Escaped(lookup.prefix));
}

std::string WhyNoEntry(const Caller& caller, const CallText& call) {
  for (std::size_t i = 0; i < call.paths.size(); ++i) {
    const bool made_here = call.creates_last && i + 1 == call.paths.size();
    const Lookup lookup = LookUp(caller, call.paths[i], LastLink::kKeep);
    if (lookup.stat.ok() || lookup.stat.error() != Errno::kNoEnt) continue;
    if (made_here && lookup.prefix == call.paths[i]) continue;
    if (call.paths[i].empty()) return "the path is empty";
    return MissingText(caller, lookup);
  }
  return "";
}

std::string WhyNotDirectory(const Caller& caller, const CallText& call) {
  for (const std::string_view path : call.paths) {
    for (const std::string& prefix : PrefixesOf(path)) {
      const Lookup lookup = LookUp(caller, prefix, LastLink::kFollow);
      if (!lookup.stat.ok()) break;
      if (lookup.stat->type == FileType::kDirectory) continue;
      return Described(caller, prefix, *lookup.stat);
    }
  }
  return "";
}

std::string WhyNotEmpty(const Caller& caller, const CallText& call) {
  const Result<std::vector<ProcessEntry>> entries =
      Process(*caller.mount->fs, caller.mount->fs->root(), {}).ListDirectory(call.paths.back());
  if (!entries.ok() || entries->empty()) return "";
  const auto first = std::min_element(
      entries->begin(), entries->end(),
      [](const ProcessEntry& a, const ProcessEntry& b) { return a.name < b.name; });
  std::string text =
      absl::StrFormat("%s still shows %s", Escaped(call.paths.back()), Quoted(first->name));
  if (entries->size() > 1) absl::StrAppendFormat(&text, " and %d more", entries->size() - 1);
  return text;
}

std::string WhyOtherDevice(const Caller& caller, const CallText& call) {
  if (call.name == "Reflink") {
    const Lookup source = LookUp(caller, call.paths.front(), LastLink::kFollow);
    return source.stat.ok() ? Described(caller, call.paths.front(), *source.stat) : "";
  }
  for (const std::string_view path : call.paths) {
    const Lookup lookup = LookUp(caller, path, LastLink::kKeep);
    if (!lookup.stat.ok() || lookup.stat->type != FileType::kDirectory) continue;
    const auto parts = caller.mount->fs->BranchNodes(lookup.stat->node);
    if (!parts.ok() || parts->back().first == 0) continue;  // the writable layer's own
    return absl::StrFormat("%s is a directory from %s; %s", Escaped(path),
                           LayerWord(*caller.mount, parts->back().first),
                           caller.mount->aufs() ? "AUFS moves none that shows a lower branch"
                                                : "enable redirect_dir to allow this");
  }
  return "";
}

std::string WhyDenied(const Caller& caller, const CallText& call) {
  const Credentials& who = caller.process.credentials();
  for (const std::string_view path : call.paths) {
    std::string text;
    for (const std::string& prefix : PrefixesOf(path)) {
      const Lookup lookup = LookUp(caller, prefix, LastLink::kFollow);
      if (!lookup.stat.ok()) break;
      text =
          absl::StrFormat("%s is %04o %d:%d, the caller is %d:%d", Escaped(prefix),
                          lookup.stat->mode, lookup.stat->uid, lookup.stat->gid, who.uid, who.gid);
    }
    if (!text.empty()) return text;
  }
  return "";
}

std::string WhyNoSpace(const Caller& caller) {
  const auto& branches = caller.mount->fs->branches();
  const auto writable = std::count_if(branches.begin(), branches.end(), [](const Branch& branch) {
    return branch.mode == BranchMode::kReadWrite;
  });
  return absl::StrFormat("%s at most %d bytes",
                         writable == 1 ? "layer \"upper\" holds" : "each writable layer holds",
                         caller.mount->options.capacity);
}

std::string WhatIsThere(const Caller& caller, const CallText& call) {
  if (call.paths.empty()) return "";
  const Lookup lookup = LookUp(caller, call.paths.back(), LastLink::kKeep);
  if (!lookup.stat.ok()) return "";
  return Described(caller, call.paths.back(), *lookup.stat);
}

}  // namespace

std::string ReasonFor(const Caller& caller, Errno error, const CallText& call) {
  if (caller.mount->aufs()) {
    std::string reason = AufsReasonFor(caller, error, call);
    if (!reason.empty()) return reason;
  }
  switch (error) {
    case Errno::kNoEnt:
      return WhyNoEntry(caller, call);
    case Errno::kNotDir:
      return WhyNotDirectory(caller, call);
    case Errno::kNotEmpty:
      return WhyNotEmpty(caller, call);
    case Errno::kExist:
    case Errno::kIsDir:
      return WhatIsThere(caller, call);
    case Errno::kXDev:
      return WhyOtherDevice(caller, call);
    case Errno::kAccess:
    case Errno::kPerm:
      return WhyDenied(caller, call);
    case Errno::kRoFs:
      return "no layer of the mount is writable";
    case Errno::kNoSpc:
      return WhyNoSpace(caller);
    default:
      return "";  // the sentence of the errno says it all
  }
}

}  // namespace lamina::internal
