#include "tests/linearizability/inode_calls.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "tests/model/model_values.h"

namespace lamina::sim {
namespace {

std::string Text(Errno error) { return std::string(ErrnoName(error)); }

std::string Text(const Result<void>& result) { return result.ok() ? "OK" : Text(result.error()); }

std::string StatText(const Stat& stat) {
  return ShowStat(InodeOf(stat), stat.size_bytes, stat.nlink);
}

NewNode NodeOf(const ModelOperation& o) {
  NewNode node;
  node.type = o.kind == OperationKind::kMkdir     ? FileType::kDirectory
              : o.kind == OperationKind::kSymlink ? FileType::kSymlink
                                                  : FileType::kRegular;
  node.mode = node.type == FileType::kSymlink ? std::uint16_t{0777} : o.mode;
  if (node.type == FileType::kSymlink) node.symlink_target = o.other;
  return node;
}

}  // namespace

InodeCalls::InodeCalls(FileSystem& fs) : fs_(fs) { Enter("/"); }

InodeCalls::~InodeCalls() {
  for (const auto& [path, directory] : directories_) fs_.Close(directory.handle);
  for (const auto& [slot, file] : files_) fs_.Close(file.handle);
}

Place InodeCalls::PlaceOf(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  const std::string dir = slash == 0 ? "/" : path.substr(0, slash);
  return {directories_.at(dir).node, std::string_view(path).substr(slash + 1)};
}

void InodeCalls::Enter(const std::string& path) {
  Result<NodeId> node = fs_.root();
  if (path != "/") node = fs_.Lookup(op_, PlaceOf(path));
  LAMINA_CHECK(node.ok());
  const Result<HandleId> handle = fs_.Open(op_, *node, {});
  LAMINA_CHECK(handle.ok());
  directories_[path] = {*node, *handle};
}

void InodeCalls::Open(int slot, const std::string& path, Access access) {
  const Result<NodeId> node = fs_.Lookup(op_, PlaceOf(path));
  LAMINA_CHECK(node.ok());
  const Result<HandleId> handle = fs_.Open(op_, *node, {.access = access});
  LAMINA_CHECK(handle.ok());
  files_[slot] = {*node, *handle};
}

std::string InodeCalls::List(const std::string& path) {
  std::vector<ListedName> names;
  const Result<DirCookie> end =
      fs_.ReadDir(op_, directories_.at(path).handle, {}, [&](const DirEntry& entry) {
        names.push_back({std::string(entry.name), ModelTypeOf(entry.type)});
        return true;
      });
  if (!end.ok()) return Text(end.error());
  return ShowListing(std::move(names));
}

std::string InodeCalls::CallOnName(const ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kMkdir:
    case OperationKind::kCreate:
    case OperationKind::kSymlink: {
      const Result<NodeId> made = fs_.Create(op_, PlaceOf(o.path), NodeOf(o));
      return made.ok() ? "OK" : Text(made.error());
    }
    case OperationKind::kUnlink:
      return Text(fs_.Remove(op_, PlaceOf(o.path), FileType::kRegular));
    case OperationKind::kRmdir:
      return Text(fs_.Remove(op_, PlaceOf(o.path), FileType::kDirectory));
    case OperationKind::kRename:
      return Text(fs_.Rename(op_, PlaceOf(o.path), PlaceOf(o.other), RenameModeOf(o.rename)));
    case OperationKind::kStat: {
      const Result<NodeId> found = fs_.Lookup(op_, PlaceOf(o.path));
      return found.ok() ? "there" : Text(found.error());
    }
    case OperationKind::kReaddir:
      return List(o.path);
    default:
      return "ENOSYS";
  }
}

Result<void> InodeCalls::SetAttr(const ModelOperation& o, const Opened& file) {
  AttrChange change;
  if (o.kind == OperationKind::kHandleTruncate) change.size_bytes = o.number;
  if (o.kind == OperationKind::kHandleChmod) change.mode = o.mode;
  OpContext through = op_;
  through.through = file.handle;
  return fs_.SetAttr(through, file.node, change);
}

std::string InodeCalls::CallOnHandle(const ModelOperation& o) {
  const Opened& file = files_.at(o.slot);
  switch (o.kind) {
    case OperationKind::kHandleRead: {
      std::string data(o.second, '\0');
      const Result<std::size_t> got =
          fs_.Read(op_, file.handle, o.number, std::as_writable_bytes(std::span(data)));
      if (!got.ok()) return Text(got.error());
      return QuoteData(std::string_view(data).substr(0, *got));
    }
    case OperationKind::kHandleWrite: {
      const Result<std::size_t> written = fs_.Write(op_, file.handle, o.number, AsBytes(o.data));
      return written.ok() ? "OK " + std::to_string(*written) : Text(written.error());
    }
    case OperationKind::kHandleStat: {
      const Result<Stat> stat = fs_.GetAttr(op_, file.node);
      return stat.ok() ? StatText(*stat) : Text(stat.error());
    }
    case OperationKind::kHandleTruncate:
    case OperationKind::kHandleChmod:
      return Text(SetAttr(o, file));
    case OperationKind::kLink:
      return Text(fs_.Link(op_, file.node, PlaceOf(o.other)));
    default:
      return "ENOSYS";
  }
}

std::string InodeCalls::Call(const ModelOperation& o) {
  const bool on_handle = o.kind == OperationKind::kLink ||
                         (o.kind > OperationKind::kOpen && o.kind < OperationKind::kClose);
  return on_handle ? CallOnHandle(o) : CallOnName(o);
}

}  // namespace lamina::sim
