// The entries of every directory: their form, whom they name, and who is named twice.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {

using namespace ext;  // NOLINT: the on-disk words

struct ImageCheck::EntryScan {
  std::uint32_t number = 0;
  SeenDirectory* directory = nullptr;
  std::uint32_t index = 0;  // of the entry in the directory: 0 and 1 are "." and ".."
  std::uint32_t block = 0;  // physical
  absl::flat_hash_map<std::string, std::uint32_t> names = {};  // and the block each lies in
  std::optional<NameHashVersion> version = std::nullopt;       // with an index
  HashRange hashes = {};                                       // of this block
};

namespace {

std::string Shown(std::string_view name) {
  return absl::StrFormat("\"%s\"", absl::CHexEscape({name.data(), name.size()}));
}

std::uint8_t EntryTypeOf(std::uint16_t mode) {
  switch (mode & kModeTypeMask) {
    case kModeRegular:
      return kEntryRegular;
    case kModeDirectory:
      return kEntryDirectory;
    case kModeCharDevice:
      return kEntryCharDevice;
    case kModeBlockDevice:
      return kEntryBlockDevice;
    case kModeFifo:
      return kEntryFifo;
    case kModeSocket:
      return kEntrySocket;
    case kModeSymlink:
      return kEntrySymlink;
    default:
      return kEntryUnknown;
  }
}

}  // namespace

void ImageCheck::CheckDirectories() {
  for (auto& [number, directory] : directories_) CheckDirectory(number, directory);
}

void ImageCheck::CheckDirectory(std::uint32_t number, SeenDirectory& directory) {
  EntryScan scan{.number = number, .directory = &directory};
  if (directory.is_indexed) scan.version = CheckIndexRoot(number, directory);
  std::vector<HashRange> hashes(scan.version.has_value() ? directory.block_count : 0);
  std::uint32_t logical = 0;
  for (const auto& [at, physical] : directory.blocks) {
    if (at >= directory.block_count) break;
    if (at != logical)
      Error(Kind::kDirectory, absl::StrFormat("a hole at block %d", logical), number);
    logical = at + 1;
    scan.hashes = {};
    CheckEntries(scan, ReadBlock(physical), physical);
    if (scan.version.has_value()) hashes[at] = scan.hashes;
  }
  if (logical < directory.block_count) {
    Error(Kind::kDirectory, absl::StrFormat("a hole at block %d", logical), number);
  }
  if (scan.index < 2) Error(Kind::kDirectory, "\".\" and \"..\" are missing", number);
  if (scan.version.has_value()) CheckIndex(number, directory, hashes);
}

void ImageCheck::CheckEntries(EntryScan& scan, Bytes block, std::uint32_t block_number) {
  scan.block = block_number;
  std::size_t at = 0;
  while (at < block.size()) {
    if (block.size() - at < sizeof(DiskEntry))
      return Error(Kind::kDirectory, "a cut entry", scan.number, scan.block);
    const auto entry = ReadRecord<DiskEntry>(block, at);
    const std::size_t length = entry.record_length;
    const bool is_right = length >= EntryBytes(1) && length % 4 == 0 &&
                          length <= block.size() - at &&
                          entry.name_length + sizeof(DiskEntry) <= length;
    if (!is_right) {
      return Error(Kind::kDirectory,
                   absl::StrFormat("an entry of %d bytes with a name of %d at byte %d", length,
                                   entry.name_length, at),
                   scan.number, scan.block);
    }
    const std::string_view name = AsText(block.subspan(at + sizeof(DiskEntry), entry.name_length));
    CheckEntry(scan, entry, name);
    ++scan.index;
    at += length;
  }
}

void ImageCheck::CheckEntry(EntryScan& scan, const DiskEntry& entry, std::string_view name) {
  if (scan.index < 2) return CheckDot(scan, entry, name);
  if (entry.inode == 0) return;
  const auto wrong = [&](const char* what) {
    Error(Kind::kEntry, absl::StrFormat("entry %s %s", Shown(name), what), scan.number, scan.block);
  };
  if (name.empty()) return wrong("has no name");
  if (name == "." || name == "..") return wrong("comes twice");
  if (name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos) {
    wrong("is not a name");
  }
  const auto [twin, is_new] = scan.names.emplace(name, scan.block);
  if (!is_new && twin->second == scan.block) wrong("comes twice");
  if (!is_new && twin->second != scan.block) {  // e2fsck looks at one block at a time
    Note(Kind::kEntry, absl::StrFormat("entry %s lies in block %d, too", Shown(name), twin->second),
         scan.number, scan.block);
  }
  if (scan.version.has_value()) {
    const bool is_signed = (super_.flags & kFlagUnsignedHash) == 0;
    const std::uint32_t hash =
        NameHash(*scan.version, is_signed ? NameBytes::kSigned : NameBytes::kUnsigned,
                 super_.hash_seed, name);
    scan.hashes = {std::min(scan.hashes.least, hash), std::max(scan.hashes.most, hash)};
  }
  CheckTarget(scan, entry, name);
}

// The first two entries, in this order.
void ImageCheck::CheckDot(EntryScan& scan, const DiskEntry& entry, std::string_view name) {
  const std::string_view expected = scan.index == 0 ? "." : "..";
  if (entry.inode == 0 || name != expected) {
    return Error(
        Kind::kEntry,
        absl::StrFormat("its entry %d is %s, not %s", scan.index + 1, Shown(name), Shown(expected)),
        scan.number, scan.block);
  }
  if (name.data()[name.size()] != '\0') {  // no name ends there; e2fsck compares it as C does
    Error(Kind::kEntry, absl::StrFormat("%s is not followed by a zero", Shown(expected)),
          scan.number, scan.block);
  }
  if (scan.index == 0 && entry.inode != scan.number) {
    return Error(Kind::kEntry, absl::StrFormat("\".\" names inode %d", entry.inode), scan.number,
                 scan.block);
  }
  if (scan.index == 1) scan.directory->dot_dot = entry.inode;
  const auto named = inodes_.find(entry.inode);
  if (named == inodes_.end()) {
    return Error(
        Kind::kEntry,
        absl::StrFormat("%s names inode %d, which is not in use", Shown(expected), entry.inode),
        scan.number, scan.block);
  }
  ++named->second.references;
  CheckEntryType(scan, entry, name, kEntryDirectory);
}

void ImageCheck::CheckEntryType(EntryScan& scan, const DiskEntry& entry, std::string_view name,
                                std::uint8_t found) {
  const std::uint8_t type = HasIncompat(kIncompatFileType) ? found : kEntryUnknown;
  if (entry.file_type == type) return;
  const std::string text = absl::StrFormat("entry %s names inode %d, says type %d, found %d",
                                           Shown(name), entry.inode, entry.file_type, type);
  if (entry.file_type == kEntryUnknown) return Note(Kind::kEntry, text, scan.number, scan.block);
  Error(Kind::kEntry, text, scan.number, scan.block);
}

void ImageCheck::CheckTarget(EntryScan& scan, const DiskEntry& entry, std::string_view name) {
  const auto wrong = [&](const std::string& what) {
    Error(Kind::kEntry,
          absl::StrFormat("entry %s names inode %d, %s", Shown(name), entry.inode, what),
          scan.number, scan.block);
  };
  const bool is_quota = std::find(super_.quota_inodes.begin(), super_.quota_inodes.end(),
                                  entry.inode) != super_.quota_inodes.end();
  if (entry.inode > super_.inodes_count || IsReserved(entry.inode) || is_quota) {
    return wrong(entry.inode == kRootInode ? "the root" : "which cannot be");
  }
  const auto named = inodes_.find(entry.inode);
  if (named == inodes_.end()) return wrong("which is not in use");
  ++named->second.references;
  CheckEntryType(scan, entry, name, EntryTypeOf(named->second.mode));
  const auto directory = directories_.find(entry.inode);
  if (directory == directories_.end()) return;
  if (directory->second.parent != 0) return wrong("a directory that has a name already");
  directory->second.parent = scan.number;
}

}  // namespace lamina::internal
