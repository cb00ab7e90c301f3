/* ra_next.c: the successor of an RA identity (ra.h). */
#include <stdlib.h>
#include <string.h>

#include "alias/ra.h"
#include "base/cleanup.h"
#include "scep/next_ca.h"

#define ANNOUNCEMENT_MAX (512 * 1024)

/* ---- joining ------------------------------------------------------------------------------------------- */

static bool has(const struct ra_set *s, X509 *certificate)
{
    bool found = false;
    for (size_t i = 0; !found && i < s->count; i++)
        found = X509_cmp(s->identities[i].certificate, certificate) == 0;
    return found;
}

static struct scep_recipient reference(const struct scep_recipient *r)
{
    X509_up_ref(r->certificate);
    EVP_PKEY_up_ref(r->key);
    return *r;
}

/* At most `limit` in all; those that are there already are left out. */
static void add(struct ra_set *to, const struct ra_set *from, size_t limit)
{
    for (size_t i = 0; i < from->count && to->count < limit; i++) {
        if (has(to, from->identities[i].certificate))
            continue;
        to->identities[to->count] = reference(&from->identities[i]);
        to->signers[to->count++] = reference(&from->signers[i]);
    }
}

/* Answers as `like`, without an identity yet. */
static enum error_code begin(struct ra_set **out, const struct ra_set *like, struct error *e)
{
    struct ra_set *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return error_set(e, ERR_INTERNAL, "out of memory");
    s->references = 1;
    s->not_after = like->not_after;
    s->renewal = like->renewal;
    memcpy(s->current_sha256, like->current_sha256, sizeof s->current_sha256);
    enum error_code code = ca_body_copy(&s->ca, &like->ca, e);
    if (code == ERR_OK)
        *out = s;
    else
        ra_set_unref(s);
    return code;
}

enum error_code ra_set_join(struct ra_set **out, const struct ra_set *front, const struct ra_set *behind,
                            struct error *e)
{
    enum error_code code = begin(out, front, e);
    if (code != ERR_OK)
        return code;
    add(*out, front, SCEP_RECIPIENTS_MAX);
    add(*out, behind, SCEP_RECIPIENTS_MAX);
    return ERR_OK;
}

/* ---- staging ------------------------------------------------------------------------------------------- */

static enum error_code announce(struct ra_next *n, const struct ra_staging *staging, struct error *e)
{
    CLEANUP(buffer) struct buffer text = {0};
    const struct scep_recipient *signer = &staging->present->signers[0];
    buffer_init(&text, ANNOUNCEMENT_MAX);
    enum error_code code = scep_next_ca_write(&text, staging->next->ca.chain_body, signer->certificate,
                                              signer->key, staging->digest, e);
    if (code != ERR_OK)
        return code;
    n->announcement = bytes_copy(buffer_bytes(&text));
    return n->announcement.data ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
}

/* Leaves room for the successor's, and old ones of the present out for it. */
static enum error_code add_successor(struct ra_set *s, const struct ra_staging *staging, struct error *e)
{
    const struct ra_set *next = staging->next;
    size_t reserved = !next                                   ? 0
                      : next->count < SCEP_RECIPIENTS_MAX / 2 ? next->count
                                                              : SCEP_RECIPIENTS_MAX / 2;
    add(s, staging->present, SCEP_RECIPIENTS_MAX - reserved);
    s->next->first = s->count;
    if (!next)
        return ERR_OK;
    add(s, next, SCEP_RECIPIENTS_MAX);
    if (s->next->first == s->count)
        return error_set(
            e, ERR_KEY_UNUSABLE,
            "the successor has the RA certificate of the present CA, so that a message to it would "
            "not say which CA is meant; bring one that the successor certified");
    if (next->renewal < s->renewal)
        s->renewal = next->renewal;
    enum error_code code = ra_set_join(&s->next->after, next, staging->present, e);
    return code == ERR_OK ? announce(s->next, staging, e) : code;
}

enum error_code ra_set_stage(struct ra_set **out, const struct ra_staging *staging, struct error *e)
{
    struct ra_set *s;
    *out = NULL;
    enum error_code code = begin(&s, staging->present, e);
    if (code != ERR_OK)
        return code;
    s->next = calloc(1, sizeof *s->next);
    if (s->next)
        *s->next = (struct ra_next){.from = staging->from, .issuer = bytes_copy(staging->issuer)};
    code = s->next && s->next->issuer.data ? add_successor(s, staging, e)
                                           : error_set(e, ERR_INTERNAL, "out of memory");
    if (code == ERR_OK)
        *out = s;
    else
        ra_set_unref(s);
    return code;
}

/* ---- who issues ---------------------------------------------------------------------------------------- */

struct bytes ra_set_issuer(const struct ra_set *s, size_t identity)
{
    return s->next && identity >= s->next->first ? s->next->issuer : (struct bytes){0};
}

struct bytes ra_set_issuer_for(const struct ra_set *s, const uint8_t recipient_sha256[32])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    for (size_t i = s->next ? s->next->first : s->count; i < s->count; i++)
        if (X509_digest(s->identities[i].certificate, EVP_sha256(), hash, NULL) == 1 &&
            memcmp(hash, recipient_sha256, 32) == 0)
            return s->next->issuer;
    return (struct bytes){0};
}
