#include "sim/scenario/dump.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sim/scenario/digest.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim::internal {
namespace {

constexpr std::size_t kReadPiece = 1U << 16U;

std::string ErrorMark(Errno error) { return absl::StrFormat("ERR:%s", ErrnoName(error)); }

Result<std::string> HashOpenFile(Process& process, Fd fd) {
  Digest digest;
  std::vector<std::byte> piece(kReadPiece);
  std::uint64_t offset = 0;
  for (;;) {
    const Result<std::size_t> got = process.Pread(fd, piece, offset);
    if (!got.ok()) return got.error();
    if (*got == 0) return digest.Hex();
    digest.Add(Bytes(piece.data(), *got));
    offset += *got;
  }
}

Result<std::string> HashFile(Process& process, std::string_view path, std::uint64_t limit) {
  const Result<Fd> fd = process.Open(path, {.access = Access::kRead, .no_follow = true}, 0);
  if (!fd.ok()) return fd.error();
  const Result<Stat> stat = process.Fstat(*fd);
  Result<std::string> hash = Errno::kFBig;
  if (stat.ok() && stat->size_bytes <= limit) hash = HashOpenFile(process, *fd);
  const Result<void> closed = process.Close(*fd);
  if (!closed.ok()) return closed.error();
  return hash;
}

std::string XattrsText(Process& process, std::string_view path) {
  Result<std::vector<std::string>> keys = process.Listxattr(path, LastLink::kKeep);
  if (!keys.ok()) {
    if (keys.error() == Errno::kOpNotSupp) return "";
    return " xattrs=" + ErrorMark(keys.error());
  }
  if (keys->empty()) return "";
  std::sort(keys->begin(), keys->end());
  std::vector<std::string> parts;
  for (const std::string& key : *keys) {
    const Result<std::string> value = process.Getxattr(path, key, LastLink::kKeep);
    parts.push_back(EscapeText(key) + '=' +
                    (value.ok() ? ShowXattr(key, *value) : ErrorMark(value.error())));
  }
  return absl::StrFormat(" xattrs={%s}", absl::StrJoin(parts, ","));
}

// TYPE MODE UID:GID [size=N] nlink=N [rdev=MA:MI]
std::string CommonPart(const Stat& stat) {
  std::string out =
      absl::StrFormat("%c %04o %d:%d", TypeLetter(stat.type), stat.mode, stat.uid, stat.gid);
  if (stat.type == FileType::kRegular || stat.type == FileType::kSymlink) {
    absl::StrAppendFormat(&out, " size=%d", stat.size_bytes);
  }
  absl::StrAppendFormat(&out, " nlink=%d", stat.nlink);
  if (stat.type == FileType::kCharDevice || stat.type == FileType::kBlockDevice) {
    absl::StrAppendFormat(&out, " rdev=%d:%d", DeviceMajor(stat.rdev), DeviceMinor(stat.rdev));
  }
  return out;
}

std::string ChildPath(const std::string& parent, const std::string& name) {
  return parent == "/" ? '/' + name : parent + '/' + name;
}

}  // namespace

Result<std::string> EntryLine(Process& process, std::string_view path, TreeSide side,
                              const DumpContext& context) {
  const Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
  if (!stat.ok()) return stat.error();
  std::string out = EscapeText(path, Blanks::kEscape);
  if (side == TreeSide::kUpper && stat->type == FileType::kCharDevice && stat->rdev == 0) {
    return out + " whiteout";
  }
  out += ' ' + CommonPart(*stat);
  if (stat->type == FileType::kSymlink) {
    const Result<std::string> target = process.Readlink(path);
    if (!target.ok()) return target.error();
    out += " target=" + QuoteText(*target);
  }
  if (stat->type == FileType::kRegular) {
    const Result<std::string> hash = HashFile(process, path, context.digest_bytes);
    out += " sha256=" + (hash.ok() ? *hash : ErrorMark(hash.error()));
  }
  out += " mtime=" + ShowTime(stat->mtime) + XattrsText(process, path);
  if (side == TreeSide::kMerged) {
    out += " ino=" + context.classes->InodeClass(stat->dev, stat->ino);
  } else if (stat->nlink > 1 && stat->type != FileType::kDirectory) {
    out += " hl=" + context.classes->HardLinkClass(stat->ino);
  }
  return out;
}

std::vector<std::string> TreeLines(Process& process, TreeSide side, const DumpContext& context) {
  std::vector<std::string> lines;
  std::vector<std::string> waiting = {"/"};
  while (!waiting.empty()) {
    const std::string path = std::move(waiting.back());
    waiting.pop_back();
    const Result<std::string> line = EntryLine(process, path, side, context);
    const std::string shown = "  " + EscapeText(path, Blanks::kEscape);
    if (!line.ok()) {
      lines.push_back(shown + ' ' + ErrorMark(line.error()));
      continue;
    }
    lines.push_back("  " + *line);
    const Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
    if (!stat.ok() || stat->type != FileType::kDirectory) continue;
    Result<std::vector<ProcessEntry>> entries = process.ListDirectory(path);
    if (!entries.ok()) {
      lines.push_back(shown + " READDIR-" + ErrorMark(entries.error()));
      continue;
    }
    // Last in, first out: the first child must be pushed last.
    std::sort(entries->begin(), entries->end(),
              [](const ProcessEntry& a, const ProcessEntry& b) { return a.name > b.name; });
    for (const ProcessEntry& entry : *entries) waiting.push_back(ChildPath(path, entry.name));
  }
  return lines;
}

std::string StatLine(const Stat& stat, IdentityClasses& classes) {
  std::string out = CommonPart(stat);
  // The device is named before the inode: the numbers of classes follow that order.
  out += " mtime=" + ShowTime(stat.mtime) + " dev=" + classes.DeviceClass(stat.dev);
  return out + " ino=" + classes.InodeClass(stat.dev, stat.ino);
}

}  // namespace lamina::sim::internal
