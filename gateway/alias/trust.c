/* trust.c: see trust.h. */
#include "alias/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alias/issuers.h"
#include "base/cleanup.h"

#define OWN_MAX 16

DEFINE_CLEANUP(ASN1_INTEGER, ASN1_INTEGER *, ASN1_INTEGER_free)
DEFINE_CLEANUP(AUTHORITY_KEYID, AUTHORITY_KEYID *, AUTHORITY_KEYID_free)
DEFINE_CLEANUP(X509_CRL, X509_CRL *, X509_CRL_free)
DEFINE_CLEANUP(POINT, ISSUING_DIST_POINT *, ISSUING_DIST_POINT_free)

struct source {
    char *name; /* path or URL */
    enum trust_source_kind kind;
    bool optional;  /* without a list it is as if it were not there */
    X509_CRL *list; /* NULL until the first good one */
    int64_t this_update, next_update;
};

struct trust {
    STACK_OF(X509) *own;
    STACK_OF(X509) *others;
    struct source *sources;
    size_t source_count;
    int64_t unknown_since; /* of lists that were never there */
    int references;
};

/* ---- life ---------------------------------------------------------------------------------------------- */

static struct trust *trust_alloc(size_t sources)
{
    struct trust *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->references = 1;
    t->own = sk_X509_new_null();
    t->others = sk_X509_new_null();
    t->sources = calloc(sources + 1, sizeof *t->sources);
    if (t->own && t->others && t->sources)
        return t;
    trust_unref(t);
    return NULL;
}

struct trust *trust_ref(struct trust *t)
{
    __atomic_fetch_add(&t->references, 1, __ATOMIC_RELAXED);
    return t;
}

void trust_unref(struct trust *t)
{
    if (!t || __atomic_sub_fetch(&t->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    sk_X509_pop_free(t->own, X509_free);
    sk_X509_pop_free(t->others, X509_free);
    for (size_t i = 0; i < t->source_count; i++) {
        free(t->sources[i].name);
        X509_CRL_free(t->sources[i].list);
    }
    free(t->sources);
    free(t);
}

static bool add_source(struct trust *t, const char *name, enum trust_source_kind kind, bool optional)
{
    struct source *s = &t->sources[t->source_count];
    *s = (struct source){.name = strdup(name), .kind = kind, .optional = optional};
    t->source_count += s->name != NULL;
    return s->name != NULL;
}

static bool add_sources(struct trust *t, const struct text_list *names, enum trust_source_kind kind)
{
    bool good = true;
    for (size_t i = 0; good && i < names->count; i++)
        good = add_source(t, names->items[i], kind, false);
    return good;
}

static bool add_backend(struct trust *t)
{
    static const char *const names[TRUST_BACKEND_LISTS] = {"the backend's list", "the backend's second list",
                                                           "the backend's third list"};
    bool good = true;
    for (size_t i = 0; good && i < TRUST_BACKEND_LISTS; i++)
        good = add_source(t, names[i], TRUST_BACKEND, i > 0);
    return good;
}

enum error_code trust_create(struct trust **out, const struct renewal_settings *settings, int64_t now,
                             struct error *e)
{
    *out = NULL;
    struct trust *t = trust_alloc(settings->crl_files.count + settings->crl_urls.count +
                                  (settings->crl_from_backend ? TRUST_BACKEND_LISTS : 0));
    enum error_code code = t ? ERR_OK : ERR_INTERNAL;
    for (size_t i = 0; code == ERR_OK && i < settings->issuers.count; i++)
        code = issuers_read(t->others, settings->issuers.items[i], "renewal.issuers", e);
    if (code == ERR_OK &&
        (!add_sources(t, &settings->crl_files, TRUST_FILE) ||
         !add_sources(t, &settings->crl_urls, TRUST_URL) || (settings->crl_from_backend && !add_backend(t))))
        code = ERR_INTERNAL;
    if (code == ERR_INTERNAL)
        error_set(e, code, "out of memory");
    if (code != ERR_OK) {
        trust_unref(t);
        return code;
    }
    t->unknown_since = now;
    *out = t;
    return ERR_OK;
}

size_t trust_source_count(const struct trust *t)
{
    return t->source_count;
}

const char *trust_source(const struct trust *t, size_t n, enum trust_source_kind *kind)
{
    *kind = t->sources[n].kind;
    return t->sources[n].name;
}

/* ---- successors ---------------------------------------------------------------------------------------- */

static bool add_all(STACK_OF(X509) *to, STACK_OF(X509) *from)
{
    bool good = true;
    for (int i = 0; good && i < sk_X509_num(from); i++)
        good = X509_add_cert(to, sk_X509_value(from, i), X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP) == 1;
    return good;
}

static void take_list(struct source *to, const struct source *from)
{
    if (!from->list || !X509_CRL_up_ref(from->list))
        return;
    X509_CRL_free(to->list);
    to->list = from->list;
    to->this_update = from->this_update;
    to->next_update = from->next_update;
}

void trust_inherit(struct trust *t, const struct trust *old)
{
    if (old->source_count && old->unknown_since < t->unknown_since)
        t->unknown_since = old->unknown_since;
    add_all(t->own, old->own);
    for (size_t i = 0; i < t->source_count; i++)
        for (size_t k = 0; k < old->source_count; k++)
            if (strcmp(t->sources[i].name, old->sources[k].name) == 0)
                take_list(&t->sources[i], &old->sources[k]);
}

struct trust *trust_copy(const struct trust *old)
{
    struct trust *t = trust_alloc(old->source_count);
    bool good = t && add_all(t->others, old->others);
    for (size_t i = 0; good && i < old->source_count; i++)
        good = add_source(t, old->sources[i].name, old->sources[i].kind, old->sources[i].optional);
    if (good) {
        t->unknown_since = old->unknown_since;
        trust_inherit(t, old);
        return t;
    }
    trust_unref(t);
    return NULL;
}

enum error_code trust_add_own(struct trust *t, struct bytes der, struct error *e)
{
    const uint8_t *at = der.data;
    CLEANUP(X509) X509 *ca = d2i_X509(NULL, &at, (long)der.len);
    if (!ca || !X509_get0_pubkey(ca) || X509_check_purpose(ca, -1, 0) < 0)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "the backend's CA certificate cannot be used");
    if (sk_X509_num(t->own) >= OWN_MAX)
        X509_free(sk_X509_shift(t->own));
    return X509_add_cert(t->own, ca, X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP) == 1
               ? ERR_OK
               : error_set(e, ERR_INTERNAL, "out of memory");
}

/* ---- revocation lists ---------------------------------------------------------------------------------- */

static X509_CRL *parse_list(struct bytes list)
{
    const uint8_t *at = list.data;
    X509_CRL *parsed = d2i_X509_CRL(NULL, &at, (long)list.len);
    if (!parsed) {
        CLEANUP(BIO) BIO *text = BIO_new_mem_buf(list.data, (int)list.len);
        parsed = text ? PEM_read_bio_X509_CRL(text, NULL, NULL, NULL) : NULL;
    }
    ERR_clear_error();
    return parsed;
}

static int64_t ms_of(const ASN1_TIME *time)
{
    struct tm parts;
    return time && ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) * 1000 : -1;
}

static bool signed_by_one_of(X509_CRL *list, STACK_OF(X509) *issuers)
{
    bool found = false;
    for (int i = 0; !found && i < sk_X509_num(issuers); i++) {
        X509 *issuer = sk_X509_value(issuers, i);
        found = X509_NAME_cmp(X509_get_subject_name(issuer), X509_CRL_get_issuer(list)) == 0 &&
                X509_CRL_verify(list, X509_get0_pubkey(issuer)) == 1;
    }
    ERR_clear_error();
    return found;
}

/* A list for every kind of certificate and reason; deltas and indirect ones say too little. */
static bool is_complete(const X509_CRL *list)
{
    int critical;
    if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0)
        return false;
    CLEANUP(POINT)
    ISSUING_DIST_POINT *point = X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, NULL);
    ERR_clear_error();
    if (!point)
        return critical == -1;
    return point->onlyCA <= 0 && point->onlyattr <= 0 && point->indirectCRL <= 0 && !point->onlysomereasons;
}

/* One CA may be followed by another at the same source. */
static bool of_same_key(const X509_CRL *a, const X509_CRL *b)
{
    if (X509_NAME_cmp(X509_CRL_get_issuer(a), X509_CRL_get_issuer(b)) != 0)
        return false;
    CLEANUP(AUTHORITY_KEYID)
    AUTHORITY_KEYID *x = X509_CRL_get_ext_d2i(a, NID_authority_key_identifier, NULL, NULL);
    CLEANUP(AUTHORITY_KEYID)
    AUTHORITY_KEYID *y = X509_CRL_get_ext_d2i(b, NID_authority_key_identifier, NULL, NULL);
    ERR_clear_error();
    return !x || !y || !x->keyid || !y->keyid || ASN1_OCTET_STRING_cmp(x->keyid, y->keyid) == 0;
}

enum error_code trust_set_list(struct trust *t, size_t source, struct bytes list, struct error *e)
{
    struct source *s = &t->sources[source];
    CLEANUP(X509_CRL) X509_CRL *fresh = parse_list(list);
    if (!fresh)
        return error_set(e, ERR_KEY_UNUSABLE, "this is no revocation list");
    int64_t this_update = ms_of(X509_CRL_get0_lastUpdate(fresh)),
            next_update = ms_of(X509_CRL_get0_nextUpdate(fresh));
    if (this_update < 0 || next_update < 0)
        return error_set(e, ERR_KEY_UNUSABLE, "the revocation list does not say when the next one comes");
    if (!is_complete(fresh))
        return error_set(e, ERR_KEY_UNUSABLE, "the revocation list is a delta, an indirect or a partial one");
    if (!signed_by_one_of(fresh, t->own) && !signed_by_one_of(fresh, t->others))
        return error_set(e, ERR_KEY_UNUSABLE,
                         "the revocation list is signed by no CA whose certificates are renewed here");
    if (s->list && this_update < s->this_update && of_same_key(s->list, fresh))
        return error_set(e, ERR_KEY_UNUSABLE, "the revocation list is older than the one before");
    X509_REVOKED *nobody;
    CLEANUP(ASN1_INTEGER) ASN1_INTEGER *zero = ASN1_INTEGER_new();
    if (zero)
        X509_CRL_get0_by_serial(fresh, &nobody, zero); /* sorts it now, so that later look-ups only read */
    X509_CRL_free(s->list);
    s->list = TAKE(fresh);
    s->this_update = this_update;
    s->next_update = next_update;
    return ERR_OK;
}

void trust_drop_list(struct trust *t, size_t source)
{
    struct source *s = &t->sources[source];
    if (!s->optional)
        return;
    X509_CRL_free(s->list);
    s->list = NULL;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

static void note_unknown(struct renewal_facts *out, int64_t since)
{
    if (out->list == RENEWAL_LIST_REVOKED)
        return;
    if (out->list != RENEWAL_LIST_UNKNOWN || since < out->unknown_since)
        out->unknown_since = since;
    out->list = RENEWAL_LIST_UNKNOWN;
}

/* Every source must have given a list, and every list of the certificate's CA must be current: together they
 * may be the parts of one. */
static void judge_lists(const struct trust *t, X509 *certificate, struct renewal_facts *out)
{
    bool covered = false;
    if (!t->source_count)
        return;
    out->list = RENEWAL_LIST_GOOD;
    for (size_t i = 0; i < t->source_count; i++) {
        const struct source *s = &t->sources[i];
        X509_REVOKED *entry;
        if (!s->list) {
            if (!s->optional)
                note_unknown(out, t->unknown_since);
        } else if (X509_NAME_cmp(X509_CRL_get_issuer(s->list), X509_get_issuer_name(certificate)) == 0) {
            covered = true;
            if (X509_CRL_get0_by_cert(s->list, &entry, certificate) == 1)
                out->list = RENEWAL_LIST_REVOKED;
            else if (out->now > s->next_update)
                note_unknown(out, s->next_update);
        }
    }
    if (covered || out->list != RENEWAL_LIST_GOOD)
        return;
    out->list = RENEWAL_LIST_OF_OTHERS;
    out->unknown_since = t->unknown_since;
}

void trust_judge(const struct trust *t, X509 *certificate, struct renewal_facts *out)
{
    uint32_t usage = X509_get_key_usage(certificate); /* all bits without the extension */
    out->is_ca = X509_check_ca(certificate) == 1;
    out->may_sign = (usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
    out->issuer = issuers_find(t->own, certificate)      ? RENEWAL_BY_OWN_CA
                  : issuers_find(t->others, certificate) ? RENEWAL_BY_OTHER_CA
                                                         : RENEWAL_BY_NOBODY;
    out->list = RENEWAL_LIST_UNWANTED;
    judge_lists(t, certificate, out);
}
