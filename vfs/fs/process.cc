#include "lamina/fs/process.h"

#include <algorithm>

#include "vfs/fs/process_body.h"

namespace lamina {
namespace {

constexpr std::size_t kReadFileBytes = 65536;
constexpr std::size_t kListEntries = 1024;

}  // namespace

namespace internal {

OpenFile::~OpenFile() {
  if (pipe != nullptr) {
    if (reads()) --pipe->readers;
    if (writes()) --pipe->writers;
  }
  if (id != OpenFileId{}) locks.Closed(node, id);
  if (handle != HandleId{}) fs.Close(handle);
}

}  // namespace internal

Process::Body::Body(FileSystem& file_system, NodeId root, const ProcessOptions& process_options)
    : fs(file_system), options(process_options) {
  clock = options.clock != nullptr ? options.clock : &own_clock;
  locks = options.locks != nullptr ? options.locks : &own_locks;
  start.fs = &fs;
  start.root = root;
}

Process::Body::~Body() {
  for (auto& [mapping, mapped] : mappings) fs.Close(mapped.handle);
  mappings.clear();
  files.clear();
  if (cwd_handle != HandleId{}) fs.Close(cwd_handle);
}

std::shared_ptr<internal::OpenFile> Process::Body::FindAny(Fd fd) const {
  if (fd.value >= files.size()) return nullptr;
  return files[fd.value];
}

std::shared_ptr<internal::OpenFile> Process::Body::Find(Fd fd) const {
  std::shared_ptr<internal::OpenFile> file = FindAny(fd);
  if (file == nullptr || file->access == Access::kPath) return nullptr;
  return file;
}

Result<Stat> Process::Body::StatOf(const OpContext& op, Fd fd) const {
  std::shared_ptr<internal::OpenFile> file = Find(fd);
  if (file == nullptr) return Errno::kBadF;
  return fs.GetAttr(op, file->node);
}

OpContext Process::Body::Through(const OpContext& op, Fd fd) const {
  std::shared_ptr<internal::OpenFile> file = Find(fd);
  return OpContext{op.cred, op.now, op.probe, file == nullptr ? HandleId{} : file->handle};
}

Fd Process::Body::Install(std::shared_ptr<internal::OpenFile> file) {
  auto free = std::find(files.begin(), files.end(), nullptr);
  const Fd fd{static_cast<std::uint64_t>(free - files.begin())};
  if (free == files.end()) files.emplace_back();
  files[fd.value] = std::move(file);
  return fd;
}

Result<void> Process::Body::RequireWritable() const {
  if (fs.limits().read_only) return Errno::kRoFs;
  return {};
}

Process::Process(FileSystem& fs, NodeId root, const ProcessOptions& options)
    : body_(std::make_unique<Body>(fs, root, options)) {}

Process::~Process() = default;

FileSystem& Process::fs() const { return body_->fs; }

void Process::set_credentials(const Credentials& credentials) {
  body_->cred = credentials;
  ++body_->cred_change;
}

const Credentials& Process::credentials() const { return body_->cred; }

void Process::set_umask(std::uint16_t mask) { body_->umask = mask & kModePermissions; }

void Process::set_sink(EventSink* sink) { body_->options.sink = sink; }

std::size_t Process::open_count() const {
  const auto closed = std::count(body_->files.begin(), body_->files.end(), nullptr);
  return body_->files.size() - static_cast<std::size_t>(closed) + body_->mappings.size();
}

Result<std::string> Process::ReadFile(std::string_view path) {
  Result<Fd> fd = Open(path, {}, 0);
  if (!fd.ok()) return fd.error();
  std::string content;
  Result<std::size_t> count = std::size_t{0};
  do {
    const std::size_t before = content.size();
    content.resize(before + kReadFileBytes);
    const MutableBytes into = std::as_writable_bytes(std::span(content).subspan(before));
    count = Pread(*fd, into, before);
    content.resize(before + (count.ok() ? *count : 0));
  } while (count.ok() && *count == kReadFileBytes);
  if (Result<void> closed = Close(*fd); !closed.ok()) return closed.error();
  if (!count.ok()) return count.error();
  return content;
}

Result<std::vector<ProcessEntry>> Process::ListDirectory(std::string_view path) {
  Result<Fd> fd = Open(path, {.directory = true}, 0);
  if (!fd.ok()) return fd.error();
  std::vector<ProcessEntry> entries;
  Result<std::vector<ProcessEntry>> batch = std::vector<ProcessEntry>{};
  do {
    batch = ReadEntries(*fd, kListEntries);
    if (!batch.ok()) break;
    for (ProcessEntry& entry : *batch) {
      if (entry.name != "." && entry.name != "..") entries.push_back(std::move(entry));
    }
  } while (!batch->empty());
  if (Result<void> closed = Close(*fd); !closed.ok()) return closed.error();
  if (!batch.ok()) return batch.error();
  return entries;
}

}  // namespace lamina
