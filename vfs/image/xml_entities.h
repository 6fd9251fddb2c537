// What pugixml leaves as it stands: entities that XML itself does not know.
//
// Threads: pure.
#ifndef LAMINA_VFS_IMAGE_XML_ENTITIES_H_
#define LAMINA_VFS_IMAGE_XML_ENTITIES_H_

#include <cstddef>
#include <string_view>

namespace lamina {

// Where the first `&` stands that begins neither &lt; &gt; &amp; &apos; &quot; nor a character
// reference; npos: nowhere. Comments, CDATA, instructions and the DOCTYPE are skipped.
std::size_t FindUnknownEntity(std::string_view text);

}  // namespace lamina
#endif  // LAMINA_VFS_IMAGE_XML_ENTITIES_H_
