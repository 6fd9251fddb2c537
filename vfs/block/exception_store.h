// ExceptionStore: which chunk of a COW device is next, and where the table of exceptions is kept.
//
//   PersistentStore, on the COW device, in chunks (E = chunk bytes / 16):
//
//     0        1        2 … E+1   E+2      E+3 … 2E+2   …
//     header   area 0   data      area 1   data
//
//     header   u32 magic "SnAp", u32 valid, u32 version 1, u32 chunk sectors; little endian
//     area     E entries {u64 origin chunk, u64 COW chunk}; a COW chunk of 0 ends the list
//
// Source: devicemapper.md section 13. Threads: as the snapshot. Lifetime: does not own the device.
#ifndef LAMINA_VFS_BLOCK_EXCEPTION_STORE_H_
#define LAMINA_VFS_BLOCK_EXCEPTION_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "lamina/block/block_device.h"

namespace lamina::internal {

struct Exception {
  std::uint64_t origin_chunk = 0;
  std::uint64_t cow_chunk = 0;
};

// Consecutive exceptions on consecutive chunks.
struct ExceptionRun {
  Exception first;
  std::uint64_t count = 0;
};

struct StoreUsage {
  std::uint64_t allocated_sectors = 0;
  std::uint64_t total_sectors = 0;
  std::uint64_t metadata_sectors = 0;
};

class ExceptionStore {
 public:
  virtual ~ExceptionStore() = default;

  virtual std::uint64_t chunk_sectors() const = 0;
  virtual bool persistent() const = 0;
  virtual StoreUsage usage() const = 0;
  // How many more exceptions fit.
  virtual std::uint64_t free_chunks() const = 0;

  // The next free chunk. Errors: kNoSpc  the COW device is full.
  virtual Result<std::uint64_t> Allocate() = 0;
  // The chunk has its content and is now an exception: after a crash too, when persistent.
  virtual Result<void> Commit(const OpContext& op, const Exception& exception) = 0;
  // No way back from here, after a crash neither.
  virtual Result<void> MarkInvalid(const OpContext& op) = 0;

  // The last exceptions of the table, as many as are consecutive in one area; nothing when none is
  // left.
  virtual Result<std::optional<ExceptionRun>> LastRun(const OpContext& op) = 0;
  // Forgets the last `count` exceptions, after a crash too.
  virtual Result<void> DropLast(const OpContext& op, std::uint64_t count) = 0;
};

class PersistentStore final : public ExceptionStore {
 public:
  struct Opened {
    std::unique_ptr<PersistentStore> store;
    bool valid = true;  // as the header has it; no exceptions are read when false
  };
  // Gives false for an exception that cannot be.
  using Visitor = std::function<bool(const Exception&)>;

  // `chunk_sectors` is legal (snapshot_table.h); a header on the device overrides it. Magic 0 makes
  // a new store.
  //
  // Errors, in the order they are checked:
  //   kIo     the device is shorter than a chunk, or fails
  //   kNxIo   another magic
  //   kInval  a chunk size that is no power of two from 1 to 2097152; another version than 1; an
  //           exception in the metadata or past the end, or that `visit` refuses
  static Result<Opened> Open(const OpContext& op, BlockDevice& cow, std::uint64_t chunk_sectors,
                             const Visitor& visit);

  std::uint64_t chunk_sectors() const override { return chunk_sectors_; }
  bool persistent() const override { return true; }
  StoreUsage usage() const override;
  std::uint64_t free_chunks() const override;
  Result<std::uint64_t> Allocate() override;
  Result<void> Commit(const OpContext& op, const Exception& exception) override;
  Result<void> MarkInvalid(const OpContext& op) override { return WriteHeader(op, 0); }
  Result<std::optional<ExceptionRun>> LastRun(const OpContext& op) override;
  Result<void> DropLast(const OpContext& op, std::uint64_t count) override;

 private:
  PersistentStore(BlockDevice& cow, std::uint64_t chunk_sectors)
      : cow_(&cow), chunk_sectors_(chunk_sectors) {}

  std::uint64_t per_area() const { return chunk_sectors_ * kSectorBytes / 16; }
  std::uint64_t AreaChunk(std::uint64_t area) const { return 1 + (per_area() + 1) * area; }
  bool HasChunk(std::uint64_t chunk) const;
  void SkipArea();
  Result<void> Initialize(const OpContext& op);
  Result<void> ReadAreas(const OpContext& op, const Visitor& visit);
  Result<std::vector<Exception>> ReadArea(const OpContext& op, std::uint64_t area) const;
  bool IsData(std::uint64_t chunk) const;
  Result<void> WriteHeader(const OpContext& op, std::uint32_t valid);
  Result<void> WriteArea(const OpContext& op);
  // `prefix`, then zeros to the end of the chunk.
  Result<void> WriteChunk(const OpContext& op, std::uint64_t chunk, Bytes prefix);

  BlockDevice* cow_;
  std::uint64_t chunk_sectors_;
  std::uint64_t next_free_ = 2;
  std::uint64_t area_ = 0;          // the one that is being filled
  std::vector<Exception> entries_;  // in it
};

class TransientStore final : public ExceptionStore {
 public:
  TransientStore(BlockDevice& cow, std::uint64_t chunk_sectors)
      : cow_(&cow), chunk_sectors_(chunk_sectors) {}

  std::uint64_t chunk_sectors() const override { return chunk_sectors_; }
  bool persistent() const override { return false; }
  StoreUsage usage() const override;
  std::uint64_t free_chunks() const override;
  Result<std::uint64_t> Allocate() override;
  Result<void> Commit(const OpContext&, const Exception&) override { return {}; }
  Result<void> MarkInvalid(const OpContext&) override { return {}; }
  Result<std::optional<ExceptionRun>> LastRun(const OpContext&) override {
    return Errno::kOpNotSupp;
  }
  Result<void> DropLast(const OpContext&, std::uint64_t) override { return Errno::kOpNotSupp; }

 private:
  BlockDevice* cow_;
  std::uint64_t chunk_sectors_;
  std::uint64_t next_free_ = 0;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_EXCEPTION_STORE_H_
