#include "tests/union/allocation_count.h"

#include <cstdlib>
#include <new>

namespace {
std::uint64_t allocations = 0;
}  // namespace

// In a file of their own, so that no caller inlines one half of a pair.
void* operator new(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace lamina {

std::uint64_t AllocationCount() { return allocations; }

}  // namespace lamina
