// Finds SHA256_* (no allocation, no dispatch) or, failing that, EVP_* among the symbols of this process.
#include "sha256.h"

#include <dlfcn.h>

namespace seguro {

namespace {

struct Library {
  int (*init)(void *context) = nullptr;
  int (*update)(void *context, const void *bytes, size_t size) = nullptr;
  int (*final)(uint8_t *digest, void *context) = nullptr;

  void *(*evp_new)() = nullptr;
  void (*evp_free)(void *context) = nullptr;
  const void *(*evp_sha256)() = nullptr;
  int (*evp_init)(void *context, const void *type, void *engine) = nullptr;
  int (*evp_update)(void *context, const void *bytes, size_t size) = nullptr;
  int (*evp_final)(void *context, uint8_t *digest, unsigned int *size) = nullptr;

  Library() {
    if (Find(init, "SHA256_Init") && Find(update, "SHA256_Update") && Find(final, "SHA256_Final")) {
      return;
    }
    init = nullptr;
    if (!Find(evp_new, "EVP_MD_CTX_new") || !Find(evp_free, "EVP_MD_CTX_free") || !Find(evp_sha256, "EVP_sha256") ||
        !Find(evp_init, "EVP_DigestInit_ex") || !Find(evp_update, "EVP_DigestUpdate") || !Find(evp_final, "EVP_DigestFinal_ex")) {
      evp_new = nullptr;
    }
  }

  template <typename Function>
  static bool Find(Function &function, const char *name) {
    function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
    return function != nullptr;
  }
};

const Library &Found() {
  static const Library library;
  return library;
}

}  // namespace

const char *Sha256Missing() {
  const Library &library = Found();
  return library.init != nullptr || library.evp_new != nullptr
             ? nullptr
             : "this Node binary exports no SHA-256 (neither SHA256_Init nor EVP_DigestInit_ex): it was built without OpenSSL, or with a "
               "shared one that is not visible to addons";
}

Sha256::Sha256() {
  if (Found().init == nullptr) {
    evp_context_ = Found().evp_new();
  }
}

Sha256::~Sha256() {
  if (evp_context_ != nullptr) {
    Found().evp_free(evp_context_);
  }
}

void Sha256::Begin() {
  const Library &library = Found();
  if (evp_context_ == nullptr) {
    library.init(context_);
  } else {
    library.evp_init(evp_context_, library.evp_sha256(), nullptr);
  }
}

void Sha256::Add(const void *bytes, size_t size) {
  const Library &library = Found();
  if (evp_context_ == nullptr) {
    library.update(context_, bytes, size);
  } else {
    library.evp_update(evp_context_, bytes, size);
  }
}

void Sha256::End(uint8_t digest[kSha256Bytes]) {
  const Library &library = Found();
  if (evp_context_ == nullptr) {
    library.final(digest, context_);
  } else {
    library.evp_final(evp_context_, digest, nullptr);
  }
}

}  // namespace seguro
