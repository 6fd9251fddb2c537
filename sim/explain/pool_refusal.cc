#include "sim/explain/pool_refusal.h"

#include "absl/strings/str_format.h"

namespace lamina::sim::internal {
namespace {

// "p is read-only: …": why no metadata can change.
std::string WhyReadOnly(ThinPool& pool, const std::string& name) {
  if (pool.mode() == ThinPoolMode::kFail) return name + " has failed";
  if (pool.mode() == ThinPoolMode::kOutOfMetadataSpace) {
    return name + " is read-only: out of metadata space, until its metadata device grows";
  }
  if (pool.needs_check()) {
    return name + " is read-only: needs_check, since an operation on its metadata failed";
  }
  if (pool.table().features.read_only) return name + " is read-only: its table says so";
  return name + " is read-only";
}

// Uncommitted discards may have freed some; they count from the commit on.
std::string WhyFull(ThinPool& pool, const std::string& name) {
  const ThinBlockCounts blocks = pool.metadata().data_blocks();
  if (blocks.free() > 0 && pool.mode() == ThinPoolMode::kOutOfDataSpace) {
    return absl::StrFormat(
        "%s is out of data space; what was freed since (%d) counts from the "
        "next commit on",
        name, blocks.free());
  }
  return absl::StrFormat("%s has no free chunk, all %d are used", name, blocks.total);
}

std::string TimeoutText(const ThinPool& pool) {
  const auto timeout = pool.settings().no_space_timeout.virtual_ns;
  if (timeout <= 0) return "for ever: no_space_timeout is 0";
  return absl::StrFormat("for at most %d s (no_space_timeout), then ENOSPC",
                         timeout / kNanosecondsPerSecond);
}

}  // namespace

std::optional<std::string> RequestRefusal(ThinPool& pool, const std::string& name) {
  if (pool.mode() == ThinPoolMode::kFail) return "EIO: " + WhyReadOnly(pool, name);
  if (pool.suspended()) return "waits (EAGAIN) until a resume: " + name + " is suspended";
  return std::nullopt;
}

std::string ChunkRefusal(ThinPool& pool, const std::string& name) {
  if (pool.mode() >= ThinPoolMode::kOutOfMetadataSpace) return "EIO: " + WhyReadOnly(pool, name);
  const std::string full = WhyFull(pool, name);
  if (!pool.errors_if_no_space()) {
    return "waits (EAGAIN) " + TimeoutText(pool) + ": " + full;
  }
  return "ENOSPC: " + full +
         (pool.table().features.error_if_no_space ? ", and its table says error_if_no_space"
                                                  : ", and writes waited too long already");
}

std::optional<std::string> DiscardIsIdle(ThinPool& pool, const std::string& name) {
  if (pool.mode() < ThinPoolMode::kOutOfMetadataSpace) return std::nullopt;
  return "nothing, though it succeeds: " + WhyReadOnly(pool, name);
}

std::string ModeChangeText(ThinPool& pool, const std::string& name, ThinPoolMode before) {
  std::string text = absl::StrFormat("%s goes from %s to %s", name, ThinPoolModeWord(before),
                                     ThinPoolModeWord(pool.mode()));
  if (pool.mode() < ThinPoolMode::kOutOfMetadataSpace) return text;
  text += "; " + WhyReadOnly(pool, name);
  if (pool.needs_check()) text += "; what changed since its last commit is thrown away";
  return text;
}

}  // namespace lamina::sim::internal
