// FailingStorage: a writable file system whose changes fail: one of them, or all from one on (the
// machine has stopped). Reading always works.
//
//   FailingStorage storage(home);
//   storage.Arm(3, FailingStorage::Kind::kStop);   // two more changes, then nothing any more
//
// Threads: one.
#ifndef LAMINA_TESTS_HISTORY_FAILING_STORAGE_H_
#define LAMINA_TESTS_HISTORY_FAILING_STORAGE_H_

#include <memory>
#include <string_view>
#include <utility>

#include "lamina/fs/forwarding.h"

namespace lamina::testing {

class FailingStorage final : public ForwardingFileSystem {
 public:
  enum class Kind { kOnce, kStop };

  using ForwardingFileSystem::ForwardingFileSystem;

  // The `nth` change from now on fails, counted from 1; 0: none does.
  void Arm(int nth, Kind kind) {
    fail_at_ = nth;
    kind_ = kind;
    changes_ = 0;
  }
  int changes() const { return changes_; }
  bool failed() const { return fail_at_ > 0 && changes_ >= fail_at_; }

  Result<NodeId> Create(const OpContext& op, Place place, const NewNode& node) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::Create(op, place, node);
  }
  Result<Opened> CreateOpen(const OpContext& op, Place place, const NewNode& node,
                            OpenFlags flags) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::CreateOpen(op, place, node, flags);
  }
  Result<Opened> CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                               OpenFlags flags) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::CreateUnnamed(op, dir, node, flags);
  }
  Result<void> Link(const OpContext& op, NodeId node, Place place) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::Link(op, node, place);
  }
  Result<void> LinkHandle(const OpContext& op, HandleId handle, Place place) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::LinkHandle(op, handle, place);
  }
  Result<void> Remove(const OpContext& op, Place place, FileType expected) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::Remove(op, place, expected);
  }
  Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::Rename(op, from, to, mode);
  }
  Result<void> SetAttr(const OpContext& op, NodeId node, const AttrChange& change) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::SetAttr(op, node, change);
  }
  Result<void> SetXattr(const OpContext& op, NodeId node, std::string_view key,
                        std::string_view value, XattrMode mode) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::SetXattr(op, node, key, value, mode);
  }
  Result<void> RemoveXattr(const OpContext& op, NodeId node, std::string_view key) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::RemoveXattr(op, node, key);
  }
  Result<std::size_t> Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                            Bytes from) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::Write(op, handle, offset, from);
  }
  Result<void> AdoptContent(const OpContext& op, HandleId handle,
                            std::shared_ptr<const PagedBytes> content) override {
    if (Fails()) return Errno::kIo;
    return ForwardingFileSystem::AdoptContent(op, handle, std::move(content));
  }

 private:
  bool Fails() {
    ++changes_;
    return kind_ == Kind::kOnce ? changes_ == fail_at_ : failed();
  }

  int fail_at_ = 0;
  int changes_ = 0;
  Kind kind_ = Kind::kOnce;
};

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_HISTORY_FAILING_STORAGE_H_
