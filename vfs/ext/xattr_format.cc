#include "vfs/ext/xattr_format.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lamina/base/check.h"

namespace lamina::ext {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kEndBytes = 4;

std::size_t HeaderBytes(XattrPlace place) {
  return place == XattrPlace::kBlock ? sizeof(DiskXattrHeader) : kMagicBytes;
}
// Where value offsets count from.
std::size_t ValueBase(XattrPlace place) { return place == XattrPlace::kBlock ? 0 : kMagicBytes; }

std::size_t Padded(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

// Kernel order: namespace, then length of the name, then bytes.
bool Before(const Attribute& left, const Attribute& right) {
  if (left.key.index != right.key.index) return left.key.index < right.key.index;
  if (left.key.name.size() != right.key.name.size()) {
    return left.key.name.size() < right.key.name.size();
  }
  return left.key.name < right.key.name;
}

// ext4_xattr_hash_entry
std::uint32_t HashOf(const Attribute& attribute) {
  std::uint32_t hash = 0;
  for (const char letter : attribute.key.name) {
    hash = (hash << 5U) ^ (hash >> 27U) ^ static_cast<std::uint8_t>(letter);
  }
  for (std::size_t begin = 0; begin < attribute.value.size(); begin += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, attribute.value.data() + begin,
                std::min<std::size_t>(4, attribute.value.size() - begin));
    hash = (hash << 16U) ^ (hash >> 16U) ^ word;
  }
  return hash;
}

}  // namespace

Result<std::vector<Attribute>> ParseXattrs(Bytes area, XattrPlace place) {
  std::vector<Attribute> attributes;
  if (area.size() < HeaderBytes(place) + kEndBytes) return attributes;
  if (ReadRecord<std::uint32_t>(area) != kXattrMagic) {
    if (place == XattrPlace::kBlock) return Errno::kUClean;
    return attributes;
  }
  if (place == XattrPlace::kBlock) {
    const auto header = ReadRecord<DiskXattrHeader>(area);
    if (header.blocks != 1 || header.references == 0 || header.references > kMaxXattrReferences) {
      return Errno::kUClean;
    }
  }
  std::size_t offset = HeaderBytes(place);
  while (true) {
    if (area.size() - offset < kEndBytes) return Errno::kUClean;
    if (ReadRecord<std::uint32_t>(area, offset) == 0) return attributes;
    if (area.size() - offset < sizeof(DiskXattrEntry)) return Errno::kUClean;
    const auto entry = ReadRecord<DiskXattrEntry>(area, offset);
    const std::size_t length = XattrEntryBytes(entry.name_length);
    if (area.size() - offset < length || entry.value_inode != 0) return Errno::kUClean;
    const std::size_t value = ValueBase(place) + entry.value_offset;
    if (entry.value_size != 0 && (value > area.size() || entry.value_size > area.size() - value)) {
      return Errno::kUClean;
    }
    Attribute attribute;
    attribute.key.index = entry.name_index;
    attribute.key.name = AsText(area.subspan(offset + sizeof(DiskXattrEntry), entry.name_length));
    if (entry.value_size != 0) attribute.value = AsText(area.subspan(value, entry.value_size));
    attributes.push_back(std::move(attribute));
    offset += length;
  }
}

bool FitXattrs(const std::vector<Attribute>& attributes, std::size_t area_bytes, XattrPlace place) {
  std::size_t needed = HeaderBytes(place) + kEndBytes;
  for (const Attribute& each : attributes) {
    needed += XattrEntryBytes(static_cast<std::uint32_t>(each.key.name.size())) +
              Padded(each.value.size());
  }
  return needed <= area_bytes;
}

void FormatXattrs(MutableBytes area, std::vector<Attribute> attributes, XattrPlace place) {
  LAMINA_CHECK(FitXattrs(attributes, area.size(), place));
  std::stable_sort(attributes.begin(), attributes.end(), Before);
  std::fill(area.begin(), area.end(), std::byte{0});
  std::size_t offset = HeaderBytes(place);
  std::size_t end = area.size();
  std::uint32_t block_hash = 0;
  for (const Attribute& each : attributes) {
    DiskXattrEntry entry{};
    entry.name_length = static_cast<std::uint8_t>(each.key.name.size());
    entry.name_index = each.key.index;
    entry.value_size = static_cast<std::uint32_t>(each.value.size());
    if (!each.value.empty()) {
      end -= Padded(each.value.size());
      entry.value_offset = static_cast<std::uint16_t>(end - ValueBase(place));
      std::memcpy(area.data() + end, each.value.data(), each.value.size());
    }
    if (place == XattrPlace::kBlock) {
      entry.hash = HashOf(each);
      block_hash = (block_hash << 16U) ^ (block_hash >> 16U) ^ entry.hash;
    }
    WriteRecord(area, entry, offset);
    std::memcpy(area.data() + offset + sizeof(entry), each.key.name.data(), each.key.name.size());
    offset += XattrEntryBytes(entry.name_length);
  }
  if (place == XattrPlace::kInode) {
    WriteRecord(area, kXattrMagic);
    return;
  }
  // ext4_xattr_rehash: an entry without a hash makes the block one without a hash.
  const bool hashed = std::all_of(attributes.begin(), attributes.end(),
                                  [](const Attribute& each) { return HashOf(each) != 0; });
  WriteRecord(area, DiskXattrHeader{kXattrMagic, 1, 1, hashed ? block_hash : 0, 0, {}});
}

}  // namespace lamina::ext
