// The two places of extended attributes, as lists and as bytes.
//
// Threads: pure functions.
#ifndef LAMINA_VFS_EXT_XATTR_FORMAT_H_
#define LAMINA_VFS_EXT_XATTR_FORMAT_H_

#include <cstdint>
#include <vector>

#include "vfs/ext/xattr.h"

namespace lamina::ext {

// In a block, values count from its start, entries are sorted and hashed; in the inode, values
// count from the first entry.
enum class XattrPlace : std::uint8_t { kInode, kBlock };

// The attributes in `area` (which begins with the magic number). An area without the magic number
// has none. Errors: kUClean an entry or value that passes the end, or lies in an inode of its own.
Result<std::vector<Attribute>> ParseXattrs(Bytes area, XattrPlace place);

bool FitXattrs(const std::vector<Attribute>& attributes, std::size_t area_bytes, XattrPlace place);

// Writes all of `area`. They must fit.
void FormatXattrs(MutableBytes area, std::vector<Attribute> attributes, XattrPlace place);

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_XATTR_FORMAT_H_
