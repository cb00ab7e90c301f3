/* test_replicas.c: two gateways that meet at one store: they hear of each other, and say where they differ. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "flow/issuing/rig.h"
#include "replica_facts.h"
#include "replicas.h"
#include "store/answer.h"
#include "support/runner.h"

#define PERIOD  50 /* ms between announcements */
#define SECRETS "challenge: {type: static, secret: {value: correct-horse-battery}}"

/* ---- the store: a table of who is there ---------------------------------------------------------------- */

struct seat {
    char id[ID_TEXT_SIZE];
    char *facts;
};

static struct {
    struct seat seats[4];
    int64_t behind; /* ms that its clock is behind ours */
} table;

struct door { /* one gateway's way to the table */
    struct store store;
    struct event_base *base;
    bool shut; /* the others do not hear of it any more */
    int announced;
};

struct asked {
    struct door *door;
    const struct store_request *request;
    store_done *done;
    void *context;
};

static struct seat *seat_of(const char *id)
{
    struct seat *s = table.seats;
    while (s->id[0] && strcmp(s->id, id) != 0)
        s++;
    snprintf(s->id, sizeof s->id, "%s", id);
    return s;
}

static void answer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct asked asked = *(struct asked *)context;
    free(context);
    struct store_answer *a = answer_create();
    struct seat *own = seat_of(asked.request->announce.replica);
    struct replica_record *others = arena_alloc(a->arena, 4 * sizeof *others);
    free(own->facts);
    own->facts =
        asked.door->shut || !asked.request->announce.life ? NULL : strdup(asked.request->announce.facts);
    for (struct seat *s = table.seats; s->id[0]; s++)
        if (s != own && s->facts)
            others[a->replica_count++] = (struct replica_record){
                .id = arena_text(a->arena, s->id), .facts = arena_text(a->arena, s->facts), .seen = 1};
    a->replicas = others;
    a->now = clock_realtime(&clock_system) - table.behind;
    asked.door->announced++;
    asked.done(asked.context, a);
}

static void submit(struct store *s, const struct store_request *request, store_done *done, void *context)
{
    struct asked *asked = malloc(sizeof *asked);
    if (!asked || request->operation != STORE_ANNOUNCE)
        abort();
    *asked = (struct asked){(struct door *)s, request, done, context};
    static const struct timeval now = {0, 0};
    event_base_once(asked->door->base, -1, EV_TIMEOUT, answer, asked, &now);
}

static const struct store_type door_type = {.submit = submit};

/* ---- two gateways -------------------------------------------------------------------------------------- */

struct gateway {
    struct rig rig;
    struct door door;
    struct keys *keys;
    struct lane *lane;
    struct replicas *replicas;
};

static struct gateway a, b;
static FILE *lines;

static const char ring_old[] = "old:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
static const char ring_new[] = "new:ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
                               "old:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

static void open_one(struct gateway *g, const char *yaml, const char *ring)
{
    struct error e = {0};
    *g = (struct gateway){0};
    rig_open(&g->rig, yaml);
    g->door = (struct door){.store.type = &door_type, .base = g->rig.base};
    if (keys_create(&g->keys, bytes_of_text(ring), &e) != ERR_OK)
        exit(2);
    g->lane = lane_create(g->rig.pool);
    struct replicas_parts parts = {.base = g->rig.base,
                                   .store = &g->door.store,
                                   .keys = g->keys,
                                   .backends = g->rig.backends,
                                   .lane = g->lane,
                                   .clock = &clock_system,
                                   .period = PERIOD};
    g->replicas = replicas_create(&parts);
}

static void turn(void)
{
    if (a.replicas)
        event_base_loop(a.rig.base, EVLOOP_NONBLOCK);
    if (b.replicas)
        event_base_loop(b.rig.base, EVLOOP_NONBLOCK);
    usleep(1000);
}

static void close_one(struct gateway *g)
{
    replicas_leave(g->replicas);
    while (!replicas_idle(g->replicas))
        turn();
    lane_release(g->lane);
    struct replicas *gone = g->replicas;
    g->replicas = NULL;
    replicas_free(gone);
    rig_close(&g->rig);
    keys_free(g->keys);
}

/* A CA that both use: B is told of the files of A. */
static void shared_yaml(char out[4096], const char *more)
{
    snprintf(out, 4096,
             "backends:\n  own: {type: local_ca, create: false, certificate: %s/backends/own/ca.pem, key: "
             "%s/backends/own/ca-key.pem}\n%s",
             a.rig.folder, a.rig.folder, more);
}

#define OWN "backends:\n  own: {type: local_ca, key_type: ec-p256}\n"

static void begin(void)
{
    memset(&table, 0, sizeof table);
    a = b = (struct gateway){0};
    lines = tmpfile();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, fileno(lines));
}

static void end(void)
{
    close_one(&a);
    if (b.replicas)
        close_one(&b);
    for (size_t i = 0; i < 4; i++)
        free(table.seats[i].facts);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, STDERR_FILENO);
    fclose(lines);
}

/* How many lines of the log have this text. */
static int logged(const char *text)
{
    char line[4096];
    int count = 0;
    rewind(lines);
    while (fgets(line, sizeof line, lines))
        count += strstr(line, text) != NULL;
    fseek(lines, 0, SEEK_END);
    return count;
}

struct heard {
    int count;
    size_t differences;
    char host[256];
};

static void hear(void *context, const struct replica_seen *other)
{
    struct heard *h = context;
    h->count++;
    h->differences = other->differences;
    snprintf(h->host, sizeof h->host, "%s", other->host);
}

static struct heard heard(const struct gateway *g)
{
    struct heard h = {0};
    replicas_each(g->replicas, hear, &h);
    return h;
}

static void meet(void)
{
    replicas_announce(a.replicas, a.rig.settings);
    replicas_announce(b.replicas, b.rig.settings);
    while (!heard(&a).count || !heard(&b).count)
        turn();
}

static void open_both(const char *yaml_a, const char *more_b)
{
    char yaml[4096];
    begin();
    open_one(&a, yaml_a, ring_old);
    shared_yaml(yaml, more_b);
    open_one(&b, yaml, ring_old);
}

TEST(replicas_with_the_same_settings_have_nothing_to_say)
{
    char yaml[4096];
    begin();
    open_one(&a, OWN, ring_old); /* makes the CA */
    shared_yaml(yaml, "aliases:\n  demo: {backend: own, " SECRETS "}\n");
    struct error e = {0};
    CHECK_INT(rig_reload(&a.rig, yaml, &e), ERR_OK);
    strncat(yaml, "listen: 127.0.0.1:9999\nlimits: {connections: 5}\nlog: {level: debug}\n",
            sizeof yaml - strlen(yaml) - 1);
    open_one(&b, yaml, ring_old);
    meet();
    CHECK_INT(heard(&a).differences, 0);
    CHECK_INT(heard(&b).differences, 0);
    CHECK_INT(logged("replica.found"), 2);
    CHECK_INT(logged("replica.differs"), 0);
    CHECK_INT(logged("clock.differs"), 0);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    CHECK_TEXT(heard(&a).host, host);
    end();
}

TEST(each_difference_is_one_sentence_on_both_sides)
{
    open_both(OWN "retention: {audit: 100d}\naliases:\n"
                  "  demo: {backend: own, challenge: {type: one_time}}\n"
                  "  here: {backend: own, challenge: {type: one_time}}\n",
              "retention: {audit: 200d}\naliases:\n"
              "  demo: {backend: own, challenge: {type: one_time, ttl: 5m}}\n"
              "  there: {backend: own, challenge: {type: one_time}}\n");
    meet();
    CHECK_INT(logged("differs from this gateway in `retention.audit`; give both the same"), 2);
    CHECK_INT(logged("differs from this gateway in alias `demo`; give both the same"), 2);
    CHECK_INT(logged("has no alias `here`, which this gateway has"), 1);
    CHECK_INT(logged("has alias `here`, which this gateway does not have"), 1);
    CHECK_INT(logged("has no alias `there`, which this gateway has"), 1);
    CHECK_INT(logged("differs from this gateway in backend `own`: its CA certificate"), 0);
    CHECK(heard(&a).differences >= 4);
    int before = a.door.announced;
    while (a.door.announced < before + 4) /* what was said is not said again */
        turn();
    CHECK_INT(logged("in `retention.audit`"), 2);
    end();
}

TEST(each_replica_with_a_ca_of_its_own_is_noticed)
{
    static const char yaml[] = OWN "aliases:\n  demo: {backend: own, challenge: {type: one_time}}\n";
    begin();
    open_one(&a, yaml, ring_old);
    open_one(&b, yaml, ring_old);
    meet();
    CHECK_INT(logged("differs from this gateway in backend `own`: its CA certificate"), 2);
    CHECK_INT(heard(&a).differences, 1);
    end();
}

TEST(ten_sentences_and_then_a_count)
{
    char yaml[4096] = OWN "aliases:\n", more[2048] = "aliases: {}\n";
    for (int i = 0; i < 15; i++)
        snprintf(yaml + strlen(yaml), sizeof yaml - strlen(yaml),
                 "  a%02d: {backend: own, challenge: {type: one_time}}\n", i);
    open_both(yaml, more);
    meet();
    size_t all = heard(&a).differences;
    CHECK(all >= 15);
    char rest[80];
    snprintf(rest, sizeof rest, "differs from this gateway in %zu more places", all - 10);
    CHECK_INT(logged(rest), 2);
    CHECK_INT(logged("replica.differs"), 22);
    end();
}

TEST(new_settings_are_compared_when_they_take_effect)
{
    char yaml[4096];
    struct error e = {0};
    open_both(OWN, "");
    shared_yaml(yaml, "");
    CHECK_INT(rig_reload(&a.rig, yaml, &e), ERR_OK);
    meet();
    CHECK_INT(heard(&b).differences, 0);
    shared_yaml(yaml, "enroll: {retry_after: 9s}\n");
    CHECK_INT(rig_reload(&a.rig, yaml, &e), ERR_OK);
    replicas_announce(a.replicas, a.rig.settings);
    while (!heard(&a).differences || !heard(&b).differences)
        turn();
    CHECK_INT(logged("differs from this gateway in `enroll.retry_after`"), 2);
    end();
}

TEST(a_key_ring_on_its_way_to_a_new_key)
{
    char yaml[4096];
    struct error e = {0};
    begin();
    open_one(&a, OWN, ring_old);
    shared_yaml(yaml, "aliases:\n  demo: {backend: own, " SECRETS "}\n");
    CHECK_INT(rig_reload(&a.rig, yaml, &e), ERR_OK);
    open_one(&b, yaml, ring_new);
    meet();
    CHECK_INT(heard(&b).differences, 0); /* it has the old key, too */
    CHECK_INT(logged("seals with a master key that this gateway does not have"), 1);
    end();
}

TEST(a_replica_that_leaves_or_dies_is_gone)
{
    open_both(OWN, "");
    meet();
    b.door.shut = true;
    while (heard(&a).count)
        turn();
    CHECK_INT(logged("replica.gone"), 1);
    b.door.shut = false;
    while (!heard(&a).count)
        turn();
    replicas_leave(b.replicas);
    while (heard(&a).count)
        turn();
    CHECK_INT(logged("replica.gone"), 2);
    end();
}

TEST(a_clock_that_is_not_the_stores_is_said_once)
{
    begin();
    table.behind = 60000;
    open_one(&a, OWN, ring_old);
    replicas_announce(a.replicas, a.rig.settings);
    while (a.door.announced < 4)
        turn();
    CHECK_INT(logged("clock.differs"), 1);
    CHECK_INT(logged("seconds before that of the store"), 1);
    end();
}

TEST(an_embedded_store_has_no_others)
{
    begin();
    open_one(&a, OWN, ring_old);
    struct replicas_parts parts = {.base = a.rig.base,
                                   .store = a.rig.store,
                                   .keys = a.keys,
                                   .backends = a.rig.backends,
                                   .lane = a.lane,
                                   .clock = &a.rig.clock,
                                   .period = PERIOD};
    struct replicas *alone = replicas_create(&parts);
    replicas_announce(alone, a.rig.settings);
    int64_t until = clock_monotonic(&clock_system) + 4 * PERIOD;
    while (clock_monotonic(&clock_system) < until || !replicas_idle(alone))
        turn();
    CHECK_INT(logged("replica."), 0);
    CHECK_INT(logged("clock.differs"), 0);
    replicas_leave(alone);
    while (!replicas_idle(alone))
        turn();
    replicas_free(alone);
    end();
}

/* ---- what is announced --------------------------------------------------------------------------------- */

TEST(what_is_announced_holds_no_secret_and_no_plain_value)
{
    struct replica_ca ca = {.backend = (char *)(uintptr_t) "own"};
    begin();
    open_one(&a, OWN "aliases:\n  demo: {backend: own, " SECRETS "}\n", ring_old);
    struct replica_facts *f = replica_facts_make(a.rig.settings, a.keys, &ca, 1, 1700000000000);
    const char *text = replica_facts_text(f);
    CHECK(!strstr(text, "correct-horse") && !strstr(text, "730d") && !strstr(text, "63072000000"));
    CHECK(strstr(text, " `retention.audit`\n") && strstr(text, " alias `demo`\n"));
    CHECK(strstr(text, "---------------- backend `own`: its CA certificate\n") != NULL);
    CHECK(!strstr(text, "`listen`") && !strstr(text, "`store.master_key`") && !strstr(text, "`state`"));
    struct replica_identity who;
    CHECK(replica_identity_read(&who, text));
    CHECK_INT(who.pid, getpid());
    CHECK_INT(who.since, 1700000000000);
    CHECK(!replica_identity_read(&who, "2 something else\n"));
    replica_facts_free(f);
    end();
}

RUNNER_MAIN()
