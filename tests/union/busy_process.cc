#include "tests/union/busy_process.h"

#include <algorithm>
#include <vector>

namespace lamina {
namespace {

constexpr std::uint64_t kMaxBytes = 9000;  // three pages

constexpr OpenHow kCreateWhole{.access = Access::kWrite, .create = true, .truncate = true};
constexpr OpenHow kAppend{.access = Access::kWrite, .append = true};
constexpr OpenHow kUpdate{.access = Access::kReadWrite};

}  // namespace

BusyProcess::BusyProcess(FileSystem& fs, std::uint64_t seed)
    : random_(seed), process_(fs, fs.root(), {.clock = &clock_}) {
  process_.set_umask(0);
}

std::string BusyProcess::DrawPath() {
  std::string path;
  const std::uint64_t depth = 1 + random_.Below(3);
  for (std::uint64_t i = 0; i < depth; ++i) {
    path.append("/").append(kBusyNames[random_.Below(std::size(kBusyNames))]);
  }
  return path;
}

Result<void> BusyProcess::Put(const std::string& path, const OpenHow& how) {
  const Result<Process::Fd> fd = process_.Open(path, how, 0644);
  if (!fd.ok()) return fd.error();
  const std::string body(1 + random_.Below(kMaxBytes), static_cast<char>('a' + random_.Below(26)));
  const Result<std::size_t> written = process_.Write(*fd, AsBytes(body));
  const Result<void> closed = process_.Close(*fd);
  if (!written.ok()) return written.error();
  return closed;
}

Result<void> BusyProcess::Get(const std::string& path) {
  const Result<Process::Fd> fd = process_.Open(path, {}, 0);
  if (!fd.ok()) return fd.error();
  std::string body(2 * kMaxBytes, '\0');
  const Result<std::size_t> got = process_.Read(*fd, std::as_writable_bytes(std::span(body)));
  const Result<void> closed = process_.Close(*fd);
  if (!got.ok()) return got.error();
  seen_ = std::to_string(*got) + " bytes";
  if (*got > 0) seen_.append(" from ").append(1, body[0]).append(" to ").append(1, body[*got - 1]);
  return closed;
}

// Keeps a handle, which may lose its name, or reads through the one that is kept.
Result<void> BusyProcess::HoldOrRead(const std::string& path) {
  if (!held_.has_value()) {
    const Result<Process::Fd> fd = process_.Open(path, {}, 0);
    if (!fd.ok()) return fd.error();
    held_ = *fd;
    return {};
  }
  std::string body(100, '\0');
  const Result<std::size_t> got =
      process_.Pread(*held_, std::as_writable_bytes(std::span(body)), random_.Below(kMaxBytes));
  if (got.ok()) seen_ = body.substr(0, *got);
  if (random_.Below(3) == 0) {
    const Result<void> closed = process_.Close(*held_);
    held_.reset();
    if (!closed.ok()) return closed;
  }
  if (!got.ok()) return got.error();
  return {};
}

Result<void> BusyProcess::List(const std::string& path) {
  const Result<std::vector<ProcessEntry>> entries = process_.ListDirectory(path);
  if (!entries.ok()) return entries.error();
  std::vector<std::string> names;
  for (const ProcessEntry& entry : *entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) seen_ += ' ' + name;
  return {};
}

Result<void> BusyProcess::Do(std::uint64_t choice, const std::string& path) {
  switch (choice) {
    case 0:
    case 1:
      return Put(path, kCreateWhole);
    case 2:
      return Put(path, kAppend);
    case 3:
      return Put(path, kUpdate);
    case 4:
    case 5:
      return Get(path);
    case 6:
      return process_.Truncate(path, random_.Below(kMaxBytes));
    case 7:
      return process_.Unlink(path);
    case 8:
      return process_.Mkdir(path, 0755);
    case 9:
    case 18:
      return process_.Rmdir(path);
    case 10:
    case 11:
    case 12:
      return process_.Rename(path, DrawPath(), static_cast<RenameMode>(random_.Below(3)));
    case 13:
      return process_.Link(path, DrawPath(), LastLink::kKeep);
    case 14:
      return process_.Symlink(DrawPath(), path);
    case 15:
      return process_.Chmod(path, static_cast<std::uint16_t>(0600 + random_.Below(0200)));
    case 16:
      return process_.Setxattr(path, "user.k", "v", XattrMode::kSet, LastLink::kFollow);
    case 17:
      return HoldOrRead(path);
    default:
      return List(path);
  }
}

void BusyProcess::Call() {
  constexpr std::uint64_t kChoices = 20;
  const std::uint64_t choice = random_.Below(kChoices);
  const std::string path = DrawPath();
  seen_.clear();
  const Result<void> done = Do(choice, path);
  const std::string outcome = done.ok() ? "OK" : std::string(ErrnoName(done.error()));
  ++outcomes_[outcome];
  log_ += std::to_string(choice) + ' ' + path + " = " + outcome + ' ' + seen_ + '\n';
}

}  // namespace lamina
