// Extended attributes: in the inode behind its extra fields, and in blocks that inodes share.
#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {
namespace {

using namespace ext;  // NOLINT: the on-disk words

constexpr std::size_t kEndMark = 4;  // zero bytes behind the last entry

enum class Signed : bool { kNo, kYes };

// The hash of one entry: name, then value in words. Kernels differ in the sign of a name's bytes.
std::uint32_t EntryHash(Bytes name, Bytes value, Signed chars) {
  std::uint32_t hash = 0;
  for (const std::byte byte : name) {
    const auto plain = std::to_integer<std::uint8_t>(byte);
    const std::uint32_t word =
        chars == Signed::kYes ? static_cast<std::uint32_t>(static_cast<std::int8_t>(plain)) : plain;
    hash = hash << 5 ^ hash >> 27 ^ word;
  }
  for (std::size_t at = 0; at + 4 <= value.size(); at += 4) {
    hash = hash << 16 ^ hash >> 16 ^ ReadRecord<std::uint32_t>(value, at);
  }
  return hash;
}

std::size_t Padded(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

// How a block's entries are sorted, for the kernel's binary decisions on insert.
using SortKey = std::tuple<int, std::size_t, std::string_view>;

}  // namespace

void ImageCheck::CheckInodeXattrs(std::uint32_t number, const DiskInode& inode) {
  const Bytes whole = std::as_bytes(std::span(&inode, 1));
  const std::size_t at = kMinInodeBytes + inode.extra_isize;
  if (at + sizeof(std::uint32_t) > inode_bytes_) return;
  if (ReadRecord<std::uint32_t>(whole, at) != kXattrMagic) return;
  CheckXattrList({.bytes = whole.subspan(at + sizeof(std::uint32_t)), .inode = number});
}

std::uint64_t ImageCheck::CheckXattrBlock(std::uint32_t number, const DiskInode& inode) {
  const std::uint32_t block = inode.xattr_block;
  if (block == 0) return 0;
  if (IsReserved(number) && number != kRootInode) {
    Note(Kind::kXattr, "attributes of an inode that is nobody's file", number, block);
    if (!InRange(block)) return 0;
  }
  if (!HasCompat(kCompatExtAttr)) Error(Kind::kXattr, "attributes without ext_attr", number, block);
  if (!InRange(block)) {
    Error(Kind::kBlockRange,
          absl::StrFormat("its attributes lie at block %d, which does not exist", block), number);
    return 0;
  }
  if (const auto seen = xattr_blocks_.find(block); seen != xattr_blocks_.end()) {
    ++seen->second.found;
    return 1;
  }
  if (used_blocks_[block]) {
    Error(Kind::kSharedBlock, "its attributes lie on a block that is in use already", number,
          block);
    return 1;
  }
  used_blocks_[block] = true;
  const std::vector<std::byte> bytes = ReadBlock(block);
  const auto header = ReadRecord<DiskXattrHeader>(bytes);
  xattr_blocks_[block] = {.says = header.references, .found = 1};
  if (header.magic != kXattrMagic || header.blocks != 1) {
    Error(Kind::kXattr, "not a block of attributes", number, block);
    xattr_blocks_.erase(block);
    return 1;
  }
  CheckXattrList({bytes, sizeof(DiskXattrHeader), number, block});
  return 1;
}

void ImageCheck::CheckXattrList(const XattrArea& area) {
  const auto wrong = [&](const char* what) { Error(Kind::kXattr, what, area.inode, area.block); };
  std::vector<std::pair<std::size_t, std::size_t>> values;  // begin, end
  SortKey previous{};
  bool is_sorted = true;
  std::size_t at = area.entries;
  for (;;) {
    if (at + kEndMark > area.bytes.size()) return wrong("its attributes have no end");
    if (ReadRecord<std::uint32_t>(area.bytes, at) == 0) break;
    if (at + sizeof(DiskXattrEntry) > area.bytes.size()) {
      return wrong("its attributes have no end");
    }
    const auto entry = ReadRecord<DiskXattrEntry>(area.bytes, at);
    const std::size_t next = at + XattrEntryBytes(entry.name_length);
    if (entry.name_index == 0 && area.block != 0) return wrong("an attribute of no name space");
    if (entry.name_index == 0) Note(Kind::kXattr, "an attribute of no name space", area.inode);
    if (next > area.bytes.size()) return wrong("an attribute's name passes the end");
    if (entry.value_inode != 0) return wrong("an attribute's value lies in an inode");
    const std::size_t begin = entry.value_offset;
    const std::size_t bytes = Padded(entry.value_size);
    if (entry.value_size > area.bytes.size() || begin + bytes > area.bytes.size() ||
        begin % 4 != 0) {
      return wrong("an attribute's value passes the end");
    }
    if (bytes != 0) values.emplace_back(begin, begin + bytes);
    const Bytes name = area.bytes.subspan(at + sizeof(DiskXattrEntry), entry.name_length);
    const Bytes value = area.bytes.subspan(begin, bytes);
    const bool has_hash = area.block != 0 || entry.hash != 0;
    if (has_hash && entry.hash != EntryHash(name, value, Signed::kNo) &&
        entry.hash != EntryHash(name, value, Signed::kYes)) {
      wrong("an attribute's hash is wrong");
    }
    const SortKey key{entry.name_index, entry.name_length, AsText(name)};
    if (at != area.entries && key <= previous) is_sorted = false;
    if (at != area.entries && key == previous) wrong("an attribute twice");
    previous = key;
    at = next;
  }
  if (area.block != 0 && !is_sorted)
    Note(Kind::kXattr, "its attributes are not sorted", area.inode, area.block);
  values.emplace_back(0, at + kEndMark);  // entries and values must not overlap either
  std::sort(values.begin(), values.end());
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i].first < values[i - 1].second) return wrong("an attribute lies on another");
  }
}

void ImageCheck::CheckXattrReferences() {
  for (const auto& [block, seen] : xattr_blocks_) {
    if (seen.says == seen.found) continue;
    Error(Kind::kXattrReferences,
          absl::StrFormat("attributes that count %d inodes, found %d", seen.says, seen.found), 0,
          block);
  }
}

}  // namespace lamina::internal
