// Errors of the facade: absl::Status, with the errno kept.
//
//   rename("/srv/a", "/srv/b"): Invalid cross-device link [EXDEV]: /srv/a is a directory from
//   layer "image"; enable redirect_dir to allow this
//
// The code is what absl::ErrnoToStatusCode gives, which loses information (ENOTDIR, EISDIR and
// ENOTEMPTY are all FAILED_PRECONDITION): ask ErrnoOf.
//
// Threads: pure functions.
#ifndef LAMINA_FACADE_STATUS_H_
#define LAMINA_FACADE_STATUS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lamina/base/errno.h"

namespace lamina {

// The payload that holds the errno, as a decimal number.
inline constexpr std::string_view kErrnoPayload = "lamina.dev/errno";

// The host's number (ENOENT); 0 for an OK status and for one that carries none.
int ErrnoOf(const absl::Status& status);

// "CALL: sentence [NAME]: reason"; an empty reason is left out. Not for 0.
absl::Status StatusOf(Errno error, std::string_view call, std::string_view reason = "");

// The bytes in double quotes, as C writes them: \n, \t, \", \\, and \xNN for what is not printable
// ASCII. UTF-8 is kept.
std::string Quoted(std::string_view bytes);

// The same without the quotes, for a path in a sentence.
std::string Escaped(std::string_view bytes);

}  // namespace lamina
#endif  // LAMINA_FACADE_STATUS_H_
