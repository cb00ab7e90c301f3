/* profile.c: settings to ready-made extensions (profile.h; RFC 5280 section 4.2). */
#include "backends/local_ca/profile.h"

#include <openssl/objects.h>
#include <string.h>

#include "backends/local_ca/own.h"

/* Bits of KeyUsage, bit 0 being the most significant of the first octet (RFC 5280 section 4.2.1.3). */
#define USAGE_DIGITAL_SIGNATURE  0x80
#define USAGE_CONTENT_COMMITMENT 0x40
#define USAGE_KEY_ENCIPHERMENT   0x20
#define USAGE_DATA_ENCIPHERMENT  0x10
#define USAGE_KEY_AGREEMENT      0x08

static const struct usage {
    const char *name;
    uint8_t bit;
} usages[] = {
    {"digitalSignature", USAGE_DIGITAL_SIGNATURE}, {"contentCommitment", USAGE_CONTENT_COMMITMENT},
    {"keyEncipherment", USAGE_KEY_ENCIPHERMENT},   {"dataEncipherment", USAGE_DATA_ENCIPHERMENT},
    {"keyAgreement", USAGE_KEY_AGREEMENT},
};

struct reader { /* of this instance's settings */
    struct backend_host *host;
    const struct backend_services *services;
    const struct der *ca; /* the CA's key id: what CA_MARK in URLs stands for */
};

#define CA_MARK "{ca}"

struct extension_at extension_open(struct der *d, int nid, bool critical)
{
    struct extension_at at;
    at.sequence = der_open(d, DER_SEQUENCE);
    der_nid(d, nid);
    if (critical)
        der_true(d);
    at.value = der_open(d, V_ASN1_OCTET_STRING);
    return at;
}

void extension_close(struct der *d, struct extension_at at)
{
    der_close(d, at.value);
    der_close(d, at.sequence);
}

static void write_basic_constraints(struct der *d, bool critical)
{
    struct extension_at at = extension_open(d, NID_basic_constraints, critical);
    der_element(d, DER_SEQUENCE, NULL, 0); /* cA is FALSE by default, and defaults are not encoded */
    extension_close(d, at);
}

static void write_key_usage(struct der *d, uint8_t bits)
{
    if (bits == 0)
        return; /* RFC 5280: at least one bit must be set when the extension appears */
    uint8_t unused = 0;
    while (!(bits >> unused & 1))
        unused++;
    struct extension_at at = extension_open(d, NID_key_usage, true);
    der_element(d, V_ASN1_BIT_STRING, (uint8_t[]){unused, bits}, 2);
    extension_close(d, at);
}

void authority_key_id_write(struct der *d, const struct ca *ca)
{
    if (ca->key_id.len == 0)
        return;
    struct extension_at at = extension_open(d, NID_authority_key_identifier, false);
    size_t sequence = der_open(d, DER_SEQUENCE);
    der_element(d, DER_CONTEXT(0), ca->key_id.data, ca->key_id.len);
    der_close(d, sequence);
    extension_close(d, at);
}

static bool write_extended_key_usage(struct der *d, const struct reader *r, struct problem *p)
{
    const char *path = "profile.extended_key_usage";
    size_t count = r->services->setting_count(r->host, path);
    if (count == 0)
        return true;
    struct extension_at at = extension_open(d, NID_ext_key_usage, false);
    size_t sequence = der_open(d, DER_SEQUENCE);
    for (size_t i = 0; i < count; i++) {
        const char *name = r->services->setting_item(r->host, path, i);
        OWN(OBJECT) ASN1_OBJECT *object = OBJ_txt2obj(name, 0);
        if (!object || OBJ_length(object) == 0)
            return problem_openssl(p,
                                   "%s: \"%s\" is no key purpose; use a name like clientAuth or an OID like "
                                   "1.3.6.1.5.5.7.3.2",
                                   path, name);
        der_object(d, object);
    }
    der_close(d, sequence);
    extension_close(d, at);
    return true;
}

static void write_hex(struct der *d, const struct der *id)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < id->len; i++)
        der_raw(d, (char[]){digits[id->data[i] >> 4], digits[id->data[i] & 15]}, 2);
}

static void write_uri(struct der *d, const struct reader *r, const char *uri)
{
    size_t at = der_open(d, DER_CONTEXT(GEN_URI));
    for (const char *mark; (mark = strstr(uri, CA_MARK)); uri = mark + strlen(CA_MARK)) {
        der_raw(d, uri, (size_t)(mark - uri));
        write_hex(d, r->ca);
    }
    der_raw(d, uri, strlen(uri));
    der_close(d, at);
}

static bool check_urls(const struct reader *r, const char *path, struct problem *p)
{
    for (size_t i = 0; r->ca->len == 0 && i < r->services->setting_count(r->host, path); i++)
        if (strstr(r->services->setting_item(r->host, path, i), CA_MARK))
            return problem_say(p,
                               "%s: " CA_MARK
                               " stands for the CA's subjectKeyIdentifier, and this CA certificate has "
                               "none; write the URL out, with the name of the backend",
                               path);
    return true;
}

/* AccessDescriptions of one method (RFC 5280 section 4.2.2.1). */
static void write_access(struct der *d, const struct reader *r, const char *path, int method)
{
    for (size_t i = 0; i < r->services->setting_count(r->host, path); i++) {
        size_t description = der_open(d, DER_SEQUENCE);
        der_nid(d, method);
        write_uri(d, r, r->services->setting_item(r->host, path, i));
        der_close(d, description);
    }
}

static void write_authority_information(struct der *d, const struct reader *r)
{
    if (r->services->setting_count(r->host, "profile.ocsp_urls") == 0 &&
        r->services->setting_count(r->host, "profile.issuer_urls") == 0)
        return;
    struct extension_at at = extension_open(d, NID_info_access, false);
    size_t sequence = der_open(d, DER_SEQUENCE);
    write_access(d, r, "profile.ocsp_urls", NID_ad_OCSP);
    write_access(d, r, "profile.issuer_urls", NID_ad_ca_issuers);
    der_close(d, sequence);
    extension_close(d, at);
}

/* One DistributionPoint whose fullName holds every URL: they are places of the same list (RFC 5280
 * section 4.2.1.13). */
static void write_crl_points(struct der *d, const struct reader *r)
{
    size_t count = r->services->setting_count(r->host, "profile.crl_urls");
    if (count == 0)
        return;
    struct extension_at at = extension_open(d, NID_crl_distribution_points, false);
    size_t points = der_open(d, DER_SEQUENCE);
    size_t point = der_open(d, DER_SEQUENCE);
    size_t name = der_open(d, DER_CONTEXT_CONSTRUCTED(0));
    size_t full = der_open(d, DER_CONTEXT_CONSTRUCTED(0));
    for (size_t i = 0; i < count; i++)
        write_uri(d, r, r->services->setting_item(r->host, "profile.crl_urls", i));
    der_close(d, full);
    der_close(d, name);
    der_close(d, point);
    der_close(d, points);
    extension_close(d, at);
}

static uint8_t usage_bits(const struct reader *r)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < r->services->setting_count(r->host, "profile.key_usage"); i++)
        for (size_t k = 0; k < sizeof usages / sizeof *usages; k++)
            if (strcmp(usages[k].name, r->services->setting_item(r->host, "profile.key_usage", i)) == 0)
                bits |= usages[k].bit;
    return bits;
}

static bool write_client(struct der *d, const struct ca *ca, const struct reader *r, uint8_t usage,
                         struct problem *p)
{
    const char *constraints = r->services->setting_text(r->host, "profile.basic_constraints");
    if (strcmp(constraints, "absent") != 0)
        write_basic_constraints(d, strcmp(constraints, "critical") == 0);
    write_key_usage(d, usage);
    if (!write_extended_key_usage(d, r, p))
        return false;
    authority_key_id_write(d, ca);
    write_authority_information(d, r);
    write_crl_points(d, r);
    return !d->failed || problem_say(p, "out of memory");
}

/* RFC 8894 section 2.1.2: what opens SCEP messages needs one bit, what signs them another, and no more than
 * that. */
static void write_ra(struct der *d, const struct ca *ca, const struct reader *r, uint8_t usage)
{
    write_basic_constraints(d, true);
    write_key_usage(d, usage);
    authority_key_id_write(d, ca);
    write_authority_information(d, r);
    write_crl_points(d, r);
}

bool profile_create(struct profile *out, const struct ca *ca, struct backend_host *host,
                    const struct backend_services *services, struct problem *p)
{
    struct reader r = {.host = host, .services = services, .ca = &ca->key_id};
    if (!check_urls(&r, "profile.issuer_urls", p) || !check_urls(&r, "profile.crl_urls", p))
        return false;
    *out = (struct profile){
        .validity = services->setting_number(host, "profile.validity") / 1000,
        .backdate = services->setting_number(host, "profile.backdate") / 1000,
        .san = services->setting_number(host, "profile.san") != 0,
    };
    uint8_t usage = usage_bits(&r);
    /* RFC 8813, RFC 8410: keys that only sign or agree must not claim to encipher. */
    uint8_t other = usage & (uint8_t) ~(USAGE_KEY_ENCIPHERMENT | USAGE_DATA_ENCIPHERMENT);
    uint8_t rsa = usage & (uint8_t)~USAGE_KEY_AGREEMENT;
    write_ra(&out->ra, ca, &r, USAGE_DIGITAL_SIGNATURE | USAGE_KEY_ENCIPHERMENT);
    write_ra(&out->ra_opening, ca, &r, USAGE_KEY_ENCIPHERMENT);
    write_ra(&out->ra_signing, ca, &r, USAGE_DIGITAL_SIGNATURE);
    bool made =
        write_client(&out->client_rsa, ca, &r, rsa, p) && write_client(&out->client_other, ca, &r, other, p);
    if (made && (out->ra.failed || out->ra_opening.failed || out->ra_signing.failed))
        made = problem_say(p, "out of memory");
    if (!made)
        profile_free(out);
    return made;
}

void profile_free(struct profile *f)
{
    der_free(&f->client_rsa);
    der_free(&f->client_other);
    der_free(&f->ra);
    der_free(&f->ra_opening);
    der_free(&f->ra_signing);
}
