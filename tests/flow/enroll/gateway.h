/* gateway.h: the whole gateway in one process, on one loop that the test turns: settings out of YAML, a real
 * SQLite store in a folder of its own (behind faulty.h), and a listener on loopback. Its clock can be
 * stepped.
 *
 * The alias `demo` gets its certificates from a scripted backend (scripted.h) and its RA identity from a
 * local CA.
 */
#pragma once

#include <stdatomic.h>

#include "base/clock.h"
#include "enroll/enroll.h"
#include "flow/enroll/faulty.h"

struct gateway_wish {
    const char *enroll;    /* members of `enroll` in flow style; NULL: a patient gateway */
    const char *worker;    /* members of `worker` */
    const char *challenge; /* members of the alias' `challenge`; NULL: type: one_time */
    const char *alias;     /* further members of the alias */
    const char *gate;      /* members of a manual gate in front of the alias' backend, or ""; NULL: no gate */
    const char *aliases;   /* further aliases: "\n  other: {…}" */
    bool cold;             /* does not wait for the RA identities */
};

struct gateway {
    char folder[64];
    char yaml[4096];
    struct event_base *base;
    struct clock clock;
    _Atomic int64_t ahead; /* ms that the gateway's real time is ahead of ours */
    struct clock store_clock;
    _Atomic int64_t store_behind; /* ms that the store's time is behind the gateway's */
    int log;
    struct gateway_settings *settings;
    struct keys *keys;
    struct metrics *metrics;
    struct faulty_store store;
    struct pool *pool;
    struct backends *backends;
    struct alias_directory *directory;
    struct ra_maker *ra_maker;
    struct challenge_service *challenges;
    struct obligations *obligations;
    struct enroll *enroll;
    struct http_listener *listener;
    int port;
};

void gateway_open(struct gateway *g, const struct gateway_wish *wish);
void gateway_stop(struct gateway *g);  /* drains and destroys everything; the folder stays */
void gateway_start(struct gateway *g); /* from what the folder holds */
void gateway_close(struct gateway *g); /* stops, and removes the folder */

void gateway_step(struct gateway *g, int64_t ms); /* leases, delays and validities see it; timers do not */
bool gateway_settle(struct gateway *g);           /* until no request and no submission is running */
bool gateway_wait(struct gateway *g, bool (*holds)(void *), void *context);
struct alias *gateway_alias(struct gateway *g, const char *name);

/* Asks the store beneath the faults, and waits. The caller frees the answer. */
struct store_answer *gateway_ask(struct gateway *g, const struct store_request *r);
/* A one-time challenge of `demo`; the text lives until the next eight. */
const char *gateway_challenge(struct gateway *g);
const char *gateway_challenge_of(struct gateway *g, const char *alias, const struct challenge_order *order);
/* Uses that the newest challenge has left. */
int gateway_uses_left(struct gateway *g);
/* Rows of the audit trail with this event; `needle` (may be NULL) is in their details. Settles first. */
int gateway_audited(struct gateway *g, const char *event, const char *needle);
int gateway_certificates(struct gateway *g); /* recorded for clients */
/* State of the newest transaction of the store; 0 when there is none. */
enum transaction_state gateway_state(struct gateway *g);
int gateway_transactions(struct gateway *g);
int gateway_sealed_csrs(struct gateway *g); /* transactions whose CSR was not erased */
double gateway_metric(struct gateway *g,
                      const char *line); /* what follows `line` in the exposition; -1: nothing */
/* Is the text in a file of the folder (database, journal, log)? */
bool gateway_leaks(struct gateway *g, const char *text);
