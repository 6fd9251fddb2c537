// CountingBranch: a branch that counts what a union asks of it.
//
// Threads: one.
#ifndef LAMINA_TESTS_UNION_COUNTING_BRANCH_H_
#define LAMINA_TESTS_UNION_COUNTING_BRANCH_H_

#include <cstdint>

#include "lamina/fs/forwarding.h"

namespace lamina {

class CountingBranch final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;

  std::uint64_t lookups = 0;
  std::uint64_t stats = 0;
  std::uint64_t dir_reads = 0;

  Result<NodeId> Lookup(const OpContext& op, Place place) override {
    ++lookups;
    return ForwardingFileSystem::Lookup(op, place);
  }
  Result<Stat> GetAttr(const OpContext& op, NodeId node) override {
    ++stats;
    return ForwardingFileSystem::GetAttr(op, node);
  }
  Result<DirCookie> ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                            absl::FunctionRef<bool(const DirEntry&)> visit) override {
    ++dir_reads;
    return ForwardingFileSystem::ReadDir(op, dir, from, visit);
  }
};

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_COUNTING_BRANCH_H_
