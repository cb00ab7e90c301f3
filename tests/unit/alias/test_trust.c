/* test_trust.c: whose certificates are renewed, and what revocation lists say of them. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alias/trust.h"
#include "unit/alias/made.h"

#define HOUR 3600

static struct made own, other, stranger, device;
static char file[] = "/tmp/trust.XXXXXX";
static struct trust *trust;
static int64_t now;

static char *issuer_files[] = {file};
static char first[] = "first.crl", second[] = "second.crl", url[] = "http://a.example/ca.crl";
static char *sources[] = {first, second};
static char *urls[] = {url};

static struct trust *create(size_t files, size_t links)
{
    struct renewal_settings s = {
        .issuers = {issuer_files, 1}, .crl_files = {sources, files}, .crl_urls = {urls, links}};
    struct trust *t = NULL;
    struct error e = {0};
    cr_assert_eq(trust_create(&t, &s, now, &e), ERR_OK, "%s", error_text(&e));
    return t;
}

static void add_own(struct trust *t)
{
    struct error e = {0};
    struct bytes der = made_der(&own);
    cr_assert_eq(trust_add_own(t, der, &e), ERR_OK, "%s", error_text(&e));
    free((void *)(uintptr_t)der.data);
}

static void set_up(void)
{
    now = (int64_t)time(NULL) * 1000;
    own = make((struct made_order){.name = "Own CA", .ca = true});
    other = make((struct made_order){.name = "Other CA", .ca = true});
    stranger = make((struct made_order){.name = "Other CA", .ca = true}); /* the same name, another key */
    device = make((struct made_order){.name = "device", .issuer = &own, .usage = "digitalSignature"});
    close(mkstemp(file));
    made_write(file, &other, false);
    trust = create(1, 0);
    add_own(trust);
}

static void tear_down(void)
{
    trust_unref(trust);
    made_free(&own);
    made_free(&other);
    made_free(&stranger);
    made_free(&device);
    unlink(file);
}

TestSuite(trust, .init = set_up, .fini = tear_down);

/* ---- lists --------------------------------------------------------------------------------------------- */

struct list_order {
    const struct made *by;
    const struct made *revoked;
    long from, to;     /* seconds from now; both 0: an hour ago, for two */
    const char *point; /* configuration of an issuingDistributionPoint */
    bool delta;
    bool pem;
    bool endless; /* no nextUpdate */
};

static void set_time(X509_CRL *list, int (*set)(X509_CRL *, const ASN1_TIME *), long offset)
{
    ASN1_TIME *when = X509_gmtime_adj(NULL, offset);
    cr_assert(when && set(list, when));
    ASN1_TIME_free(when);
}

static void add_revoked(X509_CRL *list, const struct made *revoked)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *when = X509_gmtime_adj(NULL, -HOUR);
    cr_assert(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->certificate)) &&
              X509_REVOKED_set_revocationDate(entry, when) && X509_CRL_add0_revoked(list, entry));
    ASN1_TIME_free(when);
}

static struct bytes encode(X509_CRL *list, bool pem)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data;
    cr_assert(pem ? PEM_write_bio_X509_CRL(out, list) : i2d_X509_CRL_bio(out, list));
    long len = BIO_get_mem_data(out, &data);
    struct bytes copy = bytes_copy(bytes_of(data, (size_t)len));
    BIO_free(out);
    return copy;
}

static struct bytes make_list(struct list_order o)
{
    X509_CRL *list = X509_CRL_new();
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(o.by->certificate));
    set_time(list, X509_CRL_set1_lastUpdate, o.to ? o.from : -HOUR);
    if (!o.endless)
        set_time(list, X509_CRL_set1_nextUpdate, o.to ? o.to : HOUR);
    if (o.revoked)
        add_revoked(list, o.revoked);
    ASN1_INTEGER *base = ASN1_INTEGER_new();
    cr_assert(!o.delta || X509_CRL_add1_ext_i2d(list, NID_delta_crl, base, 1, 0));
    ASN1_INTEGER_free(base);
    if (o.point) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, o.by->certificate, NULL, NULL, list, 0);
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, NID_issuing_distribution_point, o.point);
        cr_assert(e && X509_CRL_add_ext(list, e, -1));
        X509_EXTENSION_free(e);
    }
    cr_assert(X509_CRL_sign(list, o.by->key, EVP_sha256()));
    struct bytes encoded = encode(list, o.pem);
    X509_CRL_free(list);
    return encoded;
}

static enum error_code set_list(struct trust *t, size_t source, struct list_order o, struct error *e)
{
    struct bytes list = make_list(o);
    enum error_code code = trust_set_list(t, source, list, e);
    free((void *)(uintptr_t)list.data);
    return code;
}

static void accepts(struct trust *t, size_t source, struct list_order o)
{
    struct error e = {0};
    cr_assert_eq(set_list(t, source, o, &e), ERR_OK, "%s", error_text(&e));
}

static void refuses(struct list_order o, const char *sentence)
{
    struct error e = {0};
    cr_expect_eq(set_list(trust, 0, o, &e), ERR_KEY_UNUSABLE);
    cr_expect_not_null(strstr(error_text(&e), sentence), "%s", error_text(&e));
}

static struct renewal_facts judge(const struct trust *t, const struct made *m, int64_t when)
{
    struct renewal_facts f = {.now = when};
    trust_judge(t, m->certificate, &f);
    return f;
}

/* ---- whose --------------------------------------------------------------------------------------------- */

Test(trust, knows_who_issued)
{
    struct made theirs = make((struct made_order){.name = "device", .issuer = &other});
    struct made forged = make((struct made_order){.name = "device", .issuer = &stranger});
    struct made below = make((struct made_order){.name = "below", .issuer = &theirs});
    cr_expect_eq(judge(trust, &device, now).issuer, RENEWAL_BY_OWN_CA);
    cr_expect_eq(judge(trust, &theirs, now).issuer, RENEWAL_BY_OTHER_CA);
    cr_expect_eq(judge(trust, &forged, now).issuer, RENEWAL_BY_NOBODY);
    cr_expect_eq(judge(trust, &below, now).issuer, RENEWAL_BY_NOBODY);
    made_free(&theirs);
    made_free(&forged);
    made_free(&below);
}

Test(trust, knows_what_a_certificate_may)
{
    struct made cipher = make((struct made_order){.name = "device", .usage = "keyEncipherment"});
    struct made plain = make((struct made_order){.name = "device"});
    cr_expect(judge(trust, &device, now).may_sign);
    cr_expect_not(judge(trust, &cipher, now).may_sign);
    cr_expect(judge(trust, &plain, now).may_sign);
    cr_expect(judge(trust, &own, now).is_ca);
    cr_expect_not(judge(trust, &device, now).is_ca);
    made_free(&cipher);
    made_free(&plain);
}

Test(trust, an_unreadable_file_of_issuers_is_named)
{
    char path[] = "/nonexistent/ca.pem";
    char *missing[] = {path};
    struct renewal_settings s = {.issuers = {missing, 1}};
    struct trust *t = trust;
    struct error e = {0};
    cr_expect_eq(trust_create(&t, &s, now, &e), ERR_FILE_UNREADABLE);
    cr_expect_null(t);
    cr_expect_not_null(strstr(error_text(&e), "renewal.issuers: cannot read /nonexistent/ca.pem"));
}

/* ---- revocation ---------------------------------------------------------------------------------------- */

Test(trust, without_sources_lists_are_not_wanted)
{
    struct trust *t = create(0, 0);
    cr_expect_eq(judge(t, &device, now).list, RENEWAL_LIST_UNWANTED);
    cr_expect_eq(trust_source_count(t), 0);
    trust_unref(t);
}

Test(trust, a_list_says_who_is_revoked)
{
    struct made good = make((struct made_order){.name = "good", .issuer = &own});
    accepts(trust, 0, (struct list_order){.by = &own, .revoked = &device});
    cr_expect_eq(judge(trust, &device, now).list, RENEWAL_LIST_REVOKED);
    cr_expect_eq(judge(trust, &good, now).list, RENEWAL_LIST_GOOD);
    accepts(trust, 0, (struct list_order){.by = &own, .pem = true});
    cr_expect_eq(judge(trust, &device, now).list, RENEWAL_LIST_GOOD);
    made_free(&good);
}

Test(trust, unknown_until_the_first_list_and_after_the_last)
{
    struct renewal_facts f = judge(trust, &device, now);
    cr_expect_eq(f.list, RENEWAL_LIST_UNKNOWN);
    cr_expect_eq(f.unknown_since, now);
    accepts(trust, 0, (struct list_order){.by = &own});
    cr_expect_eq(judge(trust, &device, now).list, RENEWAL_LIST_GOOD);
    f = judge(trust, &device, now + 3 * HOUR * 1000LL);
    cr_expect_eq(f.list, RENEWAL_LIST_UNKNOWN);
    cr_expect_leq(llabs(f.unknown_since - now - HOUR * 1000LL), 5000);
}

Test(trust, what_a_stale_list_revoked_stays_revoked)
{
    accepts(trust, 0, (struct list_order){.by = &own, .revoked = &device});
    cr_expect_eq(judge(trust, &device, now + 3 * HOUR * 1000LL).list, RENEWAL_LIST_REVOKED);
}

Test(trust, the_list_of_another_ca_says_nothing)
{
    accepts(trust, 0, (struct list_order){.by = &other, .revoked = &device});
    struct renewal_facts f = judge(trust, &device, now);
    cr_expect_eq(f.list, RENEWAL_LIST_OF_OTHERS);
    cr_expect_eq(f.unknown_since, now);
}

Test(trust, every_source_counts)
{
    struct trust *t = create(2, 0);
    add_own(t);
    accepts(t, 0, (struct list_order){.by = &own});
    cr_expect_eq(judge(t, &device, now).list, RENEWAL_LIST_UNKNOWN); /* the second may be the other half */
    accepts(t, 1, (struct list_order){.by = &own, .revoked = &device});
    cr_expect_eq(judge(t, &device, now).list, RENEWAL_LIST_REVOKED);
    trust_unref(t);
}

Test(trust, refuses_lists_that_say_too_little)
{
    struct error e = {0};
    refuses((struct list_order){.by = &stranger}, "signed by no CA");
    refuses((struct list_order){.by = &device}, "signed by no CA");
    refuses((struct list_order){.by = &own, .delta = true}, "delta");
    refuses((struct list_order){.by = &own, .point = "critical,onlyCA:TRUE"}, "partial");
    refuses((struct list_order){.by = &own, .point = "critical,indirectCRL:TRUE"}, "indirect");
    refuses((struct list_order){.by = &own, .endless = true}, "when the next one comes");
    cr_expect_eq(trust_set_list(trust, 0, bytes_of_text("nonsense"), &e), ERR_KEY_UNUSABLE);
    cr_expect_eq(trust_set_list(trust, 0, bytes_of(NULL, 0), &e), ERR_KEY_UNUSABLE);
    cr_expect_eq(judge(trust, &device, now).list, RENEWAL_LIST_UNKNOWN);
    accepts(trust, 0, (struct list_order){.by = &own, .point = "critical,onlyuser:TRUE"});
}

Test(trust, an_older_list_replaces_none)
{
    accepts(trust, 0, (struct list_order){.by = &own, .revoked = &device});
    refuses((struct list_order){.by = &own, .from = -2 * HOUR, .to = HOUR}, "older");
    cr_expect_eq(judge(trust, &device, now).list, RENEWAL_LIST_REVOKED);
}

/* ---- successors ---------------------------------------------------------------------------------------- */

Test(trust, a_copy_knows_what_its_model_knew)
{
    accepts(trust, 0, (struct list_order){.by = &own, .revoked = &device});
    struct trust *copy = trust_copy(trust);
    cr_assert_not_null(copy);
    accepts(copy, 0, (struct list_order){.by = &own});
    cr_expect_eq(judge(copy, &device, now).list, RENEWAL_LIST_GOOD);
    cr_expect_eq(judge(trust, &device, now).list, RENEWAL_LIST_REVOKED); /* the model stays as it was */
    cr_expect_eq(judge(copy, &device, now).issuer, RENEWAL_BY_OWN_CA);
    trust_unref(copy);
}

/* ---- lists of the backend's own CAs -------------------------------------------------------------------- */

static struct trust *create_with_backend(void)
{
    struct renewal_settings s = {.issuers = {issuer_files, 1}, .crl_from_backend = true};
    struct trust *t = NULL;
    struct error e = {0};
    cr_assert_eq(trust_create(&t, &s, now, &e), ERR_OK, "%s", error_text(&e));
    add_own(t);
    return t;
}

Test(trust, the_backends_first_list_must_be_there_and_others_may)
{
    enum trust_source_kind kind;
    struct trust *t = create_with_backend();
    cr_assert_eq(trust_source_count(t), TRUST_BACKEND_LISTS);
    trust_source(t, 0, &kind);
    cr_expect_eq(kind, TRUST_BACKEND);
    cr_expect_eq(judge(t, &device, now).list, RENEWAL_LIST_UNKNOWN);
    accepts(t, 0, (struct list_order){.by = &own});
    cr_expect_eq(judge(t, &device, now).list, RENEWAL_LIST_GOOD);
    accepts(t, 0, (struct list_order){.by = &own, .revoked = &device, .from = -60, .to = HOUR});
    cr_expect_eq(judge(t, &device, now).list, RENEWAL_LIST_REVOKED);
    trust_unref(t);
}

Test(trust, the_list_of_a_ca_that_left_is_forgotten)
{
    struct trust *t = create_with_backend();
    accepts(t, 0, (struct list_order){.by = &own});
    accepts(t, 1, (struct list_order){.by = &own, .revoked = &device});
    struct trust *copy = trust_copy(t);
    cr_expect_eq(judge(copy, &device, now).list, RENEWAL_LIST_REVOKED);
    trust_drop_list(copy, 1);
    cr_expect_eq(judge(copy, &device, now).list, RENEWAL_LIST_GOOD);
    trust_drop_list(copy, 0);
    cr_expect_eq(judge(copy, &device, now).list, RENEWAL_LIST_GOOD, "the first one stays");
    trust_unref(copy);
    trust_unref(t);
}

/* Another CA took over: its list may be older than the newest of the one before. */
Test(trust, another_cas_list_may_be_older)
{
    struct trust *t = create_with_backend();
    accepts(t, 0, (struct list_order){.by = &own, .from = -60, .to = HOUR});
    accepts(t, 0, (struct list_order){.by = &other});
    trust_unref(t);
}

Test(trust, new_settings_inherit_lists_by_their_source)
{
    enum trust_source_kind kind;
    accepts(trust, 0, (struct list_order){.by = &own, .revoked = &device});
    now += 1000;
    struct trust *fresh = create(1, 1);
    trust_inherit(fresh, trust);
    struct renewal_facts f = judge(fresh, &device, now);
    cr_expect_eq(f.list, RENEWAL_LIST_REVOKED);
    cr_expect_eq(f.issuer, RENEWAL_BY_OWN_CA);
    cr_expect_str_eq(trust_source(fresh, 1, &kind), urls[0]);
    cr_expect_eq(kind, TRUST_URL);
    trust_unref(fresh);
}
