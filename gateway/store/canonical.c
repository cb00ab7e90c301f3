/* canonical.c: see canonical.h. */
#include "store/canonical.h"

#include <stdlib.h>

#include "base/cleanup.h"

#define RECORD_MAX ((size_t)256 << 20)

static void put_bytes(struct buffer *out, struct bytes value)
{
    uint64_t len = value.len;
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)(len >> (56 - 8 * i));
    buffer_append(out, prefix, sizeof prefix);
    if (value.len > 0)
        buffer_append(out, value.data, value.len);
}

static void put_text(struct buffer *out, const char *text)
{
    put_bytes(out, bytes_of_text(text ? text : ""));
}

static void put_number(struct buffer *out, int64_t value)
{
    uint8_t digits[8];
    for (int i = 0; i < 8; i++)
        digits[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
    put_bytes(out, bytes_of(digits, sizeof digits));
}

static void put_chain(struct buffer *out, const struct bytes *chain, size_t count)
{
    put_number(out, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        put_bytes(out, chain[i]);
}

static void write_challenge(struct buffer *out, const struct challenge_record *r)
{
    put_text(out, r->id);
    put_text(out, r->alias);
    put_bytes(out, bytes_of(r->hash, sizeof r->hash));
    put_text(out, r->key_id);
    put_number(out, r->state);
    put_number(out, r->uses);
    put_number(out, r->uses_left);
    put_number(out, r->created);
    put_number(out, r->expires);
    put_text(out, r->bind_cn);
    put_text(out, r->bind_san);
    put_text(out, r->bind_device);
    put_text(out, r->bind_spki_sha256);
    put_text(out, r->labels);
    put_text(out, r->created_by);
    put_text(out, r->first_transaction);
}

static void write_transaction(struct buffer *out, const struct transaction_record *r)
{
    put_text(out, r->id);
    put_text(out, r->key.alias);
    put_bytes(out, r->key.transaction_id);
    put_bytes(out, bytes_of(r->key.signer_spki_sha256, sizeof r->key.signer_spki_sha256));
    put_number(out, r->generation);
    put_number(out, r->state);
    put_number(out, (int64_t)r->claim);
    put_bytes(out, bytes_of(r->csr_info_sha256, sizeof r->csr_info_sha256));
    put_bytes(out, bytes_of(r->recipient_sha256, sizeof r->recipient_sha256));
    put_bytes(out, r->sealed_csr);
    put_bytes(out, r->plan);
    put_bytes(out, r->cookie);
    put_number(out, r->next_poll);
    put_text(out, r->challenge_id);
    put_number(out, r->challenge_bound);
    put_text(out, r->renews);
    put_text(out, r->subject);
    put_text(out, r->client);
    put_text(out, r->error_name);
    put_text(out, r->reason);
    put_text(out, r->serial);
    put_chain(out, r->chain, r->chain_count);
    put_number(out, r->created);
    put_number(out, r->updated);
    put_number(out, r->finished);
    put_number(out, r->expires);
    put_number(out, r->decision);
    put_number(out, r->approvals_needed);
    put_text(out, r->approved_by);
    put_number(out, r->limited);
}

static void write_certificate(struct buffer *out, const struct certificate_record *r)
{
    put_text(out, r->alias);
    put_text(out, r->issuer_sha256);
    put_text(out, r->serial);
    put_text(out, r->transaction);
    put_text(out, r->subject);
    put_bytes(out, r->der);
    put_number(out, r->not_before);
    put_number(out, r->not_after);
    put_number(out, r->recorded);
    put_number(out, r->revoked);
    put_number(out, r->revocation_reason);
}

static void write_ra(struct buffer *out, const struct ra_record *r)
{
    put_text(out, r->alias);
    put_number(out, r->generation);
    put_bytes(out, r->sealed_key);
    put_chain(out, r->chain, r->chain_count);
    put_bytes(out, r->cookie);
    put_number(out, r->not_before);
    put_number(out, r->not_after);
}

static void write_obligation(struct buffer *out, const struct obligation *o)
{
    put_text(out, o->alias);
    put_text(out, o->kind);
    put_text(out, o->reference);
    put_number(out, o->due);
    put_number(out, o->attempts);
    put_number(out, o->given_up);
}

static void write_crl(struct buffer *out, const struct crl_record *r)
{
    put_text(out, r->ca_sha256);
    put_number(out, r->number);
    put_bytes(out, r->der);
    put_number(out, r->this_update);
    put_number(out, r->next_update);
}

static void write_event(struct buffer *out, const struct audit_event *e)
{
    put_text(out, e->event);
    put_text(out, e->alias);
    put_text(out, e->tenant);
    put_text(out, e->transaction);
    put_text(out, e->client);
    put_text(out, e->details);
    put_number(out, e->at);
}

void canonical_write(struct buffer *out, enum store_kind kind, const void *record)
{
    switch (kind) {
    case STORE_KIND_CHALLENGE:
        write_challenge(out, record);
        return;
    case STORE_KIND_TRANSACTION:
        write_transaction(out, record);
        return;
    case STORE_KIND_CERTIFICATE:
        write_certificate(out, record);
        return;
    case STORE_KIND_RA:
        write_ra(out, record);
        return;
    case STORE_KIND_OBLIGATION:
        write_obligation(out, record);
        return;
    case STORE_KIND_CRL:
        write_crl(out, record);
        return;
    case STORE_KIND_AUDIT:
        write_event(out, record);
        return;
    case STORE_KIND_COUNT:
        break;
    }
    abort();
}

bool canonical_same(enum store_kind kind, const void *a, const void *b)
{
    CLEANUP(buffer) struct buffer one, other;
    buffer_init(&one, RECORD_MAX);
    buffer_init(&other, RECORD_MAX);
    canonical_write(&one, kind, a);
    canonical_write(&other, kind, b);
    return !one.failed && !other.failed && bytes_equal(buffer_bytes(&one), buffer_bytes(&other));
}
