// ChangeSet: what a layer changes, in the form that every driver gives and takes: the entries of a
// layer tar, without the tar. LayerChange: the same as `docker diff` lists it.
//
//   entry                     what it does to the layers below
//   /srv            dir       is there; a directory below is merged with it
//   /srv/app        file      is there, whatever was
//   /srv/.wh.old    file      a whiteout: /srv/old is gone
//   /etc/.wh..wh..opq file    opaque: nothing that the layers below have in /etc is there
//   /.wh..wh.plnk   dir       private files of AUFS: nothing
//
// The marks are files with AUFS' names because image layers have them so; a driver with other marks
// translates (MarkOf).
//
// Whether an entry is new or replaces something is not said: only a look at the parents tells,
// which Docker's Diff does not take. StorageDriver::Changes does.
//
// Threads: plain values. A body is shared and never changes.
#ifndef LAMINA_DRIVER_CHANGE_SET_H_
#define LAMINA_DRIVER_CHANGE_SET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/time.h"
#include "lamina/fs/file_system.h"

namespace lamina {

// ── docker diff ──────────────────────────────────────────────────────────────────────────────────

enum class ChangeKind : std::uint8_t { kAdd, kModify, kDelete };

// "A", "C" or "D".
constexpr std::string_view ChangeLetter(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kAdd:
      return "A";
    case ChangeKind::kModify:
      return "C";
    case ChangeKind::kDelete:
      return "D";
  }
  return "";
}

struct LayerChange {
  std::string path;  // absolute
  ChangeKind kind{};
  friend bool operator==(const LayerChange&, const LayerChange&) = default;
};

// ── Entries ──────────────────────────────────────────────────────────────────────────────────────

struct LayerEntry {
  std::string path;  // absolute: "/etc/hosts"
  FileType type = FileType::kRegular;
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Instant mtime;
  std::uint64_t rdev = 0;      // MakeDevice
  std::string symlink_target;  // of a symlink
  // Not empty: one more name for what the entry of this path names. The entry has its attributes,
  // but not its body.
  std::string hard_link;
  std::map<std::string, std::string, std::less<>> xattrs;
  std::shared_ptr<const PagedBytes> content;  // the body of a regular file; null: it is empty

  std::uint64_t size_bytes() const;  // of the body
};

struct ChangeSet {
  // In the order they are applied: a directory before what is in it, the target of a hard link
  // before the link.
  std::vector<LayerEntry> entries;
};

inline constexpr std::string_view kLayerWhiteout = ".wh.";
inline constexpr std::string_view kLayerPrivate = ".wh..wh.";
inline constexpr std::string_view kLayerOpaque = ".wh..wh..opq";
// Pseudo-links: what AUFS keeps of hard links that a copy-up broke.
inline constexpr std::string_view kLayerPseudoLinks = "/.wh..wh.plnk";

enum class LayerMark : std::uint8_t {
  kNone,      // an ordinary entry
  kWhiteout,  // .wh.NAME
  kOpaque,    // .wh..wh..opq
  kPrivate,   // .wh..wh.* at the root, and what is in it
};
// By the name alone.
LayerMark MarkOf(std::string_view path);
// What the whiteout at `path` hides: "/srv/old" for "/srv/.wh.old".
std::string HiddenPath(std::string_view path);
// "/srv" for "/srv/app", "/" for "/srv".
std::string_view ParentPath(std::string_view path);
// "app" for "/srv/app".
std::string_view LastName(std::string_view path);

// ── As a tar ─────────────────────────────────────────────────────────────────────────────────────

struct TarMember {
  std::string name;         // "srv/app", "srv/" of a directory
  std::string link_name;    // of a hard link: the member it is one inode with, else empty
  const LayerEntry* entry;  // the attributes, and the body unless it is a hard link
};

// The members of the tar that Docker writes of a set: in the order of a walk that sorts the names
// of each directory, a directory before what is in it. Of several names of one inode the first in
// that order is the file, the others are hard links to it. The root directory is no member.
//
// Lifetime: the members point into `set`.
std::vector<TarMember> TarMembers(const ChangeSet& set);

}  // namespace lamina
#endif  // LAMINA_DRIVER_CHANGE_SET_H_
