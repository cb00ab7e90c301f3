/* test_ra_replicas.c: two gateways' makers on one store: what one makes, the other has without a restart. */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "flow/issuing/fake_backend.h"
#include "flow/issuing/rig.h"
#include "support/runner.h"

#define YAML                                                                                                 \
    "backends:\n  own: {type: local_ca, key_type: ec-p256, subject: CN=Own CA}\n"                            \
    "aliases:\n  demo: {backend: own, challenge: {type: none}, ra: {lifetime: 90d}}\n"
#define DAYS(n) ((n)*86400000LL)

/* One gateway's part; both stand on the rig's store and backends. */
struct replica {
    struct ra_maker *maker;
    struct alias *alias;
    struct alias_directory *directory;
    struct obligations *obligations;
};

static struct rig r;
static struct replica one, two;

static void replica_open(struct replica *p, struct ra_maker *maker)
{
    p->maker = maker;
    p->alias = rig_alias(&r, "demo");
    p->directory = alias_directory_create();
    p->obligations = obligations_create(r.base, r.store);
    alias_directory_put(p->directory, p->alias);
}

static void begin(void)
{
    rig_open(&r, YAML);
    replica_open(&one, r.maker);
    replica_open(&two, ra_maker_create(r.base, r.store, r.keys, r.pool, &r.clock, r.metrics));
}

static void replica_close(struct replica *p)
{
    obligations_free(p->obligations);
    alias_directory_free(p->directory);
    alias_unref(p->alias);
}

static void end(void)
{
    while (!ra_maker_idle(one.maker) || !ra_maker_idle(two.maker))
        rig_turn(&r);
    ra_maker_free(two.maker);
    replica_close(&one);
    replica_close(&two);
    rig_close(&r);
}

static size_t generations(void)
{
    struct store_answer *a = rig_list(&r, STORE_RA_LIST, "demo");
    size_t count = a->ra_count;
    store_answer_free(a);
    return count;
}

static bool same_identity(void)
{
    return one.alias->ra && two.alias->ra &&
           memcmp(one.alias->ra->current_sha256, two.alias->ra->current_sha256, 32) == 0;
}

struct told {
    int calls;
    bool looked;
};

static void tell(void *context, bool looked)
{
    struct told *t = context;
    t->calls++;
    t->looked = looked;
}

static void await(const struct told *t, int calls)
{
    while (t->calls < calls)
        rig_turn(&r);
}

/* ---- making and renewing ------------------------------------------------------------------------------- */

TEST(both_start_at_once_and_one_makes_it)
{
    begin();
    ra_maker_ensure(one.maker, one.alias, NULL, NULL);
    ra_maker_ensure(two.maker, two.alias, NULL, NULL);
    while (!one.alias->ra || !two.alias->ra)
        rig_turn(&r);
    CHECK(same_identity());
    CHECK_INT(generations(), 1);
    end();
}

TEST(what_one_renews_the_other_takes_over)
{
    begin();
    ra_maker_ensure(one.maker, one.alias, NULL, NULL);
    ra_maker_ensure(two.maker, two.alias, NULL, NULL);
    while (!one.alias->ra || !two.alias->ra)
        rig_turn(&r);
    ra_maker_serve(two.maker, two.obligations, two.directory, 50);
    r.ahead = DAYS(61);
    while (two.alias->ra->count < 2) /* by its own round: nobody asks it */
        rig_turn(&r);
    ra_maker_serve(one.maker, one.obligations, one.directory, 50);
    while (one.alias->ra->count < 2)
        rig_turn(&r);
    CHECK(same_identity());
    CHECK_INT(generations(), 2);
    end();
}

/* ---- looks --------------------------------------------------------------------------------------------- */

TEST(a_look_finds_what_the_other_made)
{
    begin();
    struct told t = {0};
    ra_maker_ensure(one.maker, one.alias, NULL, NULL);
    while (!one.alias->ra)
        rig_turn(&r);
    CHECK(ra_maker_look(two.maker, two.alias, tell, &t));
    CHECK_INT(t.calls, 0);
    CHECK(!ra_maker_idle(two.maker));
    await(&t, 1);
    CHECK(t.looked && same_identity());
    struct ra_set *before = two.alias->ra;
    CHECK(ra_maker_look(two.maker, two.alias, tell, &t));
    await(&t, 2);
    CHECK(two.alias->ra == before); /* nothing new, nothing installed */
    end();
}

TEST(a_look_makes_nothing)
{
    begin();
    struct told t = {0};
    CHECK(ra_maker_look(two.maker, two.alias, tell, &t));
    await(&t, 1);
    CHECK(t.looked && !two.alias->ra);
    CHECK_INT(generations(), 0);
    end();
}

struct counting_store {
    struct store store;
    struct store *real;
    int lists;
    bool away;
};

static void count_submit(struct store *s, const struct store_request *request, store_done *done,
                         void *context)
{
    struct counting_store *c = (struct counting_store *)s;
    c->lists += request->operation == STORE_RA_LIST;
    store_submit(c->real, request, done, context);
}

static bool is_ready(const struct store *s, char *problem, size_t size)
{
    const struct counting_store *c = (const struct counting_store *)s;
    return !c->away && store_ready(c->real, problem, size);
}

static const struct store_type counting_type = {.submit = count_submit, .ready = is_ready};

TEST(many_who_ask_share_a_look_and_looks_keep_a_pause)
{
    begin();
    struct counting_store counting = {.store.type = &counting_type, .real = r.store};
    struct ra_maker *maker = ra_maker_create(r.base, &counting.store, r.keys, r.pool, &r.clock, r.metrics);
    struct told t = {0};
    int64_t start = clock_monotonic(&clock_system);
    for (int i = 0; i < 20; i++)
        CHECK(ra_maker_look(maker, two.alias, tell, &t));
    await(&t, 20);
    CHECK_INT(counting.lists, 1);
    for (int i = 0; i < 20; i++)
        CHECK(ra_maker_look(maker, two.alias, tell, &t));
    await(&t, 40);
    CHECK_INT(counting.lists, 2);
    CHECK(clock_monotonic(&clock_system) - start >= 1000);
    while (!ra_maker_idle(maker))
        rig_turn(&r);
    ra_maker_free(maker);
    end();
}

/* Not with the back-off of failures, which grows to minutes. */
TEST(a_store_that_comes_back_is_asked_soon)
{
    begin();
    struct counting_store counting = {.store.type = &counting_type, .real = r.store, .away = true};
    struct ra_maker *maker = ra_maker_create(r.base, &counting.store, r.keys, r.pool, &r.clock, r.metrics);
    struct told t = {0};
    for (int i = 1; i <= 3; i++) {
        ra_maker_ensure(maker, two.alias, tell, &t);
        await(&t, i);
        CHECK(!t.looked && ra_maker_idle(maker));
    }
    CHECK_INT(counting.lists, 0);
    counting.away = false;
    while (!two.alias->ra)
        rig_turn(&r);
    while (!ra_maker_idle(maker))
        rig_turn(&r);
    ra_maker_free(maker);
    end();
}

TEST(who_waits_for_a_look_is_told_when_the_maker_goes)
{
    begin();
    struct told t = {0};
    struct ra_maker *maker = ra_maker_create(r.base, r.store, r.keys, r.pool, &r.clock, r.metrics);
    CHECK(ra_maker_look(maker, two.alias, tell, &t));
    ra_maker_free(maker);
    CHECK(t.calls == 1 && !t.looked);
    maker = ra_maker_create(r.base, r.store, r.keys, r.pool, &r.clock, r.metrics);
    CHECK(ra_maker_look(maker, two.alias, tell, &t));
    event_base_loop(r.base, EVLOOP_ONCE); /* it is with the store */
    ra_maker_free(maker);
    await(&t, 2);
    CHECK(!t.looked);
    end();
}

RUNNER_MAIN()
