// CheckScenario and CheckLayers: which stack is checked; what histories and recordings leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/check/shown_directories.h"
#include "tests/check/layer_stack.h"
#include "tests/golden/golden_file.h"
#include "tests/image/tar_builder.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

absl::StatusOr<std::vector<StackFinding>> CheckText(const std::string& text,
                                                    std::uint64_t seed = 0) {
  const absl::StatusOr<Scenario> scenario =
      ParseScenario(text, {.file = "t.scn", .seed = seed, .limits = {}});
  if (!scenario.ok()) return scenario.status();
  return CheckScenario(*scenario);
}

std::vector<std::string> LinesOf(const std::string& text, std::uint64_t seed = 0) {
  const absl::StatusOr<std::vector<StackFinding>> findings = CheckText(text, seed);
  EXPECT_TRUE(findings.ok()) << findings.status();
  return findings.ok() ? Lines(*findings) : std::vector<std::string>();
}

constexpr char kOdd[] =
    "scenario 2\nlayer base\nmkdir /d 0755\nput /d/f 0644 \"1\"\nlayer app\nmkdir /d 0755\n"
    "whiteout /d/gone\nmkdir /new 0755\nsetxattr /new trusted.overlay.redirect \"a/b\"\n"
    "layer upper\nwhiteout /nothing\nput /.wh.f 0644 \"\"\nstack app base upper\n";

TEST(CheckScenario, SortsByLayerThenPath) {
  EXPECT_THAT(LinesOf(std::string(kOdd) + "mount\n"),
              ElementsAre("U /.wh.f unconverted-whiteout", "U /nothing dead-whiteout",
                          "L2 /d/gone dead-whiteout", "L2 /new malformed-redirect"));
}

TEST(CheckScenario, TextForPeople) {
  const absl::StatusOr<std::vector<StackFinding>> findings =
      CheckText(std::string(kOdd) + "mount\n");
  ASSERT_TRUE(findings.ok()) << findings.status();
  ExpectGolden("check.txt", FindingsText(*findings));
}

TEST(CheckScenario, TextOfNothing) { EXPECT_EQ(FindingsText({}), "no findings\n"); }

TEST(CheckScenario, EscapesControlCharacters) {
  StackFinding finding;
  finding.path = "/a\nb";
  finding.what = "c\x01";
  EXPECT_THAT(FindingsText({finding}), HasSubstr("  /a\\x0ab\n         c\\x01\n"));
}

TEST(CheckScenario, ChecksTheLastStackThatWasMounted) {
  EXPECT_THAT(LinesOf(std::string(kOdd) + "mount\numount\nlayer upper\nunlink /nothing\n"),
              ElementsAre("U /.wh.f unconverted-whiteout", "L2 /d/gone dead-whiteout",
                          "L2 /new malformed-redirect"));
}

// OVL-112.
TEST(CheckScenario, FindsTheVolatileMarkOnceUnmounted) {
  const std::string text =
      "scenario 2\nlayer base\nput /f 0644 \"1\"\nstack base upper\noptions volatile\nmount\n";
  EXPECT_THAT(LinesOf(text), IsEmpty());
  EXPECT_THAT(LinesOf(text + "umount\n"), ElementsAre("W /work/incompat/volatile volatile-mark"));
}

TEST(CheckScenario, FindsAnOriginThatIsGone) {
  EXPECT_THAT(LinesOf("scenario 2\nlayer base\nput /f 0644 \"1\"\nstack base upper\nmount\n"
                      "chmod /f 0600\numount\nlayer base\nunlink /f\nput /f 0644 \"1\"\nmount\n"),
              ElementsAre("U /f lost-origin"));
}

TEST(CheckScenario, NeedsAMount) {
  EXPECT_EQ(CheckText("scenario 2\nlayer base\n").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckText(kOdd).status().code(), absl::StatusCode::kFailedPrecondition);
}

// A union as a layer: its own layers are not checked, what it shows is.
TEST(CheckScenario, ALayerMayBeAMount) {
  EXPECT_THAT(LinesOf("scenario 2\nlayer base\nput /f 0644 \"1\"\nlayer app\nput /g 0644 \"1\"\n"
                      "stack app base\nmount one\nlayer top\nwhiteout /f\nwhiteout /h\n"
                      "stack top mnt:one\nmount two\n"),
              ElementsAre("L2 /h dead-whiteout"));
}

// ── Histories ────────────────────────────────────────────────────────────────────────────────────

class Histories : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  static std::string Text(const std::string& options) {
    return "scenario 2\nlayer base\nmkdir /a 0755\nput /a/b 0644 \"1\"\nmkdir /a/c 0755\n"
           "put /a/c/d 0644 \"1\"\nmkdir /b 0755\nput /c 0644 \"1\"\nlink /c /d\n"
           "layer app\nmkdir /a 0755\nput /a/e 0644 \"1\"\nwhiteout /a/b\nmkdir /b 0755\n"
           "opaque /b\nput /b/a 0644 \"1\"\nstack app base upper\n" +
           options + "mount\nrand ops=150\n";
  }
};

TEST_P(Histories, LeaveNothingToFind) { EXPECT_THAT(LinesOf(Text(""), GetParam()), IsEmpty()); }

TEST_P(Histories, WithRedirectsLeaveNothingToFind) {
  EXPECT_THAT(
      LinesOf(Text("options redirect_dir=on\n") + "umount\nmount\nrand ops=50\n", GetParam()),
      IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, Histories, ::testing::Range(std::uint64_t{0}, std::uint64_t{25}));

// ── Recordings ───────────────────────────────────────────────────────────────────────────────────

std::string ReadWhole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> Recordings() {
  std::vector<std::string> files;
  for (const char* folder : {"tests/model/recordings", "tests/oracle/overlay"}) {
    const std::filesystem::path path = std::filesystem::path(LAMINA_SOURCE_DIR) / folder;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().extension() == ".scn") files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool UsesOneOf(const std::string& text, const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return text.find(word) != std::string::npos; });
}

// The findings of every recording with the options that have always been modelled: what is odd in
// them was made odd on purpose.
TEST(RecordedStacks, Findings) {
  std::string all;
  for (const std::string& file : Recordings()) {
    const std::string text = ReadWhole(file);
    if (UsesOneOf(text, {"index", "metacopy", "nfs_export", "xino", "verity", "::", "datadir"})) {
      continue;
    }
    const absl::StatusOr<std::vector<StackFinding>> findings = CheckText(text);
    if (!findings.ok()) continue;  // nothing is mounted
    for (const std::string& line : Lines(*findings)) {
      all += std::filesystem::path(file).stem().string() + ": " + line + '\n';
    }
  }
  ExpectGolden("check_recordings.txt", all);
}

// Directories by path, each with the branches and nodes it consists of.
using Directories = std::set<std::pair<std::string, internal::Parts>>;

Directories DirectoriesOf(UnionFs& fs) {
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  Directories directories;
  std::vector<std::pair<std::string, NodeId>> pending = {{"", fs.root()}};
  while (!pending.empty()) {
    const auto [path, dir] = pending.back();
    pending.pop_back();
    internal::Parts parts;
    const auto nodes = fs.BranchNodes(dir);
    if (!nodes.ok()) continue;
    for (const auto& [branch, node] : *nodes) parts.push_back({branch, node});
    directories.insert({path, parts});
    const Result<HandleId> handle = fs.Open(op, dir, {});
    std::vector<std::string> names;
    const Result<DirCookie> end = fs.ReadDir(op, *handle, {}, [&](const DirEntry& entry) {
      if (entry.type == FileType::kDirectory) names.emplace_back(entry.name);
      return true;
    });
    EXPECT_TRUE(end.ok());
    fs.Close(*handle);
    for (const std::string& name : names) {
      const Result<NodeId> child = fs.Lookup(op, {dir, name});
      if (child.ok()) pending.emplace_back(path + '/' + name, *child);
    }
  }
  return directories;
}

class RecordedStack : public ::testing::TestWithParam<std::string> {};

// The search without a mount finds what the union finds. Names that fail are not compared: the
// search walks past a bad mark.
TEST_P(RecordedStack, SearchAgreesWithTheUnion) {
  const absl::StatusOr<Scenario> scenario =
      ParseScenario(ReadWhole(GetParam()), {.file = "t.scn", .seed = 0, .limits = {}});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  ScenarioRun run(*scenario, {});
  const bool ran = !FindUnsupported(*scenario) &&
                   run.RunToOperation(scenario->statements.size()).ok() && run.mount() != nullptr;
  if (!ran) GTEST_SKIP() << "nothing is mounted at the end";
  UnionFs& fs = *run.mount()->fs;
  const Directories directories = DirectoriesOf(fs);
  CheckedStack stack;
  stack.branches = fs.branches();
  stack.options = run.mount()->setup.options;
  const internal::StackReader reader(stack);
  const auto shown = internal::ShownDirectories::Read(reader, 0);
  ASSERT_TRUE(shown.ok());
  Directories searched;
  for (const internal::ShownDirectory& directory : shown->all()) {
    const auto walked = Walk(reader.op(), WalkStart{&fs, fs.root(), {}},
                             directory.path.empty() ? "/" : directory.path, LastLink::kKeep);
    if (walked.ok() && walked->stat) searched.insert({directory.path, directory.parts});
  }
  EXPECT_EQ(searched, directories);
}

INSTANTIATE_TEST_SUITE_P(All, RecordedStack, ::testing::ValuesIn(Recordings()),
                         [](const ::testing::TestParamInfo<std::string>& tested) {
                           std::string name = std::filesystem::path(tested.param).stem().string();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// A work directory as the union leaves it holds nothing odd, whatever the options are.
TEST(RecordedStacks, LeaveWorkDirectoriesInOrder) {
  std::vector<std::string> odd;
  for (const std::string& file : Recordings()) {
    const absl::StatusOr<std::vector<StackFinding>> findings = CheckText(ReadWhole(file));
    if (!findings.ok()) continue;
    for (const StackFinding& finding : *findings) {
      if (finding.label != "W" || finding.kind == FindingKind::kVolatileMark) continue;
      odd.push_back(file + ": " + finding.path + ' ' + finding.what);
    }
  }
  EXPECT_THAT(odd, IsEmpty());
}

// ── Layers of the host ───────────────────────────────────────────────────────────────────────────

class HostLayers : public ::testing::Test {
 protected:
  HostLayers()
      : path_(std::filesystem::path(::testing::TempDir()) /
              (std::string("lamina_check_") +
               ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(path_ / "d");
  }
  ~HostLayers() override { std::filesystem::remove_all(path_); }

  void Write(const std::string& name) const { std::ofstream(path_ / name) << "1"; }

  std::vector<std::string> Find(const std::string& source) const {
    const absl::StatusOr<std::vector<StackFinding>> findings = CheckLayers(source, {});
    EXPECT_TRUE(findings.ok()) << findings.status();
    return findings.ok() ? Lines(*findings) : std::vector<std::string>();
  }

  std::filesystem::path path_;
};

TEST_F(HostLayers, ADirectoryIsTheBottomLayer) {
  Write("d/f");
  EXPECT_THAT(Find("dir:" + path_.string()), IsEmpty());
  Write("d/.wh.g");
  EXPECT_THAT(Find("dir:" + path_.string()), ElementsAre("L1 /d/.wh.g unconverted-whiteout"));
}

TEST_F(HostLayers, AreNamedByTheirPath) {
  Write(".wh.g");
  const auto findings = CheckLayers("dir:" + path_.string(), {});
  ASSERT_TRUE(findings.ok());
  EXPECT_EQ(findings->at(0).layer, path_.string());
}

// A name `.wh.x` of a tar is a whiteout by the time it is a layer.
TEST_F(HostLayers, TarsAreConverted) {
  std::ofstream(path_ / "base.tar") << test::TarBuilder().Dir("d").File("d/x", "1").Done();
  std::ofstream(path_ / "app.tar") << test::TarBuilder().Dir("d").File("d/.wh.x", "").Done();
  const std::string base = (path_ / "base.tar").string();
  const std::string app = (path_ / "app.tar").string();
  EXPECT_THAT(Find("tar:" + base + ',' + app), IsEmpty());
  EXPECT_THAT(Find("tar:" + app), ElementsAre("L1 /d/x whiteout-in-pure-directory"));
  EXPECT_THAT(Find("tar:" + app + ',' + app),
              ElementsAre("L2 /d/x dead-whiteout", "L1 /d/x whiteout-in-pure-directory"));
}

TEST_F(HostLayers, ErrorsOfReading) {
  EXPECT_EQ(CheckLayers("tar:", {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(CheckLayers("dir:/nonexistent", {}).ok());
  EXPECT_FALSE(CheckLayers("tar:/nonexistent", {}).ok());
}

}  // namespace
}  // namespace lamina::sim
