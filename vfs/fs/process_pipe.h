// Pipe: the buffer behind a fifo while it is open somewhere in a Process. Nobody ever waits: what
// would block is kAgain.
//
// Not modelled: slots of one page (pipe(7)); the buffer holds kPipeBytes whatever the sizes of the
// writes. A write does not touch the times of the node.
//
// Threads: thread-compatible.
#ifndef LAMINA_VFS_FS_PROCESS_PIPE_H_
#define LAMINA_VFS_FS_PROCESS_PIPE_H_

#include <cstddef>
#include <string>

#include "lamina/base/bytes.h"
#include "lamina/base/result.h"

namespace lamina::internal {

inline constexpr std::size_t kPipeBytes = 65536;
inline constexpr std::size_t kAtomicPipeBytes = 4096;  // PIPE_BUF

struct Pipe {
  int readers = 0;
  int writers = 0;
  std::string buffered;

  // Bytes read; 0 when the buffer is empty and nobody writes. Errors: kAgain empty.
  Result<std::size_t> Read(MutableBytes into);
  // Bytes written, all of them or what fits; up to kAtomicPipeBytes all or nothing.
  // Errors: kPipe nobody reads; kAgain no room.
  Result<std::size_t> Write(Bytes from);
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_FS_PROCESS_PIPE_H_
