#include "tests/ext/host_tools.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <vector>

#include "lamina/base/check.h"
#include "tests/block/device_fixture.h"

namespace lamina::test {
namespace {

constexpr std::size_t kPieceBytes = 65536;

bool IsZero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

bool HasTool(std::string_view tool) {
  return Shell("PATH=$PATH:/sbin:/usr/sbin command -v " + std::string(tool)).status == 0;
}

Ended Shell(const std::string& line) {
  Ended ended;
  std::FILE* pipe =
      popen(("export PATH=$PATH:/sbin:/usr/sbin; { " + line + "\n} 2>&1").c_str(), "r");
  if (pipe == nullptr) return ended;
  std::array<char, 4096> piece{};
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), pipe)) {
    ended.out.append(piece.data(), got);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
  return ended;
}

Scratch::Scratch() {
  std::string name = (std::filesystem::path(testing::TempDir()) / "lamina_ext_XXXXXX").string();
  LAMINA_CHECK(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

MemDisk LoadDisk(const std::filesystem::path& file) {
  const std::uint64_t size = std::filesystem::file_size(file);
  MemDisk disk(MemDisk::SectorsOf(size));
  std::ifstream in(file, std::ios::binary);
  std::vector<char> piece(kPieceBytes);
  for (std::uint64_t at = 0; at < size; at += kPieceBytes) {
    std::fill(piece.begin(), piece.end(), '\0');
    in.read(piece.data(), static_cast<std::streamsize>(kPieceBytes));
    const std::uint64_t rest = MemDisk::SectorsOf(size) * kSectorBytes - at;
    const Bytes bytes =
        std::as_bytes(std::span(piece)).first(std::min<std::uint64_t>(kPieceBytes, rest));
    if (IsZero(bytes)) continue;
    LAMINA_CHECK(disk.Write(Caller().Op(), Sector{at / kSectorBytes}, bytes).ok());
  }
  return disk;
}

void SaveDisk(const MemDisk& disk, const std::filesystem::path& file) {
  const std::uint64_t size = disk.size_sectors() * kSectorBytes;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  std::vector<std::byte> piece(kPieceBytes);
  std::uint64_t at = 0;
  while (at < size) {
    const std::optional<std::uint64_t> data = disk.content().NextData(at);
    if (!data.has_value()) break;
    at = *data / kPieceBytes * kPieceBytes;
    const MutableBytes part =
        MutableBytes(piece).first(std::min<std::uint64_t>(kPieceBytes, size - at));
    disk.content().Read(at, part);
    out.seekp(static_cast<std::streamoff>(at));
    out.write(reinterpret_cast<const char*>(part.data()),
              static_cast<std::streamsize>(part.size()));
    at += part.size();
  }
  out.close();
  std::filesystem::resize_file(file, size);
}

std::string Fsck(const std::filesystem::path& image) {
  const Ended ended = Shell("e2fsck -fn " + image.string());
  return ended.status == 0 ? "" : ended.out;
}

KernelMount::KernelMount(const std::filesystem::path& image, KernelAccess access) {
  std::filesystem::create_directory(path());
  const std::string options = access == KernelAccess::kReadOnly ? "loop,ro " : "loop ";
  mounted_ =
      Shell("mount -t ext4 -o " + options + image.string() + " " + path().string()).status == 0;
}

KernelMount::~KernelMount() {
  if (mounted_) Shell("umount " + path().string());
}

}  // namespace lamina::test
