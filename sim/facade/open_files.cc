// LayeredFs: open files, and the sequences of calls on them.
#include <fcntl.h>
#include <linux/falloc.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "sim/facade/facade_mount.h"

namespace lamina {

using internal::Caller;
using internal::CallText;

namespace {

OpenHow HowOf(int flags) {
  OpenHow how;
  switch (flags & O_ACCMODE) {
    case O_WRONLY:
      how.access = Access::kWrite;
      break;
    case O_RDWR:
      how.access = Access::kReadWrite;
      break;
    default:
      how.access = Access::kRead;
  }
  if ((flags & O_PATH) != 0) how.access = Access::kPath;
  how.create = (flags & O_CREAT) != 0;
  how.exclusive = (flags & O_EXCL) != 0;
  how.truncate = (flags & O_TRUNC) != 0;
  how.append = (flags & O_APPEND) != 0;
  how.no_follow = (flags & O_NOFOLLOW) != 0;
  how.direct = (flags & O_DIRECT) != 0;
  how.unnamed = (flags & O_TMPFILE) == O_TMPFILE;
  how.directory = !how.unnamed && (flags & O_DIRECTORY) != 0;
  return how;
}

std::string OpenRest(int flags, std::uint16_t mode) {
  std::string rest;
  switch (flags & O_ACCMODE) {
    case O_WRONLY:
      rest = ", O_WRONLY";
      break;
    case O_RDWR:
      rest = ", O_RDWR";
      break;
    default:
      rest = ", O_RDONLY";
  }
  if ((flags & O_CREAT) != 0) rest += "|O_CREAT";
  if ((flags & O_EXCL) != 0) rest += "|O_EXCL";
  if ((flags & O_TRUNC) != 0) rest += "|O_TRUNC";
  if ((flags & O_APPEND) != 0) rest += "|O_APPEND";
  if ((flags & O_DIRECT) != 0) rest += "|O_DIRECT";
  if ((flags & O_DIRECTORY) != 0) rest += "|O_DIRECTORY";
  if ((flags & O_NOFOLLOW) != 0) rest += "|O_NOFOLLOW";
  if ((flags & O_CREAT) != 0) absl::StrAppendFormat(&rest, ", %04o", mode);
  return rest;
}

Result<std::string> ReadUpTo(Process& process, Process::Fd fd, std::size_t length,
                             std::uint64_t offset) {
  std::string out(length, '\0');
  const MutableBytes into(reinterpret_cast<std::byte*>(out.data()), out.size());
  Result<std::size_t> got = process.Pread(fd, into, offset);
  if (!got.ok()) return got.error();
  out.resize(*got);
  return out;
}

Result<void> WriteAll(Caller& caller, Process::Fd fd, std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    Result<std::size_t> wrote = caller.process.Pwrite(fd, AsBytes(bytes.substr(at)), at);
    if (!wrote.ok()) return wrote.error();
    caller.mount->sink.counters.bytes_asked += *wrote;
    at += *wrote;
  }
  return {};
}

// Open, write everything, Close: the first error of the three.
Result<void> OpenAndWrite(Caller& caller, std::string_view path, const OpenHow& how,
                          std::string_view content, std::uint16_t mode) {
  Result<Process::Fd> fd = caller.process.Open(path, how, mode);
  if (!fd.ok()) return fd.error();
  const Result<void> wrote = WriteAll(caller, *fd, content);
  const Result<void> closed = caller.process.Close(*fd);
  return wrote.ok() ? closed : wrote;
}

Result<std::string> ReadWhole(Caller& caller, std::string_view path) {
  Result<std::string> content = caller.process.ReadFile(path);
  if (content.ok()) caller.mount->sink.counters.bytes_read += content->size();
  return content;
}

Result<void> CloneOpen(Caller& caller, Process::Fd from, Process::Fd to) {
  Result<Stat> source = caller.process.Fstat(from);
  if (!source.ok()) return source.error();
  Result<Stat> target = caller.process.Fstat(to);
  if (!target.ok()) return target.error();
  FileSystem& fs = *caller.mount->gate;
  const OpContext op{caller.process.credentials(), caller.mount->clock.now(),
                     Probe(&caller.mount->sink)};
  Result<HandleId> reader = fs.Open(op, source->node, {.access = Access::kRead});
  if (!reader.ok()) return reader.error();
  Result<HandleId> writer = fs.Open(op, target->node, {.access = Access::kWrite});
  Result<void> done;
  if (writer.ok()) {
    Result<std::uint64_t> cloned = fs.Clone(op, *reader, 0, *writer, 0, source->size_bytes);
    if (!cloned.ok()) done = cloned.error();
    fs.Close(*writer);
  } else {
    done = writer.error();
  }
  fs.Close(*reader);
  return done;
}

std::optional<AllocateMode> AllocateModeOf(int mode) {
  switch (mode) {
    case 0:
      return AllocateMode::kExtend;
    case FALLOC_FL_KEEP_SIZE:
      return AllocateMode::kKeepSize;
    case FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE:
      return AllocateMode::kPunch;
    case FALLOC_FL_ZERO_RANGE:
      return AllocateMode::kZero;
    default:
      return std::nullopt;
  }
}

}  // namespace

// ── Fd ─────────────────────────────────────────────────────────────────────────────────────────

Fd::Fd(std::shared_ptr<Caller> caller, Process::Fd number, std::string_view path)
    : caller_(std::move(caller)), number_(number), path_(path) {}

Fd::Fd(Fd&& other) noexcept
    : caller_(std::move(other.caller_)), number_(other.number_), path_(std::move(other.path_)) {}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this == &other) return *this;
  if (is_open()) (void)Close();
  caller_ = std::move(other.caller_);
  number_ = other.number_;
  path_ = std::move(other.path_);
  return *this;
}

Fd::~Fd() {
  if (is_open()) (void)Close();
}

absl::Status Fd::Close() {
  const CallText call{"Close", {path_}};
  if (!is_open()) return StatusOf(Errno::kBadF, call.Posix());
  const std::shared_ptr<Caller> caller = std::move(caller_);
  caller_ = nullptr;
  const Result<void> closed = caller->process.Close(number_);
  return closed.ok() ? absl::OkStatus() : caller->Error(closed.error(), call);
}

// ── Open files ─────────────────────────────────────────────────────────────────────────────────

absl::StatusOr<Fd> LayeredFs::Open(std::string_view path, int flags, std::uint16_t mode) {
  const OpenHow how = HowOf(flags);
  const CallText call{"Open", {path}, OpenRest(flags, mode), how.create};
  const Result<Process::Fd> fd = caller_->process.Open(path, how, mode);
  if (how.create || how.truncate || how.unnamed) {
    caller_->Log(call, fd.ok() ? 0 : static_cast<int>(fd.error()));
  }
  if (!fd.ok()) return caller_->Error(fd.error(), call);
  return Fd(caller_, *fd, path);
}

absl::StatusOr<std::string> LayeredFs::Pread(const Fd& fd, std::size_t length,
                                             std::uint64_t offset) const {
  const CallText call{"Pread", {fd.path_}, absl::StrFormat(", %d, %d", length, offset)};
  if (!fd.is_open()) return StatusOf(Errno::kBadF, call.Posix());
  Result<std::string> got = ReadUpTo(fd.caller_->process, fd.number_, length, offset);
  if (got.ok()) caller_->mount->sink.counters.bytes_read += got->size();
  return fd.caller_->Answer(call, std::move(got));
}

absl::StatusOr<std::size_t> LayeredFs::Pwrite(const Fd& fd, std::string_view bytes,
                                              std::uint64_t offset) {
  const CallText call{"Pwrite", {fd.path_}, absl::StrFormat(", %d B at %d", bytes.size(), offset)};
  if (!fd.is_open()) return StatusOf(Errno::kBadF, call.Posix());
  Result<std::size_t> wrote = fd.caller_->process.Pwrite(fd.number_, AsBytes(bytes), offset);
  if (wrote.ok()) caller_->mount->sink.counters.bytes_asked += *wrote;
  return fd.caller_->LoggedAnswer(call, wrote);
}

absl::Status LayeredFs::Ftruncate(const Fd& fd, std::uint64_t size_bytes) {
  const CallText call{"Ftruncate", {fd.path_}, absl::StrFormat(", %d", size_bytes)};
  if (!fd.is_open()) return StatusOf(Errno::kBadF, call.Posix());
  return fd.caller_->Done(call, fd.caller_->process.Ftruncate(fd.number_, size_bytes));
}

absl::Status LayeredFs::Fsync(const Fd& fd) {
  const CallText call{"Fsync", {fd.path_}};
  if (!fd.is_open()) return StatusOf(Errno::kBadF, call.Posix());
  const Result<void> synced = fd.caller_->process.Fsync(fd.number_, SyncMode::kAll);
  return synced.ok() ? absl::OkStatus() : fd.caller_->Error(synced.error(), call);
}

absl::StatusOr<Stat> LayeredFs::Fstat(const Fd& fd) const {
  const CallText call{"Fstat", {fd.path_}};
  if (!fd.is_open()) return StatusOf(Errno::kBadF, call.Posix());
  return fd.caller_->Answer(call, fd.caller_->process.Fstat(fd.number_));
}

absl::Status LayeredFs::Fallocate(const Fd& fd, int mode, std::uint64_t offset,
                                  std::uint64_t length) {
  const CallText call{"Fallocate", {fd.path_}, absl::StrFormat(", %d at %d", length, offset)};
  if (!fd.is_open()) return StatusOf(Errno::kBadF, call.Posix());
  const std::optional<AllocateMode> how = AllocateModeOf(mode);
  if (!how) return StatusOf(Errno::kOpNotSupp, call.Posix());
  return fd.caller_->Done(call, fd.caller_->process.Fallocate(fd.number_, offset, length, *how));
}

// ── Sequences ──────────────────────────────────────────────────────────────────────────────────

absl::StatusOr<std::string> LayeredFs::ReadFile(std::string_view path) const {
  return caller_->Answer({"ReadFile", {path}}, ReadWhole(*caller_, path));
}

absl::Status LayeredFs::WriteFile(std::string_view path, std::string_view content,
                                  std::uint16_t mode) {
  const OpenHow how{.access = Access::kWrite, .create = true, .truncate = true};
  return caller_->Done({"WriteFile", {path}, absl::StrFormat(", %d B", content.size()), true},
                       OpenAndWrite(*caller_, path, how, content, mode));
}

absl::Status LayeredFs::AppendFile(std::string_view path, std::string_view content) {
  const OpenHow how{.access = Access::kWrite, .create = true, .append = true};
  return caller_->Done({"AppendFile", {path}, absl::StrFormat(", %d B", content.size()), true},
                       OpenAndWrite(*caller_, path, how, content, 0644));
}

absl::Status LayeredFs::Reflink(std::string_view from, std::string_view to) {
  const CallText call{"Reflink", {from, to}, "", true};
  Process& process = caller_->process;
  const Result<Process::Fd> source = process.Open(from, {.access = Access::kRead}, 0);
  if (!source.ok()) return caller_->Done(call, source.error());
  const Result<Process::Fd> target =
      process.Open(to, {.access = Access::kWrite, .create = true, .truncate = true}, 0644);
  Result<void> done;
  if (target.ok()) {
    done = CloneOpen(*caller_, *source, *target);
    (void)process.Close(*target);
  } else {
    done = target.error();
  }
  (void)process.Close(*source);
  return caller_->Done(call, done);
}

}  // namespace lamina
