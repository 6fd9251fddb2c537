#include "sim/scenario/digest.h"

#include <openssl/evp.h>

#include <array>

#include "lamina/base/check.h"

namespace lamina::sim::internal {

struct Digest::State {
  EVP_MD_CTX* context = nullptr;
};

Digest::Digest() : state_(std::make_unique<State>()) {
  state_->context = EVP_MD_CTX_new();
  LAMINA_CHECK(state_->context != nullptr);
  LAMINA_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Digest::~Digest() { EVP_MD_CTX_free(state_->context); }

void Digest::Add(Bytes bytes) {
  LAMINA_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Digest::Hex() {
  static constexpr char kHex[] = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  LAMINA_CHECK(EVP_DigestFinal_ex(state_->context, bytes.data(), &size) == 1);
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out.push_back(kHex[bytes[i] >> 4U]);
    out.push_back(kHex[bytes[i] & 15U]);
  }
  return out;
}

}  // namespace lamina::sim::internal
