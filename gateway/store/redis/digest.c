/* digest.c: see digest.h. */
#include "store/redis/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

static bool add(EVP_MD_CTX *digest, struct bytes part)
{
    const uint8_t len[4] = {(uint8_t)(part.len >> 24), (uint8_t)(part.len >> 16), (uint8_t)(part.len >> 8),
                            (uint8_t)part.len};
    return EVP_DigestUpdate(digest, len, sizeof len) == 1 &&
           EVP_DigestUpdate(digest, part.data, part.len) == 1;
}

void redis_digest(const struct bytes *parts, size_t count, uint8_t out[32])
{
    CLEANUP(EVP_MD_CTX) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good = digest && EVP_DigestInit_ex2(digest, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = add(digest, parts[i]);
    if (good && EVP_DigestFinal_ex(digest, out, NULL) == 1)
        return;
    fputs("store: OpenSSL cannot compute a digest\n", stderr);
    abort();
}
