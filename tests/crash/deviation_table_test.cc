// The tables of deviations: every row is needed, and README.md shows them as they are.
#include <fstream>
#include <iterator>
#include <set>

#include "absl/strings/str_format.h"
#include "lamina/testing/matchers.h"
#include "tests/crash/explorer.h"

namespace lamina::testing {
namespace {

enum class Break : std::uint8_t { kCrash, kFailOnce, kFailFromThenOn };

// A scene and an operation that need a row.
struct Example {
  std::string_view row;
  Break how{};
  Presence presence{};
  TargetKind kind{};
  std::string_view operation;
  OverlayOptions options = {};
};

void PrintTo(const Example& example, std::ostream* os) { *os << example.row; }

std::string NameOf(const ::testing::TestParamInfo<Example>& info) {
  std::string name(info.param.row);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

Exploration Explore(const Example& example) {
  const Scene scene = MakeScene(example.presence, example.kind, example.options);
  const Operation operation = OperationCalled(scene, example.operation);
  Explorer explorer(scene, operation);
  switch (example.how) {
    case Break::kCrash:
      explorer.Crashes();
      break;
    case Break::kFailOnce:
      explorer.Faults(Op::kAnyChange, FaultLength::kOnce);
      break;
    case Break::kFailFromThenOn:
      explorer.Faults(Op::kAnyChange, FaultLength::kFromThenOn);
      break;
  }
  return explorer.exploration();
}

template <typename Rows>
std::set<std::string_view> NamesOf(const Rows& rows, std::string_view Rows::value_type::*name) {
  std::set<std::string_view> names;
  for (const auto& row : rows) names.insert(row.*name);
  return names;
}

// ── Deviations ─────────────────────────────────────────────────────────────────────────────────

constexpr Example kDeviationExamples[] = {
    {"link count of a directory", Break::kCrash, Presence::kDeepLower, TargetKind::kFile,
     "chmod t"},
    {"time of a parent", Break::kCrash, Presence::kLowerOnly, TargetKind::kFile, "chmod t"},
    {"broken hard link", Break::kCrash, Presence::kLowerOnly, TargetKind::kHardLink, "chmod t"},
    {"truncated copy", Break::kCrash, Presence::kLowerOnly, TargetKind::kFile, "open truncating t"},
    {"stray whiteout", Break::kCrash, Presence::kUpperOnly, TargetKind::kDirectory,
     "rename t -> /w/g"},
    {"truncated metadata copy",
     Break::kCrash,
     Presence::kBoth,
     TargetKind::kFile,
     "open truncating t",
     {.metacopy = Toggle::kOn}},
    {"link in work", Break::kFailFromThenOn, Presence::kLowerOnly, TargetKind::kFile,
     "link t -> /w/g"},
};

class NeededDeviation : public ::testing::TestWithParam<Example> {};

TEST_P(NeededDeviation, IsSeenInItsExample) {
  const Exploration exploration = Explore(GetParam());
  EXPECT_EQ(exploration.FindingsText(), "");
  EXPECT_THAT(exploration.deviations, ::testing::Contains(::testing::Key(GetParam().row)));
}

INSTANTIATE_TEST_SUITE_P(Row, NeededDeviation, ::testing::ValuesIn(kDeviationExamples), NameOf);

TEST(Deviations, EachHasItsExample) {
  EXPECT_EQ(NamesOf(std::span(kDeviationExamples), &Example::row),
            NamesOf(Deviations(), &Deviation::name));
}

// ── Tolerated steps ────────────────────────────────────────────────────────────────────────────

constexpr Example kToleratedExamples[] = {
    {"time of a parent", Break::kFailOnce, Presence::kLowerOnly, TargetKind::kFile, "chmod t"},
    {"litter", Break::kFailOnce, Presence::kWhitedOut, TargetKind::kFile, "mkdir t"},
    {"opaque mark of a new directory",
     Break::kFailOnce,
     Presence::kLowerOnly,
     TargetKind::kFile,
     "mkdir u",
     {.redirect_dir = RedirectDir::kOn}},
    {"origin in a user key",
     Break::kFailOnce,
     Presence::kLowerOnly,
     TargetKind::kSymlink,
     "chown t",
     {.userxattr = true}},
    {"reflink", Break::kFailOnce, Presence::kBoth, TargetKind::kFile, "copy range t"},
    {"stray whiteout", Break::kFailOnce, Presence::kUpperOnly, TargetKind::kDirectory,
     "rename t -> /w/g"},
};

class NeededTolerance : public ::testing::TestWithParam<Example> {};

TEST_P(NeededTolerance, IsSeenInItsExample) {
  const Exploration exploration = Explore(GetParam());
  EXPECT_EQ(exploration.FindingsText(), "");
  EXPECT_THAT(exploration.tolerated, ::testing::Contains(::testing::Key(GetParam().row)));
}

INSTANTIATE_TEST_SUITE_P(Row, NeededTolerance, ::testing::ValuesIn(kToleratedExamples), NameOf);

TEST(ToleratedSteps, EachHasItsExample) {
  EXPECT_EQ(NamesOf(std::span(kToleratedExamples), &Example::row),
            NamesOf(ToleratedSteps(), &ToleratedStep::name));
}

// ── The page ───────────────────────────────────────────────────────────────────────────────────

std::string Readme() {
  std::ifstream file(std::string(LAMINA_SOURCE_DIR) + "/tests/crash/README.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

template <typename Rows>
std::vector<std::string> LinesMissing(const Rows& rows, const std::string& page) {
  std::vector<std::string> missing;
  for (const auto& row : rows) {
    const std::string line = absl::StrFormat("| %s | %s | %s |\n", row.name, row.what, row.source);
    if (page.find(line) == page.npos) missing.push_back(line);
  }
  return missing;
}

TEST(Readme, ShowsEveryRow) {
  EXPECT_THAT(LinesMissing(Deviations(), Readme()), ::testing::IsEmpty());
  EXPECT_THAT(LinesMissing(ToleratedSteps(), Readme()), ::testing::IsEmpty());
}

}  // namespace
}  // namespace lamina::testing
