// The words of a recorded scenario, and one call made of them.
//
// Threads: pure functions.
#ifndef LAMINA_TESTS_MODEL_RECORDING_WORDS_H_
#define LAMINA_TESTS_MODEL_RECORDING_WORDS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/model/operation.h"

namespace lamina::sim {

// Takes a line apart: blanks, "quoted" parts with escapes, comments.
std::vector<std::string> SplitWords(const std::string& line);

// The call of a line; nothing when the model does not know it. `slots` gives handles numbers.
std::optional<ModelOperation> ReadCall(const std::vector<std::string>& words,
                                       std::map<std::string, int>& slots);

// Calls without an effect on the tree that the model has no answer for: they are passed over.
bool IsPassedOver(const std::string& word);

// A dump line of the recording format: content as sha256, no identity. `raw_upper`: whiteouts in
// short, private attributes that core comparisons leave out are left out.
std::string RecordedLine(const std::string& path, const ModelInode& inode, std::uint32_t links,
                         bool raw_upper);

// Data as a result shows it: quoted up to 64 bytes, hashed above.
std::string RecordedData(const std::string& data);

// Takes the private attributes out of a recorded line of the upper tree, and the link class.
std::string CoreOfUpperLine(std::string line);

// Takes " dev=d1 ino=i2" off the end; gives "i2", or "" when there is none.
std::string TakeIdentity(std::string& text);
// Takes " nlink=2" out.
std::string WithoutLinks(std::string text);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_RECORDING_WORDS_H_
