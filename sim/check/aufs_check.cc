#include "sim/check/aufs_check.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/sim/text_style.h"
#include "lamina/union/aufs.h"
#include "sim/explain/aufs_files.h"

namespace lamina::sim::internal {
namespace {

constexpr std::string_view kSameTree = "AUFS shows the same tree with the whiteout and without it";

// .wh..wh.NAME.HHHH
bool IsTemporary(std::string_view name) {
  constexpr std::size_t kDigits = 4;
  if (!name.starts_with(kReservedPrefix)) return false;
  if (name.size() < kReservedPrefix.size() + kDigits + 2) return false;
  const std::string_view digits = name.substr(name.size() - kDigits);
  return name[name.size() - kDigits - 1] == '.' &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What dirren keeps.
bool IsOfDirren(std::string_view name) {
  return name == ".wh..wh.hino" || name.starts_with(kRenameMark);
}

class BranchCheck {
 public:
  BranchCheck(const StackReader& reader, const std::map<Part, std::size_t>& shown,
              BranchIndex branch, std::vector<StackFinding>& findings)
      : reader_(reader), search_(reader), shown_(shown), branch_(branch), findings_(findings) {}

  Result<void> Run() {
    pending_.push_back({"", reader_.RootsFrom(branch_)});
    while (!pending_.empty()) {
      const Directory dir = std::move(pending_.back());
      pending_.pop_back();
      const auto entries = reader_.List(dir.parts.front());
      if (!entries.ok()) return entries.error();
      for (const StackReader::Named& entry : *entries) {
        if (Result<void> done = CheckName(dir, entry.name); !done.ok()) return done;
      }
    }
    return {};
  }

 private:
  struct Directory {
    std::string path;  // "" for the root
    Parts parts;       // the branch's own one first
  };
  struct Object {
    std::string name;
    std::string path;
    Part part;
    Stat stat;
  };

  bool Counts() const { return search_.Counts(branch_); }
  const std::string& Label(BranchIndex branch) const { return reader_.label(branch); }

  Result<void> CheckName(const Directory& dir, const std::string& name) {
    const Result<std::optional<Part>> child = reader_.Child(dir.parts.front(), name);
    if (!child.ok()) return child.error();
    if (!child->has_value()) return {};
    const Result<Stat> stat = reader_.GetStat(**child);
    if (!stat.ok()) return stat.error();
    const Object object{name, dir.path + '/' + name, **child, *stat};
    if (name == kOpaqueMark) return CheckOpaque(dir, object);
    if (name.starts_with(kReservedPrefix)) return CheckReserved(dir, object);
    if (!WhitedOutName(name).empty()) return CheckWhiteout(dir, object);
    AddOfOverlay(object);
    return stat->type == FileType::kDirectory ? Enter(dir, object) : Result<void>();
  }

  Result<void> Enter(const Directory& dir, const Object& object) {
    Result<Parts> parts = search_.FindDirectory(dir.parts, object.name, AufsSearch::Marks::kFollow);
    if (!parts.ok()) return parts.error();
    // A whiteout beside it hides it; what it holds is checked all the same.
    if (parts->empty()) parts->push_back(object.part);
    pending_.push_back({object.path, *std::move(parts)});
    if (!Counts() || !search_.HasOpaqueMark(object.part)) return {};
    return CheckTwoMarks(dir, object);
  }

  // ── Opaque marks ───────────────────────────────────────────────────────────────────────────────

  Result<void> CheckOpaque(const Directory& dir, const Object& mark) {
    if (mark.stat.type != FileType::kRegular) {
      Add(FindingKind::kIgnoredMark, Severity::kNote, mark,
          std::string(TypeText(mark.stat.type)) + " in place of an opaque mark",
          "AUFS takes only a regular file for the mark");
    } else if (dir.path.empty()) {
      Add(FindingKind::kOpaqueRoot, Severity::kWarning, mark, "opaque mark in the root of a branch",
          "AUFS ignores it: the roots of all branches are merged, and everything below stays "
          "visible");
    } else if (!Counts()) {
      const bool hides = dir.parts.size() > 1;
      Add(FindingKind::kUnhonouredMark, hides ? Severity::kWarning : Severity::kNote, mark,
          "opaque mark on a branch that is ro without +wh",
          hides
              ? absl::StrFormat("AUFS does not honour it: what %s has in the directory is visible",
                                Label(dir.parts[1].branch))
              : "AUFS does not honour it; nothing below has the directory");
    }
    return {};
  }

  // `dir` holds the opaque directory `object`.
  Result<void> CheckTwoMarks(const Directory& dir, const Object& object) {
    const Result<Parts> all =
        search_.FindDirectory(dir.parts, object.name, AufsSearch::Marks::kWalkPast);
    if (!all.ok()) return all.error();
    std::optional<BranchIndex> lowest;
    for (const Part& part : *all) {
      const bool marked = search_.Counts(part.branch) && search_.HasOpaqueMark(part);
      if (marked && part.branch != branch_) lowest = part.branch;
    }
    if (!lowest) return {};
    const bool quirk = reader_.stack().aufs->quirks.lowest_opaque_wins;
    Add(FindingKind::kTwoOpaqueMarks, Severity::kWarning, object,
        absl::StrFormat("opaque here and in %s", Label(*lowest)),
        quirk ? absl::StrFormat("AUFS ends the merge at the lowest mark, %s, at a first lookup, as "
                                "its source says: what lies between shows again",
                                Label(*lowest))
              : absl::StrFormat("AUFS ends the merge at the topmost mark, as its manual says; its "
                                "source takes the lowest, %s, at a first lookup",
                                Label(*lowest)));
    return {};
  }

  // ── Whiteouts ──────────────────────────────────────────────────────────────────────────────────

  Result<void> CheckWhiteout(const Directory& dir, const Object& whiteout) {
    const std::string name = WhitedOutName(whiteout.name);
    if (!Counts()) return CheckUnhonoured(dir, whiteout, name);
    if (whiteout.stat.type != FileType::kRegular) {
      Add(FindingKind::kOddWhiteout, Severity::kError, whiteout,
          absl::StrFormat("whiteout of %s that is %s", ValueText(name),
                          TypeText(whiteout.stat.type)),
          "AUFS fails every lookup of the name with EIO: a whiteout is a regular file");
      return {};
    }
    const Result<std::optional<Part>> entry = reader_.Child(dir.parts.front(), name);
    if (!entry.ok()) return entry.error();
    if (entry->has_value()) {
      AddBesideEntry(dir, whiteout, **entry, name);
      return {};
    }
    if (!dir.path.empty() && search_.HasOpaqueMark(dir.parts.front())) {
      Add(FindingKind::kWhiteoutInOpaque, Severity::kNote, whiteout,
          "whiteout in an opaque directory, which hides everything below anyway",
          std::string(kSameTree));
      return {};
    }
    if (dir.parts.size() == 1 && !dir.path.empty()) {
      Add(FindingKind::kWhiteoutInPureDirectory, Severity::kNote, whiteout,
          "whiteout in a directory that no branch below has", std::string(kSameTree));
      return {};
    }
    const auto below = search_.FindBelow(dir.parts, name);
    if (!below.ok()) return below.error();
    if (below->has_value() && !(*below)->whiteout) return {};
    Add(FindingKind::kDeadWhiteout, Severity::kNote, whiteout,
        below->has_value() ? absl::StrFormat("whiteout of a name that %s whites out already",
                                             Label((*below)->at.branch))
                           : "whiteout of a name that no branch below has",
        std::string(kSameTree));
    return {};
  }

  void AddBesideEntry(const Directory& dir, const Object& whiteout, const Part& entry,
                      const std::string& name) {
    const auto place = shown_.find(dir.parts.front());
    const bool first = place != shown_.end() && place->second == 0;
    const bool trusts = reader_.stack().aufs->udba == AufsUdba::kNone;
    std::string then = "AUFS fails every lookup of the name with EIO, until one of the two is gone";
    if (place == shown_.end()) {
      then = "AUFS does not come here: the branches above hide the directory";
    } else if (!first) {
      then =
          "AUFS finds the whiteout first, and the name is hidden; in the topmost branch of the "
          "directory it would be EIO";
    } else if (trusts) {
      then = "AUFS with udba=none does not notice: the name is hidden";
    }
    Add(FindingKind::kWhiteoutAndEntry, first && !trusts ? Severity::kError : Severity::kWarning,
        whiteout,
        absl::StrFormat("whiteout of %s, which is in the same directory", ValueText(name)),
        std::move(then));
    findings_.back().node = entry.node;
  }

  Result<void> CheckUnhonoured(const Directory& dir, const Object& whiteout,
                               const std::string& name) {
    const auto below = search_.FindBelow(dir.parts, name);
    if (!below.ok()) return below.error();
    const bool hides = below->has_value() && !(*below)->whiteout;
    Add(FindingKind::kUnhonouredMark, hides ? Severity::kWarning : Severity::kNote, whiteout,
        absl::StrFormat("whiteout of %s on a branch that is ro without +wh", ValueText(name)),
        hides ? absl::StrFormat("AUFS does not honour it: the name is visible from %s",
                                Label((*below)->at.branch))
              : "AUFS does not honour it; it would hide nothing");
    return {};
  }

  // ── Names .wh..wh.* ────────────────────────────────────────────────────────────────────────────

  bool InUse(const Directory& dir, std::string_view name) const {
    return IsUsed({dir.parts.front().node, name});
  }
  bool IsUsed(Place place) const {
    const UnionFs* live = reader_.stack().live;
    return live != nullptr && AufsStillUses(reader_.op(), *live, branch_, place);
  }

  Result<void> CheckReserved(const Directory& dir, const Object& object) {
    if (IsOfDirren(object.name)) return {};
    const bool base =
        object.name == kBaseFile || object.name == kPseudoLinks || object.name == kOrphans;
    if (base && dir.path.empty()) return CheckBase(object);
    if (InUse(dir, object.name)) return {};
    if (IsTemporary(object.name)) {
      std::string then = "AUFS never shows it and never removes it";
      if (object.stat.type == FileType::kRegular && object.stat.size_bytes > 0) {
        then += "; it takes " + SizeText(object.stat.size_bytes);
      }
      Add(FindingKind::kLeftoverTemporary, Severity::kNote, object,
          "left over by a copy-up or a removal that did not end", std::move(then));
      return {};
    }
    Add(FindingKind::kIgnoredMark, Severity::kNote, object, "a name that AUFS keeps for itself",
        "AUFS does not know it here, and never shows it");
    return {};
  }

  Result<void> CheckBase(const Object& base) {
    if (!reader_.IsWritable(branch_)) {
      Add(FindingKind::kLeftBaseEntry, Severity::kNote, base,
          "base entry of a writable branch, left on one that is read-only",
          "AUFS neither uses it nor shows it");
    }
    if (base.name == kBaseFile || base.stat.type != FileType::kDirectory) return {};
    const bool pseudo_links = base.name == kPseudoLinks;
    const auto entries = reader_.List(base.part);
    if (!entries.ok()) return entries.error();
    for (const StackReader::Named& entry : *entries) {
      const Result<std::optional<Part>> child = reader_.Child(base.part, entry.name);
      if (!child.ok()) return child.error();
      if (!child->has_value() || IsUsed({base.part.node, entry.name})) continue;
      const Result<Stat> stat = reader_.GetStat(**child);
      if (!stat.ok()) return stat.error();
      const Object left{entry.name, base.path + '/' + entry.name, **child, *stat};
      if (pseudo_links) {
        AddPseudoLink(left);
      } else {
        Add(FindingKind::kLeftOrphan, Severity::kWarning, left,
            "left orphan: the copy of a file that had no name any more",
            "AUFS never shows it and never removes it");
      }
    }
    return {};
  }

  void AddPseudoLink(const Object& link) {
    const bool live = reader_.stack().live != nullptr;
    std::string then =
        "AUFS does not read it again: the file's other names below show the old data";
    if (link.stat.nlink < 2) {
      then = absl::StrFormat("AUFS never shows it; %s are freed when auplink flush removes it",
                             SizeText(link.stat.size_bytes));
    } else if (live) {
      then = "AUFS removes it at the next auplink flush";
    }
    Add(FindingKind::kLeftPseudoLink, live ? Severity::kNote : Severity::kWarning, link,
        live ? "left pseudo-link: the mount does not use it"
             : "left pseudo-link: of a mount that ended without auplink flush",
        std::move(then));
  }

  // Marks of the other dialect.
  void AddOfOverlay(const Object& object) {
    if (object.stat.type == FileType::kCharDevice && object.stat.rdev == MakeDevice(0, 0)) {
      Add(FindingKind::kUnconvertedWhiteout, Severity::kNote, object,
          "whiteout as overlay has it (char 0:0)",
          "AUFS takes it for a device and shows it under that name");
    }
    if (object.stat.type != FileType::kDirectory) return;
    if (reader_.Mark(object.part, "opaque") != "y") return;
    Add(FindingKind::kUnconvertedWhiteout, Severity::kNote, object,
        "opaque mark as overlay has it (" + reader_.MarkKey("opaque") + ")",
        "AUFS does not read it: what the branches below have in the directory is visible");
  }

  void Add(FindingKind kind, Severity severity, const Object& object, std::string what,
           std::string then) {
    findings_.push_back({kind, severity, Label(branch_), reader_.branch(branch_).name, object.path,
                         std::move(what), std::move(then), branch_, object.part.node});
  }

  const StackReader& reader_;
  const AufsSearch search_;
  const std::map<Part, std::size_t>& shown_;
  const BranchIndex branch_;
  std::vector<StackFinding>& findings_;
  std::vector<Directory> pending_;
};

}  // namespace

Result<void> CheckAufsBranch(const StackReader& reader, const std::map<Part, std::size_t>& shown,
                             BranchIndex branch, std::vector<StackFinding>& findings) {
  return BranchCheck(reader, shown, branch, findings).Run();
}

}  // namespace lamina::sim::internal
