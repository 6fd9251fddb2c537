#include "sim/check/mark_check.h"

#include <utility>

#include "lamina/union/object_handle.h"

namespace lamina::sim::internal {

void MarkCheck::Add(FindingKind kind, Severity severity, const Part& part, std::string path,
                    std::string what, std::string kernel) {
  findings_.push_back({kind, severity, reader_.label(part.branch), reader_.branch(part.branch).name,
                       std::move(path), std::move(what), std::move(kernel), part.branch,
                       part.node});
}

Result<void> MarkCheck::CheckRoot(BranchIndex branch) {
  const Part root{branch, reader_.branch(branch).root};
  // ovl: the roots of all layers are merged, whatever mark they carry (ovl_get_root).
  if (reader_.Mark(root, "opaque") == "y" && !reader_.IsBottom(branch)) {
    Add(FindingKind::kOpaqueRoot, Severity::kWarning, root, "/",
        reader_.MarkKey("opaque") + "=y on the root of a layer",
        "the kernel ignores it: the roots of all layers are merged, and everything below stays "
        "visible");
  }
  if (!reader_.IsWritable(branch) || branch + 1 >= reader_.named_count()) return {};
  const std::optional<std::string> origin = reader_.Mark(root, "origin");
  const Result<ObjectHandle> handle = ParseHandle(origin.value_or(""));
  if (!handle.ok() || !handle->ours) return {};
  const Branch& lower = reader_.branch(branch + 1);
  const Result<Stat> stat = lower.fs->GetAttr(reader_.op(), lower.root);
  if (!stat.ok()) return stat.error();
  if (handle->dev == stat->dev && handle->node == lower.root) return {};
  Add(FindingKind::kForeignRoot, Severity::kWarning, root, "/",
      "the upper was used with index=on over another lower root than " + reader_.label(branch + 1),
      "the kernel refuses to mount it with index=on (ESTALE), and mounts it with index=off");
  return {};
}

void MarkCheck::CheckDirectory(const LayerObject& dir) {
  CheckIgnored(dir, "whiteout", "empty regular files");
  CheckIgnored(dir, "metacopy", "regular files");
  CheckOrigin(dir);
  const std::optional<std::string> opaque = reader_.Mark(dir.part, "opaque");
  if (opaque && *opaque != "y" && *opaque != "x") {
    Add(FindingKind::kUnknownOpaqueValue, Severity::kWarning, dir.part, dir.path,
        reader_.MarkKey("opaque") + "=" + ValueText(*opaque) + ", which is neither y nor x",
        "the kernel ignores it: what the layers below have in this directory stays visible");
  }
  if (opaque == "y" || CheckRedirect(dir) != Redirect::kFollowed) return;
  if (dir.found.hits.size() > 1) return;
  if (dir.found.end == SearchEnd::kMalformed) return;  // of a layer below, reported there
  std::string why = "no layer below has that";
  if (dir.found.end == SearchEnd::kWhiteout) {
    why = reader_.label(dir.found.at->branch) + " has a whiteout there";
  } else if (dir.found.end == SearchEnd::kOtherType) {
    const Result<Stat> stat = reader_.GetStat(*dir.found.at);
    why = "that is " + std::string(stat.ok() ? TypeText(stat->type) : "unreadable") + " in " +
          reader_.label(dir.found.at->branch);
  }
  Add(FindingKind::kDanglingRedirect, Severity::kWarning, dir.part, dir.path,
      "redirect to " + ValueText(*reader_.Mark(dir.part, "redirect")) + ", but " + why,
      "the kernel merges nothing with the directory and shows only what it holds itself");
}

void MarkCheck::CheckFile(const LayerObject& file) {
  CheckIgnored(file, "opaque", "directories");
  CheckIgnored(file, "whiteout", "empty regular files");
  CheckOrigin(file);
  if (file.stat.type != FileType::kRegular) {
    CheckIgnored(file, "metacopy", "regular files");
    return;
  }
  // A redirect that is left on a file whose data was copied up is not read (OVL-090).
  if (!reader_.Mark(file.part, "metacopy").has_value()) return;
  if (CheckRedirect(file) != Redirect::kRefused) CheckMetacopy(file);
}

void MarkCheck::CheckIgnored(const LayerObject& object, std::string_view mark,
                             std::string_view meant_for) {
  if (!reader_.Mark(object.part, mark).has_value()) return;
  std::string type(TypeText(object.stat.type));
  if (object.stat.type == FileType::kRegular && object.stat.size_bytes > 0) {
    type += " of " + std::to_string(object.stat.size_bytes) + " bytes";
  }
  Add(FindingKind::kIgnoredMark, Severity::kNote, object.part, object.path,
      reader_.MarkKey(mark) + " on " + type + "; it is meant for " + std::string(meant_for),
      "the kernel does not look for it here: the mark does nothing");
}

MarkCheck::Redirect MarkCheck::CheckRedirect(const LayerObject& object) {
  const std::optional<std::string> value = reader_.Mark(object.part, "redirect");
  if (!value) return Redirect::kNone;
  const bool bottom = reader_.IsBottom(object.part.branch) &&
                      !(object.stat.type == FileType::kRegular && reader_.HasDataOnly());
  if (const std::optional<std::string_view> fault = RedirectFault(*value)) {
    Add(FindingKind::kMalformedRedirect, bottom ? Severity::kNote : Severity::kError, object.part,
        object.path, "redirect to " + ValueText(*value) + ", which " + std::string(*fault),
        bottom ? "the kernel does not read it: no layer lies below"
               : "the kernel fails every lookup of the name with EINVAL");
    return Redirect::kRefused;
  }
  if (bottom || !reader_.RefusesRedirects()) return Redirect::kFollowed;
  Add(FindingKind::kRedirectRefused, Severity::kError, object.part, object.path,
      "redirect to " + ValueText(*value) + ", and the mount has " +
          (reader_.stack().options.userxattr ? "userxattr" : "redirect_dir=nofollow"),
      "the kernel refuses every access by the name with EPERM");
  return Redirect::kRefused;
}

void MarkCheck::CheckMetacopy(const LayerObject& file) {
  if (file.found.end == SearchEnd::kMalformed) return;  // of a layer below, reported there
  const bool metacopy_on = reader_.stack().options.metacopy == Toggle::kOn;
  // ovl: a lower metacopy file of a data-only layer needs no metacopy=on (OVL-093).
  const bool allowed = metacopy_on || (file.found.lazy && !reader_.IsWritable(file.part.branch));
  if (file.found.end != SearchEnd::kFound) {
    const std::string off = allowed ? "" : " (EPERM while metacopy=off)";
    Add(FindingKind::kMetacopyWithoutData, Severity::kError, file.part, file.path,
        "metacopy file, but no layer below holds its data",
        file.found.lazy ? "the kernel shows the file and fails every read of it with ENOENT" + off
                        : "the kernel fails every lookup of the name with EIO" + off);
    return;
  }
  if (allowed) return;
  Add(FindingKind::kMetacopyRefused, Severity::kError, file.part, file.path,
      "metacopy file, and the mount has no metacopy=on",
      "the kernel refuses every access by the name with EPERM");
}

void MarkCheck::CheckOrigin(const LayerObject& object) {
  if (!reader_.IsWritable(object.part.branch)) return;  // read of upper objects only
  const std::optional<std::string> origin = reader_.Mark(object.part, "origin");
  if (!origin) return;
  const HandleTarget target = reader_.Decode(*origin);
  std::string what;
  switch (target.outcome) {
    case HandleTarget::Outcome::kUnknown:
      return;
    case HandleTarget::Outcome::kNoLayer:
      what = "was copied up from a file system that no layer below is on";
      break;
    case HandleTarget::Outcome::kGone:
      what = "was copied up from an object that is gone";
      break;
    case HandleTarget::Outcome::kFound:
      if (target.stat.type == object.stat.type) return;
      what = "its origin mark names " + std::string(TypeText(target.stat.type)) + ", but it is " +
             std::string(TypeText(object.stat.type));
      break;
  }
  Add(FindingKind::kLostOrigin, Severity::kNote, object.part, object.path, what,
      object.stat.type == FileType::kDirectory
          ? "the kernel merges directories by name all the same; with nfs_export=on it does not "
            "merge this one"
          : "the kernel shows the inode number of the upper object, no longer the one from before "
            "its copy-up");
}

}  // namespace lamina::sim::internal
