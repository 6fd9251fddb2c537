// Parser: text to a Scenario. Tokens, the operation table, and the blocks of version 2.
#include <array>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/sim/scenario.h"
#include "sim/scenario/host_layers.h"
#include "sim/scenario/lexer.h"
#include "sim/scenario/operation.h"
#include "sim/scenario/random_operations.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim {
namespace internal {
namespace {

// A file that is no scenario may have one word and be all bytes.
std::string ShortWord(std::string_view word) {
  constexpr std::size_t kMost = 40;
  return EscapeText(word.substr(0, kMost)) + (word.size() > kMost ? "..." : "");
}

class Parser {
 public:
  Parser(std::string_view text, const ParseOptions& options) : text_(text), options_(options) {
    scenario_.file = options.file;
    scenario_.seed = options.seed;
    scenario_.limits = options.limits;
  }

  absl::StatusOr<Scenario> Parse() {
    while (!text_.empty()) {
      const std::size_t newline = text_.find('\n');
      std::string_view line = text_.substr(0, newline);
      text_.remove_prefix(newline == std::string_view::npos ? text_.size() : newline + 1);
      ++line_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (absl::Status status = Line(line); !status.ok()) return status;
    }
    if (!blocks_.empty()) {
      return SyntaxError({options_.file, blocks_.back().line, blocks_.back().column},
                         "`repeat` without `end`");
    }
    return std::move(scenario_);
  }

 private:
  struct Block {
    int line = 1;
    int column = 1;
    std::int64_t count = 0;
    std::size_t first = 0;  // index of its first statement
  };

  absl::Status ErrorAt(int column, std::string_view what) const {
    return SyntaxError({options_.file, line_, column}, what);
  }

  absl::Status Line(std::string_view line) {
    const bool indented = line.starts_with(' ') || line.starts_with('\t');
    if (in_foreign_block_ && indented) return absl::OkStatus();
    absl::StatusOr<std::vector<Token>> tokens = TokenizeLine(options_.file, line_, line);
    if (!tokens.ok()) return tokens.status();
    if (tokens->empty()) return absl::OkStatus();
    in_foreign_block_ = false;
    const Token& name = tokens->front();
    const Operation* operation = FindOperation(name.text);
    if (operation == nullptr) {
      return ErrorAt(name.column, absl::StrFormat("unknown operation '%s'", ShortWord(name.text)));
    }
    if (operation->version > scenario_.version) {
      return ErrorAt(name.column, absl::StrFormat("`%s` needs `scenario %d` as the first line",
                                                  name.text, operation->version));
    }
    Statement statement;
    statement.line = line_;
    statement.column = name.column;
    statement.operation = operation;
    statement.name = name.text;
    if (absl::Status status = TakeExpectation(*operation, *tokens, statement); !status.ok()) {
      return status;
    }
    if (absl::Status status = TakeArguments(*tokens, statement); !status.ok()) return status;
    absl::Status accepted = Accept(std::move(statement));
    seen_statement_ = true;
    return accepted;
  }

  // Cuts `-> …` off the tokens.
  absl::Status TakeExpectation(const Operation& operation, std::vector<Token>& tokens,
                               Statement& statement) {
    if (scenario_.version < 2 || operation.name == "note") return absl::OkStatus();
    std::size_t arrow = 1;
    while (arrow < tokens.size() && (tokens[arrow].quoted || tokens[arrow].text != "->")) ++arrow;
    if (arrow == tokens.size()) {
      if (operation.name != "ask") return absl::OkStatus();
      return ErrorAt(statement.column, "`ask` needs `-> ANSWER`");
    }
    const int column = tokens[arrow].column;
    const bool has_result = operation.kind == OperationClass::kFile ||
                            operation.kind == OperationClass::kDevice ||
                            operation.kind == OperationClass::kPrinted || operation.name == "ask";
    if (!has_result) {
      return ErrorAt(column, absl::StrFormat("`%s` has no result to expect", operation.name));
    }
    if (arrow + 1 == tokens.size()) return ErrorAt(column, "nothing after `->`");
    Expectation expectation;
    expectation.column = column;
    std::size_t i = arrow + 1;
    if (tokens.size() - i == 2 && tokens[i].text == "layer" && !tokens[i].quoted &&
        operation.name != "ask") {
      if (operation.kind != OperationClass::kFile || !PathArgument(operation)) {
        return ErrorAt(column, "`-> layer` needs an operation on a path");
      }
      expectation.kind = Expectation::Kind::kLayer;
      expectation.shown = "layer ";
      ++i;
    }
    const std::size_t first = i;
    for (; i < tokens.size(); ++i) {
      if (i > first) {
        expectation.text += ' ';
        expectation.shown += ' ';
      }
      expectation.text += tokens[i].text;
      expectation.shown += tokens[i].quoted ? QuoteText(tokens[i].text) : tokens[i].text;
      expectation.quoted = expectation.quoted || tokens[i].quoted;
    }
    statement.expectation = std::move(expectation);
    tokens.resize(arrow);
    return absl::OkStatus();
  }

  absl::Status TakeArguments(const std::vector<Token>& tokens, Statement& statement) {
    const Signature& signature = statement.operation->signature;
    const std::size_t count = tokens.size() - 1;
    if (count < signature.least) {
      return ErrorAt(statement.column, absl::StrFormat("`%s` needs %d arguments, got %d",
                                                       statement.name, signature.least, count));
    }
    if (!signature.repeats && count > signature.most) {
      return ErrorAt(tokens[signature.most + 1].column,
                     absl::StrFormat("too many arguments for `%s`, which takes %d at most",
                                     statement.name, signature.most));
    }
    const ArgumentRules rules{scenario_.version, &options_.limits};
    statement.text = statement.name;
    for (std::size_t i = 0; i < count; ++i) {
      ScenarioArgument argument{tokens[i + 1].text, tokens[i + 1].column, 0};
      const std::string wrong = CheckArgument(signature.kind(i), rules, argument);
      if (!wrong.empty()) return ErrorAt(argument.column, wrong);
      statement.text += ' ' + ShowArgument(argument.text);
      statement.args.push_back(std::move(argument));
    }
    if (statement.operation->check == nullptr) return absl::OkStatus();
    const auto problem = statement.operation->check(rules, statement.args);
    if (!problem) return absl::OkStatus();
    return ErrorAt(statement.args[problem->first].column, problem->second);
  }

  absl::Status Accept(Statement statement) {
    const std::string& name = statement.name;
    if (name == "scenario") return SetVersion(statement);
    if (name == "title") scenario_.title = statement.args[0].text;
    if (name == "repeat") {
      blocks_.push_back({statement.line, statement.column, statement.args[0].number,
                         scenario_.statements.size()});
      return absl::OkStatus();
    }
    if (name == "end") return EndBlock(statement);
    if (name == "rand") return Randomize(statement);
    if (statement.operation->kind == OperationClass::kForeign) {
      if (!scenario_.unsupported) scenario_.unsupported = name;
      in_foreign_block_ = name == "workload";
      return absl::OkStatus();
    }
    return Append(std::move(statement));
  }

  absl::Status SetVersion(const Statement& statement) {
    const int version = static_cast<int>(statement.args[0].number) + 1;
    if (version != scenario_.version && seen_statement_) {
      return ErrorAt(statement.column, "`scenario 2` must be the first statement");
    }
    scenario_.version = version;
    return Append(statement);
  }

  absl::Status Append(Statement statement) {
    if (scenario_.statements.size() >= options_.limits.statements) {
      return ErrorAt(statement.column,
                     absl::StrFormat("more than %d statements", options_.limits.statements));
    }
    scenario_.statements.push_back(std::move(statement));
    return absl::OkStatus();
  }

  absl::Status EndBlock(const Statement& end) {
    if (blocks_.empty()) return ErrorAt(end.column, "`end` without `repeat`");
    const Block block = blocks_.back();
    blocks_.pop_back();
    std::vector<Statement>& all = scenario_.statements;
    const std::size_t length = all.size() - block.first;
    if (block.count == 0) {
      all.resize(block.first);
      return absl::OkStatus();
    }
    const auto repeats = static_cast<std::size_t>(block.count) - 1;
    if (length > 0 && repeats > (options_.limits.statements - all.size()) / length) {
      return SyntaxError({options_.file, block.line, block.column},
                         absl::StrFormat("more than %d statements", options_.limits.statements));
    }
    all.reserve(all.size() + repeats * length);
    for (std::size_t i = 0; i < repeats * length; ++i) {
      Statement copy = all[block.first + i];
      all.push_back(std::move(copy));
    }
    return absl::OkStatus();
  }

  // Replaces `rand …` by the operations it draws, parsed like lines of the file.
  absl::Status Randomize(const Statement& rand) {
    absl::StatusOr<RandomMix> mix = ParseRandomMix(rand, options_.file);
    if (!mix.ok()) return mix.status();
    mix->operations = std::min<std::uint64_t>(mix->operations, options_.limits.statements + 1);
    ++rand_count_;
    for (const std::string& line :
         DrawOperations(*mix, scenario_, options_.seed + 0x10001 * (rand_count_ - 1))) {
      if (absl::Status status = Line(line); !status.ok()) return status;
      scenario_.statements.back().column = rand.column;
    }
    return absl::OkStatus();
  }

  static bool PathArgument(const Operation& operation) {
    for (std::size_t i = 0; i < operation.signature.most; ++i) {
      if (operation.signature.kinds[i] == ArgumentKind::kPath) return true;
    }
    return false;
  }

  std::string_view text_;
  const ParseOptions& options_;
  Scenario scenario_;
  int line_ = 0;
  bool seen_statement_ = false;
  bool in_foreign_block_ = false;
  std::uint64_t rand_count_ = 0;
  std::vector<Block> blocks_;
};

std::optional<std::string> UnsupportedLayer(const Statement& layer) {
  for (std::size_t i = 1; i + 1 < layer.args.size(); ++i) {
    if (layer.args[i].text != "from") continue;
    const std::string kind = UnsupportedLayerSource(layer.args[i + 1].text);
    if (!kind.empty()) return absl::StrFormat("layer %s from %s:", layer.args[0].text, kind);
  }
  return std::nullopt;
}

}  // namespace
}  // namespace internal

absl::StatusOr<Scenario> ParseScenario(std::string_view text, const ParseOptions& options) {
  return internal::Parser(text, options).Parse();
}

std::string ExpandedText(const Scenario& scenario) {
  std::string out;
  for (const Statement& statement : scenario.statements) {
    out += statement.text;
    if (statement.expectation) out += " -> " + statement.expectation->shown;
    out += '\n';
  }
  return out;
}

std::optional<std::string> FindUnsupported(const Scenario& scenario) {
  for (const Statement& statement : scenario.statements) {
    std::optional<std::string> found;
    if (statement.name == "driver" && statement.args[0].number >= internal::kSupportedDrivers) {
      found = statement.text;
    } else if (statement.name == "layer") {
      found = internal::UnsupportedLayer(statement);
    }
    if (found) return found;
  }
  return scenario.unsupported;
}

}  // namespace lamina::sim
