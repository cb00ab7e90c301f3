/* one_time.c: challenges out of the store, found by their keyed hash under every key of the ring. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "challenge/validator.h"

/* ---- bindings: "" or NULL binds nothing ---------------------------------------------------------------- */

/* Every CN: a second one must not smuggle another name past the binding. */
static bool has_cn(const struct csr *csr, const char *wanted)
{
    bool found = false;
    for (size_t i = 0; i < csr->field_count; i++) {
        if (strcmp(csr->fields[i].name, "CN") != 0)
            continue;
        if (strcasecmp(csr->fields[i].value, wanted) != 0)
            return false;
        found = true;
    }
    return found;
}

static bool is_name(const struct san_entry *san, const char *wanted)
{
    return (san->kind == SAN_DNS ? strcasecmp(san->value, wanted) : strcmp(san->value, wanted)) == 0;
}

/* No other name of that kind either, for the same reason; other kinds are the policy's to judge. */
static bool has_san(const struct csr *csr, const char *wanted)
{
    unsigned found = 0, others = 0; /* one bit per kind */
    for (size_t i = 0; i < csr->san_count; i++)
        *(is_name(&csr->sans[i], wanted) ? &found : &others) |= 1u << csr->sans[i].kind;
    return found && !(found & others);
}

/* In one of three fields, and nowhere in that field another one. */
static bool has_device(const struct csr *csr, const char *wanted)
{
    static const char *const names[] = {"serialNumber", "UID", "unstructuredName"};
    unsigned found = 0, others = 0; /* one bit per field */
    for (size_t i = 0; i < csr->field_count; i++)
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            if (strcmp(csr->fields[i].name, names[k]) == 0)
                *(strcmp(csr->fields[i].value, wanted) == 0 ? &found : &others) |= 1u << k;
    return found && !(found & others);
}

static bool has_key(const struct csr *csr, const char *wanted)
{
    char have[2 * sizeof csr->spki_sha256 + 1];
    for (size_t i = 0; i < sizeof csr->spki_sha256; i++)
        snprintf(have + 2 * i, 3, "%02x", csr->spki_sha256[i]);
    return strcasecmp(have, wanted) == 0;
}

/* What the request does not fulfil; NULL when it fulfils all. */
static const char *broken_binding(const struct challenge_record *c, const struct csr *csr)
{
    const struct {
        const char *wanted, *what;
        bool (*holds)(const struct csr *csr, const char *wanted);
    } bindings[] = {
        {c->bind_cn, "subject CN", has_cn},
        {c->bind_san, "subject alternative name", has_san},
        {c->bind_device, "device", has_device},
        {c->bind_spki_sha256, "public key", has_key},
    };
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++)
        if (bindings[i].wanted && bindings[i].wanted[0] && !bindings[i].holds(csr, bindings[i].wanted))
            return bindings[i].what;
    return NULL;
}

/* ---- the look ------------------------------------------------------------------------------------------ */

/* `now` is the store's: a challenge ends at the same time on every replica. */
static void decide(struct validation *v, const struct challenge_record *c, int64_t now)
{
    struct challenge_verdict *verdict = &v->verdict;
    snprintf(verdict->challenge_id, sizeof verdict->challenge_id, "%s", c->id);
    int uses_left = c->uses_left + (strcmp(v->given_back, c->id) == 0 ? 1 : 0);
    const char *broken;
    if (c->state == CHALLENGE_REVOKED) {
        validation_decide(v, ERR_CHALLENGE_REFUSED, "challenge %s was revoked", c->id);
    } else if (uses_left <= 0 && v->used_is_good) {
        verdict->challenge_id[0] = '\0';
        validation_decide(v, ERR_OK, "challenge %s, used before", c->id);
    } else if (uses_left <= 0) {
        snprintf(verdict->bound_to, sizeof verdict->bound_to, "%s",
                 c->first_transaction ? c->first_transaction : "");
        validation_decide(v, ERR_CHALLENGE_REUSED, "challenge %s has no use left", c->id);
    } else if (c->expires <= now) {
        validation_decide(v, ERR_CHALLENGE_EXPIRED, "challenge %s has expired", c->id);
    } else if ((broken = broken_binding(c, v->csr)) != NULL) {
        validation_decide(v, ERR_CHALLENGE_BINDING, "challenge %s is bound to another %s", c->id, broken);
    } else {
        validation_decide(v, ERR_OK, "challenge %s", c->id);
    }
}

static void found(void *context, struct store_answer *answer)
{
    struct validation *v = context;
    if (answer->outcome == STORE_OK && answer->challenge_count > 0)
        decide(v, &answer->challenges[0], answer->now);
    else if (answer->outcome == STORE_OK || answer->outcome == STORE_NOT_FOUND)
        validation_decide(v, ERR_CHALLENGE_REFUSED, "no such challenge");
    else
        validation_decide(v, ERR_STORE_UNAVAILABLE, "%s", answer->reason);
    store_answer_free(answer);
    validation_complete(v);
}

void one_time_validate(struct validation *v)
{
    struct challenge_service *s = v->service;
    struct bytes challenge = bytes_of(v->csr->challenge.data, v->csr->challenge.len);
    store_request_init(&v->request, STORE_CHALLENGE_FIND);
    v->request.challenge_find.alias = v->settings->name;
    v->request.challenge_find.hash_count = keys_count(s->keys);
    for (size_t i = 0; i < keys_count(s->keys); i++) {
        if (keys_challenge_hash(s->keys, i, v->settings->name, challenge,
                                v->request.challenge_find.hashes[i]) == ERR_OK)
            continue;
        validation_decide(v, ERR_STORE_UNAVAILABLE, "the challenge's look-up hash cannot be computed");
        validation_defer(v);
        return;
    }
    store_submit(s->store, &v->request, found, v);
}
