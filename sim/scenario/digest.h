// Digest: SHA-256 of bytes given piece by piece (OpenSSL's libcrypto).
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_SCENARIO_DIGEST_H_
#define LAMINA_SIM_SCENARIO_DIGEST_H_

#include <memory>
#include <string>

#include "lamina/base/bytes.h"

namespace lamina::sim::internal {

class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void Add(Bytes bytes);
  // The 64 lower-case digits. Ends the digest: call it once.
  std::string Hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_DIGEST_H_
