// Any bytes as a table line of thin-pool or thin, and as a message: no crash, a clear error, and
// what is read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lamina/base/check.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_pool.h"
#include "lamina/block/thin_table.h"

namespace {

// Table loads beyond this are read, not opened: a pool's bitmaps take memory.
constexpr std::uint64_t kMostSectors = std::uint64_t{1} << 30;

lamina::TableResult<lamina::ThinPoolTable> ReadAgain(const lamina::ThinPoolTable& table) {
  return lamina::ParseThinPoolTable("0 " + std::to_string(table.length_sectors) + " thin-pool " +
                                    lamina::TableText(table));
}

lamina::TableResult<lamina::ThinTable> ReadAgain(const lamina::ThinTable& table) {
  return lamina::ParseThinTable(std::to_string(table.start_sector) + ' ' +
                                std::to_string(table.length_sectors) + " thin " +
                                lamina::TableText(table));
}

template <typename Table>
void CheckTable(const lamina::TableResult<Table>& read) {
  if (!read.ok()) {
    LAMINA_CHECK(!read.message().empty());
    return;
  }
  const lamina::TableResult<Table> again = ReadAgain(*read);
  LAMINA_CHECK(again.ok());
  LAMINA_CHECK(*again == *read);
}

// Opens the pool that `table` describes and sends it `message`.
void CheckMessage(const lamina::ThinPoolTable& table, std::string_view message) {
  const lamina::Credentials credentials;
  const lamina::OpContext op{credentials, lamina::kSimulationStart, lamina::Probe()};
  lamina::MemDisk metadata(2048);
  lamina::MemDisk data(kMostSectors);
  auto pool = lamina::ThinPool::Create(op, table, metadata, data);
  if (!pool.ok()) return;
  (void)(*pool)->Message(op, message);
  LAMINA_CHECK((*pool)->mode() != lamina::ThinPoolMode::kFail);
  LAMINA_CHECK(!(*pool)->StatusLine(op).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The first line is the table, the rest a message.
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view message = text.substr(line.size());
  const lamina::TableResult<lamina::ThinPoolTable> pool = lamina::ParseThinPoolTable(line);
  CheckTable(pool);
  CheckTable(lamina::ParseThinTable(line));
  CheckTable(lamina::ParseThinPoolTable(text));
  if (pool.ok() && pool->length_sectors <= kMostSectors) CheckMessage(*pool, message);
  return 0;
}
