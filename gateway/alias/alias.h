/* alias.h: one SCEP endpoint at run time, and the directory that finds it by URL.
 *
 * Loop thread only. `settings` and `policy` are immutable; `ra` and `trust` are replaced as a whole when the identity
 * changes. A request takes a reference and keeps what it began with.
 */
#pragma once

#include "alias/ra.h"
#include "policy/policy.h"
#include "settings/snapshot.h"
#include "worker/pool.h"

struct backend_instance; /* issuing/backends.h */

struct alias {
    struct alias_settings *settings;     /* a reference */
    struct policy *policy;               /* owned */
    struct proxy_signers *proxies;       /* owned; NULL when none (alias/proxy.h) */
    struct trust *trust;                 /* a reference; NULL without renewal (alias/trust.h) */
    struct backend_instance *backend;    /* borrowed from the registry, which outlives it */
    struct backend_instance *gate;       /* in front of `backend`; NULL: none. Borrowed */
    struct backend_instance *ra_backend; /* with RA_FROM_BACKEND */
    struct lane *lane;                   /* owned */
    struct ra_set *ra;                   /* a reference; NULL while there is none */
    char capabilities[256];              /* GetCACaps body */
    char capabilities_staged[256];       /* the same while a successor can be asked for */
    int references;
};

struct alias *alias_ref(struct alias *a);
void alias_unref(struct alias *a); /* accepts NULL */
/* Takes a reference of the settings; compiles the policy. Does not block. */
enum error_code alias_create(struct alias **out, struct alias_settings *settings, struct pool *pool,
                             struct error *e);
void alias_install_trust(struct alias *a,
                         struct trust *trust); /* takes the caller's reference, drops the old one */
/* GetNextCACert: what the alias answers now; empty when no successor is staged, or its RA is not made yet. */
struct bytes alias_next_ca(const struct alias *a);
const char *alias_capabilities(const struct alias *a);
void alias_install_ra(struct alias *a,
                      struct ra_set *ra); /* takes the caller's reference, drops the old one */

struct alias_directory;

struct alias_directory *alias_directory_create(void);
void alias_directory_free(struct alias_directory *d);
/* Adds or replaces by name; the directory takes its own reference. */
enum error_code alias_directory_put(struct alias_directory *d, struct alias *a);
void alias_directory_remove(struct alias_directory *d, const char *name);
struct alias *alias_directory_find(const struct alias_directory *d,
                                   const char *name); /* borrowed; without regard to case */
size_t alias_directory_count(const struct alias_directory *d);
void alias_directory_each(const struct alias_directory *d, void (*visit)(struct alias *a, void *context),
                          void *context);

/* Which alias a URL means, in O(1). `path` is the raw path of the request line (no query), `host` the Host
 * header without port,
 * "" when absent. Forms, in this order: an alias' own `paths` (with `hosts`, only there), /scep/ALIAS and
 * anything below, /ejbca/publicweb/apply/scep/ALIAS/pkiclient.exe, and a `hosts` match alone for /scep,
 * /cgi-bin/pkiclient.exe and /. Compared without regard to case after percent-decoding; a run of slashes
 * counts as one; "/pkiclient.exe" behind an own path and ":PORT" behind the first segment are ignored. NULL
 * when none. */
struct alias *alias_directory_route(const struct alias_directory *d, const char *path, const char *host);
/* For a load or reload: refuses aliases that claim the same URL, with a sentence that names both (put lets
 * the newer one have it). */
enum error_code alias_directory_check(struct alias_settings *const *aliases, size_t count, struct error *e);
