// ThinModel: a thin pool as plain maps, device -> virtual block -> content, for comparison. It
// knows the rules of devicemapper.md sections 5 to 10 and nothing of trees, reference counts or
// sectors:
//
//   a block        an object that its mappings point to; it is free when nothing points to it
//   a commit       a copy of the maps; what it points to is not free either
//   a power cut    the copy takes the place of the maps; bytes written in place stay
//
// Threads: one.
#ifndef LAMINA_TESTS_BLOCK_THIN_MODEL_H_
#define LAMINA_TESTS_BLOCK_THIN_MODEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "lamina/base/errno.h"
#include "lamina/base/result.h"

namespace lamina {

class ThinModel {
 public:
  struct Rules {
    std::uint64_t pages_per_block = 16;
    std::uint64_t blocks = 64;
    bool passes_discards_down = true;
    bool errors_if_no_space = false;
    std::int64_t no_space_seconds = 60;
  };

  // What a page holds; 0 for zeros.
  using Tag = std::uint32_t;
  class Block {
   public:
    Block(std::uint64_t& live, std::uint64_t pages) : tags(pages, 0), live_(&live) { ++*live_; }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { --*live_; }

    std::vector<Tag> tags;
    std::uint64_t users = 0;  // mappings, those of a held snapshot too

   private:
    std::uint64_t* live_;
  };
  struct Mapping {
    std::shared_ptr<Block> block;
    std::uint32_t time = 0;
  };
  using Mappings = std::map<std::uint64_t, Mapping>;
  struct Device {
    Mappings mappings;
    std::uint64_t transaction = 0;
    std::uint32_t creation_time = 0;
    std::uint32_t snapshotted_time = 0;
  };
  struct State {
    std::map<std::uint64_t, Device> devices;
    std::optional<std::map<std::uint64_t, Device>> held;
    std::uint32_t time = 0;
    std::uint64_t transaction = 0;
  };
  // A write that waits: its number as Submit gave it.
  struct Waiting {
    std::uint64_t number;
    std::uint64_t device;
    std::uint64_t block;
    std::uint64_t first_page;  // in the block
    std::uint64_t pages;
    Tag tag;
  };

  explicit ThinModel(const Rules& rules) : rules_(rules) {}

  // ── Messages ──
  Result<void> Create(std::uint64_t id);
  Result<void> Snapshot(std::uint64_t id, std::uint64_t origin);
  Result<void> Delete(std::uint64_t id, bool active);
  Result<void> SetTransaction(std::uint64_t expected, std::uint64_t next);
  Result<void> Reserve();
  Result<void> Release();

  // ── Requests of devices that are there ──
  Result<void> Write(std::uint64_t id, std::uint64_t page, std::uint64_t pages, Tag tag);
  // The pieces that wait are in waiting() under `number`; the errno of the first one that failed.
  Result<void> Submit(std::uint64_t number, std::uint64_t id, std::uint64_t page,
                      std::uint64_t pages, Tag tag);
  void Discard(std::uint64_t id, std::uint64_t page, std::uint64_t pages);
  void Flush(std::uint64_t id);
  std::vector<Tag> Read(std::uint64_t id, std::uint64_t page, std::uint64_t pages) const;
  void Deactivate(std::uint64_t id);

  // ── The pool ──
  void Commit();
  void Advance(std::int64_t virtual_ns);
  // Without Commit before it: a power cut. Nothing is active after it.
  void Reopen();
  // With the same table, or with one of so many blocks.
  void SuspendAndResume();
  void Grow(std::uint64_t blocks);

  const State& now() const { return now_; }
  bool out_of_space() const { return out_of_space_; }
  bool errors_if_no_space() const { return errors_now_ || rules_.errors_if_no_space; }
  const std::vector<Waiting>& waiting() const { return waiting_; }
  std::uint64_t blocks() const { return rules_.blocks; }
  // Blocks with users, and those that are also wanted by the last commit.
  std::uint64_t used() const;
  std::uint64_t used_or_committed() const { return live_; }

 private:
  Result<void> WritePiece(const Waiting& piece);
  // A block that nothing points to. Errors: kNoSpc; kAgain  the write may wait.
  Result<std::shared_ptr<Block>> Allocate();
  std::vector<Waiting> PiecesOf(std::uint64_t number, std::uint64_t id, std::uint64_t page,
                                std::uint64_t pages, Tag tag) const;
  void NoteChange(std::uint64_t id);
  void Unmap(Mappings& mappings, Mappings::iterator at);
  void CountUsers();
  void CommitWithoutRetry();
  void HaveSpace();
  void Retry();
  void EnterNoSpace();

  Rules rules_;
  std::uint64_t live_ = 0;  // of all Blocks; before whatever points to them
  State now_;
  State committed_;
  std::set<std::uint64_t> changed_;  // devices, in this transaction
  std::int64_t clock_ns_ = 0;
  std::optional<std::int64_t> first_change_ns_;
  bool out_of_space_ = false;
  bool errors_now_ = false;  // the timeout ran out
  std::optional<std::int64_t> no_space_deadline_ns_;
  std::vector<Waiting> waiting_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_THIN_MODEL_H_
