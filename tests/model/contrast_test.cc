// The table of contrasts: each row carried out on both views, and the same in README.md.
#include "sim/model/contrast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>

#include "sim/model/overlay_view.h"
#include "tests/model/aufs_scene.h"

namespace lamina::sim {

void PrintTo(const Contrast& row, std::ostream* os) { *os << row.what; }

namespace {

std::string Expand(std::string_view calls) {
  std::string text(calls);
  const std::string long_name = "{243}";
  const std::size_t at = text.find(long_name);
  if (at != std::string::npos) text.replace(at, long_name.size(), std::string(243, 'n'));
  return text;
}

std::vector<ModelTree> TreesOf(const std::string& below) {
  const std::string border = " / ";
  std::vector<ModelTree> trees;
  for (std::size_t from = 0; from < below.size();) {
    const std::size_t end = std::min(below.find(border, from), below.size());
    trees.push_back(TreeAfter(below.substr(from, end - from)));
    from = end + border.size();
  }
  return trees;
}

class ContrastRow : public testing::TestWithParam<Contrast> {
 protected:
  std::vector<ModelTree> below_ = TreesOf(std::string(GetParam().below));
  std::string calls_ = Expand(GetParam().calls);
};

TEST_P(ContrastRow, IsWhatOverlayfsSays) {
  PosixModel model(std::make_unique<OverlayView>(TreeAfter(""), below_, KernelQuirks::kOn));
  EXPECT_EQ(CallRunner(model).Run(calls_), GetParam().overlay);
}

TEST_P(ContrastRow, IsWhatAufsSays) {
  std::vector<AufsView::Content> branches = {Rw("")};
  for (const ModelTree& tree : below_) {
    branches.push_back({ModelBranchMode::kReadOnlyWhiteout, tree});
  }
  AufsScene scene(branches);
  EXPECT_EQ(scene.Run(calls_), GetParam().aufs);
}

INSTANTIATE_TEST_SUITE_P(Table, ContrastRow, testing::ValuesIn(Contrasts()));

TEST(Contrast, TableIsThatOfTheReadme) {
  std::ifstream file(LAMINA_SOURCE_DIR "/sim/model/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), testing::HasSubstr(ContrastTable()));
}

}  // namespace
}  // namespace lamina::sim
