// The option string of an AUFS mount or remount, and the mode text of a branch.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "lamina/base/check.h"
#include "lamina/union/aufs.h"

namespace lamina {
namespace {

// A page of option records, 32 bytes each.
constexpr std::size_t kMaxDirectives = 4096 / 32;
constexpr std::uint32_t kMaxSeconds = 3600;
constexpr AufsOptions kDefaults;

// ── Pieces of text ───────────────────────────────────────────────────────────────────────────────

struct Halves {
  std::string_view before;
  std::optional<std::string_view> after;  // absent: no separator
};

Halves SplitAtFirst(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, at), text.substr(at + 1)};
}

// Decimal digits and nothing else; only a signed type takes a minus.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// "10G": k, m and g are powers of 1024.
std::optional<std::uint64_t> ParseBytes(std::string_view text) {
  constexpr std::string_view kSuffixes = "kKmMgG";
  const std::size_t suffix = text.empty() ? std::string_view::npos : kSuffixes.find(text.back());
  const bool scaled = suffix != std::string_view::npos;
  if (scaled) text.remove_suffix(1);
  const std::optional<std::uint64_t> number = ParseNumber<std::uint64_t>(text);
  if (!number || !scaled) return number;
  const std::size_t shift = 10 * (suffix / 2 + 1);
  if (*number > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return *number << shift;
}

// One spelling of a value. Of several spellings of one value the first one is written.
template <typename T>
struct Choice {
  std::string_view text;
  T value;
};

template <typename T, std::size_t N>
std::optional<T> ValueOf(std::string_view text, const std::array<Choice<T>, N>& choices) {
  for (const Choice<T>& choice : choices) {
    if (choice.text == text) return choice.value;
  }
  return std::nullopt;
}

template <typename T, std::size_t N>
std::string_view TextOf(const T& value, const std::array<Choice<T>, N>& choices) {
  const auto named = [&](const Choice<T>& choice) { return choice.value == value; };
  const auto found = std::find_if(choices.begin(), choices.end(), named);
  LAMINA_CHECK(found != choices.end());
  return found->text;
}

// ── Branch modes ─────────────────────────────────────────────────────────────────────────────────

constexpr std::array<Choice<AufsPermission>, 3> kPermissions = {
    {{"rw", AufsPermission::kReadWrite},
     {"ro", AufsPermission::kReadOnly},
     {"rr", AufsPermission::kReallyReadOnly}}};

// The permissions that an attribute goes with.
enum class Fits : std::uint8_t { kAny, kWritable, kReadOnly };

struct Attribute {
  std::string_view name;
  Fits fits = Fits::kAny;
  // What it sets; an obsolete one sets nothing.
  bool AufsMode::*flag = nullptr;
  AufsOnOpen on_open = AufsOnOpen::kNothing;
  std::uint8_t icex = 0;
};

// In the order in which they are written.
constexpr std::array<Attribute, 13> kAttributes = {{
    {.name = "wh", .fits = Fits::kReadOnly, .flag = &AufsMode::whiteouts},
    {.name = "nolwh", .fits = Fits::kWritable, .flag = &AufsMode::plain_whiteouts},
    {.name = "unpin"},
    {.name = "coo_reg", .on_open = AufsOnOpen::kCopyFiles},
    {.name = "coo_all", .on_open = AufsOnOpen::kCopyAll},
    {.name = "moo", .fits = Fits::kWritable, .on_open = AufsOnOpen::kMove},
    {.name = "fhsm", .flag = &AufsMode::fhsm},
    {.name = "icex", .icex = kAufsIcexAll},
    {.name = "icexsec", .icex = kAufsIcexSecurity},
    {.name = "icexsys", .icex = kAufsIcexSystem},
    {.name = "icextr", .icex = kAufsIcexTrusted},
    {.name = "icexusr", .icex = kAufsIcexUser},
    {.name = "icexoth", .icex = kAufsIcexOther},
}};

void Apply(const Attribute& attribute, AufsMode& mode) {
  if (attribute.fits != Fits::kAny && (attribute.fits == Fits::kWritable) != mode.writable()) {
    return;
  }
  if (attribute.flag != nullptr) mode.*attribute.flag = true;
  if (attribute.on_open != AufsOnOpen::kNothing) mode.on_open = attribute.on_open;
  mode.icex |= attribute.icex;
}

bool Holds(const AufsMode& mode, const Attribute& attribute) {
  if (attribute.flag != nullptr) return mode.*attribute.flag;
  if (attribute.on_open != AufsOnOpen::kNothing) return mode.on_open == attribute.on_open;
  return attribute.icex != 0 && (mode.icex & attribute.icex) == attribute.icex;
}

// ── Values of options ────────────────────────────────────────────────────────────────────────────

struct CreateForm {
  AufsCreate kind = AufsCreate::kTopDownParent;
  bool takes_low = false;
  bool takes_seconds = false;
};

constexpr CreateForm kTopDownParentForm{AufsCreate::kTopDownParent, false, false};
constexpr CreateForm kRoundRobinForm{AufsCreate::kRoundRobin, false, false};
constexpr CreateForm kMostFreeSpaceForm{AufsCreate::kMostFreeSpace, false, true};
constexpr std::array<Choice<CreateForm>, 10> kCreateForms = {
    {{"tdp", kTopDownParentForm},
     {"top-down-parent", kTopDownParentForm},
     {"rr", kRoundRobinForm},
     {"round-robin", kRoundRobinForm},
     {"mfs", kMostFreeSpaceForm},
     {"most-free-space", kMostFreeSpaceForm},
     {"mfsrr", {AufsCreate::kMostFreeSpaceRoundRobin, true, true}},
     {"tdmfs", {AufsCreate::kTopDownMostFreeSpace, true, true}},
     {"pmfs", {AufsCreate::kParentMostFreeSpace, false, true}},
     {"pmfsrr", {AufsCreate::kParentMostFreeSpaceRoundRobin, true, true}}}};

constexpr std::array<Choice<AufsCopyUp>, 6> kCopyUps = {
    {{"tdp", AufsCopyUp::kTopDownParent},
     {"top-down-parent", AufsCopyUp::kTopDownParent},
     {"bup", AufsCopyUp::kBottomUpParent},
     {"bottom-up-parent", AufsCopyUp::kBottomUpParent},
     {"bu", AufsCopyUp::kBottomUp},
     {"bottom-up", AufsCopyUp::kBottomUp}}};
constexpr std::array<Choice<AufsUdba>, 3> kUdbas = {
    {{"none", AufsUdba::kNone}, {"reval", AufsUdba::kReval}, {"notify", AufsUdba::kNotify}}};
// diropq=
constexpr std::array<Choice<bool>, 4> kOpaque = {
    {{"always", true}, {"a", true}, {"w", false}, {"whiteouted", false}}};
constexpr std::array<Choice<std::uint32_t>, 4> kBranchLimits = {
    {{"127", 127}, {"511", 511}, {"1023", 1023}, {"32767", 32767}}};

// Numbers that an option takes: 0, and those from least to most.
struct Range {
  std::uint32_t least = 0;
  std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  bool has_def = true;  // "def" is the default
};

constexpr Range kWhiteoutCounts{.has_def = false};
constexpr Range kListingBlocks{.least = 255};
constexpr Range kListingBuckets;
constexpr Range kListingSeconds{.most = kMaxSeconds};

std::optional<std::uint32_t> ParseWithin(std::string_view text, const Range& range) {
  const std::optional<std::uint32_t> number = ParseNumber<std::uint32_t>(text);
  if (!number || *number > range.most) return std::nullopt;
  if (*number != 0 && *number < range.least) return std::nullopt;
  return number;
}

Result<void> SetCreate(std::string_view value, AufsOptions& options) {
  Halves parts = SplitAtFirst(value, ':');
  const std::optional<CreateForm> form = ValueOf(parts.before, kCreateForms);
  if (!form) return Errno::kInval;
  AufsCreatePolicy policy{.kind = form->kind};
  if (form->takes_low) {
    parts = SplitAtFirst(parts.after.value_or(""), ':');
    const std::optional<std::uint64_t> low = ParseBytes(parts.before);
    if (!low) return Errno::kInval;
    policy.low_bytes = *low;
  }
  if (parts.after) {
    const std::optional<std::uint32_t> seconds = ParseWithin(*parts.after, {.most = kMaxSeconds});
    if (!seconds || !form->takes_seconds) return Errno::kInval;
    policy.cache_seconds = *seconds;
  }
  options.create = policy;
  return {};
}

std::optional<std::string> ShowCreate(const AufsOptions& options) {
  const AufsCreatePolicy& policy = options.create;
  if (policy == kDefaults.create) return std::nullopt;
  const auto of_kind = [&](const Choice<CreateForm>& form) {
    return form.value.kind == policy.kind;
  };
  const auto form = std::find_if(kCreateForms.begin(), kCreateForms.end(), of_kind);
  LAMINA_CHECK(form != kCreateForms.end());
  std::string text(form->text);
  if (form->value.takes_low) text += ':' + std::to_string(policy.low_bytes);
  if (form->value.takes_seconds && policy.cache_seconds != kDefaults.create.cache_seconds) {
    text += ':' + std::to_string(policy.cache_seconds);
  }
  return text;
}

template <auto kMember, const auto& kChoices>
Result<void> SetChoice(std::string_view value, AufsOptions& options) {
  const auto chosen = ValueOf(value, kChoices);
  if (!chosen) return Errno::kInval;
  options.*kMember = *chosen;
  return {};
}

template <auto kMember, const auto& kChoices>
std::optional<std::string> ShowChoice(const AufsOptions& options) {
  if (options.*kMember == kDefaults.*kMember) return std::nullopt;
  return std::string(TextOf(options.*kMember, kChoices));
}

template <auto kMember, const Range& kRange>
Result<void> SetNumber(std::string_view value, AufsOptions& options) {
  if (kRange.has_def && value == "def") {
    options.*kMember = kDefaults.*kMember;
    return {};
  }
  const std::optional<std::uint32_t> number = ParseWithin(value, kRange);
  if (!number) return Errno::kInval;
  options.*kMember = *number;
  return {};
}

template <auto kMember>
std::optional<std::string> ShowNumber(const AufsOptions& options) {
  if (options.*kMember == kDefaults.*kMember) return std::nullopt;
  return std::to_string(options.*kMember);
}

// Not modelled: where the table is kept.
Result<void> SetXinoFile(std::string_view value, AufsOptions& options) {
  if (value.empty()) return Errno::kInval;
  options.xino = true;
  return {};
}

// ── Options ──────────────────────────────────────────────────────────────────────────────────────

// name=value
struct ValueOption {
  std::string_view name;
  Result<void> (*set)(std::string_view value, AufsOptions& options);
  // The value, absent when it is the default; null when another row shows it.
  std::optional<std::string> (*show)(const AufsOptions& options) = nullptr;
};

// name, noname
struct Switch {
  std::string_view name;
  bool AufsOptions::*on;
};

// Only the name: the manual's rule is there without it.
struct QuirkSwitch {
  std::string_view name;
  bool AufsQuirks::*on;
};

// The options are shown in the order of these three tables.
constexpr auto kValueOptions = std::to_array<ValueOption>({
    {"create", SetCreate, ShowCreate},
    {"create_policy", SetCreate},
    {"cpup", SetChoice<&AufsOptions::copy_up, kCopyUps>,
     ShowChoice<&AufsOptions::copy_up, kCopyUps>},
    {"copyup", SetChoice<&AufsOptions::copy_up, kCopyUps>},
    {"copyup_policy", SetChoice<&AufsOptions::copy_up, kCopyUps>},
    {"udba", SetChoice<&AufsOptions::udba, kUdbas>, ShowChoice<&AufsOptions::udba, kUdbas>},
    {"diropq", SetChoice<&AufsOptions::opaque_always, kOpaque>,
     ShowChoice<&AufsOptions::opaque_always, kOpaque>},
    {"dirwh", SetNumber<&AufsOptions::dirwh, kWhiteoutCounts>, ShowNumber<&AufsOptions::dirwh>},
    {"rdblk", SetNumber<&AufsOptions::rdblk, kListingBlocks>, ShowNumber<&AufsOptions::rdblk>},
    {"rdhash", SetNumber<&AufsOptions::rdhash, kListingBuckets>, ShowNumber<&AufsOptions::rdhash>},
    {"rdcache", SetNumber<&AufsOptions::rdcache_seconds, kListingSeconds>,
     ShowNumber<&AufsOptions::rdcache_seconds>},
    {"xino", SetXinoFile},
    {"x-lamina.max-branches", SetChoice<&AufsOptions::max_branches, kBranchLimits>,
     ShowNumber<&AufsOptions::max_branches>},
});

constexpr auto kSwitches = std::to_array<Switch>({
    {"plink", &AufsOptions::plink},
    {"xino", &AufsOptions::xino},
    {"trunc_xino", &AufsOptions::trunc_xino},
    {"dirperm1", &AufsOptions::dirperm1},
    {"shwh", &AufsOptions::shwh},
    {"sum", &AufsOptions::sum},
    {"dio", &AufsOptions::dio},
    {"dirren", &AufsOptions::dirren},
    {"warn_perm", &AufsOptions::warn_perm},
    {"verbose", &AufsOptions::verbose},
});

constexpr auto kQuirkSwitches = std::to_array<QuirkSwitch>({
    {"x-lamina.lowest-opaque-wins", &AufsQuirks::lowest_opaque_wins},
    {"x-lamina.override-only-writable", &AufsQuirks::override_only_writable},
    {"x-lamina.pmfsrr-as-mfsrr", &AufsQuirks::pmfsrr_as_mfsrr},
});

Result<void> SetSwitch(std::string_view option, AufsOptions& options) {
  const bool on = !option.starts_with("no");
  const std::string_view name = on ? option : option.substr(2);
  for (const Switch& known : kSwitches) {
    if (known.name != name) continue;
    options.*known.on = on;
    return {};
  }
  for (const QuirkSwitch& known : kQuirkSwitches) {
    if (known.name != option) continue;
    options.quirks.*known.on = true;
    return {};
  }
  return Errno::kInval;
}

// ── Directives ───────────────────────────────────────────────────────────────────────────────────

using Kind = AufsDirective::Kind;

constexpr auto kVerbs = std::to_array<Choice<Kind>>({
    {"br", Kind::kBranch},
    {"dirs", Kind::kBranch},
    {"add", Kind::kAdd},
    {"ins", Kind::kAdd},
    {"append", Kind::kAppend},
    {"prepend", Kind::kPrepend},
    {"del", Kind::kDelete},
    {"mod", Kind::kModify},
    {"imod", Kind::kModify},
});

// Mount flags that say nothing here.
constexpr std::array<std::string_view, 5> kMountFlags = {"rw", "nosuid", "nodev", "noatime",
                                                         "nodiratime"};

Result<void> Record(AufsDirective directive, AufsText& text) {
  if (text.directives.size() == kMaxDirectives) return Errno::k2Big;
  text.directives.push_back(std::move(directive));
  return {};
}

// dir[=perm[+attr…]]; kDelete takes no permission, kModify demands one.
Result<void> ReadBranch(std::string_view branch, AufsDirective& directive) {
  const Halves parts = SplitAtFirst(branch, '=');
  if (parts.before.empty() || branch.find(':') != std::string_view::npos) return Errno::kInval;
  if (directive.kind == Kind::kDelete && parts.after) return Errno::kInval;
  if (directive.kind == Kind::kModify && !parts.after) return Errno::kInval;
  directive.path = std::string(parts.before);
  if (parts.after) directive.mode = ParseAufsMode(*parts.after);
  return {};
}

Result<void> ReadBranchList(std::string_view branches, AufsText& text) {
  Halves parts{"", branches};
  while (parts.after) {
    parts = SplitAtFirst(*parts.after, ':');
    AufsDirective directive;
    directive.kind = Kind::kBranch;
    if (Result<void> read = ReadBranch(parts.before, directive); !read.ok()) return read;
    if (Result<void> made = Record(std::move(directive), text); !made.ok()) return made;
  }
  return {};
}

Result<void> ReadVerb(Kind kind, std::string_view rest, AufsText& text) {
  if (kind == Kind::kBranch) return ReadBranchList(rest, text);
  AufsDirective directive;
  directive.kind = kind;
  if (kind == Kind::kAdd) {
    const Halves parts = SplitAtFirst(rest, ':');
    const std::optional<std::int64_t> index = ParseNumber<std::int64_t>(parts.before);
    if (!index || !parts.after) return Errno::kInval;
    directive.index = *index;
    rest = *parts.after;
  }
  if (Result<void> read = ReadBranch(rest, directive); !read.ok()) return read;
  return Record(std::move(directive), text);
}

// `tried` holds the options so far: only a value that can be set is a directive.
Result<void> ReadOption(std::string_view option, AufsOptions& tried, AufsText& text) {
  const bool silent =
      std::find(kMountFlags.begin(), kMountFlags.end(), option) != kMountFlags.end();
  if (option.empty() || silent) return {};
  if (option == "ro") {
    text.read_only = true;
    return {};
  }
  const std::size_t end = option.find_first_of(":=");
  const std::optional<Kind> verb = ValueOf(option.substr(0, end), kVerbs);
  if (verb && end != std::string_view::npos) return ReadVerb(*verb, option.substr(end + 1), text);
  if (Result<void> set = SetAufsOption(option, tried); !set.ok()) return set;
  AufsDirective directive;
  directive.option = std::string(option);
  return Record(std::move(directive), text);
}

void AppendOption(std::string_view name, std::string_view value, std::string& text) {
  if (!text.empty()) text += ',';
  text += name;
  text += value;
}

}  // namespace

AufsMode ParseAufsMode(std::string_view text) {
  Halves parts = SplitAtFirst(text, '+');
  AufsMode mode;
  mode.permission = ValueOf(parts.before, kPermissions).value_or(AufsPermission::kReadOnly);
  while (parts.after) {
    parts = SplitAtFirst(*parts.after, '+');
    const auto named = [&](const Attribute& known) { return known.name == parts.before; };
    const auto attribute = std::find_if(kAttributes.begin(), kAttributes.end(), named);
    if (attribute == kAttributes.end()) break;
    Apply(*attribute, mode);
  }
  return mode;
}

std::string FormatAufsMode(const AufsMode& mode) {
  std::string text(TextOf(mode.permission, kPermissions));
  AufsMode left = mode;
  for (const Attribute& attribute : kAttributes) {
    if (!Holds(left, attribute)) continue;
    text += '+';
    text += attribute.name;
    // icex speaks for the five others.
    left.icex = static_cast<std::uint8_t>(left.icex & ~attribute.icex);
  }
  return text;
}

Result<void> SetAufsOption(std::string_view option, AufsOptions& options) {
  // Neither byte can be part of one option of a mount(2) string.
  constexpr std::string_view kEnds(",\0", 2);
  if (option.find_first_of(kEnds) != std::string_view::npos) return Errno::kInval;
  const Halves parts = SplitAtFirst(option, '=');
  if (!parts.after) return SetSwitch(option, options);
  for (const ValueOption& known : kValueOptions) {
    if (known.name == parts.before) return known.set(*parts.after, options);
  }
  return Errno::kInval;
}

std::string FormatAufsOptions(const AufsOptions& options) {
  std::string text;
  for (const ValueOption& known : kValueOptions) {
    if (known.show == nullptr) continue;
    const std::optional<std::string> value = known.show(options);
    if (value) AppendOption(known.name, '=' + *value, text);
  }
  for (const Switch& known : kSwitches) {
    if (options.*known.on == kDefaults.*known.on) continue;
    AppendOption(options.*known.on ? "" : "no", known.name, text);
  }
  for (const QuirkSwitch& known : kQuirkSwitches) {
    if (options.quirks.*known.on) AppendOption(known.name, "", text);
  }
  return text;
}

Result<AufsText> ParseAufsText(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return Errno::kInval;
  AufsText result;
  AufsOptions tried;
  Halves parts{"", text};
  while (parts.after) {
    parts = SplitAtFirst(*parts.after, ',');
    const Result<void> read = ReadOption(parts.before, tried, result);
    if (!read.ok()) return read.error();
  }
  return result;
}

}  // namespace lamina
