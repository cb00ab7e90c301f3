/* test_published.c: what is published about a CA, and how many certificates a list names. */
#include <criterion/criterion.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "publication/published.h"

static struct bytes make_list(int entries, bool ends)
{
    X509_CRL *list = X509_CRL_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_NAME *name = X509_NAME_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, 1900000000);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"CA", -1, -1, 0);
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, name);
    X509_CRL_set1_lastUpdate(list, now);
    if (ends)
        X509_CRL_set1_nextUpdate(list, now);
    for (int i = 0; i < entries; i++) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(serial, i + 1);
        X509_REVOKED_set_serialNumber(entry, serial);
        X509_REVOKED_set_revocationDate(entry, now);
        X509_CRL_add0_revoked(list, entry);
        ASN1_INTEGER_free(serial);
    }
    cr_assert(X509_CRL_sign(list, key, EVP_sha256()));
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(list, &der);
    struct bytes copy = bytes_copy(bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    ASN1_TIME_free(now);
    X509_NAME_free(name);
    EVP_PKEY_free(key);
    X509_CRL_free(list);
    return copy;
}

static void release(struct bytes b)
{
    free((void *)(uintptr_t)b.data);
}

Test(published, counts_entries)
{
    const int counts[] = {0, 1, 2, 1000};
    for (size_t i = 0; i < 4; i++)
        for (int ends = 0; ends < 2; ends++) {
            struct bytes list = make_list(counts[i], ends);
            cr_expect_eq(published_count_entries(list), (size_t)counts[i]);
            release(list);
        }
}

Test(published, counts_nothing_in_what_is_no_list)
{
    struct bytes list = make_list(3, true);
    cr_expect_eq(published_count_entries((struct bytes){0}), 0);
    cr_expect_eq(published_count_entries(bytes_of_text("no list")), 0);
    for (size_t len = 0; len < list.len; len++) { /* nothing is read beyond the end */
        struct bytes part = bytes_copy(bytes_of(list.data, len));
        (void)published_count_entries(part);
        release(part);
    }
    release(list);
}

Test(published, owns_what_it_shows)
{
    struct bytes der = make_list(2, true), certificate = bytes_copy(bytes_of_text("certificate"));
    struct crl_record record = {
        .ca_sha256 = "x", .number = 7, .der = der, .this_update = 1000, .next_update = 2000};
    struct published *p = published_create("0a0b", certificate, 500, &record, 1500);
    cr_assert(p);
    memset((void *)(uintptr_t)certificate.data, 0, certificate.len);
    release(certificate);
    cr_expect(bytes_equal(p->certificate, bytes_of_text("certificate")));
    cr_expect(bytes_equal(p->crl, der));
    release(der);
    cr_expect_str_eq(p->name, "0a0b");
    cr_expect(p->number == 7 && p->entries == 2 && p->this_update == 1000 && p->next_update == 2000 &&
              p->due == 1500);
    published_unref(published_ref(p));
    cr_expect_eq(p->entries, 2);
    published_unref(p);
    published_unref(NULL);
}

Test(published, may_have_no_list_yet)
{
    struct published *p = published_create("", bytes_of_text("certificate"), 0, NULL, 0);
    cr_assert(p && !p->crl.len && p->number == 0);
    published_unref(p);
}
