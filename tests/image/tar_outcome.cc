#include "tests/image/tar_outcome.h"

#include <gtest/gtest.h>

#include "tests/image/tar_builder.h"
#include "tests/image/tree_text.h"

namespace lamina::test {

std::string Outcome(const std::string& tar, const LayerTarOptions& options) {
  MemFsOptions no_atime;  // looking must not change it
  no_atime.atime = AtimePolicy::kNever;
  MemFs fs(no_atime);
  const absl::StatusOr<LayerTarReport> before =
      ReadLayerTar(TarBuilder().File("before/f", "x").Done(), fs, fs.root());
  EXPECT_TRUE(before.ok()) << before.status();
  const std::string tree = TreeText(fs, fs.root(), TreeDetail::kFull);
  const absl::StatusOr<LayerTarReport> report = ReadLayerTar(tar, fs, fs.root(), options);
  if (report.ok()) return "ok\n" + TreeText(fs, fs.root(), TreeDetail::kBrief);
  EXPECT_EQ(TreeText(fs, fs.root(), TreeDetail::kFull), tree);
  return report.status().ToString();
}

}  // namespace lamina::test
