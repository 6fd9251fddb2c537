#include "sim/scenario/text_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/scenario/content.h"
#include "sim/scenario/digest.h"
#include "sim/scenario/identity.h"

namespace lamina::sim::internal {
namespace {

TEST(ScenarioText, EscapesQuotesAndUnprintableBytes) {
  EXPECT_EQ(EscapeText("a\"b\\c\n\x7f\xc3 d"), R"(a\"b\\c\x0a\x7f\xc3 d)");
}

TEST(ScenarioText, EscapesBlanksInNames) {
  EXPECT_EQ(EscapeText("a b", Blanks::kEscape), R"(a\x20b)");
}

TEST(ScenarioText, QuotesAnArgumentOnlyWhenItHasTo) {
  EXPECT_EQ(ShowArgument("/a/b"), "/a/b");
  EXPECT_EQ(ShowArgument(""), "\"\"");
  EXPECT_EQ(ShowArgument("a b"), "\"a b\"");
  EXPECT_EQ(ShowArgument("a#b"), "\"a#b\"");
  EXPECT_EQ(ShowArgument("\x01"), R"("\x01")");
}

TEST(ScenarioText, ShowsTimesBelowTheLimitExactly) {
  EXPECT_EQ(ShowTime(InstantFromSeconds(1000)), "1000");
  EXPECT_EQ(ShowTime(InstantFromSeconds(1, 500'000'000)), "1.500000000");
  EXPECT_EQ(ShowTime(Instant{-1}), "-1.999999999");
  EXPECT_EQ(ShowTime(kNowLimit), "now");
  EXPECT_EQ(ShowTime(Instant{kNowLimit.virtual_ns - 1}), "999999999.999999999");
}

TEST(ScenarioText, ShowsUpTo64BytesAndThenTheirDigest) {
  EXPECT_EQ(ShowContent(std::string(64, 'a')), '"' + std::string(64, 'a') + '"');
  // printf %065d 0 | tr 0 a | sha256sum
  EXPECT_EQ(ShowContent(std::string(65, 'a')),
            "sha256:635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0 len=65");
}

TEST(ScenarioText, DigestIsSha256) {
  Digest digest;
  digest.Add(AsBytes("a"));
  digest.Add(AsBytes("bc"));
  EXPECT_EQ(digest.Hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(OverlayScenarioText, HidesFileHandlesAndUuids) {
  EXPECT_EQ(ShowXattr("trusted.overlay.origin", "xyz"), "<fh>");
  EXPECT_EQ(ShowXattr("user.overlay.upper", ""), "\"\"");
  EXPECT_EQ(ShowXattr("user.overlay.uuid", "1234"), "<uuid>");
  EXPECT_EQ(ShowXattr("trusted.overlay.opaque", "y"), "\"y\"");
  EXPECT_EQ(ShowXattr("user.origin", "y"), "\"y\"");
}

TEST(ScenarioText, ListsEntriesSortedWithoutDots) {
  EXPECT_EQ(ShowEntries({{".", FileType::kDirectory, 1},
                         {"b", FileType::kRegular, 2},
                         {"a b", FileType::kSymlink, 3},
                         {"..", FileType::kDirectory, 1}}),
            R"([a\x20b:l b:f])");
}

struct ContentCase {
  std::string name;
  std::string text;
  std::string bytes;
};

class ScenarioContent : public testing::TestWithParam<ContentCase> {};

TEST_P(ScenarioContent, Expands) { EXPECT_EQ(ExpandContent(GetParam().text), GetParam().bytes); }

INSTANTIATE_TEST_SUITE_P(Forms, ScenarioContent,
                         testing::Values(ContentCase{"Literal", "fil:x:3", "fil:x:3"},
                                         ContentCase{"Fill", "fill:x:3", "xxx"},
                                         ContentCase{"FillOfSeveralBytes", "fill:ab:2", "abab"},
                                         ContentCase{"FillOfNothing", "fill::9", ""},
                                         ContentCase{"NegativeLength", "fill:x:-1", ""},
                                         ContentCase{"Hex", "hex:41 42", "AB"},
                                         ContentCase{"Pattern", "pat:1:3", "\x1f\x26\x2d"},
                                         ContentCase{"Sized", "fill:x:1KiB",
                                                     std::string(1024, 'x')}),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(ScenarioContentPattern, CountsBlocksOf256Bytes) {
  const std::string bytes = ExpandContent("pat:0:300");
  EXPECT_EQ(static_cast<unsigned char>(bytes[299]), (299 * 7 + 1) & 255);
}

TEST(ScenarioIdentity, NumbersClassesInOrderOfAppearance) {
  IdentityClasses classes;
  EXPECT_EQ(classes.InodeClass(1, 10), "i1");
  EXPECT_EQ(classes.InodeClass(1, 11), "i2");
  EXPECT_EQ(classes.InodeClass(1, 10), "i1");
  EXPECT_EQ(classes.InodeClass(2, 10), "i3");
}

TEST(ScenarioIdentity, KeepsTheClassOfAMountThatGotAnotherDevice) {
  IdentityClasses classes;
  classes.NameInEpoch(7, "mnt:merged");
  EXPECT_EQ(classes.InodeClass(7, 1), "i1");
  classes.BeginEpoch();
  classes.NameInEpoch(8, "mnt:merged");
  EXPECT_EQ(classes.InodeClass(8, 1), "i1");
  EXPECT_EQ(classes.InodeClass(7, 1), "i2");
}

}  // namespace
}  // namespace lamina::sim::internal
