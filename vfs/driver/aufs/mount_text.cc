#include "vfs/driver/aufs/mount_text.h"

#include "absl/strings/str_format.h"

namespace lamina::internal {
namespace {

constexpr std::string_view kOptions = ",dio,xino=/dev/shm/aufs.xino";
constexpr std::string_view kDirperm1 = ",dirperm1";
// Docker's room for kOptions and what a label has around it.
constexpr std::size_t kReservedBytes = 54;

// Appends formatted branches from `next` on while they fit. Their number.
template <typename Format>
std::size_t Fill(const std::vector<std::string>& branches, std::size_t next, std::size_t room,
                 const Format& format, std::string& text) {
  std::size_t taken = 0;
  for (; next + taken < branches.size(); ++taken) {
    const std::string branch = absl::StrFormat(format, branches[next + taken]);
    if (text.size() + branch.size() > room) break;
    text += branch;
  }
  return taken;
}

}  // namespace

Result<AufsMountTexts> MakeAufsMountTexts(const AufsMountRequest& request) {
  const std::size_t reserved =
      request.label.size() + kReservedBytes + (request.dirperm1 ? kDirperm1.size() : 0);
  if (request.page_bytes <= reserved) return Errno::kNameTooLong;
  const std::size_t room = request.page_bytes - reserved;

  AufsMountTexts texts;
  texts.mount = absl::StrFormat("br:%s=rw", request.writable);
  if (texts.mount.size() > room) return Errno::kNameTooLong;
  const absl::FormatSpec<std::string> branch(":%s=ro+wh");
  const absl::FormatSpec<std::string> append("append:%s=ro+wh,");
  std::size_t next = Fill(request.read_only, 0, room, branch, texts.mount);
  texts.mount += kOptions;
  if (request.dirperm1) texts.mount += kDirperm1;
  while (next < request.read_only.size()) {
    std::string text;
    const std::size_t taken = Fill(request.read_only, next, room, append, text);
    if (taken == 0) return Errno::kNameTooLong;
    next += taken;
    texts.remounts.push_back(std::move(text));
  }
  return texts;
}

std::string WithMountLabel(std::string_view text, std::string_view label) {
  if (label.empty()) return std::string(text);
  return absl::StrFormat("%s,context=\"%s\"", text, label);
}

}  // namespace lamina::internal
