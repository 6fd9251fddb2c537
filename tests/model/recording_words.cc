#include "tests/model/recording_words.h"

#include <openssl/sha.h>

#include <array>
#include <cstdio>
#include <set>

#include "sim/model/entry.h"

namespace lamina::sim {
namespace {

using Words = std::vector<std::string>;

// One escape of a quoted part; `at` is behind the backslash and is moved behind the escape.
char ReadEscape(const std::string& line, std::size_t& at) {
  const char kind = line.at(at++);
  if (kind == 'x') {
    const std::string hex = line.substr(at, 2);
    at += 2;
    return static_cast<char>(std::stoi(hex, nullptr, 16));
  }
  const std::map<char, char> simple = {{'n', '\n'}, {'t', '\t'}, {'0', '\0'}};
  const auto found = simple.find(kind);
  return found == simple.end() ? kind : found->second;
}

std::string ReadWord(const std::string& line, std::size_t& at) {
  std::string word;
  while (at < line.size() && line[at] != ' ' && line[at] != '\t') {
    if (line[at] != '"') {
      word += line[at++];
      continue;
    }
    ++at;
    while (line.at(at) != '"') {
      if (line[at] == '\\') {
        word += ReadEscape(line, ++at);
      } else {
        word += line[at++];
      }
    }
    ++at;
  }
  return word;
}

std::string ReadData(const std::string& word) {
  if (word.starts_with("fill:")) return std::string(std::stoul(word.substr(7)), word[5]);
  std::string data;
  if (word.starts_with("pat:")) {
    const std::size_t colon = word.find(':', 4);
    const unsigned long seed = std::stoul(word.substr(4));
    const unsigned long length = std::stoul(word.substr(colon + 1));
    for (unsigned long i = 0; i < length; ++i) {
      data += static_cast<char>((seed * 31 + i * 7 + (i >> 8U)) & 255U);
    }
    return data;
  }
  if (word.starts_with("hex:")) {
    for (std::size_t i = 4; i < word.size(); i += 2) {
      data += static_cast<char>(std::stoi(word.substr(i, 2), nullptr, 16));
    }
    return data;
  }
  return word;
}

std::uint16_t ReadMode(const std::string& word) {
  return static_cast<std::uint16_t>(std::stoul(word, nullptr, 8));
}

std::optional<std::uint32_t> ReadId(const std::string& word) {
  if (word == "-1") return std::nullopt;
  return static_cast<std::uint32_t>(std::stoul(word));
}

std::string WordAt(const Words& words, std::size_t index, const std::string& otherwise) {
  return index < words.size() ? words[index] : otherwise;
}

std::optional<OperationKind> KindOf(const std::string& word) {
  if (word == "pwrite") return OperationKind::kWrite;
  if (word == "umount") return std::nullopt;
  for (int i = 0; i < kOperationKinds; ++i) {
    const auto kind = static_cast<OperationKind>(i);
    if (OperationWord(kind) == word) return kind;
  }
  return std::nullopt;
}

bool ReadHow(const std::string& flags, ModelOpenHow& how) {
  std::string flag;
  for (const char letter : flags + ",") {
    if (letter != ',') {
      flag += letter;
      continue;
    }
    if (flag == "path" || flag == "tmpfile") return false;
    how.read = how.read || flag == "rdonly" || flag == "rdwr";
    how.write = how.write || flag == "wronly" || flag == "rdwr";
    how.create = how.create || flag == "creat";
    how.exclusive = how.exclusive || flag == "excl";
    how.truncate = how.truncate || flag == "trunc";
    how.append = how.append || flag == "append";
    how.directory = how.directory || flag == "directory";
    how.no_follow = how.no_follow || flag == "nofollow";
    flag.clear();
  }
  return true;
}

// Arguments of a call on a handle, behind the handle.
bool ReadHandleArguments(const Words& words, ModelOperation& o) {
  if (o.kind == OperationKind::kOpen) {
    o.path = words.at(2);
    o.mode = ReadMode(WordAt(words, 4, "0644"));
    return ReadHow(WordAt(words, 3, "rdonly"), o.how);
  }
  if (o.kind == OperationKind::kHandleChmod) {
    o.mode = ReadMode(words.at(2));
    return true;
  }
  if (words.size() > 2) o.number = std::stoul(words[2]);
  if (o.kind == OperationKind::kHandleRead) o.second = std::stoul(words.at(3));
  if (o.kind == OperationKind::kHandleWrite) o.data = ReadData(words.at(3));
  return true;
}

void ReadAttributeArguments(const Words& words, ModelOperation& o) {
  if (o.kind == OperationKind::kChown) {
    o.uid = ReadId(words.at(2));
    o.gid = ReadId(words.at(3));
  }
  if (o.kind == OperationKind::kSetXattr) {
    o.other = words.at(2);
    o.data = ReadData(words.at(3));
    const std::string mode = WordAt(words, 4, "");
    if (mode == "create") o.xattr = ModelXattrMode::kCreate;
    if (mode == "replace") o.xattr = ModelXattrMode::kReplace;
  }
  if (o.kind == OperationKind::kGetXattr || o.kind == OperationKind::kRemoveXattr) {
    o.other = words.at(2);
  }
  if (o.kind == OperationKind::kAccess) {
    for (const char letter : words.at(2)) {
      if (letter == 'r') o.number |= kModelRead;
      if (letter == 'w') o.number |= kModelWrite;
      if (letter == 'x') o.number |= kModelExecute;
    }
  }
  if (o.kind == OperationKind::kMknod) {
    o.mode = ReadMode(words.at(2));
    o.type = words.at(3) == "c" ? ModelType::kCharDevice : ModelType::kBlockDevice;
    o.number = std::stoul(words.at(4));
    o.second = std::stoul(words.at(5));
  }
}

bool ReadRenameMode(const std::string& word, ModelRename& mode) {
  const std::map<std::string, ModelRename> modes = {{"", ModelRename::kReplace},
                                                    {"noreplace", ModelRename::kNoReplace},
                                                    {"exchange", ModelRename::kExchange},
                                                    {"whiteout", ModelRename::kLeaveWhiteout}};
  if (!modes.contains(word)) return false;
  mode = modes.at(word);
  return true;
}

// Arguments of a call by path, behind the path. False: not known.
bool ReadPathArguments(const Words& words, ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kMkdir:
    case OperationKind::kCreate:
    case OperationKind::kChmod:
    case OperationKind::kFifo:
    case OperationKind::kSocket:
      o.mode = ReadMode(WordAt(words, 2, o.kind == OperationKind::kMkdir ? "0755" : "0644"));
      return true;
    case OperationKind::kPut:
      o.mode = ReadMode(words.at(2));
      o.data = ReadData(words.at(3));
      return true;
    case OperationKind::kWrite:
      o.number = std::stoul(words.at(2));
      o.data = ReadData(words.at(3));
      return true;
    case OperationKind::kAppend:
      o.data = ReadData(words.at(2));
      return true;
    case OperationKind::kTruncate:
      o.number = std::stoul(words.at(2));
      return true;
    case OperationKind::kUtimens:
      o.number = std::stoul(words.at(3));
      return words[3].find('.') == std::string::npos;
    case OperationKind::kRead:
      o.number = std::stoul(WordAt(words, 2, "0"));
      o.second = std::stoul(WordAt(words, 3, "1048576"));
      return true;
    case OperationKind::kRename:
      o.other = words.at(2);
      return ReadRenameMode(WordAt(words, 3, ""), o.rename);
    case OperationKind::kLink:
      o.other = words.at(2);
      return true;
    default:
      ReadAttributeArguments(words, o);
      return true;
  }
}

std::string Sha256(const std::string& data) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data());
  std::string text;
  for (const unsigned char byte : digest) {
    std::array<char, 4> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned>(byte));
    text += hex.data();
  }
  return text;
}

}  // namespace

std::vector<std::string> SplitWords(const std::string& line) {
  Words words;
  std::size_t at = 0;
  while (at < line.size()) {
    if (line[at] == ' ' || line[at] == '\t') {
      ++at;
      continue;
    }
    if (line[at] == '#') break;
    words.push_back(ReadWord(line, at));
  }
  return words;
}

std::optional<ModelOperation> ReadCall(const std::vector<std::string>& words,
                                       std::map<std::string, int>& slots) {
  ModelOperation o;
  const std::optional<OperationKind> kind = KindOf(words.at(0));
  if (!kind.has_value()) return std::nullopt;
  o.kind = *kind;
  if (o.kind == OperationKind::kAs) {
    o.uid = ReadId(words.at(1));
    o.gid = ReadId(words.at(2));
    return o;
  }
  if (o.kind == OperationKind::kUmask) {
    o.mode = ReadMode(words.at(1));
    return o;
  }
  if (o.kind == OperationKind::kSymlink) {
    o.other = words.at(1);
    o.path = words.at(2);
    return o;
  }
  if (o.kind >= OperationKind::kOpen && o.kind <= OperationKind::kClose) {
    o.slot = slots.emplace(words.at(1), static_cast<int>(slots.size())).first->second;
    if (!ReadHandleArguments(words, o)) return std::nullopt;
    return o;
  }
  o.path = words.at(1);
  if (!ReadPathArguments(words, o)) return std::nullopt;
  return o;
}

bool IsPassedOver(const std::string& word) {
  static const std::set<std::string> kPassed = {"statfs", "workdir",  "readdirino", "hlock",
                                                "hlease", "hreaddir", "hrewind",    "mmap",
                                                "mread",  "munmap",   "note"};
  return kPassed.contains(word);
}

std::string RecordedData(const std::string& data) {
  if (data.size() <= 64) return QuoteData(data);
  return "sha256:" + Sha256(data) + " len=" + std::to_string(data.size());
}

std::string RecordedLine(const std::string& path, const ModelInode& inode, std::uint32_t links,
                         bool raw_upper) {
  if (raw_upper && inode.is_whiteout()) return path + " whiteout";
  std::string line =
      path + " " + ShowStat(inode, inode.content.size() + inode.target.size(), links);
  const std::size_t time = line.rfind(" mtime=");
  std::string middle;
  if (inode.type == ModelType::kSymlink) middle += " target=" + QuoteData(inode.target);
  if (inode.type == ModelType::kFile) middle += " sha256=" + Sha256(inode.content);
  line.insert(time, middle);
  const std::string xattrs = ShowXattrs(inode.xattrs);
  return xattrs.empty() ? line : line + " xattrs=" + xattrs;
}

std::string CoreOfUpperLine(std::string line) {
  if (const std::size_t link_class = line.rfind(" hl=u"); link_class != std::string::npos) {
    line.erase(link_class);
  }
  for (const std::string key : {"impure", "origin", "uuid", "nlink", "protattr"}) {
    const std::string start = "trusted.overlay." + key + "=";
    const std::size_t from = line.find(start);
    if (from == std::string::npos) continue;
    // The value is "text" or <word>; then comes a comma or the closing brace.
    const std::size_t value = from + start.size();
    const std::size_t end = line.find(line[value] == '<' ? '>' : '"', value + 1) + 1;
    line.erase(from, end - from + (line[end] == ',' ? 1 : 0));
  }
  if (line.ends_with(",}")) line.replace(line.size() - 2, 2, "}");
  const std::string empty = " xattrs={}";
  if (line.ends_with(empty)) line.erase(line.size() - empty.size());
  return line;
}

std::string TakeIdentity(std::string& text) {
  const std::size_t ino = text.rfind(" ino=i");
  if (ino == std::string::npos) return "";
  std::string name = text.substr(ino + 5);
  text.erase(ino);
  const std::size_t dev = text.rfind(" dev=d");
  if (dev != std::string::npos) text.erase(dev);
  return name;
}

std::string WithoutLinks(std::string text) {
  const std::size_t from = text.find(" nlink=");
  if (from == std::string::npos) return text;
  return text.erase(from, text.find(' ', from + 1) - from);
}

}  // namespace lamina::sim
