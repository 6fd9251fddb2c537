// FaultyFs: a FileSystem on which the faults of a plan come true. It stands above a branch of a
// union, or above the union itself.
//
//   FaultPlan plan;
//   FaultyFs upper(home, plan, {FaultSite::Kind::kBranch, "upper"}, upper_dir);
//   plan.Add(Fault::On(Op::kAnyChange).AtBranch("upper").After(k).Crash());
//
// crashes before change number k + 1; `changes()` of a run without faults says how many there are.
// The file system below keeps its O(1) Capture and Restore: a FaultyFs holds nothing but the names
// it has seen, which decide nothing.
//
// What a call is, in the words of Op: a SetAttr is a chmod, a chown, a utimens or a truncate, or
// several of them, and without a change a chown; an Open with truncate is an open and a truncate, a
// CreateOpen a create and an open; AdoptContent and ShareContent are the writing and the reading
// half of a copy; Clone is a reflink. Close is none: it cannot fail.
//
// Errors: those of the target, and those of the plan. Threads: thread-compatible.
// Lifetime: does not own target and plan.
#ifndef LAMINA_SIM_FAULTY_FS_H_
#define LAMINA_SIM_FAULTY_FS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/forwarding.h"
#include "lamina/sim/fault_plan.h"

namespace lamina::sim {

// What one call of kPwrite stands for in the body of a copy-up.
inline constexpr std::uint64_t kCopyPieceBytes = 64 << 10;

class FaultyFs final : public ForwardingFileSystem {
 public:
  // Paths are counted from `top`, a directory of the target.
  FaultyFs(FileSystem& target, FaultPlan& plan, FaultSite site, NodeId top);
  ~FaultyFs() override;

  // Calls that arrived and would have changed something; as many as the plan counts for kAnyChange.
  // Those after a crash are not counted.
  std::uint64_t changes() const;

  Result<NodeId> Lookup(const OpContext& op, Place place) override;
  Result<NodeId> Create(const OpContext& op, Place place, const NewNode& node) override;
  Result<Opened> CreateOpen(const OpContext& op, Place place, const NewNode& node,
                            OpenFlags flags) override;
  Result<Opened> CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                               OpenFlags flags) override;
  Result<void> Link(const OpContext& op, NodeId node, Place place) override;
  Result<void> LinkHandle(const OpContext& op, HandleId handle, Place place) override;
  Result<void> Remove(const OpContext& op, Place place, FileType expected) override;
  Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) override;
  Result<Stat> GetAttr(const OpContext& op, NodeId node) override;
  Result<void> SetAttr(const OpContext& op, NodeId node, const AttrChange& change) override;
  Result<std::string> ReadLink(const OpContext& op, NodeId node) override;
  Result<std::string> GetXattr(const OpContext& op, NodeId node, std::string_view key) override;
  Result<void> SetXattr(const OpContext& op, NodeId node, std::string_view key,
                        std::string_view value, XattrMode mode) override;
  Result<void> RemoveXattr(const OpContext& op, NodeId node, std::string_view key) override;
  Result<std::vector<std::string>> ListXattr(const OpContext& op, NodeId node) override;
  Result<HandleId> Open(const OpContext& op, NodeId node, OpenFlags flags) override;
  void Close(HandleId handle) override;
  Result<DirCookie> ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                            absl::FunctionRef<bool(const DirEntry&)> visit) override;
  Result<std::size_t> Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                           MutableBytes into) override;
  Result<std::size_t> Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                            Bytes from) override;
  Result<void> Allocate(const OpContext& op, HandleId handle, std::uint64_t offset,
                        std::uint64_t length, AllocateMode mode) override;
  Result<std::uint64_t> Seek(const OpContext& op, HandleId handle, std::uint64_t offset,
                             SeekKind kind) override;
  Result<std::uint64_t> Clone(const OpContext& op, HandleId source, std::uint64_t source_offset,
                              HandleId target, std::uint64_t target_offset,
                              std::uint64_t length) override;
  Result<std::shared_ptr<const PagedBytes>> ShareContent(const OpContext& op,
                                                         HandleId handle) override;
  Result<void> AdoptContent(const OpContext& op, HandleId handle,
                            std::shared_ptr<const PagedBytes> content) override;
  Result<HandleId> Map(const OpContext& op, HandleId handle, MapMode mode) override;
  Result<void> Sync(const OpContext& op, HandleId handle, SyncMode mode) override;
  Result<void> SyncAll(const OpContext& op) override;
  Result<FsSpace> GetSpace(const OpContext& op) override;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_FAULTY_FS_H_
