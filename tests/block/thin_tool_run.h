// Runs of thin-provisioning-tools on metadata that lies on a memory disk.
#ifndef LAMINA_TESTS_BLOCK_THIN_TOOL_RUN_H_
#define LAMINA_TESTS_BLOCK_THIN_TOOL_RUN_H_

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "lamina/base/check.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_dump.h"
#include "tests/block/device_fixture.h"

namespace lamina {

struct ToolAnswer {
  int exit_code = -1;
  std::string text;  // both streams
};

inline ToolAnswer RunShell(const std::string& command) {
  ToolAnswer answer;
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  LAMINA_CHECK(pipe != nullptr);
  char part[4096];
  for (std::size_t got = 0; (got = std::fread(part, 1, sizeof part, pipe)) > 0;) {
    answer.text.append(part, got);
  }
  const int status = ::pclose(pipe);
  answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return answer;
}

inline bool HaveThinTools() {
  return RunShell("command -v thin_check && command -v thin_dump && command -v thin_restore")
             .exit_code == 0;
}

// A file of the host that goes away with this.
class ToolFile {
 public:
  ToolFile() {
    char name[] = "/tmp/lamina_thin_XXXXXX";
    const int file = ::mkstemp(name);
    LAMINA_CHECK(file >= 0);
    ::close(file);
    path_ = name;
  }
  ~ToolFile() { std::remove(path_.c_str()); }
  ToolFile(const ToolFile&) = delete;
  ToolFile& operator=(const ToolFile&) = delete;

  const std::string& path() const { return path_; }

  void Put(const std::string& text) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(text.data(), static_cast<std::streamsize>(text.size()));
  }
  void PutDisk(MemDisk& disk) const {
    std::string bytes(disk.size_sectors() * kSectorBytes, '\0');
    const MutableBytes into(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
    LAMINA_CHECK(disk.Read(Caller().Op(), Sector{0}, into).ok());
    Put(bytes);
  }
  std::string Get() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void GetDisk(MemDisk& disk) const {
    const std::string bytes = Get();
    const Bytes from(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
    LAMINA_CHECK(disk.Write(Caller().Op(), Sector{0}, from).ok());
  }

 private:
  std::string path_;
};

// What thin_dump prints of this.
inline std::string ThinXml(const ThinDump& dump) {
  const auto attribute = [](const char* name, const std::string& value) {
    return std::string(" ") + name + "=\"" + value + "\"";
  };
  const auto number = [&](const char* name, std::uint64_t value) {
    return attribute(name, std::to_string(value));
  };
  std::string text = "<superblock" + attribute("uuid", dump.uuid) + number("time", dump.time) +
                     number("transaction", dump.transaction) + number("flags", dump.flags) +
                     number("version", dump.version) +
                     number("data_block_size", dump.data_block_size) +
                     number("nr_data_blocks", dump.nr_data_blocks) + ">\n";
  for (const ThinDumpDevice& device : dump.devices) {
    text += "  <device" + number("dev_id", device.dev_id) +
            number("mapped_blocks", device.mapped_blocks) +
            number("transaction", device.transaction) +
            number("creation_time", device.creation_time) + number("snap_time", device.snap_time) +
            ">\n";
    for (const ThinRun& run : device.runs) {
      text += run.length == 1
                  ? "    <single_mapping" + number("origin_block", run.origin_begin) +
                        number("data_block", run.data_begin) + number("time", run.time) + "/>\n"
                  : "    <range_mapping" + number("origin_begin", run.origin_begin) +
                        number("data_begin", run.data_begin) + number("length", run.length) +
                        number("time", run.time) + "/>\n";
    }
    text += "  </device>\n";
  }
  return text + "</superblock>\n";
}

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_THIN_TOOL_RUN_H_
