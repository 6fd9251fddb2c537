// Prices of the union, as ratios to baselines run in turn in this process:
//   W1  stat of a warm path of six components, target in the bottom layer, by number of layers
//   W2  the same for a missing name
//   W3  the list of a directory of 1000 names, first and again
//   W4  the first 4 KiB write into a 64 MiB lower file (copy-up)
//   W7  10,000 lower files deleted, then their 100 directories listed
//
//   union_bench [W1|W3|W4|W7] [overlay|aufs]      W1 shows W2 too
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "bench/baselines.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/store/page.h"
#include "lamina/union/aufs.h"
#include "lamina/union/overlay.h"

namespace lamina::bench {
namespace {

constexpr std::size_t kPaths = 1000;
constexpr std::size_t kRepeats = 20;
constexpr int kRounds = 11;
constexpr std::size_t kBigBytes = std::size_t{64} << 20;
constexpr std::size_t kCopyUps = 16;

template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) std::abort();
  return *std::move(result);
}
void Must(Result<void> result) {
  if (!result.ok()) std::abort();
}

enum class Mounted : std::uint8_t { kOverlay, kAufs };
Mounted g_dialect = Mounted::kOverlay;  // of the stacks that are made

// A union of `layers` lowers on memory; the bottom one holds the files.
class Stack {
 public:
  explicit Stack(std::size_t layers) : lowers_(layers) {}

  MemFs& bottom() { return lowers_.back(); }
  std::unique_ptr<Process> On(FileSystem& fs) {
    auto process = std::make_unique<Process>(fs, fs.root(), ProcessOptions{.clock = &clock_});
    process->set_umask(0);
    return process;
  }
  void Mount() {
    for (MemFs& lower : lowers_) {
      if (!lower.frozen()) lower.Freeze();
    }
    union_ = g_dialect == Mounted::kAufs ? MountedAufs() : MountedOverlay();
    process_ = On(*union_);
  }
  // A new union over the same lowers with an empty upper; nothing is remembered.
  void Remount() {
    process_.reset();
    union_.reset();
    home_ = std::make_unique<MemFs>();
    Mount();
  }
  Process& process() { return *process_; }
  UnionFs& fs() { return *union_; }
  MemFs& lower(std::size_t index) { return lowers_[index]; }
  std::size_t layers() const { return lowers_.size(); }
  OpContext Op() const { return OpContext{root_, clock_.now(), Probe()}; }

 private:
  std::unique_ptr<UnionFs> MountedAufs() {
    AufsMount mount;
    mount.options.max_branches = 511;
    mount.branches.push_back(
        {{home_.get(), home_->root(), {}, {}}, AufsMode{.permission = AufsPermission::kReadWrite}});
    for (MemFs& lower : lowers_) {
      mount.branches.push_back({{&lower, lower.root(), {}, {}}, AufsMode{.whiteouts = true}});
    }
    return Must(MountAufs(Op(), mount));
  }
  std::unique_ptr<UnionFs> MountedOverlay() {
    const OpContext op = Op();
    OverlayMount mount;
    for (MemFs& lower : lowers_) mount.lowers.push_back({&lower, lower.root(), {}, {}});
    const NewNode directory{.type = FileType::kDirectory, .mode = 0755};
    mount.upper = DirectoryRef{
        home_.get(), Must(home_->Create(op, {home_->root(), "upper"}, directory)), {}, {}};
    mount.work = DirectoryRef{
        home_.get(), Must(home_->Create(op, {home_->root(), "work"}, directory)), {}, {}};
    return Must(MountOverlay(op, mount));
  }

  Clock clock_;
  const Credentials root_ = RootCredentials();
  std::unique_ptr<MemFs> home_ = std::make_unique<MemFs>();
  std::vector<MemFs> lowers_;
  std::unique_ptr<UnionFs> union_;
  std::unique_ptr<Process> process_;
};

// Paths of six components below ten directories.
std::vector<std::string> MakePaths(const std::string& last) {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < kPaths; ++i) {
    paths.push_back("/usr/lib/x86_64/d" + std::to_string(i % 10) + "/sub/" + last +
                    std::to_string(i));
  }
  return paths;
}

void FillBottom(Stack& stack, const std::vector<std::string>& paths) {
  const std::unique_ptr<Process> process = stack.On(stack.bottom());
  for (const std::string& path : paths) {
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
      const Result<void> made = process->Mkdir(path.substr(0, at), 0755);
      if (!made.ok() && made.error() != Errno::kExist) std::abort();
    }
    Must(process->Mknod(path, FileType::kRegular, 0644, 0));
  }
}

// base.walk: six probes keyed (parent id, name).
class WalkBaseline {
 public:
  void Add(const std::string& path) {
    std::uint64_t at = 0;
    ForEach(path, [&](const std::string& name) {
      auto [entry, added] = names_.try_emplace({at, name}, next_);
      if (added) ++next_;
      at = entry->second;
    });
  }
  std::uint64_t Find(const std::string& path) const {
    std::uint64_t at = 0;
    std::size_t begin = 1;
    while (begin <= path.size()) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const auto found = names_.find({at, path.substr(begin, end - begin)});
      if (found == names_.end()) return 0;
      at = found->second;
      begin = end + 1;
    }
    return at;
  }

 private:
  template <typename Visit>
  static void ForEach(const std::string& path, Visit visit) {
    for (std::size_t begin = 1; begin <= path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      visit(path.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  absl::flat_hash_map<std::pair<std::uint64_t, std::string>, std::uint64_t> names_;
  std::uint64_t next_ = 1;
};

// W1 and W2. The price of a stat: walk, permission, attributes, everything.
void CompareStat() {
  const std::vector<std::string> paths = MakePaths("file");
  const std::vector<std::string> missing = MakePaths("gone");
  WalkBaseline walk;
  absl::flat_hash_map<std::string, std::uint64_t> flat;
  for (const std::string& path : paths) {
    walk.Add(path);
    flat.emplace(path, flat.size() + 1);
  }
  std::uint64_t sum = 0;
  const auto repeat = [&](const std::vector<std::string>& over, auto&& each) {
    return [&, each] {
      for (std::size_t i = 0; i < kRepeats; ++i) {
        for (const std::string& path : over) sum += each(path);
      }
    };
  };
  std::vector<std::unique_ptr<Stack>> stacks;
  std::vector<Contender> hits = {
      {"base.flat", {}, repeat(paths, [&](const std::string& p) { return flat.find(p)->second; })},
      {"base.walk", {}, repeat(paths, [&](const std::string& p) { return walk.Find(p); })}};
  std::vector<Contender> misses = hits;
  for (const std::size_t layers : {1, 8, 32, 128}) {
    stacks.push_back(std::make_unique<Stack>(layers));
    FillBottom(*stacks.back(), paths);
    stacks.back()->Mount();
    Process& process = stacks.back()->process();
    const std::string name = "union, " + std::to_string(layers) + " layers";
    const auto stat = [&process](const std::string& p) -> std::uint64_t {
      const Result<Stat> found = process.GetStat(p, LastLink::kFollow);
      return found.ok() ? found->ino : 1;
    };
    hits.push_back({name, {}, repeat(paths, stat)});
    misses.push_back({name, {}, repeat(missing, stat)});
  }
  const auto print = [&](const char* title, const std::vector<Contender>& contenders) {
    const std::vector<double> medians =
        RunRounds(contenders, kRounds, static_cast<double>(kPaths * kRepeats));
    std::printf("%s\n", title);
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      std::printf("   %-18s %8.0f ns   %6.2fx base.flat  %6.2fx base.walk\n",
                  contenders[i].name.c_str(), medians[i], medians[i] / medians[0],
                  medians[i] / medians[1]);
    }
    return medians;
  };
  const std::vector<double> hit =
      print("W1 stat, six components, target in the bottom layer", hits);
  std::printf(
      "   floor: 1 layer <= 3x base.walk: %s (%.2fx); 128 layers <= 1.5x 1 layer: %s (%.2fx)\n",
      hit[2] <= 3 * hit[1] ? "held" : "MISSED", hit[2] / hit[1],
      hit[5] <= 1.5 * hit[2] ? "held" : "MISSED", hit[5] / hit[2]);
  const std::vector<double> miss = print("W2 ENOENT, six components, the last one missing", misses);
  for (std::size_t i = 2; i < miss.size(); ++i) {
    std::printf("   floor: %s <= 1.2x its W1: %s (%.2fx)\n", misses[i].name.c_str(),
                miss[i] <= 1.2 * hit[i] ? "held" : "MISSED", miss[i] / hit[i]);
  }
  if (sum == 0) std::printf("nothing was found\n");
}

// W4. The baseline copies 64 MiB into an allocation that is warm.
void CompareCopyUp() {
  PrefaultPages(4096);
  WarmMemory source(kBigBytes);
  WarmMemory target(kBigBytes);
  Stack stack(1);
  {
    const std::unique_ptr<Process> process = stack.On(stack.bottom());
    const std::string chunk(1 << 20, 'x');
    const Process::Fd fd =
        Must(process->Open("/big0", {.access = Access::kReadWrite, .create = true}, 0644));
    for (std::size_t at = 0; at < kBigBytes; at += chunk.size()) {
      if (!process->Pwrite(fd, AsBytes(chunk), at).ok()) std::abort();
    }
    Must(process->Close(fd));
  }
  // More files with the same body, so that each copy-up is a first one.
  {
    const Credentials root = RootCredentials();
    const OpContext op{root, kSimulationStart, Probe()};
    MemFs& fs = stack.bottom();
    const NodeId first = Must(fs.Lookup(op, {fs.root(), "big0"}));
    const HandleId reader = Must(fs.Open(op, first, {.access = Access::kRead}));
    for (std::size_t i = 1; i < kCopyUps * (kRounds + 1); ++i) {
      const Opened made = Must(fs.CreateOpen(op, {fs.root(), "big" + std::to_string(i)},
                                             {.type = FileType::kRegular, .mode = 0644},
                                             {.access = Access::kWrite}));
      Must(fs.AdoptContent(op, made.handle, Must(fs.ShareContent(op, reader))));
      fs.Close(made.handle);
    }
    fs.Close(reader);
  }
  stack.Mount();
  std::size_t next = 0;
  const std::string block(kBlockBytes, 'y');
  const std::vector<double> medians = RunRounds(
      {{"base.memcpy",
        {},
        [&] {
          for (std::size_t i = 0; i < kCopyUps; ++i) {
            std::memcpy(target.data(), source.data(), kBigBytes);
          }
        }},
       {"union",
        {},
        [&] {
          for (std::size_t i = 0; i < kCopyUps; ++i) {
            const std::string path = "/big" + std::to_string(next++);
            const Process::Fd fd = Must(stack.process().Open(path, {.access = Access::kWrite}, 0));
            if (!stack.process().Pwrite(fd, AsBytes(block), 1 << 20).ok()) std::abort();
            Must(stack.process().Close(fd));
          }
        }}},
      kRounds, kCopyUps);
  const double ratio = medians[1] / medians[0];
  std::printf("W4 first 4 KiB write into a 64 MiB lower file\n");
  std::printf("   base.memcpy (64 MiB, warm) %10.1f us\n", medians[0] / 1000);
  std::printf("   union                      %10.1f us   %.5fx   floor <= 0.01x: %s\n",
              medians[1] / 1000, ratio, ratio <= 0.01 ? "held" : "MISSED");
}

constexpr std::size_t kListedDirectories = 16;
constexpr std::size_t kListedNames = 1000;
constexpr std::size_t kListRepeats = 20;

std::uint64_t List(Stack& stack, const std::string& name) {
  UnionFs& fs = stack.fs();
  const OpContext op = stack.Op();
  const HandleId dir = Must(fs.Open(op, Must(fs.Lookup(op, {fs.root(), name})), {}));
  std::uint64_t bytes = 0;
  const DirCookie end = Must(fs.ReadDir(op, dir, DirCookie{}, [&](const DirEntry& entry) {
    bytes += static_cast<unsigned char>(entry.name.back());
    return true;
  }));
  if (end != kDirEnd) std::abort();
  fs.Close(dir);
  return bytes;
}

// W3. Every layer holds its share of the names and a few of the layer below; the upper holds the
// directories, too, so that they are merged whatever the number of layers.
void CompareListing() {
  std::printf("W3 list of %zu merged names, us a list\n", kListedNames);
  for (const std::size_t layers : {1, 8, 32, 128}) {
    Stack stack(layers);
    std::vector<std::vector<std::string>> names(layers);
    for (std::size_t i = 0; i < kListedNames; ++i) {
      names[i % layers].push_back("entry-" + std::to_string(i));
      if (i % 10 == 0) names[(i + 1) % layers].push_back("entry-" + std::to_string(i));
    }
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const std::unique_ptr<Process> process = stack.On(stack.lower(layer));
      for (std::size_t d = 0; d < kListedDirectories; ++d) {
        const std::string dir = "/d" + std::to_string(d);
        Must(process->Mkdir(dir, 0755));
        for (const std::string& name : names[layer]) {
          const Result<void> made = process->Mknod(dir + '/' + name, FileType::kRegular, 0644, 0);
          if (!made.ok() && made.error() != Errno::kExist) std::abort();
        }
      }
    }
    const auto remount = [&] {
      stack.Remount();
      for (std::size_t d = 0; d < kListedDirectories; ++d) {
        Must(stack.process().Chmod("/d" + std::to_string(d), 0755));  // copies it up
      }
    };
    remount();
    std::uint64_t sum = 0;
    std::vector<std::string> ready;
    const auto merge = [&] {
      absl::flat_hash_set<std::string> seen;
      std::vector<std::string> merged;
      for (const std::vector<std::string>& each : names) {
        for (const std::string& name : each) {
          if (seen.insert(name).second) merged.push_back(name);
        }
      }
      ready = merged;
      sum += merged.size();
    };
    const auto each_directory = [&](std::size_t repeats) {
      for (std::size_t i = 0; i < repeats; ++i) {
        for (std::size_t d = 0; d < kListedDirectories; ++d) {
          sum += List(stack, "d" + std::to_string(d));
        }
      }
    };
    const std::vector<double> medians =
        RunRounds({{"base.hashmerge",
                    {},
                    [&] {
                      for (std::size_t i = 0; i < kListedDirectories * kListRepeats; ++i) merge();
                    }},
                   {"base.cachedlist",
                    {},
                    [&] {
                      for (std::size_t i = 0; i < kListedDirectories * kListRepeats; ++i) {
                        for (const std::string& name : ready)
                          sum += static_cast<unsigned char>(name.back());
                      }
                    }},
                   {"first", remount, [&] { each_directory(1); }},
                   {"again", {}, [&] { each_directory(kListRepeats); }}},
                  kRounds, static_cast<double>(kListedDirectories * kListRepeats));
    const double first = medians[2] * kListRepeats;
    std::printf(
        "   %3zu layers  base.hashmerge %7.2f  base.cachedlist %6.2f  first %8.2f (%.2fx)  "
        "again %7.2f (%.2fx)   floors 4x, 10x: %s\n",
        layers, medians[0] / 1000, medians[1] / 1000, first / 1000, first / medians[0],
        medians[3] / 1000, medians[3] / medians[1],
        first <= 4 * medians[0] && medians[3] <= 10 * medians[1] ? "held" : "MISSED");
    if (sum == 0) std::printf("nothing was listed\n");
  }
}

constexpr std::size_t kHolders = 100;
constexpr std::size_t kHeld = 100;

// W7
void CompareDeletion() {
  std::printf("W7 %zu lower files deleted, then %zu directories listed\n", kHolders * kHeld,
              kHolders);
  for (const std::size_t layers : {1, 8, 32, 128}) {
    Stack stack(layers);
    std::vector<std::string> paths;
    {
      const std::unique_ptr<Process> process = stack.On(stack.bottom());
      for (std::size_t d = 0; d < kHolders; ++d) {
        const std::string dir = "/d" + std::to_string(d);
        Must(process->Mkdir(dir, 0755));
        for (std::size_t i = 0; i < kHeld; ++i) {
          paths.push_back(dir + "/f" + std::to_string(i));
          Must(process->Mknod(paths.back(), FileType::kRegular, 0644, 0));
        }
      }
    }
    stack.Remount();
    std::uint64_t sum = 0;
    absl::flat_hash_set<std::string> gone;
    const std::vector<double> medians = RunRounds({{"base.whset", [&] { gone.clear(); },
                                                    [&] {
                                                      for (const std::string& path : paths)
                                                        gone.insert(path);
                                                    }},
                                                   {"base.whset list",
                                                    {},
                                                    [&] {
                                                      for (const std::string& path : paths)
                                                        sum += gone.contains(path) ? 1 : 0;
                                                    }},
                                                   {"delete", [&] { stack.Remount(); },
                                                    [&] {
                                                      for (const std::string& path : paths)
                                                        Must(stack.process().Unlink(path));
                                                    }},
                                                   {"list",
                                                    {},
                                                    [&] {
                                                      for (std::size_t d = 0; d < kHolders; ++d)
                                                        sum += List(stack, "d" + std::to_string(d));
                                                    }}},
                                                  kRounds, 1);
    const double files = static_cast<double>(paths.size());
    std::printf(
        "   %3zu layers  base.whset %5.0f ns a file, %6.0f ns a list   delete %6.0f ns a file  "
        "list %7.0f ns (%.2fx)   floors 1000 ns, 5x: %s\n",
        layers, medians[0] / files, medians[1] / kHolders, medians[2] / files,
        medians[3] / kHolders, medians[3] / medians[1],
        medians[2] / files <= 1000 && medians[3] <= 5 * medians[1] ? "held" : "MISSED");
    if (sum == 0) std::printf("nothing was deleted\n");
  }
}

}  // namespace
}  // namespace lamina::bench

int main(int argc, char** argv) {
  std::string only;
  std::string dialect;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    (word == "overlay" || word == "aufs" ? dialect : only) = word;
  }
  const auto run = [&](const char* name, void (*compare)()) {
    if (only.empty() || only == name) compare();
  };
  using lamina::bench::Mounted;
  for (const Mounted mounted : {Mounted::kOverlay, Mounted::kAufs}) {
    const char* const name = mounted == Mounted::kAufs ? "aufs" : "overlay";
    if (!dialect.empty() && dialect != name) continue;
    std::printf("== %s\n", name);
    lamina::bench::g_dialect = mounted;
    run("W1", lamina::bench::CompareStat);
    run("W3", lamina::bench::CompareListing);
    run("W4", lamina::bench::CompareCopyUp);
    run("W7", lamina::bench::CompareDeletion);
  }
  return 0;
}
