// Explanation: the text form and the JSON form.
#include "lamina/facade/explanation.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "lamina/facade/status.h"
#include "sim/facade/facade_mount.h"
#include "sim/facade/json_text.h"

namespace lamina {
namespace {

// Columns are padded by bytes: names that are not ASCII make them ragged, not wrong.
std::string Padded(std::string_view text, std::size_t width) {
  std::string out(text);
  out.resize(std::max(width, out.size()), ' ');
  return out;
}

struct Widths {
  std::size_t branch = 0;
  std::size_t layer = 0;
  std::size_t name = 0;
  std::size_t outcome = 0;
};

Widths WidthsOf(const std::vector<ExplainStep>& steps) {
  Widths widths;
  for (const ExplainStep& step : steps) {
    widths.branch = std::max(widths.branch, step.branch.size());
    widths.layer = std::max(widths.layer, Escaped(step.layer).size());
    widths.name = std::max(widths.name, Escaped(step.name).size());
    widths.outcome = std::max(widths.outcome, step.outcome.size());
  }
  return widths;
}

std::string AmountText(const ExplainStep& step) {
  if (step.bytes_read == 0 && step.bytes_written == 0) return "";
  std::string text;
  if (step.bytes_read > 0) text = absl::StrFormat("read %d B", step.bytes_read);
  if (step.bytes_written > 0) {
    absl::StrAppendFormat(&text, "%swrite %d B", text.empty() ? "" : ", ", step.bytes_written);
  }
  return text;
}

std::string AnswerJson(const absl::StatusOr<lamina::Stat>& answer, std::string_view layer) {
  std::string out = "{";
  if (answer.ok()) {
    absl::StrAppendFormat(&out, "\"type\":%s,\"mode\":%d,\"size_bytes\":%d",
                          internal::JsonString(internal::TypeWord(answer->type)), answer->mode,
                          answer->size_bytes);
  } else {
    const auto error = static_cast<Errno>(ErrnoOf(answer.status()));
    absl::StrAppendFormat(&out, "\"errno\":%s", internal::JsonString(ErrnoName(error)));
  }
  absl::StrAppendFormat(&out, ",\"layer\":%s}", internal::JsonString(layer));
  return out;
}

}  // namespace

std::uint64_t Explanation::bytes_read() const {
  std::uint64_t sum = 0;
  for (const ExplainStep& step : steps_) sum += step.bytes_read;
  return sum;
}

std::uint64_t Explanation::bytes_written() const {
  std::uint64_t sum = 0;
  for (const ExplainStep& step : steps_) sum += step.bytes_written;
  return sum;
}

std::string Explanation::ToString() const {
  std::string out = question_ + '\n';
  const Widths widths = WidthsOf(steps_);
  for (const ExplainStep& step : steps_) {
    std::string line;
    if (widths.branch > 0) line = "  " + Padded(step.branch, widths.branch);
    line += "  " + Padded(Escaped(step.layer), widths.layer);
    if (widths.name > 0) line += "  " + Padded(Escaped(step.name), widths.name);
    line += "  " + Padded(step.outcome, widths.outcome);
    const std::string amount = AmountText(step);
    line += "  " + step.detail + (step.detail.empty() || amount.empty() ? "" : "  ") + amount;
    line.resize(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  if (bytes_read() + bytes_written() > 0) {
    absl::StrAppendFormat(&out, "  total: read %d B, write %d B\n", bytes_read(), bytes_written());
  }
  return out;
}

std::string Explanation::ToJson() const {
  std::string out = absl::StrFormat("{\"format\":\"lamina-explain/1\",\"question\":%s,\"steps\":[",
                                    internal::JsonString(question_));
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ExplainStep& step = steps_[i];
    absl::StrAppendFormat(&out, "%s{\"layer\":%s,\"outcome\":%s,\"detail\":%s", i > 0 ? "," : "",
                          internal::JsonString(step.layer), internal::JsonString(step.outcome),
                          internal::JsonString(step.detail));
    if (!step.branch.empty()) {
      absl::StrAppendFormat(&out, ",\"branch\":%s", internal::JsonString(step.branch));
    }
    if (!step.name.empty()) {
      absl::StrAppendFormat(&out, ",\"name\":%s", internal::JsonString(step.name));
    }
    absl::StrAppendFormat(&out, ",\"bytes_read\":%d,\"bytes_written\":%d}", step.bytes_read,
                          step.bytes_written);
  }
  return out + "],\"answer\":" + AnswerJson(answer_, layer_) + "}";
}

}  // namespace lamina
