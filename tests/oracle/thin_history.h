// ThinHistory: random changes of the metadata of a thin pool, and a plain model of what they give.
//
//   MemDisk disk = …;                      formatted or restored metadata
//   ThinHistory history(disk, seed);
//   for (…) history.Step();
//   history.Finish();
//   history.ModelDump() == *ReadThinDump(op, history.metadata())
//
// Every answer of ThinMetadata on the way is checked with LAMINA_CHECK. Writes follow the rule of
// sharing (devicemapper.md §5, §6), without data.
//
// Threads: one. Lifetime: does not own the disk.
#ifndef LAMINA_TESTS_ORACLE_THIN_HISTORY_H_
#define LAMINA_TESTS_ORACLE_THIN_HISTORY_H_

#include <cstdint>
#include <map>
#include <memory>

#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_dump.h"
#include "tests/store/split_mix.h"

namespace lamina {

class ThinHistory {
 public:
  // `disk` holds the committed metadata of a pool.
  ThinHistory(MemDisk& disk, std::uint64_t seed);

  // One change: a device made, snapshotted or deleted, a run of blocks written or discarded, a
  // commit, a crash, a metadata snapshot taken or released, a transaction id.
  void Step();
  // Releases what is held, and commits.
  void Finish();

  ThinMetadata& metadata() { return *metadata_; }
  // What the metadata says as the model has it, canonical.
  ThinDump ModelDump() const;

 private:
  struct Device {
    ThinDetails details;
    std::map<std::uint64_t, ThinMapping> mappings;
  };
  struct Pool {
    std::uint32_t time = 0;
    std::uint64_t transaction = 0;
    std::map<std::uint64_t, Device> devices;
  };

  void Import();
  void Create();
  void Snapshot();
  void Delete();
  void Write();
  void Discard();
  void Hold();
  void NextTransaction();
  void Commit();
  void Crash();

  // Makes the mapping of one written block. False: the pool is full.
  bool Provision(std::uint64_t id, std::uint64_t virtual_block);
  std::uint64_t AnyDevice();  // there is one

  MemDisk& disk_;
  SplitMix64 random_;
  std::unique_ptr<ThinMetadata> metadata_;
  Pool now_;
  Pool committed_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_ORACLE_THIN_HISTORY_H_
