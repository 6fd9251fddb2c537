#include "lamina/facade/status.h"

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

namespace lamina {
namespace {

absl::string_view PayloadUrl() { return {kErrnoPayload.data(), kErrnoPayload.size()}; }

}  // namespace

int ErrnoOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(PayloadUrl());
  int number = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &number)) return 0;
  return number;
}

absl::Status StatusOf(Errno error, std::string_view call, std::string_view reason) {
  std::string message = absl::StrFormat("%s: %s [%s]", call, ErrnoText(error), ErrnoName(error));
  if (!reason.empty()) absl::StrAppendFormat(&message, ": %s", reason);
  const int number = static_cast<int>(error);
  absl::Status status(absl::ErrnoToStatusCode(number), message);
  status.SetPayload(PayloadUrl(), absl::Cord(std::to_string(number)));
  return status;
}

std::string Escaped(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        if (byte < 0x20 || byte == 0x7f) {
          absl::StrAppendFormat(&out, "\\x%02x", byte);
        } else {
          out += c;
        }
    }
  }
  return out;
}

std::string Quoted(std::string_view bytes) { return '"' + Escaped(bytes) + '"'; }

}  // namespace lamina
