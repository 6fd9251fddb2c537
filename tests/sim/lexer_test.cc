#include "sim/scenario/lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lamina::sim::internal {
namespace {

struct LexCase {
  std::string name;
  std::string line;
  std::vector<std::string> tokens;
};

class ScenarioLexer : public testing::TestWithParam<LexCase> {};

TEST_P(ScenarioLexer, SplitsALine) {
  const absl::StatusOr<std::vector<Token>> tokens = TokenizeLine("t.scn", 1, GetParam().line);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  std::vector<std::string> texts;
  for (const Token& token : *tokens) texts.push_back(token.text);
  EXPECT_EQ(texts, GetParam().tokens);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, ScenarioLexer,
    testing::Values(LexCase{"Nothing", "", {}}, LexCase{"OnlyBlanks", " \t ", {}},
                    LexCase{"BlanksAndTabs", "  a \t b ", {"a", "b"}},
                    LexCase{"CommentLine", "# a b", {}},
                    LexCase{"CommentAfterToken", "a #b c", {"a"}},
                    LexCase{"HashInsideToken", "a#b c", {"a#b", "c"}},
                    LexCase{"QuotedHash", "\"# a\" b", {"# a", "b"}},
                    LexCase{"QuotedBlanks", "put \"a b\"", {"put", "a b"}},
                    LexCase{"EmptyString", "a \"\" b", {"a", "", "b"}},
                    LexCase{"PartlyQuoted", "a\"b c\"d\"e\"", {"ab cde"}},
                    LexCase{"Escapes", R"("\n\t\"\\")", {"\n\t\"\\"}},
                    LexCase{"NulEscape", R"("\0")", {std::string(1, '\0')}},
                    LexCase{"HexEscape", R"("\x41\xfF")", {"A\xff"}},
                    LexCase{"BackslashOutsideQuotes", R"(a\nb)", {"a\\nb"}},
                    LexCase{"OtherBytes", "\xc3\xa4 \x01", {"\xc3\xa4", "\x01"}}),
    [](const auto& parameter) { return parameter.param.name; });

struct ErrorCase {
  std::string name;
  std::string line;
  std::string message;
};

class ScenarioLexerError : public testing::TestWithParam<ErrorCase> {};

TEST_P(ScenarioLexerError, NamesItsColumn) {
  const absl::StatusOr<std::vector<Token>> tokens = TokenizeLine("t.scn", 3, GetParam().line);
  ASSERT_FALSE(tokens.ok());
  EXPECT_EQ(std::string(tokens.status().message()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, ScenarioLexerError,
    testing::Values(
        ErrorCase{"Unterminated", "a \"b", "t.scn:3:3: unterminated string"},
        ErrorCase{"BackslashAtTheEnd", "\"b\\", "t.scn:3:3: unterminated string"},
        ErrorCase{"UnknownEscape", R"(a "b\q")",
                  R"(t.scn:3:5: unknown escape; known are \n \t \0 \" \\ \xHH)"},
        ErrorCase{"HexDigits", R"("\x4g")", R"(t.scn:3:2: \x needs two hexadecimal digits)"},
        ErrorCase{"HexCut", R"("\x4)", R"(t.scn:3:2: \x needs two hexadecimal digits)"}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(ScenarioLexerColumns, CountBytesFromOne) {
  const absl::StatusOr<std::vector<Token>> tokens = TokenizeLine("t.scn", 1, " a  \"b c\" d");
  ASSERT_TRUE(tokens.ok());
  ASSERT_THAT(*tokens, testing::SizeIs(3));
  EXPECT_EQ((*tokens)[0].column, 2);
  EXPECT_EQ((*tokens)[1].column, 5);
  EXPECT_TRUE((*tokens)[1].quoted);
  EXPECT_EQ((*tokens)[2].column, 11);
}

}  // namespace
}  // namespace lamina::sim::internal
