/* enroll.h: the story of an enrolment, from a complete HTTP request to its reply. The only room that knows
 * the order of things.
 *
 * Loop thread.
 */
#pragma once

#include "alias/alias.h"
#include "challenge/challenge.h"
#include "http/listener.h"
#include "issuing/backends.h"
#include "issuing/ra_maker.h"
#include "metrics/metrics.h"
#include "publication/publisher.h"
#include "store/store.h"
#include "transaction/obligations.h"

struct enroll;

/* Borrowed; all outlive the service. */
struct enroll_parts {
    struct event_base *base;
    struct alias_directory *directory;
    struct challenge_service *challenges;
    struct store *store;
    const struct keys *keys;
    struct ra_maker *ra_maker;
    struct obligations *obligations;
    struct metrics *metrics;
    const struct clock *clock;
    const struct publisher *publisher; /* what GetCRL is answered from; NULL: there are no lists */
};

enum error_code enroll_create(struct enroll **out, const struct enroll_parts *parts,
                              const struct gateway_settings *settings, struct error *e);
void enroll_settings(struct enroll *e,
                     const struct gateway_settings *settings); /* after a reload; takes a reference */
/* The http_handler of the SCEP listeners; context is the service. */
void enroll_handle(void *service, struct http_exchange *x);
/* Audits what the SCEP listeners refused before it came here; `refused` of their options. */
void enroll_refused(void *service, const char *client, enum error_code code);
void enroll_drain(struct enroll *e);      /* new requests get 503; running ones finish */
bool enroll_idle(const struct enroll *e); /* no request and no submission is running */
void enroll_free(struct enroll *e);
