/* server_parts.h: what the daemon owns; shared by server.c (start, drain, stop), server_store.c, sweep.c and
 * reload.c. Loop thread. */
#pragma once

#include "admin/admin.h"
#include "alias/alias.h"
#include "audit/audit.h"
#include "challenge/challenge.h"
#include "enroll/enroll.h"
#include "enroll/trust_keeper.h"
#include "http/listener.h"
#include "issuing/backends.h"
#include "issuing/ra_maker.h"
#include "issuing/rollover.h"
#include "metrics/metrics.h"
#include "publication/pages.h"
#include "replicas.h"
#include "settings/settings.h"
#include "store/store.h"
#include "transaction/obligations.h"
#include "worker/pool.h"

/* In the order of their making; freed in reverse. */
struct server {
    struct gateway_settings *settings; /* a reference */
    struct event_base *base;
    struct metrics *metrics;
    struct keys *keys;
    struct store *store;
    struct pool *pool;
    struct lane *lane; /* of the server's own jobs */
    struct backends *backends;
    struct alias_directory *directory;
    struct ra_maker *ra_maker;
    struct rollover *rollover;
    struct trust_keeper *trust_keeper;
    struct challenge_service *challenges;
    struct obligations *obligations;
    struct publisher *publisher;
    struct pages *pages;
    struct replicas *replicas;
    struct enroll *enroll;
    struct admin *admin;
    struct http_listener *scep;
    struct http_listener *admin_tcp;
    struct http_listener *admin_unix;
    uid_t *approvers;
    size_t approver_count;
    struct event *signals[3]; /* SIGTERM, SIGINT, SIGHUP */
    struct event *gauge_timer;
    struct event *watchdog;
    int64_t watchdog_due;
    struct event *drain_timer;
    int64_t drain_until; /* monotonic; 0 while serving */
    bool begun;          /* the audit trail has "gateway.started" */
    bool sweep_scheduled;
    bool reloading;
    bool reload_again;
    int rows_in_flight; /* store operations of the server itself */
};

/* Master keys and the store that the settings name. */
enum error_code server_open_store(struct server *s, struct error *e);
/* Makes an alias of checked settings and puts it into the directory. */
enum error_code server_add_alias(struct server *s, struct alias_settings *settings, struct error *e);
/* Handles "retention.sweep". */
void server_handle_sweep(struct server *s);
/* Sees to it that it is due. */
void server_schedule_sweep(struct server *s);
/* Reads the settings again on a worker and applies the difference; a bad file leaves the old ones serving. */
void server_reload(struct server *s);
/* An audit row of the daemon itself. `details` is closed and freed. */
void server_audit(struct server *s, enum audit_code code, struct audit_details *details);
