// lamina tree: its text, its sums, and its dump.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "lamina/sim/scenario.h"
#include "lamina/sim/tree.h"
#include "tests/golden/golden_file.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kStack[] = R"(scenario 2
layer base
  mkdir /etc 0755
  put   /etc/hosts 0644 "127.0.0.1 localhost\n"
  mkdir /bin 0755
  put   /bin/sh 0755 fill:s:123KiB
  mkdir /var 0755
  mkdir /var/log 0755
  put   /var/log/boot.log 0644 fill:b:38KiB
  mkdir /old 0755
  put   /old/a 0644 fill:a:100
  put   /old/b 0644 fill:b:200
layer nginx
  mkdir /etc 0755
  put   /etc/hosts 0644 "::1 localhost"
  put   /etc/nginx.conf 0644 fill:n:1536
  mkdir /var 0755
  mkdir /var/log 0755
  whiteout /var/log/boot.log
  mkdir /old 0700
  opaque /old
layer app
  mkdir /srv 0755
  put   /srv/app.db 0644 pat:7:192KiB
stack app nginx base upper
mount
pwrite /srv/app.db 64KiB fill:x:4096
symlink app.db /srv/current
)";

Scenario Parsed(const std::string& text, std::uint64_t seed = 0) {
  absl::StatusOr<Scenario> scenario =
      ParseScenario(text, {.file = "t.scn", .seed = seed, .limits = {}});
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return scenario.ok() ? *std::move(scenario) : Scenario();
}

LayeredTree TreeAtEnd(const Scenario& scenario) {
  ScenarioRun run(scenario, {});
  EXPECT_TRUE(run.RunToOperation(scenario.statements.size()).ok());
  if (run.mount() == nullptr) return {};
  absl::StatusOr<LayeredTree> tree = ReadLayeredTree(*run.mount());
  EXPECT_TRUE(tree.ok()) << tree.status();
  return tree.ok() ? *std::move(tree) : LayeredTree();
}

LayeredTree TreeOf(const std::string& text) { return TreeAtEnd(Parsed(text)); }

TEST(OverlayTreeText, ShowsProvenance) {
  ExpectGolden("tree.txt", LayeredTreeText(TreeOf(kStack), TreeSelection::kVisible, {}));
}

TEST(OverlayTreeText, ShowsWhatIsHidden) {
  ExpectGolden("tree_hidden.txt", LayeredTreeText(TreeOf(kStack), TreeSelection::kHidden, {}));
}

TEST(OverlayTreeText, ShowsChangesOnly) {
  const LayeredTree tree = TreeOf(std::string(kStack) + "unlink /etc/hosts\n");
  ExpectGolden("tree_changes.txt", LayeredTreeText(tree, TreeSelection::kChanges, {}));
}

TEST(OverlayTreeText, AsciiIsAscii) {
  const std::string text =
      LayeredTreeText(TreeOf(kStack), TreeSelection::kHidden, {.colour = false, .ascii = true});
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  })) << text;
}

TEST(OverlayTree, SumsAddUp) {
  const TreeTotals totals = TreeOf(kStack).totals;
  EXPECT_EQ(totals.visible_bytes, 13u + (123u << 10) + (192u << 10) + 1536u);
  EXPECT_EQ(totals.hidden_bytes, 20u + (192u << 10) + (38u << 10) + 300u);
  EXPECT_EQ(totals.stored_bytes, totals.visible_bytes + totals.hidden_bytes);
}

TEST(OverlayTree, AHardLinkedFileCountsOnce) {
  const TreeTotals totals = TreeOf(R"(scenario 2
layer base
  put  /a 0644 fill:a:1000
  link /a /b
  link /a /c
stack base upper
mount
unlink /a
)")
                                .totals;
  EXPECT_EQ(totals.files, 2u);
  EXPECT_EQ(totals.visible_bytes, 1000u);
  EXPECT_EQ(totals.hidden_bytes, 0u);
  EXPECT_EQ(totals.stored_bytes, 1000u);
}

TEST(OverlayTree, AHardLinkHiddenByACopyStaysVisibleByItsOtherName) {
  const TreeTotals totals = TreeOf(R"(scenario 2
layer base
  put  /a 0644 fill:a:1000
  link /a /b
stack base upper
mount
append /a x
)")
                                .totals;
  EXPECT_EQ(totals.visible_bytes, 2001u);
  EXPECT_EQ(totals.hidden_bytes, 0u);
}

TEST(OverlayTree, HiddenCopiesInADirectoryUnderAnOpaqueOne) {
  const LayeredTree tree = TreeOf(kStack);
  const auto old = std::find_if(tree.entries.begin(), tree.entries.end(),
                                [](const TreeEntry& entry) { return entry.path == "/old"; });
  ASSERT_NE(old, tree.entries.end());
  ASSERT_EQ(old->hidden.size(), 1u);
  EXPECT_EQ(old->hidden[0].label, "L1");
  EXPECT_EQ(old->hidden[0].files, 2u);
  EXPECT_EQ(old->hidden[0].bytes, 300u);
}

TEST(OverlayTree, WhatMovedByRedirectIsNotHidden) {
  const TreeTotals totals = TreeOf(R"(scenario 2
layer base
  mkdir /d 0755
  put   /d/f 0644 fill:f:500
stack base upper
options redirect_dir=on
mount
rename /d /e
)")
                                .totals;
  EXPECT_EQ(totals.visible_bytes, 500u);
  EXPECT_EQ(totals.hidden_bytes, 0u);
}

class OverlayTreeSums : public ::testing::TestWithParam<int> {};

TEST_P(OverlayTreeSums, VisibleAndHiddenAreStored) {
  const Scenario scenario =
      Parsed(std::string(kStack) + "rand ops=200\n", static_cast<std::uint64_t>(GetParam()));
  const TreeTotals totals = TreeAtEnd(scenario).totals;
  EXPECT_GT(totals.stored_bytes, 0u);
  EXPECT_EQ(totals.visible_bytes + totals.hidden_bytes, totals.stored_bytes);
}

INSTANTIATE_TEST_SUITE_P(, OverlayTreeSums, ::testing::Range(0, 12));

// ── The recorded scenarios ───────────────────────────────────────────────────────────────────────

namespace fs = std::filesystem;

fs::path RecordingDirectory() { return fs::path(LAMINA_SOURCE_DIR) / "tests/oracle/overlay"; }

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> Recordings() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(RecordingDirectory())) {
    if (entry.path().extension() == ".scn") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The last `== merged` part of a recording. Classes are numbered over the whole text, so they are
// numbered anew.
std::string MergedPart(const std::string& text) {
  const std::size_t begin = text.rfind("== merged\n");
  if (begin == std::string::npos) return "";
  const std::size_t first = begin + std::string("== merged\n").size();
  return text.substr(first, text.find("== ", first) - first);
}

std::string Renumbered(const std::string& text) {
  std::vector<std::string> classes;
  std::string out;
  const std::regex pattern("ino=(i[0-9]+)");
  std::size_t at = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    const auto known = std::find(classes.begin(), classes.end(), (*it)[1].str());
    const auto index = known - classes.begin();
    if (known == classes.end()) classes.push_back((*it)[1].str());
    const auto position = static_cast<std::size_t>(it->position(0));
    out += text.substr(at, position - at) + "ino=i" + std::to_string(index + 1);
    at = position + static_cast<std::size_t>(it->length(0));
  }
  return out + text.substr(at);
}

class OverlayTreeOracle : public ::testing::TestWithParam<std::string> {};

TEST_P(OverlayTreeOracle, SumsAddUpAndTheDumpIsTheKernels) {
  const Scenario scenario = Parsed(ReadWhole(RecordingDirectory() / (GetParam() + ".scn")));
  if (const auto unsupported = FindUnsupported(scenario)) {
    GTEST_SKIP() << "UNSUPPORTED " << *unsupported;
  }
  const std::string merged =
      MergedPart(ReadWhole(RecordingDirectory() / (GetParam() + ".expected")));
  if (merged.empty()) GTEST_SKIP() << "nothing is mounted at the end";
  const absl::StatusOr<std::vector<std::string>> lines = CanonicalTreeOf(scenario);
  ASSERT_TRUE(lines.ok()) << lines.status();
  std::string dump;
  for (const std::string& line : *lines) dump += line + '\n';
  EXPECT_EQ(Renumbered(dump), Renumbered(merged));
  const TreeTotals totals = TreeAtEnd(scenario).totals;
  EXPECT_EQ(totals.visible_bytes + totals.hidden_bytes, totals.stored_bytes);
}

INSTANTIATE_TEST_SUITE_P(, OverlayTreeOracle, ::testing::ValuesIn(Recordings()),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// ── Sources of the dump ──────────────────────────────────────────────────────────────────────────

class OverlayTreeDump : public ::testing::Test {
 protected:
  OverlayTreeDump() {
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    root_ = fs::path(::testing::TempDir()) / ("lamina_tree_" + name);
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~OverlayTreeDump() override { fs::remove_all(root_); }

  void Put(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }

  // A ustar archive of empty files.
  void PutTar(const std::string& name, const std::vector<std::string>& files) {
    std::string tar;
    for (const std::string& file : files) tar += Header(file);
    tar.append(1024, '\0');
    Put(name, tar);
  }

  static std::string Header(const std::string& name) {
    std::string block(512, '\0');
    block.replace(0, name.size(), name);
    block.replace(100, 7, "0000644");
    block.replace(108, 7, "0000000");
    block.replace(116, 7, "0000000");
    block.replace(124, 11, "00000000000");
    block.replace(136, 11, "00000000007");
    block.replace(148, 8, "        ");
    block[156] = '0';
    block.replace(257, 5, "ustar");
    block.replace(263, 2, "00");
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    block.replace(148, 7, std::string(text) + '\0');
    return block;
  }

  std::vector<std::string> Lines(const std::string& source) {
    const absl::StatusOr<std::vector<std::string>> lines = CanonicalTree(source);
    EXPECT_TRUE(lines.ok()) << lines.status();
    return lines.ok() ? *lines : std::vector<std::string>();
  }

  fs::path root_;
};

TEST_F(OverlayTreeDump, OfADirectoryShowsHardLinks) {
  Put("d/a", "abc");
  fs::create_hard_link(root_ / "d/a", root_ / "d/b");
  const std::vector<std::string> lines = Lines("dir:" + (root_ / "d").string());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], HasSubstr("/a f"));
  EXPECT_THAT(lines[1], HasSubstr("nlink=2"));
  EXPECT_EQ(lines[1].substr(lines[1].find(" ino=")), lines[2].substr(lines[2].find(" ino=")));
}

TEST_F(OverlayTreeDump, OfOneTarIsItsTree) {
  PutTar("a.tar", {"x", "y"});
  const std::vector<std::string> lines = Lines("tar:" + (root_ / "a.tar").string());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], HasSubstr("/x f 0644 0:0 size=0"));
  EXPECT_THAT(lines[2], HasSubstr("/y f 0644 0:0 size=0"));
}

TEST_F(OverlayTreeDump, OfTwoTarsIsAnOverlay) {
  PutTar("a.tar", {"x", "y"});
  PutTar("b.tar", {".wh.x", "z"});
  const std::vector<std::string> lines =
      Lines("tar:" + (root_ / "a.tar").string() + ',' + (root_ / "b.tar").string());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], HasSubstr("/y f"));
  EXPECT_THAT(lines[2], HasSubstr("/z f"));
}

TEST_F(OverlayTreeDump, OfOneTarWithAWhiteoutDoesNotShowIt) {
  PutTar("a.tar", {".wh.x", "z"});
  const std::vector<std::string> lines = Lines("tar:" + (root_ / "a.tar").string());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1], HasSubstr("/z f"));
}

TEST_F(OverlayTreeDump, OfAScenarioWithLayersFromTars) {
  PutTar("a.tar", {"x", "y"});
  PutTar("b.tar", {".wh.x", "z"});
  Put("t.scn", "scenario 2\nlayer bottom from \"tar:" + (root_ / "a.tar").string() +
                   "\"\nlayer top from \"tar:" + (root_ / "b.tar").string() +
                   "\"\nlayer upper\nstack top bottom upper\nmount\nunlink /y -> OK\n"
                   "readdir / -> [z:f]\n");
  const std::vector<std::string> lines = Lines((root_ / "t.scn").string());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1], HasSubstr("/z f"));
}

TEST_F(OverlayTreeDump, OfAScenarioWithATornTarNamesTheTar) {
  PutTar("a.tar", {"x", "y"});
  fs::resize_file(root_ / "a.tar", 700);
  Put("t.scn", "scenario 2\nlayer bottom from \"tar:" + (root_ / "a.tar").string() + "\"\n");
  const absl::StatusOr<std::vector<std::string>> lines = CanonicalTree((root_ / "t.scn").string());
  ASSERT_FALSE(lines.ok());
  EXPECT_THAT(std::string(lines.status().message()), HasSubstr("a.tar"));
}

TEST_F(OverlayTreeDump, OfAScenarioFile) {
  Put("t.scn", kStack);
  const std::vector<std::string> lines = Lines((root_ / "t.scn").string());
  EXPECT_EQ(lines, *CanonicalTreeOf(Parsed(kStack)));
}

TEST_F(OverlayTreeDump, MissingSourcesAreErrors) {
  EXPECT_FALSE(CanonicalTree((root_ / "none").string()).ok());
  EXPECT_FALSE(CanonicalTree("dir:" + (root_ / "none").string()).ok());
  EXPECT_FALSE(CanonicalTree("tar:" + (root_ / "none").string()).ok());
  EXPECT_FALSE(CanonicalTree("tar:").ok());
}

TEST_F(OverlayTreeDump, WithoutAMountIsAnError) {
  EXPECT_EQ(CanonicalTreeOf(Parsed("scenario 2\nlayer base\n")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace lamina::sim
