// TarBuilder: tars byte by byte, right ones and wrong ones.
//
//   TarBuilder tar;
//   tar.Dir("a").File("a/b", "text").Link("a/c", "a/b");
//   ReadLayerTar(tar.Done(), ...);
#ifndef LAMINA_TESTS_IMAGE_TAR_BUILDER_H_
#define LAMINA_TESTS_IMAGE_TAR_BUILDER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lamina::test {

// One header as it stands in the tar; strings are cut to their fields.
struct RawHeader {
  char type = '0';
  std::string name;
  std::string link;
  std::uint32_t mode = 0644;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string size;  // octal digits, or raw bytes of the field; "" means the size of `body`
  std::string mtime = "0";
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::string body;
  std::string magic = std::string(
      "ustar\0"
      "00",
      8);
};

class TarBuilder {
 public:
  TarBuilder& Raw(const RawHeader& header);
  TarBuilder& File(std::string_view name, std::string_view body);
  TarBuilder& Dir(std::string_view name, std::uint32_t mode = 0755);
  TarBuilder& Symlink(std::string_view name, std::string_view target);
  TarBuilder& Link(std::string_view name, std::string_view target);
  TarBuilder& Node(char type, std::string_view name, std::uint32_t major, std::uint32_t minor);
  // A pax header for the next entry, with right lengths.
  TarBuilder& Pax(const std::vector<std::pair<std::string, std::string>>& records);
  // A pax header with this text, whatever it is.
  TarBuilder& PaxText(std::string_view text);
  // A GNU long name ('L') or long link target ('K') for the next entry.
  TarBuilder& Long(char type, std::string_view name);
  // Bytes of a body, filled up to a block.
  TarBuilder& Blocks(std::string_view bytes);

  // With the end mark.
  std::string Done() const { return bytes_ + std::string(1024, '\0'); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// "length key=value\n" with the length that includes itself.
std::string PaxRecord(std::string_view key, std::string_view value);

// Puts the right checksum into the header block that begins at `offset`.
void FixChecksum(std::string& tar, std::size_t offset);

}  // namespace lamina::test
#endif  // LAMINA_TESTS_IMAGE_TAR_BUILDER_H_
