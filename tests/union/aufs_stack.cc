#include "tests/union/aufs_stack.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "lamina/fs/forwarding.h"
#include "lamina/sim/faulty_fs.h"
#include "tests/union/aufs_drawing.h"

namespace lamina {
namespace {

constexpr Instant kFarFuture = InstantFromSeconds(8'000'000'000);
constexpr std::size_t kReadBytes = 1 << 20;

// A file system that keeps no xattrs, as some of FAT's kind.
class NoXattrFs final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;

  FsLimits limits() const override {
    FsLimits limits = ForwardingFileSystem::limits();
    limits.xattrs = false;
    return limits;
  }
  Result<std::string> GetXattr(const OpContext&, NodeId, std::string_view) override {
    return Errno::kOpNotSupp;
  }
  Result<void> SetXattr(const OpContext&, NodeId, std::string_view, std::string_view,
                        XattrMode) override {
    return Errno::kOpNotSupp;
  }
  Result<void> RemoveXattr(const OpContext&, NodeId, std::string_view) override {
    return Errno::kOpNotSupp;
  }
  Result<std::vector<std::string>> ListXattr(const OpContext&, NodeId) override {
    return Errno::kOpNotSupp;
  }
};

bool IsBaseEntry(const std::string& path) {
  return path == "/.wh..wh.aufs" || path == "/.wh..wh.plnk" || path == "/.wh..wh.orph";
}

std::vector<std::string> NamesOf(const std::vector<ProcessEntry>& entries) {
  std::vector<std::string> names;
  for (const ProcessEntry& entry : entries) names.push_back(entry.name);
  return names;
}

// The words between commas, the branch list apart.
std::vector<std::string> OptionsIn(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> options;
  for (std::string word; std::getline(words, word, ',');) options.push_back(word);
  return options;
}

}  // namespace

struct AufsStack::Home {
  explicit Home(const MemFsOptions& options) : mem(options) {}
  MemFs mem;
  std::unique_ptr<NoXattrFs> without_xattrs;
  std::unique_ptr<sim::FaultyFs> faulty;
  FileSystem* shown = &mem;  // what the union gets
};

struct AufsStack::Directory {
  std::string name;
  std::string mode;
  Home* home = nullptr;
  NodeId node;
  std::optional<std::string> watched;  // must be so when the stack ends
};

AufsStack::AufsStack(std::initializer_list<DrawnBranch> branches, std::string_view options,
                     AufsMounting mounting)
    : options_(options) {
  for (const DrawnBranch& branch : branches) {
    Draw(Name(static_cast<int>(directories_.size())), branch);
  }
  if (mounting == AufsMounting::kNow) Mount();
}

AufsStack::~AufsStack() {
  Unmount();
  for (const std::unique_ptr<Directory>& directory : directories_) {
    if (directory->watched) {
      EXPECT_EQ(Snapshot(directory->name), *directory->watched);
    }
  }
}

void AufsStack::AddDirectory(const DrawnBranch& directory) {
  const auto is_extra = [](const auto& known) { return known->name.starts_with('n'); };
  const auto extras = std::count_if(directories_.begin(), directories_.end(), is_extra);
  Draw("n" + std::to_string(extras), directory);
  if (union_ != nullptr) Watch(*directories_.back());
}

void AufsStack::Draw(const std::string& name, const DrawnBranch& drawn) {
  const bool shares = !drawn.beside.empty();
  if (!shares) {
    homes_.push_back(std::make_unique<Home>(MemFsOptions{.capacity_bytes = drawn.capacity_bytes,
                                                         .name_max = drawn.name_max,
                                                         .link_max = drawn.link_max,
                                                         .atime = AtimePolicy::kNever}));
  }
  Home& home = shares ? *Find(drawn.beside).home : *homes_.back();
  const std::string path = "/" + name;
  std::unique_ptr<Process> outside = On(home.mem, home.mem.root(), nullptr);
  EXPECT_TRUE(outside->Mkdir(path, 0755).ok());
  auto directory = std::make_unique<Directory>();
  directory->name = name;
  directory->mode = drawn.mode;
  directory->home = &home;
  directory->node = outside->GetStat(path, LastLink::kKeep)->node;
  DrawEntries(*On(home.mem, directory->node, nullptr), drawn.content);
  if (drawn.read_only) home.mem.Freeze();
  if (!drawn.xattrs) {
    home.without_xattrs = std::make_unique<NoXattrFs>(*home.shown);
    home.shown = home.without_xattrs.get();
  }
  if (drawn.faulty) {
    home.faulty = std::make_unique<sim::FaultyFs>(
        *home.shown, plan_, sim::FaultSite{sim::FaultSite::Kind::kBranch, name}, home.mem.root());
    home.shown = home.faulty.get();
  }
  directories_.push_back(std::move(directory));
}

// ── Mounting ───────────────────────────────────────────────────────────────────────────────────

std::string AufsStack::MountText() const {
  std::string text = "br";
  for (const std::unique_ptr<Directory>& directory : directories_) {
    if (!directory->name.starts_with('b')) continue;
    text += ":/" + directory->name;
    if (!directory->mode.empty()) text += "=" + directory->mode;
  }
  return options_.empty() ? text : text + "," + options_;
}

AufsMount AufsStack::Request() {
  AufsMount mount;
  for (const std::unique_ptr<Directory>& directory : directories_) {
    if (!directory->name.starts_with('b')) continue;
    AufsBranch branch{*Resolve("/" + directory->name)};
    if (!directory->mode.empty()) branch.mode = ParseAufsMode(directory->mode);
    mount.branches.push_back(std::move(branch));
  }
  for (const std::string& option : OptionsIn(options_)) {
    EXPECT_EQ(Outcome(SetAufsOption(option, mount.options)), "OK") << option;
  }
  return mount;
}

Result<void> AufsStack::TryMount(std::string_view text) {
  Unmount();
  for (const std::unique_ptr<Directory>& directory : directories_) Watch(*directory);
  return Adopt(MountAufs(Op(), text, [this](std::string_view path) { return Resolve(path); }));
}

Result<void> AufsStack::TryMount(const AufsMount& mount) {
  Unmount();
  for (const std::unique_ptr<Directory>& directory : directories_) Watch(*directory);
  return Adopt(MountAufs(Op(), mount));
}

Result<void> AufsStack::Adopt(Result<std::unique_ptr<UnionFs>> mounted) {
  if (!mounted.ok()) {
    // A mount that fails late may have made the base entries of the branches before.
    for (const std::unique_ptr<Directory>& directory : directories_) directory->watched.reset();
    return mounted.error();
  }
  union_ = *std::move(mounted);
  ForgetWritable(*union_);
  process_ = NewProcess();
  return {};
}

void AufsStack::Mount() {
  const std::string text = MountText();
  EXPECT_EQ(Outcome(TryMount(text)), "OK") << text;
}

// GoogleTest makes a failure of this test alone of it, which cannot go on without a union.
UnionFs& AufsStack::fs() {
  if (union_ == nullptr) throw std::runtime_error("no union is mounted");
  return *union_;
}

Process& AufsStack::process() {
  if (process_ == nullptr) throw std::runtime_error("no union is mounted");
  return *process_;
}

void AufsStack::Unmount() {
  process_.reset();
  union_.reset();
}

std::unique_ptr<UnionFs> AufsStack::MountAnother(std::string_view text) {
  Result<std::unique_ptr<UnionFs>> mounted =
      MountAufs(Op(), text, [this](std::string_view path) { return Resolve(path); });
  EXPECT_EQ(Outcome(mounted), "OK") << text;
  if (!mounted.ok()) throw std::runtime_error("no mount");
  ForgetWritable(**mounted);
  return *std::move(mounted);
}

std::string AufsStack::Remount(std::string_view text) {
  Result<void> done =
      RemountAufs(Op(), fs(), text, [this](std::string_view path) { return Resolve(path); });
  ForgetWritable(fs());
  return Outcome(done);
}

Result<DirectoryRef> AufsStack::Resolve(std::string_view path) {
  std::istringstream components{std::string(path)};
  std::string name;
  std::getline(components, name, '/');  // what is before the first '/'
  std::getline(components, name, '/');
  DirectoryRef found;
  found.name = path;
  if (name == "u" && union_ != nullptr) {
    found.fs = union_.get();
    found.node = union_->root();
  } else {
    const auto named = [&](const auto& directory) { return directory->name == name; };
    const auto directory = std::find_if(directories_.begin(), directories_.end(), named);
    if (directory == directories_.end()) return Errno::kNoEnt;
    Home& home = *(*directory)->home;
    found.fs = home.shown;
    found.ancestors = {home.mem.root()};
    Result<NodeId> node = found.fs->Lookup(Op(), {home.mem.root(), name});
    if (!node.ok()) return node.error();
    found.node = *node;
  }
  while (std::getline(components, name, '/')) {
    found.ancestors.push_back(found.node);
    Result<NodeId> node = found.fs->Lookup(Op(), {found.node, name});
    if (!node.ok()) return node.error();
    found.node = *node;
  }
  return found;
}

std::string AufsStack::Modes() {
  std::vector<std::string> modes;
  for (std::size_t index = 0; index < fs().branches().size(); ++index) {
    modes.push_back(FormatAufsMode(AufsModeOf(fs(), static_cast<BranchIndex>(index))));
  }
  return JoinedWords(modes);
}

std::string AufsStack::BranchNames() {
  std::vector<std::string> names;
  for (const Branch& branch : fs().branches()) {
    const Directory* directory = DirectoryOf(branch);
    names.push_back(directory == nullptr ? "?" : directory->name);
  }
  return JoinedWords(names);
}

AufsStack::Directory* AufsStack::DirectoryOf(const Branch& branch) {
  const auto is_it = [&](const auto& directory) {
    return directory->node == branch.root && directory->home->shown == branch.fs;
  };
  const auto found = std::find_if(directories_.begin(), directories_.end(), is_it);
  return found == directories_.end() ? nullptr : found->get();
}

void AufsStack::Watch(Directory& directory) { directory.watched = Snapshot(directory.name); }

void AufsStack::ForgetWritable(const UnionFs& fs) {
  for (std::size_t index = 0; index < fs.branches().size(); ++index) {
    if (!AufsModeOf(fs, static_cast<BranchIndex>(index)).writable()) continue;
    Directory* directory = DirectoryOf(fs.branches()[index]);
    if (directory != nullptr) directory->watched.reset();
  }
}

// ── The union ──────────────────────────────────────────────────────────────────────────────────

std::unique_ptr<Process> AufsStack::NewProcess() { return On(fs(), fs().root(), &locks_); }

void AufsStack::RunDeferred() { EXPECT_EQ(Outcome(fs().RunUntil(Op(), kFarFuture)), "OK"); }

std::string AufsStack::Merged() {
  const std::vector<std::string> paths =
      PathsBelow(process(), [](const std::string&) { return false; });
  std::vector<std::string> directories = {"/"};
  std::vector<std::string> drawn;
  for (const std::string& path : paths) {
    drawn.push_back(DrawnEntry(process(), path));
    if (drawn.back().ends_with('/')) directories.push_back(path);
  }
  for (const std::string& directory : directories) {
    Result<std::vector<ProcessEntry>> entries = process().ListDirectory(directory);
    if (!entries.ok()) continue;
    for (const ProcessEntry& entry : *entries) {
      Result<Stat> stat = process().GetStat(directory + "/" + entry.name, LastLink::kKeep);
      if (!stat.ok()) continue;
      EXPECT_EQ(entry.ino, stat->ino) << directory << "/" << entry.name;
      EXPECT_EQ(entry.type, stat->type) << directory << "/" << entry.name;
    }
  }
  return JoinedWords(drawn);
}

std::string AufsStack::List(std::string_view path) {
  Result<std::vector<ProcessEntry>> entries = process().ListDirectory(path);
  return entries.ok() ? JoinedWords(NamesOf(*entries)) : Outcome(entries);
}

std::string AufsStack::Read(std::string_view path) {
  Result<std::string> content = process().ReadFile(path);
  return content.ok() ? *content : Outcome(content);
}

Stat AufsStack::StatOf(std::string_view path) {
  Result<Stat> stat = process().GetStat(path, LastLink::kKeep);
  EXPECT_EQ(Outcome(stat), "OK") << path;
  return stat.ok() ? *stat : Stat{};
}

std::string AufsStack::Lookup(std::string_view path) {
  return Outcome(process().GetStat(path, LastLink::kKeep));
}

std::string AufsStack::OnOpenFile(std::string_view path, const OpenHow& how, std::uint64_t offset,
                                  std::string_view data) {
  Result<Process::Fd> fd = process().Open(path, how, 0644);
  if (!fd.ok()) return Outcome(fd);
  const std::string written = data.empty() ? "OK" : WriteFd(*fd, offset, data);
  const std::string closed = Outcome(process().Close(*fd));
  return written == "OK" ? closed : written;
}

std::string AufsStack::Create(std::string_view path) {
  return OnOpenFile(path, {.access = Access::kWrite, .create = true, .exclusive = true}, 0, "");
}

std::string AufsStack::Put(std::string_view path, std::string_view data) {
  return OnOpenFile(path, {.access = Access::kWrite, .create = true, .truncate = true}, 0, data);
}

std::string AufsStack::Append(std::string_view path, std::string_view data) {
  return OnOpenFile(path, {.access = Access::kWrite, .append = true}, 0, data);
}

std::string AufsStack::WriteAt(std::string_view path, std::uint64_t offset, std::string_view data) {
  return OnOpenFile(path, kWriteOnly, offset, data);
}

std::string AufsStack::Touch(std::string_view path) {
  const TimeChange now{TimeChange::Kind::kNow, {}};
  return Outcome(process().Utimens(path, now, now, LastLink::kFollow));
}

Process::Fd AufsStack::Open(std::string_view path, const OpenHow& how) {
  Result<Process::Fd> fd = process().Open(path, how, 0644);
  EXPECT_EQ(Outcome(fd), "OK") << path;
  return fd.ok() ? *fd : Process::Fd{~std::uint64_t{0}};
}

std::string AufsStack::ReadFd(Process::Fd fd, std::uint64_t offset) {
  std::string data(kReadBytes, '\0');
  Result<std::size_t> count = process().Pread(fd, std::as_writable_bytes(std::span(data)), offset);
  return count.ok() ? data.substr(0, *count) : Outcome(count);
}

std::string AufsStack::WriteFd(Process::Fd fd, std::uint64_t offset, std::string_view data) {
  Result<std::size_t> count = process().Pwrite(fd, AsBytes(data), offset);
  if (count.ok() && *count != data.size()) return "short";
  return Outcome(count);
}

std::string AufsStack::ReadMapped(Mapping mapping, std::uint64_t length) {
  Result<std::string> data = process().ReadMapping(mapping, 0, length);
  return data.ok() ? *data : Outcome(data);
}

// ── The branches ───────────────────────────────────────────────────────────────────────────────

AufsStack::Directory& AufsStack::Find(std::string_view name) {
  const auto named = [&](const auto& directory) { return directory->name == name; };
  const auto found = std::find_if(directories_.begin(), directories_.end(), named);
  LAMINA_CHECK(found != directories_.end());
  return **found;
}

std::unique_ptr<Process> AufsStack::On(FileSystem& fs, NodeId root, LockTable* locks) {
  auto process =
      std::make_unique<Process>(fs, root, ProcessOptions{.clock = &clock_, .locks = locks});
  process->set_umask(0);
  return process;
}

std::unique_ptr<Process> AufsStack::LookAt(std::string_view name) {
  Directory& directory = Find(name);
  return On(directory.home->mem, directory.node, nullptr);
}

std::unique_ptr<Process> AufsStack::OnBranch(std::string_view name) {
  Find(name).watched.reset();
  return LookAt(name);
}

std::unique_ptr<Process> AufsStack::OnFileSystemOf(std::string_view name) {
  Home* home = Find(name).home;
  for (const std::unique_ptr<Directory>& directory : directories_) {
    if (directory->home == home) directory->watched.reset();
  }
  return On(home->mem, home->mem.root(), nullptr);
}

std::string AufsStack::Content(std::string_view name) {
  std::unique_ptr<Process> process = LookAt(name);
  std::vector<std::string> drawn;
  for (const std::string& path : PathsBelow(*process, IsBaseEntry)) {
    drawn.push_back(DrawnEntry(*process, path));
  }
  return JoinedWords(drawn);
}

std::string AufsStack::BaseEntries(std::string_view name) {
  std::unique_ptr<Process> process = LookAt(name);
  std::vector<std::string> drawn;
  for (const std::string path : {"/.wh..wh.aufs", "/.wh..wh.orph", "/.wh..wh.plnk"}) {
    if (process->GetStat(path, LastLink::kKeep).ok()) drawn.push_back(DrawnEntry(*process, path));
  }
  return JoinedWords(drawn);
}

std::string AufsStack::NamesIn(int branch, std::string_view path) {
  Result<std::vector<ProcessEntry>> entries = LookAt(Name(branch))->ListDirectory(path);
  if (!entries.ok()) return Outcome(entries);
  std::vector<std::string> names = NamesOf(*entries);
  std::sort(names.begin(), names.end());
  return JoinedWords(names);
}

std::string AufsStack::Snapshot(std::string_view name) {
  std::unique_ptr<Process> process = LookAt(name);
  std::string text = DescribedEntry(*process, "/") + "\n";
  for (const std::string& path : PathsBelow(*process, [](const std::string&) { return false; })) {
    text += DescribedEntry(*process, path) + "\n";
  }
  return text;
}

Stat AufsStack::BranchStat(std::string_view name, std::string_view path) {
  Result<Stat> stat = LookAt(name)->GetStat(path, LastLink::kKeep);
  EXPECT_EQ(Outcome(stat), "OK") << name << path;
  return stat.ok() ? *stat : Stat{};
}

std::string AufsStack::BranchRead(int branch, std::string_view path) {
  Result<std::string> content = LookAt(Name(branch))->ReadFile(path);
  return content.ok() ? *content : Outcome(content);
}

std::string AufsStack::BranchesWith(std::string_view path) {
  std::string holders;
  for (const std::unique_ptr<Directory>& directory : directories_) {
    if (!directory->name.starts_with('b')) continue;
    const bool holds = LookAt(directory->name)->GetStat(path, LastLink::kKeep).ok();
    if (holds) holders += directory->name.substr(1);
  }
  return holders;
}

void AufsStack::SetBranchTimes(int branch, std::string_view path, Instant time) {
  const TimeChange change{TimeChange::Kind::kAt, time};
  Result<void> set = OnBranch(branch)->Utimens(path, change, change, LastLink::kKeep);
  EXPECT_EQ(Outcome(set), "OK") << path;
}

FsSpace AufsStack::SpaceOf(int branch) { return *Find(Name(branch)).home->mem.GetSpace(Op()); }

}  // namespace lamina
