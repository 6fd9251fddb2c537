// Entries of a ChangeSet, written down.
//
// Threads: pure functions.
#ifndef LAMINA_TESTS_DRIVER_ENTRIES_H_
#define LAMINA_TESTS_DRIVER_ENTRIES_H_

#include <memory>
#include <string_view>
#include <utility>

#include "lamina/base/bytes.h"
#include "lamina/driver/change_set.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {

inline LayerEntry FileEntry(std::string_view path, std::string_view text = "") {
  LayerEntry entry;
  entry.path = path;
  entry.mode = 0644;
  if (text.empty()) return entry;
  auto content = std::make_shared<PagedBytes>();
  content->Write(0, AsBytes(text));
  entry.content = std::move(content);
  return entry;
}

inline LayerEntry DirectoryEntry(std::string_view path) {
  LayerEntry entry = FileEntry(path);
  entry.type = FileType::kDirectory;
  entry.mode = 0755;
  return entry;
}

// One more name, `path`, for what the entry of `target` names.
inline LayerEntry LinkEntry(std::string_view path, std::string_view target) {
  LayerEntry entry = FileEntry(path);
  entry.hard_link = target;
  return entry;
}

}  // namespace lamina
#endif  // LAMINA_TESTS_DRIVER_ENTRIES_H_
