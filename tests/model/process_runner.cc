#include "tests/model/process_runner.h"

#include <algorithm>
#include <optional>
#include <set>

#include "sim/model/tree.h"
#include "tests/model/model_values.h"

namespace lamina::sim {
namespace {

using Value = ModelOutcome::Value;

ModelOutcome Failed(Errno error) {
  ModelOutcome outcome;
  outcome.error = error;
  return outcome;
}

ModelOutcome Succeeded(Value kind, std::string value) {
  ModelOutcome outcome;
  outcome.kind = kind;
  outcome.value = std::move(value);
  return outcome;
}

ModelOutcome From(const Result<void>& result) {
  return result.ok() ? ModelOutcome() : Failed(result.error());
}

ModelOutcome FromCount(const Result<std::size_t>& result) {
  if (!result.ok()) return Failed(result.error());
  return Succeeded(Value::kCount, std::to_string(*result));
}

ModelOutcome FromData(const Result<std::string>& result) {
  if (!result.ok()) return Failed(result.error());
  return Succeeded(Value::kData, *result);
}

// A time that the call itself set is one value.
ModelInode InodeSeen(const Stat& stat) {
  ModelInode inode = InodeOf(stat);
  if (ShowTime(inode.mtime_ns) == "now") inode.mtime_ns = kModelNow;
  return inode;
}

TimeChange TimeAt(std::uint64_t seconds) {
  return {TimeChange::Kind::kAt, InstantFromSeconds(static_cast<std::int64_t>(seconds))};
}

OpenHow WriteHow() {
  OpenHow how;
  how.access = Access::kWrite;
  return how;
}

OpenHow HowOf(const ModelOpenHow& model) {
  OpenHow how;
  how.access = Access::kRead;
  if (model.write) how.access = model.read ? Access::kReadWrite : Access::kWrite;
  how.create = model.create;
  how.exclusive = model.exclusive;
  how.truncate = model.truncate;
  how.append = model.append;
  how.directory = model.directory;
  how.no_follow = model.no_follow;
  return how;
}

ProcessOptions OptionsOf(Clock& clock, Duration tick) {
  ProcessOptions options;
  options.clock = &clock;
  options.tick = tick;
  return options;
}

}  // namespace

std::uint64_t IdentityNumbers::NumberOf(const Stat& stat) {
  const std::uint64_t device = devices_.emplace(stat.dev, devices_.size()).first->second;
  return numbers_.emplace(std::pair(device, stat.ino), numbers_.size() + 1).first->second;
}

ProcessRunner::ProcessRunner(FileSystem& fs, NodeId root, Clock& clock, Duration tick,
                             IdentityNumbers& identities)
    : process_(fs, root, OptionsOf(clock, tick)), identities_(identities) {
  process_.set_umask(0);
}

ModelOutcome ProcessRunner::FromStat(const Result<Stat>& stat, const std::string& path) {
  if (!stat.ok()) return Failed(stat.error());
  const ModelInode inode = InodeSeen(*stat);
  // Links and identity of an open directory are not compared.
  const bool open_directory = path.empty() && inode.is_directory();
  ModelOutcome outcome =
      Succeeded(Value::kText, ShowStat(inode, stat->size_bytes, open_directory ? 0 : stat->nlink));
  outcome.identity = open_directory ? 0 : identities_.NumberOf(*stat);
  return outcome;
}

ModelOutcome ProcessRunner::WriteThrough(const ModelOperation& o, const OpenHow& how) {
  Result<Fd> fd = process_.Open(o.path, how, o.mode);
  if (!fd.ok()) return Failed(fd.error());
  Result<std::size_t> written = std::size_t{0};
  if (!o.data.empty() && o.kind != OperationKind::kCreate) {
    written = o.kind == OperationKind::kWrite ? process_.Pwrite(*fd, AsBytes(o.data), o.number)
                                              : process_.Write(*fd, AsBytes(o.data));
  }
  Result<void> closed = process_.Close(*fd);
  if (!closed.ok()) return Failed(closed.error());
  if (o.kind == OperationKind::kCreate) return {};
  return FromCount(written);
}

ModelOutcome ProcessRunner::ReadThrough(const ModelOperation& o) {
  Result<Fd> fd = process_.Open(o.path, OpenHow(), 0);
  if (!fd.ok()) return Failed(fd.error());
  std::string data(o.second, '\0');
  const MutableBytes into = std::as_writable_bytes(std::span(data));
  Result<Stat> stat = process_.Fstat(*fd);
  const bool regular = stat.ok() && stat->type == FileType::kRegular;
  Result<std::size_t> got =
      regular ? process_.Pread(*fd, into, o.number) : process_.Read(*fd, into);
  Result<void> closed = process_.Close(*fd);
  if (!closed.ok()) return Failed(closed.error());
  if (!got.ok()) return Failed(got.error());
  data.resize(*got);
  return Succeeded(Value::kData, data);
}

ModelOutcome ProcessRunner::ListNames(const std::string& path) {
  OpenHow how;
  how.directory = true;
  Result<Fd> fd = process_.Open(path, how, 0);
  if (!fd.ok()) return Failed(fd.error());
  std::vector<ListedName> names;
  while (true) {
    Result<std::vector<ProcessEntry>> some = process_.ReadEntries(*fd, 3);
    if (!some.ok()) return Failed(some.error());
    if (some->empty()) break;
    for (const ProcessEntry& entry : *some) {
      if (entry.name == "." || entry.name == "..") continue;
      names.push_back({entry.name, ModelTypeOf(entry.type)});
    }
  }
  Result<void> closed = process_.Close(*fd);
  if (!closed.ok()) return Failed(closed.error());
  return Succeeded(Value::kText, ShowListing(names));
}

ModelOutcome ProcessRunner::ExecuteOnNames(const ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kMkdir:
      return From(process_.Mkdir(o.path, o.mode));
    case OperationKind::kUnlink:
      return From(process_.Unlink(o.path));
    case OperationKind::kRmdir:
      return From(process_.Rmdir(o.path));
    case OperationKind::kRename:
      return From(process_.Rename(o.path, o.other, RenameModeOf(o.rename)));
    case OperationKind::kLink:
      return From(process_.Link(o.path, o.other, LastLink::kKeep));
    case OperationKind::kSymlink:
      return From(process_.Symlink(o.other, o.path));
    case OperationKind::kMknod:
      return From(process_.Mknod(
          o.path, TypeOf(o.type), o.mode,
          MakeDevice(static_cast<std::uint32_t>(o.number), static_cast<std::uint32_t>(o.second))));
    case OperationKind::kFifo:
      return From(process_.Mknod(o.path, FileType::kFifo, o.mode, 0));
    case OperationKind::kSocket:
      return From(process_.Mknod(o.path, FileType::kSocket, o.mode, 0));
    case OperationKind::kReaddir:
      return ListNames(o.path);
    default:
      return Failed(Errno::kNoSys);
  }
}

ModelOutcome ProcessRunner::ExecuteOnAttributes(const ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kReadlink:
      return FromData(process_.Readlink(o.path));
    case OperationKind::kChmod:
      return From(process_.Chmod(o.path, o.mode));
    case OperationKind::kChown:
      return From(process_.Chown(o.path, o.uid, o.gid, LastLink::kKeep));
    case OperationKind::kUtimens:
      return From(process_.Utimens(o.path, TimeAt(o.number), TimeAt(o.number), LastLink::kKeep));
    case OperationKind::kSetXattr:
      return From(
          process_.Setxattr(o.path, o.other, o.data, XattrModeOf(o.xattr), LastLink::kKeep));
    case OperationKind::kGetXattr:
      return FromData(process_.Getxattr(o.path, o.other, LastLink::kKeep));
    case OperationKind::kListXattr: {
      Result<std::vector<std::string>> keys = process_.Listxattr(o.path, LastLink::kKeep);
      if (!keys.ok()) return Failed(keys.error());
      return Succeeded(Value::kText, ShowKeys(*keys));
    }
    case OperationKind::kRemoveXattr:
      return From(process_.Removexattr(o.path, o.other, LastLink::kKeep));
    case OperationKind::kStat:
      return FromStat(process_.GetStat(o.path, LastLink::kKeep), o.path);
    case OperationKind::kAccess:
      return From(process_.CheckPath(o.path, static_cast<unsigned>(o.number), LastLink::kFollow));
    default:
      return ExecuteOnNames(o);
  }
}

ModelOutcome ProcessRunner::Open(const ModelOperation& o) {
  Result<Fd> fd = process_.Open(o.path, HowOf(o.how), o.mode);
  if (!fd.ok()) return Failed(fd.error());
  fds_[o.slot] = *fd;
  return {};
}

ModelOutcome ProcessRunner::ExecuteOnHandles(const ModelOperation& o) {
  if (o.kind == OperationKind::kOpen) return Open(o);
  if (!fds_.contains(o.slot)) return Failed(Errno::kBadF);
  const Fd fd = fds_.at(o.slot);
  switch (o.kind) {
    case OperationKind::kHandleRead: {
      std::string data(o.second, '\0');
      Result<std::size_t> got =
          process_.Pread(fd, std::as_writable_bytes(std::span(data)), o.number);
      if (!got.ok()) return Failed(got.error());
      data.resize(*got);
      return Succeeded(Value::kData, data);
    }
    case OperationKind::kHandleWrite:
      return FromCount(process_.Pwrite(fd, AsBytes(o.data), o.number));
    case OperationKind::kHandleTruncate:
      return From(process_.Ftruncate(fd, o.number));
    case OperationKind::kHandleStat:
      return FromStat(process_.Fstat(fd), "");
    case OperationKind::kHandleChmod:
      return From(process_.Fchmod(fd, o.mode));
    case OperationKind::kHandleSync:
      return From(process_.Fsync(fd, SyncMode::kAll));
    case OperationKind::kClose:
      fds_.erase(o.slot);
      return From(process_.Close(fd));
    default:
      return Failed(Errno::kNoSys);
  }
}

ModelOutcome ProcessRunner::Execute(const ModelOperation& o) {
  OpenHow how = WriteHow();
  switch (o.kind) {
    case OperationKind::kCreate:
      how.create = how.exclusive = true;
      return WriteThrough(o, how);
    case OperationKind::kPut:
      how.create = how.truncate = true;
      return WriteThrough(o, how);
    case OperationKind::kWrite:
      return WriteThrough(o, how);
    case OperationKind::kAppend:
      how.append = true;
      return WriteThrough(o, how);
    case OperationKind::kTruncate:
      return From(process_.Truncate(o.path, o.number));
    case OperationKind::kRead:
      return ReadThrough(o);
    case OperationKind::kAs:
      process_.set_credentials(UserCredentials(o.uid.value_or(0), o.gid.value_or(0)));
      return {};
    case OperationKind::kUmask:
      process_.set_umask(o.mode);
      return {};
    default:
      break;
  }
  const bool on_handle = o.kind >= OperationKind::kOpen && o.kind <= OperationKind::kClose;
  return on_handle ? ExecuteOnHandles(o) : ExecuteOnAttributes(o);
}

void ProcessRunner::CloseAll() {
  for (const auto& [slot, fd] : fds_) (void)process_.Close(fd);
  fds_.clear();
}

Result<std::string> ProcessRunner::ContentOf(const std::string& path) {
  ModelOperation read;
  read.kind = OperationKind::kRead;
  read.path = path;
  read.second = std::size_t{1} << 16U;
  const ModelOutcome outcome = ReadThrough(read);
  if (!outcome.ok()) return *outcome.error;
  return outcome.value;
}

ModelEntry ProcessRunner::EntryOf(const std::string& path, const Stat& stat, bool reads,
                                  std::vector<std::string>& problems) {
  ModelEntry entry;
  entry.path = path;
  entry.inode = InodeSeen(stat);
  entry.links = stat.nlink;
  entry.identity = identities_.NumberOf(stat);
  if (stat.type == FileType::kRegular && !reads) {
    entry.inode.content = Unread(stat.size_bytes);
  } else if (stat.type == FileType::kRegular) {
    Result<std::string> content = ContentOf(path);
    if (!content.ok()) problems.push_back(path + ": cannot be read");
    if (content.ok()) entry.inode.content = *content;
    if (entry.inode.content.size() != stat.size_bytes) problems.push_back(path + ": st_size");
  }
  if (stat.type == FileType::kSymlink) {
    Result<std::string> target = process_.Readlink(path);
    if (target.ok()) entry.inode.target = *target;
  }
  Result<std::vector<std::string>> keys = process_.Listxattr(path, LastLink::kKeep);
  if (!keys.ok()) {
    problems.push_back(path + ": attributes cannot be listed");
    return entry;
  }
  for (const std::string& key : *keys) {
    Result<std::string> value = process_.Getxattr(path, key, LastLink::kKeep);
    if (!value.ok()) problems.push_back(path + ": " + key + " is listed only");
    if (value.ok()) entry.inode.xattrs[key] = *value;
  }
  return entry;
}

std::vector<ProcessEntry> ProcessRunner::NamesIn(const std::string& path,
                                                 std::vector<std::string>& problems) {
  Result<std::vector<ProcessEntry>> listed = process_.ListDirectory(path);
  if (!listed.ok()) {
    problems.push_back(path + ": cannot be listed");
    return {};
  }
  std::set<std::string> names;
  for (const ProcessEntry& entry : *listed) {
    if (!names.insert(entry.name).second) problems.push_back(path + ": twice " + entry.name);
  }
  for (const std::string name : {"a", "b", "c", "d"}) {
    if (names.contains(name)) continue;
    if (process_.GetStat(JoinPath(path, name), LastLink::kKeep).ok()) {
      problems.push_back(path + ": not listed " + name);
    }
  }
  std::sort(listed->begin(), listed->end(),
            [](const ProcessEntry& one, const ProcessEntry& two) { return one.name > two.name; });
  return *listed;
}

std::vector<ModelEntry> ProcessRunner::Dump(std::vector<std::string>& problems,
                                            const std::function<bool(const std::string&)>& unread) {
  const Credentials caller = process_.credentials();
  process_.set_credentials(RootCredentials());
  std::vector<ModelEntry> dump;
  std::vector<std::pair<std::string, std::optional<FileType>>> pending = {{"/", std::nullopt}};
  while (!pending.empty()) {
    const auto [path, listed_type] = pending.back();
    pending.pop_back();
    Result<Stat> stat = process_.GetStat(path, LastLink::kKeep);
    if (!stat.ok()) {
      ModelEntry entry;
      entry.path = path;
      entry.found = false;
      dump.push_back(entry);
      continue;
    }
    if (listed_type.has_value() && *listed_type != stat->type) {
      problems.push_back(path + ": listed as another type");
    }
    const bool reads = !unread || !unread(path);
    dump.push_back(EntryOf(path, *stat, reads, problems));
    if (stat->type != FileType::kDirectory) continue;
    for (const ProcessEntry& entry : NamesIn(path, problems)) {
      pending.emplace_back(JoinPath(path, entry.name), entry.type);
    }
  }
  process_.set_credentials(caller);
  return dump;
}

}  // namespace lamina::sim
