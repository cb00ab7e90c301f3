/* record.c: see record.h. */
#include "store/redis/record.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "store/chain.h"
#include "store/redis/digest.h"
#include "store/redis/reply.h"

#define ID_SIZE 16
#define MOST    (16 * 1024 * 1024)

enum form {
    TEXT,
    ID,
    BYTES,
    DIGEST, /* 32 bytes, in the record itself */
    NUMBER, /* 64 bits, not negative */
    COUNT,  /* int, not negative */
    FLAG,
    CHAIN,
    SEQUENCE, /* number behind the dash of a stream's id */
    LINK,     /* 40 hex digits */
};

struct record_field {
    const char *name;
    enum form form;
    size_t offset;
    size_t second;    /* CHAIN: offset of the count */
    int64_t least;    /* numbers: a row whose value is below is odd; > 0: it must be there */
    int64_t greatest; /* 0: anything */
    bool needed;
};

/* ---- the tables ---------------------------------------------------------------------------------------- */

#define ROW(record, name, form, member, ...)                                                                 \
    {                                                                                                        \
        name, form, offsetof(struct record, member), __VA_ARGS__                                             \
    }

#define C(name, form, member, ...) ROW(challenge_record, name, form, member, ##__VA_ARGS__)
static const struct record_field challenge_fields[] = {
    C("id", ID, id, .needed = true),
    C("hash", DIGEST, hash, .needed = true),
    C("key", TEXT, key_id),
    C("state", COUNT, state, .least = CHALLENGE_UNUSED, .greatest = CHALLENGE_REVOKED),
    C("uses", COUNT, uses),
    C("left", COUNT, uses_left),
    C("created", NUMBER, created),
    C("expires", NUMBER, expires),
    C("cn", TEXT, bind_cn),
    C("san", TEXT, bind_san),
    C("device", TEXT, bind_device),
    C("spki", TEXT, bind_spki_sha256),
    C("labels", TEXT, labels),
    C("by", TEXT, created_by),
    C("first", ID, first_transaction),
};

#define T(name, form, member, ...) ROW(transaction_record, name, form, member, ##__VA_ARGS__)
static const struct record_field transaction_fields[] = {
    T("id", ID, id, .needed = true),
    T("tid", BYTES, key.transaction_id),
    T("signer", DIGEST, key.signer_spki_sha256, .needed = true),
    T("generation", NUMBER, generation, .least = 1),
    T("state", COUNT, state, .least = TRANSACTION_RECEIVED, .greatest = TRANSACTION_SUPERSEDED),
    T("claim", NUMBER, claim),
    T("lease", NUMBER, lease_until),
    T("csr", DIGEST, csr_info_sha256, .needed = true),
    T("recipient", DIGEST, recipient_sha256),
    T("sealed", BYTES, sealed_csr),
    T("plan", BYTES, plan),
    T("cookie", BYTES, cookie),
    T("poll", NUMBER, next_poll),
    T("challenge", ID, challenge_id),
    T("bound", FLAG, challenge_bound),
    T("renews", TEXT, renews),
    T("subject", TEXT, subject),
    T("client", TEXT, client),
    T("error", TEXT, error_name),
    T("reason", TEXT, reason),
    T("serial", TEXT, serial),
    T("chain", CHAIN, chain, offsetof(struct transaction_record, chain_count)),
    T("created", NUMBER, created),
    T("updated", NUMBER, updated),
    T("finished", NUMBER, finished),
    T("expires", NUMBER, expires),
    T("decision", COUNT, decision, .greatest = DECISION_DENIED),
    T("needed", COUNT, approvals_needed),
    T("approvers", TEXT, approved_by),
    T("limited", FLAG, limited),
};

#define X(name, form, member, ...) ROW(certificate_record, name, form, member, ##__VA_ARGS__)
static const struct record_field certificate_fields[] = {
    X("issuer", TEXT, issuer_sha256, .needed = true),
    X("serial", TEXT, serial, .needed = true),
    X("transaction", ID, transaction),
    X("subject", TEXT, subject),
    X("der", BYTES, der, .needed = true),
    X("not_before", NUMBER, not_before),
    X("not_after", NUMBER, not_after),
    X("recorded", NUMBER, recorded),
    X("revoked", NUMBER, revoked),
    X("reason", COUNT, revocation_reason),
};

static const struct record_field revocation_fields[] = {
    ROW(revocation, "serial", TEXT, serial, .needed = true),
    ROW(revocation, "revoked", NUMBER, revoked, .least = 1),
    ROW(revocation, "reason", COUNT, reason),
};

#define L(name, form, member, ...) ROW(crl_record, name, form, member, ##__VA_ARGS__)
static const struct record_field crl_fields[] = {
    L("id", TEXT, ca_sha256, .needed = true), L("number", NUMBER, number, .least = 1),
    L("der", BYTES, der, .needed = true),     L("this_update", NUMBER, this_update),
    L("next_update", NUMBER, next_update),
};

#define R(name, form, member, ...) ROW(ra_record, name, form, member, ##__VA_ARGS__)
static const struct record_field ra_fields[] = {
    R("id", NUMBER, generation, .needed = true),
    R("sealed", BYTES, sealed_key),
    R("chain", CHAIN, chain, offsetof(struct ra_record, chain_count)),
    R("cookie", BYTES, cookie),
    R("not_before", NUMBER, not_before),
    R("not_after", NUMBER, not_after),
};

/* The id comes as KIND/REFERENCE; obligation.c makes the rest of it. */
#define B(name, form, member, ...) ROW(obligation, name, form, member, ##__VA_ARGS__)
static const struct record_field obligation_fields[] = {
    B("id", TEXT, id, .needed = true), B("due", NUMBER, due),         B("attempts", COUNT, attempts),
    B("claim", NUMBER, claim),         B("given_up", FLAG, given_up),
};

#define E(name, form, member, ...) ROW(audit_event, name, form, member, ##__VA_ARGS__)
static const struct record_field event_fields[] = {
    E("id", SEQUENCE, sequence, .needed = true),
    E("at", NUMBER, at, .needed = true),
    E("event", TEXT, event),
    E("alias", TEXT, alias),
    E("tenant", TEXT, tenant),
    E("transaction", TEXT, transaction),
    E("client", TEXT, client),
    E("details", TEXT, details),
    E("link", LINK, hash, .needed = true),
};

static const struct record_field replica_fields[] = {
    ROW(replica_record, "id", TEXT, id, .needed = true),
    ROW(replica_record, "facts", TEXT, facts),
    ROW(replica_record, "seen", NUMBER, seen),
};

static const struct record_field tally_fields[] = {
    ROW(tally_record, "present", NUMBER, present),
    ROW(tally_record, "before", NUMBER, before),
};

#define DEFINE_ADD(noun)                                                                                     \
    static void *add_##noun(struct store_answer *answer)                                                     \
    {                                                                                                        \
        return answer_add_##noun(answer);                                                                    \
    }

DEFINE_ADD(challenge)
DEFINE_ADD(transaction)
DEFINE_ADD(certificate)
DEFINE_ADD(revocation)
DEFINE_ADD(crl)
DEFINE_ADD(ra)
DEFINE_ADD(obligation)
DEFINE_ADD(event)
DEFINE_ADD(replica)
DEFINE_ADD(tally)

#define FIELDS(noun) .fields = noun##_fields, .field_count = sizeof noun##_fields / sizeof *noun##_fields

const struct record_kind record_challenge = {.noun = "challenge",
                                             .rows = "challenges",
                                             .letter = "c",
                                             FIELDS(challenge),
                                             .size = sizeof(struct challenge_record),
                                             .alias = offsetof(struct challenge_record, alias),
                                             .has_alias = true,
                                             .add = add_challenge};
const struct record_kind record_transaction = {.noun = "transaction",
                                               .rows = "transactions",
                                               .letter = "t",
                                               FIELDS(transaction),
                                               .size = sizeof(struct transaction_record),
                                               .alias = offsetof(struct transaction_record, key.alias),
                                               .has_alias = true,
                                               .add = add_transaction};
const struct record_kind record_certificate = {.noun = "certificate",
                                               .rows = "certificates",
                                               .letter = "x",
                                               FIELDS(certificate),
                                               .size = sizeof(struct certificate_record),
                                               .alias = offsetof(struct certificate_record, alias),
                                               .has_alias = true,
                                               .add = add_certificate};
const struct record_kind record_revocation = {.noun = "revocation",
                                              .rows = "revocations",
                                              FIELDS(revocation),
                                              .size = sizeof(struct revocation),
                                              .add = add_revocation};
const struct record_kind record_crl = {.noun = "CRL",
                                       .rows = "crls",
                                       .letter = "v",
                                       FIELDS(crl),
                                       .size = sizeof(struct crl_record),
                                       .add = add_crl};
const struct record_kind record_ra = {.noun = "RA identity",
                                      .rows = "ras",
                                      .letter = "r",
                                      FIELDS(ra),
                                      .size = sizeof(struct ra_record),
                                      .alias = offsetof(struct ra_record, alias),
                                      .has_alias = true,
                                      .add = add_ra};
const struct record_kind record_obligation = {.noun = "obligation",
                                              .rows = "obligations",
                                              FIELDS(obligation),
                                              .size = sizeof(struct obligation),
                                              .alias = offsetof(struct obligation, alias),
                                              .has_alias = true,
                                              .add = add_obligation};
const struct record_kind record_event = {.noun = "audit row",
                                         .rows = "events",
                                         FIELDS(event),
                                         .size = sizeof(struct audit_event),
                                         .add = add_event};
const struct record_kind record_replica = {.noun = "replica",
                                           .rows = "replicas",
                                           FIELDS(replica),
                                           .size = sizeof(struct replica_record),
                                           .add = add_replica};
const struct record_kind record_tally = {.noun = "count of failures",
                                         .rows = "tallies",
                                         FIELDS(tally),
                                         .size = sizeof(struct tally_record),
                                         .add = add_tally};

const struct record_kind *const record_kinds[] = {
    &record_challenge, &record_transaction, &record_certificate, &record_revocation, &record_crl,
    &record_ra,        &record_obligation,  &record_event,       &record_replica,    &record_tally,
};
const size_t record_kind_count = sizeof record_kinds / sizeof *record_kinds;

/* ---- to Redis ------------------------------------------------------------------------------------------ */

void record_put_grouped(struct arguments *a, const char *group, const char *name, struct bytes value)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", group, name);
    argument_bytes(a, full, value);
}

static bool is_id(const char *text)
{
    return strlen(text) == 2 * ID_SIZE && strspn(text, "0123456789abcdef") == 2 * ID_SIZE;
}

/* The 16 bytes that 32 digits stand for; another text as it is. */
static struct bytes id_bytes(const char *text, struct buffer *room)
{
    if (!text)
        return bytes_of(NULL, 0);
    if (!is_id(text) || !codec_unhex(room, text))
        return bytes_of_text(text);
    return buffer_bytes(room);
}

void record_put_id(struct arguments *a, const char *name, const char *id)
{
    CLEANUP(buffer) struct buffer room;
    buffer_init(&room, ID_SIZE);
    argument_bytes(a, name, id_bytes(id, &room));
}

void record_put_chain(struct arguments *a, const char *group, const struct bytes *chain, size_t count)
{
    CLEANUP(buffer) struct buffer packed;
    buffer_init(&packed, MOST);
    chain_pack(&packed, chain, count);
    a->failed = a->failed || packed.failed;
    record_put_grouped(a, group, "chain", buffer_bytes(&packed));
}

static int64_t number_at(enum form form, const void *place)
{
    switch (form) {
    case NUMBER:
        return *(const int64_t *)place;
    case COUNT:
        return *(const int *)place;
    case FLAG:
        return *(const bool *)place;
    default:
        return 0;
    }
}

static void put_number(struct arguments *a, const char *group, const char *name, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)value);
    if (value != 0)
        record_put_grouped(a, group, name, bytes_of(text, (size_t)len));
}

static void put_field(struct arguments *a, const char *group, const struct record_field *f,
                      const uint8_t *record)
{
    static const uint8_t nothing[32];
    const void *place = record + f->offset;
    CLEANUP(buffer) struct buffer room;
    buffer_init(&room, ID_SIZE);
    switch (f->form) {
    case TEXT:
    case LINK: {
        const char *text = *(const char *const *)place;
        record_put_grouped(a, group, f->name, bytes_of_text(text ? text : ""));
        break;
    }
    case ID:
        record_put_grouped(a, group, f->name, id_bytes(*(const char *const *)place, &room));
        break;
    case BYTES:
        record_put_grouped(a, group, f->name, *(const struct bytes *)place);
        break;
    case DIGEST:
        if (f->needed || memcmp(place, nothing, sizeof nothing) != 0)
            record_put_grouped(a, group, f->name, bytes_of(place, sizeof nothing));
        break;
    case CHAIN:
        record_put_chain(a, group, place, *(const size_t *)(const void *)(record + f->second));
        break;
    case NUMBER:
    case COUNT:
    case FLAG:
        put_number(a, group, f->name, number_at(f->form, place));
        break;
    case SEQUENCE: /* the store's own */
        break;
    }
}

void record_put(struct arguments *a, const char *group, const struct record_kind *kind, const void *record)
{
    for (size_t i = 0; i < kind->field_count; i++)
        put_field(a, group, &kind->fields[i], record);
}

/* ---- from Redis ---------------------------------------------------------------------------------------- */

static bool read_number(const struct record_field *f, struct bytes value, int64_t *out)
{
    int64_t greatest = f->greatest ? f->greatest : f->form == COUNT ? INT_MAX : INT64_MAX;
    return bytes_number(value, out) && *out >= f->least && *out <= greatest;
}

static bool read_sequence(struct bytes value, int64_t *out)
{
    const uint8_t *dash = value.len ? memchr(value.data, '-', value.len) : NULL;
    size_t skip = dash ? (size_t)(dash + 1 - value.data) : 0;
    return dash && bytes_number(bytes_of(value.data + skip, value.len - skip), out);
}

/* Texts are C's: a NUL within would hide what is behind it. */
static bool read_text(struct bytes value, struct arena *arena, const char **out)
{
    if (value.len > 0 && memchr(value.data, '\0', value.len))
        return false;
    *out = (const char *)arena_bytes(arena, value.data, value.len).data;
    return *out != NULL;
}

static bool read_id(struct bytes value, struct arena *arena, const char **out)
{
    if (value.len != ID_SIZE)
        return read_text(value, arena, out);
    CLEANUP(buffer) struct buffer hex;
    buffer_init(&hex, 2 * ID_SIZE + 1);
    codec_hex(&hex, value);
    *out = hex.failed ? NULL : arena_text(arena, (const char *)hex.data);
    return *out != NULL;
}

static bool read_bytes(struct bytes value, struct arena *arena, struct bytes *out)
{
    *out = arena_bytes(arena, value.data, value.len);
    return out->data != NULL;
}

static bool read_field(const struct record_field *f, struct bytes value, struct arena *arena, uint8_t *record)
{
    void *place = record + f->offset;
    int64_t number;
    struct bytes copy;
    switch (f->form) {
    case TEXT:
        return read_text(value, arena, place);
    case ID:
        return read_id(value, arena, place);
    case BYTES:
        return read_bytes(value, arena, place);
    case DIGEST:
        if (value.len != 32)
            return false;
        memcpy(place, value.data, 32);
        return true;
    case NUMBER:
        return read_number(f, value, place);
    case COUNT:
        if (!read_number(f, value, &number))
            return false;
        *(int *)place = (int)number;
        return true;
    case FLAG:
        *(bool *)place = value.len == 1 && value.data[0] == '1';
        return value.len == 1 && (value.data[0] == '1' || value.data[0] == '0');
    case CHAIN:
        return read_bytes(value, arena, &copy) &&
               chain_unpack(copy, place, (size_t *)(void *)(record + f->second));
    case SEQUENCE:
        return read_sequence(value, place);
    case LINK:
        return value.len == 40 && read_text(value, arena, place);
    }
    return false;
}

static void clear(const struct record_kind *kind, uint8_t *record)
{
    memset(record, 0, kind->size);
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct record_field *f = &kind->fields[i];
        if (f->form == TEXT || f->form == ID || f->form == LINK)
            *(const char **)(void *)(record + f->offset) = "";
    }
    if (kind->has_alias)
        *(const char **)(void *)(record + kind->alias) = "";
}

static const struct record_field *field_named(const struct record_kind *kind, const struct redisReply *name,
                                              size_t *index)
{
    struct bytes text;
    if (!reply_bytes(name, &text, (char[REPLY_NUMBER_SIZE]){0}))
        return NULL;
    for (*index = 0; *index < kind->field_count; ++*index)
        if (bytes_equal(text, bytes_of_text(kind->fields[*index].name)))
            return &kind->fields[*index];
    return NULL;
}

static bool odd(const struct record_kind *kind, const struct record_field *f, const char *alias,
                struct error *e)
{
    error_set(e, ERR_STORE_BROKEN,
              "Redis holds a record of alias \"%s\" that is none: %s without a sound \"%s\"", alias,
              kind->noun, f->name);
    return false;
}

bool record_read(const struct record_kind *kind, const struct redisReply *row, const char *alias,
                 struct arena *arena, void *record, struct error *e)
{
    uint32_t seen = 0; /* a bit per field */
    clear(kind, record);
    if (row->type != REDIS_REPLY_ARRAY || row->elements % 2 != 0) {
        error_set(e, ERR_STORE_BROKEN, "Redis answered with something else than a record (%s)", kind->noun);
        return false;
    }
    for (size_t i = 0; i < row->elements; i += 2) {
        size_t index;
        struct bytes value;
        char number[REPLY_NUMBER_SIZE];
        const struct record_field *f = field_named(kind, row->element[i], &index);
        if (!f)
            continue;
        if (!reply_bytes(row->element[i + 1], &value, number) || !read_field(f, value, arena, record))
            return odd(kind, f, alias, e);
        seen |= UINT32_C(1) << index;
    }
    for (size_t i = 0; i < kind->field_count; i++)
        if ((kind->fields[i].needed || kind->fields[i].least > 0) && !(seen & UINT32_C(1) << i))
            return odd(kind, &kind->fields[i], alias, e);
    if (kind->has_alias) {
        const char *copy = arena_text(arena, alias);
        *(const char **)(void *)((uint8_t *)record + kind->alias) = copy ? copy : "";
    }
    return true;
}

/* ---- names --------------------------------------------------------------------------------------------- */

void record_transaction_name(const struct transaction_key *key, uint8_t out[RECORD_NAME_SIZE])
{
    const struct bytes parts[] = {key->transaction_id,
                                  bytes_of(key->signer_spki_sha256, sizeof key->signer_spki_sha256)};
    uint8_t digest[32];
    redis_digest(parts, 2, digest);
    memcpy(out, digest, RECORD_NAME_SIZE);
}

void record_certificate_name(const char *issuer_sha256, const char *serial, uint8_t out[RECORD_NAME_SIZE])
{
    const struct bytes parts[] = {bytes_of_text(issuer_sha256), bytes_of_text(serial)};
    uint8_t digest[32];
    redis_digest(parts, 2, digest);
    memcpy(out, digest, RECORD_NAME_SIZE);
}
