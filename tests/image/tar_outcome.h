// What reading a layer tar comes to, as one text.
#ifndef LAMINA_TESTS_IMAGE_TAR_OUTCOME_H_
#define LAMINA_TESTS_IMAGE_TAR_OUTCOME_H_

#include <string>

#include "lamina/image/layer_tar.h"

namespace lamina::test {

// "CODE: message" of reading `tar`, or "ok" and the tree. The target holds a file before; that it
// holds just that after an error is expected here.
std::string Outcome(const std::string& tar, const LayerTarOptions& options = {});

}  // namespace lamina::test
#endif  // LAMINA_TESTS_IMAGE_TAR_OUTCOME_H_
