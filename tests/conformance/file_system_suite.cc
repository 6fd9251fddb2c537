#include "tests/conformance/file_system_suite.h"

#include <algorithm>

#include "lamina/base/check.h"

namespace lamina {
namespace {

std::string NumberedName(int index) { return std::string("f").append(std::to_string(index)); }

}  // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FileSystemConformance);

FileSystemConformance::FileSystemConformance() : holder_(GetParam().make()) {}

FileSystemConformance::~FileSystemConformance() {
  for (const HandleId handle : open_) fs().Close(handle);
}

bool FileSystemConformance::UseSmall(std::uint64_t bytes, std::uint64_t nodes) {
  if (!GetParam().make_small) return false;
  holder_ = GetParam().make_small(bytes, nodes);
  return true;
}

OpContext FileSystemConformance::Op() {
  now_.virtual_ns += 1000;
  return OpContext{credentials_, now_, Probe()};
}

Result<NodeId> FileSystemConformance::Make(NodeId dir, std::string_view name, FileType type,
                                           std::uint16_t mode) {
  return fs().Create(Op(), {dir, name}, NewNode{type, mode, 0, {}});
}

NodeId FileSystemConformance::MakeFile(NodeId dir, std::string_view name, std::string_view content,
                                       std::uint16_t mode) {
  const Result<NodeId> node = Make(dir, name, FileType::kRegular, mode);
  LAMINA_CHECK(node.ok());
  if (content.empty()) return *node;
  const Result<HandleId> handle = fs().Open(Op(), *node, {.access = Access::kWrite});
  LAMINA_CHECK(handle.ok());
  LAMINA_CHECK(WriteAt(*handle, 0, content).ok());
  fs().Close(*handle);
  return *node;
}

void FileSystemConformance::MakeFiles(NodeId dir, int count) {
  for (int index = 0; index < count; ++index) MakeFile(dir, NumberedName(index));
}

void FileSystemConformance::RemoveFiles(NodeId dir, int count) {
  for (int index = 0; index < count; ++index) {
    LAMINA_CHECK(Remove(dir, NumberedName(index)).ok());
  }
}

NodeId FileSystemConformance::MakeDir(NodeId dir, std::string_view name, std::uint16_t mode) {
  const Result<NodeId> node = Make(dir, name, FileType::kDirectory, mode);
  LAMINA_CHECK(node.ok());
  return *node;
}

NodeId FileSystemConformance::MakeLink(NodeId dir, std::string_view name, std::string_view target) {
  const Result<NodeId> node =
      fs().Create(Op(), {dir, name}, NewNode{FileType::kSymlink, 0777, 0, target});
  LAMINA_CHECK(node.ok());
  return *node;
}

Result<HandleId> FileSystemConformance::TryOpen(NodeId node, OpenFlags flags) {
  const Result<HandleId> handle = fs().Open(Op(), node, flags);
  if (handle.ok()) open_.push_back(*handle);
  return handle;
}

HandleId FileSystemConformance::OpenFor(NodeId node, Access access) {
  const Result<HandleId> handle = TryOpen(node, {.access = access});
  LAMINA_CHECK(handle.ok());
  return *handle;
}

Opened FileSystemConformance::MakeUnnamed(NodeId dir) {
  const Result<Opened> opened = fs().CreateUnnamed(
      Op(), dir, NewNode{FileType::kRegular, 0644, 0, {}}, {.access = Access::kReadWrite});
  LAMINA_CHECK(opened.ok());
  open_.push_back(opened->handle);
  return *opened;
}

void FileSystemConformance::Close(HandleId handle) {
  std::erase(open_, handle);
  fs().Close(handle);
}

Stat FileSystemConformance::StatOf(NodeId node) {
  const Result<Stat> stat = fs().GetAttr(Op(), node);
  LAMINA_CHECK(stat.ok());
  return *stat;
}

std::string FileSystemConformance::ReadAt(HandleId handle, std::uint64_t offset,
                                          std::size_t length) {
  std::string text(length, '\0');
  const Result<std::size_t> bytes =
      fs().Read(Op(), handle, offset, std::as_writable_bytes(std::span(text)));
  LAMINA_CHECK(bytes.ok());
  text.resize(*bytes);
  return text;
}

std::string FileSystemConformance::ContentOf(NodeId node) {
  const Result<HandleId> handle = fs().Open(Op(), node, {.access = Access::kRead});
  LAMINA_CHECK(handle.ok());
  std::string text = ReadAt(*handle, 0, StatOf(node).size_bytes);
  fs().Close(*handle);
  return text;
}

std::vector<std::string> FileSystemConformance::NextNames(HandleId dir, DirCookie* cookie,
                                                          std::size_t count) {
  std::vector<std::string> names;
  const Result<DirCookie> next = fs().ReadDir(Op(), dir, *cookie, [&](const DirEntry& entry) {
    if (names.size() == count) return false;
    names.emplace_back(entry.name);
    return true;
  });
  LAMINA_CHECK(next.ok());
  *cookie = *next;
  return names;
}

std::vector<std::string> FileSystemConformance::NamesOf(NodeId dir) {
  const Result<HandleId> handle = fs().Open(Op(), dir, {.access = Access::kRead});
  LAMINA_CHECK(handle.ok());
  DirCookie cookie;
  std::vector<std::string> names = NextNames(*handle, &cookie, ~std::size_t{0});
  fs().Close(*handle);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::size_t> FileSystemConformance::WriteAt(HandleId handle, std::uint64_t offset,
                                                   std::string_view text) {
  return fs().Write(Op(), handle, offset, AsBytes(text));
}

Result<void> FileSystemConformance::Remove(NodeId dir, std::string_view name, FileType expected) {
  return fs().Remove(Op(), {dir, name}, expected);
}

Result<void> FileSystemConformance::Rename(Place from, Place to, RenameMode mode) {
  return fs().Rename(Op(), from, to, mode);
}

Result<void> FileSystemConformance::Set(NodeId node, const AttrChange& change) {
  return fs().SetAttr(Op(), node, change);
}

Result<void> FileSystemConformance::SetKey(NodeId node, std::string_view key,
                                           std::string_view value, XattrMode mode) {
  return fs().SetXattr(Op(), node, key, value, mode);
}

Result<std::string> FileSystemConformance::Key(NodeId node, std::string_view key) {
  return fs().GetXattr(Op(), node, key);
}

bool FileSystemConformance::ChangesCtime(NodeId node, const std::function<void()>& change) {
  const Instant before = StatOf(node).ctime;
  Advance(10);
  change();
  const Instant changed = now();
  const Instant after = StatOf(node).ctime;
  return after > before && after <= changed;
}

}  // namespace lamina
