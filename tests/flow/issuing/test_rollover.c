/* test_rollover.c: a CA is followed by another, on a clock that is stepped: its RA is made before, told of, and
 * takes over. */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/local_ca/ca_files.h"
#include "flow/issuing/fake_backend.h"
#include "flow/issuing/rig.h"
#include "issuing/rollover.h"
#include "scep/next_ca.h"
#include "support/runner.h"

#define DAYS(n) ((n)*86400000LL)

struct stage { /* a CA's files, and the text of settings that stage it */
    char folder[32], certificate[64], key[64], from[40];
    char staged[1024], plain[512];
};

static void make_stage(struct stage *s, const char *alias_rows)
{
    char sentence[320];
    struct problem problem = {.text = sentence, .size = sizeof sentence};
    snprintf(s->folder, sizeof s->folder, "/tmp/rollover-XXXXXX");
    CHECK(mkdtemp(s->folder));
    snprintf(s->certificate, sizeof s->certificate, "%s/ca.pem", s->folder);
    snprintf(s->key, sizeof s->key, "%s/key.pem", s->folder);
    struct ca_order order = {.key_type = "ec-p256",
                             .subject = "CN=Next CA",
                             .validity = DAYS(4000),
                             .key_path = s->key,
                             .certificate_path = s->certificate};
    CHECK(ca_create(&order, &problem));
    time_t from = time(NULL) + 10 * 86400;
    struct tm parts;
    strftime(s->from, sizeof s->from, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&from, &parts));
    snprintf(s->plain, sizeof s->plain,
             "aliases:\n  demo: {backend: own, challenge: {type: none}, ra: {%s}}\n"
             "backends:\n  other: {type: local_ca, key_type: ec-p256}\n"
             "  own:\n    type: local_ca\n    key_type: ec-p256\n    subject: CN=Own CA\n",
             alias_rows);
    snprintf(s->staged, sizeof s->staged, "%s    successor: {certificate: %s, key: %s, from: \"%s\"}\n",
             s->plain, s->certificate, s->key, s->from);
}

static void drop_stage(struct stage *s)
{
    unlink(s->certificate);
    unlink(s->key);
    rmdir(s->folder);
}

/* The maker goes on behind its first answer. */
static void settle(struct rig *r, struct alias *a)
{
    CHECK(rig_ensure(r, a));
    while (!ra_maker_idle(r->maker))
        rig_turn(r);
}

static bool issued_by(X509 *certificate, const char *name)
{
    char text[128];
    X509_NAME_oneline(X509_get_issuer_name(certificate), text, sizeof text);
    return strstr(text, name) != NULL;
}

static size_t generations(struct rig *r)
{
    struct store_answer *a = rig_list(r, STORE_RA_LIST, "demo");
    size_t count = a->ra_count;
    store_answer_free(a);
    return count;
}

TEST(successor_is_made_told_and_takes_over)
{
    struct rig r;
    struct stage s;
    make_stage(&s, "lifetime: 90d");
    rig_open(&r, s.staged);
    struct alias *a = rig_alias(&r, "demo");
    settle(&r, a);
    CHECK_INT(generations(&r), 2);
    CHECK(a->ra->next && a->ra->next->after && alias_next_ca(a).len > 0);
    CHECK(strstr(alias_capabilities(a), "GetNextCACert"));
    CHECK(issued_by(a->ra->identities[0].certificate, "Own CA"));
    CHECK(issued_by(a->ra->identities[a->ra->next->first].certificate, "Next CA"));

    struct alias_directory *directory = alias_directory_create();
    CHECK_INT(alias_directory_put(directory, a), ERR_OK);
    struct rollover *rollover = rollover_create(r.base, directory, r.maker, &r.clock);
    uint8_t first[32];
    memcpy(first, a->ra->current_sha256, 32);
    r.ahead = DAYS(11);
    while (memcmp(first, a->ra->current_sha256, 32) == 0)
        rig_turn(&r);
    while (!ra_maker_idle(r.maker) || !rollover_idle(rollover))
        rig_turn(&r);
    CHECK(issued_by(a->ra->identities[0].certificate, "Next CA"));
    CHECK(issued_by(a->ra->identities[1].certificate, "Own CA"));
    CHECK(!a->ra->next && !strstr(alias_capabilities(a), "GetNextCACert"));
    CHECK_INT(generations(&r), 2);
    struct alias *b = rig_alias(&r, "demo"); /* as after a restart */
    settle(&r, b);
    CHECK_INT(b->ra->count, 2);
    CHECK(X509_cmp(b->ra->identities[0].certificate, a->ra->identities[0].certificate) == 0);
    rollover_stop(rollover);
    rollover_free(rollover);
    alias_directory_free(directory);
    alias_unref(a);
    alias_unref(b);
    rig_close(&r);
    drop_stage(&s);
}

/* The present RA is renewed after its successor was made: both are in their places all the same. */
TEST(both_are_renewed_around_the_switch)
{
    struct rig r;
    struct stage s;
    make_stage(&s, "lifetime: 9d");
    rig_open(&r, s.staged);
    struct alias *a = rig_alias(&r, "demo");
    settle(&r, a);
    r.ahead = DAYS(7);
    settle(&r, a);
    CHECK_INT(generations(&r), 4);
    CHECK(issued_by(a->ra->identities[0].certificate, "Own CA"));
    CHECK_INT(a->ra->next->first, 2);
    r.ahead = DAYS(10) + 1000;
    settle(&r, a);
    CHECK_INT(generations(&r), 4);
    CHECK(issued_by(a->ra->identities[0].certificate, "Next CA"));
    CHECK(issued_by(a->ra->identities[a->ra->count - 1].certificate, "Own CA"));
    alias_unref(a);
    rig_close(&r);
    drop_stage(&s);
}

TEST(withdrawn_successor_is_forgotten)
{
    struct rig r;
    struct stage s;
    struct error e = {0};
    make_stage(&s, "lifetime: 90d, separate_signing: true");
    rig_open(&r, s.staged);
    struct alias *a = rig_alias(&r, "demo");
    settle(&r, a);
    CHECK_INT(generations(&r), 4);
    CHECK_INT(rig_reload(&r, s.plain, &e), ERR_OK);
    struct alias *b = rig_alias(&r, "demo");
    settle(&r, b);
    CHECK(!b->ra->next && !alias_next_ca(b).len);
    CHECK_INT(b->ra->count, 1);
    CHECK(issued_by(b->ra->identities[0].certificate, "Own CA"));
    CHECK_INT(generations(&r), 4);
    alias_unref(a);
    alias_unref(b);
    rig_close(&r);
    drop_stage(&s);
}

TEST(another_backend_certifies_the_successors_ra_as_well)
{
    struct rig r;
    struct stage s;
    make_stage(&s, "from: other");
    rig_open(&r, s.staged);
    struct alias *a = rig_alias(&r, "demo");
    settle(&r, a);
    CHECK(a->ra->next && a->ra->next->after);
    CHECK(issued_by(a->ra->identities[a->ra->next->first].certificate, "scepgate CA other"));
    CHECK(strcmp(a->ra->ca.pin_sha256, a->ra->next->after->ca.pin_sha256) == 0);
    CHECK(a->ra->next->after->ca.body.len != a->ra->ca.body.len);
    r.ahead = DAYS(11);
    settle(&r, a);
    CHECK(!a->ra->next);
    CHECK_INT(generations(&r), 2);
    alias_unref(a);
    rig_close(&r);
    drop_stage(&s);
}

/* A CA that is replaced without being staged gets an RA of its own at once. */
TEST(replaced_ca_has_its_ra_made_anew)
{
    struct rig r;
    struct stage s;
    struct error e = {0};
    char replaced[1024];
    make_stage(&s, "lifetime: 90d");
    rig_open(&r, s.plain);
    struct alias *a = rig_alias(&r, "demo");
    settle(&r, a);
    snprintf(replaced, sizeof replaced, "%s    certificate: %s\n    key: %s\n", s.plain, s.certificate,
             s.key);
    CHECK_INT(rig_reload(&r, replaced, &e), ERR_OK);
    struct alias *b = rig_alias(&r, "demo");
    settle(&r, b);
    CHECK(issued_by(b->ra->identities[0].certificate, "Next CA"));
    CHECK(X509_cmp(b->ra->identities[1].certificate, a->ra->identities[0].certificate) == 0);
    alias_unref(a);
    alias_unref(b);
    rig_close(&r);
    drop_stage(&s);
}

RUNNER_MAIN()
