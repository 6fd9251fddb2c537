// A small AUFS for tests: branches drawn in one line each, and looked at in the same way.
//
//   AufsStack stack({{"rw", "f=A d/x"}, {"ro+wh", "d/y"}}, "create=mfs");
//   EXPECT_EQ(Outcome(stack.process().Unlink("/d/y")), "OK");
//   EXPECT_EQ(stack.Content(0), "d/ d/.wh.y d/x f=A");
//
// A drawing is a list of words; missing parents are 0755.
//
//   NAME            empty file (0644; 0444 when it is a whiteout or a mark)
//   NAME=DATA       file; DATA `x*N` is N times the byte x, `~*N` are N zero bytes
//   NAME/           directory; `./` is the branch itself
//   NAME>TARGET     symlink
//   NAME@OTHER      one more name for OTHER, drawn before it
//   NAME!p NAME!c   fifo, character device 1:3
//   DIR/OPQ         the mark DIR/.wh..wh..opq
//   …:MODE:UID      in octal and decimal, after any of them
//
// The branches are "/b0" (topmost), "/b1" … in mount strings, each a directory of a MemFs of its
// own; "/n0", "/n1" … are directories that AddDirectory draws; "/u" is the union itself. A branch
// that was not writable since the mount must be as it was then when the stack ends.
//
// Threads: one.
#ifndef LAMINA_TESTS_UNION_AUFS_STACK_H_
#define LAMINA_TESTS_UNION_AUFS_STACK_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/sim/fault_plan.h"
#include "lamina/union/aufs.h"

namespace lamina {

struct DrawnBranch {
  std::string mode = {};  // as in the mount string; empty: not written there
  std::string content = {};
  std::uint64_t capacity_bytes = ~std::uint64_t{0};
  std::uint32_t name_max = 255;
  std::uint32_t link_max = 65000;
  std::string beside = {};  // "b1": on the file system of that one
  bool read_only = false;   // the file system is
  bool faulty = false;      // the faults of the plan come true, at the site of its name
  bool xattrs = true;
};

enum class AufsMounting : std::uint8_t { kNow, kLater };

// "OK", "ENOENT".
template <typename T>
std::string Outcome(const Result<T>& result) {
  return result.ok() ? "OK" : std::string(ErrnoName(result.error()));
}

class AufsStack {
 public:
  explicit AufsStack(std::initializer_list<DrawnBranch> branches, std::string_view options = {},
                     AufsMounting mounting = AufsMounting::kNow);
  ~AufsStack();
  AufsStack(const AufsStack&) = delete;
  AufsStack& operator=(const AufsStack&) = delete;

  // The next of "/n0", "/n1" …
  void AddDirectory(const DrawnBranch& directory);

  // ── Mounting ─────────────────────────────────────────────────────────────────────────────────
  // "br:/b0=rw:/b1=ro+wh,create=mfs"
  std::string MountText() const;
  AufsMount Request();  // the same as a value
  // Ends the mount before.
  Result<void> TryMount(std::string_view text);
  Result<void> TryMount(const AufsMount& mount);
  void Mount();  // with MountText
  void Unmount();
  // A second union of the same directories.
  std::unique_ptr<UnionFs> MountAnother(std::string_view text);
  // The outcome.
  std::string Remount(std::string_view text);
  Result<DirectoryRef> Resolve(std::string_view path);
  // "rw ro+wh", topmost first.
  std::string Modes();
  // "b0 b1"
  std::string BranchNames();

  // ── The union ────────────────────────────────────────────────────────────────────────────────
  Clock& clock() { return clock_; }
  sim::FaultPlan& plan() { return plan_; }
  UnionFs& fs();
  Process& process();
  std::unique_ptr<Process> NewProcess();  // one more on the union
  OpContext Op() { return OpContext{credentials_, clock_.now(), Probe()}; }
  void RunDeferred();
  void DropCaches() { DropUnusedNames(fs()); }

  // The whole union as a drawing; reads every file. Also checks that directories tell the types
  // and numbers that stat tells.
  std::string Merged();
  std::string List(std::string_view path);  // names in the order of readdir
  std::string Read(std::string_view path);  // the content, or the error
  Stat StatOf(std::string_view path);       // of the name itself; must succeed
  std::uint64_t Ino(std::string_view path) { return StatOf(path).ino; }
  std::string Lookup(std::string_view path);  // the outcome of a stat

  // The outcomes of an open, what its name says, and a close.
  std::string Create(std::string_view path);
  std::string Put(std::string_view path, std::string_view data);  // O_CREAT and O_TRUNC
  std::string Append(std::string_view path, std::string_view data);
  std::string WriteAt(std::string_view path, std::uint64_t offset, std::string_view data);
  std::string Touch(std::string_view path);  // both times are now

  Process::Fd Open(std::string_view path, const OpenHow& how);  // must succeed
  std::string ReadFd(Process::Fd fd, std::uint64_t offset = 0);
  std::string WriteFd(Process::Fd fd, std::uint64_t offset, std::string_view data);
  std::string ReadMapped(Mapping mapping, std::uint64_t length);

  // ── The branches ─────────────────────────────────────────────────────────────────────────────
  // Without the base entries of the branch itself; the number of a temporary is shown as HHHH.
  std::string Content(std::string_view name);
  std::string Content(int branch) { return Content(Name(branch)); }
  std::string BaseEntries(std::string_view name);  // ".wh..wh.aufs .wh..wh.orph/ .wh..wh.plnk/"
  std::string BaseEntries(int branch) { return BaseEntries(Name(branch)); }
  std::string PseudoLinks(int branch) { return NamesIn(branch, "/.wh..wh.plnk"); }
  std::string Orphans(int branch) { return NamesIn(branch, "/.wh..wh.orph"); }
  std::string NamesIn(int branch, std::string_view path);  // sorted
  // Everything about every entry. (The branches keep no time of the last access by themselves.)
  std::string Snapshot(std::string_view name);
  std::string Snapshot(int branch) { return Snapshot(Name(branch)); }
  Stat BranchStat(std::string_view name, std::string_view path);  // must succeed
  Stat BranchStat(int branch, std::string_view path) { return BranchStat(Name(branch), path); }
  std::string BranchRead(int branch, std::string_view path);
  std::string BranchesWith(std::string_view path);  // "02": those of the first mount that have it
  void SetBranchTimes(int branch, std::string_view path, Instant time);  // atime and mtime
  // To change a branch directly.
  std::unique_ptr<Process> OnBranch(std::string_view name);
  std::unique_ptr<Process> OnBranch(int branch) { return OnBranch(Name(branch)); }
  // The root of the file system that holds the branch, which is "/b1" there.
  std::unique_ptr<Process> OnFileSystemOf(std::string_view name);
  FsSpace SpaceOf(int branch);

 private:
  struct Home;       // a MemFs and what stands above it
  struct Directory;  // of a Home: a branch, or what may become one

  static std::string Name(int branch) { return "b" + std::to_string(branch); }
  Directory& Find(std::string_view name);
  void Draw(const std::string& name, const DrawnBranch& drawn);
  std::unique_ptr<Process> On(FileSystem& fs, NodeId root, LockTable* locks);
  std::unique_ptr<Process> LookAt(std::string_view name);  // without a change in mind
  Result<void> Adopt(Result<std::unique_ptr<UnionFs>> mounted);
  void Watch(Directory& directory);
  void ForgetWritable(const UnionFs& fs);
  Directory* DirectoryOf(const Branch& branch);  // null: none of ours
  std::string OnOpenFile(std::string_view path, const OpenHow& how, std::uint64_t offset,
                         std::string_view data);

  Clock clock_;
  Credentials credentials_ = RootCredentials();
  LockTable locks_;
  sim::FaultPlan plan_{{.clock = &clock_}};
  std::string options_;
  std::vector<std::unique_ptr<Home>> homes_;
  std::vector<std::unique_ptr<Directory>> directories_;
  std::unique_ptr<UnionFs> union_;
  std::unique_ptr<Process> process_;
};

// Times of a call that is not to be confused with now.
inline constexpr Instant kLongAgo = InstantFromSeconds(1'000'000'000);

// Flags of open(2).
inline constexpr OpenHow kReadOnly = {.access = Access::kRead};
inline constexpr OpenHow kWriteOnly = {.access = Access::kWrite};
inline constexpr OpenHow kReadWrite = {.access = Access::kReadWrite};
inline constexpr OpenHow kDirectory = {.access = Access::kRead, .directory = true};

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_AUFS_STACK_H_
