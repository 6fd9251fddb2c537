// Opening files. Order of errors: Linux build_open_flags, open_last_lookups, lookup_open, do_open
// and may_open (fs/open.c, fs/namei.c).
#include "vfs/fs/process_body.h"

namespace lamina {
namespace {

constexpr std::uint16_t kModeOthersWrite = 02;

bool IsWriting(Access access) { return access == Access::kWrite || access == Access::kReadWrite; }

bool IsDirectory(const Stat& stat) { return stat.type == FileType::kDirectory; }

// build_open_flags
Result<void> CheckFlags(const OpenHow& how) {
  if (how.unnamed && (how.create || !IsWriting(how.access))) return Errno::kInval;
  if (how.create && how.directory) return Errno::kInval;
  return {};
}

LastLink LastLinkOf(const OpenHow& how) {
  const bool keep = how.no_follow || (how.create && how.exclusive);
  return keep ? LastLink::kKeep : LastLink::kFollow;
}

unsigned WantedOf(const OpenHow& how) {
  unsigned wanted = 0;
  if (how.access == Access::kRead || how.access == Access::kReadWrite) wanted |= kMayRead;
  if (IsWriting(how.access) || how.truncate) wanted |= kMayWrite;
  return wanted;
}

}  // namespace

std::shared_ptr<internal::OpenFile> Process::Body::NewFile(const OpenHow& how, FileType type,
                                                           Opened opened) {
  auto file = std::make_shared<internal::OpenFile>(fs, *locks);
  file->node = opened.node;
  file->handle = opened.handle;
  file->type = type;
  file->access = how.access;
  file->append = how.append;
  file->opener = cred_change;
  if (how.access == Access::kPath) return file;
  file->id = locks->NewOpenFile();
  locks->Opened(file->node, file->id, IsWriting(how.access));
  return file;
}

Process::Body::OpenResult Process::Body::OpenAsPath(const OpContext& op, std::string_view path,
                                                    const OpenHow& how) {
  Result<WalkResult> walk =
      WalkToNode(op, path, how.no_follow ? LastLink::kKeep : LastLink::kFollow);
  if (!walk.ok()) return walk.error();
  if (how.directory && !IsDirectory(*walk->stat)) return Errno::kNotDir;
  const NodeId node = walk->stat->node;
  Result<HandleId> handle = fs.Open(op, node, OpenFlags{.access = Access::kPath});
  if (!handle.ok()) return handle.error();
  return NewFile(how, walk->stat->type, Opened{node, *handle});
}

// do_tmpfile
Process::Body::OpenResult Process::Body::OpenUnnamed(const OpContext& op, std::string_view path,
                                                     const OpenHow& how, std::uint16_t mode) {
  Result<WalkResult> walk =
      WalkToNode(op, path, how.no_follow ? LastLink::kKeep : LastLink::kFollow);
  if (!walk.ok()) return walk.error();
  if (!IsDirectory(*walk->stat)) return Errno::kNotDir;
  if (Result<void> writable = RequireWritable(); !writable.ok()) return writable.error();
  Result<Stat> dir = CheckMayCreate(op, walk->stat->node);
  if (!dir.ok()) return dir.error();
  NewNode node;
  node.type = FileType::kRegular;
  node.mode = ModeOfNew(op, *dir, node.type, mode);
  const OpenFlags flags{.access = how.access, .append = how.append, .direct = how.direct};
  Result<Opened> opened = fs.CreateUnnamed(op, dir->node, node, flags);
  if (!opened.ok()) return opened.error();
  std::shared_ptr<internal::OpenFile> file = NewFile(how, node.type, *opened);
  file->may_get_name = !how.exclusive;
  return file;
}

// The half of lookup_open that makes a file: a missing right to write the mount is told before one
// to write the directory.
Process::Body::OpenResult Process::Body::CreateAndOpen(const OpContext& op, const WalkResult& walk,
                                                       const OpenHow& how, std::uint16_t mode) {
  if (walk.missing != Errno::kNoEnt) return walk.missing;
  if (Result<void> writable = RequireWritable(); !writable.ok()) return writable.error();
  Result<Stat> dir = CheckMayCreate(op, walk.parent());
  if (!dir.ok()) return dir.error();
  NewNode node;
  node.type = FileType::kRegular;
  node.mode = ModeOfNew(op, *dir, node.type, mode);
  const OpenFlags flags{.access = how.access, .append = how.append, .direct = how.direct};
  Result<Opened> opened = fs.CreateOpen(op, walk.place(), node, flags);
  if (!opened.ok()) return opened.error();
  return NewFile(how, node.type, *opened);
}

// may_create_in_sticky with protected_regular and protected_fifos off: what is left of it are the
// other types, which O_CREAT may not open in a shared sticky directory unless they are its owner's
// or the caller's.
Result<void> Process::Body::CheckCreateInSticky(const OpContext& op, const WalkResult& walk) {
  const FileType type = walk.stat->type;
  if (type == FileType::kRegular || type == FileType::kFifo) return {};
  Result<Stat> dir = fs.GetAttr(op, walk.parent());
  if (!dir.ok()) return dir.error();
  constexpr std::uint16_t kShared = kModeSticky | kModeOthersWrite;
  if ((dir->mode & kShared) != kShared) return {};
  if (walk.stat->uid == dir->uid || walk.stat->uid == op.cred.uid) return {};
  return Errno::kAccess;
}

// do_open and may_open, for a file that was there before.
Result<void> Process::Body::CheckMayOpen(const OpContext& op, const WalkResult& walk,
                                         const OpenHow& how) {
  const Stat& stat = *walk.stat;
  if (how.create) {
    if (how.exclusive) return Errno::kExist;
    if (IsDirectory(stat)) return Errno::kIsDir;
    Result<void> allowed = CheckCreateInSticky(op, walk);
    if (!allowed.ok()) return allowed;
  }
  if (how.directory && !IsDirectory(stat)) return Errno::kNotDir;
  if (stat.type == FileType::kRegular && how.truncate) {
    if (Result<void> writable = RequireWritable(); !writable.ok()) return writable;
  }
  const unsigned wanted = WantedOf(how);
  switch (stat.type) {
    case FileType::kSymlink:
      return Errno::kLoop;
    case FileType::kDirectory:
      if ((wanted & kMayWrite) != 0) return Errno::kIsDir;
      break;
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      if (options.no_device_open) return Errno::kAccess;
      break;
    case FileType::kRegular:
    case FileType::kFifo:
    case FileType::kSocket:
      break;
  }
  return CheckAccess(op, fs, stat, wanted);
}

// fifo_open with O_NONBLOCK
Result<void> Process::Body::JoinPipe(internal::OpenFile& file) {
  std::erase_if(pipes, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<internal::Pipe>& known = pipes[fs.HomeOfPipe(file.node)];
  std::shared_ptr<internal::Pipe> pipe = known.lock();
  if (pipe == nullptr) {
    pipe = std::make_shared<internal::Pipe>();
    known = pipe;
  }
  if (file.access == Access::kWrite && pipe->readers == 0) return Errno::kNxIo;
  if (file.reads()) ++pipe->readers;
  if (file.writes()) ++pipe->writers;
  file.pipe = std::move(pipe);
  return {};
}

Process::Body::OpenResult Process::Body::OpenExisting(const OpContext& op, const WalkResult& walk,
                                                      const OpenHow& how) {
  const Stat& stat = *walk.stat;
  if (Result<void> allowed = CheckMayOpen(op, walk, how); !allowed.ok()) return allowed.error();
  OpenFlags flags{
      .access = how.access, .append = how.append, .truncate = how.truncate, .direct = how.direct};
  switch (stat.type) {
    case FileType::kRegular: {
      Result<void> free = locks->CheckOpen(stat.node, IsWriting(how.access));
      if (!free.ok()) return free.error();
      break;
    }
    case FileType::kDirectory:
      break;
    case FileType::kFifo:
      flags = OpenFlags{.access = Access::kPath};  // its bytes are ours; the node only has to live
      break;
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
    case FileType::kSocket:
    case FileType::kSymlink:
      return Errno::kNxIo;
  }
  Result<HandleId> handle = fs.Open(op, stat.node, flags);
  if (!handle.ok()) return handle.error();
  std::shared_ptr<internal::OpenFile> file = NewFile(how, stat.type, {stat.node, *handle});
  file->parent = walk.parent();
  if (walk.last != WalkResult::Last::kName && walk.chain.size() > 1) {
    file->parent = walk.chain[walk.chain.size() - 2];
  }
  if (stat.type == FileType::kFifo) {
    if (Result<void> joined = JoinPipe(*file); !joined.ok()) return joined.error();
  }
  return file;
}

Process::Body::OpenResult Process::Body::OpenNamed(const OpContext& op, std::string_view path,
                                                   const OpenHow& how, std::uint16_t mode) {
  Result<WalkResult> walk = how.create ? WalkToCreate(op, start, path, LastLinkOf(how))
                                       : Walk(op, start, path, LastLinkOf(how));
  if (!walk.ok()) return walk.error();
  if (walk->stat) return OpenExisting(op, *walk, how);
  if (!how.create) return walk->missing;
  return CreateAndOpen(op, *walk, how, mode);
}

Result<Fd> Process::Open(std::string_view path, const OpenHow& how, std::uint16_t mode) {
  return body_->Run("open", [&](const OpContext& op) -> Result<Fd> {
    Body::OpenResult file = Errno::kInval;
    if (how.access == Access::kPath) {
      file = body_->OpenAsPath(op, path, how);
    } else if (Result<void> valid = CheckFlags(how); !valid.ok()) {
      return valid.error();
    } else if (how.unnamed) {
      file = body_->OpenUnnamed(op, path, how, mode);
    } else {
      file = body_->OpenNamed(op, path, how, mode);
    }
    if (!file.ok()) return file.error();
    return body_->Install(std::move(*file));
  });
}

Result<void> Process::Close(Fd fd) {
  return body_->Run("close", [&](const OpContext&) -> Result<void> {
    std::shared_ptr<internal::OpenFile> file = body_->FindAny(fd);
    if (file == nullptr) return Errno::kBadF;
    body_->files[fd.value].reset();
    return {};
  });
}

}  // namespace lamina
