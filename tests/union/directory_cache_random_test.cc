// A union that has been in use for long answers as one that was mounted just now, whatever it did
// itself and whatever was done to its branches under names it had not found before
// (vfs/union/README.md says what may stay as it was).
#include <optional>

#include "tests/union/overlay_stack.h"

namespace lamina {
namespace {

constexpr int kLowers = 5;
constexpr int kSteps = 400;

// Numbers that depend on the seed only.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}
  std::size_t Below(std::size_t bound) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state_ >> 33U) % bound;
  }
  template <typename T>
  const T& From(const std::vector<T>& values) {
    return values[Below(values.size())];
  }

 private:
  std::uint64_t state_;
};

const std::vector<std::string> kDirectories = {"", "/d", "/d/s", "/e", "/n"};
const std::vector<std::string> kNames = {"a", "b", "c", "d", "s", "n"};

// Who changes something, and what is compared.
struct Trial {
  bool kernel_quirks = false;
  bool direct_edits = false;
  bool listings = false;
};

class LongLived {
 public:
  LongLived(std::uint64_t seed, const Trial& trial) : draw_(seed), trial_(trial), stack_(kLowers) {
    for (int i = 0; i < kLowers; ++i) FillLower(i);
    OverlayMount mount = stack_.Request();
    mount.options.kernel_quirks = trial.kernel_quirks;
    stack_.Mount(mount);
  }

  // A few changes, and what the two unions say differently after them; "" when nothing.
  std::string Step(int number) {
    step_ = number;
    std::string what;
    for (std::size_t more = draw_.Below(3) + 1; more > 0; --more) {
      const bool direct = trial_.direct_edits && draw_.Below(4) == 0;
      what += "  " + (direct ? EditABranch() : Change()) + '\n';
    }
    const std::string differences = Compare();
    return differences.empty() ? "" : "after\n" + what + "differs\n" + differences;
  }

 private:
  void FillLower(int index) {
    const std::unique_ptr<Process> lower = stack_.OnLower(index);
    for (const std::string_view dir : {"/d", "/d/s", "/e"}) {
      if (draw_.Below(3) > 0) (void)lower->Mkdir(dir, 0755);
    }
    for (int i = 0; i < 4; ++i) {
      const std::string path = draw_.From(kDirectories) + '/' + draw_.From(kNames);
      const std::string content = "lower " + std::to_string(index);
      if (lower->GetStat(path, LastLink::kKeep).ok()) continue;
      if (draw_.Below(4) == 0) {
        (void)lower->Mknod(path, FileType::kCharDevice, 0, 0);
      } else {
        (void)Put(*lower, path, content);
      }
    }
  }

  static Result<void> Put(Process& process, std::string_view path, std::string_view content) {
    Result<Process::Fd> fd =
        process.Open(path, {.access = Access::kWrite, .create = true, .truncate = true}, 0644);
    if (!fd.ok()) return fd.error();
    (void)process.Write(*fd, AsBytes(content));
    return process.Close(*fd);
  }

  Result<void> LinkUnnamed(const std::string& dir, const std::string& path) {
    Process& process = stack_.process();
    Result<Process::Fd> fd =
        process.Open(dir.empty() ? "/" : dir, {.access = Access::kWrite, .unnamed = true}, 0644);
    if (!fd.ok()) return fd.error();
    Result<void> linked = process.LinkOpenFile(*fd, path);
    (void)process.Close(*fd);
    return linked;
  }

  std::string AnyPath() {
    // Mostly the few names, sometimes one that was put into a branch.
    const std::string name = direct_ == 0 || draw_.Below(4) > 0
                                 ? draw_.From(kNames)
                                 : DirectName(draw_.Below(static_cast<std::size_t>(direct_)));
    return draw_.From(kDirectories) + '/' + name;
  }

  // A change through the union. Most of them may fail; both unions are asked all the same.
  std::string Change() {
    Process& process = stack_.process();
    const std::string path = AnyPath();
    const std::string other = AnyPath();
    const std::string dir = draw_.From(kDirectories);
    switch (draw_.Below(13)) {
      case 0:
        return Said("put " + path, Put(process, path, "union " + std::to_string(step_)));
      case 1:
      case 2:
        return Said("mkdir " + path, process.Mkdir(path, 0755));
      case 3:
        return Said("link " + path + ' ' + other, process.Link(path, other, LastLink::kKeep));
      case 4:
        return Said("symlink " + path, process.Symlink("t" + std::to_string(step_), path));
      case 5:
        return Said("rename " + path + ' ' + other,
                    process.Rename(path, other, RenameMode::kReplace));
      case 6:
        return Said("rename " + path + ' ' + other + " noreplace",
                    process.Rename(path, other, RenameMode::kNoReplace));
      case 7:
        return Said("exchange " + path + ' ' + other,
                    process.Rename(path, other, RenameMode::kExchange));
      case 8:
      case 9:
        return Said("unlink " + path, process.Unlink(path));
      case 10:
        return Said("rmdir " + path, process.Rmdir(path));
      case 11:
        return Said("tmpfile " + dir + " as " + path, LinkUnnamed(dir, path));
      default:
        return Said("chmod " + path, process.Chmod(path, 0700 + draw_.Below(8)));
    }
  }

  // Something under a name that nobody has found yet, straight into a branch.
  std::string EditABranch() {
    const std::size_t branch = draw_.Below(kLowers + 1);
    const std::unique_ptr<Process> process =
        branch == kLowers ? stack_.OnHome() : stack_.OnLower(static_cast<int>(branch));
    const std::string dir = draw_.From(kDirectories);
    const std::string path = (branch == kLowers ? "/upper" : "") + dir + '/' + DirectName(direct_);
    const std::string content = "direct " + std::to_string(step_);
    std::string what = "direct edit of branch " + std::to_string(branch) + ": ";
    switch (draw_.Below(4)) {
      case 0:
        what += Said("mkdir " + path, process->Mkdir(path, 0755));
        break;
      case 1:
        what += Said("whiteout " + path, process->Mknod(path, FileType::kCharDevice, 0, 0));
        break;
      default:
        what += Said("put " + path, Put(*process, path, content));
    }
    ++direct_;
    return what;
  }

  static std::string DirectName(std::size_t number) { return "x" + std::to_string(number % 1000); }

  static std::string Said(const std::string& call, const Result<void>& done) {
    return call + (done.ok() ? " = OK" : " = " + std::string(ErrnoName(done.error())));
  }

  // What a path is: its type with content or target, or its error.
  static std::string Look(Process& process, const std::string& path) {
    const Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
    if (!stat.ok()) return std::string(ErrnoName(stat.error()));
    if (stat->type == FileType::kDirectory) return "dir";
    if (stat->type == FileType::kSymlink) return "-> " + *process.Readlink(path);
    const Result<std::string> content = process.ReadFile(path);
    return content.ok() ? *content : std::string(ErrnoName(content.error()));
  }

  static std::string List(Process& process, const std::string& dir) {
    const Result<std::vector<ProcessEntry>> entries = process.ListDirectory(dir + '/');
    if (!entries.ok()) return std::string(ErrnoName(entries.error()));
    std::vector<std::string> names;
    for (const ProcessEntry& entry : *entries) {
      names.push_back(entry.name + ':' + std::to_string(static_cast<int>(entry.type)));
    }
    std::sort(names.begin(), names.end());
    std::string text;
    for (const std::string& name : names) text += name + ' ';
    return text;
  }

  // A union of the same trees without an upper, so that it changes nothing in them.
  std::unique_ptr<UnionFs> MountAnew() {
    OverlayMount mount = stack_.Request();
    mount.options.kernel_quirks = trial_.kernel_quirks;
    mount.lowers.insert(mount.lowers.begin(), *mount.upper);
    mount.upper.reset();
    mount.work.reset();
    Result<std::unique_ptr<UnionFs>> fs = stack_.TryMount(mount);
    EXPECT_TRUE(fs.ok());
    return *std::move(fs);
  }

  std::string Compare() {
    const std::unique_ptr<UnionFs> anew = MountAnew();
    Process fresh(*anew, anew->root(), {.clock = &stack_.clock()});
    std::string differences;
    const auto note = [&](const std::string& what, const std::string& ours,
                          const std::string& theirs) {
      if (ours == theirs) return;
      differences += "  " + what + ": " + ours + ", mounted anew " + theirs + '\n';
    };
    for (const std::string& dir : kDirectories) {
      // Sometimes the listing is the first that is asked of a changed directory.
      const bool listed_first = draw_.Below(2) == 0;
      if (trial_.listings && listed_first) {
        note("listing of " + dir + '/', List(stack_.process(), dir), List(fresh, dir));
      }
      std::vector<std::string> names = kNames;
      // The last ones put into a branch, and the next, which are missing so far.
      for (std::size_t i = direct_ < 3 ? 0 : direct_ - 3; i < direct_ + 3; ++i) {
        names.push_back(DirectName(i));
      }
      for (const std::string& name : names) {
        const std::string path = dir + '/' + name;
        note(path, Look(stack_.process(), path), Look(fresh, path));
      }
      if (trial_.listings && !listed_first) {
        note("listing of " + dir + '/', List(stack_.process(), dir), List(fresh, dir));
      }
    }
    return differences;
  }

  Draw draw_;
  Trial trial_;
  OverlayStack stack_;
  int step_ = 0;
  std::size_t direct_ = 0;  // names put into a branch so far
};

// The first step after which the two unions differ, and how.
std::string FirstDifference(int seed, const Trial& trial) {
  LongLived unions(static_cast<std::uint64_t>(seed), trial);
  for (int step = 0; step < kSteps; ++step) {
    const std::string differs = unions.Step(step);
    if (!differs.empty()) return "step " + std::to_string(step) + ' ' + differs;
  }
  return "";
}

class LongLivedUnion : public testing::TestWithParam<int> {};

TEST_P(LongLivedUnion, ShowsItsOwnChanges) {
  EXPECT_EQ(FirstDifference(GetParam(), {.listings = true}), "");
}

TEST_P(LongLivedUnion, ShowsItsOwnChangesWithTheKernelsOddities) {
  EXPECT_EQ(FirstDifference(GetParam(), {.kernel_quirks = true, .listings = true}), "");
}

TEST_P(LongLivedUnion, FindsWhatWasPutIntoABranch) {
  EXPECT_EQ(FirstDifference(GetParam(), {.direct_edits = true}), "");
}

TEST_P(LongLivedUnion, FindsWhatWasPutIntoABranchWithTheKernelsOddities) {
  EXPECT_EQ(FirstDifference(GetParam(), {.kernel_quirks = true, .direct_edits = true}), "");
}

TEST_P(LongLivedUnion, ListsWhatWasPutIntoABranch) {
  EXPECT_EQ(FirstDifference(GetParam(), {.direct_edits = true, .listings = true}), "");
}

TEST_P(LongLivedUnion, ListsWhatWasPutIntoABranchWithTheKernelsOddities) {
  EXPECT_EQ(
      FirstDifference(GetParam(), {.kernel_quirks = true, .direct_edits = true, .listings = true}),
      "");
}

INSTANTIATE_TEST_SUITE_P(Seed, LongLivedUnion, testing::Range(1, 5));

}  // namespace
}  // namespace lamina
