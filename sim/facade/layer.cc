#include "lamina/facade/layer.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/facade/status.h"
#include "sim/facade/aufs_words.h"
#include "sim/facade/layer_writer.h"

namespace lamina {
namespace internal {

LayerWriter::LayerWriter(MemFs& fs, NodeId root, std::string_view layer, WhiteoutForm form)
    : process_(fs, root, ProcessOptions{.clock = &clock_, .tick = Duration{0}}),
      layer_(layer),
      form_(form) {
  process_.set_umask(0);
}

Result<void> LayerWriter::MakeParents(std::string_view path) {
  if (!path.starts_with('/') || path.find_first_not_of('/') == path.npos) return Errno::kInval;
  for (std::size_t i = 1; i < path.size(); ++i) {
    if (path[i] != '/' || path[i - 1] == '/') continue;
    if (path.find_first_not_of('/', i) == path.npos) break;
    const std::string_view parent = path.substr(0, i);
    if (process_.GetStat(parent, LastLink::kFollow).ok()) continue;
    if (IsWhitedOut(parent)) return Errno::kNotDir;
    if (Result<void> made = process_.Mkdir(parent, 0755); !made.ok()) return made;
  }
  return IsWhitedOut(path) ? Errno::kExist : Result<void>();
}

bool LayerWriter::IsWhitedOut(std::string_view path) {
  if (whiteouts_.empty()) return false;
  const Result<Stat> whiteout = process_.GetStat(WhiteoutPathOf(path), LastLink::kKeep);
  return whiteout.ok() && whiteouts_.contains(whiteout->node);
}

Result<void> LayerWriter::PutWhiteout(std::string_view path) {
  if (form_ != WhiteoutForm::kAufs) {
    return process_.Mknod(path, FileType::kCharDevice, 0, MakeDevice(0, 0));
  }
  if (process_.GetStat(path, LastLink::kKeep).ok()) return Errno::kExist;
  const std::string file = WhiteoutPathOf(path);
  if (Result<void> made = process_.Mknod(file, FileType::kRegular, 0444, 0); !made.ok()) {
    return made;
  }
  const Result<Stat> stat = process_.GetStat(file, LastLink::kKeep);
  if (!stat.ok()) return stat.error();
  whiteouts_.insert(stat->node);
  return {};
}

Result<void> LayerWriter::PutOpaque(std::string_view path) {
  if (form_ != WhiteoutForm::kAufs) {
    const std::string_view key =
        form_ == WhiteoutForm::kOverlayUser ? "user.overlay.opaque" : "trusted.overlay.opaque";
    return process_.Setxattr(path, key, "y", XattrMode::kSet, LastLink::kKeep);
  }
  const std::string file = absl::StrFormat("%s/%s", path, kAufsOpaqueName);
  const Result<void> made = process_.Mknod(file, FileType::kRegular, 0444, 0);
  return !made.ok() && made.error() == Errno::kExist ? Result<void>() : made;
}

absl::Status LayerWriter::Done(std::string_view verb, std::string_view path,
                               Result<void> result) const {
  if (result.ok()) return absl::OkStatus();
  return StatusOf(result.error(),
                  absl::StrFormat("layer %s: %s(%s)", Quoted(layer_), verb, Quoted(path)));
}

namespace {

Result<void> WriteNewFile(Process& process, std::string_view path, std::string_view content,
                          std::uint16_t mode) {
  Result<Process::Fd> fd =
      process.Open(path, {.access = Access::kWrite, .create = true, .exclusive = true}, mode);
  if (!fd.ok()) return fd.error();
  Result<void> done;
  for (std::size_t at = 0; at < content.size();) {
    Result<std::size_t> wrote = process.Pwrite(*fd, AsBytes(content.substr(at)), at);
    if (!wrote.ok()) {
      done = wrote.error();
      break;
    }
    at += *wrote;
  }
  const Result<void> closed = process.Close(*fd);
  return done.ok() ? closed : done;
}

// One verb: parents first when it makes a name.
template <typename Body>
auto MakingStep(std::string_view verb, std::string_view path, Body body) {
  return [verb = std::string(verb), path = std::string(path),
          body = std::move(body)](LayerWriter& writer) {
    Result<void> done = writer.MakeParents(path);
    if (done.ok()) done = body(writer.process(), path);
    return writer.Done(verb, path, done);
  };
}

template <typename Body>
auto ChangingStep(std::string_view verb, std::string_view path, Body body) {
  return [verb = std::string(verb), path = std::string(path), body = std::move(body)](
             LayerWriter& writer) { return writer.Done(verb, path, body(writer.process(), path)); };
}

}  // namespace
}  // namespace internal

using internal::ChangingStep;
using internal::LayerWriter;
using internal::MakingStep;

std::string PatternBytes(std::uint64_t length_bytes, Seed seed) {
  std::string out(static_cast<std::size_t>(length_bytes), '\0');
  const std::uint64_t start = seed.value * 31;
  for (std::uint64_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<char>((start + i * 7 + (i >> 8U)) & 0xffU);
  }
  return out;
}

NamedLayer NamedLayer::From(std::string_view name, Fill fill) {
  NamedLayer layer(name);
  layer.fill_ = std::move(fill);
  return layer;
}

NamedLayer& NamedLayer::Rename(std::string_view name) {
  name_ = name;
  return *this;
}

NamedLayer& NamedLayer::Dir(std::string_view path, std::uint16_t mode) {
  steps_.emplace_back(MakingStep("Dir", path, [mode](Process& process, const std::string& at) {
    return process.Mkdir(at, mode);
  }));
  return *this;
}

NamedLayer& NamedLayer::File(std::string_view path, std::string_view content, std::uint16_t mode) {
  steps_.emplace_back(MakingStep(
      "File", path, [bytes = std::string(content), mode](Process& process, const std::string& at) {
        return internal::WriteNewFile(process, at, bytes, mode);
      }));
  return *this;
}

NamedLayer& NamedLayer::FileOfSize(std::string_view path, std::uint64_t length_bytes, Seed seed,
                                   std::uint16_t mode) {
  steps_.emplace_back(MakingStep("FileOfSize", path, [=](Process& process, const std::string& at) {
    return internal::WriteNewFile(process, at, PatternBytes(length_bytes, seed), mode);
  }));
  return *this;
}

NamedLayer& NamedLayer::Symlink(std::string_view path, std::string_view target) {
  steps_.emplace_back(MakingStep(
      "Symlink", path, [to = std::string(target)](Process& process, const std::string& at) {
        return process.Symlink(to, at);
      }));
  return *this;
}

NamedLayer& NamedLayer::Hardlink(std::string_view path, std::string_view existing) {
  steps_.emplace_back(MakingStep(
      "Hardlink", path, [old = std::string(existing)](Process& process, const std::string& at) {
        return process.Link(old, at, LastLink::kKeep);
      }));
  return *this;
}

NamedLayer& NamedLayer::Fifo(std::string_view path, std::uint16_t mode) {
  steps_.emplace_back(MakingStep("Fifo", path, [mode](Process& process, const std::string& at) {
    return process.Mknod(at, FileType::kFifo, mode, 0);
  }));
  return *this;
}

NamedLayer& NamedLayer::Whiteout(std::string_view path) {
  steps_.emplace_back([at = std::string(path)](LayerWriter& writer) {
    Result<void> done = writer.MakeParents(at);
    if (done.ok()) done = writer.PutWhiteout(at);
    return writer.Done("Whiteout", at, done);
  });
  return *this;
}

NamedLayer& NamedLayer::Opaque(std::string_view path) {
  steps_.emplace_back([at = std::string(path)](LayerWriter& writer) {
    Process& process = writer.process();
    Result<void> done;
    if (!process.GetStat(at, LastLink::kKeep).ok()) {
      done = writer.MakeParents(at);
      if (done.ok()) done = process.Mkdir(at, 0755);
    }
    if (done.ok()) done = writer.PutOpaque(at);
    return writer.Done("Opaque", at, done);
  });
  return *this;
}

NamedLayer& NamedLayer::Xattr(std::string_view path, std::string_view key, std::string_view value) {
  steps_.emplace_back(ChangingStep("Xattr", path,
                                   [key = std::string(key), value = std::string(value)](
                                       Process& process, const std::string& at) {
                                     return process.Setxattr(at, key, value, XattrMode::kSet,
                                                             LastLink::kKeep);
                                   }));
  return *this;
}

NamedLayer& NamedLayer::Mode(std::string_view path, std::uint16_t mode) {
  steps_.emplace_back(ChangingStep("Mode", path, [mode](Process& process, const std::string& at) {
    return process.Chmod(at, mode);
  }));
  return *this;
}

NamedLayer& NamedLayer::Owner(std::string_view path, std::uint32_t uid, std::uint32_t gid) {
  steps_.emplace_back(
      ChangingStep("Owner", path, [uid, gid](Process& process, const std::string& at) {
        return process.Chown(at, uid, gid, LastLink::kKeep);
      }));
  return *this;
}

NamedLayer& NamedLayer::Mtime(std::string_view path, Instant mtime) {
  last_steps_.emplace_back(
      ChangingStep("Mtime", path, [mtime](Process& process, const std::string& at) {
        return process.Utimens(at, TimeChange{.kind = TimeChange::Kind::kKeep, .at = {}},
                               TimeChange{.kind = TimeChange::Kind::kAt, .at = mtime},
                               LastLink::kKeep);
      }));
  return *this;
}

NamedLayer& NamedLayer::Fail(const absl::Status& status) {
  steps_.emplace_back([status](LayerWriter&) { return status; });
  return *this;
}

absl::Status NamedLayer::WriteTo(MemFs& fs, NodeId root, WhiteoutForm form) const {
  if (fill_) {
    const absl::Status filled = fill_(fs, root, form);
    if (!filled.ok()) return filled;
  }
  LayerWriter writer(fs, root, name_, form);
  for (const std::vector<Step>* steps : {&steps_, &last_steps_}) {
    for (const Step& step : *steps) {
      absl::Status done = step(writer);
      if (!done.ok()) return done;
    }
  }
  return absl::OkStatus();
}

}  // namespace lamina
