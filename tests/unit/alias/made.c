/* made.c: certificates for tests (made.h). */
#include "unit/alias/made.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static void add(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!e || !X509_add_ext(x, e, -1))
        abort();
    X509_EXTENSION_free(e);
}

struct made make(struct made_order order)
{
    static long serial = 1000;
    struct made m = {.certificate = X509_new(), .key = order.ec ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048)};
    const struct made *by = order.issuer ? order.issuer : &m;
    X509 *x = m.certificate;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), order.to ? order.from : -86400);
    X509_gmtime_adj(X509_getm_notAfter(x), order.to ? order.to : 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)order.name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(by->certificate));
    X509_set_pubkey(x, m.key);
    add(x, by->certificate, NID_basic_constraints, order.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (order.usage)
        add(x, by->certificate, NID_key_usage, order.usage);
    if (!X509_sign(x, by->key, EVP_sha256()))
        abort();
    return m;
}

void made_free(struct made *m)
{
    X509_free(m->certificate);
    EVP_PKEY_free(m->key);
}

struct bytes made_der(const struct made *m)
{
    unsigned char *encoded = NULL;
    int len = i2d_X509(m->certificate, &encoded);
    struct bytes copy = bytes_copy(bytes_of(encoded, (size_t)len));
    OPENSSL_free(encoded);
    return copy;
}

void made_write(const char *path, const struct made *m, bool key)
{
    FILE *f = fopen(path, "a");
    if (!f || !(key ? PEM_write_PrivateKey(f, m->key, NULL, NULL, 0, NULL, NULL)
                    : PEM_write_X509(f, m->certificate)))
        abort();
    fclose(f);
}
