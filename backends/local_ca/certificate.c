/* certificate.c: the TBSCertificate of RFC 5280 section 4.1, written once and signed (certificate.h). */
#include "backends/local_ca/certificate.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#include "backends/local_ca/own.h"

#define PLAN_VERSION     2
#define PLAN_VERSION_OLD 1 /* without the id of the CA: of the first one */
#define PLAN_SIZE_OLD    (PLAN_SIZE - AUTHORITY_ID_SIZE)
#define SERIAL_SIZE      20
#define KEY_ID_SIZE      20

struct plan {
    const uint8_t *serial;
    int64_t not_before, not_after;
};

/* ---- plan ---------------------------------------------------------------------------------------------- */

static void put_number(uint8_t out[8], int64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

static int64_t get_number(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return (int64_t)value;
}

bool certificate_plan(uint8_t plan[PLAN_SIZE], const struct authority *by, int64_t max_validity, int64_t now,
                      struct problem *p)
{
    const struct ca *ca = by->ca;
    const struct profile *profile = &by->profile;
    int64_t validity = profile->validity;
    if (max_validity > 0 && max_validity < validity)
        validity = max_validity;
    /* The whole span keeps to the limit, and backdating never takes more than a tenth of a short one. */
    int64_t backdate = profile->backdate < validity / 10 ? profile->backdate : validity / 10;
    int64_t not_before = now - backdate;
    if (not_before < ca->not_before) /* a CA that was just made, or one that is staged for later */
        not_before = ca->not_before;
    int64_t not_after = not_before + validity;
    if (not_after > ca->not_after)
        not_after = ca->not_after;
    if (not_after <= now)
        return problem_say(p, "the CA certificate has expired; bring a renewed one");
    plan[0] = PLAN_VERSION;
    if (RAND_bytes(plan + 1, SERIAL_SIZE) != 1)
        return problem_openssl(p, "the random generator failed");
    plan[1] = (plan[1] & 0x7f) | 0x40; /* positive and always 20 octets long (RFC 5280 section 4.1.2.2) */
    put_number(plan + 1 + SERIAL_SIZE, not_before);
    put_number(plan + 1 + SERIAL_SIZE + 8, not_after);
    memcpy(plan + PLAN_SIZE_OLD, by->id, AUTHORITY_ID_SIZE);
    return true;
}

const struct authority *certificate_planned_by(const struct authorities *a, struct backend_bytes plan)
{
    if (plan.len == PLAN_SIZE && plan.data[0] == PLAN_VERSION)
        return authorities_by_id(a, plan.data + PLAN_SIZE_OLD);
    return &a->first;
}

static bool read_plan(struct plan *out, struct backend_bytes plan)
{
    bool known = (plan.len == PLAN_SIZE && plan.data[0] == PLAN_VERSION) ||
                 (plan.len == PLAN_SIZE_OLD && plan.data[0] == PLAN_VERSION_OLD);
    if (!known)
        return false;
    out->serial = plan.data + 1;
    out->not_before = get_number(plan.data + 1 + SERIAL_SIZE);
    out->not_after = get_number(plan.data + 1 + SERIAL_SIZE + 8);
    return true;
}

/* ---- looking into the request -------------------------------------------------------------------------- */

/* Steps into or over one element: its tag and contents; `*in` moves behind it. */
static bool next_element(struct backend_bytes *in, int *tag, struct backend_bytes *contents)
{
    const unsigned char *at = in->data;
    long len;
    int class;
    if (in->len == 0 || (ASN1_get_object(&at, &len, tag, &class, (long)in->len) & 0x81) ||
        class != V_ASN1_UNIVERSAL) {
        ERR_clear_error();
        return false;
    }
    *contents = (struct backend_bytes){.data = at, .len = (size_t)len};
    in->len -= (size_t)(at + len - in->data);
    in->data = at + len;
    return true;
}

#define DEPTH_MAX 16

/* Definite lengths, each as short as it can be, all the way down: subject and key go into the certificate as
 * they came, and a request may have come in BER. */
static bool is_der(struct backend_bytes in, int depth)
{
    while (in.len > 0) {
        const unsigned char *at = in.data;
        long len;
        int tag, class, flags = ASN1_get_object(&at, &len, &tag, &class, (long)in.len);
        if (flags & 0x81 || depth == 0)
            return false;
        size_t head = (size_t)(at - in.data);
        if (tag < 31 && head != (size_t)ASN1_object_size(0, (int)len, tag) - (size_t)len)
            return false;
        if (flags & V_ASN1_CONSTRUCTED &&
            !is_der((struct backend_bytes){.data = at, .len = (size_t)len}, depth - 1))
            return false;
        in.data = at + len;
        in.len -= head + (size_t)len;
    }
    return true;
}

struct public_key { /* borrowed from the SubjectPublicKeyInfo */
    bool rsa;
    struct backend_bytes bits;
};

static bool read_spki(struct public_key *out, struct backend_bytes spki)
{
    static const uint8_t rsa_encryption[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
    struct backend_bytes inside, algorithm, object, bits;
    int tag;
    if (!next_element(&spki, &tag, &inside) || tag != V_ASN1_SEQUENCE || spki.len != 0)
        return false;
    if (!next_element(&inside, &tag, &algorithm) || tag != V_ASN1_SEQUENCE)
        return false;
    if (!next_element(&algorithm, &tag, &object) || tag != V_ASN1_OBJECT)
        return false;
    if (!next_element(&inside, &tag, &bits) || tag != V_ASN1_BIT_STRING || bits.len < 2 || inside.len != 0)
        return false;
    out->rsa = object.len == sizeof rsa_encryption && memcmp(object.data, rsa_encryption, object.len) == 0;
    out->bits = (struct backend_bytes){.data = bits.data + 1, .len = bits.len - 1};
    return true;
}

static bool is_empty_name(struct backend_bytes name)
{
    return name.len == 2 && name.data[0] == DER_SEQUENCE && name.data[1] == 0;
}

/* The requested names, decoded and encoded again, so that nothing but well-formed DER gets a signature. An
 * empty list counts as none.
 * `*out` is NULL without. */
static bool read_names(GENERAL_NAMES **out, struct backend_bytes extensions)
{
    *out = NULL;
    if (extensions.len == 0)
        return true;
    const unsigned char *at = extensions.data;
    OWN(extensions) X509_EXTENSIONS *list = d2i_X509_EXTENSIONS(NULL, &at, (long)extensions.len);
    if (!list || at != extensions.data + extensions.len)
        return false;
    int where = X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1);
    if (where < 0)
        return true;
    if (X509v3_get_ext_by_NID(list, NID_subject_alt_name, where) >= 0)
        return false;
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509v3_get_ext(list, where));
    at = ASN1_STRING_get0_data(value);
    const unsigned char *end = at + ASN1_STRING_length(value);
    OWN(NAMES) GENERAL_NAMES *names = d2i_GENERAL_NAMES(NULL, &at, ASN1_STRING_length(value));
    if (!names || at != end)
        return false;
    if (sk_GENERAL_NAME_num(names) > 0)
        *out = GIVE(names);
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

/* RFC 7093 section 2, method 1: the leftmost 160 bits of the SHA-256 of the key's bits. */
static void write_subject_key_id(struct der *d, const struct ca *ca, const struct public_key *key)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (EVP_Digest(key->bits.data, key->bits.len, hash, NULL, ca->sha256, NULL) != 1) {
        d->failed = true;
        return;
    }
    struct extension_at at = extension_open(d, NID_subject_key_identifier, false);
    der_element(d, V_ASN1_OCTET_STRING, hash, KEY_ID_SIZE);
    extension_close(d, at);
}

static void write_names(struct der *d, const GENERAL_NAMES *names, bool critical)
{
    unsigned char *encoded = NULL;
    int len = i2d_GENERAL_NAMES(names, &encoded);
    if (len <= 0) {
        d->failed = true;
        return;
    }
    struct extension_at at = extension_open(d, NID_subject_alt_name, critical);
    der_raw(d, encoded, (size_t)len);
    extension_close(d, at);
    OPENSSL_free(encoded);
}

static void write_head(struct der *d, const struct ca *ca, const struct plan *plan)
{
    der_element(d, DER_CONTEXT_CONSTRUCTED(0), (uint8_t[]){V_ASN1_INTEGER, 1, 2}, 3); /* v3 */
    der_element(d, V_ASN1_INTEGER, plan->serial, SERIAL_SIZE);
    der_raw(d, ca->algorithm.data, ca->algorithm.len);
    der_raw(d, ca->subject.data, ca->subject.len);
    size_t validity = der_open(d, DER_SEQUENCE);
    der_time(d, plan->not_before);
    der_time(d, plan->not_after);
    der_close(d, validity);
}

static const struct der *extensions_for(const struct profile *profile, enum backend_purpose purpose, bool rsa)
{
    switch (purpose) {
    case BACKEND_FOR_RA:
        return &profile->ra;
    case BACKEND_FOR_RA_OPENING:
        return &profile->ra_opening;
    case BACKEND_FOR_RA_SIGNING:
        return &profile->ra_signing;
    case BACKEND_FOR_CLIENT:
        break;
    }
    return rsa ? &profile->client_rsa : &profile->client_other;
}

static void write_extensions(struct der *d, const struct ca *ca, const struct profile *profile,
                             const struct certificate_order *order, const struct public_key *key,
                             const GENERAL_NAMES *names)
{
    const struct der *same = extensions_for(profile, order->purpose, key->rsa);
    size_t tagged = der_open(d, DER_CONTEXT_CONSTRUCTED(3));
    size_t list = der_open(d, DER_SEQUENCE);
    der_raw(d, same->data, same->len);
    write_subject_key_id(d, ca, key);
    if (names)
        write_names(d, names, is_empty_name(order->subject));
    der_close(d, list);
    der_close(d, tagged);
}

enum certificate_result certificate_make(struct der *out, const struct authority *by,
                                         const struct certificate_order *order, struct problem *p)
{
    const struct ca *ca = by->ca;
    const struct profile *profile = &by->profile;
    struct plan plan;
    struct public_key key;
    OWN(NAMES) GENERAL_NAMES *names = NULL;
    if (!read_plan(&plan, order->plan)) {
        problem_say(p, "the stored plan of this certificate is of another version of this backend");
        return CERTIFICATE_FAILED;
    }
    if (!is_der(order->subject, DEPTH_MAX)) {
        ERR_clear_error();
        problem_say(p, "the subject of the request is not DER");
        return CERTIFICATE_REFUSED;
    }
    if (!is_der(order->spki, DEPTH_MAX) || !read_spki(&key, order->spki)) {
        ERR_clear_error();
        problem_say(p, "the public key of the request is malformed");
        return CERTIFICATE_REFUSED;
    }
    if (profile->san && !read_names(&names, order->extensions)) {
        ERR_clear_error();
        problem_say(p, "the subjectAltName of the request is malformed");
        return CERTIFICATE_REFUSED;
    }
    if (is_empty_name(order->subject) && !names) {
        problem_say(p, "the request has an empty subject and no subjectAltName that could stand for it");
        return CERTIFICATE_REFUSED;
    }
    struct der tbs = {0};
    size_t at = der_open(&tbs, DER_SEQUENCE);
    write_head(&tbs, ca, &plan);
    der_raw(&tbs, order->subject.data, order->subject.len);
    der_raw(&tbs, order->spki.data, order->spki.len);
    write_extensions(&tbs, ca, profile, order, &key, names);
    der_close(&tbs, at);
    bool made = !tbs.failed && ca_sign(ca, der_bytes(&tbs), out);
    der_free(&tbs);
    if (!made)
        problem_openssl(p, "signing the certificate failed");
    return made ? CERTIFICATE_MADE : CERTIFICATE_FAILED;
}
