#include "tests/image/tar_builder.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace lamina::test {
namespace {

constexpr std::size_t kBlockBytes = 512;

void Put(std::string& block, std::size_t offset, std::size_t size, std::string_view value) {
  const std::size_t length = std::min(size, value.size());
  block.replace(offset, length, value.substr(0, length));
}

std::string Octal(std::uint64_t value, int digits) {
  return absl::StrFormat("%0*o", digits, value);
}

}  // namespace

void FixChecksum(std::string& tar, std::size_t offset) {
  tar.replace(offset + 148, 8, "        ");
  unsigned sum = 0;
  for (std::size_t at = offset; at < offset + kBlockBytes; ++at) {
    sum += static_cast<unsigned char>(tar[at]);
  }
  tar.replace(offset + 148, 8, Octal(sum, 6) + std::string("\0 ", 2));
}

TarBuilder& TarBuilder::Raw(const RawHeader& header) {
  std::string block(kBlockBytes, '\0');
  Put(block, 0, 100, header.name);
  Put(block, 100, 8, Octal(header.mode, 7));
  Put(block, 108, 8, Octal(header.uid, 7));
  Put(block, 116, 8, Octal(header.gid, 7));
  Put(block, 124, 12, header.size.empty() ? Octal(header.body.size(), 11) : header.size);
  Put(block, 136, 12, header.mtime);
  block[156] = header.type;
  Put(block, 157, 100, header.link);
  Put(block, 257, 8, header.magic);
  Put(block, 329, 8, Octal(header.major, 7));
  Put(block, 337, 8, Octal(header.minor, 7));
  FixChecksum(block, 0);
  bytes_ += block;
  return Blocks(header.body);
}

TarBuilder& TarBuilder::File(std::string_view name, std::string_view body) {
  RawHeader header;
  header.name = name;
  header.body = body;
  return Raw(header);
}

TarBuilder& TarBuilder::Dir(std::string_view name, std::uint32_t mode) {
  RawHeader header;
  header.type = '5';
  header.name = name;
  header.mode = mode;
  return Raw(header);
}

TarBuilder& TarBuilder::Symlink(std::string_view name, std::string_view target) {
  RawHeader header;
  header.type = '2';
  header.name = name;
  header.link = target;
  return Raw(header);
}

TarBuilder& TarBuilder::Link(std::string_view name, std::string_view target) {
  RawHeader header;
  header.type = '1';
  header.name = name;
  header.link = target;
  return Raw(header);
}

TarBuilder& TarBuilder::Node(char type, std::string_view name, std::uint32_t major,
                             std::uint32_t minor) {
  RawHeader header;
  header.type = type;
  header.name = name;
  header.major = major;
  header.minor = minor;
  return Raw(header);
}

TarBuilder& TarBuilder::Pax(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string text;
  for (const auto& [key, value] : records) text += PaxRecord(key, value);
  return PaxText(text);
}

TarBuilder& TarBuilder::PaxText(std::string_view text) {
  RawHeader header;
  header.type = 'x';
  header.name = "PaxHeaders/x";
  header.body = text;
  return Raw(header);
}

TarBuilder& TarBuilder::Long(char type, std::string_view name) {
  RawHeader header;
  header.type = type;
  header.name = "././@LongLink";
  header.magic = std::string("ustar  \0", 8);
  header.body = std::string(name) + std::string(1, '\0');
  return Raw(header);
}

TarBuilder& TarBuilder::Blocks(std::string_view bytes) {
  bytes_ += bytes;
  bytes_.append((kBlockBytes - bytes.size() % kBlockBytes) % kBlockBytes, '\0');
  return *this;
}

std::string PaxRecord(std::string_view key, std::string_view value) {
  const std::string rest = absl::StrFormat(" %s=%s\n", key, value);
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) {
    length = std::to_string(length).size() + rest.size();
  }
  return std::to_string(length) + rest;
}

}  // namespace lamina::test
