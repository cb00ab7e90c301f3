/* fuzz_crl.c: any bytes as a revocation list from outside: taken or refused with a sentence, asked about a certificate, and counted. */
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "alias/trust.h"
#include "publication/published.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The CA that signed the corpus' lists, and a certificate of it. */
static X509 *ca, *device;
static struct trust *model;

static X509 *read_certificate(const char *path)
{
    FILE *file = fopen(path, "r");
    X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    if (!certificate)
        abort();
    fclose(file);
    return certificate;
}

static void set_up(void)
{
    static char name[] = "list", *names[] = {name};
    struct renewal_settings settings = {.crl_files = {names, 1}, .crl_from_backend = true};
    struct error e = {0};
    unsigned char *der = NULL;
    ca = read_certificate(TEST_DATA "/crl/ca.pem");
    device = read_certificate(TEST_DATA "/crl/device.pem");
    int len = i2d_X509(ca, &der);
    if (trust_create(&model, &settings, 1, &e) != ERR_OK ||
        trust_add_own(model, bytes_of(der, (size_t)len), &e) != ERR_OK)
        abort();
    OPENSSL_free(der);
}

static void judge(const struct trust *t)
{
    struct renewal_facts facts = {.now = INT64_C(1900000000000)};
    trust_judge(t, device, &facts);
    if (facts.issuer != RENEWAL_BY_OWN_CA || facts.list == RENEWAL_LIST_UNWANTED)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!model)
        set_up();
    struct trust *t = trust_copy(model);
    if (!t)
        return 0;
    for (size_t source = 0; source < trust_source_count(t); source++) {
        struct error e = {0};
        enum error_code code = trust_set_list(t, source, bytes_of(data, size), &e);
        if ((code == ERR_OK) != (e.text[0] == '\0'))
            abort();
    }
    judge(t);
    if (published_count_entries(bytes_of(data, size)) > size)
        abort();
    trust_unref(t);
    return 0;
}
