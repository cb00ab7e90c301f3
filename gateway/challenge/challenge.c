/* challenge.c: see challenge.h. The service: chooses the validator, guards it with the limiter, completes in
 * a later turn. */
#include "challenge/challenge.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "challenge/limiter.h"
#include "challenge/sharing.h"
#include "challenge/validator.h"

static void none_validate(struct validation *v)
{
    validation_decide(v, ERR_OK, "no challenge is asked for");
    validation_defer(v);
}

static const struct {
    void (*validate)(struct validation *v);
    bool needs_challenge;
} validators[] = {
    [CHALLENGE_ONE_TIME] = {one_time_validate, true},
    [CHALLENGE_STATIC] = {fixed_validate, true},
    [CHALLENGE_NONE] = {none_validate, false},
};

struct challenge_service *challenge_service_create(struct event_base *base, struct store *store,
                                                   const struct keys *keys, const struct clock *clock)
{
    struct challenge_service *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct challenge_service){base, store, keys, clock, limiter_create(), NULL};
    if (s->limiter)
        s->sharing = sharing_create(store, s->limiter, clock);
    if (s->sharing)
        return s;
    challenge_service_free(s);
    return NULL;
}

void challenge_service_free(struct challenge_service *s)
{
    if (!s)
        return;
    sharing_free(s->sharing);
    limiter_free(s->limiter);
    free(s);
}

void validation_decide(struct validation *v, enum error_code code, const char *format, ...)
{
    v->verdict.code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(v->verdict.text, sizeof v->verdict.text, format, args);
    va_end(args);
}

static bool is_failed_attempt(enum error_code code)
{
    return code == ERR_CHALLENGE_REFUSED || code == ERR_CHALLENGE_EXPIRED || code == ERR_CHALLENGE_REUSED ||
           code == ERR_CHALLENGE_BINDING;
}

static void count_failure(struct challenge_service *s, const struct alias_settings *settings,
                          const char *address)
{
    limiter_count(s->limiter, settings, address, clock_monotonic(s->clock));
    sharing_failed(s->sharing, settings, address);
}

/* Failures are counted when they are decided, not when they are told: guesses sent at once are counted one by
 * one. */
static void count_when_failed(struct validation *v)
{
    if (is_failed_attempt(v->verdict.code))
        count_failure(v->service, v->settings, v->client_address);
}

static void finish(struct validation *v)
{
    v->done(v->context, &v->verdict);
    secret_wipe(v, sizeof *v); /* it holds the look-up hashes of a challenge */
    free(v);
}

void validation_complete(struct validation *v)
{
    count_when_failed(v);
    finish(v);
}

static void deferred(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    finish(context);
}

/* A completion that can neither be made nor be put off leaves a client hanging for ever. */
static void out_of_memory(void)
{
    fputs("out of memory for the completion of a challenge's validation\n", stderr);
    abort();
}

void validation_defer(struct validation *v)
{
    static const struct timeval now = {0, 0};
    count_when_failed(v);
    if (event_base_once(v->service->base, -1, EV_TIMEOUT, deferred, v, &now) != 0)
        out_of_memory();
}

void challenge_validate(struct challenge_service *s, struct alias *alias, const struct challenge_facts *facts,
                        challenge_done *done, void *context)
{
    struct validation *v = calloc(1, sizeof *v);
    if (!v)
        out_of_memory();
    const struct alias_settings *settings = alias->settings;
    *v = (struct validation){
        .service = s, .settings = settings, .csr = facts->csr, .done = done, .context = context};
    snprintf(v->client_address, sizeof v->client_address, "%s",
             facts->client_address ? facts->client_address : "");
    v->used_is_good = facts->used_is_good;
    snprintf(v->given_back, sizeof v->given_back, "%s", facts->given_back ? facts->given_back : "");
    enum challenge_type type = settings->challenge.type;
    if (!validators[type].needs_challenge) {
        validators[type].validate(v);
        return;
    }
    sharing_arrived(s->sharing, settings, v->client_address);
    if (!limiter_allows(s->limiter, settings, v->client_address, clock_monotonic(s->clock)))
        validation_decide(v, ERR_CHALLENGE_LIMITED,
                          "too many refused challenges from this address or at this alias");
    else if (!v->csr->has_challenge || v->csr->challenge.len == 0)
        validation_decide(v, ERR_CHALLENGE_MISSING, "the request carries no challenge");
    else {
        validators[type].validate(v);
        return;
    }
    validation_defer(v);
}

void challenge_failed(struct challenge_service *s, const struct alias *alias, const char *client_address)
{
    count_failure(s, alias->settings, client_address);
}
