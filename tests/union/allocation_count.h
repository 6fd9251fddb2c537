// How often this test program has asked for memory: its operator new counts.
//
// Threads: one.
#ifndef LAMINA_TESTS_UNION_ALLOCATION_COUNT_H_
#define LAMINA_TESTS_UNION_ALLOCATION_COUNT_H_

#include <cstdint>

namespace lamina {

std::uint64_t AllocationCount();

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_ALLOCATION_COUNT_H_
