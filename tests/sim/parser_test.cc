#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "lamina/sim/scenario.h"
#include "tests/sim/scenario_run.h"

namespace lamina::sim {
namespace {

struct ErrorCase {
  std::string name;
  std::string text;
  std::string message;
};

class ScenarioParserError : public testing::TestWithParam<ErrorCase> {};

TEST_P(ScenarioParserError, NamesFileLineAndColumn) {
  EXPECT_EQ(ParseError(GetParam().text), GetParam().message);
}

constexpr char kTwo[] = "scenario 2\n";

INSTANTIATE_TEST_SUITE_P(
    VersionOne, ScenarioParserError,
    testing::Values(
        ErrorCase{"UnknownOperation", "layer a\n frobnicate /x",
                  "t.scn:2:2: unknown operation 'frobnicate'"},
        ErrorCase{"Bytes", std::string("\x01\x7f", 2) + std::string(50, 'x'),
                  "t.scn:1:1: unknown operation '\\x01\\x7f" + std::string(38, 'x') + "...'"},
        ErrorCase{"UnknownVersion", "scenario 3", "t.scn:1:10: '3' is none of: 1 2"},
        ErrorCase{"TooFew", "put /f 0644", "t.scn:1:1: `put` needs 3 arguments, got 2"},
        ErrorCase{"TooMany", "stat /f /g",
                  "t.scn:1:9: too many arguments for `stat`, which takes 1 at most"},
        ErrorCase{"ModeDigits", "mkdir /d 0799", "t.scn:1:10: '0799' is not an octal mode"},
        ErrorCase{"ModeRange", "mkdir /d 10000", "t.scn:1:10: a mode is octal, 0 to 7777"},
        ErrorCase{"Number", "truncate /f x", "t.scn:1:13: 'x' is not a decimal number"},
        ErrorCase{"NumberTooLarge", "truncate /f 9223372036854775808",
                  "t.scn:1:13: '9223372036854775808' is not a decimal number"},
        ErrorCase{"SizeNeedsTwo", "truncate /f 4KiB", "t.scn:1:13: '4KiB' is not a decimal number"},
        ErrorCase{"Owner", "chown /f -2 0", "t.scn:1:10: -2 is not between -1 and 4294967295"},
        ErrorCase{"Time", "utimens /f 1.x 2",
                  "t.scn:1:12: '1.x' is not a time in seconds[.fraction]"},
        ErrorCase{"XattrMode", "setxattr /f user.a v force",
                  "t.scn:1:22: 'force' is none of: \"\" create replace"},
        ErrorCase{"RenameFlags", "rename /a /b swap",
                  "t.scn:1:14: 'swap' is none of: noreplace exchange whiteout"},
        ErrorCase{"OpenFlags", "open h /f rdonly,fast",
                  "t.scn:1:11: 'rdonly,fast' is not a list of open flags"},
        ErrorCase{"OpenFlagsConflict", "open h /f wronly,rdwr",
                  "t.scn:1:11: 'wronly,rdwr' is not a list of open flags"},
        ErrorCase{"DeviceType", "mknod /n 0600 x 1 1", "t.scn:1:15: 'x' is none of: c b"},
        ErrorCase{"Access", "access /f rq", "t.scn:1:11: 'rq' has letters other than rwxf"},
        ErrorCase{"ContentForm", "put /f 0644 fill:x",
                  "t.scn:1:13: 'fill:x' needs the form KIND:WHAT:LENGTH"},
        ErrorCase{"ContentHex", "put /f 0644 hex:4",
                  "t.scn:1:13: 'hex:4' is not pairs of hexadecimal digits"},
        ErrorCase{"ContentTooLarge", "put /f 0644 fill:x:268435457",
                  "t.scn:1:13: 'fill:x:268435457' is more than 268435456 bytes"},
        ErrorCase{"ReadTooLarge", "read /f 0 268435457",
                  "t.scn:1:11: 268435457 is not between -9223372036854775807 and 268435456"},
        ErrorCase{"NulInPath", R"(stat "/a\0")", "t.scn:1:6: a NUL byte in a name"},
        ErrorCase{"LayerOption", "layer a size=3", "t.scn:1:9: expected fs=NAME or from SOURCE"},
        ErrorCase{"LayerName", "layer a/b",
                  "t.scn:1:7: the name of a layer must not contain '/', '@' or control bytes"},
        ErrorCase{"UpperNotLast", "stack upper a", "t.scn:1:7: the upper stands last"},
        ErrorCase{"Lexer", "layer a\nput /f 0644 \"x", "t.scn:2:13: unterminated string"}),
    [](const auto& parameter) { return parameter.param.name; });

INSTANTIATE_TEST_SUITE_P(
    NeedsVersionTwo, ScenarioParserError,
    testing::Values(
        ErrorCase{"Title", "title x", "t.scn:1:1: `title` needs `scenario 2` as the first line"},
        ErrorCase{"Expect", "scenario 1\nexpect copy_ups == 1",
                  "t.scn:2:1: `expect` needs `scenario 2` as the first line"},
        ErrorCase{"Ask", "ask q", "t.scn:1:1: `ask` needs `scenario 2` as the first line"},
        ErrorCase{"Repeat", "repeat 2", "t.scn:1:1: `repeat` needs `scenario 2` as the first line"},
        ErrorCase{"Rand", "rand ops=2", "t.scn:1:1: `rand` needs `scenario 2` as the first line"},
        ErrorCase{"Driver", "driver overlay",
                  "t.scn:1:1: `driver` needs `scenario 2` as the first line"},
        ErrorCase{"Whiteout", "whiteout /a",
                  "t.scn:1:1: `whiteout` needs `scenario 2` as the first line"},
        ErrorCase{"Opaque", "opaque /a",
                  "t.scn:1:1: `opaque` needs `scenario 2` as the first line"},
        ErrorCase{"Workload", "workload x",
                  "t.scn:1:1: `workload` needs `scenario 2` as the first line"},
        ErrorCase{"From", "layer a from dir:x",
                  "t.scn:1:9: `layer … from` needs `scenario 2` as the first line"},
        ErrorCase{"Arrow", "stat /a -> ENOENT",
                  "t.scn:1:9: too many arguments for `stat`, which takes 1 at most"},
        ErrorCase{"LateVersion", "layer a\nscenario 2",
                  "t.scn:2:1: `scenario 2` must be the first statement"}),
    [](const auto& parameter) { return parameter.param.name; });

INSTANTIATE_TEST_SUITE_P(
    VersionTwo, ScenarioParserError,
    testing::Values(
        ErrorCase{"NothingExpected", kTwo + std::string("stat /a ->"),
                  "t.scn:2:9: nothing after `->`"},
        ErrorCase{"NoResult", kTwo + std::string("layer a -> OK"),
                  "t.scn:2:9: `layer` has no result to expect"},
        ErrorCase{"LayerWithoutPath", kTwo + std::string("hstat h -> layer a"),
                  "t.scn:2:9: `-> layer` needs an operation on a path"},
        ErrorCase{"AskWithoutAnswer", kTwo + std::string("ask q"),
                  "t.scn:2:1: `ask` needs `-> ANSWER`"},
        ErrorCase{"UnknownCounter", kTwo + std::string("expect joy == 1"),
                  "t.scn:2:8: 'joy' is not a counter"},
        ErrorCase{"UnknownComparison", kTwo + std::string("expect copy_ups = 1"),
                  "t.scn:2:17: '=' is none of: == != < <= > >="},
        ErrorCase{"RepeatWithoutEnd", kTwo + std::string("layer a\nrepeat 2\nmkdir /a"),
                  "t.scn:3:1: `repeat` without `end`"},
        ErrorCase{"EndWithoutRepeat", kTwo + std::string("end"),
                  "t.scn:2:1: `end` without `repeat`"},
        ErrorCase{"RepeatTooOften",
                  kTwo + std::string("repeat 1000\nrepeat 1000\nmkdir /a\nend\nend"),
                  "t.scn:2:1: more than 200000 statements"},
        ErrorCase{"RandWithoutCount", kTwo + std::string("rand mix=read:1"),
                  "t.scn:2:1: `rand` needs ops=N"},
        ErrorCase{"RandUnknown", kTwo + std::string("rand ops=1 mix=dance:1"),
                  "t.scn:2:12: `rand` cannot draw 'dance'"},
        ErrorCase{"RandWeight", kTwo + std::string("rand ops=1 mix=read"),
                  "t.scn:2:12: 'read' is not NAME:WEIGHT"},
        ErrorCase{"RandNothing", kTwo + std::string("rand ops=1 mix=read:0"),
                  "t.scn:2:12: a mix without weight"},
        ErrorCase{"Source", kTwo + std::string("layer a from ftp:x"),
                  "t.scn:2:14: 'ftp' is none of: dir tar ext4 oci docker-archive"},
        ErrorCase{"UnknownDriver", kTwo + std::string("driver minix"),
                  "t.scn:2:8: 'minix' is none of: overlay overlay2 aufs devicemapper btrfs zfs "
                  "copy vfs"}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(ScenarioParser, KeepsTheCanonicalText) {
  const absl::StatusOr<Scenario> scenario =
      ParseScenario("put  /f\t0644 \"a b\"  # c\n", {.file = "t.scn"});
  ASSERT_TRUE(scenario.ok());
  ASSERT_THAT(scenario->statements, testing::SizeIs(1));
  EXPECT_EQ(scenario->statements[0].text, "put /f 0644 \"a b\"");
  EXPECT_EQ(scenario->statements[0].line, 1);
}

TEST(ScenarioParser, TakesLinesThatEndInCarriageReturn) {
  EXPECT_TRUE(ParseScenario("scenario 1\r\nlayer a\r\n", {}).ok());
}

TEST(ScenarioParser, TreatsAnArrowAsAWordInVersionOne) {
  const absl::StatusOr<Scenario> scenario = ParseScenario("note a -> b", {});
  ASSERT_TRUE(scenario.ok());
  EXPECT_FALSE(scenario->statements[0].expectation.has_value());
}

TEST(ScenarioParser, RefusesFilesOfTheHostWhereTheyAreNotAllowed) {
  ParseOptions options{.file = "t.scn"};
  options.limits.host_files = false;
  const absl::StatusOr<Scenario> scenario =
      ParseScenario("scenario 2\nlayer a from dir:/etc", options);
  EXPECT_EQ(std::string(scenario.status().message()),
            "t.scn:2:14: files of the host are not allowed here");
}

TEST(ScenarioParser, TakesSizesInVersionTwo) {
  const absl::StatusOr<Scenario> scenario = ParseScenario("scenario 2\ntruncate /f 4KiB", {});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_EQ(scenario->statements[1].args[1].number, 4096);
}

struct UnsupportedCase {
  std::string name;
  std::string text;
  std::string what;
};

class ScenarioUnsupported : public testing::TestWithParam<UnsupportedCase> {};

TEST_P(ScenarioUnsupported, IsNamedBeforeAnythingRuns) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(kTwo + GetParam().text, {});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_THAT(FindUnsupported(*scenario), testing::Optional(GetParam().what));
}

INSTANTIATE_TEST_SUITE_P(
    Statements, ScenarioUnsupported,
    testing::Values(UnsupportedCase{"Driver", "driver devicemapper chunk=64KiB",
                                    "driver devicemapper chunk=64KiB"},
                    UnsupportedCase{"Fault", "fault pwrite /big after=3 ENOSPC", "fault"},
                    UnsupportedCase{"Container", "container c1 from app", "container"},
                    UnsupportedCase{"WorkloadBlock",
                                    "workload db\n  files 4 size=1GiB\n  run ops=1", "workload"},
                    UnsupportedCase{"Oci", "layer a from oci:img:v1", "layer a from oci:"}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(ScenarioSupported, EveryStatementOfVersionOneIs) {
  const absl::StatusOr<Scenario> scenario =
      ParseScenario("layer l\nlayer upper\nstack l upper\nmount\numount", {});
  ASSERT_TRUE(scenario.ok());
  EXPECT_EQ(FindUnsupported(*scenario), std::nullopt);
}

}  // namespace
}  // namespace lamina::sim
