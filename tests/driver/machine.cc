#include "tests/driver/machine.h"

#include <algorithm>

#include "lamina/base/bytes.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {

Machine::Machine(const DriverHost& host, std::shared_ptr<MemFs> disk)
    : disk_(std::move(disk)),
      home_(*disk_, faults_, {sim::FaultSite::Kind::kBranch, "home"}, disk_->root()),
      on_home_(At(*disk_, disk_->root())) {
  options.host = host;
  options.mounts = &mounts_;
  options.on_message = [this](const DriverMessage& message) {
    const bool is_error = message.kind == DriverMessage::Kind::kError;
    said_.push_back((is_error ? "error: " : "warning: ") + std::string(message.text));
  };
  const Result<void> opened = Restart();
  static_cast<void>(opened);  // a test of a driver that does not open asks again
}

Result<void> Machine::Restart() {
  driver_.reset();
  Result<std::unique_ptr<StorageDriver>> opened = OpenDriver("aufs", op(), home_, options);
  if (!opened.ok()) return opened.error();
  driver_ = *std::move(opened);
  return {};
}

void Machine::Create(std::string_view id, std::string_view parent) {
  const LayerId layer{std::string(id)};
  const Result<void> created = driver_->CreateLayer(op(), layer, ParentId(parent).get());
  EXPECT_TRUE(created.ok()) << id;
}

Mount Machine::Get(std::string_view id) {
  Result<Mount> mount = driver_->Get(op(), {std::string(id)});
  EXPECT_TRUE(mount.ok()) << id << ": " << ErrnoName(mount.error());
  return *std::move(mount);
}

std::vector<LayerChange> Machine::Changes(std::string_view id, std::string_view parent) {
  Result<std::vector<LayerChange>> changes =
      driver_->Changes(op(), {std::string(id)}, ParentId(parent).get());
  EXPECT_TRUE(changes.ok()) << id;
  return *std::move(changes);
}

ChangeSet Machine::Diff(std::string_view id, std::string_view parent) {
  Result<ChangeSet> set = driver_->Diff(op(), {std::string(id)}, ParentId(parent).get());
  EXPECT_TRUE(set.ok()) << id;
  return *std::move(set);
}

std::uint64_t Machine::DiffSize(std::string_view id, std::string_view parent) {
  const Result<std::uint64_t> size =
      driver_->DiffSize(op(), {std::string(id)}, ParentId(parent).get());
  EXPECT_TRUE(size.ok()) << id;
  return *size;
}

std::unique_ptr<Process> Machine::At(FileSystem& fs, NodeId root) {
  return std::make_unique<Process>(fs, root, ProcessOptions{.clock = &clock_});
}

std::vector<std::string> Machine::Names(std::string_view path) { return NamesOf(*on_home_, path); }
std::string Machine::Text(std::string_view path) { return TextOf(*on_home_, path); }

void Put(Process& process, const std::string& path, std::string_view text, std::uint16_t mode) {
  const OpenHow how{.access = Access::kWrite, .create = true, .truncate = true};
  const Result<Process::Fd> fd = process.Open(path, how, mode);
  ASSERT_TRUE(fd.ok()) << path << ": " << ErrnoName(fd.error());
  const Result<std::size_t> written = process.Pwrite(*fd, AsBytes(text), 0);
  EXPECT_TRUE(written.ok()) << path;
  EXPECT_TRUE(process.Close(*fd).ok());
}

void Remove(Process& process, const std::string& path) {
  const Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
  ASSERT_TRUE(stat.ok()) << path;
  if (stat->type == FileType::kDirectory) {
    const Result<std::vector<ProcessEntry>> entries = process.ListDirectory(path);
    ASSERT_TRUE(entries.ok()) << path;
    for (const ProcessEntry& entry : *entries) Remove(process, path + '/' + entry.name);
    EXPECT_TRUE(process.Rmdir(path).ok()) << path;
  } else {
    EXPECT_TRUE(process.Unlink(path).ok()) << path;
  }
}

void MakeDirectories(Process& process, const std::string& path) {
  for (std::size_t end = path.find('/', 1); end != std::string::npos;
       end = path.find('/', end + 1)) {
    const Result<void> made = process.Mkdir(path.substr(0, end), 0755);
    EXPECT_TRUE(made.ok() || made.error() == Errno::kExist) << path;
  }
  const Result<void> made = process.Mkdir(path, 0755);
  EXPECT_TRUE(made.ok() || made.error() == Errno::kExist) << path;
}

std::vector<std::string> NamesOf(Process& process, std::string_view path) {
  const Result<std::vector<ProcessEntry>> entries = process.ListDirectory(path);
  if (!entries.ok()) return {std::string(ErrnoName(entries.error()))};
  std::vector<std::string> names;
  for (const ProcessEntry& entry : *entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string TextOf(Process& process, std::string_view path) {
  const Result<std::string> text = process.ReadFile(path);
  return text.ok() ? *text : std::string(ErrnoName(text.error()));
}

std::vector<std::string> Lines(const std::vector<LayerChange>& changes) {
  std::vector<std::string> lines;
  for (const LayerChange& change : changes) {
    lines.push_back(std::string(ChangeLetter(change.kind)) + ' ' + change.path);
  }
  return lines;
}

std::vector<std::string> MemberLines(const ChangeSet& set) {
  std::vector<std::string> lines;
  for (const TarMember& member : TarMembers(set)) {
    lines.push_back(member.link_name.empty() ? member.name
                                             : member.name + " -> " + member.link_name);
  }
  return lines;
}

const LayerEntry& EntryAt(const ChangeSet& set, std::string_view path) {
  const auto found = std::find_if(set.entries.begin(), set.entries.end(),
                                  [&](const LayerEntry& entry) { return entry.path == path; });
  EXPECT_NE(found, set.entries.end()) << path;
  return *found;
}

std::string BodyOf(const LayerEntry& entry) {
  if (entry.content == nullptr) return "";
  std::string text(entry.content->size_bytes(), '\0');
  entry.content->Read(0, std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

}  // namespace lamina
