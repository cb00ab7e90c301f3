/* fuzz_ra.c: see fuzz_ra.h. */
#include "fuzz_ra.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

static struct scep_recipient recipient;
static const struct scep_rules rules = {
    .ciphers = SCEP_CIPHERS_DEFAULT | SCEP_CIPHER_DES,
    .digests = SCEP_DIGESTS_DEFAULT | SCEP_DIGEST_MD5,
    .rsa_min_bits = 1024,
    .rsa_max_bits = 8192,
    .recipients = &recipient,
    .recipient_count = 1,
    .ec_signers = true,
    .types = SCEP_TYPES_OF_REQUESTS,
};

static FILE *data_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        abort();
    }
    return file;
}

const struct scep_rules *fuzz_rules(void)
{
    if (recipient.key)
        return &rules;
    FILE *certificate = data_file(TEST_DATA "/scep/ra.pem"), *key = data_file(TEST_DATA "/keys/ra-rsa.pem");
    recipient.certificate = PEM_read_X509(certificate, NULL, NULL, NULL);
    recipient.key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
    fclose(certificate);
    fclose(key);
    if (!recipient.certificate || !recipient.key)
        abort();
    return &rules;
}
