// StackReader: the layers of a stack, read as root, without a union: objects, marks, handles.
//
// Threads: reads only; the file systems have their own rule.
// Lifetime: keeps a reference to the stack.
#ifndef LAMINA_SIM_CHECK_STACK_READER_H_
#define LAMINA_SIM_CHECK_STACK_READER_H_

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/sim/check.h"

namespace lamina::sim::internal {

// An object of one branch.
struct Part {
  BranchIndex branch = 0;
  NodeId node;
  friend auto operator<=>(const Part&, const Part&) = default;
};

using Parts = std::vector<Part>;  // topmost first

// Where a file handle leads.
struct HandleTarget {
  enum class Outcome : std::uint8_t {
    kUnknown,  // the handle of another maker, or none
    kNoLayer,  // no lower layer is on that file system
    kGone,
    kFound,
  };
  Outcome outcome = Outcome::kUnknown;
  Stat stat;                 // kFound
  FileSystem* fs = nullptr;  // kFound
};

class StackReader {
 public:
  explicit StackReader(const CheckedStack& stack);

  const CheckedStack& stack() const { return stack_; }
  OpContext op() const { return {root_, kSimulationStart, Probe()}; }
  const Branch& branch(BranchIndex index) const { return stack_.branches[index]; }
  FileSystem& fs(BranchIndex index) const { return *stack_.branches[index].fs; }
  bool IsWritable(BranchIndex index) const;
  // U; L2, L1; D1. b0, b1 of AUFS.
  const std::string& label(BranchIndex index) const { return labels_[index]; }

  // Branches that give names: all but the data-only ones.
  BranchIndex named_count() const { return named_count_; }
  bool HasDataOnly() const { return named_count_ < stack_.branches.size(); }
  bool IsBottom(BranchIndex index) const { return index + 1 == named_count_; }
  // The roots of those from `first` on.
  Parts RootsFrom(std::size_t first) const;

  Result<Stat> GetStat(const Part& part) const { return fs(part.branch).GetAttr(op(), part.node); }
  // Nothing: no such name.
  Result<std::optional<Part>> Child(const Part& dir, std::string_view name) const;
  struct Named {
    std::string name;
    FileType type{};
    friend auto operator<=>(const Named&, const Named&) = default;
  };
  // Sorted.
  Result<std::vector<Named>> List(FileSystem& fs, NodeId dir) const;
  Result<std::vector<Named>> List(const Part& dir) const { return List(fs(dir.branch), dir.node); }

  // "trusted.overlay.opaque" for "opaque".
  std::string MarkKey(std::string_view mark) const { return prefix_ + std::string(mark); }
  std::optional<std::string> Mark(FileSystem& fs, NodeId node, std::string_view mark) const;
  std::optional<std::string> Mark(const Part& part, std::string_view mark) const {
    return Mark(fs(part.branch), part.node, mark);
  }
  // Char 0:0, or an empty regular file with the whiteout mark.
  bool IsWhiteout(const Part& part, const Stat& stat) const;
  // Redirects are refused, not followed.
  bool RefusesRedirects() const;

  // The object of a lower layer that a handle names.
  HandleTarget Decode(std::string_view handle) const;

 private:
  const CheckedStack& stack_;
  Credentials root_ = RootCredentials();
  std::string prefix_;
  BranchIndex named_count_ = 0;
  std::vector<std::string> labels_;
};

// "a regular file", "a symlink".
std::string_view TypeText(FileType type);
// A value of a mark in quotes, on one line.
std::string ValueText(std::string_view value);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_STACK_READER_H_
