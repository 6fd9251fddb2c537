// The mount string of AUFS, taken apart (numbers AUFS-… are those of the reference's scenarios).
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lamina/union/aufs.h"
#include "tests/union/option_rows.h"

namespace lamina {
namespace {

using std::literals::operator""sv;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::size_t kMebibyte = std::size_t{1} << 20U;

std::string Repeat(std::string_view piece, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += piece;
  return text;
}

std::string Described(const AufsDirective& directive) {
  using Kind = AufsDirective::Kind;
  std::string text;
  switch (directive.kind) {
    case Kind::kBranch:
      text = "br:";
      break;
    case Kind::kAdd:
      text = "add:" + std::to_string(directive.index) + ':';
      break;
    case Kind::kAppend:
      text = "append:";
      break;
    case Kind::kPrepend:
      text = "prepend:";
      break;
    case Kind::kDelete:
      text = "del:";
      break;
    case Kind::kModify:
      text = "mod:";
      break;
    case Kind::kOption:
      return directive.option;
  }
  text += directive.path;
  if (directive.mode) text += '=' + FormatAufsMode(*directive.mode);
  return text;
}

// One text for each directive, or the name of the error.
std::vector<std::string> Directives(std::string_view text) {
  const Result<AufsText> parsed = ParseAufsText(text);
  if (!parsed.ok()) return {std::string(ErrnoName(parsed.error()))};
  std::vector<std::string> described;
  for (const AufsDirective& directive : parsed->directives) {
    described.push_back(Described(directive));
  }
  return described;
}

// AUFS-001: which permission a branch has without one is for the mount to say.
TEST(AufsText, EachBranchOfAListIsADirective) {
  EXPECT_THAT(Directives("br:/a:/b:/c"), ElementsAre("br:/a", "br:/b", "br:/c"));
}

// AUFS-002
TEST(AufsText, TheFirstBranchMayBeReadOnly) {
  EXPECT_THAT(Directives("br:/a=ro:/b=rw"), ElementsAre("br:/a=ro", "br:/b=rw"));
}

// AUFS-003
TEST(AufsText, AnUnknownPermissionIsReadOnly) {
  EXPECT_THAT(Directives("br:/a:/b=zz"), ElementsAre("br:/a", "br:/b=ro"));
}

// AUFS-004
TEST(AufsText, AnUnknownAttributeEndsThoseOfItsBranch) {
  EXPECT_THAT(Directives("br:/a=rw+zz+coo_reg:/b=ro+wh+zz+icex"),
              ElementsAre("br:/a=rw", "br:/b=ro+wh"));
}

// AUFS-005
TEST(AufsText, AttributesThatDoNotFitAreDropped) {
  EXPECT_THAT(Directives("br:/a=rw+wh:/b=ro+moo+nolwh"), ElementsAre("br:/a=rw", "br:/b=ro"));
}

// AUFS-006
TEST(AufsText, OfTheOpenAttributesTheLastHolds) {
  EXPECT_THAT(Directives("br:/a=rw+coo_reg+coo_all+moo"), ElementsAre("br:/a=rw+moo"));
}

TEST(AufsText, AnEmptyPermissionIsReadOnly) {
  EXPECT_THAT(Directives("br:/a=:/b="), ElementsAre("br:/a=ro", "br:/b=ro"));
}

TEST(AufsText, EveryWordTakesColonOrEquals) {
  EXPECT_THAT(Directives("br=/a:/b,dirs=/c,dirs:/d"),
              ElementsAre("br:/a", "br:/b", "br:/c", "br:/d"));
  EXPECT_THAT(Directives("add=1:/a,append=/b,prepend=/c,del=/d,mod=/e=rw"),
              ElementsAre("add:1:/a", "append:/b", "prepend:/c", "del:/d", "mod:/e=rw"));
}

TEST(AufsText, VerbsHaveSynonyms) {
  EXPECT_THAT(Directives("ins:2:/a=rr+wh,imod:/b=ro"), ElementsAre("add:2:/a=rr+wh", "mod:/b=ro"));
}

TEST(AufsText, DirectivesKeepTheOrderWritten) {
  EXPECT_THAT(Directives("create=rr,del:/y,add:1:/x=ro,noplink,br:/z,create=mfs"),
              ElementsAre("create=rr", "del:/y", "add:1:/x=ro", "noplink", "br:/z", "create=mfs"));
}

TEST(AufsText, AnIndexOutOfRangeIsForTheMountToRefuse) {
  EXPECT_THAT(Directives("add:-1:/c,add:9223372036854775807:/d"),
              ElementsAre("add:-1:/c", "add:9223372036854775807:/d"));
}

TEST(AufsText, DirPermissionAndIndexAreTakenApart) {
  const Result<AufsText> text = ParseAufsText("add:3:/x=ro+wh");
  ASSERT_TRUE(text.ok());
  ASSERT_THAT(text->directives, SizeIs(1));
  EXPECT_EQ(text->directives[0].kind, AufsDirective::Kind::kAdd);
  EXPECT_EQ(text->directives[0].index, 3);
  EXPECT_EQ(text->directives[0].path, "/x");
  EXPECT_EQ(text->directives[0].mode, ParseAufsMode("ro+wh"));
  EXPECT_EQ(text->directives[0].option, "");
}

TEST(AufsText, PathsKeepTheirBytes) {
  EXPECT_THAT(Directives("br:a b:../c+wh:\\\xff\n=rw"),
              ElementsAre("br:a b", "br:../c+wh", "br:\\\xff\n=rw"));
}

TEST(AufsText, MountFlagsAndEmptyOptionsAreNoDirectives) {
  EXPECT_THAT(Directives("rw,nosuid,nodev,noatime,nodiratime,ro"), IsEmpty());
  EXPECT_THAT(Directives(""), IsEmpty());
  EXPECT_THAT(Directives(",,append:/a=ro+wh,,append:/b,"),
              ElementsAre("append:/a=ro+wh", "append:/b"));
}

TEST(AufsText, OnlyRoMakesItReadOnly) {
  EXPECT_TRUE(ParseAufsText("br:/a,ro,dio")->read_only);
  EXPECT_FALSE(ParseAufsText("br:/a=ro,rw,dio")->read_only);
}

// The string Docker's graph driver builds.
TEST(AufsText, DockersMountStringIsRead) {
  EXPECT_EQ(FormatAufsOptions(*OptionsOf("br:/d/3=rw:/d/2=ro+wh:/d/1=ro+wh,dio,"
                                         "xino=/dev/shm/aufs.xino,dirperm1")),
            "dirperm1,dio");
}

class AufsRefusedText : public testing::TestWithParam<std::string_view> {};

TEST_P(AufsRefusedText, GivesEinval) { EXPECT_THAT(Directives(GetParam()), ElementsAre("EINVAL")); }

INSTANTIATE_TEST_SUITE_P(
    Texts, AufsRefusedText,
    testing::Values("br:", "br::/a", "br:/a:", "br:/a::/b", "br:=rw", "br:/a:=rw", "br:=", "br",
                    "br2:/a", "BR:/a", " br:/a", ":::::", "br:/a\0b"sv, "br:/a\0"sv, "\0"sv,
                    "br:/a=rw:/l=ro,bogus", "add:/a", "add::/a", "add:top:/a", "add:+1:/a",
                    "add:-:/a", "add:--1:/a", "add: 1:/a", "add:1.0:/a",
                    "add:9223372036854775808:/a", "add:1", "add:1:", "add:1:=rw", "add:1:/a:/b",
                    "add:1=/a", "append:", "append:=ro", "append:/a:/b", "append:/a=ro:/b=ro",
                    "prepend:/a:/b", "prepend=", "del:", "del:/a:/b", "del:/a=rw", "mod:", "mod:/a",
                    "mod:=rw", "mod:/a=rw:/b=ro", "idel:1"),
    OptionRowName<std::string_view>);

TEST(AufsText, MoreRecordsThanFitInAPageAreTooMany) {
  const std::string most = "br:/b" + Repeat(":/b", 127);
  EXPECT_THAT(Directives(most), SizeIs(128));
  EXPECT_THAT(Directives(most + ":/b"), ElementsAre("E2BIG"));
  EXPECT_THAT(Directives(most + ",dio"), ElementsAre("E2BIG"));
  EXPECT_THAT(Directives(Repeat("append:/b,", 129)), ElementsAre("E2BIG"));
  EXPECT_THAT(Directives(Repeat("dio,", 129)), ElementsAre("E2BIG"));
}

TEST(AufsText, FlagsAndEmptyOptionsTakeNoRecord) {
  EXPECT_THAT(Directives(Repeat("dio,", 128) + Repeat("nodev,,ro,", 200)), SizeIs(128));
}

TEST(AufsText, TheFirstMistakeIsTold) {
  EXPECT_THAT(Directives(Repeat("dio,", 129) + "bogus"), ElementsAre("E2BIG"));
  EXPECT_THAT(Directives("bogus," + Repeat("dio,", 129)), ElementsAre("EINVAL"));
}

TEST(AufsText, VeryLongTextIsHarmless) {
  EXPECT_THAT(Directives(Repeat(",", kMebibyte)), IsEmpty());
  EXPECT_THAT(Directives("br:/" + Repeat("x", kMebibyte)), ElementsAre(SizeIs(kMebibyte + 4)));
  EXPECT_THAT(Directives("br:/a" + Repeat(":/b", kMebibyte)), ElementsAre("E2BIG"));
  EXPECT_THAT(Directives("br:/a=ro" + Repeat("+fhsm", kMebibyte)), ElementsAre("br:/a=ro+fhsm"));
  EXPECT_THAT(Directives("create=mfs" + Repeat(":1", kMebibyte)), ElementsAre("EINVAL"));
  EXPECT_THAT(Directives("dirwh=" + Repeat("9", kMebibyte)), ElementsAre("EINVAL"));
  EXPECT_THAT(Directives("add:" + Repeat("9", kMebibyte) + ":/a"), ElementsAre("EINVAL"));
}

// A few options, every other text with something put in somewhere.
std::string RandomText(OptionDraw& draw) {
  static constexpr const char* kOptions[] = {"br:/a",
                                             "dirs=/a=rw:/b=ro+wh",
                                             "br=/c:/d:/e=rr",
                                             "add:1:/a",
                                             "ins=-1:/b=rw",
                                             "append:/a=zz",
                                             "prepend=/b=",
                                             "del:/a",
                                             "del=/b",
                                             "mod:/a=ro+wh",
                                             "imod=/b=rw+moo",
                                             "create=tdmfs:1k:2",
                                             "cpup=bup",
                                             "xino=/x",
                                             "noplink",
                                             "rdblk=512",
                                             "rdcache=def",
                                             "ro",
                                             "rw",
                                             ""};
  static constexpr const char* kPieces[] = {"-", "1", "g", ":", ",", "=", "+", "no", "/", "br:"};
  std::string text;
  for (std::size_t more = draw.Below(4) + 1; more > 0; --more) {
    text += draw.From(kOptions);
    if (more > 1) text += ',';
  }
  if (draw.Coin()) text.insert(draw.Below(text.size() + 1), draw.From(kPieces));
  return text;
}

std::string Joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += (text.empty() ? "" : ",") + piece;
  return text;
}

// The first text that is taken apart otherwise once it was put together again; "" when none is.
std::string FirstTextThatChanges(int seed) {
  OptionDraw draw(seed);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = RandomText(draw);
    const std::vector<std::string> directives = Directives(text);
    if (directives == std::vector<std::string>{"EINVAL"}) continue;
    if (Directives(Joined(directives)) != directives) return text;
  }
  return "";
}

class AufsRandomText : public testing::TestWithParam<int> {};

TEST_P(AufsRandomText, DirectivesAreReadAsTheyWereWritten) {
  EXPECT_EQ(FirstTextThatChanges(GetParam()), "");
}

INSTANTIATE_TEST_SUITE_P(Seed, AufsRandomText, testing::Range(1, 5));

}  // namespace
}  // namespace lamina
