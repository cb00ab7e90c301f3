/* test_same_names.c: requests and certificates whose names are the same, and nearly the same. */
#include <criterion/criterion.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "scep/client.h"
#include "scep/same_names.h"

static EVP_PKEY *key;

static void set_up(void)
{
    key = EVP_EC_gen("P-256");
}

static void tear_down(void)
{
    EVP_PKEY_free(key);
}

TestSuite(same_names, .init = set_up, .fini = tear_down);

static X509_NAME *name_of(const char *cn, int type)
{
    X509_NAME *name = X509_NAME_new();
    if (*cn)
        X509_NAME_add_entry_by_txt(name, "CN", type, (const unsigned char *)cn, -1, -1, 0);
    return name;
}

static X509 *certificate_of(const char *cn, int type, const char *sans)
{
    X509 *x = X509_new();
    CLEANUP(X509_NAME) X509_NAME *name = name_of(cn, type);
    X509_set_version(x, X509_VERSION_3);
    X509_set_subject_name(x, name);
    X509_EXTENSION *e = sans ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, sans) : NULL;
    cr_assert_eq(e != NULL, sans != NULL);
    if (e)
        X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return x;
}

struct asked {
    struct buffer der;
    struct csr *csr;
};

static struct asked ask_for(const char *cn, const char *sans)
{
    struct asked a = {0};
    struct error e = {0};
    CLEANUP(X509_NAME) X509_NAME *name = name_of(cn, MBSTRING_UTF8);
    buffer_init(&a.der, 1 << 16);
    cr_assert_eq(scep_client_csr(&a.der, key, name, (struct bytes){0}, sans, &e), ERR_OK, "%s", e.text);
    cr_assert_eq(csr_parse(&a.csr, buffer_bytes(&a.der), NULL, (struct bytes){0}, 8192, &e), ERR_OK, "%s",
                 e.text);
    return a;
}

static void forget(struct asked *a)
{
    csr_free(a->csr);
    buffer_free(&a->der);
}

static bool subjects(const char *asked, const char *had, int type)
{
    CLEANUP(X509) X509 *x = certificate_of(had, type, NULL);
    struct asked a = ask_for(asked, NULL);
    bool same = same_subject(a.csr, x);
    forget(&a);
    return same;
}

static bool sans(const char *asked, const char *had)
{
    CLEANUP(X509) X509 *x = certificate_of("a", MBSTRING_UTF8, had);
    struct asked a = ask_for("a", asked);
    bool same = same_sans(a.csr, x);
    forget(&a);
    return same;
}

Test(same_names, subjects)
{
    cr_expect(subjects("device", "device", MBSTRING_UTF8));
    cr_expect(subjects("device", "device", V_ASN1_PRINTABLESTRING));
    cr_expect(subjects("Device", "device", MBSTRING_UTF8));
    cr_expect(subjects("", "", MBSTRING_UTF8));
    cr_expect_not(subjects("device", "devices", MBSTRING_UTF8));
    cr_expect_not(subjects("", "device", MBSTRING_UTF8));
    cr_expect_not(subjects("device", "", MBSTRING_UTF8));
}

Test(same_names, alternative_names)
{
    cr_expect(sans(NULL, NULL));
    cr_expect(sans("DNS:a.example,IP:10.0.0.1", "IP:10.0.0.1,DNS:a.example"));
    cr_expect(sans("otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b"));
    cr_expect_not(
        sans("otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:c@b"));
    cr_expect_not(sans("DNS:a.example", NULL));
    cr_expect_not(sans(NULL, "DNS:a.example"));
    cr_expect_not(sans("DNS:a.example", "DNS:a.example,DNS:b.example"));
    cr_expect_not(sans("DNS:a.example,DNS:b.example", "DNS:a.example"));
    cr_expect_not(sans("DNS:a.example", "email:a.example"));
    cr_expect_not(sans("IP:10.0.0.1", "IP:10.0.0.2"));
}
