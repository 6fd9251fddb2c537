// Images of e2fsprogs: made by mke2fs and debugfs, judged by e2fsck. A test without the tools is
// skipped.
//
// Threads: one.
#ifndef LAMINA_TESTS_EXT_TOOL_IMAGE_H_
#define LAMINA_TESTS_EXT_TOOL_IMAGE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lamina/ext/check.h"
#include "lamina/image/host_disk.h"
#include "tests/block/device_fixture.h"
#include "tests/ext/host_tools.h"

namespace lamina {

using ToolEnded = test::Ended;

// What mke2fs picks by itself, less what is refused.
inline const std::string kNotRefused = "^64bit,^metadata_csum,^flex_bg,^orphan_file";

class ToolImage : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"mke2fs", "e2fsck", "debugfs"}) LAMINA_NEEDS_TOOL(tool);
  }

  std::string File(const std::string& name) const { return (top_ / name).string(); }

  // A command line in the test's own directory.
  ToolEnded Tool(const std::string& line) const {
    return test::Shell("cd '" + (top_ / "").string() + "' && { " + line + "\n}");
  }

  // `mke2fs ARGUMENTS NAME SIZE`.
  void Make(const std::string& name, const std::string& arguments, const std::string& size) const {
    const ToolEnded made = Tool("mke2fs -q -F " + arguments + " " + name + " " + size);
    ASSERT_EQ(made.status, 0) << made.out;
  }
  // Commands of debugfs, a line each, that may change the image.
  void Debug(const std::string& name, const std::string& commands) const {
    std::ofstream(File("commands")) << commands << '\n';
    const ToolEnded done = Tool("debugfs -w -f commands " + name);
    ASSERT_EQ(done.status, 0) << done.out;
  }
  // e2fsck's word: 0 clean, 4 errors, 8 cannot be checked.
  ToolEnded Fsck(const std::string& name) const { return Tool("e2fsck -fn " + name); }

  ExtOutcome<ExtReport> Check(const std::string& name) const {
    auto disk = HostDisk::Open(File(name), HostAccess::kReadOnly);
    if (!disk.ok()) return ExtError{Errno::kNoEnt, std::string(disk.status().message())};
    return CheckExt(Caller().Op(), **disk);
  }

  // Every finding on a line: "error block-bitmap group 0: …".
  std::string Findings(const std::string& name) const {
    ExtOutcome<ExtReport> report = Check(name);
    if (!report.ok()) return "refused: " + report.error().text + '\n';
    std::string text;
    for (const ExtFinding& finding : report->findings) {
      text += finding.severity == ExtSeverity::kError ? "error " : "note ";
      text += std::string(FindingId(finding.kind)) + ' ' + FindingText(finding) + '\n';
    }
    return text;
  }

  // Overwrites bytes of the image.
  void Poke(const std::string& name, std::uint64_t offset, const std::vector<int>& bytes) const {
    std::fstream file(File(name), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    for (const int byte : bytes) file.put(static_cast<char>(byte));
  }

  // A directory of the host with something of everything that needs no privilege.
  void MakeTree(const std::string& name) const;

  test::Scratch top_;
};

inline void ToolImage::MakeTree(const std::string& name) const {
  namespace fs = std::filesystem;
  const fs::path tree = top_ / name;
  fs::create_directories(tree / "a" / "b" / "c");
  fs::create_directory(tree / "many");
  for (int i = 0; i < 120; ++i) {
    std::ofstream(tree / "many" / ("a rather long name of file number " + std::to_string(i))) << i;
  }
  std::ofstream(tree / "small") << "x";
  std::ofstream(tree / "empty");
  std::ofstream(tree / "big") << std::string(400'000, 'b');  // beyond the indirect block
  std::ofstream sparse(tree / "sparse");
  for (int i = 0; i < 12; ++i) {
    sparse.seekp(i * 60'000);
    sparse << "island";
  }
  sparse.close();
  fs::create_hard_link(tree / "small", tree / "a" / "other name");
  fs::create_symlink("small", tree / "short link");
  fs::create_symlink(std::string(200, 'l'), tree / "long link");
}

}  // namespace lamina
#endif  // LAMINA_TESTS_EXT_TOOL_IMAGE_H_
