// ModelInode: what the model knows of one file. Plain values, content in one string.
//
// Threads: plain values.
#ifndef LAMINA_SIM_MODEL_INODE_H_
#define LAMINA_SIM_MODEL_INODE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace lamina::sim {

enum class ModelType : std::uint8_t {
  kFile,
  kDirectory,
  kSymlink,
  kCharDevice,
  kBlockDevice,
  kFifo,
  kSocket,
};

// The letter of the scenario language: f d l c b p s.
constexpr char TypeLetter(ModelType type) { return "fdlcbps"[static_cast<int>(type)]; }

// Numbers an inode of one ModelTree; never used twice. 0 is none.
using ModelIno = std::uint64_t;

inline constexpr std::uint16_t kModelSetUid = 04000;
inline constexpr std::uint16_t kModelSetGid = 02000;
inline constexpr std::uint16_t kModelSticky = 01000;

inline constexpr std::size_t kModelPageBytes = 4096;

// The one time stamp of the model: every change is made "now" (2023-11-14, in nanoseconds).
inline constexpr std::int64_t kModelNow = 1'700'000'000'000'000'000;

struct ModelInode {
  ModelType type = ModelType::kFile;
  std::uint16_t mode = 0;  // 12 bits, no type
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_ns = kModelNow;
  std::string content;  // of a file
  // Numbers of its pages that were written: a file can be all hole. Seen in one place only: a
  // truncate to the same size is no change (keeps mtime) when there is no page to look at.
  std::set<std::size_t> pages;
  std::string target;  // of a symlink
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::map<std::string, std::string> xattrs;

  bool is_directory() const { return type == ModelType::kDirectory; }
  bool is_device() const {
    return type == ModelType::kCharDevice || type == ModelType::kBlockDevice;
  }
  // The overlay's mark for a hidden name: a character device 0:0.
  bool is_whiteout() const { return type == ModelType::kCharDevice && major == 0 && minor == 0; }
  friend bool operator==(const ModelInode&, const ModelInode&) = default;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_INODE_H_
