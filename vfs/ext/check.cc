#include "lamina/ext/check.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lamina/ext/journal.h"
#include "vfs/ext/check_image.h"
#include "vfs/ext/check_scratch.h"

namespace lamina {
namespace {

using internal::ImageCheck;
using internal::ScratchDevice;

std::string ReplayFailure(Errno error) {
  return absl::StrFormat("the journal cannot be read: %s", ErrnoText(error));
}

ExtFinding JournalFinding(ExtSeverity severity, std::string text, std::uint32_t inode = 0) {
  return {severity, ExtFindingKind::kJournal, std::move(text), inode};
}

// Replays the journal of `image` into `scratch`; the findings say what came of it.
std::vector<ExtFinding> Replay(const OpContext& op, ImageCheck& image, ScratchDevice& scratch) {
  using enum ExtSeverity;
  const bool is_marked = (image.super().feature_incompat & ext::kIncompatRecover) != 0;
  Journal::Layout layout{image.block_bytes(), image.JournalBlocks()};
  if (layout.blocks.empty()) return {};
  const std::uint32_t inode = image.super().journal_inode;
  Result<std::unique_ptr<Journal>> journal = Journal::Open(op, scratch, std::move(layout));
  if (!journal.ok()) return {JournalFinding(kError, ReplayFailure(journal.error()), inode)};
  if (!(*journal)->needs_replay()) {
    if (!is_marked) return {};
    return {JournalFinding(kNote, "marked for recovery; the journal is empty")};
  }
  if (!is_marked) {
    return {JournalFinding(kError, "the journal holds changes; not marked for recovery")};
  }
  const Result<Journal::Replayed> replayed = (*journal)->Replay(op);
  if (!replayed.ok()) return {JournalFinding(kError, ReplayFailure(replayed.error()), inode)};
  return {JournalFinding(
      kNote, absl::StrFormat("needs replay: %d transactions, %d blocks; checked as after it",
                             replayed->transactions, replayed->blocks_written))};
}

}  // namespace

ExtOutcome<ExtReport> CheckExt(const OpContext& op, BlockDevice& device) {
  ScratchDevice scratch(device);
  std::vector<ExtFinding> first;
  {
    // Journals are replayed only where the superblock can be trusted; the check tells about it.
    ImageCheck before(op, scratch);
    if (before.CheckSuperblock()) first = Replay(op, before, scratch);
  }
  ImageCheck image(op, scratch);
  for (ExtFinding& finding : first) image.Add(std::move(finding));
  if (image.CheckSuperblock()) image.CheckAll();
  if (image.device_error().has_value()) {
    return ExtError{*image.device_error(), "the device cannot be read"};
  }
  if (image.refusal().has_value()) return *image.refusal();
  return std::move(image.report());
}

std::string_view FindingId(ExtFindingKind kind) {
  switch (kind) {
    case ExtFindingKind::kSuperblock:
      return "superblock";
    case ExtFindingKind::kGroup:
      return "group";
    case ExtFindingKind::kBackup:
      return "backup";
    case ExtFindingKind::kJournal:
      return "journal";
    case ExtFindingKind::kOrphan:
      return "orphan";
    case ExtFindingKind::kResizeInode:
      return "resize-inode";
    case ExtFindingKind::kInode:
      return "inode";
    case ExtFindingKind::kBlockMap:
      return "block-map";
    case ExtFindingKind::kBlockRange:
      return "block-range";
    case ExtFindingKind::kSharedBlock:
      return "shared-block";
    case ExtFindingKind::kSize:
      return "size";
    case ExtFindingKind::kSectorCount:
      return "sector-count";
    case ExtFindingKind::kSymlink:
      return "symlink";
    case ExtFindingKind::kXattr:
      return "xattr";
    case ExtFindingKind::kXattrReferences:
      return "xattr-references";
    case ExtFindingKind::kDirectory:
      return "directory";
    case ExtFindingKind::kEntry:
      return "entry";
    case ExtFindingKind::kIndex:
      return "index";
    case ExtFindingKind::kTree:
      return "tree";
    case ExtFindingKind::kLinks:
      return "links";
    case ExtFindingKind::kBlockBitmap:
      return "block-bitmap";
    case ExtFindingKind::kInodeBitmap:
      return "inode-bitmap";
    case ExtFindingKind::kCount:
      return "count";
  }
  return "";
}

std::string FindingText(const ExtFinding& finding) {
  std::string text;
  if (finding.group.has_value()) absl::StrAppend(&text, "group ", *finding.group, ": ");
  if (finding.inode != 0) absl::StrAppend(&text, "inode ", finding.inode, ": ");
  if (finding.block != 0) absl::StrAppend(&text, "block ", finding.block, ": ");
  return text + finding.text;
}

namespace internal {

void ImageCheck::Add(ExtFinding finding) {
  ++(finding.severity == ExtSeverity::kError ? report_.errors : report_.notes);
  if (report_.findings.size() < ExtReport::kMaxFindings) {
    report_.findings.push_back(std::move(finding));
  }
}

void ImageCheck::Error(Kind kind, std::string text, std::uint32_t inode, std::uint32_t block) {
  Add({ExtSeverity::kError, kind, std::move(text), inode, block});
}

void ImageCheck::Note(Kind kind, std::string text, std::uint32_t inode, std::uint32_t block) {
  Add({ExtSeverity::kNote, kind, std::move(text), inode, block});
}

void ImageCheck::GroupError(Kind kind, std::uint32_t group, std::string text) {
  Add({ExtSeverity::kError, kind, std::move(text), 0, 0, group});
}

void ImageCheck::Refuse(Errno code, std::string text) {
  if (!refusal_.has_value()) refusal_ = ExtError{code, std::move(text)};
}

void ImageCheck::ReadBytes(std::uint64_t offset, MutableBytes into) {
  const Result<void> read = device_->Read(op_, Sector{offset / kSectorBytes}, into);
  if (read.ok()) return;
  if (!device_error_.has_value()) device_error_ = read.error();
  std::fill(into.begin(), into.end(), std::byte{});
}

std::vector<std::byte> ImageCheck::ReadBlock(std::uint32_t block) {
  std::vector<std::byte> bytes(block_bytes_);
  ReadBytes(std::uint64_t{block} * block_bytes_, bytes);
  return bytes;
}

ext::DiskInode ImageCheck::ReadInode(std::uint32_t number) {
  const std::uint32_t group = (number - 1) / super_.inodes_per_group;
  const std::uint64_t within = std::uint64_t{(number - 1) % super_.inodes_per_group} * inode_bytes_;
  const std::uint64_t offset = std::uint64_t{groups_[group].inode_table} * block_bytes_ + within;
  const std::uint64_t sector = offset / kSectorBytes * kSectorBytes;
  std::vector<std::byte> bytes(kSectorBytes);
  ReadBytes(sector, bytes);
  bytes.resize(kSectorBytes + sizeof(ext::DiskInode));  // inodes of 128 bytes have no second half
  const std::size_t at = offset - sector;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at + inode_bytes_), bytes.end(),
            std::byte{});
  return ext::ReadRecord<ext::DiskInode>(bytes, at);
}

void ImageCheck::CheckAll() {
  MarkGroups();
  CheckBackups();
  CheckOrphans();
  CheckResizeInode();
  CheckJournalInode();
  CheckInodes();
  CheckXattrReferences();
  CheckDirectories();
  CheckTree();
  CheckLinks();
  CheckCounts();
}

}  // namespace internal
}  // namespace lamina
