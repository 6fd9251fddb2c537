// The option string of an overlay mount (fs/overlayfs/params.c).
#include <array>

#include "lamina/union/overlay.h"

namespace lamina {
namespace {

// Splits at commas; `\,` is a comma of the value.
std::vector<std::string> SplitOptions(std::string_view text) {
  std::vector<std::string> options(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      // The byte after a backslash separates nothing; only a comma loses its backslash here.
      ++i;
      if (text[i] != ',') options.back() += '\\';
      options.back() += text[i];
    } else if (text[i] == ',') {
      options.emplace_back();
    } else {
      options.back() += text[i];
    }
  }
  return options;
}

// Resolves `\x` to x.
std::string Unescape(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    result += text[i];
  }
  return result;
}

// lowerdir=l1:l2::d1::d2. Errors: kInval empty parts, anything but `::` after a `::`, too many.
Result<void> ParseLowers(std::string_view text, OverlayMountText& mount) {
  bool data_only = false;
  std::string part;
  const auto finish = [&]() -> bool {
    if (part.empty()) return false;
    (data_only ? mount.data_only : mount.lowers).push_back(Unescape(part));
    part.clear();
    return true;
  };
  if (text.empty()) return {};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      part += text[i];
      part += text[++i];
      continue;
    }
    if (text[i] != ':') {
      part += text[i];
      continue;
    }
    if (!finish()) return Errno::kInval;
    const bool twice = i + 1 < text.size() && text[i + 1] == ':';
    if (!twice && data_only) return Errno::kInval;
    if (twice) {
      data_only = true;
      ++i;
    }
  }
  if (!finish()) return Errno::kInval;
  if (mount.lowers.size() + mount.data_only.size() > kMaxOverlayLowers) return Errno::kInval;
  return {};
}

template <typename T>
struct Choice {
  std::string_view text;
  T value;
};

template <typename T, std::size_t N>
Result<void> Choose(std::string_view text, const std::array<Choice<T>, N>& choices, T& into) {
  for (const Choice<T>& choice : choices) {
    if (choice.text != text) continue;
    into = choice.value;
    return {};
  }
  return Errno::kInval;
}

constexpr std::array<Choice<RedirectDir>, 4> kRedirectDirs = {
    {{"on", RedirectDir::kOn},
     {"off", RedirectDir::kOff},
     {"follow", RedirectDir::kFollow},
     {"nofollow", RedirectDir::kNoFollow}}};
constexpr std::array<Choice<Toggle>, 2> kToggles = {{{"on", Toggle::kOn}, {"off", Toggle::kOff}}};
constexpr std::array<Choice<XinoMode>, 3> kXinoModes = {
    {{"on", XinoMode::kOn}, {"off", XinoMode::kOff}, {"auto", XinoMode::kAuto}}};
constexpr std::array<Choice<UuidMode>, 4> kUuidModes = {{{"off", UuidMode::kOff},
                                                         {"null", UuidMode::kNull},
                                                         {"auto", UuidMode::kAuto},
                                                         {"on", UuidMode::kOn}}};
constexpr std::array<Choice<VerityMode>, 3> kVerityModes = {
    {{"off", VerityMode::kOff}, {"on", VerityMode::kOn}, {"require", VerityMode::kRequire}}};

Result<void> ParseFlag(std::string_view key, OverlayMountText& mount) {
  if (key == "ro") {
    mount.read_only = true;
  } else if (key == "volatile") {
    mount.options.volatile_upper = true;
  } else if (key == "x-lamina.fuse-whiteouts") {
    mount.options.fuse_whiteouts = true;
  } else if (key == "userxattr") {
    mount.options.userxattr = true;
  } else if (key == "default_permissions" || key == "rw" || key == "nosuid" || key == "nodev" ||
             key == "noatime") {
    // Nothing that shows here.
  } else {
    return Errno::kInval;
  }
  return {};
}

Result<void> ParseOption(std::string_view option, OverlayMountText& mount) {
  const std::size_t equals = option.find('=');
  if (equals == std::string_view::npos) return ParseFlag(option, mount);
  const std::string_view key = option.substr(0, equals);
  const std::string_view value = option.substr(equals + 1);
  OverlayOptions& options = mount.options;
  if (key == "lowerdir") {
    mount.lowers.clear();
    mount.data_only.clear();
    return ParseLowers(value, mount);
  }
  if (key == "upperdir" || key == "workdir") {
    if (value.empty()) return Errno::kInval;
    (key == "upperdir" ? mount.upper : mount.work) = Unescape(value);
    return {};
  }
  if (key == "redirect_dir") return Choose(value, kRedirectDirs, options.redirect_dir);
  if (key == "metacopy") return Choose(value, kToggles, options.metacopy);
  if (key == "index") return Choose(value, kToggles, options.index);
  if (key == "nfs_export") return Choose(value, kToggles, options.nfs_export);
  if (key == "xino") return Choose(value, kXinoModes, options.xino);
  if (key == "uuid") return Choose(value, kUuidModes, options.uuid);
  if (key == "verity") return Choose(value, kVerityModes, options.verity);
  return Errno::kInval;
}

}  // namespace

Result<OverlayMountText> ParseOverlayMountText(std::string_view text) {
  OverlayMountText mount;
  for (const std::string& option : SplitOptions(text)) {
    if (option.empty()) continue;
    if (Result<void> parsed = ParseOption(option, mount); !parsed.ok()) return parsed.error();
  }
  if (Result<void> checked = CheckOverlayOptions(mount.options); !checked.ok())
    return checked.error();
  return mount;
}

// ovl_fs_params_verify
Result<void> CheckOverlayOptions(const OverlayOptions& options) {
  const bool redirect_given = options.redirect_dir != RedirectDir::kDefault;
  if (options.metacopy == Toggle::kOn && redirect_given &&
      options.redirect_dir != RedirectDir::kOn) {
    return Errno::kInval;
  }
  if (options.nfs_export == Toggle::kOn &&
      (options.metacopy == Toggle::kOn || options.index == Toggle::kOff)) {
    return Errno::kInval;
  }
  if (options.fuse_whiteouts) {
    const bool more = options.metacopy == Toggle::kOn || options.index == Toggle::kOn ||
                      options.nfs_export == Toggle::kOn || options.redirect_dir == RedirectDir::kOn;
    if (more) return Errno::kInval;
  }
  if (options.userxattr) {
    if (options.metacopy == Toggle::kOn) return Errno::kInval;
    if (redirect_given && options.redirect_dir != RedirectDir::kNoFollow) return Errno::kInval;
    if (options.verity == VerityMode::kOn || options.verity == VerityMode::kRequire) {
      return Errno::kInval;
    }
  }
  return {};
}

bool OverlayWantsIndex(const OverlayMount& mount) {
  const OverlayOptions& options = mount.options;
  return mount.upper.has_value() &&
         (options.index == Toggle::kOn || options.nfs_export == Toggle::kOn);
}

}  // namespace lamina
