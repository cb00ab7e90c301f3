/* check.c: see check.h. */
#include "settings/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "scep/message.h"
#include "settings/check_store.h"
#include "settings/claims.h"
#include "settings/section.h"
#include "settings/shown.h"
#include "settings/units.h"

#define SHORT_SECRET     12
#define GUESSABLE_SECRET 20 /* when guesses cost the guesser only time */

struct check {
    const struct gateway_settings *s;
    struct problems *problems;
    const char **backends; /* names, sorted */
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_backend(const struct check *c, const char *name)
{
    return c->s->backend_count &&
           bsearch(&name, c->backends, c->s->backend_count, sizeof *c->backends, compare_names);
}

static void check_reference(const struct check *c, const struct alias_settings *a, const char *path,
                            const char *name)
{
    char text[SHOWN_SIZE];
    if (is_backend(c, name))
        return;
    const char *close = closest_word(name, c->backends, c->s->backend_count);
    problem(c->problems, block_place(a->block, path),
            "alias `%s`: `%s` names the backend \"%s\", which does not exist; %s%s%s", a->name, path,
            shown(text, name), close ? "did you mean `" : "define it under `backends`", close ? close : "",
            close ? "`?" : "");
}

static bool says_itself(const struct alias_settings *a, const char *path)
{
    return block_own(a->block, block_row(a->block, path)) != NULL;
}

static void check_challenge(const struct check *c, const struct alias_settings *a)
{
    const struct challenge_settings *ch = &a->challenge;
    bool typed = setting_block_text(a->block, "challenge.type") != NULL;
    struct place at = block_place(a->block, "challenge.type");
    if (typed && ch->type == CHALLENGE_STATIC && !ch->secret.value.data)
        problem(c->problems, at,
                "alias `%s`: a static challenge needs `challenge.secret`, such as {file: PATH}", a->name);
    if (typed && ch->type == CHALLENGE_STATIC && ch->secret.value.data && ch->secret.value.len < SHORT_SECRET)
        warning(c->problems, block_place(a->block, "challenge.secret"),
                "alias `%s`: the shared password is shorter than %d characters; it can be guessed", a->name,
                SHORT_SECRET);
    if (typed && ch->type != CHALLENGE_STATIC && says_itself(a, "challenge.secret"))
        warning(c->problems, block_place(a->block, "challenge.secret"),
                "alias `%s`: `challenge.secret` has no effect without `type: static`", a->name);
    if (typed && ch->type == CHALLENGE_NONE)
        warning(c->problems, at,
                "alias `%s`: with `challenge: {type: none}` everybody who reaches it gets a certificate",
                a->name);
    if (ch->ttl > ch->max_ttl)
        problem(
            c->problems, block_place(a->block, "challenge.ttl"),
            "alias `%s`: `challenge.ttl` is longer than `challenge.max_ttl`; shorten it or raise the other",
            a->name);
}

static void check_pair(const struct check *c, const struct alias_settings *a, const char *certificate_row,
                       const char *certificate, const char *key_row, const char *key)
{
    if (a->ra.from == RA_FROM_FILES && !certificate[0] != !key[0])
        problem(c->problems, block_place(a->block, "ra.from"), "alias `%s`: `%s` and `%s` belong together",
                a->name, certificate_row, key_row);
}

static void check_ra(const struct check *c, const struct alias_settings *a)
{
    struct place at = block_place(a->block, "ra.from");
    if (a->ra.from == RA_FROM_BACKEND && a->ra.backend[0])
        check_reference(c, a, "ra.from", a->ra.backend);
    if (a->ra.from == RA_FROM_FILES && (!a->ra.certificate[0] || !a->ra.key[0]))
        problem(c->problems, at, "alias `%s`: `ra.from: files` needs `ra.certificate` and `ra.key`", a->name);
    check_pair(c, a, "ra.signing_certificate", a->ra.signing_certificate, "ra.signing_key",
               a->ra.signing_key);
    check_pair(c, a, "ra.successor_certificate", a->ra.successor.certificate, "ra.successor_key",
               a->ra.successor.key);
    check_pair(c, a, "ra.successor_signing_certificate", a->ra.successor.signing_certificate,
               "ra.successor_signing_key", a->ra.successor.signing_key);
    if (a->ra.successor.signing_certificate[0] && !a->ra.successor.certificate[0])
        problem(c->problems, at,
                "alias `%s`: `ra.successor_signing_certificate` needs `ra.successor_certificate`", a->name);
    if (a->ra.from != RA_FROM_FILES &&
        (says_itself(a, "ra.certificate") || says_itself(a, "ra.successor_certificate") ||
         says_itself(a, "ra.key") || says_itself(a, "ra.signing_certificate") ||
         says_itself(a, "ra.signing_key")))
        warning(c->problems, at,
                "alias `%s`: the certificates and keys of `ra` have no effect without `from: files`",
                a->name);
    if (a->ra.from != RA_FROM_BACKEND && a->ra.separate_signing && says_itself(a, "ra.separate_signing"))
        warning(c->problems, at,
                "alias `%s`: `ra.separate_signing` has no effect without a backend that "
                "certifies the RA",
                a->name);
    if (a->ra.from == RA_FROM_CA)
        warning(
            c->problems, at,
            "alias `%s`: with `ra.from: ca` the CA's own key meets every message from the network%s", a->name,
            is_backend(c, "ca") ? "; if you meant the backend named `ca`, write `from: backend` or rename it"
                                : "");
}

static void check_renewal(const struct check *c, const struct alias_settings *a)
{
    const struct renewal_settings *r = &a->renewal;
    bool lists = r->crl_files.count || r->crl_urls.count || r->crl_from_backend;
    char text[UNIT_TEXT_SIZE];
    if (!r->enabled)
        return;
    if ((r->issuers.count || r->unrecorded) && !lists && r->crl_unknown != RENEWAL_UNKNOWN_ALLOWED)
        problem(c->problems,
                block_place(a->block, r->issuers.count ? "renewal.issuers" : "renewal.unrecorded"),
                "alias `%s`: nobody could tell whether such certificates are revoked; name their lists in "
                "`renewal.crl`, or say `renewal.crl.when_unknown: allow`",
                a->name);
    if (r->challenge == RENEWAL_CHALLENGE_REQUIRED && a->challenge.type == CHALLENGE_NONE)
        problem(c->problems, block_place(a->block, "renewal.challenge"),
                "alias `%s`: `renewal.challenge: require` needs a challenge type other than none", a->name);
    if (r->grace > c->s->retention.certificate)
        problem(c->problems, block_place(a->block, "renewal.grace"),
                "alias `%s`: `renewal.grace` is longer than certificates stay recorded after their end "
                "(`retention.certificate`, %s)",
                a->name, duration_text(text, c->s->retention.certificate));
    if (r->names == RENEWAL_NAMES_POLICY)
        warning(c->problems, block_place(a->block, "renewal.names"),
                "alias `%s`: with `renewal.names: policy` every device may renew under the name of another",
                a->name);
}

static void check_algorithms(const struct check *c, const struct alias_settings *a)
{
    if (a->compat.obsolete_des || a->compat.obsolete_md5)
        warning(c->problems, block_place(a->block, "compat.obsolete_algorithms"),
                "alias `%s` accepts %s%s%s, which protect nothing: whoever records the traffic can read the "
                "challenge",
                a->name, a->compat.obsolete_des ? "DES" : "",
                a->compat.obsolete_des && a->compat.obsolete_md5 ? " and " : "",
                a->compat.obsolete_md5 ? "MD5" : "");
    if (a->policy.rsa_min_bits > a->policy.rsa_max_bits)
        problem(c->problems, block_place(a->block, "policy.keys.rsa_min_bits"),
                "alias `%s`: `policy.keys.rsa_min_bits` is above `policy.keys.rsa_max_bits`", a->name);
}

/* A recorded reply to an EC client is a touchstone for guesses at the shared password. */
static void check_reply(const struct check *c, const struct alias_settings *a)
{
    const struct secret *shared = &a->challenge.secret.value;
    if (a->challenge.type == CHALLENGE_STATIC && (a->reply.to_ec_signers & SCEP_EC_REPLY_PASSWORD) &&
        shared->data && shared->len >= SHORT_SECRET && shared->len < GUESSABLE_SECRET)
        warning(
            c->problems, block_place(a->block, "challenge.secret"),
            "alias `%s`: replies to EC clients are encrypted with the shared password, and whoever records "
            "one can try passwords on it; make it %d random characters or set `reply.to_ec_signers: []`",
            a->name, GUESSABLE_SECRET);
}

static void check_alias(const struct check *c, const struct alias_settings *a)
{
    char text[UNIT_TEXT_SIZE];
    if (a->backend[0])
        check_reference(c, a, "backend", a->backend);
    check_challenge(c, a);
    check_ra(c, a);
    check_algorithms(c, a);
    check_renewal(c, a);
    check_reply(c, a);
    if (a->transaction.retransmit_window > c->s->retention.finished_transaction)
        problem(c->problems, block_place(a->block, "transaction.retransmit_window"),
                "alias `%s`: `transaction.retransmit_window` is longer than transactions are kept "
                "(`retention.finished_transaction`, %s)",
                a->name, duration_text(text, c->s->retention.finished_transaction));
}

/* ---- backends in front of others ----------------------------------------------------------------------- */

static const struct setting_row *row_in_front(const struct backend_settings *b)
{
    for (size_t i = 0; i < b->block->row_count; i++)
        if (b->block->rows[i].type == SETTING_REFERENCE)
            return &b->block->rows[i];
    return NULL;
}

static const struct backend_settings *backend_named(const struct check *c, const char *name)
{
    for (size_t i = 0; i < c->s->backend_count; i++)
        if (strcmp(c->s->backends[i].name, name) == 0)
            return &c->s->backends[i];
    return NULL;
}

static void check_backend(const struct check *c, const struct backend_settings *b)
{
    char text[SHOWN_SIZE];
    const struct setting_row *row = row_in_front(b);
    const char *name = row ? setting_block_text(b->block, row->path) : NULL;
    if (!name) /* none, or it is required and missing, which was said */
        return;
    struct place at = block_place(b->block, row->path);
    const struct backend_settings *behind = backend_named(c, name);
    const char *close = behind ? NULL : closest_word(name, c->backends, c->s->backend_count);
    if (!behind)
        problem(c->problems, at, "backend `%s`: `%s` names the backend \"%s\", which does not exist%s%s%s",
                b->name, row->path, shown(text, name), close ? "; did you mean `" : "", close ? close : "",
                close ? "`?" : "");
    else if (row_in_front(behind))
        problem(c->problems, at,
                "backend `%s`: `%s` names `%s`, which issues nothing itself; name the backend behind it",
                b->name, row->path, shown(text, name));
}

/* ---- RA identities that several aliases have: a message to one of them opens at the others as well ----- */

static int compare_ras(const void *a, const void *b)
{
    const struct alias_settings *x = *(struct alias_settings *const *)a,
                                *y = *(struct alias_settings *const *)b;
    if (x->ra.from != y->ra.from)
        return x->ra.from < y->ra.from ? -1 : 1;
    return x->ra.from == RA_FROM_FILES ? strcmp(x->ra.certificate, y->ra.certificate)
                                       : strcmp(x->backend, y->backend);
}

static void check_shared_ras(const struct check *c)
{
    const struct gateway_settings *s = c->s;
    CLEANUP(memory) struct alias_settings **given = calloc(s->alias_count + 1, sizeof *given);
    size_t count = 0;
    for (size_t i = 0; given && i < s->alias_count; i++)
        if (s->aliases[i]->ra.from != RA_FROM_BACKEND)
            given[count++] = s->aliases[i];
    if (count > 1)
        qsort(given, count, sizeof *given, compare_ras);
    for (size_t i = 1; i < count; i++)
        if (compare_ras(&given[i], &given[i - 1]) == 0)
            warning(c->problems, block_place(given[i]->block, "ra.from"),
                    "alias `%s` has the RA identity of alias `%s` (%s): what a client sends to one of them "
                    "can be "
                    "repeated by others at the other",
                    given[i]->name, given[i - 1]->name, given[i - 1]->origin);
}

static void check_gateway(const struct check *c)
{
    const struct gateway_settings *s = c->s;
    if (s->enroll.lease <= s->enroll.backend_deadline)
        problem(c->problems, block_place(s->block, "enroll.lease"),
                "`enroll.lease` must be longer than `enroll.backend_deadline`, or two processes submit the "
                "same request");
    if (s->worker.queue_total < s->worker.queue_per_alias)
        problem(c->problems, block_place(s->block, "worker.queue_total"),
                "`worker.queue_total` must be at least `worker.queue_per_alias`");
    if (s->alias_count == 0)
        warning(c->problems, s->block->at, "there are no `aliases`, so every request gets 404");
}

void settings_check(const struct gateway_settings *s, struct problems *problems)
{
    CLEANUP(memory) const char **names = calloc(s->backend_count + 1, sizeof *names);
    struct check c = {.s = s, .problems = problems, .backends = names};
    if (!names) {
        problem(problems, s->block->at, "out of memory while checking");
        return;
    }
    for (size_t i = 0; i < s->backend_count; i++)
        names[i] = s->backends[i].name;
    qsort(names, s->backend_count, sizeof *names, compare_names);
    check_gateway(&c);
    store_check(s, problems);
    for (size_t i = 0; i < s->backend_count; i++)
        check_backend(&c, &s->backends[i]);
    for (size_t i = 0; i < s->alias_count; i++)
        check_alias(&c, s->aliases[i]);
    check_shared_ras(&c);
    claims_check(s, problems);
}
