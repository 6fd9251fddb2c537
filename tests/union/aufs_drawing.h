// The drawings of AufsStack: entries made from words, and trees told in the same words.
//
// Threads: pure functions of the process.
#ifndef LAMINA_TESTS_UNION_AUFS_DRAWING_H_
#define LAMINA_TESTS_UNION_AUFS_DRAWING_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/process.h"

namespace lamina {

// Makes the entries of a drawing below "/".
void DrawEntries(Process& process, std::string_view drawing);

// The paths below "/" but those that `omits` names, with what is below them: a directory before
// what it holds, sorted by name in each.
std::vector<std::string> PathsBelow(Process& process,
                                    const std::function<bool(const std::string&)>& omits);

// The path as it is drawn: no '/' in front, OPQ, and HHHH for the number of a temporary.
std::string DrawnPath(std::string_view path);

// One entry as it is drawn. Of a whiteout also the mode when it is not 0444.
std::string DrawnEntry(Process& process, const std::string& path);

// Every attribute of an entry, and its content or target.
std::string DescribedEntry(Process& process, const std::string& path);

std::string JoinedWords(const std::vector<std::string>& words);

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_AUFS_DRAWING_H_
