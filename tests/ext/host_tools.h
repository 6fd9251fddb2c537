// The host's e2fsprogs and loop mounts as oracles, for tests that skip where they are missing.
//
// Threads: one.
#ifndef LAMINA_TESTS_EXT_HOST_TOOLS_H_
#define LAMINA_TESTS_EXT_HOST_TOOLS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "lamina/block/mem_disk.h"

namespace lamina::test {

// Ends the case when the host lacks a tool. e2fsprogs has all but mount.
#define LAMINA_NEEDS_TOOL(tool) \
  if (!::lamina::test::HasTool(tool)) GTEST_SKIP() << "the host has no " << (tool)

bool HasTool(std::string_view tool);

struct Ended {
  int status = -1;
  std::string out;  // stdout and stderr
};
// `line` is the shell's.
Ended Shell(const std::string& line);

// A directory that goes with its owner.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// A disk of the file's size and content; holes stay holes.
MemDisk LoadDisk(const std::filesystem::path& file);
void SaveDisk(const MemDisk& disk, const std::filesystem::path& file);

// "" when `e2fsck -fn` finds nothing, else what it says.
std::string Fsck(const std::filesystem::path& image);

enum class KernelAccess : std::uint8_t { kReadOnly, kReadWrite };

// A kernel mount of the image; `ok()` is false where the host does not let us.
class KernelMount {
 public:
  explicit KernelMount(const std::filesystem::path& image,
                       KernelAccess access = KernelAccess::kReadOnly);
  ~KernelMount();
  KernelMount(const KernelMount&) = delete;
  KernelMount& operator=(const KernelMount&) = delete;
  bool ok() const { return mounted_; }
  std::filesystem::path path() const { return scratch_ / "mnt"; }

 private:
  Scratch scratch_;
  bool mounted_ = false;
};

}  // namespace lamina::test
#endif  // LAMINA_TESTS_EXT_HOST_TOOLS_H_
