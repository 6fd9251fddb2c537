#include "vfs/driver/tree_files.h"

#include <algorithm>
#include <utility>

#include "lamina/base/bytes.h"
#include "lamina/store/page.h"
#include "lamina/store/paged_bytes.h"

namespace lamina::internal {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

// The first component of `path`, which loses it.
std::string_view TakeComponent(std::string_view& path) {
  const std::size_t begin = std::min(path.find_first_not_of('/'), path.size());
  path.remove_prefix(begin);
  const std::string_view name = path.substr(0, path.find('/'));
  path.remove_prefix(name.size());
  return name;
}

Result<void> CopyIn(const OpContext& op, FileSystem& fs, HandleId file, std::uint64_t begin,
                    std::uint64_t end, PagedBytes& content) {
  std::vector<std::byte> piece(std::min<std::uint64_t>(kPieceBytes, end - begin));
  while (begin < end) {
    const std::size_t wanted = std::min<std::uint64_t>(piece.size(), end - begin);
    const Result<std::size_t> got = fs.Read(op, file, begin, MutableBytes(piece).first(wanted));
    if (!got.ok()) return got.error();
    if (*got == 0) break;  // it became shorter meanwhile
    content.Write(begin, Bytes(piece).first(*got));
    begin += *got;
  }
  return {};
}

Result<void> WriteAll(const OpContext& op, FileSystem& fs, HandleId file, std::uint64_t offset,
                      Bytes bytes) {
  while (!bytes.empty()) {
    const Result<std::size_t> put = fs.Write(op, file, offset, bytes);
    if (!put.ok()) return put.error();
    if (*put == 0) return Errno::kNoSpc;
    bytes = bytes.subspan(*put);
    offset += *put;
  }
  return {};
}

Result<void> CopyOut(const OpContext& op, FileSystem& fs, HandleId file,
                     const PagedBytes& content) {
  std::vector<std::byte> piece(kPieceBytes);
  std::optional<std::uint64_t> at = content.NextData(0);
  while (at.has_value()) {
    const std::uint64_t end = content.NextHole(*at).value_or(content.size_bytes());
    const std::size_t wanted = std::min<std::uint64_t>(piece.size(), end - *at);
    const std::size_t got = content.Read(*at, MutableBytes(piece).first(wanted));
    Result<void> written = WriteAll(op, fs, file, *at, Bytes(piece).first(got));
    if (!written.ok()) return written;
    at = content.NextData(*at + got);
  }
  return {};
}

}  // namespace

OpContext AsDaemon(const OpContext& op) {
  static const Credentials root = RootCredentials();
  return {root, op.now, op.probe};
}

Result<Stat> StatAt(const OpContext& op, FileSystem& fs, Place place) {
  const Result<NodeId> node = fs.Lookup(op, place);
  if (!node.ok()) return node.error();
  return fs.GetAttr(op, *node);
}

Result<Stat> StatBelow(const OpContext& op, FileSystem& fs, NodeId top, std::string_view path) {
  NodeId node = top;
  for (std::string_view name = TakeComponent(path); !name.empty(); name = TakeComponent(path)) {
    const Result<NodeId> next = fs.Lookup(op, {node, name});
    if (!next.ok()) return next.error();
    node = *next;
  }
  return fs.GetAttr(op, node);
}

Result<std::vector<std::string>> NamesIn(const OpContext& op, FileSystem& fs, NodeId dir) {
  const Result<HandleId> opened = fs.Open(op, dir, {});
  if (!opened.ok()) return opened.error();
  const OpenNode open(fs, *opened);
  std::vector<std::string> names;
  DirCookie from;
  while (from != kDirEnd) {
    const Result<DirCookie> read = fs.ReadDir(op, open.handle(), from, [&](const DirEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    });
    if (!read.ok()) return read.error();
    from = *read;
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<NodeId> EnsureDirectory(const OpContext& op, FileSystem& fs, Place place,
                               std::uint16_t mode) {
  const Result<Stat> there = StatAt(op, fs, place);
  if (there.ok()) {
    if (there->type == FileType::kDirectory) return there->node;
    return Errno::kNotDir;
  }
  if (there.error() != Errno::kNoEnt) return there.error();
  return fs.Create(op, place, {.type = FileType::kDirectory, .mode = mode});
}

Result<NodeId> EnsureDirectories(const OpContext& op, FileSystem& fs, NodeId top,
                                 std::string_view path, std::uint16_t mode) {
  Result<NodeId> node = top;
  for (std::string_view name = TakeComponent(path); !name.empty(); name = TakeComponent(path)) {
    node = EnsureDirectory(op, fs, {*node, name}, mode);
    if (!node.ok()) return node;
  }
  return node;
}

Result<void> RemoveTree(const OpContext& op, FileSystem& fs, Place place) {
  struct Name {
    NodeId dir;
    std::string name;
  };
  std::vector<Name> open;  // a directory stands below what is in it, and goes after it
  open.push_back({place.dir, std::string(place.name)});
  while (!open.empty()) {
    const Name at = open.back();
    const Result<Stat> stat = StatAt(op, fs, {at.dir, at.name});
    if (!stat.ok()) {
      if (stat.error() != Errno::kNoEnt) return stat.error();
      open.pop_back();
      continue;
    }
    if (stat->type == FileType::kDirectory) {
      Result<std::vector<std::string>> names = NamesIn(op, fs, stat->node);
      if (!names.ok()) return names.error();
      for (std::string& name : *names) open.push_back({stat->node, std::move(name)});
      if (!names->empty()) continue;
    }
    Result<void> removed = fs.Remove(op, {at.dir, at.name}, stat->type);
    if (!removed.ok()) return removed;
    open.pop_back();
  }
  return {};
}

Result<std::shared_ptr<const PagedBytes>> ReadBody(const OpContext& op, FileSystem& fs,
                                                   NodeId node) {
  const Result<HandleId> opened = fs.Open(op, node, {});
  if (!opened.ok()) return opened.error();
  const OpenNode open(fs, *opened);
  Result<std::shared_ptr<const PagedBytes>> shared = fs.ShareContent(op, open.handle());
  if (shared.ok() || shared.error() != Errno::kOpNotSupp) return shared;
  const Result<Stat> stat = fs.GetAttr(op, node);
  if (!stat.ok()) return stat.error();
  auto content = std::make_shared<PagedBytes>();
  std::uint64_t at = 0;
  while (at < stat->size_bytes) {
    const Result<std::uint64_t> data = fs.Seek(op, open.handle(), at, SeekKind::kData);
    if (!data.ok() && data.error() == Errno::kNxIo) break;  // a hole up to the end
    if (!data.ok()) return data.error();
    const Result<std::uint64_t> hole = fs.Seek(op, open.handle(), *data, SeekKind::kHole);
    if (!hole.ok()) return hole.error();
    const Result<void> read = CopyIn(op, fs, open.handle(), *data, *hole, *content);
    if (!read.ok()) return read.error();
    at = *hole;
  }
  content->Resize(stat->size_bytes);
  return std::shared_ptr<const PagedBytes>(std::move(content));
}

Result<std::string> ReadText(const OpContext& op, FileSystem& fs, NodeId node) {
  const Result<std::shared_ptr<const PagedBytes>> body = ReadBody(op, fs, node);
  if (!body.ok()) return body.error();
  std::string text((*body)->size_bytes(), '\0');
  (*body)->Read(0, std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

Result<void> WriteBody(const OpContext& op, FileSystem& fs, Opened file,
                       const std::shared_ptr<const PagedBytes>& content) {
  Result<void> adopted = fs.AdoptContent(op, file.handle, content);
  if (adopted.ok() || adopted.error() != Errno::kOpNotSupp) return adopted;
  Result<void> written = CopyOut(op, fs, file.handle, *content);
  if (!written.ok()) return written;
  return fs.SetAttr(op, file.node, {.size_bytes = content->size_bytes()});
}

Result<void> WriteText(const OpContext& op, FileSystem& fs, HandleId file, std::uint64_t offset,
                       std::string_view text) {
  return WriteAll(op, fs, file, offset, AsBytes(text));
}

}  // namespace lamina::internal
