// JsonString: bytes as a JSON string.
//
// Threads: a pure function.
#ifndef LAMINA_SIM_FACADE_JSON_TEXT_H_
#define LAMINA_SIM_FACADE_JSON_TEXT_H_

#include <string>
#include <string_view>

namespace lamina::internal {

// In double quotes. UTF-8 is kept; a byte that is not part of any is written as the four characters
// \xNN (hence "\\xNN" in the JSON), so that a reader sees it and every parser takes it.
std::string JsonString(std::string_view bytes);

}  // namespace lamina::internal
#endif  // LAMINA_SIM_FACADE_JSON_TEXT_H_
