/* ra_given.c: RA identities that an administrator brought: files, or the CA's own key (ra_steps.h).
 *
 * They come in the order of the CAs: the present one's in front; behind it the one before, which still opens old
 * messages; and while a successor is staged, its identity beside them.
 */
#include <stdio.h>

#include "base/clock.h"
#include "issuing/ra_steps.h"

#define TEXT_MAX 560

/* ---- loading one, on a worker -------------------------------------------------------------------------- */

static bool has_successor_files(const struct ra_attempt *a)
{
    const struct alias_settings *s = attempt_settings(a);
    return s->ra.from == RA_FROM_FILES && s->ra.successor.certificate[0];
}

static enum error_code load_files(struct ra_set **out, const struct ra_attempt *a, bool successor,
                                  const struct ra_given *given, struct error *e)
{
    const struct ra_settings *ra = &attempt_settings(a)->ra;
    const struct ra_successor_files *f = &ra->successor;
    const struct ra_files opens = {.certificate = successor ? f->certificate : ra->certificate,
                                   .key = successor ? f->key : ra->key};
    const struct ra_files signs = {.certificate =
                                       successor ? f->signing_certificate : ra->signing_certificate,
                                   .key = successor ? f->signing_key : ra->signing_key};
    return ra_from_files(out, &opens, *signs.certificate ? &signs : NULL, given, e);
}

static enum error_code load_ca(struct ra_set **out, const struct ra_attempt *a, enum backend_authority which,
                               struct ra_given given, struct error *e)
{
    struct ra_pem pem = {.certificate = bytes_of_text(a->ca_certificate_pem[which]),
                         .certificate_name = "the CA certificate",
                         .key = bytes_of_text(a->ca_key_pem[which]),
                         .key_name = "the CA key"};
    /* The chain begins with the CA, which is the RA here. */
    size_t above = given.chain_count ? 1 : 0;
    given.chain += above;
    given.chain_count -= above;
    return ra_from_pem(out, &pem, NULL, &given, e);
}

/* The CA's chain; files that know no successor may have been certified by the CA before. */
static size_t fill_chain(const struct ra_attempt *a, enum backend_authority which,
                         struct bytes out[2 * CHAIN_MAX])
{
    size_t count = 0;
    const struct chain *own = &a->authorities[which], *before = &a->authorities[BACKEND_CA_PREVIOUS];
    for (size_t i = 0; i < own->count; i++)
        out[count++] = own->certificates[i];
    bool both = attempt_settings(a)->ra.from == RA_FROM_FILES && which == BACKEND_CA_CURRENT &&
                !has_successor_files(a);
    for (size_t i = 0; both && i < before->count; i++)
        out[count++] = before->certificates[i];
    return count;
}

/* Whose files are whose: the successor's are the present CA's once it has taken over. */
static enum error_code load_for(struct ra_set **out, const struct ra_attempt *a, enum backend_authority which,
                                struct error *e)
{
    struct bytes chain[2 * CHAIN_MAX];
    struct ra_given given = {.chain = chain,
                             .chain_count = fill_chain(a, which, chain),
                             .root_in_body = attempt_settings(a)->compat.root_in_get_ca_cert};
    if (attempt_settings(a)->ra.from == RA_FROM_CA)
        return load_ca(out, a, which, given, e);
    bool followed = a->authorities[BACKEND_CA_PREVIOUS].count > 0;
    bool successor =
        has_successor_files(a) && (which == BACKEND_CA_NEXT || (which == BACKEND_CA_CURRENT && followed));
    return load_files(out, a, successor, &given, e);
}

/* Is there an identity of its own for this one of the CAs? */
static bool has_identity(const struct ra_attempt *a, enum backend_authority which)
{
    if (!a->authorities[which].count)
        return false;
    return attempt_settings(a)->ra.from == RA_FROM_CA ? a->ca_key_pem[which] != NULL : has_successor_files(a);
}

/* An old one that cannot be read any more opens nothing. */
static enum error_code join_previous(struct ra_attempt *a)
{
    struct ra_set *before = NULL, *joined = NULL;
    if (load_for(&before, a, BACKEND_CA_PREVIOUS, NULL) != ERR_OK)
        return ERR_OK;
    enum error_code code = ra_set_join(&joined, a->set, before, &a->error);
    ra_set_unref(before);
    if (code == ERR_OK) {
        ra_set_unref(a->set);
        a->set = joined;
    }
    return code;
}

static void run_load(void *data)
{
    struct ra_attempt *a = data;
    struct ra_set *next = NULL;
    a->code = load_for(&a->set, a, BACKEND_CA_CURRENT, &a->error);
    if (a->code == ERR_OK && has_identity(a, BACKEND_CA_PREVIOUS))
        a->code = join_previous(a);
    if (a->code != ERR_OK || !a->authorities[BACKEND_CA_NEXT].count)
        return;
    if (has_identity(a, BACKEND_CA_NEXT))
        a->next_failed = load_for(&next, a, BACKEND_CA_NEXT, &a->error) != ERR_OK;
    attempt_stage(a, next);
    ra_set_unref(next);
}

/* ---- installing ---------------------------------------------------------------------------------------- */

static void note_successor(const struct ra_attempt *a)
{
    char text[TEXT_MAX + 64];
    bool staged = a->authorities[BACKEND_CA_NEXT].count > 0;
    if (a->next_failed) {
        snprintf(text, sizeof text, "clients are not told of the next CA, because its RA cannot be used: %s",
                 error_text(&a->error));
        attempt_note(a, LOG_LEVEL_ERROR, "ca.unannounced", text);
    } else if (staged && !has_identity(a, BACKEND_CA_NEXT)) {
        attempt_note(
            a, LOG_LEVEL_WARNING, "ca.unannounced",
            "the backend stages a CA, but the alias has no RA for it, so that clients are not told of "
            "it; set ra.successor_certificate and ra.successor_key");
    } else if (!staged && !a->authorities[BACKEND_CA_PREVIOUS].count && has_successor_files(a)) {
        attempt_note(
            a, LOG_LEVEL_WARNING, "ca.unannounced",
            "ra.successor_certificate is for a CA that the backend does not stage: set the backend's "
            "successor.certificate");
    }
}

static void loaded(void *data)
{
    struct ra_attempt *a = data;
    if (attempt_stopped(a))
        return;
    if (a->code != ERR_OK) {
        char text[TEXT_MAX];
        snprintf(text, sizeof text, "%s%s", error_text(&a->error),
                 attempt_settings(a)->ra.from == RA_FROM_CA
                     ? " (a local_ca made with `answers_scep: true` can be used)"
                     : "");
        attempt_finish_failed(a, text);
        return;
    }
    note_successor(a);
    if (a->set->not_after <= clock_realtime(a->parts.clock))
        attempt_note(a, LOG_LEVEL_ERROR, "ra.expired",
                     "the RA certificate has expired; clients will refuse it: bring a renewed one");
    attempt_install(a);
    attempt_finish_done(a);
}

/* False when the present CA's key is not given away. */
static bool take_ca_keys(struct ra_attempt *a)
{
    const struct backend_type *type = backend_instance_type(a->alias->backend);
    void *opened = backend_instance_opened(a->alias->backend);
    for (size_t i = 0; type->ca_key && i < AUTHORITIES; i++)
        if (a->authorities[i].count &&
            !type->ca_key(opened, (enum backend_authority)i, &a->ca_key_pem[i], &a->ca_certificate_pem[i]))
            a->ca_key_pem[i] = NULL;
    return a->ca_key_pem[BACKEND_CA_CURRENT] != NULL;
}

void attempt_load_given(struct ra_attempt *a)
{
    if (!a->knows_authorities) {
        attempt_finish_failed(a, "the backend did not tell its CA certificates");
        return;
    }
    if (attempt_settings(a)->ra.from == RA_FROM_CA) {
        if (!take_ca_keys(a)) {
            attempt_finish_failed(a, "the backend does not give its CA key away; choose another ra.from");
            return;
        }
        attempt_note(
            a, LOG_LEVEL_WARNING, "ra.is_ca",
            "the CA's own key opens and signs SCEP messages (ra.from: ca); a key of its own is safer "
            "(ra.from: backend)");
    }
    attempt_job(a, run_load, loaded);
}
