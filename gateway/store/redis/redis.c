/* redis.c: see redis.h. Opens, sees that the data were made under our master key, takes requests, closes. */
#include "store/redis/redis.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/redis/inside.h"

#define PROBE_MS     100 /* between two looks at whether Redis has come back */
#define CLOSE_MARGIN 500 /* ms beyond the deadline of the last command */
#define VERSION      "1" /* of what the keys mean; a newer program would find another */

/* Nothing is asked of Redis before it is known whose data it has. */
enum gate { GATE_UNKNOWN, GATE_OPEN, GATE_SHUT };

struct opened_store {
    struct redis_store store; /* first: it begins with `struct store` */
    struct event_base *base;
    char **key_checks;
    size_t key_check_count;
    int64_t command_deadline;
    enum gate gate;
    bool asking;   /* an open gate stays open meanwhile */
    bool answered; /* since Redis was away last */
    bool closing;
    struct event *probe;
    char problem[320]; /* why the gate is shut */
};

static struct opened_store *of(const struct store *s)
{
    return (struct opened_store *)s;
}

/* ---- whose data are they? ------------------------------------------------------------------------------ */

static void ask(struct opened_store *s, const char *name, const char *value, redis_done *done)
{
    char base[REDIS_BASE_SIZE], key[REDIS_BASE_SIZE + 32];
    struct redis_command command = {.tag = STORE_TAG, .durable = true, .done = done, .context = s};
    redis_router_base(s->store.router, STORE_TAG, base);
    snprintf(key, sizeof key, "%s%s", base, name);
    arguments_init(&command.arguments);
    arguments_text(&command.arguments, "SET");
    arguments_text(&command.arguments, key);
    arguments_text(&command.arguments, value);
    arguments_text(&command.arguments, "NX");
    arguments_text(&command.arguments, "GET"); /* what was there before; nil when it is ours now */
    s->asking = true;
    redis_router_send(s->store.router, &command);
}

static void shut(struct opened_store *s, const char *sentence)
{
    s->gate = GATE_SHUT;
    snprintf(s->problem, sizeof s->problem, "%s", sentence);
}

/* True when the answer lets us in; otherwise the gate says why not. */
static bool told(struct opened_store *s, enum redis_result result, const redisReply *reply,
                 const char *problem)
{
    s->asking = false;
    if (result != REDIS_REPLIED) { /* asked again */
        if (s->gate == GATE_UNKNOWN)
            snprintf(s->problem, sizeof s->problem, "%s", problem);
        return false;
    }
    s->answered = true;
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    char sentence[256];
    snprintf(sentence, sizeof sentence, "Redis refuses the gateway: %.200s", reply->str);
    shut(s, sentence);
    return false;
}

static void key_told(void *context, enum redis_result result, const redisReply *reply, const char *problem)
{
    struct opened_store *s = context;
    if (!told(s, result, reply, problem))
        return;
    bool ours = reply->type == REDIS_REPLY_NIL;
    for (size_t i = 0; !ours && reply->type == REDIS_REPLY_STRING && i < s->key_check_count; i++)
        ours = strcmp(reply->str, s->key_checks[i]) == 0;
    if (ours)
        s->gate = GATE_OPEN;
    else
        shut(s, "the data in Redis were made under another master key; give this gateway the key file that "
                "belongs to them (store.master_key), or another store.prefix");
}

static void version_told(void *context, enum redis_result result, const redisReply *reply,
                         const char *problem)
{
    struct opened_store *s = context;
    if (!told(s, result, reply, problem))
        return;
    if (reply->type == REDIS_REPLY_STRING && strcmp(reply->str, VERSION) != 0)
        shut(s,
             "the data in Redis were made by another version of this program; run that one, or use another "
             "store.prefix");
    else
        ask(s, "key_check", s->key_check_count ? s->key_checks[0] : "", key_told);
}

/* Asked again whenever Redis has been away: it may have come back empty, or be another one. */
static void on_probe(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct opened_store *s = data;
    bool ready = redis_router_ready(s->store.router, NULL, 0);
    if (!ready)
        s->answered = false;
    else if (!s->asking && !s->answered)
        ask(s, "version", VERSION, version_told);
}

/* ---- requests ------------------------------------------------------------------------------------------ */

struct refusal {
    struct opened_store *store;
    struct store_answer *answer;
    store_done *done;
    void *context;
};

static void deliver_refusal(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct refusal *r = data;
    r->store->store.calls--;
    r->done(r->context, r->answer);
    free(r);
}

static void refuse(struct opened_store *s, const char *reason, store_done *done, void *context)
{
    static const struct timeval now = {0, 0};
    struct refusal *r = redis_allocate(1, sizeof *r);
    *r = (struct refusal){s, answer_create(), done, context};
    if (!r->answer || event_base_once(s->base, -1, EV_TIMEOUT, deliver_refusal, r, &now) != 0) {
        fputs("store: out of memory; there is none left even to refuse a request\n", stderr);
        abort();
    }
    s->store.calls++;
    answer_refuse(r->answer, STORE_UNAVAILABLE, reason);
}

static void submit(struct store *base, const struct store_request *request, store_done *done, void *context)
{
    struct opened_store *s = of(base);
    if (s->closing)
        refuse(s, "the store is being closed", done, context);
    else if (s->gate == GATE_OPEN)
        redis_call_start(&s->store, request, done, context);
    else
        refuse(s, *s->problem ? s->problem : "Redis has not been reached yet", done, context);
}

static bool ready(const struct store *base, char *problem, size_t size)
{
    const struct opened_store *s = of(base);
    if (!redis_router_ready(s->store.router, problem, size))
        return false;
    if (s->gate == GATE_OPEN)
        return true;
    if (problem && size)
        snprintf(problem, size, "%s", *s->problem ? s->problem : "Redis has not been reached yet");
    return false;
}

/* ---- open and close ------------------------------------------------------------------------------------ */

static void destroy(struct opened_store *s)
{
    redis_router_free(s->store.router);
    while (s->store.calls > 0) /* what was refused in the last moment */
        event_base_loop(s->base, EVLOOP_ONCE);
    redis_operations_free(&s->store);
    if (s->probe)
        event_free(s->probe);
    for (size_t i = 0; i < s->key_check_count; i++)
        free(s->key_checks[i]);
    free(s->key_checks);
    free(s);
}

/* Finishes what was accepted, for as long as a command may take; what is left then is answered as lost. */
static void close_store(struct store *base)
{
    struct opened_store *s = of(base);
    int64_t end = clock_monotonic(&clock_system) + s->command_deadline + CLOSE_MARGIN;
    s->closing = true;
    while (s->store.calls > 0 && clock_monotonic(&clock_system) < end)
        event_base_loop(s->base, EVLOOP_ONCE);
    destroy(s);
}

static const struct store_type type = {.submit = submit, .ready = ready, .close = close_store};

static struct opened_store *create(const char *const *key_checks, size_t count, struct event_base *base)
{
    struct opened_store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->store.base.type = &type;
    s->base = base;
    s->probe = event_new(base, -1, EV_PERSIST, on_probe, s);
    s->key_checks = calloc(count ? count : 1, sizeof *s->key_checks);
    bool good = s->probe && s->key_checks;
    for (size_t i = 0; good && i < count; i++) {
        s->key_checks[i] = strdup(key_checks[i]);
        good = s->key_checks[i] != NULL;
        s->key_check_count += good;
    }
    redis_operations_init(&s->store);
    if (good)
        return s;
    destroy(s);
    return NULL;
}

/* Redis that is away does not keep the gateway from starting; data of somebody else do. */
static enum error_code wait_for_gate(struct opened_store *s, int64_t patience, struct error *e)
{
    int64_t end = clock_monotonic(&clock_system) + patience;
    while (s->gate != GATE_OPEN && s->gate != GATE_SHUT && clock_monotonic(&clock_system) < end)
        event_base_loop(s->base, EVLOOP_ONCE); /* the probe wakes it */
    return s->gate == GATE_SHUT ? error_set(e, ERR_KEY_UNUSABLE, "%s", s->problem) : ERR_OK;
}

enum error_code store_redis_open(struct store **out, const struct redis_options *options,
                                 const char *const *key_checks, size_t key_check_count,
                                 struct event_base *base, redis_notice *notice, void *notice_context,
                                 struct error *e)
{
    *out = NULL;
    struct opened_store *s = create(key_checks, key_check_count, base);
    struct timeval period = {.tv_usec = PROBE_MS * 1000};
    if (!s)
        return error_set(e, ERR_INTERNAL, "out of memory");
    s->command_deadline = options->command_deadline;
    struct redis_router_order order = {
        .options = options, .base = base, .notice = notice, .notice_context = notice_context};
    enum error_code code = redis_router_create(&s->store.router, &order, e);
    if (code == ERR_OK && event_add(s->probe, &period) != 0)
        code = error_set(e, ERR_INTERNAL, "the event loop takes no events");
    if (code == ERR_OK)
        code = wait_for_gate(s, options->connect_deadline, e);
    if (code != ERR_OK) {
        destroy(s);
        return code;
    }
    *out = &s->store.base;
    return ERR_OK;
}
