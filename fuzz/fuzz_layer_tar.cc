// Any bytes as a layer tar: no crash, no hang, and after an error an unchanged target.
//
// The custom mutator puts right checksums into what looks like a header, so that most inputs get
// past the first check.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lamina/base/check.h"
#include "lamina/image/layer_tar.h"

namespace {

constexpr std::size_t kBlockBytes = 512;

lamina::LayerTarOptions SmallLimits() {
  lamina::LayerTarOptions options;
  options.limits.max_entries = 2000;
  options.limits.max_total_bytes = std::uint64_t{4} << 20U;
  options.limits.max_header_bytes = std::uint64_t{1} << 20U;
  options.limits.max_sparse_extents = 1000;
  options.limits.max_ratio = 1000;
  return options;
}

std::size_t CountNames(lamina::MemFs& fs, const lamina::OpContext& op, lamina::NodeId dir) {
  std::size_t count = 0;
  const lamina::Result<lamina::HandleId> handle = fs.Open(op, dir, {});
  LAMINA_CHECK(handle.ok());
  const auto end = fs.ReadDir(op, *handle, {}, [&](const lamina::DirEntry& entry) {
    LAMINA_CHECK(!entry.name.empty());
    LAMINA_CHECK(entry.name.find('/') == std::string_view::npos);
    LAMINA_CHECK(entry.name != "..");
    ++count;
    return true;
  });
  LAMINA_CHECK(end.ok());
  fs.Close(*handle);
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lamina::MemFs fs;
  const std::uint64_t changes = fs.change_count();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<lamina::LayerTarReport> report =
      lamina::ReadLayerTar(bytes, fs, fs.root(), SmallLimits());

  const lamina::Credentials root = lamina::RootCredentials();
  const lamina::OpContext op{root, lamina::kSimulationStart, {}};
  const std::size_t names = CountNames(fs, op, fs.root());
  if (report.ok()) {
    LAMINA_CHECK(report->content_bytes <= SmallLimits().limits.max_total_bytes);
    LAMINA_CHECK(fs.change_count() >= changes);
    return 0;
  }
  LAMINA_CHECK(names == 0);
  LAMINA_CHECK(!report.status().message().empty());
  const lamina::Result<std::vector<std::string>> xattrs = fs.ListXattr(op, fs.root());
  LAMINA_CHECK(xattrs.ok());
  LAMINA_CHECK(xattrs->empty());
  return 0;
}

#if defined(LAMINA_LIBFUZZER)
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0) return size;  // some inputs stay wrong
  for (std::size_t at = 0; at + kBlockBytes <= size; at += kBlockBytes) {
    const std::string_view magic(reinterpret_cast<const char*>(data) + at + 257, 5);
    if (magic != "ustar") continue;
    unsigned sum = 8 * ' ';
    for (std::size_t byte = 0; byte < kBlockBytes; ++byte) {
      if (byte < 148 || byte >= 156) sum += data[at + byte];
    }
    for (int digit = 5; digit >= 0; --digit) {
      data[at + 148 + static_cast<std::size_t>(digit)] =
          static_cast<std::uint8_t>('0' + (sum & 7U));
      sum >>= 3U;
    }
    data[at + 154] = 0;
    data[at + 155] = ' ';
  }
  return size;
}
#endif
