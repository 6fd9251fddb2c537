#include "sim/scenario/file_calls.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "sim/scenario/text_form.h"
#include "sim/scenario/world.h"

namespace lamina::sim::internal {

Outcome WriteAll(const Call& call, Process& process, Fd fd, const std::string& bytes,
                 std::optional<std::int64_t> offset) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    if (offset && *offset < 0) return Errno::kInval;
    const Bytes rest = AsBytes(std::string_view(bytes).substr(written));
    const Result<std::size_t> step =
        offset ? process.Pwrite(fd, rest, static_cast<std::uint64_t>(*offset) + written)
               : process.Write(fd, rest);
    if (!step.ok()) return step.error();
    written += *step;
  }
  if (call.world.counter.open) {
    call.world.counter.counters.bytes_asked += written;
    call.world.counter.counters.bytes_written += written;
  }
  return absl::StrFormat("OK %d", written);
}

Outcome ReadUpTo(const Call& call, Process& process, Fd fd, std::optional<std::int64_t> offset,
                 std::int64_t length) {
  if (length < 0) return Errno::kInval;
  if (offset && *offset < 0) return Errno::kInval;
  constexpr std::int64_t kPiece = 1 << 20;
  std::string bytes;
  while (static_cast<std::int64_t>(bytes.size()) < length || bytes.empty()) {
    const std::size_t before = bytes.size();
    const auto want = static_cast<std::size_t>(
        std::min<std::int64_t>(kPiece, length - static_cast<std::int64_t>(before)));
    bytes.resize(before + want);
    const MutableBytes into = std::as_writable_bytes(std::span<char>(bytes)).subspan(before);
    const Result<std::size_t> got =
        offset ? process.Pread(fd, into, static_cast<std::uint64_t>(*offset) + before)
               : process.Read(fd, into);
    if (!got.ok()) return got.error();
    bytes.resize(before + *got);
    if (*got == 0 || !offset) break;
  }
  if (call.world.counter.open) call.world.counter.counters.bytes_read += bytes.size();
  return ShowContent(bytes);
}

std::optional<std::uint32_t> OwnerOrKeep(std::int64_t id) {
  if (id == -1 || id == 0xffff'ffff) return std::nullopt;
  return static_cast<std::uint32_t>(id);
}

Result<std::vector<ProcessEntry>> ReadAllEntries(Process& process, Fd fd) {
  constexpr std::size_t kPiece = 1024;
  std::vector<ProcessEntry> all;
  for (;;) {
    Result<std::vector<ProcessEntry>> some = process.ReadEntries(fd, kPiece);
    if (!some.ok()) return some.error();
    if (some->empty()) return all;
    for (ProcessEntry& entry : *some) all.push_back(std::move(entry));
  }
}

}  // namespace lamina::sim::internal
