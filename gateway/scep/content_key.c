/* content_key.c: see content_key.h. */
#include "scep/content_key.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/cleanup.h"
#include "scep/library.h"

DEFINE_CLEANUP(EVP_CIPHER, EVP_CIPHER *, EVP_CIPHER_free)

#define BLOCK_MAX 16

/* ---- without branches on secrets ----------------------------------------------------------------------- */

/* 0xFF for zero, 0 otherwise. */
static uint8_t mask_of_zero(uint8_t value)
{
    return (uint8_t)(((uint32_t)value - 1) >> 8);
}

/* 0xFF when a < b, 0 otherwise. */
static uint8_t mask_of_less(uint8_t a, uint8_t b)
{
    return (uint8_t)(((uint32_t)a - b) >> 8);
}

static void replace_key(uint8_t *key, const uint8_t *with, size_t len, uint8_t mask)
{
    for (size_t i = 0; i < len; i++)
        key[i] = (uint8_t)((key[i] & ~mask) | (with[i] & mask));
}

/* EME-PKCS1-v1_5 (RFC 8017 section 7.2.2) for a key whose length is known: 00 02, non-zero octets, 00, the
 * key. Returns 0 when it is so. */
static uint8_t unpad_pkcs1(const uint8_t *block, size_t len, uint8_t *key, size_t key_len)
{
    size_t zero = len - key_len - 1;
    uint8_t fault = block[0] | (block[1] ^ 2) | block[zero];
    for (size_t i = 2; i < zero; i++)
        fault |= mask_of_zero(block[i]);
    memcpy(key, block + zero + 1, key_len);
    return fault;
}

/* CBC padding (RFC 5652 section 6.3) of the last block: the length without it, which is all of it when the
 * padding is bad. */
static size_t unpad_cbc(const uint8_t *data, size_t len, size_t block, bool *sound)
{
    *sound = false;
    if (len < block)
        return len;
    const uint8_t *last = data + len - block;
    uint8_t pad = last[block - 1];
    uint8_t fault = mask_of_zero(pad) | mask_of_less((uint8_t)block, pad);
    for (size_t i = 0; i < block; i++)
        fault |= mask_of_less((uint8_t)(block - 1 - i), pad) & (last[i] ^ pad);
    uint8_t good = mask_of_zero(fault);
    *sound = good != 0;
    return len - (pad & good);
}

/* ---- key transport ------------------------------------------------------------------------------------- */

static EVP_PKEY_CTX *transport_context(EVP_PKEY *key, const struct scep_key_transport *t)
{
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (!context || EVP_PKEY_decrypt_init(context) <= 0 ||
        EVP_PKEY_CTX_set_rsa_padding(context, t->oaep ? RSA_PKCS1_OAEP_PADDING : RSA_NO_PADDING) <= 0)
        return NULL;
    if (t->oaep && (EVP_PKEY_CTX_set_rsa_oaep_md_name(
                        context, scep_digest_name(scep_digest_of_nid(t->oaep_digest)), NULL) <= 0 ||
                    EVP_PKEY_CTX_set_rsa_mgf1_md_name(
                        context, scep_digest_name(scep_digest_of_nid(t->mgf1_digest)), NULL) <= 0))
        return NULL;
    return TAKE(context);
}

/* `block` has the modulus' length and starts as zeros, so that an operation that did not happen looks like a
 * bad block. OpenSSL takes the OAEP padding off in constant time; PKCS #1 v1.5 padding is taken off here,
 * for 3.0 has no implicit rejection. */
static uint8_t recover(uint8_t *block, size_t len, const struct enveloped *v, EVP_PKEY_CTX *context,
                       struct bytes key)
{
    size_t found = len;
    int done = EVP_PKEY_decrypt(context, block, &found, v->encrypted_key.data, v->encrypted_key.len);
    ERR_clear_error();
    if (!v->transport.oaep)
        return (uint8_t)(unpad_pkcs1(block, len, (uint8_t *)key.data, key.len) | (done != 1));
    memcpy((uint8_t *)key.data, block, key.len);
    return (done != 1) | (found != key.len);
}

static enum error_code content_key(uint8_t *key, size_t key_len, bool *sound, const struct enveloped *v,
                                   EVP_PKEY *ra)
{
    int size = EVP_PKEY_get_size(ra);
    uint8_t substitute[EVP_MAX_KEY_LENGTH];
    CLEANUP(EVP_PKEY_CTX) EVP_PKEY_CTX *context = transport_context(ra, &v->transport);
    if (!context || size < 64 || secret_random(substitute, key_len))
        return ERR_INTERNAL;
    CLEANUP(secret) struct secret block = {.data = calloc(1, (size_t)size), .len = (size_t)size};
    if (!block.data)
        return ERR_INTERNAL;
    uint8_t fault = recover(block.data, block.len, v, context, bytes_of(key, key_len));
    replace_key(key, substitute, key_len, (uint8_t)~mask_of_zero(fault));
    *sound = fault == 0;
    secret_wipe(substitute, sizeof substitute);
    return ERR_OK;
}

/* ---- content ------------------------------------------------------------------------------------------- */

static enum error_code decrypt_content(struct decrypted *out, const struct enveloped *v,
                                       const EVP_CIPHER *cipher, const uint8_t *key)
{
    CLEANUP(EVP_CIPHER_CTX) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    size_t block = (size_t)EVP_CIPHER_get_block_size(cipher);
    size_t whole = v->ciphertext.len - v->ciphertext.len % block; /* a broken last block is a padding fault */
    int done = 0, rest = 0;
    if (!context || whole > INT_MAX - BLOCK_MAX || !(out->content.data = malloc(whole + BLOCK_MAX)))
        return ERR_INTERNAL;
    out->content.len = whole;
    if (!EVP_DecryptInit_ex2(context, cipher, key, v->iv.data, NULL) ||
        !EVP_CIPHER_CTX_set_padding(context, 0) ||
        !EVP_DecryptUpdate(context, out->content.data, &done, v->ciphertext.data, (int)whole) ||
        !EVP_DecryptFinal_ex(context, out->content.data + done, &rest))
        return ERR_INTERNAL;
    out->unpadded = unpad_cbc(out->content.data, whole, block, &out->padding_sound);
    out->padding_sound &= whole == v->ciphertext.len;
    return ERR_OK;
}

enum error_code enveloped_decrypt(struct decrypted *out, const struct enveloped *v, EVP_PKEY *ra,
                                  struct error *e)
{
    uint8_t key[EVP_MAX_KEY_LENGTH] = {0};
    OSSL_LIB_CTX *library = scep_library(v->cipher == SCEP_CIPHER_DES);
    CLEANUP(EVP_CIPHER) EVP_CIPHER *cipher = EVP_CIPHER_fetch(library, scep_cipher_name(v->cipher), NULL);
    *out = (struct decrypted){0};
    enum error_code code =
        cipher ? content_key(key, (size_t)EVP_CIPHER_get_key_length(cipher), &out->key_sound, v, ra)
               : ERR_INTERNAL;
    if (!code)
        code = decrypt_content(out, v, cipher, key);
    secret_wipe(key, sizeof key);
    return code ? error_set_openssl(e, code, "cannot decrypt with this endpoint's key") : ERR_OK;
}
