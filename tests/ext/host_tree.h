// Random directory trees on the host: what `mke2fs -d` is fed with.
//
// Threads: one.
#ifndef LAMINA_TESTS_EXT_HOST_TREE_H_
#define LAMINA_TESTS_EXT_HOST_TREE_H_

#include <cstdint>
#include <filesystem>

namespace lamina::test {

// Directories, files with and without holes, hard links, short and long symlinks, fifos, sockets,
// devices (for root), xattrs, modes, owners and times; some 10 to 80 nodes, at most 3 MiB.
void DrawHostTree(const std::filesystem::path& dir, std::uint64_t seed);

}  // namespace lamina::test
#endif  // LAMINA_TESTS_EXT_HOST_TREE_H_
