// Opening, creating, removing, status.
#include "vfs/driver/aufs/aufs_driver.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/driver/registry.h"
#include "vfs/driver/tree_files.h"

namespace lamina {
namespace internal {
namespace {

// File systems on which a branch of AUFS cannot lie.
bool IsIncompatible(std::string_view backing_fs) {
  return backing_fs == "aufs" || backing_fs == "btrfs" || backing_fs == "ecryptfs";
}

std::string_view BackingName(const DriverHost& host) {
  return host.backing_fs.empty() ? std::string_view("<unknown>") : host.backing_fs;
}

}  // namespace

AufsDriver::AufsDriver(FileSystem& home, AufsBooks books, const DriverOptions& options)
    : home_(home),
      books_(std::move(books)),
      options_(options),
      voice_(options.on_message),
      naive_(*this, voice_),
      mounts_(options.mounts != nullptr ? *options.mounts : own_mounts_),
      counter_(mounts_) {}

Result<void> AufsDriver::CreateReadWrite(const OpContext& op, const LayerId& id,
                                         const LayerId* parent, const LayerOptions& options) {
  return CreateLayer(op, id, parent, options);
}

Result<void> AufsDriver::CreateLayer(const OpContext& caller, const LayerId& id,
                                     const LayerId* parent, const LayerOptions& options) {
  if (!options.storage.empty()) {
    return voice_.Fail(Errno::kOpNotSupp, "--storage-opt is not supported for aufs");
  }
  const std::lock_guard lock(mutex_);
  return books_.Create(AsDaemon(caller), id, parent);
}

bool AufsDriver::Exists(const OpContext& caller, const LayerId& id) {
  return books_.Exists(AsDaemon(caller), id);
}

Result<void> AufsDriver::Remove(const OpContext& caller, const LayerId& id) {
  if (!IsGoodLayerId(id)) return Errno::kInval;
  const OpContext op = AsDaemon(caller);
  const std::lock_guard lock(mutex_);
  Result<void> done = UnmountOrFail(op, books_.ShownPath(Folder::kMnt, id));
  if (done.ok()) done = books_.RemoveAncestors(op, id);
  if (done.ok()) done = books_.RemoveDirectory(op, Folder::kDiff, id, voice_);
  if (done.ok()) done = books_.RemoveDirectory(op, Folder::kMnt, id, voice_);
  return done;
}

StorageDriver::Rows AufsDriver::Status(const OpContext& op) {
  return {{"Root Dir", books_.shown_directory()},
          {"Backing Filesystem", std::string(BackingName(options_.host))},
          {"Dirs", absl::StrFormat("%d", books_.CountLayers(AsDaemon(op)))},
          {"Dirperm1 Supported", options_.host.has_dirperm1 ? "true" : "false"}};
}

StorageDriver::Rows AufsDriver::Metadata(const OpContext& /*op*/, const LayerId& /*id*/) {
  return {};
}

std::vector<std::string> AufsDriver::warnings() const {
  return {
      "WARNING: the aufs storage-driver is deprecated, and will be removed in a future release."};
}

}  // namespace internal

Result<std::unique_ptr<StorageDriver>> OpenAufsDriver(const OpContext& caller, FileSystem& home,
                                                      const DriverOptions& options) {
  using internal::AufsBooks;
  const internal::Voice voice(options.on_message);
  if (options.host.in_user_namespace) {
    return voice.Fail(Errno::kOpNotSupp, "AUFS cannot be used in non-init user namespace");
  }
  if (!options.host.has_kernel_support) {
    return voice.Fail(Errno::kOpNotSupp, "AUFS was not found in /proc/filesystems");
  }
  if (internal::IsIncompatible(options.host.backing_fs)) {
    return voice.Fail(Errno::kInval,
                      absl::StrFormat("AUFS is not supported over %s", options.host.backing_fs));
  }
  const OpContext op = internal::AsDaemon(caller);
  Result<AufsBooks> books = AufsBooks::Open(op, home, options.docker_root);
  if (!books.ok()) return books.error();
  books->SweepRemoved(op, voice);
  return std::unique_ptr<StorageDriver>(
      std::make_unique<internal::AufsDriver>(home, *std::move(books), options));
}

}  // namespace lamina
