// The model against the kernel: every recorded scenario of default options is replayed on it.
// LAMINA_MODEL_RECORDINGS names another folder of recordings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/model/recording.h"

namespace lamina::sim {
namespace {

using Extent = Recording::Extent;

std::string FolderOfRecordings() {
  const char* other = std::getenv("LAMINA_MODEL_RECORDINGS");
  return other != nullptr ? other : LAMINA_SOURCE_DIR "/tests/oracle/overlay";
}

std::string FileText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Totals {
  int full = 0;
  int partial = 0;
  int none = 0;
  int compared = 0;
  std::vector<std::string> differences;
  std::set<DeviationRule> deviations;
};

void ReplayOne(const std::filesystem::path& scenario, Totals& totals) {
  std::filesystem::path expected = scenario;
  expected.replace_extension(".expected");
  Recording recording(FileText(scenario), FileText(expected));
  recording.Replay();
  totals.full += recording.extent() == Extent::kFull ? 1 : 0;
  totals.partial += recording.extent() == Extent::kPartial ? 1 : 0;
  totals.none += recording.extent() == Extent::kNone ? 1 : 0;
  totals.compared += recording.compared();
  totals.deviations.insert(recording.deviations().begin(), recording.deviations().end());
  for (const std::string& difference : recording.differences()) {
    totals.differences.push_back(scenario.filename().string() + ": " + difference);
  }
  if (recording.extent() != Extent::kFull) {
    std::cout << scenario.stem().string()
              << " not fully checked: " << recording.reason().substr(0, 70) << "\n";
  }
}

Totals ReplayAll(const std::string& folder) {
  std::vector<std::filesystem::path> scenarios;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".scn") scenarios.push_back(file.path());
  }
  std::sort(scenarios.begin(), scenarios.end());
  Totals totals;
  for (const std::filesystem::path& scenario : scenarios) ReplayOne(scenario, totals);
  std::cout << totals.full << " scenarios fully checked, " << totals.partial << " partly, "
            << totals.none << " not of this model; " << totals.compared << " texts compared\n";
  return totals;
}

TEST(ModelAgainstRecordings, GivesEveryResultAndTreeTheKernelGave) {
  const Totals totals = ReplayAll(FolderOfRecordings());
  EXPECT_THAT(totals.differences, testing::IsEmpty());
  EXPECT_GE(totals.full, 80);
  EXPECT_GE(totals.compared, 1000);
}

// Random calls, handles and two callers, recorded on Linux 6.18 with fs.protected_hardlinks=1.
TEST(ModelAgainstRecordings, GivesWhatTheKernelGaveOnRandomCalls) {
  const Totals totals = ReplayAll(LAMINA_SOURCE_DIR "/tests/model/recordings");
  EXPECT_THAT(totals.differences, testing::IsEmpty());
  EXPECT_GE(totals.full, 40);
  EXPECT_GE(totals.compared, 3000);
}

// A recording that is changed in one place must be noticed: the comparison can fail.
TEST(ModelAgainstRecordings, NoticesAWrongResult) {
  const std::string scenario =
      "layer lower1\nput /f 0644 \"a\"\nlayer upper\n"
      "stack lower1 upper\nmount\nunlink /f\n";
  Recording recording(scenario, "L5 mount = OK\nL6 unlink /f = EISDIR\n");
  recording.Replay();
  EXPECT_THAT(recording.differences(), testing::Contains(testing::HasSubstr("recorded EISDIR")));
}

}  // namespace
}  // namespace lamina::sim
