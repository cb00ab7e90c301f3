/* test_ra_maker.c: RA identities made, kept, renewed, continued after a stop; against a real store. */
#include <event2/event.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/issuing/fake_backend.h"
#include "flow/issuing/rig.h"
#include "support/runner.h"

extern const struct backend_type local_ca_type;

#define CAS                                                                                                  \
    "backends:\n"                                                                                            \
    "  own: {type: local_ca, key_type: ec-p256, subject: CN=Own CA}\n"                                       \
    "  other: {type: local_ca, key_type: ec-p256, subject: CN=Other CA}\n"                                   \
    "  both: {type: local_ca, key_type: rsa-2048, answers_scep: true}\n"
#define ALIASES                                                                                              \
    CAS "aliases:\n"                                                                                         \
        "  demo: {backend: own, challenge: {type: none}, ra: {lifetime: 90d}}\n"                             \
        "  apart: {backend: own, challenge: {type: none}, ra: {from: other}}\n"                              \
        "  self: {backend: both, challenge: {type: none}, ra: {from: ca}}\n"                                 \
        "  unfit: {backend: own, challenge: {type: none}, ra: {from: ca}}\n"
#define DAYS(n) ((n)*86400000LL)

static size_t count_of(struct rig *r, enum store_operation operation, const char *alias)
{
    struct store_answer *a = rig_list(r, operation, alias);
    size_t count = operation == STORE_RA_LIST            ? a->ra_count
                   : operation == STORE_CERTIFICATE_LIST ? a->certificate_count
                                                         : a->event_count;
    store_answer_free(a);
    return count;
}

/* The alias' backend is a fake in front of "own". */
static struct alias *fake_alias(struct rig *r, const struct backend_type *type, struct fake *f)
{
    struct alias *a = rig_alias(r, "demo");
    f->inner = backend_instance_opened(backends_find(r->backends, "own"));
    a->backend = a->ra_backend = fake_open(r->backends, type, "fake", f);
    return a;
}

static void restart_maker(struct rig *r)
{
    ra_maker_free(r->maker);
    r->maker = ra_maker_create(r->base, r->store, r->keys, r->pool, &r->clock, r->metrics);
}

TEST(identity_is_made_recorded_and_announced)
{
    struct rig r;
    rig_open(&r, ALIASES);
    struct alias *a = rig_alias(&r, "demo");
    CHECK(rig_ensure(&r, a));
    CHECK(a->ra && a->ra->count == 1);
    X509 *ra = a->ra->identities[0].certificate;
    CHECK_INT(X509_get_key_usage(ra), KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
    char subject[128];
    X509_NAME_oneline(X509_get_subject_name(ra), subject, sizeof subject);
    CHECK_TEXT(subject, "/CN=SCEP RA demo");
    CHECK_TEXT(a->ra->ca.content_type, "application/x-x509-ca-ra-cert");
    CHECK_INT(count_of(&r, STORE_RA_LIST, "demo"), 1);
    CHECK_INT(count_of(&r, STORE_CERTIFICATE_LIST, "demo"), 1);
    struct store_answer *audit = rig_list(&r, STORE_AUDIT_LIST, "demo");
    CHECK_INT(audit->event_count, 1);
    CHECK_TEXT(audit->events[0].event, "ra.made");
    CHECK(strstr(audit->events[0].details, "serial"));
    store_answer_free(audit);
    alias_unref(a);
    rig_close(&r);
}

TEST(stored_identity_is_loaded_again)
{
    struct rig r;
    rig_open(&r, ALIASES);
    struct alias *a = rig_alias(&r, "demo"), *b = rig_alias(&r, "demo");
    CHECK(rig_ensure(&r, a));
    restart_maker(&r);
    CHECK(rig_ensure(&r, b));
    CHECK(a->ra != b->ra && memcmp(a->ra->current_sha256, b->ra->current_sha256, 32) == 0);
    CHECK_INT(count_of(&r, STORE_CERTIFICATE_LIST, "demo"), 1);
    alias_unref(a);
    alias_unref(b);
    rig_close(&r);
}

TEST(renewal_at_two_thirds_keeps_the_old_key)
{
    struct rig r;
    rig_open(&r, ALIASES);
    struct alias *a = rig_alias(&r, "demo");
    CHECK(rig_ensure(&r, a));
    uint8_t first[32];
    memcpy(first, a->ra->current_sha256, 32);
    r.ahead = DAYS(59);
    CHECK(rig_ensure(&r, a));
    CHECK(memcmp(first, a->ra->current_sha256, 32) == 0);
    r.ahead = DAYS(61);
    CHECK(rig_ensure(&r, a));
    CHECK(memcmp(first, a->ra->current_sha256, 32) != 0);
    CHECK_INT(a->ra->count, 2);
    CHECK_INT(count_of(&r, STORE_CERTIFICATE_LIST, "demo"), 2);
    struct alias *b = rig_alias(&r, "demo"); /* as after a restart */
    CHECK(rig_ensure(&r, b));
    CHECK_INT(b->ra->count, 2);
    CHECK(X509_cmp(b->ra->identities[1].certificate, a->ra->identities[1].certificate) == 0);
    r.ahead = DAYS(95); /* the first has expired: it opens nothing any more */
    CHECK(rig_ensure(&r, b));
    CHECK_INT(b->ra->count, 1);
    alias_unref(a);
    alias_unref(b);
    rig_close(&r);
}

/* ---- one certificate to decrypt, one to sign ----------------------------------------------------------- */

#define TWO                                                                                                  \
    CAS "aliases:\n  demo: {backend: own, challenge: {type: none}, ra: {lifetime: 90d, separate_signing: "   \
        "true}}\n"

/* The maker goes on behind the first answer, until there are both. */
static bool ensure_both(struct rig *r, struct alias *a)
{
    bool ready = rig_ensure(r, a);
    while (!ra_maker_idle(r->maker))
        rig_turn(r);
    return ready;
}

static bool opens_and_signs(const struct ra_set *s, size_t i)
{
    return X509_get_key_usage(s->identities[i].certificate) == KU_KEY_ENCIPHERMENT &&
           X509_get_key_usage(s->signers[i].certificate) == KU_DIGITAL_SIGNATURE;
}

static bool same(const struct ra_set *a, size_t i, const struct ra_set *b, size_t k)
{
    return X509_cmp(a->identities[i].certificate, b->identities[k].certificate) == 0 &&
           X509_cmp(a->signers[i].certificate, b->signers[k].certificate) == 0;
}

TEST(two_certificates_are_made_and_renewed)
{
    struct rig r;
    rig_open(&r, TWO);
    struct alias *a = rig_alias(&r, "demo"), *b = rig_alias(&r, "demo");
    CHECK(ensure_both(&r, a));
    CHECK(a->ra && a->ra->count == 1 && opens_and_signs(a->ra, 0));
    CHECK_INT(count_of(&r, STORE_RA_LIST, "demo"), 2);
    CHECK_INT(count_of(&r, STORE_CERTIFICATE_LIST, "demo"), 2);
    CHECK_INT(count_of(&r, STORE_AUDIT_LIST, "demo"), 2);
    restart_maker(&r);
    CHECK(ensure_both(&r, b));
    CHECK(same(a->ra, 0, b->ra, 0));
    CHECK_INT(count_of(&r, STORE_RA_LIST, "demo"), 2);

    r.ahead = DAYS(61);
    CHECK(ensure_both(&r, b));
    CHECK_INT(count_of(&r, STORE_RA_LIST, "demo"), 4);
    CHECK_INT(b->ra->count, 2);
    CHECK(opens_and_signs(b->ra, 0) &&
          X509_cmp(b->ra->signers[0].certificate, a->ra->signers[0].certificate));
    CHECK(same(b->ra, 1, a->ra, 0)); /* who encrypts to the old one knows the old signer */
    alias_unref(a);
    alias_unref(b);
    rig_close(&r);
}

TEST(one_certificate_becomes_two_and_one_again)
{
    struct rig r;
    struct error e = {0};
    rig_open(&r, ALIASES);
    struct alias *one = rig_alias(&r, "demo");
    CHECK(ensure_both(&r, one));
    CHECK(rig_reload(&r, TWO, &e) == ERR_OK);
    struct alias *two = rig_alias(&r, "demo");
    CHECK(ensure_both(&r, two));
    CHECK_INT(two->ra->count, 2);
    CHECK(opens_and_signs(two->ra, 0) && same(two->ra, 1, one->ra, 0));
    CHECK(rig_reload(&r, ALIASES, &e) == ERR_OK);
    struct alias *again = rig_alias(&r, "demo");
    r.ahead = DAYS(61);
    CHECK(ensure_both(&r, again));
    CHECK_INT(again->ra->count, 3);
    CHECK_INT(X509_get_key_usage(again->ra->identities[0].certificate),
              KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
    CHECK(same(again->ra, 1, two->ra, 0) && same(again->ra, 2, one->ra, 0));
    alias_unref(one);
    alias_unref(two);
    alias_unref(again);
    rig_close(&r);
}

TEST(obligation_renews)
{
    struct rig r;
    rig_open(&r, ALIASES);
    struct alias *a = rig_alias(&r, "demo");
    struct alias_directory *d = alias_directory_create();
    struct obligations *o = obligations_create(r.base, r.store);
    CHECK(alias_directory_put(d, a) == ERR_OK);
    CHECK(rig_ensure(&r, a));
    uint8_t first[32];
    memcpy(first, a->ra->current_sha256, 32);
    r.ahead = DAYS(61);
    ra_maker_serve(r.maker, o, d, 3600000);
    obligations_start(o);
    while (memcmp(first, a->ra->current_sha256, 32) == 0)
        rig_turn(&r);
    obligations_stop(o);
    while (!obligations_idle(o) || !ra_maker_idle(r.maker))
        rig_turn(&r);
    struct store_request claim;
    store_request_init(&claim, STORE_OBLIGATION_CLAIM);
    claim.obligation_claim.limit = 10;
    claim.obligation_claim.lease = 1000;
    r.ahead += DAYS(61); /* the next one is written already */
    struct store_answer *due = rig_ask(&r, &claim);
    CHECK_INT(due->obligation_count, 1);
    CHECK_TEXT(due->obligations[0].kind, "ra.renew");
    CHECK_TEXT(due->obligations[0].reference, "2");
    store_answer_free(due);
    obligations_free(o);
    alias_directory_free(d);
    alias_unref(a);
    rig_close(&r);
}

TEST(pending_answer_is_taken_up_with_the_same_key)
{
    struct rig r;
    struct fake f = {.mode = FAKE_PEND};
    rig_open(&r, ALIASES);
    struct alias *a = fake_alias(&r, &fake_type, &f);
    CHECK(!rig_ensure(&r, a));
    CHECK(!a->ra);
    struct store_answer *draft = rig_list(&r, STORE_RA_LIST, "demo");
    CHECK_INT(draft->ra_count, 1);
    CHECK_INT(draft->ras[0].chain_count, 0);
    CHECK(draft->ras[0].cookie.len > 8);
    char transaction[64];
    memcpy(transaction, f.transaction, sizeof transaction);
    restart_maker(&r); /* the process died while the backend was thinking */
    CHECK(rig_ensure(&r, a));
    CHECK_INT(f.enrolled, 1);
    CHECK_INT(f.polled, 1);
    CHECK_TEXT(f.transaction, transaction);
    struct store_answer *made = rig_list(&r, STORE_RA_LIST, "demo");
    CHECK_INT(made->ra_count, 1);
    CHECK(bytes_equal(made->ras[0].sealed_key, draft->ras[0].sealed_key));
    CHECK_INT(made->ras[0].generation, draft->ras[0].generation);
    CHECK_INT(count_of(&r, STORE_CERTIFICATE_LIST, "demo"), 1);
    store_answer_free(draft);
    store_answer_free(made);
    alias_unref(a);
    rig_close(&r);
}

TEST(lost_submission_repeats_the_same_certificate)
{
    struct rig r;
    struct fake f = {.mode = FAKE_UNAVAILABLE};
    rig_open(&r, ALIASES);
    struct alias *a = fake_alias(&r, &fake_type, &f);
    CHECK(!rig_ensure(&r, a));
    struct store_answer *draft = rig_list(&r, STORE_RA_LIST, "demo");
    CHECK(draft->ra_count == 1 && draft->ras[0].cookie.len > 2 + 20);
    f.mode = FAKE_ISSUE;
    restart_maker(&r);
    CHECK(rig_ensure(&r, a));
    /* The plan of the first attempt holds the serial: two bytes of length, one of version, 20 of serial. */
    const ASN1_INTEGER *serial = X509_get0_serialNumber(a->ra->identities[0].certificate);
    CHECK(memcmp(ASN1_STRING_get0_data(serial), draft->ras[0].cookie.data + 3, 20) == 0);
    store_answer_free(draft);
    alias_unref(a);
    rig_close(&r);
}

TEST(backend_that_is_not_safe_to_repeat_is_asked_what_became_of_it)
{
    struct rig r;
    struct fake f = {.mode = FAKE_UNAVAILABLE};
    rig_open(&r, ALIASES);
    struct alias *a = fake_alias(&r, &fake_client_type, &f);
    CHECK(!rig_ensure(&r, a));
    restart_maker(&r);
    CHECK(rig_ensure(&r, a));
    CHECK_INT(f.enrolled, 1);
    CHECK_INT(f.looked_up, 1);
    alias_unref(a);
    rig_close(&r);
}

TEST(rejection_is_asked_anew_after_a_while)
{
    struct rig r;
    struct fake f = {.mode = FAKE_REJECT};
    rig_open(&r, ALIASES);
    struct alias *a = fake_alias(&r, &fake_type, &f);
    CHECK(!rig_ensure(&r, a));
    CHECK(!rig_ensure(&r, a)); /* between two attempts the answer comes at once */
    CHECK_INT(f.enrolled, 1);
    f.mode = FAKE_ISSUE;
    while (!a->ra) /* by itself, with back-off */
        rig_turn(&r);
    CHECK_INT(f.enrolled, 2);
    while (!ra_maker_idle(r.maker))
        rig_turn(&r);
    alias_unref(a);
    rig_close(&r);
}

TEST(failed_renewal_keeps_the_old_identity)
{
    struct rig r;
    struct fake f = {.mode = FAKE_ISSUE};
    rig_open(&r, ALIASES);
    struct alias *a = fake_alias(&r, &fake_type, &f);
    CHECK(rig_ensure(&r, a));
    f.mode = FAKE_REJECT;
    r.ahead = DAYS(61);
    CHECK(rig_ensure(&r, a));
    CHECK_INT(a->ra->count, 1);
    CHECK_INT(count_of(&r, STORE_CERTIFICATE_LIST, "demo"), 1);
    alias_unref(a);
    rig_close(&r);
}

TEST(lease_of_somebody_else_is_waited_for)
{
    struct rig r;
    rig_open(&r, ALIASES);
    struct alias *a = rig_alias(&r, "demo");
    struct store_request take;
    store_request_init(&take, STORE_LEASE_TAKE);
    take.lease.alias = "demo";
    take.lease.name = "ra";
    take.lease.duration = 3600000;
    struct store_answer *taken = rig_ask(&r, &take);
    CHECK_INT(taken->outcome, STORE_MINE);
    CHECK(!rig_ensure(&r, a));
    CHECK_INT(count_of(&r, STORE_RA_LIST, "demo"), 0);
    struct store_request drop;
    store_request_init(&drop, STORE_LEASE_DROP);
    drop.lease = take.lease;
    drop.lease.claim = taken->claim;
    store_answer_free(taken);
    store_answer_free(rig_ask(&r, &drop));
    while (!a->ra)
        rig_turn(&r);
    while (!ra_maker_idle(r.maker))
        rig_turn(&r);
    alias_unref(a);
    rig_close(&r);
}

TEST(few_at_a_time_and_a_stop_in_between)
{
    struct rig r;
    struct fake f = {.mode = FAKE_SILENT};
    struct alias *aliases[7];
    char yaml[1024] = CAS "aliases:\n";
    for (int i = 0; i < 7; i++)
        snprintf(yaml + strlen(yaml), sizeof yaml - strlen(yaml),
                 "  a%d: {backend: own, challenge: {type: none}}\n", i);
    rig_open(&r, yaml);
    f.inner = backend_instance_opened(backends_find(r.backends, "own"));
    struct backend_instance *fake = fake_open(r.backends, &fake_type, "fake", &f);
    for (int i = 0; i < 7; i++) {
        char name[8];
        snprintf(name, sizeof name, "a%d", i);
        aliases[i] = rig_alias(&r, name);
        aliases[i]->backend = aliases[i]->ra_backend = fake;
        ra_maker_ensure(r.maker, aliases[i], NULL, NULL);
    }
    while (f.enrolled < 4)
        rig_turn(&r);
    for (int i = 0; i < 50; i++) {
        struct timeval moment = {.tv_usec = 2000};
        event_base_loopexit(r.base, &moment);
        event_base_dispatch(r.base);
    }
    CHECK_INT(f.enrolled, 4);
    CHECK(!ra_maker_idle(r.maker));
    ra_maker_free(r.maker); /* running attempts end with the answers that they wait for */
    r.maker = ra_maker_create(r.base, r.store, r.keys, r.pool, &r.clock, r.metrics);
    fake_release(&f, BACKEND_UNAVAILABLE);
    CHECK_INT(f.waiting, 0);
    for (int i = 0; i < 7; i++)
        alias_unref(aliases[i]);
    rig_close(&r);
}

TEST(another_backend_certifies_and_both_chains_are_told)
{
    struct rig r;
    rig_open(&r, ALIASES);
    struct alias *apart = rig_alias(&r, "apart"), *demo = rig_alias(&r, "demo");
    CHECK(rig_ensure(&r, apart) && rig_ensure(&r, demo));
    char issuer[128];
    X509_NAME_oneline(X509_get_issuer_name(apart->ra->identities[0].certificate), issuer, sizeof issuer);
    CHECK_TEXT(issuer, "/CN=Other CA");
    CHECK(apart->ra->ca.body.len > demo->ra->ca.body.len);
    CHECK(memmem(apart->ra->ca.body.data, apart->ra->ca.body.len, "Own CA", 6) != NULL);
    CHECK(strcmp(apart->ra->ca.pin_sha256, demo->ra->ca.pin_sha256) != 0);
    alias_unref(apart);
    alias_unref(demo);
    rig_close(&r);
}

TEST(ca_as_ra_needs_a_fit_certificate)
{
    struct rig r;
    rig_open(&r, ALIASES);
    struct alias *self = rig_alias(&r, "self"), *unfit = rig_alias(&r, "unfit");
    CHECK(rig_ensure(&r, self));
    CHECK_TEXT(self->ra->ca.content_type, "application/x-x509-ca-cert");
    CHECK(!rig_ensure(&r, unfit));
    CHECK(!unfit->ra);
    alias_unref(self);
    alias_unref(unfit);
    rig_close(&r);
}

TEST(files_are_loaded)
{
    struct rig r;
    char yaml[2048];
    rig_open(&r, ALIASES);
    snprintf(yaml, sizeof yaml,
             CAS "aliases:\n  given: {backend: both, challenge: {type: none}, ra: {from: files, certificate: "
                 "%s/backends/both/ca.pem, "
                 "key: %s/backends/both/ca-key.pem}}\n",
             r.folder, r.folder);
    struct error e = {0};
    CHECK_INT(rig_reload(&r, yaml, &e), ERR_OK);
    struct alias *a = rig_alias(&r, "given");
    CHECK(rig_ensure(&r, a));
    CHECK(a->ra != NULL);
    CHECK_INT(ra_maker_check(a->settings, r.backends, &e), ERR_OK);
    alias_unref(a);
    rig_close(&r);
}

TEST(alias_that_could_never_have_an_ra_is_refused)
{
    struct rig r;
    struct fake f = {0};
    struct error e = {0};
    rig_open(&r, ALIASES);
    for (size_t i = 0; i < r.settings->alias_count; i++)
        CHECK_INT(ra_maker_check(r.settings->aliases[i], r.backends, &e), ERR_OK);
    fake_open(r.backends, &fake_client_type, "own", &f); /* in front of the local_ca */
    for (size_t i = 0; i < r.settings->alias_count; i++) {
        const struct alias_settings *s = r.settings->aliases[i];
        bool bad = strcmp(s->name, "demo") == 0 || strcmp(s->name, "unfit") == 0;
        CHECK_INT(ra_maker_check(s, r.backends, &e), bad ? ERR_SETTINGS_INVALID : ERR_OK);
        CHECK(!bad || (strstr(e.text, s->name) && strstr(e.text, "\"own\"") && strstr(e.text, "files")));
    }
    rig_close(&r);
}

TEST(capabilities_are_the_alias_own)
{
    struct rig r;
    rig_open(&r, ALIASES
             "  old: {backend: own, challenge: {type: none}, compat: {obsolete_algorithms: [des, md5]}}\n");
    struct alias *a = rig_alias(&r, "demo"), *old = rig_alias(&r, "old");
    CHECK(strstr(a->capabilities, "SCEPStandard\n") && strstr(a->capabilities, "AES\n"));
    CHECK(strstr(a->capabilities, "POSTPKIOperation\n") && strstr(a->capabilities, "SHA-384\n"));
    CHECK(!strstr(old->capabilities, "SCEPStandard"));
    CHECK(strstr(old->capabilities, "AES\n"));
    alias_unref(a);
    alias_unref(old);
    rig_close(&r);
}

RUNNER_MAIN()
