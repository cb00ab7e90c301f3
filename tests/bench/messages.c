/* messages.c: requests by the client library of the protocol room. */
#include "bench/messages.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

EVP_PKEY *messages_key(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    if (!key)
        fail("no RSA key");
    return key;
}

static X509_NAME *subject_of(const char *run, size_t index)
{
    char text[96];
    snprintf(text, sizeof text, "bench-%s-%zu", run, index);
    X509_NAME *name = X509_NAME_new();
    if (!name || !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (unsigned char *)text, -1, -1, 0))
        fail("no subject");
    return name;
}

static struct bytes make_one(const struct message_order *order, size_t index, EVP_PKEY *key)
{
    struct error e = {0};
    CLEANUP(buffer) struct buffer csr;
    CLEANUP(X509) X509 *signer = NULL;
    CLEANUP(X509_NAME) X509_NAME *subject = subject_of(order->run, index);
    const char *challenge = order->challenge_count ? order->challenges[index % order->challenge_count] : "";
    char id[96];
    struct buffer out;
    buffer_init(&csr, 1 << 20);
    buffer_init(&out, 1 << 20);
    snprintf(id, sizeof id, "%s-%zu", order->run, index);
    if (scep_client_csr(&csr, key, subject, bytes_of_text(challenge), NULL, &e) != ERR_OK ||
        scep_client_self_signed(&signer, key, subject, &e) != ERR_OK)
        fail(error_text(&e));
    struct scep_client_request request = {.type = SCEP_PKCS_REQ,
                                          .transaction_id = bytes_of_text(id),
                                          .digest = SCEP_DIGEST_SHA256,
                                          .cipher = SCEP_CIPHER_AES128,
                                          .recipient = order->recipient,
                                          .signer = signer,
                                          .signer_key = key,
                                          .csr = buffer_bytes(&csr)};
    RAND_bytes(request.sender_nonce, sizeof request.sender_nonce);
    if (scep_client_seal(&out, &request, &e) != ERR_OK)
        fail(error_text(&e));
    size_t len;
    uint8_t *der = (uint8_t *)buffer_take(&out, &len);
    return bytes_of(der, len);
}

struct messages messages_make(const struct message_order *order)
{
    struct messages m = {.der = calloc(order->count, sizeof *m.der), .count = order->count};
    EVP_PKEY **keys = calloc(order->keys, sizeof *keys);
    if (!m.der || !keys)
        fail("out of memory");
    for (size_t i = 0; i < order->keys; i++)
        keys[i] = messages_key();
    for (size_t i = 0; i < order->count; i++)
        m.der[i] = make_one(order, i, keys[i % order->keys]);
    for (size_t i = 0; i < order->keys; i++)
        EVP_PKEY_free(keys[i]);
    free(keys);
    return m;
}

void messages_free(struct messages *m)
{
    for (size_t i = 0; i < m->count; i++)
        free((void *)m->der[i].data);
    free(m->der);
}
