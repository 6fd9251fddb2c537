// LAMINA_CHECK(condition): stops the program when one of *our* assumptions is broken.
//
// Never for input: what a stranger can cause is an Errno or an absl::Status. It stays on in test
// and benchmark builds. Check one thing at a time: two checks, not `a && b`.
#ifndef LAMINA_BASE_CHECK_H_
#define LAMINA_BASE_CHECK_H_

namespace lamina::internal {

// Prints `file:line: check failed: condition` to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace lamina::internal

#define LAMINA_CHECK(condition)                                        \
  do {                                                                 \
    if (!(condition)) [[unlikely]] {                                   \
      ::lamina::internal::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                                  \
  } while (false)

#endif  // LAMINA_BASE_CHECK_H_
