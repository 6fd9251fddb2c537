#include "vfs/fs/process_pipe.h"

#include <algorithm>

namespace lamina::internal {

Result<std::size_t> Pipe::Read(MutableBytes into) {
  if (into.empty()) return std::size_t{0};
  if (buffered.empty()) {
    if (writers == 0) return std::size_t{0};
    return Errno::kAgain;
  }
  const std::size_t count = std::min(into.size(), buffered.size());
  std::copy_n(AsBytes(buffered).begin(), count, into.begin());
  buffered.erase(0, count);
  return count;
}

Result<std::size_t> Pipe::Write(Bytes from) {
  if (from.empty()) return std::size_t{0};
  if (readers == 0) return Errno::kPipe;
  const std::size_t room = kPipeBytes - buffered.size();
  if (room == 0) return Errno::kAgain;
  if (from.size() <= kAtomicPipeBytes && from.size() > room) return Errno::kAgain;
  const std::size_t count = std::min(from.size(), room);
  buffered.append(AsText(from.first(count)));
  return count;
}

}  // namespace lamina::internal
