// Any bytes as a table line of linear, thin-pool, thin, snapshot-origin, snapshot or
// snapshot-merge, and what follows as a message to the pool or as bytes of the COW device: no
// crash, a clear error, and what is read can be written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/check.h"
#include "lamina/block/linear.h"
#include "lamina/block/linear_table.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/snapshot_device.h"
#include "lamina/block/snapshot_origins.h"
#include "lamina/block/snapshot_table.h"
#include "lamina/block/thin_pool.h"
#include "lamina/block/thin_table.h"

namespace {

// Table loads beyond this are read, not opened: a pool's bitmaps take memory.
constexpr std::uint64_t kMostSectors = std::uint64_t{1} << 30;
constexpr std::uint64_t kCowSectors = 4096;

std::string Line(std::uint64_t start, std::uint64_t length, std::string_view target,
                 const std::string& arguments) {
  return std::to_string(start) + ' ' + std::to_string(length) + ' ' + std::string(target) + ' ' +
         arguments;
}

lamina::TableResult<lamina::ThinPoolTable> ReadAgain(const lamina::ThinPoolTable& table) {
  return lamina::ParseThinPoolTable(
      Line(0, table.length_sectors, "thin-pool", lamina::TableText(table)));
}

lamina::TableResult<lamina::ThinTable> ReadAgain(const lamina::ThinTable& table) {
  return lamina::ParseThinTable(
      Line(table.start_sector, table.length_sectors, "thin", lamina::TableText(table)));
}

lamina::TableResult<lamina::LinearTable> ReadAgain(const lamina::LinearTable& table) {
  return lamina::ParseLinearTable(
      Line(table.start_sector, table.length_sectors, "linear", lamina::TableText(table)));
}

lamina::TableResult<lamina::SnapshotOriginTable> ReadAgain(
    const lamina::SnapshotOriginTable& table) {
  return lamina::ParseSnapshotOriginTable(
      Line(table.start_sector, table.length_sectors, "snapshot-origin", lamina::TableText(table)));
}

lamina::TableResult<lamina::SnapshotTable> ReadAgain(const lamina::SnapshotTable& table) {
  LAMINA_CHECK(!lamina::CheckSnapshotTable(table).has_value());
  return lamina::ParseSnapshotTable(Line(table.start_sector, table.length_sectors,
                                         lamina::SnapshotTargetName(table.kind),
                                         lamina::TableText(table)));
}

template <typename Table>
lamina::TableResult<Table> Checked(const lamina::TableResult<Table>& read) {
  if (!read.ok()) {
    LAMINA_CHECK(!read.message().empty());
    return read;
  }
  const lamina::TableResult<Table> again = ReadAgain(*read);
  LAMINA_CHECK(again.ok());
  LAMINA_CHECK(*again == *read);
  return read;
}

const lamina::Credentials kCaller;

lamina::OpContext Call() { return {kCaller, lamina::kSimulationStart, lamina::Probe()}; }

// Opens the pool that `table` describes and sends it `message`.
void OpenPool(const lamina::ThinPoolTable& table, std::string_view message) {
  lamina::MemDisk metadata(2048);
  lamina::MemDisk data(kMostSectors);
  auto pool = lamina::ThinPool::Create(Call(), table, metadata, data);
  if (!pool.ok()) return;
  (void)(*pool)->Message(Call(), message);
  LAMINA_CHECK((*pool)->mode() != lamina::ThinPoolMode::kFail);
  LAMINA_CHECK(!(*pool)->StatusLine(Call()).empty());
}

void OpenLinear(const lamina::LinearTable& table) {
  lamina::MemDisk disk(kMostSectors);
  auto linear = lamina::LinearDevice::Create(
      disk, {lamina::Sector{table.first_sector}, table.length_sectors});
  if (!linear.ok()) return;
  std::vector<std::byte> sector(512);
  const lamina::Sector last{(*linear)->size_sectors() - 1};
  LAMINA_CHECK((*linear)->Write(Call(), last, sector).ok());
  LAMINA_CHECK(!(*linear)->Read(Call(), lamina::Sector{last.value + 1}, sector).ok());
}

// Opens the snapshot that `table` describes on a COW device that begins with `cow_bytes`, and
// writes to both sides.
void OpenSnapshot(const lamina::SnapshotTable& table, std::string_view cow_bytes) {
  lamina::MemDisk origin(kMostSectors);
  lamina::MemDisk cow(kCowSectors);
  std::vector<std::byte> head((std::min<std::size_t>(cow_bytes.size(), 1 << 20) + 511) / 512 * 512);
  std::transform(cow_bytes.begin(),
                 cow_bytes.begin() + static_cast<long>(std::min(cow_bytes.size(), head.size())),
                 head.begin(), [](char byte) { return static_cast<std::byte>(byte); });
  LAMINA_CHECK(cow.Write(Call(), lamina::Sector{0}, head).ok());
  lamina::SnapshotOrigins origins;
  auto snapshot = lamina::SnapshotDevice::Load(Call(), origins, table, origin, cow);
  if (!snapshot.ok()) {
    LAMINA_CHECK(!snapshot.message().empty());
    return;
  }
  LAMINA_CHECK((*snapshot)->Resume(Call()).ok());
  const std::vector<std::byte> sector(512);
  (void)(*snapshot)->Write(Call(), lamina::Sector{0}, sector);
  auto written_through = lamina::OriginDevice::Create(
      origins, {.length_sectors = kMostSectors, .origin_device = table.origin_device}, origin);
  LAMINA_CHECK(written_through.ok());
  (void)(*written_through)->Write(Call(), lamina::Sector{table.length_sectors - 1}, sector);
  (void)(*snapshot)->RunUntil(Call(), lamina::kSimulationStart);
  LAMINA_CHECK(!(*snapshot)->StatusLine().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The first line is the table.
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view rest = text.substr(std::min(line.size() + 1, text.size()));
  (void)Checked(lamina::ParseThinTable(line));
  (void)Checked(lamina::ParseSnapshotOriginTable(line));
  (void)Checked(lamina::ParseThinPoolTable(text));
  (void)Checked(lamina::ParseSnapshotTable(text));
  const auto pool = Checked(lamina::ParseThinPoolTable(line));
  if (pool.ok() && pool->length_sectors <= kMostSectors) OpenPool(*pool, rest);
  const auto linear = Checked(lamina::ParseLinearTable(line));
  if (linear.ok()) OpenLinear(*linear);
  const auto snapshot = Checked(lamina::ParseSnapshotTable(line));
  if (snapshot.ok()) OpenSnapshot(*snapshot, rest);
  return 0;
}
