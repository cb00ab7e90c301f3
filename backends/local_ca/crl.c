/* crl.c: the TBSCertList of RFC 5280 section 5.1, written once and signed (crl.h). */
#include "backends/local_ca/crl.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "backends/local_ca/own.h"
#include "backends/local_ca/profile.h"

#define REASON_ON_HOLD 6
#define REASON_LAST    10

const char *crl_refusal(const struct ca *ca)
{
    /* Without a keyUsage extension every use is allowed, and OpenSSL says all bits. */
    return X509_get_key_usage(ca->certificate) & KU_CRL_SIGN
               ? NULL
               : "the CA certificate may not sign revocation lists (keyUsage lacks cRLSign); there will be "
                 "none "
                 "until it is replaced by one that may";
}

/* ---- order --------------------------------------------------------------------------------------------- */

static int compare_serials(const struct backend_revocation *a, const struct backend_revocation *b)
{
    if (a->serial_len != b->serial_len)
        return a->serial_len < b->serial_len ? -1 : 1;
    return memcmp(a->serial, b->serial, a->serial_len);
}

/* By serial; of equal ones, those for good before those on hold, and earlier ones first. */
static int compare(const void *x, const void *y)
{
    const struct backend_revocation *a = x, *b = y;
    int serials = compare_serials(a, b);
    if (serials)
        return serials;
    bool a_held = a->reason == REASON_ON_HOLD, b_held = b->reason == REASON_ON_HOLD;
    if (a_held != b_held)
        return a_held ? 1 : -1;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return (int)a->reason - (int)b->reason;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

/* Of a magnitude without leading zeros. */
static void write_integer(struct der *d, const uint8_t *magnitude, size_t len)
{
    uint8_t octets[1 + BACKEND_SERIAL_MAX] = {0};
    memcpy(octets + 1, magnitude, len);
    bool pad = len == 0 || (magnitude[0] & 0x80);
    der_element(d, V_ASN1_INTEGER, octets + !pad, len + pad);
}

static void write_number(struct der *d, int64_t number)
{
    uint8_t octets[8];
    size_t skip = 0;
    for (int i = 0; i < 8; i++)
        octets[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
    while (skip < 7 && octets[skip] == 0)
        skip++;
    write_integer(d, octets + skip, 8 - skip);
}

/* Section 5.3.1: unspecified is said by leaving the extension out; 7 is not used, and 8 belongs to delta lists. */
static void write_reason(struct der *d, uint8_t reason)
{
    if (reason == 0 || reason == 7 || reason == 8 || reason > REASON_LAST)
        return;
    size_t list = der_open(d, DER_SEQUENCE);
    struct extension_at at = extension_open(d, NID_crl_reason, false);
    der_element(d, V_ASN1_ENUMERATED, &reason, 1);
    extension_close(d, at);
    der_close(d, list);
}

static void write_entry(struct der *d, const struct backend_revocation *r)
{
    size_t entry = der_open(d, DER_SEQUENCE);
    write_integer(d, r->serial, r->serial_len);
    der_time(d, r->at / 1000);
    write_reason(d, r->reason);
    der_close(d, entry);
}

/* Absent when there are none (section 5.1.2.6). */
static void write_entries(struct der *d, const struct crl_order *order)
{
    if (order->count == 0)
        return;
    qsort(order->revocations, order->count, sizeof *order->revocations, compare);
    size_t list = der_open(d, DER_SEQUENCE);
    for (size_t i = 0; i < order->count; i++)
        if (i == 0 || compare_serials(&order->revocations[i - 1], &order->revocations[i]) != 0)
            write_entry(d, &order->revocations[i]);
    der_close(d, list);
}

static void write_extensions(struct der *d, const struct ca *ca, int64_t number)
{
    size_t tagged = der_open(d, DER_CONTEXT_CONSTRUCTED(0));
    size_t list = der_open(d, DER_SEQUENCE);
    authority_key_id_write(d, ca);
    struct extension_at at = extension_open(d, NID_crl_number, false);
    write_number(d, number);
    extension_close(d, at);
    der_close(d, list);
    der_close(d, tagged);
}

static bool check(const struct crl_order *order, struct problem *p)
{
    if (order->number < 1 || order->count > CRL_ENTRIES_MAX)
        return problem_say(p, "a revocation list has at most %d entries, and a number from 1 on",
                           CRL_ENTRIES_MAX);
    for (size_t i = 0; i < order->count; i++)
        if (order->revocations[i].serial_len > BACKEND_SERIAL_MAX)
            return problem_say(p, "a serial number is longer than %d octets", BACKEND_SERIAL_MAX);
    return true;
}

bool crl_make(struct der *out, const struct ca *ca, const struct crl_order *order, struct problem *p)
{
    if (!check(order, p))
        return false;
    struct der tbs = {0};
    size_t at = der_open(&tbs, DER_SEQUENCE);
    der_element(&tbs, V_ASN1_INTEGER, (uint8_t[]){1}, 1); /* v2 */
    der_raw(&tbs, ca->algorithm.data, ca->algorithm.len);
    der_raw(&tbs, ca->subject.data, ca->subject.len);
    der_time(&tbs, order->this_update);
    der_time(&tbs, order->next_update);
    write_entries(&tbs, order);
    write_extensions(&tbs, ca, order->number);
    der_close(&tbs, at);
    bool made = !tbs.failed && ca_sign(ca, der_bytes(&tbs), out);
    der_free(&tbs);
    return made || problem_openssl(p, "signing the revocation list failed");
}
