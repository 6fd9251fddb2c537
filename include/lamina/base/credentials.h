// Credentials: who makes a call. Linux's file-system ids, supplementary groups and capabilities.
//
// Threads: a plain value.
#ifndef LAMINA_BASE_CREDENTIALS_H_
#define LAMINA_BASE_CREDENTIALS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lamina {

// The capabilities the file-system rules ask for (numbers of Linux).
enum class Capability : std::uint8_t {
  kChown = 0,
  kDacOverride = 1,
  kDacReadSearch = 2,
  kFOwner = 3,
  kFSetId = 4,
  kLinuxImmutable = 9,
  kSysAdmin = 21,
  kSysResource = 24,
  kMknod = 27,
  kLease = 28,
  kSetFCap = 31,
};

struct Credentials {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::uint64_t capabilities = ~std::uint64_t{0};  // bits by Capability; all for uid 0

  bool Has(Capability capability) const {
    return ((capabilities >> static_cast<unsigned>(capability)) & 1U) != 0;
  }
  bool InGroup(std::uint32_t group) const {
    return group == gid || std::find(groups.begin(), groups.end(), group) != groups.end();
  }
};

// uid and gid 0 with every capability.
inline Credentials RootCredentials() { return {}; }

// The given ids; no groups; no capabilities unless uid is 0.
inline Credentials UserCredentials(std::uint32_t uid, std::uint32_t gid) {
  Credentials credentials;
  credentials.uid = uid;
  credentials.gid = gid;
  if (uid != 0) credentials.capabilities = 0;
  return credentials;
}

}  // namespace lamina
#endif  // LAMINA_BASE_CREDENTIALS_H_
