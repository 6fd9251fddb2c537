// One clause for the message of a call that failed for a reason of AUFS.
#include "absl/strings/str_format.h"
#include "lamina/fs/permission.h"
#include "sim/facade/aufs_words.h"
#include "sim/facade/facade_mount.h"

namespace lamina::internal {
namespace {

// aufs: every branch of a directory must allow it.
std::string WhyABranchDenies(const Caller& caller, const CallText& call) {
  UnionFs& fs = *caller.mount->fs;
  if (AufsOptionsOf(fs).dirperm1) return "";
  for (const std::string_view path : call.paths) {
    std::vector<std::string> prefixes = PrefixesOf(path);
    prefixes.insert(prefixes.begin(), "/");
    for (const std::string& prefix : prefixes) {
      const Lookup lookup = LookUp(caller, prefix, LastLink::kFollow);
      if (!lookup.stat.ok() || lookup.stat->type != FileType::kDirectory) break;
      const auto parts = fs.BranchNodes(lookup.stat->node);
      if (!parts.ok()) break;
      for (std::size_t i = 1; i < parts->size(); ++i) {
        const auto [branch, node] = (*parts)[i];
        FileSystem& branch_fs = *fs.branches()[branch].fs;
        const Result<Stat> stat = branch_fs.GetAttr(caller.op(), node);
        const unsigned wanted = kMayRead | kMayExecute;
        if (!stat.ok() || CheckAccess(caller.op(), branch_fs, *stat, wanted).ok()) continue;
        return absl::StrFormat(
            "%s is %04o %d:%d in %s; every branch must allow it (dirperm1: the topmost)",
            Escaped(prefix), stat->mode, stat->uid, stat->gid, LayerWord(*caller.mount, branch));
      }
    }
  }
  return "";
}

std::string WhyReservedName(const CallText& call) {
  for (const std::string_view path : call.paths) {
    for (const std::string& prefix : PrefixesOf(path)) {
      if (!LastNameOf(prefix).starts_with(kDotWh)) continue;
      return absl::StrFormat("%s: names that begin with .wh. are those of AUFS", Escaped(prefix));
    }
  }
  return "";
}

std::string WhyTooLong(const CallText& call) {
  for (const std::string_view path : call.paths) {
    for (const std::string& prefix : PrefixesOf(path)) {
      const std::size_t length = LastNameOf(prefix).size();
      if (length <= kAufsNameMax) continue;
      return absl::StrFormat("a name of %d bytes; AUFS takes %d", length, kAufsNameMax);
    }
  }
  return "";
}

// A crash left an entry and its whiteout, or a whiteout is no file.
std::string WhyBroken(const Caller& caller, const CallText& call) {
  for (const std::string_view path : call.paths) {
    const Lookup lookup = LookUp(caller, path, LastLink::kKeep);
    if (lookup.stat.ok() || lookup.stat.error() != Errno::kIo || !lookup.place()) continue;
    const auto findings = caller.mount->fs->FindInBranches(caller.op(), *lookup.place());
    if (!findings.ok()) continue;
    for (const BranchFinding& finding : findings->branches) {
      if (finding.outcome != BranchFinding::Outcome::kWhiteout || !finding.stat) continue;
      const std::string whiteout = Escaped(WhiteoutPathOf(lookup.prefix));
      const std::string layer = LayerWord(*caller.mount, finding.branch);
      if (finding.stat->type != FileType::kRegular) {
        return absl::StrFormat("the whiteout %s in %s is a %s", whiteout, layer,
                               TypeWord(finding.stat->type));
      }
      return absl::StrFormat("%s has both %s and its whiteout", layer, Escaped(lookup.prefix));
    }
  }
  return "";
}

// aufs: what changes must be in a writable branch, or below one.
std::string WhyNoBranch(const Caller& caller, const CallText& call) {
  if (caller.mount->options.read_only) return "the mount is read-only";
  for (auto path = call.paths.rbegin(); path != call.paths.rend(); ++path) {
    Lookup lookup = LookUp(caller, *path, LastLink::kFollow);
    if (!lookup.stat.ok()) {
      const std::string_view parent = ParentOf(*path);
      lookup = LookUp(caller, parent.empty() ? "/" : parent, LastLink::kFollow);
    }
    if (!lookup.stat.ok()) continue;
    const auto parts = caller.mount->fs->BranchNodes(lookup.stat->node);
    if (!parts.ok()) continue;
    const BranchIndex top = parts->front().first;
    return absl::StrFormat("neither %s nor a branch above it is rw", LayerWord(*caller.mount, top));
  }
  return "no branch at or above it is rw";
}

std::string WhyInvalid(const CallText& call) {
  const auto says = [&](std::string_view word) { return call.rest.find(word) != call.rest.npos; };
  if (call.name == "Rename" && says(", 0x4")) return "AUFS has no RENAME_WHITEOUT";
  if (call.name == "Open" && says("O_DIRECT")) return "direct I/O needs AUFS's option dio";
  return "";
}

}  // namespace

std::string AufsReasonFor(const Caller& caller, Errno error, const CallText& call) {
  switch (error) {
    case Errno::kPerm:
      return WhyReservedName(call);
    case Errno::kNameTooLong:
      return WhyTooLong(call);
    case Errno::kIo:
      return WhyBroken(caller, call);
    case Errno::kAccess:
      return WhyABranchDenies(caller, call);
    case Errno::kRoFs:
      return WhyNoBranch(caller, call);
    case Errno::kInval:
      return WhyInvalid(call);
    default:
      return "";
  }
}

}  // namespace lamina::internal
