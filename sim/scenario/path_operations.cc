// File operations that name a path of the target.
#include <algorithm>
#include <limits>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sim/scenario/file_calls.h"
#include "sim/scenario/operation.h"
#include "sim/scenario/text_form.h"
#include "sim/scenario/world.h"

namespace lamina::sim::internal {
namespace {

using Kind = ArgumentKind;

// Opens, does `work` with the descriptor, closes: the answer is the work's.
template <typename Work>
Outcome WithOpen(const Call& call, const OpenHow& how, std::uint16_t mode, Work work) {
  const Result<Fd> fd = call.process->Open(call.text(0), how, mode);
  if (!fd.ok()) return fd.error();
  Outcome outcome = work(*fd);
  const Result<void> closed = call.process->Close(*fd);
  if (!outcome.error() && !closed.ok()) return closed;
  return outcome;
}

Outcome RunMkdir(const Call& call) { return call.process->Mkdir(call.text(0), call.mode(1, 0755)); }

Outcome RunCreate(const Call& call) {
  const OpenHow how{.access = Access::kWrite, .create = true, .exclusive = true};
  return WithOpen(call, how, call.mode(1, 0644), [](Fd) { return Outcome(Result<void>()); });
}

Outcome RunPut(const Call& call) {
  const OpenHow how{.access = Access::kWrite, .create = true, .truncate = true};
  return WithOpen(call, how, call.mode(1, 0644), [&](Fd fd) {
    return WriteAll(call, *call.process, fd, ExpandContent(call.text(2)), std::nullopt);
  });
}

Outcome RunWrite(const Call& call) {
  return WithOpen(call, {.access = Access::kWrite}, 0, [&](Fd fd) {
    return WriteAll(call, *call.process, fd, ExpandContent(call.text(2)), call.number(1));
  });
}

Outcome RunAppend(const Call& call) {
  return WithOpen(call, {.access = Access::kWrite, .append = true}, 0, [&](Fd fd) {
    return WriteAll(call, *call.process, fd, ExpandContent(call.text(1)), std::nullopt);
  });
}

Outcome RunTruncate(const Call& call) {
  if (call.number(1) < 0) return Errno::kInval;
  return call.process->Truncate(call.text(0), static_cast<std::uint64_t>(call.number(1)));
}

Outcome RunRead(const Call& call) {
  const std::int64_t length = call.number(2, 1 << 20);
  return WithOpen(call, {.access = Access::kRead}, 0, [&](Fd fd) -> Outcome {
    const Result<Stat> stat = call.process->Fstat(fd);
    if (!stat.ok()) return stat.error();
    const bool regular = stat->type == FileType::kRegular;
    return ReadUpTo(call, *call.process, fd,
                    regular ? std::optional<std::int64_t>(call.number(1, 0)) : std::nullopt,
                    length);
  });
}

Outcome RunUnlink(const Call& call) { return call.process->Unlink(call.text(0)); }

Outcome RunRmdir(const Call& call) { return call.process->Rmdir(call.text(0)); }

Outcome RunRename(const Call& call) {
  const auto flags = static_cast<unsigned>(call.number(2, 0));
  const std::string& from = call.text(0);
  const std::string& to = call.text(1);
  switch (flags) {
    case 0:
      return call.process->Rename(from, to, RenameMode::kReplace);
    case kRenameNoReplace:
      return call.process->Rename(from, to, RenameMode::kNoReplace);
    case kRenameExchange:
      return call.process->Rename(from, to, RenameMode::kExchange);
    case kRenameWhiteout:
      return call.process->Rename(from, to, RenameMode::kLeaveWhiteout);
    case kRenameWhiteout | kRenameNoReplace:
      if (call.process->GetStat(to, LastLink::kKeep).ok()) return Errno::kExist;
      return call.process->Rename(from, to, RenameMode::kLeaveWhiteout);
    default:
      return Errno::kInval;  // renameat2(2): exchange goes with no other flag
  }
}

Outcome RunLink(const Call& call) {
  return call.process->Link(call.text(0), call.text(1), LastLink::kKeep);
}

Outcome RunSymlink(const Call& call) { return call.process->Symlink(call.text(0), call.text(1)); }

Outcome RunReadlink(const Call& call) {
  const Result<std::string> target = call.process->Readlink(call.text(0));
  if (!target.ok()) return target.error();
  return QuoteText(*target);
}

Outcome RunChmod(const Call& call) { return call.process->Chmod(call.text(0), call.mode(1, 0)); }

Outcome RunChown(const Call& call) {
  return call.process->Chown(call.text(0), OwnerOrKeep(call.number(1)), OwnerOrKeep(call.number(2)),
                             LastLink::kKeep);
}

Outcome RunUtimens(const Call& call) {
  const auto at = [&](std::size_t i) {
    return TimeChange{TimeChange::Kind::kAt, Instant{call.number(i)}};
  };
  return call.process->Utimens(call.text(0), at(1), at(2), LastLink::kKeep);
}

Outcome RunSetxattr(const Call& call) {
  return call.process->Setxattr(call.text(0), call.text(1), ExpandContent(call.text(2)),
                                static_cast<XattrMode>(call.number(3, 0)), LastLink::kKeep);
}

Outcome RunGetxattr(const Call& call) {
  const Result<std::string> value =
      call.process->Getxattr(call.text(0), call.text(1), LastLink::kKeep);
  if (!value.ok()) return value.error();
  return ShowXattr(call.text(1), *value);
}

Outcome RunListxattr(const Call& call) {
  const Result<std::vector<std::string>> keys =
      call.process->Listxattr(call.text(0), LastLink::kKeep);
  if (!keys.ok()) return keys.error();
  std::vector<std::string> shown;
  for (const std::string& key : *keys) shown.push_back(EscapeText(key));
  std::sort(shown.begin(), shown.end());
  return '[' + absl::StrJoin(shown, " ") + ']';
}

Outcome RunRemovexattr(const Call& call) {
  return call.process->Removexattr(call.text(0), call.text(1), LastLink::kKeep);
}

Outcome RunMknod(const Call& call) {
  const FileType type = call.number(2) == 0 ? FileType::kCharDevice : FileType::kBlockDevice;
  const std::uint64_t rdev = MakeDevice(static_cast<std::uint32_t>(call.number(3)),
                                        static_cast<std::uint32_t>(call.number(4)));
  return call.process->Mknod(call.text(0), type, call.mode(1, 0), rdev);
}

Outcome RunFifo(const Call& call) {
  return call.process->Mknod(call.text(0), FileType::kFifo, call.mode(1, 0), 0);
}

Outcome RunSock(const Call& call) {
  return call.process->Mknod(call.text(0), FileType::kSocket, call.mode(1, 0), 0);
}

Outcome RunReaddir(const Call& call) {
  return WithOpen(call, {.access = Access::kRead, .directory = true}, 0, [&](Fd fd) -> Outcome {
    Result<std::vector<ProcessEntry>> entries = ReadAllEntries(*call.process, fd);
    if (!entries.ok()) return entries.error();
    return ShowEntries(*std::move(entries));
  });
}

Outcome RunReaddirIno(const Call& call) {
  Result<std::vector<ProcessEntry>> entries = Errno::kIo;
  Outcome opened = WithOpen(call, {.access = Access::kRead, .directory = true}, 0, [&](Fd fd) {
    entries = ReadAllEntries(*call.process, fd);
    return Outcome(entries.ok() ? Result<void>() : Result<void>(entries.error()));
  });
  if (opened.error()) return opened;
  std::sort(entries->begin(), entries->end(),
            [](const ProcessEntry& a, const ProcessEntry& b) { return a.name < b.name; });
  std::string different;
  for (const ProcessEntry& entry : *entries) {
    if (entry.name == "." || entry.name == "..") continue;
    const Result<Stat> stat =
        call.process->GetStat(call.text(0) + '/' + entry.name, LastLink::kKeep);
    if (!stat.ok()) return stat.error();
    if (stat->ino != entry.ino) different += ' ' + EscapeText(entry.name);
  }
  if (different.empty()) return std::string("d_ino==st_ino");
  return "d_ino!=st_ino for" + different;
}

Outcome RunStat(const Call& call) {
  const Result<Stat> stat = call.process->GetStat(call.text(0), LastLink::kKeep);
  if (!stat.ok()) return stat.error();
  return StatLine(*stat, call.world.classes);
}

Outcome RunAccess(const Call& call) {
  return call.process->CheckPath(call.text(0), static_cast<unsigned>(call.number(1)),
                                 LastLink::kFollow);
}

Outcome RunStatfs(const Call& call) {
  const Result<ProcessSpace> space = call.process->Statfs(call.text(0));
  if (!space.ok()) return space.error();
  return absl::StrFormat("namemax=%d ro=%d", space->name_max, space->read_only ? 1 : 0);
}

Outcome RunUpperStat(const Call& call) {
  if (!call.world.upper) return std::string("no upper");
  LayerRecord* layer = call.world.FindLayer(*call.world.upper);
  if (layer == nullptr) return absl::FailedPreconditionError("the upper is not a layer");
  return EntryLine(call.world.AsRoot(*layer->process), call.text(0), TreeSide::kUpper,
                   call.world.dump_context());
}

Outcome RunWorkdir(const Call& call) {
  if (!call.world.upper) return absl::FailedPreconditionError("workdir without an upper");
  LayerRecord* layer = call.world.FindLayer(*call.world.upper);
  if (layer == nullptr) return absl::FailedPreconditionError("the upper is not a layer");
  MemFs& fs = *layer->shown.fs;
  const std::unique_ptr<Process> process = call.world.ProcessAt(fs, fs.root());
  const std::string work = '/' + layer->shown.name + ".work";
  if (const Result<void> there = process->Chdir(work); !there.ok()) return there;
  const auto is_directory = [&](const std::string& path) {
    const Result<Stat> stat = process->GetStat(path, LastLink::kFollow);
    return stat.ok() && stat->type == FileType::kDirectory;
  };
  std::string out = "index=none";
  if (is_directory(work + "/index")) {
    const Result<std::vector<ProcessEntry>> entries = process->ListDirectory(work + "/index");
    if (!entries.ok()) return entries.error();
    std::size_t count = 0;
    std::size_t whiteouts = 0;
    for (const ProcessEntry& entry : *entries) {
      if (entry.name.starts_with('#')) continue;
      ++count;
      if (entry.type == FileType::kCharDevice) ++whiteouts;
    }
    out = absl::StrFormat("index=%d", count);
    if (count > 0) absl::StrAppendFormat(&out, " index_whiteouts=%d", whiteouts);
  }
  const bool is_volatile = is_directory(work + "/work/incompat/volatile");
  return out + " volatile=" + (is_volatile ? "yes" : "no");
}

// ── Marks of the dialect, on a layer ─────────────────────────────────────────────────────────────

Outcome RunWhiteout(const Call& call) {
  if (call.world.target_kind() != TargetKind::kLayer) {
    return absl::FailedPreconditionError("`whiteout` needs a layer as target");
  }
  if (!call.world.NextMountIsAufs()) {
    return call.process->Mknod(call.text(0), FileType::kCharDevice, 0, MakeDevice(0, 0));
  }
  std::string path = call.text(0);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  path.insert(path.rfind('/') + 1, ".wh.");
  return call.process->Mknod(path, FileType::kRegular, 0444, 0);
}

Outcome RunOpaque(const Call& call) {
  if (call.world.target_kind() != TargetKind::kLayer) {
    return absl::FailedPreconditionError("`opaque` needs a layer as target");
  }
  if (call.world.NextMountIsAufs()) {
    return call.process->Mknod(call.text(0) + "/.wh..wh..opq", FileType::kRegular, 0444, 0);
  }
  const std::string space = call.world.NextMountIsUserxattr() ? "user" : "trusted";
  return call.process->Setxattr(call.text(0), space + ".overlay.opaque", "y", XattrMode::kSet,
                                LastLink::kKeep);
}

constexpr OperationClass kFile = OperationClass::kFile;

constexpr Operation kOperations[] = {
    {"mkdir", kFile, Takes(1, Kind::kPath, Kind::kMode), RunMkdir},
    {"create", kFile, Takes(1, Kind::kPath, Kind::kMode), RunCreate},
    {"put", kFile, Takes(3, Kind::kPath, Kind::kMode, Kind::kContent), RunPut},
    {"write", kFile, Takes(3, Kind::kPath, Kind::kNumber, Kind::kContent), RunWrite},
    {"pwrite", kFile, Takes(3, Kind::kPath, Kind::kNumber, Kind::kContent), RunWrite},
    {"append", kFile, Takes(2, Kind::kPath, Kind::kContent), RunAppend},
    {"truncate", kFile, Takes(2, Kind::kPath, Kind::kNumber), RunTruncate},
    {"read", kFile, Takes(1, Kind::kPath, Kind::kNumber, Kind::kLength), RunRead},
    {"unlink", kFile, Takes(1, Kind::kPath), RunUnlink},
    {"rmdir", kFile, Takes(1, Kind::kPath), RunRmdir},
    {"rename", kFile, Takes(2, Kind::kPath, Kind::kPath, Kind::kRenameFlags), RunRename},
    {"link", kFile, Takes(2, Kind::kPath, Kind::kPath), RunLink},
    {"symlink", kFile, Takes(2, Kind::kText, Kind::kPath), RunSymlink},
    {"readlink", kFile, Takes(1, Kind::kPath), RunReadlink},
    {"chmod", kFile, Takes(2, Kind::kPath, Kind::kMode), RunChmod},
    {"chown", kFile, Takes(3, Kind::kPath, Kind::kOwner, Kind::kOwner), RunChown},
    {"utimens", kFile, Takes(3, Kind::kPath, Kind::kTime, Kind::kTime), RunUtimens},
    {"setxattr", kFile, Takes(3, Kind::kPath, Kind::kText, Kind::kContent, Kind::kXattrMode),
     RunSetxattr},
    {"getxattr", kFile, Takes(2, Kind::kPath, Kind::kText), RunGetxattr},
    {"listxattr", kFile, Takes(1, Kind::kPath), RunListxattr},
    {"removexattr", kFile, Takes(2, Kind::kPath, Kind::kText), RunRemovexattr},
    {"mknod", kFile,
     Takes(5, Kind::kPath, Kind::kMode, Kind::kDeviceType, Kind::kDeviceMajor, Kind::kDeviceMinor),
     RunMknod},
    {"fifo", kFile, Takes(2, Kind::kPath, Kind::kMode), RunFifo},
    {"sock", kFile, Takes(2, Kind::kPath, Kind::kMode), RunSock},
    {"readdir", kFile, Takes(1, Kind::kPath), RunReaddir},
    {"readdirino", kFile, Takes(1, Kind::kPath), RunReaddirIno},
    {"stat", kFile, Takes(1, Kind::kPath), RunStat},
    {"access", kFile, Takes(2, Kind::kPath, Kind::kAccess), RunAccess},
    {"statfs", kFile, Takes(1, Kind::kPath), RunStatfs},
    {"ustat", kFile, Takes(1, Kind::kPath), RunUpperStat},
    {"workdir", kFile, Takes(0), RunWorkdir, true},
    {"whiteout", kFile, Takes(1, Kind::kPath), RunWhiteout, false, 2},
    {"opaque", kFile, Takes(1, Kind::kPath), RunOpaque, false, 2},
};

}  // namespace

std::span<const Operation> PathOperations() { return kOperations; }

}  // namespace lamina::sim::internal
