#include "vfs/image/tar_reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/base/bytes.h"
#include "lamina/base/check.h"

namespace lamina {
namespace {

constexpr std::size_t kCopyBytes = 64 * 1024;
constexpr std::uint64_t kMaxBodyBytes = std::uint64_t{1} << 62U;

std::uint64_t PaddingAfter(std::uint64_t size_bytes) {
  return (kTarBlockBytes - size_bytes % kTarBlockBytes) % kTarBlockBytes;
}

// The kinds of header that describe the entry behind them.
bool IsExtension(char type) {
  return type == 'x' || type == 'X' || type == 'g' || type == 'L' || type == 'K';
}

std::optional<TarEntryType> EntryType(const TarHeader& header, std::string_view name) {
  switch (header.type) {
    case '\0':
    case '0':
      // v7 had no type for directories.
      return name.ends_with('/') ? TarEntryType::kDirectory : TarEntryType::kFile;
    case '7':
    case 'S':
      return TarEntryType::kFile;
    case '1':
      return TarEntryType::kHardLink;
    case '2':
      return TarEntryType::kSymlink;
    case '3':
      return TarEntryType::kCharDevice;
    case '4':
      return TarEntryType::kBlockDevice;
    case '5':
    case 'D':  // GNU incremental: a list of names as its body
      return TarEntryType::kDirectory;
    case '6':
      return TarEntryType::kFifo;
    case 'V':
      return TarEntryType::kVolumeName;
    default:
      return std::nullopt;
  }
}

absl::Status Truncated(std::string_view where) {
  return absl::DataLossError(absl::StrFormat("truncated: the tar ends %s", where));
}

// Links, devices, directories and fifos end with their header: a size there is a hint, or what an
// old writer left behind.
bool HasBody(const TarHeader& header) { return header.type < '1' || header.type > '6'; }

void ApplyRecords(const PaxRecords& records, TarHeader& header) {
  if (records.path.has_value()) header.name = *records.path;
  if (records.sparse_name.has_value()) header.name = *records.sparse_name;
  if (records.link.has_value()) header.link = *records.link;
  if (records.size_bytes.has_value()) header.size_bytes = *records.size_bytes;
  if (records.uid.has_value()) header.uid = *records.uid;
  if (records.gid.has_value()) header.gid = *records.gid;
  if (records.mtime.has_value()) header.mtime = *records.mtime;
  if (records.atime.has_value()) header.atime = *records.atime;
  if (records.ctime.has_value()) header.ctime = *records.ctime;
  if (records.major.has_value()) header.major = *records.major;
  if (records.minor.has_value()) header.minor = *records.minor;
}

}  // namespace

absl::Status TarReader::ReadBlock(TarBlock& block) {
  const absl::StatusOr<std::size_t> size = input_.Read(block.data(), block.size());
  if (!size.ok()) return size.status();
  if (*size == block.size()) return absl::OkStatus();
  return Truncated(*size == 0 ? "without its end mark" : "in the middle of a block");
}

absl::Status TarReader::SkipRest() {
  const std::uint64_t rest = body_left_bytes_ + padding_bytes_;
  const bool in_body = body_left_bytes_ > 0;
  body_left_bytes_ = 0;
  padding_bytes_ = 0;
  const absl::StatusOr<std::uint64_t> passed = input_.Skip(rest);
  if (!passed.ok()) return passed.status();
  if (*passed == rest) return absl::OkStatus();
  return Truncated(in_body ? "in the body of an entry" : "behind the body of an entry");
}

// One block of zeros has been read. A second one, or the end of the input, ends the tar; what
// follows is the padding of the tape.
absl::Status TarReader::ReadTrailer() {
  TarBlock block;
  const absl::StatusOr<std::size_t> size = input_.Read(block.data(), block.size());
  if (!size.ok()) return size.status();
  if (*size == block.size() && !IsZeroBlock(block)) {
    return absl::DataLossError("a lone block of zeros in the middle of the tar");
  }
  const absl::StatusOr<std::uint64_t> rest = input_.Skip(~std::uint64_t{0});
  return rest.status();
}

absl::StatusOr<bool> TarReader::ReadHeader(TarBlock& block) {
  if (absl::Status skipped = SkipRest(); !skipped.ok()) return skipped;
  header_offset_bytes_ = input_.position();
  if (absl::Status read = ReadBlock(block); !read.ok()) return read;
  return !IsZeroBlock(block);
}

absl::StatusOr<std::string> TarReader::ReadExtensionText(const TarHeader& header,
                                                         Extensions& extensions) {
  if (header.size_bytes > limits_.max_header_bytes ||
      extensions.bytes + header.size_bytes > limits_.max_header_bytes) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "extension headers of more than %d bytes (max_header_bytes)", limits_.max_header_bytes));
  }
  extensions.bytes += header.size_bytes;
  // Memory grows with what is there, not with what is claimed.
  std::string text;
  while (text.size() < header.size_bytes) {
    const std::size_t before = text.size();
    const std::size_t part = std::min<std::uint64_t>(kCopyBytes, header.size_bytes - before);
    text.resize(before + part);
    const absl::StatusOr<std::size_t> size = input_.Read(text.data() + before, part);
    if (!size.ok()) return size.status();
    if (*size < part) return Truncated("in an extension header");
  }
  padding_bytes_ = PaddingAfter(header.size_bytes);
  return text;
}

absl::Status TarReader::ReadExtension(const TarHeader& header, Extensions& extensions) {
  absl::StatusOr<std::string> text = ReadExtensionText(header, extensions);
  if (!text.ok()) return text.status();
  const PaxLimits limits{limits_.max_xattr_bytes, limits_.max_sparse_extents};
  if (header.type == 'g') return ParsePaxRecords(*text, limits, global_);
  extensions.any = true;
  if (header.type != 'L' && header.type != 'K') {
    return ParsePaxRecords(*text, limits, extensions.records);
  }
  const std::size_t end = std::min(text->find('\0'), text->size());
  if (text->find_first_not_of('\0', end) != std::string::npos) {
    return absl::InvalidArgumentError("a long name has a NUL");
  }
  text->resize(end);
  (header.type == 'L' ? extensions.gnu_name : extensions.gnu_link) = *std::move(text);
  return absl::OkStatus();
}

absl::StatusOr<bool> TarReader::Next(TarEntry& entry) {
  Extensions extensions;
  while (true) {
    TarBlock block;
    const absl::StatusOr<bool> found = ReadHeader(block);
    if (!found.ok()) return found.status();
    if (!*found) {
      if (extensions.any) return absl::DataLossError("the tar ends behind an extension header");
      if (absl::Status trailer = ReadTrailer(); !trailer.ok()) return trailer;
      return false;
    }
    absl::StatusOr<TarHeader> header = ParseTarHeader(block);
    if (!header.ok()) return header.status();
    if (IsExtension(header->type)) {
      absl::Status read = ReadExtension(*header, extensions);
      if (!read.ok()) return read;
      continue;
    }
    absl::Status assembled = Assemble(*std::move(header), block, std::move(extensions), entry);
    if (!assembled.ok()) return assembled;
    return true;
  }
}

absl::Status TarReader::Assemble(TarHeader header, const TarBlock& block, Extensions extensions,
                                 TarEntry& entry) {
  if (!extensions.gnu_name.empty()) header.name = std::move(extensions.gnu_name);
  if (!extensions.gnu_link.empty()) header.link = std::move(extensions.gnu_link);
  ApplyRecords(global_, header);
  ApplyRecords(extensions.records, header);

  entry = TarEntry{};
  entry.offset_bytes = header_offset_bytes_;
  entry.name = std::move(header.name);
  entry.link = std::move(header.link);
  const std::optional<TarEntryType> type = EntryType(header, entry.name);
  if (!type.has_value()) {
    return absl::InvalidArgumentError(absl::StrFormat("an entry of unknown type 0x%02x",
                                                      static_cast<unsigned char>(header.type)));
  }
  entry.type = *type;
  entry.mode = header.mode;
  entry.uid = header.uid;
  entry.gid = header.gid;
  entry.mtime = header.mtime;
  entry.atime = header.atime.value_or(header.mtime);
  entry.ctime = header.ctime.value_or(header.mtime);
  entry.major = header.major;
  entry.minor = header.minor;
  entry.xattrs = std::move(extensions.records.xattrs);
  for (const auto& xattr : global_.xattrs) entry.xattrs.insert(xattr);
  entry.ignored_records = extensions.records.ignored + std::exchange(global_.ignored, 0);

  if (header.size_bytes > kMaxBodyBytes) {
    return absl::ResourceExhaustedError("a body that no file system could hold");
  }
  body_left_bytes_ = HasBody(header) ? header.size_bytes : 0;
  padding_bytes_ = PaddingAfter(body_left_bytes_);
  if (entry.type != TarEntryType::kFile) return absl::OkStatus();
  return ReadExtents(block, header.type, extensions.records, entry);
}

absl::Status TarReader::ReadExtents(const TarBlock& block, char type, const PaxRecords& records,
                                    TarEntry& entry) {
  entry.size_bytes = body_left_bytes_;
  absl::Status read = absl::OkStatus();
  bool sparse = true;
  if (type == 'S') {
    read = ReadOldExtents(block, entry);
  } else if (records.sparse_major == 1) {
    entry.size_bytes = records.sparse_size_bytes.value_or(body_left_bytes_);
    read = ReadInlineMap(entry);
  } else if (records.sparse_map.has_value() || records.sparse_size_bytes.has_value()) {
    entry.size_bytes = records.sparse_size_bytes.value_or(body_left_bytes_);
    entry.extents = records.sparse_map.value_or(SparseMap{});
  } else {
    sparse = false;
    if (body_left_bytes_ > 0) entry.extents.push_back({0, body_left_bytes_});
  }
  if (!read.ok()) return read;
  if (sparse) {
    read = CheckSparseMap(entry.extents, entry.size_bytes, body_left_bytes_);
    if (!read.ok()) return read;
  }
  return CheckSizes(entry);
}

absl::Status TarReader::ReadOldExtents(const TarBlock& block, TarEntry& entry) {
  const absl::StatusOr<OldSparseHeader> old =
      ParseOldSparse(block, limits_.max_sparse_extents, entry.extents);
  if (!old.ok()) return old.status();
  entry.size_bytes = old->real_size_bytes;
  bool more = old->extended;
  while (more) {
    TarBlock extension;
    if (absl::Status read = ReadBlock(extension); !read.ok()) return read;
    const absl::StatusOr<bool> parsed =
        ParseOldSparseExtension(extension, limits_.max_sparse_extents, entry.extents);
    if (!parsed.ok()) return parsed.status();
    // An extension without pairs that promises another one would never end.
    if (*parsed && extension[0] == '\0') {
      return absl::InvalidArgumentError("the sparse map has an empty extension");
    }
    more = *parsed;
  }
  return absl::OkStatus();
}

// Format 1.0: the map is decimal lines, filled up to a block, counted in the size of the body.
absl::Status TarReader::ReadInlineMap(TarEntry& entry) {
  SparseLines lines(limits_.max_sparse_extents);
  while (!lines.complete()) {
    TarBlock block;
    if (body_left_bytes_ < block.size()) {
      return absl::InvalidArgumentError("the sparse map passes the end of the body");
    }
    if (absl::Status read = ReadBlock(block); !read.ok()) return read;
    body_left_bytes_ -= block.size();
    absl::Status added = lines.Add({block.data(), block.size()});
    if (!added.ok()) return added;
  }
  entry.extents = lines.TakeMap();
  return absl::OkStatus();
}

absl::Status TarReader::CheckSizes(const TarEntry& entry) {
  if (entry.size_bytes > limits_.max_file_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("a file of %d bytes; the limit is %d (max_file_bytes)", entry.size_bytes,
                        limits_.max_file_bytes));
  }
  if (body_left_bytes_ > limits_.max_total_bytes - content_bytes_) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "more than %d bytes of content (max_total_bytes)", limits_.max_total_bytes));
  }
  content_bytes_ += body_left_bytes_;
  return absl::OkStatus();
}

absl::Status TarReader::ReadBody(const TarEntry& entry, PagedBytes& content) {
  std::array<char, kCopyBytes> buffer;
  for (const SparseExtent& extent : entry.extents) {
    std::uint64_t done = 0;
    while (done < extent.length_bytes) {
      const std::size_t part = std::min<std::uint64_t>(buffer.size(), extent.length_bytes - done);
      LAMINA_CHECK(part <= body_left_bytes_);
      const absl::StatusOr<std::size_t> size = input_.Read(buffer.data(), part);
      if (!size.ok()) return size.status();
      if (*size < part) return Truncated("in the body of an entry");
      content.Write(extent.offset_bytes + done, AsBytes({buffer.data(), part}));
      body_left_bytes_ -= part;
      done += part;
    }
  }
  content.Resize(entry.size_bytes);
  return absl::OkStatus();
}

}  // namespace lamina
