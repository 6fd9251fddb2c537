// Layer tars: one layer of an image, as `docker save` and OCI registries keep it, read into a MemFs
// that can be a branch of an overlay.
//
//   MemFs layer;
//   absl::StatusOr<LayerTarReport> report = ReadLayerTarFile("layer.tar.gz", layer, layer.root());
//   if (report.ok()) layer.Freeze();
//
//   in the tar               in the MemFs
//   a/b       file           a/b, and a/ (0755 0:0) when no entry describes it
//   a/.wh.x   any file       a/x: a whiteout, character device 0:0
//   a/.wh..wh..opq           a/: opaque, xattr trusted.overlay.opaque=y
//   .wh..wh.plnk/ and such   nothing: private files of AUFS
//
// Read: v7, ustar, GNU (long names, sparse, base-256 numbers), star and pax (all sizes, times to
// the nanosecond, SCHILY.xattr, LIBARCHIVE.xattr, GNU.sparse), plain or packed with gzip, zstd, xz
// or bzip2 where libarchive knows them.
//
// A tar is hostile until proven otherwise. Nothing outside `into` can be named, no symlink is
// followed, every limit is checked before memory is taken, and after an error the MemFs is what it
// was before.
//
// Not read: multi-volume tars, ACLs in star's text form (SCHILY.acl.*; counted in the report),
// fflags.
//
// Threads: pure functions of their arguments; the MemFs must not be used meanwhile.
#ifndef LAMINA_IMAGE_LAYER_TAR_H_
#define LAMINA_IMAGE_LAYER_TAR_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "lamina/base/ids.h"
#include "lamina/base/time.h"
#include "lamina/fs/mem_fs.h"

namespace lamina {

// What one tar may ask for. Over a limit is an error that names it.
struct LayerTarLimits {
  std::uint64_t max_entries = 1'000'000;
  std::uint64_t max_total_bytes = std::uint64_t{64} << 30U;  // bytes of content, holes not counted
  std::uint64_t max_file_bytes = std::uint64_t{1} << 44U;    // size of one file, holes counted
  std::uint64_t max_name_bytes = 4095;                       // of a path or a link target
  std::uint64_t max_header_bytes = std::uint64_t{8}
                                   << 20U;                  // pax records and long names, one entry
  std::uint64_t max_xattr_bytes = std::uint64_t{1} << 20U;  // keys and values of one entry
  std::uint64_t max_sparse_extents = std::uint64_t{1} << 20U;  // of one file
  // Unpacked bytes for each packed byte, looked at once 64 MiB are unpacked.
  std::uint64_t max_ratio = 20'000;
};

// The marks of the union that will be mounted. Overlay's opaque mark depends on the mount option
// userxattr.
enum class WhiteoutForm : std::uint8_t {
  kOverlay,      // a device 0:0, trusted.overlay.opaque
  kOverlayUser,  // a device 0:0, user.overlay.opaque
  kAufs,         // files .wh.NAME and .wh..wh..opq, as they stand in the tar
};

struct LayerTarOptions {
  WhiteoutForm whiteouts = WhiteoutForm::kOverlay;
  LayerTarLimits limits;
  Instant implied_time = kSimulationStart;  // times of directories that no entry describes
};

struct LayerTarReport {
  std::uint64_t entries = 0;  // headers that name something
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t symlinks = 0;
  std::uint64_t special = 0;  // devices and fifos
  std::uint64_t hard_links = 0;
  std::uint64_t whiteouts = 0;
  std::uint64_t opaque_marks = 0;
  std::uint64_t skipped = 0;          // private entries of AUFS, volume names
  std::uint64_t replaced = 0;         // names that a later entry gave to something else
  std::uint64_t xattrs_dropped = 0;   // trusted.overlay.* and kinds this file system cannot hold
  std::uint64_t records_ignored = 0;  // pax records that carry meaning but are not read
  std::uint64_t content_bytes = 0;    // holes not counted
};

// Applies the tar in `bytes`, packed or not, to the directory `into`.
//
// An entry over an entry: the last one wins; a directory over a directory keeps the children. A
// whiteout hides what lower layers hold, never what its own tar holds, wherever it stands: beside a
// directory of its own tar it makes that directory opaque.
//
// Errors, each naming the tar, the entry and the byte offset in the unpacked tar:
//   FailedPrecondition  `fs` is frozen
//   InvalidArgument     `into` is no directory; not a tar; a bad number, checksum, pax record or
//                       sparse map; a name that is empty, absolute, has "..", a NUL or a component
//                       that is too long; a way through a symlink or a file; the root as anything
//                       but a directory; a hard link to what the tar does not hold, or to a
//                       directory; `.wh.`, `.wh..`, `.wh...`; an unknown type of entry
//   DataLoss            truncated or damaged, packed or plain
//   ResourceExhausted   over a limit, or no space in `fs`
absl::StatusOr<LayerTarReport> ReadLayerTar(std::string_view bytes, MemFs& fs, NodeId into,
                                            const LayerTarOptions& options = {});

// The same for the host's file `path`. Errors as ReadLayerTar, and first:
//   NotFound            it cannot be opened
absl::StatusOr<LayerTarReport> ReadLayerTarFile(std::string_view path, MemFs& fs, NodeId into,
                                                const LayerTarOptions& options = {});

}  // namespace lamina
#endif  // LAMINA_IMAGE_LAYER_TAR_H_
