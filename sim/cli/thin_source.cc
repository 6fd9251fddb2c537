#include "sim/cli/thin_source.h"

#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_lint.h"
#include "lamina/image/host_disk.h"
#include "lamina/image/thin_xml.h"
#include "sim/cli/input_file.h"

namespace lamina::cli {
namespace {

constexpr std::size_t kMagicAt = 32;
constexpr std::uint64_t kMagic = 27022010;
constexpr std::uint64_t kFirstBytes = 4096;

bool IsMetadata(std::string_view first) {
  if (first.size() < kMagicAt + sizeof(kMagic)) return false;
  std::uint64_t magic = 0;
  for (std::size_t i = sizeof(kMagic); i > 0; --i) {
    magic = magic << 8U | static_cast<unsigned char>(first[kMagicAt + i - 1]);
  }
  return magic == kMagic;
}

// A disk that holds `bytes`; pages of zeros cost nothing.
absl::StatusOr<std::unique_ptr<BlockDevice>> DiskOf(const std::string& path, std::string bytes) {
  bytes.resize(MemDisk::SectorsOf(bytes.size()) * kSectorBytes);
  auto disk = std::make_unique<MemDisk>(bytes.size() / kSectorBytes);
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  if (!disk->Write(op, Sector{0}, AsBytes(bytes)).ok()) {
    return absl::NotFoundError(absl::StrFormat("%s: too large", path));
  }
  return disk;
}

ThinXmlOptions OptionsOf(const std::string& path, ThinXmlRules rules) {
  ThinXmlOptions options;
  options.file = path;
  options.rules = rules;
  return options;
}

}  // namespace

absl::StatusOr<ThinSource> ThinSource::Open(const std::string& path) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::string> text = file->Read(kFirstBytes);
  if (!text.ok()) return text.status();
  const bool metadata = IsMetadata(*text);
  if (metadata && path != "-") {
    absl::StatusOr<Metadata> device = HostDisk::Open(path, HostAccess::kReadOnly);
    if (!device.ok()) return device.status();
    return ThinSource(path, *std::move(device));
  }
  if (!metadata && text->find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: neither thin_dump XML nor the metadata of a thin pool", path));
  }
  const std::uint64_t limit = ThinXmlOptions().max_bytes;
  const absl::StatusOr<std::string> rest = file->Read(limit);
  if (!rest.ok()) return rest.status();
  *text += *rest;
  if (!metadata) return ThinSource(path, *std::move(text));
  if (text->size() > limit) {
    return absl::NotFoundError(
        absl::StrFormat("%s: metadata on standard input is limited to %d bytes", path, limit));
  }
  absl::StatusOr<Metadata> disk = DiskOf(path, *std::move(text));
  if (!disk.ok()) return disk.status();
  return ThinSource(path, *std::move(disk));
}

absl::StatusOr<ThinDump> ThinSource::DumpOfMetadata(BlockDevice& metadata) const {
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  const auto error = [&](Errno number) {
    std::string_view what = ErrnoText(number);
    if (number == Errno::kInval) what = "the superblock of the metadata is not sound";
    if (number == Errno::kBadMsg) what = "damaged metadata; `lamina thin check` says where";
    if (number == Errno::kFBig) what = "more mappings than a dump may have";
    return absl::DataLossError(absl::StrFormat("%s: %s [%s]", path_, what, ErrnoName(number)));
  };
  const Result<std::unique_ptr<ThinMetadata>> pool = ThinMetadata::Open(op, metadata);
  if (!pool.ok()) return error(pool.error());
  Result<ThinDump> dump = ReadThinDump(op, **pool);
  if (!dump.ok()) return error(dump.error());
  return *std::move(dump);
}

absl::StatusOr<ThinDump> ThinSource::Dump() const {
  if (const Metadata* metadata = std::get_if<Metadata>(&content_)) {
    return DumpOfMetadata(**metadata);
  }
  absl::StatusOr<ThinXmlDocument> document =
      ReadThinXml(std::get<Xml>(content_), OptionsOf(path_, ThinXmlRules::kAsRestored));
  if (!document.ok()) return document.status();
  return std::move(document->dump);
}

absl::StatusOr<std::vector<ThinFinding>> ThinSource::CheckOfXml(const Xml& text) const {
  const absl::StatusOr<ThinXmlDocument> document =
      ReadThinXml(text, OptionsOf(path_, ThinXmlRules::kAsWritten));
  if (!document.ok()) return document.status();
  std::vector<ThinFinding> findings = LintThinDump(document->dump);
  for (const ThinXmlNote& note : document->notes) {
    findings.push_back(
        {ThinFindingKind::kOdd, absl::StrFormat("line %d: %s", note.line, note.what)});
  }
  return findings;
}

absl::StatusOr<std::vector<ThinFinding>> ThinSource::Check() const {
  const Metadata* metadata = std::get_if<Metadata>(&content_);
  if (metadata == nullptr) return CheckOfXml(std::get<Xml>(content_));
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  Result<std::vector<ThinFinding>> findings = CheckThinMetadata(op, **metadata);
  if (findings.ok()) return *std::move(findings);
  return absl::DataLossError(
      absl::StrFormat("%s: the metadata cannot be read [%s]", path_, ErrnoName(findings.error())));
}

}  // namespace lamina::cli
