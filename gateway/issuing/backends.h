/* backends.h: backend types and instances, and calls to them with deadlines, metrics and log lines.
 *
 * Instances are opened before the loop serves (or on a worker at reload) and outlive every alias that uses
 * them. Loop thread otherwise.
 */
#pragma once

#include "backends/backend.h"
#include "metrics/metrics.h"
#include "settings/settings.h"
#include "worker/pool.h"

struct clock;
struct event_base;
struct backends;
struct backend_instance;
struct backend_call;

/* Every built-in type, sorted by name, and the settings rows they bring. Static memory. */
const struct backend_type *const *backend_types(size_t *count);
const struct settings_catalogue *backend_catalogue(void);

enum error_code backends_create(struct backends **out, struct event_base *base, struct pool *pool,
                                struct metrics *metrics, const struct clock *clock, const char *state_folder,
                                struct error *e);
/* Opens what `settings` names and is not open yet (same name, type and values count as the same): all or
 * none. Blocking. */
enum error_code backends_open(struct backends *b, const struct gateway_settings *settings, struct error *e);
/* No call is running; accepts NULL. An instance whose abandoned work is still queued ends with it, when the
 * pool delivers it. */
void backends_free(struct backends *b);
struct backend_instance *backends_find(struct backends *b, const char *name); /* NULL when there is none */

/* The backend that issues under this name: the one called so, or the one behind the gate that is. NULL when
 * there is none. */
struct backend_instance *backends_issuer(struct backends *b, const char *name);
/* The gate of this name; NULL when it is none. */
struct backend_instance *backends_gate(struct backends *b, const char *name);

const char *backend_instance_name(const struct backend_instance *i);
const struct backend_type *backend_instance_type(const struct backend_instance *i);
void *backend_instance_opened(const struct backend_instance *i); /* what the type's functions take */
bool backend_instance_healthy(const struct backend_instance *i, char *problem, size_t size);

enum backend_call_kind {
    BACKEND_CALL_ENROLL,
    BACKEND_CALL_POLL,
    BACKEND_CALL_LOOK_UP,
};

/* prepare(): bytes written to `plan`, 0 when the backend has none; -1 when it failed. */
int backend_prepare(struct backend_instance *i, const struct backend_request *request,
                    uint8_t plan[BACKEND_PLAN_MAX]);
/* Starts a call. `done` is called exactly once on the loop thread, never inside; after `deadline` ms with
 * BACKEND_UNAVAILABLE and reason "timeout" (`lost` in backend_call_lost). `request` is alive until then. */
void backend_call(struct backend_instance *i, enum backend_call_kind kind,
                  const struct backend_request *request, struct backend_bytes cookie, int64_t deadline,
                  backend_done *done, void *context);
/* The same for the certificates of one of its CAs (`ca_chain` of the contract). */
void backend_ask_chain(struct backend_instance *i, enum backend_authority which, int64_t deadline,
                       backend_done *done, void *context);
/* The same for the CRL of one of its CAs (`crl` of the contract). */
void backend_ask_crl(struct backend_instance *i, const struct backend_crl_request *request, int64_t deadline,
                     backend_done *done, void *context);
/* True inside `done` when the result is a time-out: the submission may still have happened. */
bool backend_call_lost(const struct backend_result *result);
/* ---- gates */
void backend_admit(struct backend_instance *gate, const struct backend_request *request,
                   const struct backend_facts *facts, struct backend_admission *admission);
/* As `announce` of the contract; one at a time per gate, so that a slow hook keeps no workers from others. */
enum backend_announcement { ANNOUNCEMENT_STARTED, ANNOUNCEMENT_BUSY, ANNOUNCEMENT_NEEDLESS };
enum backend_announcement backend_announce(struct backend_instance *gate, const char *notice,
                                           backend_announced *done, void *context);
size_t backends_running(const struct backends *b);
