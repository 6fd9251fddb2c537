// File operations on open handles and on mappings.
#include <algorithm>
#include <limits>

#include "absl/strings/str_format.h"
#include "lamina/fs/permission.h"
#include "sim/scenario/file_calls.h"
#include "sim/scenario/operation.h"
#include "sim/scenario/text_form.h"
#include "sim/scenario/world.h"

namespace lamina::sim::internal {
namespace {

using Kind = ArgumentKind;

// The handle called by argument `i`, its process acting for the caller; null when it is not open.
HandleRecord* HandleOf(const Call& call, std::size_t i) {
  const auto found = call.world.handles.find(call.text(i));
  if (found == call.world.handles.end()) return nullptr;
  call.world.AsCaller(*found->second.process);
  return &found->second;
}

// Runs `work(process, fd)` on the handle of the first argument.
template <typename Work>
Outcome OnHandle(const Call& call, Work work) {
  HandleRecord* handle = HandleOf(call, 0);
  if (handle == nullptr) return Errno::kBadF;
  return work(*handle->process, handle->fd);
}

Outcome RunOpen(const Call& call) {
  const std::optional<OpenHow> how = call.has(2) ? ParseOpenFlags(call.text(2)) : OpenHow{};
  if (call.world.handles.contains(call.text(0))) {
    return absl::FailedPreconditionError(absl::StrFormat("handle '%s' is open", call.text(0)));
  }
  const Result<Fd> fd = call.process->Open(call.text(1), *how, call.mode(3, 0644));
  if (!fd.ok()) return fd.error();
  HandleRecord record;
  record.process = call.process;
  record.fd = *fd;
  call.world.handles.emplace(call.text(0), std::move(record));
  return std::string("OK");
}

Outcome RunClose(const Call& call) {
  HandleRecord* handle = HandleOf(call, 0);
  if (handle == nullptr) return Errno::kBadF;
  const Result<void> closed = handle->process->Close(handle->fd);
  call.world.handles.erase(call.text(0));
  return closed;
}

Outcome RunHread(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) {
    return ReadUpTo(call, process, fd, call.number(1), call.number(2));
  });
}

Outcome RunHwrite(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) {
    return WriteAll(call, process, fd, ExpandContent(call.text(2)), call.number(1));
  });
}

Outcome RunHtruncate(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) -> Outcome {
    if (call.number(1) < 0) return Errno::kInval;
    return process.Ftruncate(fd, static_cast<std::uint64_t>(call.number(1)));
  });
}

Outcome RunHstat(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) -> Outcome {
    const Result<Stat> stat = process.Fstat(fd);
    if (!stat.ok()) return stat.error();
    return StatLine(*stat, call.world.classes);
  });
}

Outcome RunHchmod(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) -> Outcome {
    return process.Fchmod(fd, call.mode(1, 0));
  });
}

Outcome RunHchown(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) -> Outcome {
    return process.Fchown(fd, OwnerOrKeep(call.number(1)), OwnerOrKeep(call.number(2)));
  });
}

Outcome RunHfsync(const Call& call) {
  return OnHandle(
      call, [&](Process& process, Fd fd) -> Outcome { return process.Fsync(fd, SyncMode::kAll); });
}

Outcome RunHsetxattr(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) -> Outcome {
    return process.Fsetxattr(fd, call.text(1), ExpandContent(call.text(2)), XattrMode::kSet);
  });
}

// linkat(2) from a handle of one target to a path of another. Layers of one file system are one
// mount to the kernel; anything else is EXDEV, once the new name was looked at.
Outcome LinkAcross(const Call& call, const HandleRecord& handle) {
  const std::string& path = call.text(1);
  if (call.process->GetStat(path, LastLink::kKeep).ok()) return Errno::kExist;
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Result<Stat> directory = call.process->GetStat(parent, LastLink::kFollow);
  if (!directory.ok()) return directory.error();
  FileSystem& fs = call.process->fs();
  if (&handle.process->fs() != &fs) return Errno::kXDev;
  const Result<void> allowed =
      call.process->CheckPath(parent, kMayWrite | kMayExecute, LastLink::kFollow);
  if (!allowed.ok()) return allowed;
  const Result<Stat> stat = handle.process->Fstat(handle.fd);
  if (!stat.ok()) return stat.error();
  call.world.clock.Advance(Duration{1000});
  const OpContext op{call.process->credentials(), call.world.clock.now(), Probe()};
  const std::string_view name = std::string_view(path).substr(slash + 1);
  return fs.Link(op, stat->node, {directory->node, name});
}

Outcome RunHlink(const Call& call) {
  HandleRecord* handle = HandleOf(call, 0);
  if (handle == nullptr) return Errno::kBadF;
  if (handle->process != call.process) return LinkAcross(call, *handle);
  return handle->process->LinkOpenFile(handle->fd, call.text(1));
}

Outcome RunHfalloc(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) -> Outcome {
    if (call.number(1) < 0 || call.number(2) <= 0) return Errno::kInval;
    return process.Fallocate(fd, static_cast<std::uint64_t>(call.number(1)),
                             static_cast<std::uint64_t>(call.number(2)), AllocateMode::kExtend);
  });
}

// copy_file_range(2) between two processes of one file system: read and write.
Outcome CopyAcross(const HandleRecord& from, std::uint64_t from_offset, const HandleRecord& to,
                   std::uint64_t to_offset, std::uint64_t length) {
  if (&from.process->fs() != &to.process->fs()) return Errno::kXDev;
  std::vector<std::byte> piece(1U << 16U);
  std::uint64_t copied = 0;
  while (copied < length) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), length - copied));
    const Result<std::size_t> got =
        from.process->Pread(from.fd, MutableBytes(piece.data(), want), from_offset + copied);
    if (!got.ok()) return got.error();
    if (*got == 0) break;
    const Result<std::size_t> put =
        to.process->Pwrite(to.fd, Bytes(piece.data(), *got), to_offset + copied);
    if (!put.ok()) return put.error();
    copied += *put;
  }
  return absl::StrFormat("OK %d", copied);
}

Outcome RunHcopy(const Call& call) {
  const HandleRecord* from = HandleOf(call, 0);
  const HandleRecord* to = HandleOf(call, 2);
  if (from == nullptr || to == nullptr) return Errno::kBadF;
  if (call.number(4) < 0) return absl::InvalidArgumentError("a negative length");
  if (call.number(1) < 0 || call.number(3) < 0) return Errno::kInval;
  const auto from_offset = static_cast<std::uint64_t>(call.number(1));
  const auto to_offset = static_cast<std::uint64_t>(call.number(3));
  const auto length = static_cast<std::uint64_t>(call.number(4));
  if (from->process != to->process) {
    return CopyAcross(*from, from_offset, *to, to_offset, length);
  }
  const Result<std::uint64_t> copied =
      from->process->CopyRange(from->fd, from_offset, to->fd, to_offset, length);
  if (!copied.ok()) return copied.error();
  return absl::StrFormat("OK %d", *copied);
}

Outcome RunHlock(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) -> Outcome {
    return process.Flock(fd, static_cast<LockKind>(call.number(1)));
  });
}

Outcome RunHlease(const Call& call) {
  return OnHandle(call, [&](Process& process, Fd fd) -> Outcome {
    return process.SetLease(fd, static_cast<LeaseKind>(call.number(1)));
  });
}

// One getdents(2) with a buffer of 32 bytes: an entry of a name of up to 12 bytes fits.
Result<void> TakeRawEntry(HandleRecord& handle) {
  constexpr std::size_t kLongestName = 12;
  if (!handle.held_back) {
    Result<std::vector<ProcessEntry>> next = handle.process->ReadEntries(handle.fd, 1);
    if (!next.ok()) return next.error();
    if (next->empty()) return {};
    handle.held_back = std::move(next->front());
  }
  if (handle.held_back->name.size() > kLongestName) return Errno::kInval;
  handle.taken.push_back(*std::move(handle.held_back));
  handle.held_back.reset();
  return {};
}

Outcome RunHreaddir(const Call& call) {
  HandleRecord* handle = HandleOf(call, 0);
  if (handle == nullptr) return Errno::kBadF;
  if (call.has(1)) {
    for (std::int64_t i = 0; i < call.number(1); ++i) {
      if (const Result<void> taken = TakeRawEntry(*handle); !taken.ok()) return taken;
    }
    return std::string("OK");
  }
  const Result<std::vector<ProcessEntry>> rest = ReadAllEntries(*handle->process, handle->fd);
  if (!rest.ok()) return rest.error();
  if (handle->held_back) handle->taken.push_back(*std::move(handle->held_back));
  handle->held_back.reset();
  handle->taken.insert(handle->taken.end(), rest->begin(), rest->end());
  return ShowEntries(handle->taken);
}

Outcome RunHrewind(const Call& call) {
  HandleRecord* handle = HandleOf(call, 0);
  if (handle == nullptr) return Errno::kBadF;
  handle->taken.clear();
  handle->held_back.reset();
  const Result<Stat> stat = handle->process->Fstat(handle->fd);
  if (stat.ok() && stat->type == FileType::kDirectory) {
    return handle->process->RewindDirectory(handle->fd);
  }
  const Result<std::uint64_t> position = handle->process->SeekTo(handle->fd, 0);
  if (!position.ok()) return position.error();
  return std::string("OK");
}

// ── Mappings ─────────────────────────────────────────────────────────────────────────────────────

absl::Status NoMapping(const Call& call) {
  return absl::FailedPreconditionError(absl::StrFormat("no mapping '%s'", call.text(0)));
}

Outcome RunMmap(const Call& call) {
  HandleRecord* handle = HandleOf(call, 1);
  if (handle == nullptr) return Errno::kBadF;
  auto length = call.number(2);
  const Result<Stat> stat = handle->process->Fstat(handle->fd);
  if (stat.ok() && stat->type == FileType::kRegular) {
    const auto size = static_cast<std::int64_t>(stat->size_bytes);
    if (length == 0) length = size;
    if (length <= 0) return absl::FailedPreconditionError("an empty mapping");
    if (length > size) return absl::FailedPreconditionError("a mapping longer than the file");
  }
  if (length <= 0) return Errno::kInval;
  MappingRecord record;
  record.process = handle->process;
  record.length = static_cast<std::uint64_t>(length);
  record.writable = call.number(4, 0) == 1;
  const auto sharing = static_cast<MapSharing>(call.number(3, 0));
  const Result<Mapping> mapping =
      handle->process->Mmap(handle->fd, record.length, sharing, record.writable);
  if (!mapping.ok()) return mapping.error();
  record.mapping = *mapping;
  const auto old = call.world.mappings.find(call.text(0));
  if (old != call.world.mappings.end()) {
    const Result<void> gone = old->second.process->Munmap(old->second.mapping);
    if (!gone.ok()) return gone;
  }
  call.world.mappings[call.text(0)] = record;
  return std::string("OK");
}

// An index into `length` bytes where negative ones count from the end, clipped.
std::uint64_t ClipIndex(std::int64_t index, std::uint64_t length) {
  const auto most = static_cast<std::int64_t>(length);
  if (index < 0) index += most;
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(index, 0, most));
}

std::int64_t SumOrMost(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  return a > 0 && b > kMost - a ? kMost : a + b;
}

Outcome RunMread(const Call& call) {
  const auto found = call.world.mappings.find(call.text(0));
  if (found == call.world.mappings.end()) return NoMapping(call);
  const MappingRecord& record = found->second;
  const std::uint64_t begin = ClipIndex(call.number(1), record.length);
  const std::uint64_t end = ClipIndex(SumOrMost(call.number(1), call.number(2)), record.length);
  if (end <= begin) return ShowContent("");
  Result<std::string> bytes = record.process->ReadMapping(record.mapping, begin, end - begin);
  if (!bytes.ok()) return bytes.error();
  return ShowContent(*bytes);
}

Outcome RunMwrite(const Call& call) {
  const auto found = call.world.mappings.find(call.text(0));
  if (found == call.world.mappings.end()) return NoMapping(call);
  const MappingRecord& record = found->second;
  if (!record.writable) return absl::FailedPreconditionError("the mapping is read-only");
  const std::string bytes = ExpandContent(call.text(2));
  const std::uint64_t begin = ClipIndex(call.number(1), record.length);
  const std::uint64_t end =
      ClipIndex(SumOrMost(call.number(1), static_cast<std::int64_t>(bytes.size())), record.length);
  if (std::max(begin, end) - begin != bytes.size()) {
    return absl::FailedPreconditionError("a write past the end of the mapping");
  }
  if (bytes.empty()) return std::string("OK");
  return record.process->WriteMapping(record.mapping, begin, AsBytes(bytes));
}

Outcome RunMunmap(const Call& call) {
  const auto found = call.world.mappings.find(call.text(0));
  if (found == call.world.mappings.end()) return NoMapping(call);
  const MappingRecord record = found->second;
  call.world.mappings.erase(found);
  return record.process->Munmap(record.mapping);
}

constexpr OperationClass kFile = OperationClass::kFile;

constexpr Operation kOperations[] = {
    {"open", kFile, Takes(2, Kind::kName, Kind::kPath, Kind::kOpenFlags, Kind::kMode), RunOpen},
    {"close", kFile, Takes(1, Kind::kName), RunClose, true},
    {"hread", kFile, Takes(3, Kind::kName, Kind::kNumber, Kind::kLength), RunHread, true},
    {"hwrite", kFile, Takes(3, Kind::kName, Kind::kNumber, Kind::kContent), RunHwrite},
    {"htruncate", kFile, Takes(2, Kind::kName, Kind::kNumber), RunHtruncate},
    {"hstat", kFile, Takes(1, Kind::kName), RunHstat, true},
    {"hchmod", kFile, Takes(2, Kind::kName, Kind::kMode), RunHchmod},
    {"hchown", kFile, Takes(3, Kind::kName, Kind::kOwner, Kind::kOwner), RunHchown},
    {"hfsync", kFile, Takes(1, Kind::kName), RunHfsync},
    {"hsetxattr", kFile, Takes(3, Kind::kName, Kind::kText, Kind::kContent), RunHsetxattr},
    {"hlink", kFile, Takes(2, Kind::kName, Kind::kPath), RunHlink},
    {"hfalloc", kFile, Takes(3, Kind::kName, Kind::kNumber, Kind::kNumber), RunHfalloc},
    {"hcopy", kFile,
     Takes(5, Kind::kName, Kind::kNumber, Kind::kName, Kind::kNumber, Kind::kNumber), RunHcopy},
    {"hlock", kFile, Takes(2, Kind::kName, Kind::kLockWord), RunHlock},
    {"hlease", kFile, Takes(2, Kind::kName, Kind::kLeaseWord), RunHlease},
    {"hreaddir", kFile, Takes(1, Kind::kName, Kind::kCount), RunHreaddir},
    {"hrewind", kFile, Takes(1, Kind::kName), RunHrewind},
    {"mmap", kFile,
     Takes(3, Kind::kName, Kind::kName, Kind::kNumber, Kind::kSharing, Kind::kProtection), RunMmap},
    {"mread", kFile, Takes(3, Kind::kName, Kind::kNumber, Kind::kLength), RunMread, true},
    {"mwrite", kFile, Takes(3, Kind::kName, Kind::kNumber, Kind::kContent), RunMwrite},
    {"munmap", kFile, Takes(1, Kind::kName), RunMunmap, true},
};

}  // namespace

std::span<const Operation> HandleOperations() { return kOperations; }

}  // namespace lamina::sim::internal
