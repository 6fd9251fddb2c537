// What broken or hostile XML must not do: every one is refused with its line, at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "lamina/image/thin_xml.h"

namespace lamina {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// "CODE: message", or "ok".
std::string Outcome(const std::string& text, ThinXmlOptions options = {}) {
  options.file = "p.xml";
  const absl::StatusOr<ThinXmlDocument> document = ReadThinXml(text, options);
  if (document.ok()) return "ok";
  return absl::StatusCodeToString(document.status().code()) + ": " +
         std::string(document.status().message());
}

const std::string kSuperblock =  // line 1
    "<superblock uuid=\"\" time=\"1\" transaction=\"3\" flags=\"0\" version=\"2\" "
    "data_block_size=\"128\" nr_data_blocks=\"16\">\n";
const std::string kDevice =  // line 2
    "  <device dev_id=\"1\" mapped_blocks=\"4\" transaction=\"0\" creation_time=\"0\" "
    "snap_time=\"1\">\n";
const std::string kEnd = "  </device>\n</superblock>\n";

// `mappings` begin on line 3.
std::string Pool(const std::string& mappings) { return kSuperblock + kDevice + mappings + kEnd; }

std::string Range(const std::string& origin, const std::string& data, const std::string& length,
                  const std::string& time = "0") {
  return "    <range_mapping origin_begin=\"" + origin + "\" data_begin=\"" + data +
         "\" length=\"" + length + "\" time=\"" + time + "\"/>\n";
}

std::string Without(std::string text, const std::string& what) {
  return text.erase(text.find(what), what.size());
}

struct Case {
  std::string name;
  std::string text;
  std::string outcome;  // a part of the message
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

const char kHuge[] = "18446744073709551615";

class ThinXmlRefuses : public ::testing::TestWithParam<Case> {};

TEST_P(ThinXmlRefuses, It) {
  EXPECT_THAT(Outcome(GetParam().text),
              AllOf(StartsWith("INVALID_ARGUMENT: p.xml:"), HasSubstr(GetParam().outcome)));
}

std::vector<Case> Structures() {
  return {
      {"Nothing", "", ":1:1: no <superblock>"},
      {"Blanks", " \n\t\n", ":3:1: no <superblock>"},
      {"TextOnly", "hello", ":1:1: text outside <superblock>"},
      {"OtherRoot", "\n<pool/>", ":2:2: unknown element <pool>"},
      {"Unclosed", kSuperblock + kDevice, ":2:88: not well-formed: "},
      {"WrongEnd", kSuperblock + kDevice + "</superblock>\n", ":3:"},
      {"NulByte", kSuperblock + std::string("\0", 1), ":2:1: not well-formed: a NUL byte"},
      {"Second", Pool("") + kSuperblock + "</superblock>", ":5:2: a second element"},
      {"Trailing", Pool("") + "junk", ":5:1: text outside <superblock>"},
      {"UnknownElement", Pool("    <mapping/>\n"), ":3:6: unknown element <mapping>"},
      {"DeviceInDevice", Pool(kDevice + "</device>\n"), ":3:4: <device> inside <device>"},
      {"MappingOutside", kSuperblock + Range("0", "0", "2") + "</superblock>",
       ":2:6: <range_mapping> outside a device"},
      {"ElementInMapping",
       Pool("<single_mapping origin_block=\"0\" data_block=\"0\" time=\"0\">\n"
            "<x/></single_mapping>"),
       ":4:2: <x> inside <single_mapping>"},
      {"SecondDevice", Pool("</device>\n" + kDevice), ":4:4: a second device 1"},
      {"RefToNothing", Pool("<ref name=\"a\"/>"), ":3:2: no def \"a\" stands before"},
      {"DefTwice", kSuperblock + "<def name=\"a\"/>\n<def name=\"a\"/></superblock>",
       ":3:2: a second def \"a\""},
      {"RefToItself", kSuperblock + "<def name=\"a\"><ref name=\"a\"/></def></superblock>",
       ":2:16: no def \"a\" stands before"},
  };
}

std::vector<Case> Attributes() {
  return {
      {"NoUuid", Without(Pool(""), "uuid=\"\""), ":1:2: <superblock> has no attribute uuid"},
      {"NoTime", Without(Pool(""), "time=\"1\""), ":1:2: <superblock> has no attribute time"},
      {"NoBlocks", Without(Pool(""), "nr_data_blocks=\"16\""), "no attribute nr_data_blocks"},
      {"NoId", Without(Pool(""), "dev_id=\"1\""), ":2:4: <device> has no attribute dev_id"},
      {"NoMapped", Without(Pool(""), "mapped_blocks=\"4\""), "no attribute mapped_blocks"},
      {"NoLength", Without(Pool(Range("0", "0", "2")), "length=\"2\""),
       ":3:6: <range_mapping> has no attribute length"},
      {"NoName", Pool("<ref/>"), ":3:2: <ref> has no attribute name"},
      {"Twice", Pool("<range_mapping length=\"2\" length=\"2\"/>"),
       ":3:2: <range_mapping> has length twice"},
      {"Hex", Pool(Range("0", "0", "0x2")), ":3:6: length=\"0x2\" is not a decimal number"},
      {"Word", Pool(Range("0", "0", "two")), ":3:6: length=\"two\" is not a decimal number"},
      {"Fraction", Pool(Range("0", "0", "2.0")), "length=\"2.0\" is not a decimal number"},
      {"Negative", Pool(Range("0", "0", "-2")), "length=\"-2\" is not a decimal number"},
      {"Empty", Pool(Range("0", "0", "")), "length=\"\" is not a decimal number"},
      {"LongWord", Pool(Range("0", "0", std::string(500, 'x'))),
       "length=\"" + std::string(40, 'x') + "...\" is not a decimal number"},
      {"TooLarge", Pool(Range("0", "0", "18446744073709551616")),
       ":3:6: length=\"18446744073709551616\" is larger than 18446744073709551615"},
      {"TimeTooLarge", Pool(Range("0", "0", "2", "4294967296")),
       "time=\"4294967296\" is larger than 4294967295"},
      {"Entity", "<!DOCTYPE s [<!ENTITY a \"1\">]>\n" + Pool(Range("0", "0", "&a;")),
       ":4:60: an & that begins no entity XML knows"},
      {"EntityInTheUuid", "<superblock uuid=\"&a;\"/>", ":1:19: an & that begins no entity"},
      {"BareAmpersand", "<superblock uuid=\"a&b\"/>", ":1:20: an & that begins no entity"},
      {"OpenEntity", "<superblock uuid=\"&#12\"/>", ":1:19: an & that begins no entity"},
      {"EmptyReference", "<superblock uuid=\"&#x;\"/>", ":1:19: an & that begins no entity"},
  };
}

std::vector<Case> Ranges() {
  return {
      {"PastThePool", Pool(Range("0", "15", "2")), ":3:6: data block 16 is past the pool's 16"},
      {"HugeLength", Pool(Range("0", "0", kHuge)), ":3:6: data block"},
      {"HugeOrigin", Pool(Range(kHuge, "0", "2")), ":3:6: the mapping passes block 2^64 - 1"},
      {"HugeData", Pool(Range("0", kHuge, "2")), ":3:6: the mapping passes block 2^64 - 1"},
      {"AllHuge", Pool(Range(kHuge, kHuge, kHuge)), ":3:6: the mapping passes block 2^64 - 1"},
      {"Time", Pool(Range("0", "0", "2", "16777216")), ":3:6: time 16777216 needs more than 24"},
  };
}

std::string NameOf(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Structure, ThinXmlRefuses, ::testing::ValuesIn(Structures()), NameOf);
INSTANTIATE_TEST_SUITE_P(Attribute, ThinXmlRefuses, ::testing::ValuesIn(Attributes()), NameOf);
INSTANTIATE_TEST_SUITE_P(Range, ThinXmlRefuses, ::testing::ValuesIn(Ranges()), NameOf);

// ── size ───────────────────────────────────────────────────────────────────────────────────────

std::string Repeated(const std::string& text, int times) {
  std::string whole;
  for (int i = 0; i < times; ++i) whole += text;
  return whole;
}

TEST(ThinXmlHostile, DeepNestingIsAnErrorAtTheFirstWrongElement) {
  EXPECT_THAT(Outcome(kSuperblock + Repeated("<a>", 1'000'000) + Repeated("</a>", 1'000'000) +
                      "</superblock>"),
              HasSubstr("p.xml:2:2: unknown element <a>"));
  EXPECT_THAT(Outcome(Repeated("<superblock>", 1'000'000)), HasSubstr("p.xml:1:"));
}

// Each entity is ten of the one before; nothing is ever put in its place.
TEST(ThinXmlHostile, AnEntityBombStaysText) {
  std::string bomb = "<!DOCTYPE s [<!ENTITY a0 \"1\">\n";
  for (int i = 1; i < 30; ++i) {
    const std::string before = "&a" + std::to_string(i - 1) + ';';
    bomb += "<!ENTITY a" + std::to_string(i) + " \"" + Repeated(before, 10) + "\">\n";
  }
  EXPECT_THAT(Outcome(bomb + "]>\n" + Pool(Range("&a29;", "0", "2"))),
              HasSubstr("p.xml:34:34: an & that begins no entity XML knows"));
}

// A def of defs of defs doubles its mappings each time.
TEST(ThinXmlHostile, ABombOfDefsEndsAtTheLimit) {
  std::string text = kSuperblock + "<def name=\"0\">" + Range("0", "0", "2") + "</def>\n";
  for (int i = 1; i < 100; ++i) {
    const std::string before = "<ref name=\"" + std::to_string(i - 1) + "\"/>";
    text += "<def name=\"" + std::to_string(i) + "\">" + before + before + "</def>\n";
  }
  ThinXmlOptions options;
  options.max_runs = 1000;
  EXPECT_THAT(
      Outcome(text + "</superblock>", options),
      AllOf(StartsWith("RESOURCE_EXHAUSTED: p.xml:12:"), HasSubstr("more than 1000 mappings")));
}

TEST(ThinXmlHostile, LimitsOfElementsMappingsAndBytes) {
  const std::string text = Pool(Repeated(Range("0", "0", "2"), 100));
  ThinXmlOptions options;
  options.max_runs = 99;
  EXPECT_THAT(Outcome(text, options), StartsWith("RESOURCE_EXHAUSTED: p.xml:102:6: more than 99"));
  options.max_runs = 100;
  EXPECT_EQ(Outcome(text, options), "ok");
  options.max_elements = 10;
  EXPECT_THAT(Outcome(text, options), HasSubstr("p.xml:1:1: more than 10 elements"));
  options.max_bytes = 100;
  EXPECT_THAT(Outcome(text, options), HasSubstr("p.xml:1:1: more than 100 bytes"));
}

TEST(ThinXmlHostile, AMillionAttributesOfOneElement) {
  std::string text = "<superblock ";
  for (int i = 0; i < 1'000'000; ++i) text += "a=\"\" ";
  EXPECT_THAT(Outcome(text + "/>"), HasSubstr("p.xml:1:2: <superblock> has no attribute uuid"));
}

TEST(ThinXmlHostile, EveryPrefixIsRefusedOrRead) {
  const std::string text = Pool(Range("0", "0", "2") + Range("9", "9", "2"));
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    ASSERT_THAT(Outcome(text.substr(0, length)), StartsWith("INVALID_ARGUMENT: p.xml:")) << length;
  }
}

}  // namespace
}  // namespace lamina
