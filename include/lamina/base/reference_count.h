// ReferenceCount: how many hold an object that is shared by copying pointers.
//
// While the process has one thread, counting is a plain addition: a locked one costs twenty cycles,
// and what was written before it must leave the processor first, such as the 4 KiB of a page.
// glibc says whether there is one; elsewhere every count is locked.
//
// Threads: any. What a holder did to the object is seen by the one that drops the last reference,
// and by one that finds itself alone.
#ifndef LAMINA_BASE_REFERENCE_COUNT_H_
#define LAMINA_BASE_REFERENCE_COUNT_H_

#include <atomic>
#include <cstdint>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define LAMINA_KNOWS_SINGLE_THREADED 1
#endif

namespace lamina {

namespace internal {

inline bool ProcessHasOneThread() {
#ifdef LAMINA_KNOWS_SINGLE_THREADED
  return __libc_single_threaded != 0;
#else
  return false;
#endif
}

}  // namespace internal

class ReferenceCount {
 public:
  constexpr explicit ReferenceCount(std::uint32_t count = 0) : count_(count) {}
  ReferenceCount(const ReferenceCount&) = delete;
  ReferenceCount& operator=(const ReferenceCount&) = delete;

  void Add() {
    if (internal::ProcessHasOneThread()) {
      count_.store(value() + 1, std::memory_order_relaxed);
    } else {
      count_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  // True: that was the last reference, the object is the caller's to destroy.
  bool Drop() {
    if (internal::ProcessHasOneThread()) {
      const std::uint32_t left = value() - 1;
      count_.store(left, std::memory_order_relaxed);
      return left == 0;
    }
    return count_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }

  // The caller's reference is the only one, so the object may be changed.
  bool is_one() const { return count_.load(std::memory_order_acquire) == 1; }

  // For an object that is taken or kept by no reference: a page of a pool.
  std::uint32_t value() const { return count_.load(std::memory_order_relaxed); }
  void Set(std::uint32_t count) { count_.store(count, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> count_;
};
static_assert(sizeof(ReferenceCount) == sizeof(std::uint32_t));

}  // namespace lamina
#endif  // LAMINA_BASE_REFERENCE_COUNT_H_
