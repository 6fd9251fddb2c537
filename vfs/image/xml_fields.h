// The attributes of one XML element, read as a table says.
//
// Threads: pure.
#ifndef LAMINA_VFS_IMAGE_XML_FIELDS_H_
#define LAMINA_VFS_IMAGE_XML_FIELDS_H_

#include <cstdint>
#include <limits>
#include <pugixml.hpp>
#include <span>
#include <string>
#include <string_view>

namespace lamina {

inline constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();

struct XmlField {
  enum class Need : std::uint8_t { kRequired, kOptional };

  const char* name;
  std::uint64_t max;  // the largest number; 0: text
  Need need = Need::kRequired;
  std::uint64_t number = 0;
  std::string text = {};
  bool seen = false;
};

// Fills `fields` from the attributes of `node`; others are skipped. Gives what is wrong; empty:
// nothing. Cost: attributes times fields.
std::string ReadXmlFields(pugi::xml_node node, std::span<XmlField> fields);

}  // namespace lamina
#endif  // LAMINA_VFS_IMAGE_XML_FIELDS_H_
