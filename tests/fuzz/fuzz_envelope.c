/* fuzz_envelope.c: any bytes as the signed content of a message, which no fuzzer could sign: the envelope,
 * its decryption and what is inside. */
#include "base/cleanup.h"
#include "fuzz_ra.h"
#include "scep/content_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decrypt(const struct enveloped *v, EVP_PKEY *key)
{
    struct decrypted d;
    struct csr *csr = NULL;
    if (enveloped_decrypt(&d, v, key, NULL) == ERR_OK) {
        if (d.unpadded > d.content.len)
            abort();
        csr_parse(&csr, bytes_of(d.content.data, d.unpadded), NULL, (struct bytes){0}, 8192, NULL);
    }
    csr_free(csr);
    secret_free(&d.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct scep_rules *rules = fuzz_rules();
    struct enveloped v;
    size_t which;
    if (enveloped_read(&v, bytes_of(data, size), rules->ciphers, NULL) == ERR_OK &&
        enveloped_find(&v, rules->recipients, rules->recipient_count, &which, NULL) == ERR_OK)
        decrypt(&v, rules->recipients[which].key);
    enveloped_clear(&v);
    return 0;
}
