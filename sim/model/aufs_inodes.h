// AufsInodes: which real files are one file of the union. A union file has one number; its real
// file is found on a branch by its name, or through a pseudo-link.
//
//   branch 1  /a and /b are one file, "1"        a and b: number 7
//   append 2 to /a                                copied to branch 0 as /a, "12", number 7
//   branch 0  /a "12"                             pseudo-link 7: branch 0 and branch 1, 2 links
//                                                 b: on branch 1, number 7, so it shows "12"
//
// Source: aufs.md §4.6 (plink), §6.1 (xino).
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_MODEL_AUFS_INODES_H_
#define LAMINA_SIM_MODEL_AUFS_INODES_H_

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "sim/model/tree.h"

namespace lamina::sim {

// A file of one branch.
struct AufsReal {
  int branch = 0;  // its number, not its index
  ModelIno ino = 0;
  friend auto operator<=>(const AufsReal&, const AufsReal&) = default;
};

struct PseudoLink {
  std::vector<AufsReal> parts;  // topmost first: the first one has the data
  std::uint32_t links = 0;      // st_nlink: counted, not read from a branch
};

class AufsInodes {
 public:
  std::uint64_t NumberOf(const AufsReal& real) const;
  // From now on a file of its own.
  void Renumber(const AufsReal& real) { numbers_[real] = next_++; }
  // The copy is the same file as `source`; the source is, as long as it has other names.
  void Copied(const AufsReal& source, const AufsReal& copy) { numbers_[copy] = NumberOf(source); }

  // Null: has no pseudo-link.
  const PseudoLink* LinkOf(std::uint64_t number) const;
  PseudoLink* LinkOf(std::uint64_t number);
  // Makes one, or adds `copy` to it; `links` counts for a new one.
  void AddLink(const AufsReal& source, const AufsReal& copy, std::uint32_t links);
  void DropLink(std::uint64_t number) { links_.erase(number); }
  // A name of a file is hidden: the count in memory drops, that of its branch does not (§3.4).
  void TakeName(const AufsReal& real) { ++taken_[real]; }
  std::uint32_t TakenFrom(const AufsReal& real) const;
  // Read in anew, with the count of its branch.
  void ForgetTaken(const std::set<AufsReal>& but);
  // The branch goes, and with it the pseudo-links whose data are on it.
  void ForgetBranch(int branch);
  bool has_links() const { return !links_.empty(); }
  void ForgetLinks() { links_.clear(); }
  void ForgetNumbers() {
    numbers_.clear();
    taken_.clear();
  }

 private:
  std::map<AufsReal, std::uint64_t> numbers_;  // where it is not the number of the real file
  std::map<std::uint64_t, PseudoLink> links_;
  std::map<AufsReal, std::uint32_t> taken_;
  std::uint64_t next_ = 1;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_AUFS_INODES_H_
