// Baselines: the small programs that lamina's prices are divided by, and the loop that compares.
//
//   base.memcpy   a linear buffer
//   base.pages    a flat table of refcounted 4 KiB pages; a snapshot copies the table
//   base.dirmap   a hash map of names per directory and a table of inodes; no rules at all
//
// Host time moves by a factor of 2 or 3 between rounds here, so only ratios count: contenders run
// in turn within every round, each sample is min(wall, thread CPU), and medians are compared.
//
// Threads: one.
#ifndef LAMINA_BENCH_BASELINES_H_
#define LAMINA_BENCH_BASELINES_H_

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace lamina::bench {

inline constexpr std::size_t kBlockBytes = 4096;

// Memory that the host has already given, in huge pages where it agrees.
class WarmMemory {
 public:
  explicit WarmMemory(std::size_t bytes)
      : bytes_(bytes), data_(static_cast<std::byte*>(std::aligned_alloc(kHuge, RoundUp(bytes)))) {
    if (data_ == nullptr) std::abort();
    madvise(data_, RoundUp(bytes), MADV_HUGEPAGE);
    std::memset(data_, 1, bytes_);
  }
  ~WarmMemory() { std::free(data_); }
  WarmMemory(const WarmMemory&) = delete;
  WarmMemory& operator=(const WarmMemory&) = delete;

  std::byte* data() { return data_; }
  std::size_t size_bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kHuge = std::size_t{2} << 20;
  static std::size_t RoundUp(std::size_t bytes) { return (bytes + kHuge - 1) / kHuge * kHuge; }

  const std::size_t bytes_;
  std::byte* const data_;
};

// base.memcpy
class LinearBuffer {
 public:
  explicit LinearBuffer(std::size_t bytes) : memory_(bytes) {}

  void Read(std::uint64_t offset, std::byte* into) {
    std::memcpy(into, memory_.data() + offset, kBlockBytes);
  }
  void Write(std::uint64_t offset, const std::byte* from) {
    std::memcpy(memory_.data() + offset, from, kBlockBytes);
  }

 private:
  WarmMemory memory_;
};

// base.pages: whole blocks only. `spare_pages` are kept warm for copies.
class PageTable {
 public:
  PageTable(std::size_t pages, std::size_t spare_pages)
      : memory_(std::make_shared<Pool>(pages + spare_pages)) {
    table_.reserve(pages);
    for (std::size_t i = 0; i < pages; ++i) table_.push_back(memory_->Take());
  }
  PageTable(const PageTable& other) : memory_(other.memory_), table_(other.table_) {
    for (const std::uint32_t page : table_) ++memory_->references[page];
  }
  PageTable& operator=(const PageTable&) = delete;
  ~PageTable() {
    for (const std::uint32_t page : table_) memory_->Drop(page);
  }

  void Read(std::uint64_t offset, std::byte* into) {
    std::memcpy(into, memory_->bytes(table_[offset / kBlockBytes]), kBlockBytes);
  }
  void Write(std::uint64_t offset, const std::byte* from) {
    std::uint32_t& page = table_[offset / kBlockBytes];
    if (memory_->references[page] > 1) {
      memory_->Drop(page);
      page = memory_->Take();
    }
    std::memcpy(memory_->bytes(page), from, kBlockBytes);
  }

 private:
  struct Pool {
    explicit Pool(std::size_t pages) : references(pages, 0), memory(pages * kBlockBytes) {
      for (std::size_t i = pages; i > 0; --i) free.push_back(static_cast<std::uint32_t>(i - 1));
    }
    std::byte* bytes(std::uint32_t page) { return memory.data() + page * kBlockBytes; }
    std::uint32_t Take() {
      if (free.empty()) std::abort();
      const std::uint32_t page = free.back();
      free.pop_back();
      references[page] = 1;
      return page;
    }
    void Drop(std::uint32_t page) {
      if (--references[page] == 0) free.push_back(page);
    }

    std::vector<std::uint32_t> references;
    std::vector<std::uint32_t> free;
    WarmMemory memory;
  };

  std::shared_ptr<Pool> memory_;
  std::vector<std::uint32_t> table_;
};

// base.dirmap
class DirectoryMaps {
 public:
  struct Inode {
    std::uint64_t times[3] = {};
    std::uint64_t size_bytes = 0;
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t nlink = 0;
  };

  explicit DirectoryMaps(std::size_t directories) : directories_(directories) {}

  void Create(std::size_t directory, const std::string& name) {
    const std::uint64_t id = next_++;
    inodes_[id].nlink = 1;
    directories_[directory].emplace(name, id);
  }
  void Unlink(std::size_t directory, const std::string& name) {
    const auto entry = directories_[directory].find(name);
    if (entry == directories_[directory].end()) std::abort();
    inodes_.erase(entry->second);
    directories_[directory].erase(entry);
  }
  // The inode id; 0 when there is no such name.
  std::uint64_t Lookup(std::size_t directory, const std::string& name) const {
    const auto entry = directories_[directory].find(name);
    return entry == directories_[directory].end() ? 0 : entry->second;
  }

 private:
  std::vector<absl::flat_hash_map<std::string, std::uint64_t>> directories_;
  absl::flat_hash_map<std::uint64_t, Inode> inodes_;
  std::uint64_t next_ = 1;
};

// Offsets of `count` of `blocks` blocks, each at most once.
inline std::vector<std::uint64_t> ShuffledOffsets(std::size_t blocks, std::size_t count,
                                                  std::uint64_t seed) {
  std::vector<std::uint64_t> offsets(blocks);
  for (std::size_t i = 0; i < blocks; ++i) offsets[i] = i * kBlockBytes;
  for (std::size_t i = blocks - 1; i > 0; --i) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    std::swap(offsets[i], offsets[(seed >> 33) % (i + 1)]);
  }
  offsets.resize(count);
  return offsets;
}

// min(wall, thread CPU) of one call, in nanoseconds.
inline double HostNanoseconds(const std::function<void()>& work) {
  const auto cpu_now = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  };
  const auto wall_before = std::chrono::steady_clock::now();
  const double cpu_before = cpu_now();
  work();
  const double cpu = cpu_now() - cpu_before;
  const std::chrono::duration<double, std::nano> wall =
      std::chrono::steady_clock::now() - wall_before;
  return std::min(cpu, wall.count());
}

// One line of a comparison: contenders that answer the same question.
struct Contender {
  std::string name;
  std::function<void()> prepare;  // not timed; may be empty
  std::function<void()> work;     // `operations` operations
};

// Medians in nanoseconds an operation, in the order of `contenders`. A warm-up round comes first.
inline std::vector<double> RunRounds(const std::vector<Contender>& contenders, int rounds,
                                     double operations) {
  std::vector<std::vector<double>> samples(contenders.size());
  for (int round = -1; round < rounds; ++round) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      if (contenders[i].prepare) contenders[i].prepare();
      const double sample = HostNanoseconds(contenders[i].work) / operations;
      if (round >= 0) samples[i].push_back(sample);
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& of_one : samples) {
    std::nth_element(of_one.begin(), of_one.begin() + of_one.size() / 2, of_one.end());
    medians.push_back(of_one[of_one.size() / 2]);
  }
  return medians;
}

}  // namespace lamina::bench
#endif  // LAMINA_BENCH_BASELINES_H_
