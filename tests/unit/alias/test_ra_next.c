/* test_ra_next.c: an RA identity and the one that follows it. */
#include <criterion/criterion.h>
#include <openssl/cms.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "alias/ra.h"
#include "base/cleanup.h"
#include "scep/next_ca.h"
#include "unit/alias/made.h"

#define BOTH "critical,digitalSignature,keyEncipherment"

struct side { /* a CA and its RA */
    struct made ca, ra;
    struct bytes chain[1];
    struct ra_set *set;
};

static struct error e;

static void make_side(struct side *s, const char *ca, const char *ra)
{
    *s = (struct side){
        .ca = make((struct made_order){.name = ca, .ca = true, .usage = "critical,keyCertSign"})};
    s->ra = make((struct made_order){.name = ra, .usage = BOTH, .issuer = &s->ca});
    s->chain[0] = made_der(&s->ca);
    struct scep_recipient pair = {.certificate = s->ra.certificate, .key = s->ra.key};
    struct ra_parts parts = {
        .identities = &pair, .count = 1, .chain = s->chain, .chain_count = 1, .root_in_body = true};
    cr_assert_eq(ra_set_create(&s->set, &parts, &e), ERR_OK, "%s", e.text);
}

static void drop_side(struct side *s)
{
    ra_set_unref(s->set);
    free((void *)(uintptr_t)s->chain[0].data);
    made_free(&s->ra);
    made_free(&s->ca);
}

static struct ra_staging staging(const struct side *old, const struct side *next)
{
    return (struct ra_staging){.present = old->set,
                               .next = next ? next->set : NULL,
                               .issuer = next ? next->chain[0] : old->chain[0],
                               .from = 7000,
                               .digest = SCEP_DIGEST_SHA256};
}

static bool signed_for(struct bytes announcement, X509 *signer, size_t *count)
{
    STACK_OF(X509) *authorities = sk_X509_new_null(), *bag = NULL;
    sk_X509_push(authorities, signer);
    bool read = scep_next_ca_read(&bag, announcement, authorities, &e) == ERR_OK;
    *count = read ? (size_t)sk_X509_num(bag) : 0;
    sk_X509_pop_free(bag, X509_free);
    sk_X509_free(authorities);
    return read;
}

Test(ra_next, both_open_and_the_recipient_says_who_issues)
{
    struct side old, next;
    struct ra_set *s;
    size_t told;
    uint8_t hash[32];
    make_side(&old, "Old CA", "Old RA");
    make_side(&next, "Next CA", "Next RA");
    struct ra_staging order = staging(&old, &next);
    cr_assert_eq(ra_set_stage(&s, &order, &e), ERR_OK, "%s", e.text);
    cr_assert_eq(s->count, 2);
    cr_assert_eq(s->next->first, 1);
    cr_assert_eq(s->next->from, 7000);
    cr_assert(bytes_equal(s->ca.body, old.set->ca.body));
    cr_assert_eq(ra_set_issuer(s, 0).len, 0);
    cr_assert(bytes_equal(ra_set_issuer(s, 1), next.chain[0]));
    X509_digest(next.ra.certificate, EVP_sha256(), hash, NULL);
    cr_assert(bytes_equal(ra_set_issuer_for(s, hash), next.chain[0]));
    cr_assert_eq(ra_set_issuer_for(old.set, hash).len, 0);
    X509_digest(old.ra.certificate, EVP_sha256(), hash, NULL);
    cr_assert_eq(ra_set_issuer_for(s, hash).len, 0);
    cr_assert(signed_for(s->next->announcement, old.ra.certificate, &told));
    cr_assert_eq(told, 2);
    cr_assert(!signed_for(s->next->announcement, next.ra.certificate, &told));
    const struct ra_set *after = s->next->after;
    cr_assert_eq(after->count, 2);
    cr_assert_eq(X509_cmp(after->identities[0].certificate, next.ra.certificate), 0);
    cr_assert_eq(X509_cmp(after->identities[1].certificate, old.ra.certificate), 0);
    cr_assert(bytes_equal(after->ca.body, next.set->ca.body) && !after->next);
    ra_set_unref(s);
    drop_side(&old), drop_side(&next);
}

Test(ra_next, without_an_identity_only_the_time_is_known)
{
    struct side old;
    struct ra_set *s;
    make_side(&old, "Old CA", "Old RA");
    struct ra_staging order = staging(&old, NULL);
    cr_assert_eq(ra_set_stage(&s, &order, &e), ERR_OK, "%s", e.text);
    cr_assert_eq(s->count, 1);
    cr_assert(!s->next->after && !s->next->announcement.len && s->next->from == 7000);
    cr_assert_eq(ra_set_issuer(s, 0).len, 0);
    ra_set_unref(s);
    drop_side(&old);
}

Test(ra_next, the_same_ra_for_both_says_nothing)
{
    struct side old, next;
    struct ra_set *s;
    make_side(&old, "Old CA", "Old RA");
    make_side(&next, "Next CA", "Next RA");
    struct ra_staging order = staging(&old, &next);
    order.next = old.set;
    cr_assert_eq(ra_set_stage(&s, &order, &e), ERR_KEY_UNUSABLE);
    cr_assert(strstr(e.text, "would not say which CA is meant"), "%s", e.text);
    cr_assert_null(s);
    drop_side(&old), drop_side(&next);
}

Test(ra_next, old_ones_make_room)
{
    struct side old, next;
    struct ra_set *full, *s;
    make_side(&old, "Old CA", "Old RA");
    make_side(&next, "Next CA", "Next RA");
    struct made more[SCEP_RECIPIENTS_MAX];
    struct scep_recipient pairs[SCEP_RECIPIENTS_MAX];
    for (size_t i = 0; i < SCEP_RECIPIENTS_MAX; i++) {
        more[i] = make((struct made_order){.name = "RA", .usage = BOTH, .issuer = &old.ca});
        pairs[i] = (struct scep_recipient){.certificate = more[i].certificate, .key = more[i].key};
    }
    struct ra_parts parts = {.identities = pairs,
                             .count = SCEP_RECIPIENTS_MAX,
                             .chain = old.chain,
                             .chain_count = 1,
                             .root_in_body = true};
    cr_assert_eq(ra_set_create(&full, &parts, &e), ERR_OK, "%s", e.text);
    struct ra_staging order = staging(&old, &next);
    order.present = full;
    cr_assert_eq(ra_set_stage(&s, &order, &e), ERR_OK, "%s", e.text);
    cr_assert_eq(s->count, SCEP_RECIPIENTS_MAX);
    cr_assert_eq(s->next->first, SCEP_RECIPIENTS_MAX - 1);
    cr_assert_eq(X509_cmp(s->identities[0].certificate, more[0].certificate), 0);
    cr_assert_eq(s->next->after->count, SCEP_RECIPIENTS_MAX);
    ra_set_unref(s), ra_set_unref(full);
    for (size_t i = 0; i < SCEP_RECIPIENTS_MAX; i++)
        made_free(&more[i]);
    drop_side(&old), drop_side(&next);
}
