// Two callers at once: every order of their calls. Numbers are those of the table in README.md.
#include <array>
#include <functional>

#include "lamina/testing/matchers.h"
#include "tests/union/overlay_stack.h"

namespace lamina::testing {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

// The calls of one caller, in order.
using Script = std::array<std::function<Result<void>()>, 3>;

// What one order is tried on, and the open file of each caller.
struct TwoCallers {
  explicit TwoCallers(int lowers) : stack(lowers) {}
  OverlayStack stack;
  Process::Fd first;
  Process::Fd second;
};

// Runs a fresh overlay through each order of the six calls. The outcomes, or the call that failed.
std::vector<std::string> OutcomesOfEverySchedule(
    const std::function<void(TwoCallers&)>& prepare,
    const std::function<std::array<Script, 2>(TwoCallers&)>& scripts,
    const std::function<std::string(TwoCallers&)>& outcome) {
  std::vector<std::string> outcomes;
  std::string schedule = "000111";
  do {
    TwoCallers run(1);
    prepare(run);
    const std::array<Script, 2> callers = scripts(run);
    std::array<std::size_t, 2> next = {0, 0};
    std::string failed;
    for (const char c : schedule) {
      const std::size_t caller = c - '0';
      const Result<void> done = callers[caller][next[caller]++]();
      if (!done.ok()) failed += schedule + ": " + std::string(ErrnoName(done.error())) + ' ';
    }
    outcomes.push_back(failed + outcome(run));
  } while (std::next_permutation(schedule.begin(), schedule.end()));
  return outcomes;
}

Result<void> OpenInto(Process& process, std::string_view path, const OpenHow& how,
                      Process::Fd& fd) {
  Result<Process::Fd> opened = process.Open(path, how, 0);
  if (!opened.ok()) return opened.error();
  fd = *opened;
  return {};
}

Result<void> WriteAt(Process& process, Process::Fd fd, std::string_view text, std::uint64_t at) {
  Result<std::size_t> written = process.Pwrite(fd, AsBytes(text), at);
  return written.ok() ? Result<void>() : written.error();
}

// 5: both copied the file up, and one of the copies was lost with what had been written to it.
TEST(OverlayHistory, K_overlay_021_TwoWritersCopyAFileUpOnce) {
  const auto prepare = [](TwoCallers& run) {
    PutFile(*run.stack.OnLower(0), "/f", "........");
    run.stack.Mount();
  };
  const auto scripts = [](TwoCallers& run) {
    Process& process = run.stack.process();
    return std::array<Script, 2>{
        Script{[&] { return OpenInto(process, "/f", {.access = Access::kWrite}, run.first); },
               [&] { return WriteAt(process, run.first, "AA", 0); },
               [&] { return process.Close(run.first); }},
        Script{[&] { return OpenInto(process, "/f", {.access = Access::kWrite}, run.second); },
               [&] { return WriteAt(process, run.second, "BB", 4); },
               [&] { return process.Close(run.second); }}};
  };
  const auto outcome = [](TwoCallers& run) {
    const std::unique_ptr<Process> home = run.stack.OnHome();
    const Result<Stat> copy = home->GetStat("/upper/f", LastLink::kKeep);
    return *run.stack.process().ReadFile("/f") + " nlink " + std::to_string(copy->nlink) +
           " upper " + std::to_string(NamesIn(*home, "/upper").size()) + " work " +
           std::to_string(NamesIn(*home, "/work/work").size()) + " lower " +
           *run.stack.OnLower(0)->ReadFile("/f");
  };
  const std::vector<std::string> outcomes = OutcomesOfEverySchedule(prepare, scripts, outcome);
  EXPECT_THAT(outcomes, SizeIs(20));
  EXPECT_THAT(outcomes, Each("AA..BB.. nlink 1 upper 1 work 0 lower ........"));
}

// 6: each name got a copy of its own, or one of the changes was lost.
TEST(OverlayHistory, K_overlay_032_TwoNamesOfAFileAreCopiedUpToOne) {
  const auto prepare = [](TwoCallers& run) {
    const std::unique_ptr<Process> lower = run.stack.OnLower(0);
    PutFile(*lower, "/a", "data");
    ASSERT_THAT(lower->Link("/a", "/b", LastLink::kKeep), IsOk());
    OverlayMount mount = run.stack.Request();
    mount.options.index = Toggle::kOn;
    run.stack.Mount(mount);
  };
  const auto scripts = [](TwoCallers& run) {
    Process& process = run.stack.process();
    return std::array<Script, 2>{Script{[&] { return OpenInto(process, "/a", {}, run.first); },
                                        [&] { return process.Fchmod(run.first, 0600); },
                                        [&] { return process.Close(run.first); }},
                                 Script{[&] { return OpenInto(process, "/b", {}, run.second); },
                                        [&] { return process.Fchown(run.second, 7, 8); },
                                        [&] { return process.Close(run.second); }}};
  };
  const auto outcome = [](TwoCallers& run) {
    const Result<Stat> a = run.stack.process().GetStat("/a", LastLink::kKeep);
    const Result<Stat> b = run.stack.process().GetStat("/b", LastLink::kKeep);
    return std::string(a->ino == b->ino && a->node == b->node ? "one file" : "two files") +
           " mode " + std::to_string(b->mode) + " owner " + std::to_string(a->uid) + ':' +
           std::to_string(a->gid) + " names " + std::to_string(a->nlink) + ' ' +
           std::to_string(b->nlink) + ' ' + *run.stack.process().ReadFile("/b");
  };
  const std::vector<std::string> outcomes = OutcomesOfEverySchedule(prepare, scripts, outcome);
  EXPECT_THAT(outcomes, SizeIs(20));
  EXPECT_THAT(outcomes, Each("one file mode 384 owner 7:8 names 2 2 data"));
}

}  // namespace
}  // namespace lamina::testing
