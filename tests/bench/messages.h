/* messages.h: PKCSReqs made in advance, so that a measured run contains none of the client's work. */
#pragma once

#include <openssl/x509.h>

#include "scep/client.h"

struct message_order {
    size_t count;
    size_t keys;       /* distinct RSA-2048 client keys, used in turn */
    X509 *recipient;   /* RA or CA certificate to encrypt to */
    char **challenges; /* `challenge_count` texts, used in turn */
    size_t challenge_count;
    const char *run; /* makes subjects and transactionIDs of this run its own */
};

struct messages {
    struct bytes *der;
    size_t count;
};

/* AES-128-CBC and SHA-256. Exits with a sentence on failure: this is a tool. */
struct messages messages_make(const struct message_order *order);
void messages_free(struct messages *m);
EVP_PKEY *messages_key(void); /* a fresh RSA-2048 key */
