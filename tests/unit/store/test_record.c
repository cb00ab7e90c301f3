/* test_record.c: records and replies of Redis: what is put is read again, and what is odd is refused with a sentence. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/canonical.h"
#include "store/redis/record.h"
#include "store/redis/reply.h"

#define ID    "000102030405060708090a0b0c0d0e0f"
#define OTHER "ffeeddccbbaa99887766554433221100"

DEFINE_CLEANUP(arena, struct arena *, arena_free)
DEFINE_CLEANUP(reply, redisReply *, freeReplyObject)

/* ---- replies out of RESP ------------------------------------------------------------------------------- */

static redisReply *parse(struct bytes resp)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    cr_assert_eq(redisReaderFeed(reader, (const char *)resp.data, resp.len), REDIS_OK);
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    cr_assert_not_null(reply, "the RESP of this test is not whole");
    redisReaderFree(reader);
    return reply;
}

static redisReply *parse_text(const char *resp)
{
    return parse(bytes_of_text(resp));
}

static void append_bulk(struct buffer *out, struct bytes value)
{
    buffer_format(out, "$%zu\r\n", value.len);
    buffer_append(out, value.data, value.len);
    buffer_text(out, "\r\n");
}

/* The record as Redis would give it back: the group's names without the group. */
static redisReply *stored(const struct record_kind *kind, const void *record)
{
    struct arguments a;
    CLEANUP(buffer) struct buffer resp;
    buffer_init(&resp, 1 << 20);
    arguments_init(&a);
    record_put(&a, "r", kind, record);
    cr_assert_not(a.failed);
    buffer_format(&resp, "*%zu\r\n", a.count);
    for (size_t i = 0; i < a.count; i += 2) {
        struct bytes name = arguments_word(&a, i);
        cr_assert(name.len > 2 && memcmp(name.data, "r.", 2) == 0);
        append_bulk(&resp, bytes_of(name.data + 2, name.len - 2));
        append_bulk(&resp, arguments_word(&a, i + 1));
    }
    arguments_free(&a);
    return parse(buffer_bytes(&resp));
}

static bool survives(enum store_kind canonical, const struct record_kind *kind, const void *record,
                     void *copy, struct arena *arena)
{
    CLEANUP(reply) redisReply *row = stored(kind, record);
    struct error e = {0};
    cr_assert(record_read(kind, row, "alpha", arena, copy, &e), "%s", e.text);
    return canonical_same(canonical, record, copy);
}

/* ---- what is put is read ------------------------------------------------------------------------------- */

Test(record, a_challenge_survives)
{
    CLEANUP(arena) struct arena *arena = arena_create();
    struct challenge_record copy,
        r = {.id = ID, .alias = "alpha", .key_id = "key-1", .state = CHALLENGE_USED};
    memset(r.hash, 7, sizeof r.hash);
    r.uses = 3;
    r.created = 1700000000000;
    r.expires = 1700000360000;
    r.bind_cn = "device, \"one\"";
    r.bind_san = r.bind_device = r.bind_spki_sha256 = "";
    r.labels = "{\"a\":\"\xc3\xa4\"}";
    r.created_by = "admin";
    r.first_transaction = OTHER;
    cr_assert(survives(STORE_KIND_CHALLENGE, &record_challenge, &r, &copy, arena));
    cr_assert_str_eq(copy.first_transaction, OTHER);
    cr_assert_str_eq(copy.bind_san, "");
}

static struct transaction_record transaction(void)
{
    static const char *const issued[] = {"leaf", "", "root\0with a NUL"};
    struct transaction_record r = {.id = ID,
                                   .key = {.alias = "alpha", .transaction_id = bytes_of("\0id\r\n", 5)},
                                   .generation = 2,
                                   .state = TRANSACTION_ISSUED,
                                   .claim = 3,
                                   .sealed_csr = bytes_of("\0\1\2", 3),
                                   .challenge_id = OTHER,
                                   .challenge_bound = true,
                                   .subject = "CN=device",
                                   .client = "192.0.2.1:4711",
                                   .error_name = "",
                                   .reason = "",
                                   .serial = "0a",
                                   .chain_count = 3,
                                   .created = 1700000000000,
                                   .updated = 1700000000001,
                                   .finished = 1700000000002};
    for (size_t i = 0; i < 3; i++)
        r.chain[i] = bytes_of(issued[i], i == 2 ? 15 : strlen(issued[i]));
    memset(r.csr_info_sha256, 1, 32);
    return r;
}

Test(record, a_transaction_survives_with_its_bytes)
{
    CLEANUP(arena) struct arena *arena = arena_create();
    struct transaction_record copy, r = transaction();
    cr_assert(survives(STORE_KIND_TRANSACTION, &record_transaction, &r, &copy, arena));
    cr_assert_eq(copy.chain_count, 3);
    cr_assert(bytes_equal(copy.chain[2], bytes_of("root\0with a NUL", 15)));
    cr_assert_str_eq(copy.key.alias, "alpha");
}

Test(record, certificate_and_identity_survive)
{
    CLEANUP(arena) struct arena *arena = arena_create();
    struct certificate_record c_copy, c = {.alias = "alpha",
                                           .issuer_sha256 = "aa11",
                                           .serial = "01",
                                           .transaction = "",
                                           .subject = "CN=x",
                                           .der = bytes_of("der", 3),
                                           .not_after = 1800000000000,
                                           .revoked = 1700000000000,
                                           .revocation_reason = 4};
    struct ra_record r_copy, r = {.alias = "alpha", .generation = 7, .sealed_key = bytes_of("key", 3)};
    cr_assert(survives(STORE_KIND_CERTIFICATE, &record_certificate, &c, &c_copy, arena));
    cr_assert(survives(STORE_KIND_RA, &record_ra, &r, &r_copy, arena));
    cr_assert_eq(r_copy.generation, 7);
}

Test(record, crl_survives)
{
    CLEANUP(arena) struct arena *arena = arena_create();
    struct crl_record copy, crl = {.ca_sha256 = "aa11",
                                   .number = 12,
                                   .der = bytes_of("der", 3),
                                   .this_update = 1700000000000,
                                   .next_update = 1800000000000};
    cr_assert(survives(STORE_KIND_CRL, &record_crl, &crl, &copy, arena));
    cr_assert_eq(copy.number, 12);
}

Test(record, empty_values_take_no_room)
{
    struct challenge_record r = {.id = ID, .key_id = "k", .state = CHALLENGE_UNUSED};
    CLEANUP(reply) redisReply *row = stored(&record_challenge, &r);
    cr_assert_eq(row->elements, 2 * 4); /* id, hash, key, state */
    cr_assert_eq(row->element[1]->len, 16);
}

Test(record, names_depend_on_every_byte)
{
    uint8_t one[RECORD_NAME_SIZE], other[RECORD_NAME_SIZE];
    record_certificate_name("aa", "bb", one);
    record_certificate_name("aab", "b", other);
    cr_assert(memcmp(one, other, sizeof one) != 0);
    struct transaction_key key = {.transaction_id = bytes_of("1", 1)};
    record_transaction_name(&key, one);
    key.signer_spki_sha256[31] = 1;
    record_transaction_name(&key, other);
    cr_assert(memcmp(one, other, sizeof one) != 0);
}

/* ---- what is odd is refused ---------------------------------------------------------------------------- */

static bool reads_with(const char *name, struct bytes value)
{
    CLEANUP(arena) struct arena *arena = arena_create();
    CLEANUP(buffer) struct buffer resp;
    struct transaction_record copy, r = transaction();
    struct arguments a;
    bool there = false;
    buffer_init(&resp, 1 << 20);
    arguments_init(&a);
    record_put(&a, "r", &record_transaction, &r);
    buffer_format(&resp, "*%zu\r\n", a.count);
    for (size_t i = 0; i < a.count; i += 2) {
        struct bytes have = arguments_word(&a, i);
        bool this = bytes_equal(bytes_of(have.data + 2, have.len - 2), bytes_of_text(name));
        there = there || this;
        append_bulk(&resp, this && !value.data ? bytes_of_text("?") : bytes_of(have.data + 2, have.len - 2));
        append_bulk(&resp, this && value.data ? value : arguments_word(&a, i + 1));
    }
    arguments_free(&a);
    cr_assert(there, "%s is not put", name);
    CLEANUP(reply) redisReply *row = parse(buffer_bytes(&resp));
    struct error e = {0};
    bool good = record_read(&record_transaction, row, "alpha", arena, &copy, &e);
    cr_assert_eq(good, e.code == ERR_OK);
    cr_assert(good || strstr(e.text, name), "%s", e.text);
    return good;
}

Test(record, a_field_of_another_form_is_refused)
{
    cr_assert(reads_with("subject", bytes_of_text("CN=other")));
    cr_assert_not(reads_with("subject", bytes_of("CN=a\0b", 6)));
    cr_assert_not(reads_with("csr", bytes_of("short", 5)));
    cr_assert_not(reads_with("state", bytes_of_text("0")));
    cr_assert_not(reads_with("state", bytes_of_text("9")));
    cr_assert_not(reads_with("state", bytes_of_text("two")));
    cr_assert_not(reads_with("claim", bytes_of_text("-1")));
    cr_assert_not(reads_with("claim", bytes_of_text("99999999999999999999999")));
    cr_assert_not(reads_with("claim", bytes_of_text("9223372036854775808")));
    cr_assert_not(reads_with("bound", bytes_of_text("yes")));
    cr_assert_not(reads_with("chain", bytes_of("\0\0\0\7leaf", 8)));
    cr_assert_not(reads_with("chain", bytes_of("\0\0\0", 3)));
}

Test(record, a_missing_field_is_refused_when_it_is_needed)
{
    cr_assert_not(reads_with("id", bytes_of(NULL, 0)));
    cr_assert_not(reads_with("csr", bytes_of(NULL, 0)));
    cr_assert_not(reads_with("state", bytes_of(NULL, 0)));
    cr_assert(reads_with("serial", bytes_of(NULL, 0)));
}

static bool answers(const char *resp, struct store_answer *answer)
{
    CLEANUP(reply) redisReply *reply = parse_text(resp);
    struct error e = {0};
    bool good = reply_read(reply, "alpha", answer, &e);
    cr_assert_eq(good, e.code == ERR_OK);
    return good;
}

Test(reply, says_outcome_time_and_claim)
{
    struct store_answer *a = answer_create();
    cr_assert(answers("*8\r\n$3\r\nnow\r\n:1700000000000\r\n$5\r\nclaim\r\n:3\r\n$8\r\nrepeated\r\n:1\r\n"
                      "$7\r\noutcome\r\n$4\r\nmine\r\n",
                      a));
    cr_assert_eq(a->outcome, STORE_MINE);
    cr_assert_eq(a->now, 1700000000000);
    cr_assert_eq(a->claim, 3);
    cr_assert(a->repeated);
    store_answer_free(a);
}

Test(reply, of_another_form_is_refused)
{
    static const char *const odd[] = {
        "+OK\r\n",
        ":1\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*1\r\n$7\r\noutcome\r\n",
        "*2\r\n$7\r\noutcome\r\n*0\r\n",
        "*2\r\n$7\r\noutcome\r\n$11\r\nunavailable\r\n", /* a script never says that */
        "*2\r\n$7\r\noutcome\r\n$3\r\nyes\r\n",
        "*4\r\n$7\r\noutcome\r\n$2\r\nok\r\n$12\r\ntransactions\r\n*1\r\n:1\r\n",
        "*4\r\n$7\r\noutcome\r\n$2\r\nok\r\n$12\r\ntransactions\r\n*1\r\n*1\r\n$2\r\nid\r\n",
        "*4\r\n$7\r\noutcome\r\n$2\r\nok\r\n$12\r\ntransactions\r\n*1\r\n*2\r\n$2\r\nid\r\n*0\r\n",
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct store_answer *a = answer_create();
        cr_assert_not(answers(odd[i], a), "%s", odd[i]);
        store_answer_free(a);
    }
}
