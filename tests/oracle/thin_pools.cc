// thin_pools DIR COUNT [FIRST_SEED]: random pools for the thin tools, one for each seed.
//
//   DIR/pool-SEED.xml         the pool as thin_dump XML
//   DIR/pool-SEED.bin         its metadata device, trees shared as snapshots share them
//   DIR/pool-SEED.ls          counts from the pool's own reference counts
//   DIR/pool-SEED.delta-A-B   of up to three pairs of devices
//
// Stops with a message when the metadata is not what the history's model says.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "lamina/base/check.h"
#include "lamina/block/thin_delta.h"
#include "lamina/image/thin_xml.h"
#include "tests/block/device_fixture.h"
#include "tests/oracle/thin_history.h"

namespace lamina {
namespace {

constexpr std::uint64_t kMetadataBytes = std::uint64_t{8} << 20;

OpContext Op() {
  static const Caller caller;
  return caller.Op();
}

MemDisk FormattedDisk(SplitMix64& random) {
  MemDisk disk(MemDisk::SectorsOf(kMetadataBytes));
  const std::uint64_t sectors = 128 * (1 + random.Below(8));
  const std::uint64_t blocks = random.Below(4) == 0 ? 20'000 : 60 + random.Below(2000);
  LAMINA_CHECK(ThinMetadata::Format(Op(), disk, sectors, blocks).ok());
  return disk;
}

// DEV MAPPED EXCLUSIVE SHARED TRANSACTION CREATE_TIME SNAP_TIME, from reference counts one by one.
std::string CountsOf(ThinMetadata& metadata, const ThinDump& dump) {
  std::string text;
  for (const ThinDumpDevice& device : dump.devices) {
    std::uint64_t exclusive = 0;
    for (const ThinRun& run : device.runs) {
      for (std::uint64_t i = 0; i < run.length; ++i) {
        const Result<std::uint64_t> count = metadata.DataReferenceCount(Op(), run.data_begin + i);
        LAMINA_CHECK(count.ok());
        if (*count == 1) ++exclusive;
      }
    }
    for (const std::uint64_t field :
         {device.dev_id, device.mapped_blocks, exclusive, device.mapped_blocks - exclusive,
          device.transaction, std::uint64_t{device.creation_time}}) {
      text += std::to_string(field) + ' ';
    }
    text += std::to_string(device.snap_time) + '\n';
  }
  return text;
}

std::string DeltaOf(const ThinDumpDevice& left, const ThinDumpDevice& right) {
  std::string text;
  for (const ThinDeltaRun& run : RunsOfThinDelta(DiffThinDevices(left, right))) {
    text += std::string(ThinDeltaWord(run.kind)) + ' ' + std::to_string(run.begin) + ' ' +
            std::to_string(run.length) + '\n';
  }
  return text;
}

std::string ContentOf(MemDisk& disk) {
  std::string bytes(disk.size_sectors() * kSectorBytes, '\0');
  LAMINA_CHECK(disk.Read(Op(), Sector{0}, std::as_writable_bytes(std::span(bytes))).ok());
  return bytes;
}

void Put(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  LAMINA_CHECK(file.good());
}

void WritePool(const std::string& base, std::uint64_t seed) {
  SplitMix64 random(seed);
  MemDisk disk = FormattedDisk(random);
  ThinHistory history(disk, seed);
  for (std::uint64_t left = 20 + random.Below(180); left > 0; --left) history.Step();
  history.Finish();
  const Result<ThinDump> dump = ReadThinDump(Op(), history.metadata());
  LAMINA_CHECK(dump.ok());
  LAMINA_CHECK(*dump == history.ModelDump());
  Put(base + ".xml", ThinXmlText(*dump));
  Put(base + ".bin", ContentOf(disk));
  std::uint64_t mapped = 0;
  for (const ThinDumpDevice& device : dump->devices) mapped += device.mapped_blocks;
  if (mapped < 3000) Put(base + ".ls", CountsOf(history.metadata(), *dump));  // slow
  for (std::size_t i = 1; i < std::min<std::size_t>(dump->devices.size(), 4); ++i) {
    const ThinDumpDevice& left = dump->devices[random.Below(i)];
    const ThinDumpDevice& right = dump->devices[i];
    Put(base + ".delta-" + std::to_string(left.dev_id) + '-' + std::to_string(right.dev_id),
        DeltaOf(left, right));
  }
}

}  // namespace
}  // namespace lamina

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fputs("usage: thin_pools DIR COUNT [FIRST_SEED]\n", stderr);
    return 2;
  }
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t first = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 1;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    std::fprintf(stderr, "pool %llu\r", static_cast<unsigned long long>(seed));
    lamina::WritePool(std::string(argv[1]) + "/pool-" + std::to_string(seed), seed);
  }
  std::fprintf(stderr, "%llu pools written\n", static_cast<unsigned long long>(count));
  return 0;
}
