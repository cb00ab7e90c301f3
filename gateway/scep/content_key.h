/* content_key.h: stage two of opening: the private-key operation and the content decryption, without an
 * oracle (checklist X-02).
 *
 * A key transport that fails goes on with a random content key, chosen without a branch, and bad CBC padding
 * is only noted: the caller parses whatever came out and asks `sound` at the very end. Pure.
 */
#pragma once

#include "base/secret.h"
#include "scep/enveloped.h"

struct decrypted {
    struct secret content; /* every decrypted byte, padding included */
    size_t unpadded;       /* length without the padding */
    bool key_sound;        /* the key transport held a key of the cipher's size */
    bool padding_sound;
};

/* Fails only for want of memory or of an algorithm that stage one had found available: ERR_INTERNAL. */
enum error_code enveloped_decrypt(struct decrypted *out, const struct enveloped *v, EVP_PKEY *key,
                                  struct error *e);
