// SHA-256 from the OpenSSL that the Node binary carries and exports: found at run time, so that nothing is linked or shipped.
#pragma once

#include <cstddef>
#include <cstdint>

namespace seguro {

constexpr size_t kSha256Bytes = 32;

/** Null when this process has SHA-256 to offer, else a sentence about what is missing. Looks once; any thread. */
const char *Sha256Missing();

/** One computation at a time, any number of times. Only to be made when Sha256Missing() is null; each object belongs to one thread. */
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256 &) = delete;
  Sha256 &operator=(const Sha256 &) = delete;

  void Begin();
  void Add(const void *bytes, size_t size);
  void End(uint8_t digest[kSha256Bytes]);

 private:
  // OpenSSL's SHA256_CTX is 112 bytes of 32-bit words and has been since 1.0; here it is only room.
  alignas(16) uint8_t context_[128];
  void *evp_context_ = nullptr;
};

}  // namespace seguro
