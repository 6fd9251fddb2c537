// Deferred: work the kernel does "later" (commits, timeouts, cleaners). Nothing in lamina runs by
// itself: the owner of the clock pumps these.
//
// Threads: the rule of the object that implements it.
#ifndef LAMINA_TRACE_DEFERRED_H_
#define LAMINA_TRACE_DEFERRED_H_

#include <optional>

#include "lamina/base/result.h"
#include "lamina/base/time.h"
#include "lamina/trace/op_context.h"

namespace lamina {

class Deferred {
 public:
  virtual ~Deferred() = default;

  // When there is something to do next; nothing when there is not.
  virtual std::optional<Instant> NextDeadline() const = 0;

  // Does everything that is due at or before `until`.
  virtual Result<void> RunUntil(const OpContext& op, Instant until) = 0;
};

}  // namespace lamina
#endif  // LAMINA_TRACE_DEFERRED_H_
