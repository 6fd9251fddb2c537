// The names AUFS keeps for itself: whiteouts .wh.NAME, and .wh..wh.* for everything else.
//
// Threads: pure functions.
#ifndef LAMINA_VFS_UNION_AUFS_NAMES_H_
#define LAMINA_VFS_UNION_AUFS_NAMES_H_

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace lamina {

inline constexpr std::string_view kAufsWhiteout = ".wh.";
inline constexpr std::string_view kAufsReserved = ".wh..wh.";
inline constexpr std::string_view kAufsOpaque = ".wh..wh..opq";
inline constexpr std::string_view kAufsBase = ".wh..wh.aufs";
inline constexpr std::string_view kAufsPlinks = ".wh..wh.plnk";
inline constexpr std::string_view kAufsOrphans = ".wh..wh.orph";

inline bool IsAufsWhiteout(std::string_view name) { return name.starts_with(kAufsWhiteout); }
inline bool IsAufsReserved(std::string_view name) { return name.starts_with(kAufsReserved); }

// .wh.NAME, without an allocation.
class AufsWhiteoutName {
 public:
  explicit AufsWhiteoutName(std::string_view name) : size_(kAufsWhiteout.size() + name.size()) {
    // Longer than any branch's names: looked up, it is ENAMETOOLONG there.
    if (size_ > text_.size()) size_ = text_.size();
    std::memcpy(text_.data(), kAufsWhiteout.data(), kAufsWhiteout.size());
    std::memcpy(text_.data() + kAufsWhiteout.size(), name.data(), size_ - kAufsWhiteout.size());
  }
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 512> text_;
  std::size_t size_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_AUFS_NAMES_H_
