// ExplanationText: an Explanation for people.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "lamina/sim/explain.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim {
namespace {

constexpr std::size_t kLeastTextWidth = 44;
constexpr std::size_t kWidestTitle = 96;  // with the policy's reason (AUFS)

std::string Bytes(std::uint64_t bytes) { return bytes == 0 ? "-" : SizeText(bytes); }

std::string TrimmedRight(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string Padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

class Narrator {
 public:
  Narrator(const Explanation& why, const TextStyle& style) : why_(why), style_(style) {}

  std::string Text() {
    for (const ExplainedLookup& lookup : why_.lookups) AddLookup(lookup);
    for (const ExplainedBlock& block : why_.blocks) AddBlock(block);
    if (why_.was_run && why_.blocks.empty()) {
      const bool remount = why_.operation.starts_with("remount ");
      Add(absl::StrFormat("%s: it was run for its answer",
                          remount ? "changes the mount" : "works on an open handle or a device"));
    }
    for (const ExplainedChange& change : why_.changes) text_width_ = WidthFor(change);
    if (!why_.changes.empty()) {
      Add(absl::StrFormat("%s  %9s %9s", Padded("", text_width_), "read", "write"));
    }
    for (const ExplainedChange& change : why_.changes) AddChange(change);
    if (!why_.changes.empty()) AddTotal();
    Add("answer  " + Emphasized(style_, why_.answer));
    for (const std::string& note : why_.notes) Add("note: " + note);
    if (why_.actual_answer) AddComparison();
    return std::move(out_);
  }

 private:
  void Add(const std::string& line) { out_ += TrimmedRight(line) + '\n'; }

  void AddLookup(const ExplainedLookup& lookup) {
    Add("lookup " + internal::EscapeText(lookup.path));
    if (!lookup.refused.empty()) Add("  " + lookup.refused);
    std::size_t layer = 0;
    std::size_t outcome = 24;
    std::size_t mode = 0;
    for (const ExplainedBranch& branch : lookup.branches) {
      mode = std::max(mode, branch.mode.size());
      layer = std::max(layer, branch.layer.size());
      outcome = std::max(outcome, branch.outcome.size());
    }
    for (const ExplainedBranch& branch : lookup.branches) {
      std::string label = Painted(style_, branch.label, Padded(branch.label, 3));
      if (mode > 0) label += ' ' + Padded(branch.mode, mode) + ' ';
      Add(absl::StrFormat("  %s %s  %s  %s", label, Padded(branch.layer, layer),
                          Padded(branch.outcome, outcome), branch.decision));
    }
  }

  void AddBlock(const ExplainedBlock& block) {
    Add(absl::StrFormat("block %d of %s, %s", block.block, block.device,
                        SizeText(block.block_bytes)));
    const auto row = [&](std::string_view name, const std::string& text) {
      if (!text.empty()) Add(absl::StrFormat("  %-12s  %s", name, text));
    };
    row("lies on", block.place);
    std::string others;
    for (const std::string& other : block.shared_with) {
      others += (others.empty() ? "" : ", ") + other;
    }
    row("shared with", others);
    row("sharing", block.sharing);
    row("so", block.effect);
  }

  std::size_t WidthFor(const ExplainedChange& change) const {
    std::size_t width = std::max(text_width_, kLeastTextWidth);
    for (const ExplainedStep& step : change.steps) width = std::max(width, Line(step).size());
    return width;
  }

  static std::string Line(const ExplainedStep& step) {
    return "  " + (step.label.empty() ? "" : Padded(step.label, 3) + ' ') + step.text;
  }

  void AddChange(const ExplainedChange& change) {
    const std::string title = internal::EscapeText(change.title);
    const bool labelled = !change.steps.empty() && !change.steps.front().label.empty();
    if (labelled && title.size() + change.decision.size() > kWidestTitle) {
      Add(title + ':');
      Add("  " + change.decision);
    } else {
      Add(change.decision.empty() ? title : title + ": " + change.decision);
    }
    for (const ExplainedStep& step : change.steps) {
      std::string line = Padded(Line(step), text_width_);
      line += absl::StrFormat("  %9s %9s", Bytes(step.bytes_read), Bytes(step.bytes_written));
      if (step.commit) line += "  commit";
      if (step.clean_up) line += "  clean-up";
      Add(line);
    }
  }

  void AddTotal() {
    const ExplainedCost& cost = why_.cost;
    const std::string label = "total";
    std::string line = std::string(text_width_ - label.size(), ' ') + label;
    line += absl::StrFormat("  %9s %9s", Bytes(cost.bytes_read), Bytes(cost.bytes_written));
    if (cost.bytes_asked > 0) {
      absl::StrAppendFormat(
          &line, "  %.1fx",
          static_cast<double>(cost.bytes_written) / static_cast<double>(cost.bytes_asked));
    }
    Add(line);
  }

  void AddComparison() {
    const auto row = [&](std::string_view name, const std::string& planned,
                         const std::string& actual) {
      Add(absl::StrFormat("  %-14s  %-20s  %-20s  %s", name, planned, actual,
                          planned == actual ? "" : "DIFFERENT"));
    };
    const ExplainedCost& actual = *why_.actual_cost;
    Add(absl::StrFormat("%-16s  %-20s  %s", "analyze", "planned", "actual"));
    row("answer", why_.answer, *why_.actual_answer);
    row("steps", std::to_string(why_.cost.steps), std::to_string(actual.steps));
    row("bytes read", Bytes(why_.cost.bytes_read), Bytes(actual.bytes_read));
    row("bytes written", Bytes(why_.cost.bytes_written), Bytes(actual.bytes_written));
  }

  const Explanation& why_;
  const TextStyle& style_;
  std::size_t text_width_ = kLeastTextWidth;
  std::string out_;
};

}  // namespace

std::string ExplanationText(const Explanation& explanation, const TextStyle& style) {
  return Narrator(explanation, style).Text();
}

}  // namespace lamina::sim
