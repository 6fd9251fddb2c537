#include "vfs/image/xml_fields.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_format.h"

namespace lamina {
namespace {

constexpr std::size_t kShownBytes = 40;  // of a value that is wrong

std::string Shown(std::string_view value) {
  std::string shown(value.substr(0, kShownBytes));
  if (value.size() > kShownBytes) shown += "...";
  return shown;
}

// Digits, with or without a `+`, as the tools read them.
std::string ReadNumber(std::string_view value, XmlField& field) {
  const std::string_view digits = value.starts_with('+') ? value.substr(1) : value;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, field.number);
  if (digits.empty() || stop != end || error == std::errc::invalid_argument) {
    return absl::StrFormat("%s=\"%s\" is not a decimal number", field.name, Shown(value));
  }
  if (error == std::errc::result_out_of_range || field.number > field.max) {
    return absl::StrFormat("%s=\"%s\" is larger than %d", field.name, Shown(value), field.max);
  }
  return "";
}

}  // namespace

std::string ReadXmlFields(pugi::xml_node node, std::span<XmlField> fields) {
  for (const pugi::xml_attribute attribute : node.attributes()) {
    const std::string_view name = attribute.name();
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const XmlField& each) { return name == each.name; });
    if (field == fields.end()) continue;
    if (field->seen) return absl::StrFormat("<%s> has %s twice", node.name(), field->name);
    field->seen = true;
    if (field->max == 0) {
      field->text = attribute.value();
    } else if (std::string wrong = ReadNumber(attribute.value(), *field); !wrong.empty()) {
      return wrong;
    }
  }
  for (const XmlField& field : fields) {
    if (!field.seen && field.need == XmlField::Need::kRequired) {
      return absl::StrFormat("<%s> has no attribute %s", node.name(), field.name);
    }
  }
  return "";
}

}  // namespace lamina
