// Random trees of the host, exported into images: e2fsck finds nothing, lamina's checker neither,
// and the kernel shows the tree of the host.
//
//   LAMINA_EXT_TREES=50   how many trees (default 50), a fifth of them here
#include "lamina/image/ext_image.h"

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "lamina/ext/check.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/image/host_dir.h"
#include "tests/block/device_fixture.h"
#include "tests/ext/ext_tree.h"
#include "tests/ext/host_tools.h"
#include "tests/ext/host_tree.h"

namespace lamina::test {
namespace {

int TreesWanted() {
  const char* text = std::getenv("LAMINA_EXT_TREES");
  return (text == nullptr ? 50 : std::atoi(text)) / 5;
}

std::string HostTree(const std::filesystem::path& dir) {
  MemFs fs;
  const auto report = ReadHostDirectory(dir.string(), fs, fs.root());
  return report.ok() ? TreeLines(fs, fs.root()) : std::string(report.status().message());
}

// "" or what is wrong with the image for the checker.
std::string CheckFile(const std::string& path) {
  auto disk = HostDisk::Open(path, HostAccess::kReadOnly);
  if (!disk.ok()) return std::string(disk.status().message());
  ExtOutcome<ExtReport> report = CheckExt(Caller().Op(), **disk);
  if (!report.ok()) return report.error().text;
  std::string text;
  for (const ExtFinding& finding : report->findings) text += FindingText(finding) + '\n';
  return text;
}

class ExportedImage : public testing::TestWithParam<ExtVersion> {};

TEST_P(ExportedImage, EXT_ATreeOfTheHostIsTheTreeThatTheKernelShows) {
  int mounted = 0;
  for (int seed = 1; seed <= TreesWanted(); ++seed) {
    const Scratch scratch;
    std::filesystem::create_directory(scratch / "tree");
    DrawHostTree(scratch / "tree", static_cast<std::uint64_t>(1000 + seed));
    MemFs layer;
    ASSERT_TRUE(ReadHostDirectory((scratch / "tree").string(), layer, layer.root()).ok());
    const std::string image = (scratch / "image").string();
    const auto report = WriteExtImage(Caller().Op(), layer, layer.root(), image,
                                      {.size_bytes = 0, .version = GetParam()});
    ASSERT_TRUE(report.ok()) << report.status() << ", seed " << seed;
    ASSERT_EQ(report->tree.xattrs_dropped, 0u);
    ASSERT_EQ(CheckFile(image), "") << "seed " << seed;
    const std::string want = TreeLines(layer, layer.root());
    auto opened = ExtImage::Open(image);
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_EQ(TreeLines((*opened)->fs(), (*opened)->fs().root()), want) << "seed " << seed;
    if (!HasTool("e2fsck")) continue;
    ASSERT_EQ(Fsck(image), "") << "seed " << seed;
    const KernelMount mount(image);
    if (!mount.ok()) continue;
    ++mounted;
    ASSERT_EQ(HostTree(mount.path()), want) << "seed " << seed;
  }
  if (!HasTool("e2fsck")) GTEST_SKIP() << "without e2fsck, which the host lacks";
  if (mounted == 0 && TreesWanted() > 0) {
    GTEST_SKIP() << "without loop mounts, which the host does not allow";
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, ExportedImage,
                         testing::Values(ExtVersion::kExt2, ExtVersion::kExt3, ExtVersion::kExt4),
                         [](const auto& version) {
                           return "Ext" + std::to_string(2 + static_cast<int>(version.param));
                         });

}  // namespace
}  // namespace lamina::test
