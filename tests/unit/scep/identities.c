/* identities.c: see identities.h. Anything that fails here ends the test program. */
#include "identities.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "identities: %s failed\n", #condition);                                          \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

EVP_PKEY *identity_key(const char *name)
{
    char path[4096];
    const char *data = getenv("TEST_DATA");
    MUST(data);
    snprintf(path, sizeof path, "%s/keys/%s.pem", data, name);
    FILE *file = fopen(path, "r");
    MUST(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    MUST(key);
    return key;
}

static void add(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    MUST(extension && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

X509 *identity_certificate(EVP_PKEY *key, const struct identity_wish *wish)
{
    X509 *certificate = X509_new();
    MUST(certificate && X509_set_version(certificate, X509_VERSION_3));
    uint64_t serial = 0;
    MUST(RAND_bytes((unsigned char *)&serial, sizeof serial) == 1);
    MUST(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial | 1));
    X509_NAME *name = X509_get_subject_name(certificate);
    MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)wish->common_name, -1,
                                    -1, 0));
    MUST(X509_set_issuer_name(certificate, wish->issuer ? X509_get_subject_name(wish->issuer) : name));
    MUST(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    MUST(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400));
    MUST(X509_set_pubkey(certificate, key));
    if (wish->usage)
        add(certificate, NID_key_usage, wish->usage);
    if (wish->ca)
        add(certificate, NID_basic_constraints, "critical,CA:TRUE");
    MUST(X509_sign(certificate, wish->issuer_key ? wish->issuer_key : key, EVP_sha256()) > 0);
    return certificate;
}
