#include "tests/union/aufs_drawing.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>

#include "gtest/gtest.h"

namespace lamina {
namespace {

constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::string_view kDrawnOpaqueName = "OPQ";
constexpr std::size_t kShownBytes = 40;  // longer contents are told by their length
constexpr std::size_t kDescribedBytes = 64 << 10;

struct Entry {
  std::string path;
  char kind = ' ';  // one of "/=>@!", ' ' an empty file
  std::string data;
  std::optional<std::uint16_t> mode;
  std::optional<std::uint32_t> uid;
};

std::string LastComponent(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool IsWhiteoutName(const std::string& name) { return name.starts_with(".wh."); }

// ".wh..wh.NAME.12ab"
bool IsTemporaryName(const std::string& name) {
  constexpr std::size_t kDigits = 4;
  constexpr std::string_view kPrefix = ".wh..wh.";
  if (!name.starts_with(kPrefix) || name.size() < kPrefix.size() + kDigits + 2) return false;
  if (name[name.size() - kDigits - 1] != '.') return false;
  return std::all_of(name.end() - kDigits, name.end(),
                     [](unsigned char letter) { return std::isxdigit(letter) != 0; });
}

// "x*3" is "xxx".
std::string Expanded(const std::string& data) {
  if (data.size() < 3 || data[1] != '*') return data;
  return std::string(std::stoul(data.substr(2)), data[0] == '~' ? '\0' : data[0]);
}

std::string Shortened(const std::string& data) {
  if (data.size() <= kShownBytes) return data;
  const bool uniform = data.find_first_not_of(data[0]) == std::string::npos;
  if (!uniform) return "[" + std::to_string(data.size()) + " bytes]";
  return std::string(1, data[0] == '\0' ? '~' : data[0]) + "*" + std::to_string(data.size());
}

Entry ParseEntry(const std::string& word) {
  Entry entry;
  std::istringstream parts(word);
  std::string head;
  std::string mode;
  std::string uid;
  std::getline(parts, head, ':');
  if (std::getline(parts, mode, ':')) {
    entry.mode = static_cast<std::uint16_t>(std::stoul(mode, nullptr, 8));
  }
  if (std::getline(parts, uid, ':')) entry.uid = static_cast<std::uint32_t>(std::stoul(uid));
  const std::size_t sign = head.find_first_of("=>@!");
  entry.path = "/" + head.substr(0, sign);
  if (sign != std::string::npos) {
    entry.kind = head[sign];
    entry.data = head.substr(sign + 1);
  } else if (head.ends_with('/')) {
    entry.kind = '/';
    entry.path.pop_back();
  }
  if (LastComponent(entry.path) == kDrawnOpaqueName) {
    entry.path.replace(entry.path.rfind('/') + 1, std::string::npos, kOpaqueName);
  }
  return entry;
}

void MakeParents(Process& process, const std::string& path) {
  for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end)) {
    const std::string parent = path.substr(0, end++);
    if (process.GetStat(parent, LastLink::kKeep).ok()) continue;
    EXPECT_TRUE(process.Mkdir(parent, 0755).ok()) << parent;
  }
}

Result<void> MakeFile(Process& process, const Entry& entry) {
  const std::uint16_t mode = IsWhiteoutName(LastComponent(entry.path)) ? 0444 : 0644;
  Result<Process::Fd> fd =
      process.Open(entry.path, {.access = Access::kWrite, .create = true, .exclusive = true}, mode);
  if (!fd.ok()) return fd.error();
  Result<std::size_t> written = process.Write(*fd, AsBytes(Expanded(entry.data)));
  if (!written.ok()) return written.error();
  return process.Close(*fd);
}

Result<void> MakeEntry(Process& process, const Entry& entry) {
  const bool there = process.GetStat(entry.path, LastLink::kKeep).ok();
  const FileType special = entry.data == "c" ? FileType::kCharDevice : FileType::kFifo;
  switch (entry.kind) {
    case '/':
      return there ? Result<void>() : process.Mkdir(entry.path, 0755);
    case '>':
      return process.Symlink(entry.data, entry.path);
    case '@':
      return process.Link("/" + entry.data, entry.path, LastLink::kKeep);
    case '!':
      return process.Mknod(entry.path, special, 0644, MakeDevice(1, 3));
    default:
      return MakeFile(process, entry);
  }
}

void SetAttributes(Process& process, const Entry& entry) {
  if (entry.uid) {
    EXPECT_TRUE(process.Chown(entry.path, entry.uid, entry.uid, LastLink::kKeep).ok());
  }
  if (entry.mode) {
    EXPECT_TRUE(process.Chmod(entry.path, *entry.mode).ok());
  }
}

std::string SpecialLetter(FileType type) {
  if (type == FileType::kFifo) return "p";
  if (type == FileType::kCharDevice) return "c";
  return "?";
}

}  // namespace

void DrawEntries(Process& process, std::string_view drawing) {
  std::istringstream words{std::string(drawing)};
  for (std::string word; words >> word;) {
    const Entry entry = ParseEntry(word);
    MakeParents(process, entry.path);
    EXPECT_TRUE(MakeEntry(process, entry).ok()) << word;
    SetAttributes(process, entry);
  }
}

std::vector<std::string> PathsBelow(Process& process,
                                    const std::function<bool(const std::string&)>& omits) {
  std::vector<std::string> found;
  std::vector<std::string> pending = {""};
  while (!pending.empty()) {
    const std::string path = pending.back();
    pending.pop_back();
    if (!path.empty()) found.push_back(path);
    const std::string at = path.empty() ? "/" : path;
    Result<Stat> stat = process.GetStat(at, LastLink::kKeep);
    if (!stat.ok() || stat->type != FileType::kDirectory) continue;
    Result<std::vector<ProcessEntry>> entries = process.ListDirectory(at);
    EXPECT_TRUE(entries.ok()) << at;
    if (!entries.ok()) continue;
    std::sort(entries->begin(), entries->end(),
              [](const auto& left, const auto& right) { return left.name > right.name; });
    for (const ProcessEntry& entry : *entries) {
      if (!omits(path + "/" + entry.name)) pending.push_back(path + "/" + entry.name);
    }
  }
  return found;
}

std::string DrawnPath(std::string_view path) {
  std::istringstream components{std::string(path.substr(1))};
  std::string drawn;
  for (std::string name; std::getline(components, name, '/');) {
    if (name == kOpaqueName) name = kDrawnOpaqueName;
    if (IsTemporaryName(name)) name.replace(name.size() - 4, 4, "HHHH");
    drawn += (drawn.empty() ? "" : "/") + name;
  }
  return drawn;
}

std::string DrawnEntry(Process& process, const std::string& path) {
  const std::string drawn = DrawnPath(path);
  Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
  if (!stat.ok()) return drawn + "?" + std::string(ErrnoName(stat.error()));
  if (stat->type == FileType::kDirectory) return drawn + "/";
  if (stat->type == FileType::kSymlink) {
    Result<std::string> target = process.Readlink(path);
    return drawn + ">" + (target.ok() ? *target : std::string(ErrnoName(target.error())));
  }
  if (stat->type != FileType::kRegular) return drawn + "!" + SpecialLetter(stat->type);
  const std::string name = LastComponent(path);
  const bool odd_mode = IsWhiteoutName(name) && !IsTemporaryName(name) && stat->mode != 0444;
  std::ostringstream mode;
  if (odd_mode) mode << ":" << std::oct << stat->mode;
  if (stat->size_bytes == 0) return drawn + mode.str();
  Result<std::string> data = process.ReadFile(path);
  if (!data.ok()) return drawn + "?" + std::string(ErrnoName(data.error()));
  return drawn + "=" + Shortened(*data) + mode.str();
}

std::string DescribedEntry(Process& process, const std::string& path) {
  Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
  if (!stat.ok()) return path + " " + std::string(ErrnoName(stat.error()));
  std::ostringstream text;
  text << path << " type " << static_cast<int>(stat->type) << " mode " << std::oct << stat->mode
       << std::dec << " owner " << stat->uid << ":" << stat->gid << " nlink " << stat->nlink
       << " ino " << stat->ino << " size " << stat->size_bytes << " sectors "
       << stat->allocated_sectors << " rdev " << stat->rdev << " atime " << stat->atime.virtual_ns
       << " mtime " << stat->mtime.virtual_ns << " ctime " << stat->ctime.virtual_ns;
  Result<std::vector<std::string>> keys = process.Listxattr(path, LastLink::kKeep);
  if (keys.ok()) {
    for (const std::string& key : *keys) {
      text << " " << key << "=" << *process.Getxattr(path, key, LastLink::kKeep);
    }
  }
  if (stat->type == FileType::kSymlink) text << " target " << *process.Readlink(path);
  if (stat->type != FileType::kRegular) return text.str();
  Result<Process::Fd> fd = process.Open(path, {}, 0);
  if (!fd.ok()) return text.str() + " unreadable";
  std::string data(std::min<std::uint64_t>(stat->size_bytes, kDescribedBytes), '\0');
  EXPECT_TRUE(process.Pread(*fd, std::as_writable_bytes(std::span(data)), 0).ok());
  EXPECT_TRUE(process.Close(*fd).ok());
  return text.str() + " data " + data;
}

std::string JoinedWords(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

}  // namespace lamina
