// Every change of names and contents on every state a name can be in, stopped before each change of
// the writable branch, and mounted again. AUFS makes an entry before its whiteout goes and a
// whiteout before its entry goes, so some states in between show; each is a row of the table.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using sim::Fault;
using ::testing::IsEmpty;

// ── Scenes and operations ──────────────────────────────────────────────────────────────────────

// What stands under the name t in d, on the writable branch and below.
struct Scene {
  std::string_view name;
  std::string_view upper;
  std::string_view lower;
};

// g is a lower file, e an empty lower directory, w a name that is whited out, u one that is free.
constexpr std::string_view kBeside = " .wh.w";
constexpr std::string_view kBelow = " g=G e/ w=W o/p/q=Q";

constexpr Scene kScenes[] = {
    {"lower_file", "", "d/t=T"},
    {"upper_file", "d/t=T", "d/x"},
    {"file_in_both", "d/t=T", "d/t=L"},
    {"file_over_a_directory", "d/t=T", "d/t/x"},
    {"whited_out_file", "d/.wh.t", "d/t=L"},
    {"whited_out_directory", "d/.wh.t", "d/t/x=X"},
    {"opaque_parent", "d/OPQ d/t=T", "d/t=L d/x"},
    {"lower_directory", "", "d/t/x=X"},
    {"upper_directory", "d/t/x=X", "d/x"},
    {"merged_directory", "d/t/x=X", "d/t/y=Y"},
    {"emptied_directory", "d/t/.wh.x d/t/.wh.y", "d/t/x d/t/y"},
    {"emptied_directory_with_many", "d/t/.wh.1 d/t/.wh.2 d/t/.wh.3 d/t/.wh.4",
     "d/t/1 d/t/2 d/t/3 d/t/4"},
    {"directory_with_hidden_part", "d/t/.wh.x d/t/n=N", "d/t/x=X"},
    {"opaque_directory", "d/t/OPQ d/t/n=N", "d/t/x=X"},
    {"empty_lower_directory", "", "d/t/"},
    {"lower_symlink", "", "d/t>x"},
    {"symlink_in_both", "d/t>x", "d/t>y"},
    {"lower_hard_link", "", "d/t=T d/t2@d/t"},
    {"upper_hard_link", "d/t=T d/t2@d/t", "d/x"},
    {"nothing", "", "d/x"},
};

using Do = std::string (*)(AufsStack&);

struct Operation {
  std::string_view name;
  Do call;
};

std::string Move(AufsStack& stack, std::string_view from, std::string_view to,
                 RenameMode mode = RenameMode::kReplace) {
  return Outcome(stack.process().Rename(from, to, mode));
}

constexpr Operation kOperations[] = {
    {"create", [](AufsStack& s) { return s.Create("/d/t"); }},
    {"mkdir", [](AufsStack& s) { return Outcome(s.process().Mkdir("/d/t", 0755)); }},
    {"mkfifo",
     [](AufsStack& s) { return Outcome(s.process().Mknod("/d/t", FileType::kFifo, 0644, 0)); }},
    {"symlink", [](AufsStack& s) { return Outcome(s.process().Symlink("x", "/d/t")); }},
    {"link from",
     [](AufsStack& s) { return Outcome(s.process().Link("/d/t", "/u", LastLink::kKeep)); }},
    {"link to",
     [](AufsStack& s) { return Outcome(s.process().Link("/g", "/d/t", LastLink::kKeep)); }},
    {"link over a whiteout",
     [](AufsStack& s) { return Outcome(s.process().Link("/d/t", "/w", LastLink::kKeep)); }},
    {"unlink", [](AufsStack& s) { return Outcome(s.process().Unlink("/d/t")); }},
    {"rmdir", [](AufsStack& s) { return Outcome(s.process().Rmdir("/d/t")); }},
    {"rename away", [](AufsStack& s) { return Move(s, "/d/t", "/u"); }},
    {"rename over a file", [](AufsStack& s) { return Move(s, "/d/t", "/g"); }},
    {"rename over a directory", [](AufsStack& s) { return Move(s, "/d/t", "/e"); }},
    {"rename over a whiteout", [](AufsStack& s) { return Move(s, "/d/t", "/w"); }},
    {"rename deep", [](AufsStack& s) { return Move(s, "/d/t", "/o/p/u"); }},
    {"rename a file here", [](AufsStack& s) { return Move(s, "/g", "/d/t"); }},
    {"rename a directory here", [](AufsStack& s) { return Move(s, "/e", "/d/t"); }},
    {"exchange", [](AufsStack& s) { return Move(s, "/d/t", "/g", RenameMode::kExchange); }},
    {"exchange with a directory",
     [](AufsStack& s) { return Move(s, "/d/t", "/e", RenameMode::kExchange); }},
    {"chmod", [](AufsStack& s) { return Outcome(s.process().Chmod("/d/t", 0700)); }},
    {"chown",
     [](AufsStack& s) { return Outcome(s.process().Chown("/d/t", 7, 7, LastLink::kKeep)); }},
    {"touch", [](AufsStack& s) { return s.Touch("/d/t"); }},
    {"setxattr",
     [](AufsStack& s) {
       return Outcome(
           s.process().Setxattr("/d/t", "user.k", "v", XattrMode::kSet, LastLink::kFollow));
     }},
    {"write", [](AufsStack& s) { return s.WriteAt("/d/t", 0, "J"); }},
    {"append", [](AufsStack& s) { return s.Append("/d/t", "J"); }},
    {"truncate", [](AufsStack& s) { return Outcome(s.process().Truncate("/d/t", 0)); }},
    {"extend", [](AufsStack& s) { return Outcome(s.process().Truncate("/d/t", 9000)); }},
    {"create inside", [](AufsStack& s) { return s.Create("/d/t/n"); }},
    {"unlink inside", [](AufsStack& s) { return Outcome(s.process().Unlink("/d/t/x")); }},
};

// ── What may be seen after a crash ─────────────────────────────────────────────────────────────

using Words = std::set<std::string>;

Words WordsOf(const std::string& text) {
  std::istringstream stream(text);
  Words words;
  for (std::string word; stream >> word;) words.insert(word);
  return words;
}

std::string PathOf(const std::string& word) { return word.substr(0, word.find_first_of("=>@!?:")); }

struct Seen {
  std::string_view operation;
  const Words& before;
  const Words& after;
  const Words& lower;   // the branch below
  const Words& branch;  // the writable branch
};

struct Deviation {
  std::string_view name;
  std::string_view what;
  std::string_view source;
  // Covers a word that is seen although neither before nor after has it, or the other way round.
  bool (*covers)(const Seen& seen, const std::string& word);
};

bool HasBoth(const Words& branch, const std::string& path) {
  const std::size_t name = path.rfind('/', path.size() - 2) + 1;
  const std::string hidden = path.substr(0, name) + ".wh." + path.substr(name, path.size() - name);
  const std::string bare = hidden.back() == '/' ? hidden.substr(0, hidden.size() - 1) : hidden;
  return std::any_of(branch.begin(), branch.end(),
                     [&](const std::string& word) { return PathOf(word) == bare; });
}

// In the directory of an entry that stands beside its whiteout, or the entry itself.
bool IsEntryAndWhiteout(const Seen& seen, const std::string& word) {
  std::string path = PathOf(word);
  while (!path.empty()) {
    if (HasBoth(seen.branch, path)) return true;
    if (path.back() == '/') path.pop_back();
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return false;
    path.resize(slash + 1);
  }
  return false;
}

// Something of a lower branch shows that neither tree has.
bool IsUncovered(const Seen& seen, const std::string& word) {
  return seen.lower.contains(word) && !seen.before.contains(word) && !seen.after.contains(word);
}

bool HasAside(const Words& branch) {
  return std::any_of(branch.begin(), branch.end(), [](const std::string& word) {
    return word.find(".wh..wh.") != std::string::npos;
  });
}

// A directory that was renamed onto a name of lower branches and has no opaque mark yet.
bool IsLateOpaqueMark(const Seen& seen, const std::string& word) {
  return IsUncovered(seen, word) && !HasAside(seen.branch);
}

// A directory that a rename replaces stands aside, and so do its whiteouts.
bool IsTargetAside(const Seen& seen, const std::string& word) {
  if (!HasAside(seen.branch)) return false;
  return IsUncovered(seen, word) || (seen.before.contains(word) && word.ends_with('/'));
}

bool IsTruncatedCopy(const Seen& seen, const std::string& word) {
  return seen.operation == "truncate" && (seen.before.contains(word) || seen.after.contains(word));
}

constexpr Deviation kDeviations[] = {
    {"entry and whiteout", "a name that stands beside its whiteout is EIO",
     "fs/aufs/i_op_add.c: the entry first; i_op_del.c, i_op_ren.c: the whiteout first",
     IsEntryAndWhiteout},
    {"late opaque mark", "a renamed directory shows what lies below its new name",
     "fs/aufs/i_op_ren.c, au_ren_diropq: after the rename", IsLateOpaqueMark},
    {"target aside", "a directory that a rename replaces is gone, or what it hid shows",
     "fs/aufs/i_op_ren.c, au_ren: renamed to a temporary name first", IsTargetAside},
    {"truncated copy", "the file is truncated although the call failed",
     "fs/aufs/i_op.c, aufs_setattr: no more is copied than stays; the size is set afterwards",
     IsTruncatedCopy},
};

// ── The loop ───────────────────────────────────────────────────────────────────────────────────

struct Exploration {
  std::uint64_t runs = 0;
  std::uint64_t litter = 0;  // states with temporaries
  std::map<std::string_view, std::uint64_t> deviations;
  std::vector<std::string> findings;
};

std::vector<std::string> Drawn(const Scene& scene) {
  return {std::string(scene.upper) + std::string(kBeside),
          std::string(scene.lower) + std::string(kBelow)};
}

// The difference from the nearer of two trees that no row covers; empty when there is none.
std::string Judge(const Seen& seen, const Words& now, Exploration& exploration) {
  std::string least;
  for (const Words* allowed : {&seen.before, &seen.after}) {
    std::vector<std::string> different;
    std::set_symmetric_difference(now.begin(), now.end(), allowed->begin(), allowed->end(),
                                  std::back_inserter(different));
    std::string open;
    std::vector<std::string_view> rows;
    for (const std::string& word : different) {
      const auto row = std::find_if(std::begin(kDeviations), std::end(kDeviations),
                                    [&](const Deviation& each) { return each.covers(seen, word); });
      if (row == std::end(kDeviations)) {
        open += ' ' + word;
      } else {
        rows.push_back(row->name);
      }
    }
    if (open.empty()) {
      for (const std::string_view row : rows) ++exploration.deviations[row];
      return "";
    }
    if (least.empty() || open.size() < least.size()) least = open;
  }
  return least;
}

// Stops the operation before change `nth`. True when there was one to stop.
bool CrashAt(const Scene& scene, const Operation& operation, std::uint64_t nth, const Words& before,
             const Words& after, Exploration& exploration) {
  const std::vector<std::string> drawn = Drawn(scene);
  AufsStack stack({{.mode = "rw", .content = drawn[0], .faulty = true}, {"ro+wh", drawn[1]}});
  // From then on nothing can be changed, nothing taken back.
  stack.plan().Add(Fault::On(sim::Op::kAnyChange).AtBranch("b0").After(nth).Fail(Errno::kIo));
  operation.call(stack);
  if (stack.plan().fired().empty()) return false;
  stack.Unmount();
  stack.plan().Clear();
  stack.Mount();
  ++exploration.runs;
  const std::string content = stack.Content(0);
  if (content.find("HHHH") != std::string::npos) ++exploration.litter;
  const Words branch = WordsOf(content);
  const std::string open = Judge({operation.name, before, after, WordsOf(drawn[1]), branch},
                                 WordsOf(stack.Merged()), exploration);
  if (!open.empty()) {
    std::string finding(scene.name);
    finding += ", " + std::string(operation.name) + ", before change " + std::to_string(nth + 1);
    exploration.findings.push_back(finding + ":" + open + "   branch: " + content);
  }
  return true;
}

void Explore(const Scene& scene, const Operation& operation, Exploration& exploration) {
  const std::vector<std::string> drawn = Drawn(scene);
  AufsStack stack({{"rw", drawn[0]}, {"ro+wh", drawn[1]}});
  const Words before = WordsOf(stack.Merged());
  operation.call(stack);
  stack.Mount();
  const Words after = WordsOf(stack.Merged());
  for (std::uint64_t nth = 0; CrashAt(scene, operation, nth, before, after, exploration); ++nth) {
    ASSERT_LT(nth, 100U);
  }
}

class AufsCrash : public ::testing::TestWithParam<Scene> {};

TEST_P(AufsCrash, LeavesEachCallDoneOrNotDoneButForTheTable) {
  Exploration exploration;
  for (const Operation& operation : kOperations) Explore(GetParam(), operation, exploration);
  std::cout << exploration.runs << " crashes, " << exploration.litter << " leave temporaries\n";
  for (const auto& [row, count] : exploration.deviations) std::cout << row << ' ' << count << '\n';
  EXPECT_THAT(exploration.findings, IsEmpty());
  EXPECT_GE(exploration.runs, 5U);
}

// ── Steps that fail ────────────────────────────────────────────────────────────────────────────

// Makes change `nth` fail once. True when there was one.
bool FailAt(const Scene& scene, const Operation& operation, std::uint64_t nth, Errno error,
            const Words& before, const Words& after, Exploration& exploration) {
  const std::vector<std::string> drawn = Drawn(scene);
  AufsStack stack({{.mode = "rw", .content = drawn[0], .faulty = true}, {"ro+wh", drawn[1]}});
  stack.plan().Add(Fault::On(sim::Op::kAnyChange).AtBranch("b0").After(nth).Times(1).Fail(error));
  const std::string outcome = operation.call(stack);
  if (stack.plan().fired().empty()) return false;
  ++exploration.runs;
  stack.plan().Clear();
  const auto complain = [&](const std::string& what) {
    std::string finding(scene.name);
    finding += ", " + std::string(operation.name) + ", change " + std::to_string(nth + 1);
    exploration.findings.push_back(finding + " " + std::string(ErrnoName(error)) + ": " + what);
  };
  if (outcome != "OK" && outcome != ErrnoName(error)) complain("gives " + outcome);
  // A write that is refused leaves the copy of its file, which shows nothing new.
  for (const bool fresh : {false, true}) {
    if (fresh) stack.DropCaches();
    const Words now = WordsOf(stack.Merged());
    if (outcome != "OK" && operation.name == "truncate" && now == after) {
      ++exploration.deviations["truncated copy"];
      continue;
    }
    if (now != (outcome == "OK" ? after : before)) {
      complain(outcome + (fresh ? ", looked up anew: " : ": ") + stack.Merged());
    }
  }
  if (outcome != "OK" && stack.Content(0).find("HHHH") != std::string::npos) {
    complain("leaves " + stack.Content(0));
  }
  return true;
}

void FailEach(const Scene& scene, const Operation& operation, Exploration& exploration) {
  const std::vector<std::string> drawn = Drawn(scene);
  AufsStack stack({{"rw", drawn[0]}, {"ro+wh", drawn[1]}});
  const Words before = WordsOf(stack.Merged());
  operation.call(stack);
  const Words after = WordsOf(stack.Merged());
  for (const Errno error : {Errno::kIo, Errno::kNoSpc, Errno::kDQuot, Errno::kRoFs}) {
    std::uint64_t nth = 0;
    while (FailAt(scene, operation, nth, error, before, after, exploration)) ++nth;
  }
}

// ── The table ──────────────────────────────────────────────────────────────────────────────────

struct Example {
  std::string_view row;
  std::string_view scene;
  std::string_view operation;
};

constexpr Example kExamples[] = {
    {"entry and whiteout", "file_in_both", "unlink"},
    {"late opaque mark", "opaque_directory", "exchange with a directory"},
    {"target aside", "emptied_directory", "rename a directory here"},
    {"truncated copy", "lower_file", "truncate"},
};

TEST(AufsCrashTable, EveryRowIsNeededAndShown) {
  std::ifstream file(std::string(LAMINA_SOURCE_DIR) + "/tests/union/README.md");
  const std::string page{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::set<std::string_view> shown;
  for (const Deviation& row : kDeviations) {
    const std::string line = "| " + std::string(row.name) + " | " + std::string(row.what) + " | " +
                             std::string(row.source) + " |\n";
    EXPECT_THAT(page, ::testing::HasSubstr(line));
    const auto example = std::find_if(std::begin(kExamples), std::end(kExamples),
                                      [&](const Example& each) { return each.row == row.name; });
    ASSERT_NE(example, std::end(kExamples)) << row.name;
    const auto scene = std::find_if(std::begin(kScenes), std::end(kScenes),
                                    [&](const Scene& each) { return each.name == example->scene; });
    const auto operation =
        std::find_if(std::begin(kOperations), std::end(kOperations),
                     [&](const Operation& each) { return each.name == example->operation; });
    ASSERT_NE(scene, std::end(kScenes));
    ASSERT_NE(operation, std::end(kOperations));
    Exploration exploration;
    Explore(*scene, *operation, exploration);
    FailEach(*scene, *operation, exploration);
    EXPECT_GT(exploration.deviations[row.name], 0U) << row.name;
  }
}

class AufsFault : public ::testing::TestWithParam<Scene> {};

TEST_P(AufsFault, TakesTheCallBack) {
  Exploration exploration;
  for (const Operation& operation : kOperations) {
    FailEach(GetParam(), operation, exploration);
  }
  std::cout << exploration.runs << " steps failed\n";
  EXPECT_THAT(exploration.findings, IsEmpty());
  EXPECT_GE(exploration.runs, 20U);
}

INSTANTIATE_TEST_SUITE_P(Of, AufsFault, ::testing::ValuesIn(kScenes),
                         [](const auto& scene) { return std::string(scene.param.name); });
INSTANTIATE_TEST_SUITE_P(Of, AufsCrash, ::testing::ValuesIn(kScenes),
                         [](const auto& scene) { return std::string(scene.param.name); });

}  // namespace
}  // namespace lamina
