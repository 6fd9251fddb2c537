// The content of a regular file of a MemFs, whichever way its Node stores it.
//
// A small file is 16 bytes in the node; it counts as one page all the same, so that nobody can tell
// from outside. Calls that change a lazy file need MakeWritable first, calls that read one Load.
//
// Threads: as the Node.
#ifndef LAMINA_VFS_FS_MEM_CONTENT_H_
#define LAMINA_VFS_FS_MEM_CONTENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "lamina/base/bytes.h"
#include "lamina/base/result.h"
#include "vfs/fs/mem_node.h"

namespace lamina::internal {

// Loads a lazy file; nothing to do for others. Errors: those of LazyPart::Load.
Result<void> LoadContent(const Node& node);
// Makes a lazy file an ordinary one. Errors: those of LazyPart::Load.
Result<void> MakeWritable(Node& node);

// Pages with data. Of a lazy file that is not loaded: 0.
std::uint64_t ContentPages(const Node& node);
std::size_t ReadContent(const Node& node, std::uint64_t offset, MutableBytes into);
// The next byte of data, or of a hole, at or after `from`; as PagedBytes.
std::optional<std::uint64_t> NextContentData(const Node& node, std::uint64_t from);
std::optional<std::uint64_t> NextContentHole(const Node& node, std::uint64_t from);
// How many pages a write of this range would add.
std::uint64_t PagesMissing(const Node& node, std::uint64_t offset, std::uint64_t length);
// An equal content that is independent from now on. O(1).
PagedBytes CloneContent(const Node& node);

void WriteContent(Node& node, std::uint64_t offset, Bytes from);
void ResizeContent(Node& node, std::uint64_t size_bytes);
void PunchContent(Node& node, std::uint64_t offset, std::uint64_t length);
void ProvisionContent(Node& node, std::uint64_t offset, std::uint64_t length);
void ReplaceContent(Node& node, PagedBytes content);
// The content as pages, to be changed through them; the size of the node must be set afterwards.
PagedBytes& WritablePages(Node& node);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_FS_MEM_CONTENT_H_
