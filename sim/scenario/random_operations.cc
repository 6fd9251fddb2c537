#include "sim/scenario/random_operations.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_format.h"
#include "lamina/sim/chooser.h"
#include "sim/scenario/arguments.h"
#include "sim/scenario/lexer.h"
#include "sim/scenario/operation.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim::internal {
namespace {

enum class Drawn : std::uint8_t {
  kCreate,
  kPut,
  kWrite,
  kAppend,
  kTruncate,
  kRead,
  kUnlink,
  kMkdir,
  kRmdir,
  kRename,
  kLink,
  kSymlink,
  kChmod,
  kStat,
  kReaddir,
};

struct Kind {
  std::string_view name;
  std::uint64_t weight;  // without mix=
};

// By the value of Drawn.
constexpr std::array<Kind, 15> kKinds = {{{"create", 10},
                                          {"put", 10},
                                          {"write", 15},
                                          {"append", 5},
                                          {"truncate", 5},
                                          {"read", 10},
                                          {"unlink", 10},
                                          {"mkdir", 8},
                                          {"rmdir", 5},
                                          {"rename", 10},
                                          {"link", 4},
                                          {"symlink", 3},
                                          {"chmod", 5},
                                          {"stat", 5},
                                          {"readdir", 5}}};

absl::StatusOr<std::vector<std::uint64_t>> ParseWeights(std::string_view text,
                                                        const SourcePosition& at) {
  std::vector<std::uint64_t> weights(kKinds.size());
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t colon = part.find(':');
    const std::optional<std::int64_t> weight =
        colon == std::string_view::npos ? std::nullopt : ParseNumber(part.substr(colon + 1), false);
    if (!weight || *weight < 0 || *weight > 1'000'000) {
      return SyntaxError(at, absl::StrFormat("'%s' is not NAME:WEIGHT", part));
    }
    std::string_view name = part.substr(0, colon);
    if (name == "pwrite") name = "write";
    const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                    [&](const Kind& kind) { return kind.name == name; });
    if (found == kKinds.end()) {
      return SyntaxError(at, absl::StrFormat("`rand` cannot draw '%s'", name));
    }
    weights[static_cast<std::size_t>(found - kKinds.begin())] = static_cast<std::uint64_t>(*weight);
  }
  if (std::all_of(weights.begin(), weights.end(), [](std::uint64_t w) { return w == 0; })) {
    return SyntaxError(at, "a mix without weight");
  }
  return weights;
}

// The names operations are drawn over: those the scenario knows, and a few more.
class NamePool {
 public:
  NamePool(const Scenario& before, Chooser& chooser) : chooser_(chooser) {
    for (const Statement& statement : before.statements) {
      for (std::size_t i = 0; i < statement.args.size(); ++i) {
        if (statement.operation->kind != OperationClass::kFile) break;
        if (statement.operation->signature.kind(i) != ArgumentKind::kPath) continue;
        Remember(statement.args[i].text, statement.name == "mkdir");
      }
    }
  }

  std::string Directory() { return Pick(directories_); }
  std::string Known() { return known_.empty() ? New() : Pick(known_); }
  std::string New() {
    static constexpr std::array<std::string_view, 8> kNames = {"a", "b", "c",  "f",
                                                               "g", "h", "n1", "n2"};
    const std::string directory = Directory();
    const std::string name(kNames[chooser_.Choose(kNames.size())]);
    return directory == "/" ? '/' + name : directory + '/' + name;
  }
  std::string Mostly(std::uint64_t percent_new) {
    return chooser_.Choose(100) < percent_new ? New() : Known();
  }
  void Remember(const std::string& path, bool directory) {
    constexpr int kDeepest = 4;
    if (!path.starts_with('/') || path == "/") return;
    if (std::find(known_.begin(), known_.end(), path) == known_.end()) known_.push_back(path);
    if (!directory || std::count(path.begin(), path.end(), '/') >= kDeepest) return;
    if (std::find(directories_.begin(), directories_.end(), path) == directories_.end()) {
      directories_.push_back(path);
    }
  }

 private:
  std::string Pick(const std::vector<std::string>& from) {
    return from[chooser_.Choose(from.size())];
  }

  Chooser& chooser_;
  std::vector<std::string> known_;
  std::vector<std::string> directories_ = {"/"};
};

class Drawing {
 public:
  Drawing(const RandomMix& mix, const Scenario& before, std::uint64_t seed)
      : mix_(mix), chooser_(seed), names_(before, chooser_) {
    for (const std::uint64_t weight : mix.weights) total_ += weight;
  }

  std::string Line() {
    std::uint64_t at = chooser_.Choose(total_);
    std::size_t kind = 0;
    while (at >= mix_.weights[kind]) at -= mix_.weights[kind++];
    return Line(static_cast<Drawn>(kind));
  }

 private:
  std::string Line(Drawn kind) {
    const std::string name(kKinds[static_cast<std::size_t>(kind)].name);
    switch (kind) {
      case Drawn::kCreate:
        return name + ' ' + Made(false) + " 0644";
      case Drawn::kPut:
        return name + ' ' + Made(false) + " 0644 " + Content();
      case Drawn::kWrite:
        return name + ' ' + Some() + ' ' + Number() + ' ' + Content();
      case Drawn::kAppend:
        return name + ' ' + Some() + ' ' + Content();
      case Drawn::kTruncate:
        return name + ' ' + Some() + ' ' + Number();
      case Drawn::kRead:
      case Drawn::kUnlink:
      case Drawn::kStat:
        return name + ' ' + Some();
      case Drawn::kMkdir:
        return name + ' ' + Made(true) + " 0755";
      case Drawn::kRmdir:
      case Drawn::kReaddir:
        return name + ' ' + ShowArgument(names_.Directory());
      case Drawn::kRename:
      case Drawn::kLink: {
        const std::string from = Some();
        return name + ' ' + from + ' ' + Made(false);
      }
      case Drawn::kSymlink: {
        const std::string target = Some();
        return name + ' ' + target + ' ' + Made(false);
      }
      case Drawn::kChmod:
        return name + ' ' + Some() + (chooser_.Choose(2) == 0 ? " 0600" : " 0755");
    }
    return name;
  }

  std::string Some() { return ShowArgument(names_.Mostly(10)); }
  std::string Made(bool directory) {
    const std::string path = names_.Mostly(60);
    names_.Remember(path, directory);
    return ShowArgument(path);
  }
  std::string Number() { return absl::StrFormat("%d", chooser_.Choose(mix_.content_bytes + 1)); }
  std::string Content() {
    const std::uint64_t seed = chooser_.Choose(100);
    return absl::StrFormat("pat:%d:%d", seed, chooser_.Choose(mix_.content_bytes + 1));
  }

  const RandomMix& mix_;
  RandomChooser chooser_;
  NamePool names_;
  std::uint64_t total_ = 0;
};

}  // namespace

absl::StatusOr<RandomMix> ParseRandomMix(const Statement& rand, std::string_view file) {
  RandomMix mix;
  for (const Kind& kind : kKinds) mix.weights.push_back(kind.weight);
  bool has_count = false;
  for (const ScenarioArgument& arg : rand.args) {
    const SourcePosition at{file, rand.line, arg.column};
    const std::string_view text = arg.text;
    if (text.starts_with("mix=")) {
      absl::StatusOr<std::vector<std::uint64_t>> weights = ParseWeights(text.substr(4), at);
      if (!weights.ok()) return weights.status();
      mix.weights = *std::move(weights);
      continue;
    }
    const bool is_count = text.starts_with("ops=");
    if (!is_count && !text.starts_with("size=")) {
      return SyntaxError(at, "expected ops=N, size=BYTES or mix=NAME:WEIGHT,…");
    }
    const std::optional<std::int64_t> number = ParseNumber(text.substr(text.find('=') + 1), true);
    if (!number || *number < 0 || *number > (1 << 24)) {
      return SyntaxError(at, absl::StrFormat("'%s' is not a number up to 2^24", text));
    }
    (is_count ? mix.operations : mix.content_bytes) = static_cast<std::uint64_t>(*number);
    has_count = has_count || is_count;
  }
  if (!has_count) return SyntaxError({file, rand.line, rand.column}, "`rand` needs ops=N");
  return mix;
}

std::vector<std::string> DrawOperations(const RandomMix& mix, const Scenario& before,
                                        std::uint64_t seed) {
  Drawing drawing(mix, before, seed);
  std::vector<std::string> lines;
  for (std::uint64_t i = 0; i < mix.operations; ++i) lines.push_back(drawing.Line());
  return lines;
}

}  // namespace lamina::sim::internal
