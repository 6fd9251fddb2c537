#include "sim/model/operation.h"

#include <utility>

namespace lamina::sim {
namespace {

using Value = ModelOutcome::Value;

ModelOutcome Failed(Errno error) {
  ModelOutcome outcome;
  outcome.error = error;
  return outcome;
}

ModelOutcome Succeeded(Value kind, std::string value) {
  ModelOutcome outcome;
  outcome.kind = kind;
  outcome.value = std::move(value);
  return outcome;
}

ModelOutcome From(const Result<void>& result) {
  return result.ok() ? ModelOutcome() : Failed(result.error());
}

ModelOutcome From(const Result<std::size_t>& result) {
  if (!result.ok()) return Failed(result.error());
  return Succeeded(Value::kCount, std::to_string(*result));
}

ModelOutcome From(const Result<std::string>& result) {
  if (!result.ok()) return Failed(result.error());
  return Succeeded(Value::kData, *result);
}

ModelOutcome From(const Result<std::vector<ListedName>>& result) {
  if (!result.ok()) return Failed(result.error());
  return Succeeded(Value::kText, ShowListing(*result));
}

ModelOutcome From(const Result<std::vector<std::string>>& result) {
  if (!result.ok()) return Failed(result.error());
  return Succeeded(Value::kText, ShowKeys(*result));
}

ModelOutcome From(const Result<ModelStat>& result) {
  if (!result.ok()) return Failed(result.error());
  const ModelInode& inode = result->inode;
  const std::size_t size_bytes = inode.content.size() + inode.target.size();
  ModelOutcome outcome = Succeeded(Value::kText, ShowStat(inode, size_bytes, result->links));
  outcome.identity = result->identity;
  return outcome;
}

ModelOutcome ApplyToNames(PosixModel& model, const ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kMkdir:
      return From(model.Mkdir(o.path, o.mode));
    case OperationKind::kUnlink:
      return From(model.Unlink(o.path));
    case OperationKind::kRmdir:
      return From(model.Rmdir(o.path));
    case OperationKind::kRename:
      return From(model.Rename(o.path, o.other, o.rename));
    case OperationKind::kLink:
      return From(model.Link(o.path, o.other));
    case OperationKind::kSymlink:
      return From(model.Symlink(o.other, o.path));
    case OperationKind::kMknod:
      return From(model.MakeNode(o.path, o.type, o.mode, static_cast<std::uint32_t>(o.number),
                                 static_cast<std::uint32_t>(o.second)));
    case OperationKind::kFifo:
      return From(model.MakeNode(o.path, ModelType::kFifo, o.mode, 0, 0));
    case OperationKind::kSocket:
      return From(model.MakeNode(o.path, ModelType::kSocket, o.mode, 0, 0));
    case OperationKind::kReaddir:
      return From(model.List(o.path));
    default:
      return Failed(Errno::kNoSys);
  }
}

ModelOutcome ApplyToAttributes(PosixModel& model, const ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kReadlink:
      return From(model.Readlink(o.path));
    case OperationKind::kChmod:
      return From(model.Chmod(o.path, o.mode));
    case OperationKind::kChown:
      return From(model.Chown(o.path, o.uid, o.gid));
    case OperationKind::kUtimens:
      return From(model.Utimens(o.path, static_cast<std::int64_t>(o.number) * 1'000'000'000));
    case OperationKind::kSetXattr:
      return From(model.SetXattr(o.path, o.other, o.data, o.xattr));
    case OperationKind::kGetXattr:
      return From(model.GetXattr(o.path, o.other));
    case OperationKind::kListXattr:
      return From(model.ListXattr(o.path));
    case OperationKind::kRemoveXattr:
      return From(model.RemoveXattr(o.path, o.other));
    case OperationKind::kStat:
      return From(model.GetStat(o.path));
    case OperationKind::kAccess:
      return From(model.CheckPath(o.path, static_cast<unsigned>(o.number)));
    default:
      return ApplyToNames(model, o);
  }
}

ModelOutcome ApplyToHandles(PosixModel& model, const ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kOpen:
      return From(model.Open(o.slot, o.path, o.how, o.mode));
    case OperationKind::kHandleRead:
      return From(model.ReadSlot(o.slot, o.number, o.second));
    case OperationKind::kHandleWrite:
      return From(model.WriteSlot(o.slot, o.number, o.data));
    case OperationKind::kHandleTruncate:
      return From(model.TruncateSlot(o.slot, o.number));
    case OperationKind::kHandleStat:
      return From(model.StatSlot(o.slot));
    case OperationKind::kHandleChmod:
      return From(model.ChmodSlot(o.slot, o.mode));
    case OperationKind::kHandleSync:
      return From(model.SyncSlot(o.slot));
    case OperationKind::kClose:
      return From(model.Close(o.slot));
    default:
      return ApplyToAttributes(model, o);
  }
}

}  // namespace

bool IsSettled(const PosixModel& model, const ModelOperation& o) {
  const bool on_handle = o.kind > OperationKind::kOpen && o.kind <= OperationKind::kClose;
  const bool by_path = !on_handle && o.kind < OperationKind::kAs;
  if (by_path && !model.IsPlaceSettled(o.path)) return false;
  switch (o.kind) {
    case OperationKind::kOpen:
      return !model.IsOpen(o.slot);
    case OperationKind::kRmdir:
      return model.IsRemovalSettled(o.path);
    case OperationKind::kRename:
      return model.IsRemovalSettled(o.other) && model.IsPlaceSettled(o.other) &&
             model.IsMoveSettled(o.path, o.other);
    case OperationKind::kLink:
      return model.IsPlaceSettled(o.other) && model.IsMoveSettled(o.path, o.other);
    case OperationKind::kHandleWrite:
    case OperationKind::kHandleSync:
    case OperationKind::kHandleChmod:
    case OperationKind::kHandleTruncate:
      return !model.IsOpen(o.slot) || model.view().IsSlotSettled(o.slot);
    case OperationKind::kPut:
    case OperationKind::kAppend:
      return !model.WouldFeedFifo(o.path);
    default:
      return true;
  }
}

ModelOutcome ApplyOperation(PosixModel& model, const ModelOperation& o) {
  switch (o.kind) {
    case OperationKind::kCreate:
      return From(model.Create(o.path, o.mode));
    case OperationKind::kPut:
      return From(model.Put(o.path, o.mode, o.data));
    case OperationKind::kWrite:
      return From(model.Write(o.path, o.number, o.data));
    case OperationKind::kAppend:
      return From(model.Append(o.path, o.data));
    case OperationKind::kTruncate:
      return From(model.Truncate(o.path, o.number));
    case OperationKind::kRead:
      return From(model.Read(o.path, o.number, o.second));
    case OperationKind::kAs:
      model.Become(o.uid.value_or(0), o.gid.value_or(0));
      return {};
    case OperationKind::kUmask:
      model.SetUmask(o.mode);
      return {};
    case OperationKind::kRemount:
      model.Remount();
      return {};
    default:
      return ApplyToHandles(model, o);
  }
}

}  // namespace lamina::sim
