/* trust.h: what an alias knows of the CAs whose certificates it renews: who they are, and whom they revoked.
 *
 * A `struct trust` is immutable and reference-counted; any thread may hold and ask one. The keeper
 * (issuing/trust_keeper.h) makes a new one in the background whenever a list was read.
 */
#pragma once

#include <openssl/x509.h>

#include "policy/renewal.h"

struct trust;

/* From settings alone: reads the PEM files of `renewal.issuers` (blocking; small), and no list yet. `now` is
 * since when revocation is unknown. */
enum error_code trust_create(struct trust **out, const struct renewal_settings *settings, int64_t now,
                             struct error *e);
struct trust *trust_ref(struct trust *t);
void trust_unref(struct trust *t); /* accepts NULL */

/* Where a list comes from. The gateway publishes those of a backend's CAs itself: the first must be there, those of CAs
 * before and after may be. */
enum trust_source_kind { TRUST_FILE, TRUST_URL, TRUST_BACKEND };

#define TRUST_BACKEND_LISTS 3

/* How many revocation lists are wanted, files first and those of the backend last, and where the n-th comes from. */
size_t trust_source_count(const struct trust *t);
const char *trust_source(const struct trust *t, size_t n, enum trust_source_kind *kind);

/* ---- a successor, before anybody else sees it ---------------------------------------------------------- */

/* With all that `old` knows; NULL when out of memory. */
struct trust *trust_copy(const struct trust *old);
/* Takes over the lists of `old` from sources of the same name, and since when they are missing. */
void trust_inherit(struct trust *t, const struct trust *old);
/* One more certificate of the alias' own CA; those known before stay (a CA is followed by another). */
enum error_code trust_add_own(struct trust *t, struct bytes der, struct error *e);
/* A revocation list, PEM or DER, signed by a CA that is known here, and no older than the one before from this
 * source. ERR_KEY_UNUSABLE with a sentence otherwise; the one before stays. */
enum error_code trust_set_list(struct trust *t, size_t source, struct bytes list, struct error *e);

/* The backend has fewer CAs now: forgets the list of this source, unless it is one that must be there. */
void trust_drop_list(struct trust *t, size_t source);

/* ---- asking -------------------------------------------------------------------------------------------- */

/* Fills issuer, list, unknown_since, is_ca and may_sign for this certificate, for the time `out->now`. */
void trust_judge(const struct trust *t, X509 *certificate, struct renewal_facts *out);
