/* publisher.c: the CAs of all backends, and the changes that their lists do not have yet (publisher.h). */
#include "publication/publisher.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "publication/authority.h"

#define PERIOD           200         /* ms between looks at what is due */
#define ASK_PERIOD       (60 * 1000) /* ms until a backend is asked for its CAs again */
#define ASK_RETRY        2000
#define ASK_SOON         250 /* ms after the moment at which a staged CA takes over */
#define BACKEND_DEADLINE (10 * 1000)
#define AGAIN_AFTER      (15 * 1000) /* ms until a change comes again whose list could not be made */
#define UNTOLD_AGAIN     1500
#define STRANGER_TRIES   4 /* attempts for an issuer that no backend here has: a replica may know it */

static const enum backend_authority order[PUBLISHER_CAS_MAX] = {BACKEND_CA_CURRENT, BACKEND_CA_PREVIOUS,
                                                                BACKEND_CA_NEXT};

/* A backend of the settings. */
struct house {
    struct publisher *publisher;
    struct house *next;
    char *name;
    struct backend_instance *instance; /* borrowed; the newest of this name */
    struct authority *authorities;     /* in `order` */
    bool wanted;                       /* by the present settings */
    bool asking;
    bool told; /* it has said once what CAs it has */
    size_t step;
    bool failed;
    int64_t ask_at; /* monotonic */
};

/* A revocation or release that is not in every list of its issuer yet. */
struct change {
    struct change *next;
    char *id;
    uint64_t claim, number;
    char issuer_sha256[DIGEST_TEXT_SIZE];
    int attempts;
};

struct publisher {
    struct authority_owner owner; /* first: leads back here */
    struct publisher_parts parts;
    struct gateway_settings *settings;
    struct event *timer;
    struct house *houses;
    struct change *changes;
    publisher_changed *changed;
    void *changed_context;
};

/* ---- changes ------------------------------------------------------------------------------------------- */

static void change_end(struct publisher *p, struct change **place, int64_t again_after)
{
    struct change *c = *place;
    *place = c->next;
    obligations_finish(p->parts.obligations, c->id, c->claim, again_after);
    free(c->id);
    free(c);
}

static bool concerns(const struct authority *a, const struct change *c)
{
    return a->signs && !a->refused && strcmp(a->issuer_sha256, c->issuer_sha256) == 0;
}

/* Over all CAs of the issuer: are there any, and do all have it? */
static void judge(const struct publisher *p, const struct change *c, bool *known, bool *covered)
{
    *known = false;
    *covered = true;
    for (const struct house *h = p->houses; h; h = h->next)
        for (const struct authority *a = h->told ? h->authorities : NULL; a; a = a->next)
            if (strcmp(a->issuer_sha256, c->issuer_sha256) == 0) {
                *known = true;
                *covered = *covered && (!concerns(a, c) || a->covered > c->number);
            }
}

static bool all_told(const struct publisher *p)
{
    bool told = true;
    for (const struct house *h = p->houses; told && h; h = h->next)
        told = h->told;
    return told;
}

static void settle_changes(struct publisher *p)
{
    for (struct change **place = &p->changes; *place;) {
        bool known, covered;
        judge(p, *place, &known, &covered);
        if (known && covered)
            change_end(p, place, 0);
        else if (!known && !all_told(p)) /* of a CA that may yet be told */
            change_end(p, place, UNTOLD_AGAIN);
        else if (!known) /* of a CA that nobody here has */
            change_end(p, place, (*place)->attempts < STRANGER_TRIES ? -1 : 0);
        else
            place = &(*place)->next;
    }
}

static bool wanted(const struct publisher *p, const struct authority *a)
{
    for (const struct change *c = p->changes; c; c = c->next)
        if (concerns(a, c) && a->covered < c->number)
            return true;
    return false;
}

/* The rows go back, so that they do not keep other work from being claimed; the CA tries again by itself. */
static void put_back(struct publisher *p, const struct authority *a)
{
    for (struct change **place = &p->changes; *place;) {
        if (concerns(a, *place) && a->covered < (*place)->number)
            change_end(p, place, AGAIN_AFTER);
        else
            place = &(*place)->next;
    }
}

static void settled(struct authority_owner *owner, struct authority *a, bool failed)
{
    struct publisher *p = (struct publisher *)owner;
    if (failed)
        put_back(p, a);
    else
        settle_changes(p);
    if (!failed && p->changed && a->public->crl.len)
        p->changed(p->changed_context, backend_instance_name(a->instance));
}

/* Kept until every list of its issuer has it. */
static void on_change(void *context, const struct obligation *o)
{
    struct publisher *p = context;
    struct change *c = calloc(1, sizeof *c);
    char *id = strdup(o->id);
    if (!c || !id || p->owner.stopped) {
        obligations_finish(p->parts.obligations, o->id, o->claim, UNTOLD_AGAIN);
        free(c);
        free(id);
        return;
    }
    *c = (struct change){.next = p->changes,
                         .id = id,
                         .claim = o->claim,
                         .number = ++p->owner.counter,
                         .attempts = o->attempts};
    strncpy(c->issuer_sha256, o->reference, sizeof c->issuer_sha256 - 1);
    p->changes = c;
    settle_changes(p);
}

/* ---- which CAs a backend has --------------------------------------------------------------------------- */

static void house_free(struct house *h)
{
    for (struct authority *a = h->authorities, *next; a; a = next) {
        next = a->next;
        authority_free(a);
    }
    free(h->name);
    free(h);
}

static void drop_unseen(struct house *h)
{
    for (struct authority **place = &h->authorities; *place;) {
        struct authority *a = *place;
        if (a->seen) {
            place = &a->next;
            continue;
        }
        *place = a->next;
        authority_drop(a);
    }
}

static void put_in_order(struct house *h)
{
    struct authority *sorted = NULL;
    for (size_t i = PUBLISHER_CAS_MAX; i-- > 0;)
        for (struct authority **place = &h->authorities; *place;) {
            struct authority *a = *place;
            if (a->which != order[i]) {
                place = &a->next;
                continue;
            }
            *place = a->next;
            a->next = sorted;
            sorted = a;
        }
    h->authorities = sorted;
}

static void take_chain(struct house *h, enum backend_authority which, struct bytes certificate)
{
    struct authority *a = h->authorities;
    while (a && !authority_is(a, certificate))
        a = a->next;
    if (!a && (a = authority_create(&h->publisher->owner, h->instance, certificate))) {
        a->next = h->authorities;
        h->authorities = a;
    }
    if (!a) {
        h->failed = true;
        return;
    }
    if (!a->seen)
        a->which = which;
    a->seen = true;
    if (a->instance != h->instance) {
        a->instance = h->instance;
        a->refused = false;
    }
}

static void ask_next(struct house *h);

static void asked_all(struct house *h)
{
    int64_t now = clock_monotonic(h->publisher->parts.clock);
    h->asking = false;
    h->publisher->owner.running--;
    if (h->failed) {
        h->ask_at = now + ASK_RETRY;
    } else {
        h->told = true;
        drop_unseen(h);
        put_in_order(h);
        if (h->ask_at <= now)
            h->ask_at = now + ASK_PERIOD;
    }
    settle_changes(h->publisher);
}

static void chain_told(void *context, const struct backend_result *result)
{
    struct house *h = context;
    enum backend_authority which = order[h->step];
    if (result->verdict == BACKEND_ISSUED && result->chain_count) {
        take_chain(h, which, bytes_of(result->chain[0].data, result->chain[0].len));
        if (which == BACKEND_CA_NEXT && result->delay >= 0 && result->delay < ASK_PERIOD)
            h->ask_at = clock_monotonic(h->publisher->parts.clock) + result->delay + ASK_SOON;
    } else if (result->verdict != BACKEND_REJECTED || which == BACKEND_CA_CURRENT) {
        h->failed = true;
    }
    h->step++;
    if (h->failed || h->step == PUBLISHER_CAS_MAX)
        asked_all(h);
    else
        ask_next(h);
}

static void ask_next(struct house *h)
{
    backend_ask_chain(h->instance, order[h->step], BACKEND_DEADLINE, chain_told, h);
}

static void ask(struct house *h)
{
    h->asking = true;
    h->failed = false;
    h->step = 0;
    h->ask_at = 0;
    h->publisher->owner.running++;
    for (struct authority *a = h->authorities; a; a = a->next)
        a->seen = false;
    ask_next(h);
}

/* ---- the round ----------------------------------------------------------------------------------------- */

/* Houses that the settings have no longer go when nothing of theirs is under way. */
static void sweep_houses(struct publisher *p)
{
    for (struct house **place = &p->houses; *place;) {
        struct house *h = *place;
        if (h->wanted || h->asking) {
            place = &h->next;
            continue;
        }
        *place = h->next;
        for (struct authority *a = h->authorities, *next; a; a = next) {
            next = a->next;
            authority_drop(a);
        }
        h->authorities = NULL;
        house_free(h);
    }
}

static void look_around(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct publisher *p = data;
    int64_t now = clock_monotonic(p->parts.clock);
    struct timeval pause = {.tv_usec = PERIOD * 1000};
    if (p->owner.stopped)
        return;
    sweep_houses(p);
    for (struct house *h = p->houses; h; h = h->next) {
        if (!h->asking && now >= h->ask_at)
            ask(h);
        for (struct authority *a = h->authorities; a; a = a->next)
            authority_work(a, wanted(p, a));
    }
    evtimer_add(p->timer, &pause);
}

/* ---- the publisher ------------------------------------------------------------------------------------- */

struct publisher *publisher_create(const struct publisher_parts *parts)
{
    static const struct timeval now = {0, 0};
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->parts = *parts;
    p->owner = (struct authority_owner){.parts = &p->parts, .settled = settled};
    p->timer = evtimer_new(parts->base, look_around, p);
    if (!p->timer || evtimer_add(p->timer, &now) != 0) {
        publisher_free(p);
        return NULL;
    }
    obligations_handle(parts->obligations, "crl.publish", on_change, p);
    return p;
}

static struct house *house_named(const struct publisher *p, const char *name)
{
    struct house *h = p->houses;
    while (h && strcmp(h->name, name) != 0)
        h = h->next;
    return h;
}

static void want_house(struct publisher *p, const char *name)
{
    struct backend_instance *instance = backends_find(p->parts.backends, name);
    struct house *h = house_named(p, name);
    if (!instance || !backend_instance_type(instance)->ca_chain)
        return;
    if (!h) {
        h = calloc(1, sizeof *h);
        char *copy = strdup(name);
        if (!h || !copy) {
            log_line(LOG_LEVEL_ERROR, NULL, "memory.exhausted",
                     "no memory is left to publish what backend %s has", name);
            free(h);
            free(copy);
            return;
        }
        h->publisher = p;
        h->name = copy;
        h->next = p->houses;
        p->houses = h;
    }
    if (h->instance != instance)
        h->ask_at = 0;
    h->instance = instance;
    h->wanted = true;
}

void publisher_settings(struct publisher *p, const struct gateway_settings *settings)
{
    gateway_settings_unref(p->settings);
    p->settings = gateway_settings_ref((struct gateway_settings *)(uintptr_t)settings);
    for (struct house *h = p->houses; h; h = h->next)
        h->wanted = false;
    for (size_t i = 0; i < settings->backend_count; i++)
        want_house(p, settings->backends[i].name);
}

void publisher_stop(struct publisher *p)
{
    p->owner.stopped = true;
    while (p->changes) /* for another replica, or the next start */
        change_end(p, &p->changes, 1);
}

bool publisher_idle(const struct publisher *p)
{
    return p->owner.running == 0;
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    for (struct house *h = p->houses, *next; h; h = next) {
        next = h->next;
        house_free(h);
    }
    for (struct change *c = p->changes, *next; c; c = next) {
        next = c->next;
        free(c->id);
        free(c);
    }
    if (p->timer)
        event_free(p->timer);
    gateway_settings_unref(p->settings);
    free(p);
}

void publisher_listen(struct publisher *p, publisher_changed *changed, void *context)
{
    p->changed = changed;
    p->changed_context = context;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

const struct bytes *publisher_crl(const struct publisher *p, const struct backend_instance *backend,
                                  struct bytes issuer)
{
    const struct house *h = house_named(p, backend_instance_name(backend));
    const struct authority *a = h ? h->authorities : NULL;
    while (a && issuer.len && !authority_is(a, issuer) && !bytes_equal(a->subject, issuer))
        a = a->next;
    return a && a->public->crl.len ? &a->public->crl : NULL;
}

struct published *publisher_find(const struct publisher *p, struct bytes name)
{
    for (const struct house *h = p->houses; h; h = h->next)
        if (bytes_equal(bytes_of_text(h->name), name))
            return h->authorities ? h->authorities->public : NULL;
    for (const struct house *h = p->houses; name.len && h; h = h->next)
        for (const struct authority *a = h->authorities; a; a = a->next)
            if (bytes_equal(bytes_of_text(a->public->name), name))
                return a->public;
    return NULL;
}

size_t publisher_list(const struct publisher *p, const struct backend_instance *backend,
                      struct published *out[PUBLISHER_CAS_MAX])
{
    const struct house *h = house_named(p, backend_instance_name(backend));
    size_t count = 0;
    for (const struct authority *a = h ? h->authorities : NULL; a && count < PUBLISHER_CAS_MAX; a = a->next)
        out[count++] = a->public;
    return count;
}
