#include "sim/facade/aufs_mount.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"

namespace lamina::internal {
namespace {

// The first option of `text` that cannot be read by itself; the whole when each can.
std::string_view FirstMistake(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view option = rest.substr(0, rest.find(','));
    if (!ParseAufsText(option).ok()) return option;
    rest.remove_prefix(std::min(option.size() + 1, rest.size()));
  }
  return text;
}

bool HasAufsOptions(const MountOptions& options) {
  return options.aufs != AufsOptions{} || !options.aufs_text.empty() || !options.aufs_modes.empty();
}

// What a struct can hold and no mount string can say.
absl::Status CheckValues(const AufsOptions& options) {
  const std::string text = FormatAufsOptions(options);
  if (ParseAufsText(text).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("AufsOptions: %s is out of range", FirstMistake(text)));
}

AufsMode ModeOf(const MountOptions& options, std::string_view layer) {
  const auto written = options.aufs_modes.find(layer);
  if (written != options.aufs_modes.end()) return ParseAufsMode(written->second);
  return ParseAufsMode(layer == kUpperName ? "rw" : "ro+wh");
}

std::string WhyNotMounted(Errno error, const FacadeMount& mount) {
  if (error != Errno::kNoSpc) return "";
  return absl::StrFormat("%d branches; AUFS takes %d (max_branches)", mount.slots.size(),
                         mount.options.aufs.max_branches);
}

}  // namespace

absl::StatusOr<AufsText> ReadAufsText(std::string_view text, std::string_view call) {
  Result<AufsText> parsed = ParseAufsText(text);
  if (!parsed.ok()) {
    const std::string mistake = Quoted(FirstMistake(text));
    return StatusOf(parsed.error(), call,
                    parsed.error() == Errno::kInval
                        ? absl::StrFormat("%s is no option, or has no such value", mistake)
                        : "more options than fit in a page");
  }
  return *std::move(parsed);
}

absl::StatusOr<MountOptions> CheckedOptions(MountOptions options) {
  if (options.dialect == UnionDialect::kOverlay) {
    if (!HasAufsOptions(options)) return options;
    return absl::InvalidArgumentError(
        "options of AUFS for an overlay; set dialect to UnionDialect::kAufs");
  }
  if (options.overlay != OverlayOptions{}) {
    return absl::InvalidArgumentError("options of an overlay for AUFS");
  }
  absl::StatusOr<AufsText> text = ReadAufsText(options.aufs_text, "mount");
  if (!text.ok()) return text.status();
  for (const AufsDirective& directive : text->directives) {
    if (directive.kind != AufsDirective::Kind::kOption) {
      return absl::InvalidArgumentError(
          "aufs_text names a branch; the branches are the layers of the stack, and their modes are "
          "in aufs_modes");
    }
    (void)SetAufsOption(directive.option, options.aufs);  // it was read just now
  }
  if (absl::Status checked = CheckValues(options.aufs); !checked.ok()) return checked;
  options.read_only = options.read_only || text->read_only;
  options.aufs_text.clear();
  return options;
}

WhiteoutForm FormOf(const MountOptions& options) {
  if (options.dialect == UnionDialect::kAufs) return WhiteoutForm::kAufs;
  return options.overlay.userxattr ? WhiteoutForm::kOverlayUser : WhiteoutForm::kOverlay;
}

LayerUse UseOf(const MountOptions& options, std::string_view layer) {
  return ModeOf(options, layer).writable() ? LayerUse::kWritable : LayerUse::kFrozen;
}

void PlaceSlots(FacadeMount& mount) {
  mount.slots.push_back({std::string(kUpperName), ModeOf(mount.options, kUpperName)});
  for (const LowerLayer& lower : mount.lowers) {
    mount.slots.push_back({lower.name, ModeOf(mount.options, lower.name)});
  }
}

Result<DirectoryRef> FindAufsDirectory(FacadeMount& mount, std::string_view layer) {
  if (layer == kUpperName) {
    return DirectoryRef{
        mount.upper_site.get(), mount.upper, {mount.storage->fs.root()}, std::string(layer)};
  }
  const LowerLayer* lower = mount.FindLower(layer);
  if (lower == nullptr) return Errno::kNoEnt;
  return DirectoryRef{lower->site.get(), lower->fs->root(), {}, lower->name};
}

absl::Status MountAufsSlots(FacadeMount& mount) {
  AufsMount setup;
  setup.options = mount.options.aufs;
  setup.read_only = mount.options.read_only;
  for (const AufsSlot& slot : mount.slots) {
    Result<DirectoryRef> directory = FindAufsDirectory(mount, slot.layer);
    if (!directory.ok()) return StatusOf(directory.error(), "mount");
    setup.branches.push_back({*std::move(directory), slot.mode});
  }
  Result<std::unique_ptr<UnionFs>> fs = MountAufs(mount.AsRoot(), setup);
  if (!fs.ok()) return StatusOf(fs.error(), "mount", WhyNotMounted(fs.error(), mount));
  mount.fs = *std::move(fs);
  for (const AufsSlot& slot : mount.slots) NoteOldPseudoLinks(mount, slot.layer);
  return absl::OkStatus();
}

}  // namespace lamina::internal
