/* test_keys.c: what the Redis store does with its keys: looked at, damaged and taken away behind its back. For a single server. */
#include "flow/store/bench.h"
#include "support/runner.h"

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the other way in ---------------------------------------------------------------------------------- */

static const char *prefix(const struct bench *b)
{
    return strchr(b->place, '#') + 1;
}

static redisContext *other_way_in(const struct bench *b)
{
    static redisContext *connection;
    char file[BENCH_PLACE_SIZE], host[64];
    int port;
    if (connection)
        return connection;
    snprintf(file, sizeof file, "%.*s", (int)strcspn(b->place, "#"), b->place);
    json_t *d = json_load_file(file, 0, NULL);
    const char *address = json_string_value(json_array_get(json_object_get(d, "addresses"), 0));
    if (!address || sscanf(address, "%63[^:]:%d", host, &port) != 2)
        exit(2);
    connection = redisConnect(host, port);
    if (!connection || connection->err)
        exit(2);
    freeReplyObject(redisCommand(connection, "AUTH %s %s", json_string_value(json_object_get(d, "admin")),
                                 json_string_value(json_object_get(d, "admin_password"))));
    freeReplyObject(redisCommand(connection, "SELECT %lld",
                                 (long long)json_integer_value(json_object_get(d, "database"))));
    json_decref(d);
    return connection;
}

/* A command to Redis itself; its integer, or the number of its elements. */
static long long raw(const struct bench *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(other_way_in(b), format, args);
    va_end(args);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "redis: %s\n", reply ? reply->str : "lost");
        exit(2);
    }
    long long number = reply->type == REDIS_REPLY_ARRAY ? (long long)reply->elements : reply->integer;
    freeReplyObject(reply);
    return number;
}

static long long keys_like(const struct bench *b, const char *tag, const char *rest)
{
    return raw(b, "KEYS %s{%s}:%s", prefix(b), tag, rest);
}

static struct store_request operation(enum store_operation o)
{
    struct store_request r;
    store_request_init(&r, o);
    return r;
}

/* ---- the audit trail ----------------------------------------------------------------------------------- */

static void append(struct bench *b, const char *alias, int count)
{
    for (int i = 0; i < count; i++) {
        struct store_request r = operation(STORE_AUDIT_APPEND);
        r.event_count = 1;
        r.events[0] =
            (struct audit_event){.event = i % 2 ? "request.accepted" : "gateway.started", .alias = alias};
        CHECK_INT(bench_outcome(b, &r), STORE_OK);
    }
}

static void check_verdict(struct bench *b, enum store_outcome outcome, int64_t total, const char *where)
{
    struct store_request r = operation(STORE_AUDIT_VERIFY);
    struct store_answer *a = bench_ask(b, &r);
    CHECK_INT(a->outcome, outcome);
    CHECK_INT(a->total, total);
    CHECK(strstr(a->reason, where) != NULL);
    store_answer_free(a);
}

/* The id of the n-th row of an alias' chain, from the oldest. */
static void row_id(struct bench *b, const char *alias, int n, char id[64])
{
    redisReply *rows =
        redisCommand(other_way_in(b), "XRANGE %s{a:%s}:audit - + COUNT %d", prefix(b), alias, n);
    snprintf(id, 64, "%s", rows->element[n - 1]->element[0]->str);
    freeReplyObject(rows);
}

TEST(a_row_that_is_gone_breaks_its_chain)
{
    struct bench b;
    char id[64];
    bench_open(&b);
    append(&b, "alpha", 3);
    append(&b, "beta", 700); /* more than a slice */
    check_verdict(&b, STORE_OK, 703, "");
    row_id(&b, "beta", 601, id);
    CHECK_INT(raw(&b, "XDEL %s{a:beta}:audit %s", prefix(&b), id), 1);
    check_verdict(&b, STORE_CONFLICT, 601, "beta");
    CHECK_INT(raw(&b, "DEL %s{a:beta}:audit %s{a:beta}:audit.head", prefix(&b), prefix(&b)), 2);
    check_verdict(&b, STORE_OK, 3, "");
    row_id(&b, "alpha", 3, id); /* the newest: nothing behind it misses it */
    CHECK_INT(raw(&b, "XDEL %s{a:alpha}:audit %s", prefix(&b), id), 1);
    check_verdict(&b, STORE_CONFLICT, 3, "alpha");
    bench_close(&b);
}

TEST(a_row_that_was_altered_breaks_its_chain)
{
    struct bench b;
    bench_open(&b);
    append(&b, "alpha", 1);
    redisReply *all = redisCommand(other_way_in(&b), "XRANGE %s{a:alpha}:audit - +", prefix(&b));
    redisReply *first = all->element[0]->element[1]; /* the same place and link, but another event */
    raw(&b, "DEL %s{a:alpha}:audit", prefix(&b));
    raw(&b,
        "XADD %s{a:alpha}:audit %s at %s event %s alias %s tenant %s transaction %s client %s details %s "
        "link %s",
        prefix(&b), all->element[0]->element[0]->str, first->element[1]->str, "challenge.refused",
        first->element[5]->str, first->element[7]->str, first->element[9]->str, first->element[11]->str,
        first->element[13]->str, first->element[15]->str);
    freeReplyObject(all);
    check_verdict(&b, STORE_CONFLICT, 1, "alpha");
    bench_close(&b);
}

/* ---- records ------------------------------------------------------------------------------------------- */

TEST(a_damaged_record_is_refused_with_a_sentence)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), find = bench_find("alpha", 1);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    redisReply *keys = redisCommand(other_way_in(&b), "KEYS %s{a:alpha}:t:????????????????", prefix(&b));
    CHECK_INT(keys->elements, 1);
    raw(&b, "HSET %b state 77", keys->element[0]->str, keys->element[0]->len);
    freeReplyObject(keys);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK_INT(a->outcome, STORE_UNAVAILABLE);
    CHECK(strstr(a->reason, "\"state\"") != NULL);
    CHECK_INT(a->transaction_count, 0);
    store_answer_free(a);
    bench_close(&b);
}

/* Long values are apart from their record, and go with it. */
TEST(long_values_come_and_go_with_their_record)
{
    struct bench b;
    bench_open(&b);
    char subject[300], request[5000];
    memset(subject, 's', sizeof subject - 1);
    subject[sizeof subject - 1] = '\0';
    memset(request, 0, sizeof request);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), find = bench_find("alpha", 1);
    begin.begin.record.subject = subject;
    begin.begin.record.sealed_csr = bytes_of(request, sizeof request);
    begin.begin.record.key.transaction_id = bytes_of_text(subject);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    CHECK_INT(keys_like(&b, "a:alpha", "t:????????????????:*"), 3);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK_TEXT(a->transactions[0].subject, subject);
    CHECK(bytes_equal(a->transactions[0].sealed_csr, bytes_of(request, sizeof request)));
    store_answer_free(a);
    struct store_request list = operation(STORE_TRANSACTION_LIST);
    list.list = (struct store_list_filter){.text = "SSSSSSSS", .limit = 10};
    a = bench_ask(&b, &list);
    CHECK_INT(a->transaction_count, 1);
    store_answer_free(a);
    struct store_request fail = bench_advance("alpha", 1, 1, TRANSACTION_FAILED);
    fail.advance.erase_csr = true;
    CHECK_INT(bench_outcome(&b, &fail), STORE_OK);
    CHECK_INT(keys_like(&b, "a:alpha", "t:????????????????:*"), 2);
    struct store_request sweep = bench_sweep(0);
    CHECK_INT(bench_outcome(&b, &sweep), STORE_OK);
    CHECK_INT(keys_like(&b, "a:alpha", "[tk]*"), 0);
    bench_close(&b);
}

TEST(retention_leaves_no_key_of_what_it_deletes)
{
    struct bench b;
    bench_open(&b);
    for (int i = 1; i <= 3; i++) {
        struct store_request create = bench_challenge("alpha", i, 1), begin = bench_begin("alpha", i, i, i);
        CHECK_INT(bench_outcome(&b, &create), STORE_OK);
        if (i == 3)
            continue;
        CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
        struct certificate_record certificate = bench_certificate("alpha", i, i);
        struct store_request issue = bench_advance("alpha", i, 1, TRANSACTION_ISSUED);
        issue.advance.certificate = &certificate;
        issue.advance.chain = &certificate.der;
        issue.advance.chain_count = 1;
        CHECK_INT(bench_outcome(&b, &issue), STORE_OK);
    }
    append(&b, "alpha", 4);
    atomic_fetch_add(b.now, 2 * DAY);
    struct store_request sweep = bench_sweep(0);
    struct store_answer *a = bench_ask(&b, &sweep);
    CHECK_INT(a->total, 3 + 2 + 2 + 4);
    store_answer_free(a);
    CHECK_INT(keys_like(&b, "a:alpha", "[ctxhkob]*"), 0); /* operations have run out, too */
    CHECK_INT(raw(&b, "XLEN %s{a:alpha}:audit", prefix(&b)), 0);
    bench_close(&b);
}

/* ---- lists --------------------------------------------------------------------------------------------- */

TEST(lists_are_merged_over_many_aliases)
{
    struct bench b;
    bench_open(&b);
    char cursor[1024] = "", alias[16];
    for (int i = 1; i <= 120; i++) {
        snprintf(alias, sizeof alias, "alias-%d", i % 40);
        struct store_request create = bench_challenge(alias, i, 1);
        CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    }
    int expected = 120; /* although the clock stood still: what this process made is in its order */
    do {
        struct store_request list = operation(STORE_CHALLENGE_LIST);
        list.list = (struct store_list_filter){.limit = 7, .after = *cursor ? cursor : NULL};
        struct store_answer *a = bench_ask(&b, &list);
        CHECK_INT(a->outcome, STORE_OK);
        for (size_t i = 0; i < a->challenge_count; i++) {
            snprintf(alias, sizeof alias, "alias-%d", expected % 40);
            CHECK_TEXT(a->challenges[i].id, bench_id("challenge", expected--));
            CHECK_TEXT(a->challenges[i].alias, alias);
        }
        snprintf(cursor, sizeof cursor, "%s", a->next);
        store_answer_free(a);
    } while (*cursor);
    CHECK_INT(expected, 0);
    bench_close(&b);
}

TEST(a_filter_passes_over_more_rows_than_one_script_looks_at)
{
    struct bench b;
    bench_open(&b);
    for (int i = 1; i <= 1100; i++) {
        struct store_request create = bench_challenge("alpha", i, 1);
        create.challenge_create.labels = i == 2 ? "{\"room\":\"Tower\"}" : "";
        CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    }
    append(&b, "alpha", 1101);
    struct store_request list = operation(STORE_CHALLENGE_LIST);
    list.list = (struct store_list_filter){.text = "tower", .limit = 1};
    struct store_answer *a = bench_ask(&b, &list);
    CHECK_INT(a->challenge_count, 1);
    CHECK_TEXT(a->challenges[0].id, bench_id("challenge", 2));
    CHECK_TEXT(a->next, "");
    store_answer_free(a);
    list = operation(STORE_AUDIT_LIST);
    list.list = (struct store_list_filter){.alias = "alpha", .text = "STARTED", .limit = 1000};
    a = bench_ask(&b, &list);
    CHECK_INT(a->event_count, 551);
    CHECK_INT(a->events[550].sequence, 1);
    store_answer_free(a);
    list.list.after = "no cursor of ours";
    a = bench_ask(&b, &list);
    CHECK_INT(a->event_count, 0);
    store_answer_free(a);
    bench_close(&b);
}

/* ---- indexes ------------------------------------------------------------------------------------------- */

static size_t claim(struct bench *b)
{
    struct store_request r = operation(STORE_OBLIGATION_CLAIM);
    r.obligation_claim.limit = 10;
    r.obligation_claim.lease = MINUTE;
    struct store_answer *a = bench_ask(b, &r);
    size_t count = a->outcome == STORE_OK ? a->obligation_count : 99;
    store_answer_free(a);
    return count;
}

static void put(struct bench *b, const char *alias)
{
    struct store_request r = operation(STORE_OBLIGATION_PUT);
    r.obligation_put = (struct obligation_new){alias, "ra.renew", "", 0};
    CHECK_INT(bench_outcome(b, &r), STORE_OK);
}

TEST(an_idle_claim_finds_hints_that_were_lost)
{
    struct bench b;
    bench_open(&b);
    char alias[16];
    for (int i = 0; i < 40; i++) {
        snprintf(alias, sizeof alias, "alias-%d", i);
        append(&b, alias, 1);
    }
    put(&b, "zeta"); /* the last in the order of names */
    CHECK_INT(raw(&b, "DEL %s{i:due}:aliases", prefix(&b)), 1);
    size_t found = 0;
    int claims = 0;
    for (; found == 0 && claims < 10; claims++)
        found = claim(&b);
    CHECK_INT(found, 1);
    CHECK(claims > 1);
    bench_close(&b);
}

TEST(an_index_that_was_lost_is_made_again)
{
    struct bench b;
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 1), begin = bench_begin("alpha", 1, 1, 0);
    struct store_request recall = operation(STORE_TRANSACTION_RECALL), reindex = operation(STORE_REINDEX);
    recall.recall = begin.begin.record.key;
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    put(&b, "beta");
    const char *p = prefix(&b);
    raw(&b, "DEL %s{i:due}:aliases", p);
    redisReply *keys = redisCommand(other_way_in(&b), "KEYS %s{a:alpha}:[hk]:*", p);
    CHECK_INT(keys->elements, 2);
    for (size_t i = 0; i < keys->elements; i++)
        raw(&b, "DEL %b", keys->element[i]->str, keys->element[i]->len);
    freeReplyObject(keys);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), -1);
    CHECK_INT(bench_outcome(&b, &recall), STORE_NOT_FOUND);

    static const char *const named[] = {"alpha", "gamma"};
    raw(&b, "ZREM %s{i:aliases}:names alpha", p);
    reindex.reindex.aliases = named;
    reindex.reindex.alias_count = 2;
    struct store_answer *a = bench_ask(&b, &reindex);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->total, 3);
    store_answer_free(a);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    CHECK_INT(bench_outcome(&b, &recall), STORE_OK);
    CHECK_INT(claim(&b), 1);
    bench_close(&b);
}

static size_t revoked(struct bench *b)
{
    struct store_request list = operation(STORE_REVOKED_LIST);
    list.revoked_list.issuer_sha256 = "aa11";
    list.revoked_list.limit = 10;
    struct store_answer *a = bench_ask(b, &list);
    size_t count = a->outcome == STORE_OK ? a->revocation_count : 99;
    store_answer_free(a);
    return count;
}

/* As a program that had no set of revoked certificates left it. */
TEST(revoked_certificates_get_into_their_set_by_reindex_or_by_retention)
{
    struct bench b;
    for (int way = 0; way < 2; way++) {
        bench_open(&b);
        struct store_request import = operation(STORE_IMPORT), reindex = operation(STORE_REINDEX);
        struct store_request sweep = bench_sweep(0);
        struct certificate_record certificate = bench_certificate("alpha", 1, 1);
        certificate.revoked = certificate.recorded = BENCH_START;
        import.import.kind = STORE_KIND_CERTIFICATE;
        import.import.certificate = &certificate;
        CHECK_INT(bench_outcome(&b, &import), STORE_OK);
        CHECK_INT(revoked(&b), 1);
        redisReply *ids = redisCommand(other_way_in(&b), "ZRANGE %s{a:alpha}:x.order 0 -1", prefix(&b));
        CHECK_INT(ids->elements, 1);
        CHECK_INT(raw(&b, "DEL %s{a:alpha}:x.revoked", prefix(&b)), 1);
        raw(&b, "ZADD %s{a:alpha}:x.end %lld %b", prefix(&b), (long long)certificate.not_after,
            ids->element[0]->str, ids->element[0]->len);
        freeReplyObject(ids);
        CHECK_INT(revoked(&b), 0);
        atomic_store(b.now, BENCH_START + 2 * DAY);
        struct store_answer *a = bench_ask(&b, way == 0 ? &reindex : &sweep);
        CHECK_INT(a->outcome, STORE_OK);
        CHECK_INT(a->total, way == 0 ? 1 : 0); /* one alias; no row */
        store_answer_free(a);
        CHECK_INT(revoked(&b), 1);
        CHECK_INT(raw(&b, "ZCARD %s{a:alpha}:x.end", prefix(&b)), 0);
        bench_close(&b);
    }
}

/* The alias' time in the index is that of its next obligation, so nobody looks in vain. */
TEST(an_alias_is_visited_when_its_next_obligation_is_due)
{
    struct bench b;
    bench_open(&b);
    struct store_request far = operation(STORE_OBLIGATION_PUT);
    far.obligation_put = (struct obligation_new){"alpha", "ra.renew", "far", 30 * DAY};
    CHECK_INT(bench_outcome(&b, &far), STORE_OK);
    put(&b, "alpha");
    CHECK_INT(claim(&b), 1);
    CHECK_INT(raw(&b, "ZCOUNT %s{i:due}:aliases %lld %lld", prefix(&b), (long long)BENCH_START + MINUTE,
                  (long long)BENCH_START + MINUTE),
              1); /* the end of the claim */
    CHECK_INT(raw(&b, "HLEN %s{i:due}:visits", prefix(&b)), 0);
    bench_close(&b);
}

RUNNER_MAIN()
