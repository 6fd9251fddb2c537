// Any bytes as an AUFS mount string: no crash, a clear error, and what is read can be written and
// read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lamina/base/check.h"
#include "lamina/union/aufs.h"

namespace {

using Kind = lamina::AufsDirective::Kind;

// What a directive looks like; those of a branch list become lists of one.
std::string Written(const lamina::AufsDirective& directive) {
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
  if (directive.mode) text += '=' + lamina::FormatAufsMode(*directive.mode);
  return text;
}

void CheckMode(const lamina::AufsMode& mode) {
  LAMINA_CHECK(lamina::ParseAufsMode(lamina::FormatAufsMode(mode)) == mode);
  LAMINA_CHECK(!mode.writable() || !mode.whiteouts);
  LAMINA_CHECK(mode.writable() || !mode.plain_whiteouts);
  LAMINA_CHECK(mode.writable() || mode.on_open != lamina::AufsOnOpen::kMove);
}

void CheckDirective(const lamina::AufsDirective& directive) {
  const bool option = directive.kind == Kind::kOption;
  LAMINA_CHECK(directive.path.empty() == option);
  LAMINA_CHECK(directive.option.empty() != option);
  LAMINA_CHECK(directive.path.find_first_of(",:=") == std::string::npos);
  LAMINA_CHECK(directive.index == 0 || directive.kind == Kind::kAdd);
  LAMINA_CHECK(directive.mode.has_value() || directive.kind != Kind::kModify);
  LAMINA_CHECK(!directive.mode.has_value() || directive.kind != Kind::kDelete);
  if (directive.mode) CheckMode(*directive.mode);
}

void CheckSame(const lamina::AufsDirective& before, const lamina::AufsDirective& result) {
  LAMINA_CHECK(before.kind == result.kind);
  LAMINA_CHECK(before.index == result.index);
  LAMINA_CHECK(before.path == result.path);
  LAMINA_CHECK(before.mode == result.mode);
  LAMINA_CHECK(before.option == result.option);
}

lamina::AufsOptions OptionsOf(const lamina::AufsText& text) {
  lamina::AufsOptions options;
  for (const lamina::AufsDirective& directive : text.directives) {
    if (directive.kind != Kind::kOption) continue;
    const lamina::Result<void> set = lamina::SetAufsOption(directive.option, options);
    LAMINA_CHECK(set.ok());
  }
  return options;
}

void CheckDirectives(const lamina::AufsText& text) {
  std::string written = text.read_only ? "ro" : "";
  for (const lamina::AufsDirective& directive : text.directives) {
    CheckDirective(directive);
    written += ',' + Written(directive);
  }
  const lamina::Result<lamina::AufsText> again = lamina::ParseAufsText(written);
  LAMINA_CHECK(again.ok());
  LAMINA_CHECK(again->read_only == text.read_only);
  LAMINA_CHECK(again->directives.size() == text.directives.size());
  for (std::size_t i = 0; i < text.directives.size(); ++i) {
    CheckSame(text.directives[i], again->directives[i]);
  }
}

void CheckOptions(const lamina::AufsText& text) {
  const lamina::AufsOptions options = OptionsOf(text);
  const std::string written = lamina::FormatAufsOptions(options);
  const lamina::Result<lamina::AufsText> again = lamina::ParseAufsText(written);
  LAMINA_CHECK(again.ok());
  LAMINA_CHECK(OptionsOf(*again) == options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckMode(lamina::ParseAufsMode(bytes));

  lamina::AufsOptions options;
  const bool set = lamina::SetAufsOption(bytes, options).ok();
  LAMINA_CHECK(set || options == lamina::AufsOptions());

  const lamina::Result<lamina::AufsText> text = lamina::ParseAufsText(bytes);
  if (!text.ok()) {
    const lamina::Errno error = text.error();
    LAMINA_CHECK(error == lamina::Errno::kInval || error == lamina::Errno::k2Big);
    LAMINA_CHECK(!set);
    return 0;
  }
  CheckDirectives(*text);
  CheckOptions(*text);
  return 0;
}
