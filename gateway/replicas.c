/* replicas.c: see replicas.h.
 *
 *   settings -> ask each backend for its CA -> digest on a worker -> announce -> compare -> after a period: announce
 */
#include "replicas.h"

#include <event2/event.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "replica_facts.h"
#include "worker/pool.h"

#define MISSED_MAX  3     /* announcements */
#define SAID_MAX    10    /* differences with one replica */
#define CLOCK_MAX   5000  /* ms between the store's clock and ours */
#define CA_DEADLINE 10000 /* ms */

struct other {
    struct other *next;
    char id[ID_TEXT_SIZE];
    char *facts;
    struct replica_identity who;
    int64_t seen;
    size_t differences;
    bool present; /* in the answer that is being read */
};

/* Digests on their way: backends are asked, then a worker digests. */
struct digestion {
    struct replicas *owner;
    struct gateway_settings *settings; /* a reference */
    struct replica_ca *cas;
    size_t ca_count, waiting;
    int64_t since;
    bool whole; /* every backend has told its CA */
    struct replica_facts *facts;
};

/* All CAs of a backend, so that the answer is the same before and after one is followed by the next. */
struct question {
    struct digestion *digestion;
    struct replica_ca *ca;
    struct backend_instance *backend;
    size_t asked; /* index into `question_order` */
    uint8_t hashes[3][SHA256_DIGEST_LENGTH];
    size_t count;
    bool failed;
};

/* A CA that takes over while we ask is told of twice in this order, and none is missed. */
static const enum backend_authority question_order[] = {BACKEND_CA_NEXT, BACKEND_CA_CURRENT,
                                                        BACKEND_CA_PREVIOUS};
#define QUESTIONS (sizeof question_order / sizeof *question_order)

struct replicas {
    struct replicas_parts parts;
    char id[ID_TEXT_SIZE];
    struct gateway_settings *settings; /* a reference: what is announced, or will be */
    int64_t since;
    struct replica_facts *facts; /* NULL: nothing to announce yet */
    bool whole;
    bool stale; /* new settings: digest again */
    struct digestion *digestion;
    struct event *timer;
    struct store_request request;
    struct replica_facts *announced; /* what the request under way points to */
    int64_t asked;                   /* when: realtime */
    bool flies, left, clock_checked;
    struct other *others;
};

/* ---- differences --------------------------------------------------------------------------------------- */

struct telling {
    char who[400];
    size_t count;
};

static void say_difference(void *context, enum replica_difference kind, const char *name)
{
    struct telling *t = context;
    if (++t->count > SAID_MAX)
        return;
    switch (kind) {
    case REPLICA_OTHER_VALUE:
        log_line(LOG_LEVEL_WARNING, NULL, "replica.differs",
                 "%s differs from this gateway in %s; give both the same", t->who, name);
        break;
    case REPLICA_LACKS:
        log_line(LOG_LEVEL_WARNING, NULL, "replica.differs",
                 "%s has no %s, which this gateway has; give both the same", t->who, name);
        break;
    case REPLICA_HAS:
        log_line(LOG_LEVEL_WARNING, NULL, "replica.differs",
                 "%s has %s, which this gateway does not have; give both the same", t->who, name);
        break;
    case REPLICA_OTHER_KEY:
        log_line(LOG_LEVEL_WARNING, NULL, "replica.differs",
                 "%s seals with a master key that this gateway does not have, so that this one cannot open "
                 "what it "
                 "stores; add that key to `store.master_key`",
                 t->who);
        break;
    }
}

static void compare(struct replicas *r, struct other *o)
{
    char since[CLOCK_TEXT_SIZE];
    struct telling t = {0};
    snprintf(t.who, sizeof t.who, "replica %s (process %d, with its settings since %s)", o->who.host,
             o->who.pid, clock_text(o->who.since, since));
    replica_facts_compare(r->facts, o->facts, say_difference, &t);
    if (t.count > SAID_MAX)
        log_line(LOG_LEVEL_WARNING, NULL, "replica.differs",
                 "%s differs from this gateway in %zu more places", t.who, t.count - SAID_MAX);
    o->differences = t.count;
}

static void compare_all(struct replicas *r)
{
    for (struct other *o = r->others; o; o = o->next)
        compare(r, o);
}

/* ---- the others ---------------------------------------------------------------------------------------- */

static void other_free(struct other *o)
{
    free(o->facts);
    free(o);
}

static struct other *other_of(struct replicas *r, const char *id)
{
    struct other *o = r->others;
    while (o && strcmp(o->id, id) != 0)
        o = o->next;
    if (o || !(o = calloc(1, sizeof *o)))
        return o;
    snprintf(o->id, sizeof o->id, "%s", id);
    o->next = r->others;
    r->others = o;
    return o;
}

static void hear(struct replicas *r, const struct replica_record *record)
{
    struct other *o = other_of(r, record->id);
    if (!o)
        return;
    o->present = true;
    o->seen = record->seen;
    if (o->facts && strcmp(o->facts, record->facts) == 0)
        return;
    char *facts = strdup(record->facts);
    if (!facts)
        return;
    bool fresh = !o->facts;
    free(o->facts);
    o->facts = facts;
    if (!replica_identity_read(&o->who, facts))
        snprintf(o->who.host, sizeof o->who.host, "%s", "of another version");
    if (fresh)
        log_line(LOG_LEVEL_INFO, NULL, "replica.found", "replica %s (process %d) uses the same store",
                 o->who.host, o->who.pid);
    compare(r, o);
}

static void hear_all(struct replicas *r, const struct store_answer *answer)
{
    for (struct other *o = r->others; o; o = o->next)
        o->present = false;
    for (size_t i = 0; i < answer->replica_count; i++)
        if (strcmp(answer->replicas[i].id, r->id) != 0)
            hear(r, &answer->replicas[i]);
    for (struct other **at = &r->others; *at;) {
        struct other *o = *at;
        if (o->present) {
            at = &o->next;
            continue;
        }
        log_line(LOG_LEVEL_INFO, NULL, "replica.gone",
                 "replica %s (process %d) does not use the store any more", o->who.host, o->who.pid);
        *at = o->next;
        other_free(o);
    }
}

/* ---- announcing ---------------------------------------------------------------------------------------- */

static void digest(struct replicas *r);
static void announce(struct replicas *r, int64_t life);

static void arm(struct replicas *r, int64_t delay)
{
    struct timeval wait = {.tv_sec = delay / 1000, .tv_usec = delay % 1000 * 1000};
    if (!r->left)
        evtimer_add(r->timer, &wait);
}

/* Half of the way counts as the time when the store looked at its clock. */
static void check_clock(struct replicas *r, int64_t store_now)
{
    int64_t now = clock_realtime(r->parts.clock), ahead = (r->asked + now) / 2 - store_now;
    r->clock_checked = true;
    if (llabs(ahead) - (now - r->asked) / 2 > CLOCK_MAX)
        log_line(
            LOG_LEVEL_WARNING, NULL, "clock.differs",
            "the clock of this machine is %lld seconds %s that of the store, which decides about leases and "
            "expiry; certificates follow this one: set it right (NTP)",
            (long long)(llabs(ahead) / 1000), ahead > 0 ? "before" : "behind");
}

static void announced(void *context, struct store_answer *answer)
{
    struct replicas *r = context;
    r->flies = false;
    if (r->announced != r->facts)
        replica_facts_free(r->announced);
    r->announced = NULL;
    if (answer->outcome == STORE_OK && !r->left) {
        if (!r->clock_checked)
            check_clock(r, answer->now);
        hear_all(r, answer);
    }
    store_answer_free(answer);
    if (r->left && r->request.announce.life)
        announce(r, 0);
    arm(r, r->parts.period);
}

static void announce(struct replicas *r, int64_t life)
{
    store_request_init(&r->request, STORE_ANNOUNCE);
    r->request.announce.replica = r->id;
    r->request.announce.facts = replica_facts_text(r->facts);
    r->request.announce.life = life;
    r->announced = r->facts;
    r->asked = clock_realtime(r->parts.clock);
    r->flies = true;
    store_submit(r->parts.store, &r->request, announced, r);
}

static void on_time(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct replicas *r = data;
    if ((r->stale || !r->whole) && !r->digestion)
        digest(r);
    if (r->facts && !r->flies)
        announce(r, MISSED_MAX * r->parts.period);
    else
        arm(r, r->parts.period);
}

/* ---- digesting ----------------------------------------------------------------------------------------- */

static void digestion_free(struct digestion *d)
{
    for (size_t i = 0; i < d->ca_count; i++)
        free(d->cas[i].backend);
    free(d->cas);
    gateway_settings_unref(d->settings);
    free(d);
}

static void run_digest(void *data)
{
    struct digestion *d = data;
    d->facts = replica_facts_make(d->settings, d->owner->parts.keys, d->cas, d->ca_count, d->since);
}

static void digested(void *data)
{
    struct digestion *d = data;
    struct replicas *r = d->owner;
    r->digestion = NULL;
    if (d->facts) {
        bool changed = !r->facts || strcmp(replica_facts_text(r->facts), replica_facts_text(d->facts)) != 0;
        if (r->announced != r->facts)
            replica_facts_free(r->facts);
        r->facts = d->facts;
        r->whole = d->whole;
        if (changed)
            compare_all(r);
        if (changed && !r->stale)
            arm(r, 0);
    }
    digestion_free(d);
    if (r->stale)
        arm(r, 0);
}

static void keep_hash(struct question *q, const struct backend_result *result)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    bool known = false;
    SHA256(result->chain[0].data, result->chain[0].len, hash);
    for (size_t i = 0; i < q->count; i++)
        known = known || memcmp(q->hashes[i], hash, sizeof hash) == 0;
    if (!known)
        memcpy(q->hashes[q->count++], hash, sizeof hash);
}

/* One CA's hash is as it is, which is what a backend without successor always had. */
static void write_hash(struct buffer *hex, const struct question *q)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (q->failed || !q->count)
        return;
    memcpy(hash, q->hashes[0], sizeof hash);
    if (q->count > 1)
        SHA256(q->hashes[0], q->count * sizeof *q->hashes, hash);
    codec_hex(hex, bytes_of(hash, sizeof hash));
}

static void ask_next(struct question *q);

static void chain_told(void *context, const struct backend_result *result)
{
    struct question *q = context;
    struct digestion *d = q->digestion;
    struct buffer hex;
    if (result->verdict == BACKEND_ISSUED && result->chain_count)
        keep_hash(q, result);
    else if (result->verdict != BACKEND_REJECTED || question_order[q->asked] == BACKEND_CA_CURRENT)
        q->failed = true;
    if (++q->asked < QUESTIONS) {
        ask_next(q);
        return;
    }
    buffer_init(&hex, sizeof q->ca->sha256);
    write_hash(&hex, q);
    if (hex.len)
        memcpy(q->ca->sha256, hex.data, hex.len + 1);
    else
        d->whole = false;
    buffer_free(&hex);
    free(q);
    if (--d->waiting)
        return;
    if (!d->owner->left && pool_submit(d->owner->parts.lane, (struct job){run_digest, digested, d}) == ERR_OK)
        return;
    d->owner->digestion = NULL; /* the next period tries again */
    digestion_free(d);
}

static void ask_next(struct question *q)
{
    backend_ask_chain(q->backend, question_order[q->asked], CA_DEADLINE, chain_told, q);
}

static void ask_ca(struct digestion *d, size_t index)
{
    struct replica_ca *ca = &d->cas[index];
    struct backend_instance *backend = backends_find(d->owner->parts.backends, ca->backend);
    struct question *q = backend ? malloc(sizeof *q) : NULL;
    if (!q) {
        d->whole = false;
        return;
    }
    *q = (struct question){.digestion = d, .ca = ca, .backend = backend};
    d->waiting++;
    ask_next(q);
}

static struct digestion *digestion_create(struct replicas *r)
{
    const struct gateway_settings *s = r->settings;
    struct digestion *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    *d = (struct digestion){
        .owner = r, .settings = gateway_settings_ref(r->settings), .since = r->since, .whole = true};
    d->cas = calloc(s->backend_count + 1, sizeof *d->cas);
    for (size_t i = 0; d->cas && i < s->backend_count; i++) {
        if (!(d->cas[i].backend = strdup(s->backends[i].name)))
            break;
        d->ca_count++;
    }
    if (d->ca_count == s->backend_count && d->cas)
        return d;
    digestion_free(d);
    return NULL;
}

static void digest(struct replicas *r)
{
    struct digestion *d = r->digestion = digestion_create(r);
    if (!d)
        return;
    r->stale = false;
    for (size_t i = 0; i < d->ca_count; i++)
        ask_ca(d, i);
    if (d->waiting)
        return;
    if (pool_submit(r->parts.lane, (struct job){run_digest, digested, d}) == ERR_OK)
        return;
    r->digestion = NULL;
    r->stale = true;
    digestion_free(d);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

struct replicas *replicas_create(const struct replicas_parts *parts)
{
    struct replicas *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->parts = *parts;
    random_id(r->id);
    r->timer = evtimer_new(parts->base, on_time, r);
    if (r->timer)
        return r;
    free(r);
    return NULL;
}

void replicas_announce(struct replicas *r, struct gateway_settings *settings)
{
    gateway_settings_unref(r->settings);
    r->settings = gateway_settings_ref(settings);
    r->since = clock_realtime(r->parts.clock);
    r->stale = true;
    arm(r, 0);
}

const char *replicas_own_id(const struct replicas *r)
{
    return r->id;
}

void replicas_each(const struct replicas *r, void (*visit)(void *context, const struct replica_seen *other),
                   void *context)
{
    for (const struct other *o = r->others; o; o = o->next) {
        struct replica_seen seen = {.id = o->id,
                                    .host = o->who.host,
                                    .version = o->who.version,
                                    .pid = o->who.pid,
                                    .since = o->who.since,
                                    .seen = o->seen,
                                    .differences = o->differences};
        visit(context, &seen);
    }
}

void replicas_leave(struct replicas *r)
{
    if (r->left)
        return;
    r->left = true;
    evtimer_del(r->timer);
    if (r->facts && !r->flies)
        announce(r, 0);
}

bool replicas_idle(const struct replicas *r)
{
    return !r->flies && !r->digestion;
}

void replicas_free(struct replicas *r)
{
    if (!r)
        return;
    for (struct other *o = r->others, *next; o; o = next) {
        next = o->next;
        other_free(o);
    }
    event_free(r->timer);
    replica_facts_free(r->facts);
    gateway_settings_unref(r->settings);
    free(r);
}
