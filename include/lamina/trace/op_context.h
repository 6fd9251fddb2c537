// OpContext: who calls, when, and who listens. One per outside call, passed down by reference and
// never stored, so all time stamps of one call are equal.
//
// Threads: belongs to the call.
#ifndef LAMINA_TRACE_OP_CONTEXT_H_
#define LAMINA_TRACE_OP_CONTEXT_H_

#include "lamina/base/credentials.h"
#include "lamina/base/ids.h"
#include "lamina/base/time.h"
#include "lamina/trace/probe.h"

namespace lamina {

struct OpContext {
  const Credentials& cred;
  Instant now;
  Probe probe;
  // The open file that an attribute call came through; 0: a path. A file of several names changes
  // under the name it was opened by, which a union that copies it up must know.
  HandleId through = {};
};

}  // namespace lamina
#endif  // LAMINA_TRACE_OP_CONTEXT_H_
