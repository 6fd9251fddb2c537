// JBD2 on the device: where the fields lie. Source: the kernel's filesystems/ext4/journal.rst.
#ifndef LAMINA_VFS_EXT_JOURNAL_FORMAT_H_
#define LAMINA_VFS_EXT_JOURNAL_FORMAT_H_

#include <cstddef>
#include <cstdint>

#include "vfs/ext/big_endian.h"

namespace lamina::internal::jbd2 {

inline constexpr std::uint32_t kMagic = 0xc03b3998;

// Every block of the journal but the copies begins: magic, type, sequence.
inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::uint32_t kDescriptor = 1;
inline constexpr std::uint32_t kCommit = 2;
inline constexpr std::uint32_t kSuperblockV1 = 3;
inline constexpr std::uint32_t kSuperblockV2 = 4;
inline constexpr std::uint32_t kRevoke = 5;

// Superblock.
inline constexpr std::size_t kSuperblockBytes = 1024;
inline constexpr std::size_t kBlockBytesAt = 12;
inline constexpr std::size_t kMaxlenAt = 16;
inline constexpr std::size_t kFirstAt = 20;
inline constexpr std::size_t kSequenceAt = 24;
inline constexpr std::size_t kStartAt = 28;
inline constexpr std::size_t kCompatAt = 36;
inline constexpr std::size_t kIncompatAt = 40;
inline constexpr std::size_t kRoCompatAt = 44;
inline constexpr std::size_t kUuidAt = 48;
inline constexpr std::size_t kUuidBytes = 16;
inline constexpr std::size_t kUsersAt = 64;
inline constexpr std::size_t kChecksumTypeAt = 80;
inline constexpr std::size_t kSuperChecksumAt = 252;

inline constexpr std::uint32_t kCompatChecksum = 1;
inline constexpr std::uint32_t kIncompatRevoke = 1;
inline constexpr std::uint32_t kIncompat64Bit = 2;
inline constexpr std::uint32_t kIncompatAsyncCommit = 4;
inline constexpr std::uint32_t kIncompatChecksumV2 = 8;
inline constexpr std::uint32_t kIncompatChecksumV3 = 16;
inline constexpr std::uint32_t kKnownIncompat = kIncompatRevoke | kIncompat64Bit |
                                                kIncompatAsyncCommit | kIncompatChecksumV2 |
                                                kIncompatChecksumV3;

// Flags of a descriptor's tag.
inline constexpr std::uint32_t kTagEscaped = 1;   // the copy's first four bytes were kMagic
inline constexpr std::uint32_t kTagSameUuid = 2;  // no UUID follows
inline constexpr std::uint32_t kTagLast = 8;

// A tag as we write it: block, checksum (16 bits), flags (16 bits).
inline constexpr std::size_t kTagBytes = 8;

// Revoke record: header, bytes in use, block numbers.
inline constexpr std::size_t kRevokeCountAt = 12;
inline constexpr std::size_t kRevokeBlocksAt = 16;

// Commit record.
inline constexpr std::size_t kCommitChecksumTypeAt = 12;
inline constexpr std::size_t kCommitChecksumSizeAt = 13;
inline constexpr std::size_t kCommitChecksumAt = 16;
inline constexpr std::size_t kCommitSecondsAt = 48;
inline constexpr std::size_t kCommitNanosecondsAt = 56;

inline void PutHeader(MutableBytes block, std::uint32_t type, std::uint32_t sequence) {
  PutBig32(block, 0, kMagic);
  PutBig32(block, 4, type);
  PutBig32(block, 8, sequence);
}

// How many tags of ours fit in a descriptor: the first is followed by a UUID.
constexpr std::uint64_t TagsPerBlock(std::uint32_t block_bytes) {
  return (block_bytes - kHeaderBytes - kUuidBytes) / kTagBytes;
}
constexpr std::uint64_t RevokesPerBlock(std::uint32_t block_bytes) {
  return (block_bytes - kRevokeBlocksAt) / sizeof(std::uint32_t);
}

// Sequence numbers wrap: is `a` after `b`?
constexpr bool IsAfter(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) > 0;
}

}  // namespace lamina::internal::jbd2
#endif  // LAMINA_VFS_EXT_JOURNAL_FORMAT_H_
