/* keys.h: keys at rest. A master key ring, newest first; purpose keys by HKDF-SHA-256; sealed values;
 * challenge hashes.
 *
 * Master key file: one key per line, "ID:64 hex digits", newest first; ID is 1..16 of [a-z0-9-]. Mode 0600.
 * A sealed value is: version 1 | key id length | key id | 96-bit nonce | AES-256-GCM ciphertext | tag; its
 * additional data is alias, kind and record id, so that a value moved elsewhere does not open. Thread-safe
 * after creation (read-only). Pure otherwise.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"

struct keys;

#define KEYS_MAX            8
#define KEY_ID_MAX          16
#define CHALLENGE_HASH_SIZE 32

enum seal_kind { SEAL_CSR, SEAL_RA_KEY, SEAL_BACKEND_DATA };

/* `text` in the file's form. Errors name the line, never the key. */
enum error_code keys_create(struct keys **out, struct bytes text, struct error *e);
/* Reads the file; when it does not exist and `create`, makes it with one random key (0600, fsynced). */
enum error_code keys_from_file(struct keys **out, const char *path, bool create, struct error *e);
void keys_free(struct keys *k); /* wipes; accepts NULL */

size_t keys_count(const struct keys *k);
const char *keys_id(const struct keys *k, size_t index); /* 0 is the newest */
/* A value every holder of the same newest key computes alike: how replicas notice a key they do not share.
 * Hex, 32 digits. */
const char *keys_check_value(const struct keys *k);
/* Those of the whole ring, newest first; returns their number. They live as long as the ring. */
size_t keys_check_values(const struct keys *k, const char *out[KEYS_MAX]);

enum error_code keys_seal(const struct keys *k, enum seal_kind kind, const char *alias, const char *record,
                          struct bytes plain, struct buffer *out, struct error *e);
/* ERR_KEY_UNUSABLE when the key is not in the ring or the value was moved or altered. */
enum error_code keys_unseal(const struct keys *k, enum seal_kind kind, const char *alias, const char *record,
                            struct bytes sealed, struct secret *out, struct error *e);
/* Under which key it is sealed: an index of the ring; its size when the key is not in it. */
size_t keys_sealed_under(const struct keys *k, struct bytes sealed);
/* HMAC-SHA-256 of a challenge under the look-up key derived from ring key `index`, bound to the alias. */
enum error_code keys_challenge_hash(const struct keys *k, size_t index, const char *alias,
                                    struct bytes challenge, uint8_t out[CHALLENGE_HASH_SIZE]);

#define KEYS_DIGEST_SIZE 32
/* HMAC-SHA-256 under a key derived from ring key `index` for nothing else: holders of that key can compare what
 * they have without showing it. */
enum error_code keys_digest(const struct keys *k, size_t index, struct bytes text,
                            uint8_t out[KEYS_DIGEST_SIZE]);
