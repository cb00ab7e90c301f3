/* test_sqlite.c: what only the embedded store has: its lock, its file, its disk. */
#include "flow/store/bench.h"
#include "flow/store/faulty_vfs.h"
#include "store/sqlite.h"
#include "support/runner.h"

#include <event2/event.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum error_code open_again(struct bench *b, const char *key_check, struct error *e)
{
    struct store *store = NULL;
    enum error_code code = store_sqlite_open(&store, b->place, &key_check, 1, b->base, &b->clock, e);
    store_close(store);
    return code;
}

static void sql(struct bench *b, const char *text)
{
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(b->place, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
}

static void close_only(struct bench *b)
{
    store_close(b->store);
    b->store = NULL;
}

/* ---- opening ------------------------------------------------------------------------------------------- */

TEST(a_second_daemon_is_told_who_has_the_store)
{
    struct bench b;
    bench_open(&b);
    struct error e = {0};
    CHECK_INT(open_again(&b, BENCH_KEY_CHECK, &e), ERR_STORE_LOCKED);
    char want[64];
    snprintf(want, sizeof want, "is in use by process %ld;", (long)getpid());
    CHECK(strstr(e.text, want) != NULL);
    CHECK(strstr(e.text, b.place) != NULL);
    close_only(&b);
    CHECK_INT(open_again(&b, BENCH_KEY_CHECK, &e), ERR_OK);
    bench_close(&b);
}

TEST(another_master_key_is_refused)
{
    struct bench b;
    bench_open(&b);
    close_only(&b);
    struct error e = {0};
    CHECK_INT(open_again(&b, "00000000000000000000000000000000", &e), ERR_KEY_UNUSABLE);
    CHECK(strstr(e.text, "a master key that this daemon does not have") != NULL);
    CHECK_INT(open_again(&b, BENCH_KEY_CHECK, &e), ERR_OK);
    bench_close(&b);
}

TEST(any_key_of_the_ring_will_do)
{
    static const char *const rotated[] = {"00000000000000000000000000000000", BENCH_KEY_CHECK},
                             *const fresh[] = {"00000000000000000000000000000000"};
    struct bench b;
    bench_open(&b);
    close_only(&b);
    struct error e = {0};
    struct store *store = NULL;
    CHECK_INT(store_sqlite_open(&store, b.place, rotated, 2, b.base, &b.clock, &e), ERR_OK);
    store_close(store);
    CHECK_INT(store_sqlite_open(&store, b.place, fresh, 1, b.base, &b.clock, &e), ERR_KEY_UNUSABLE);
    CHECK_INT(open_again(&b, BENCH_KEY_CHECK, &e), ERR_OK);
    bench_close(&b);
}

TEST(a_newer_version_is_refused)
{
    struct bench b;
    bench_open(&b);
    close_only(&b);
    sql(&b, "PRAGMA user_version = 99");
    struct error e = {0};
    CHECK_INT(open_again(&b, BENCH_KEY_CHECK, &e), ERR_STORE_BROKEN);
    CHECK(strstr(e.text, "version 99") != NULL);
    bench_close(&b);
}

/* As a program of version 1 left it. */
static const char to_version_1[] =
    "DROP TABLE crl; DROP INDEX certificate_revoked;"
    "DROP INDEX transactions_limited; DROP INDEX transactions_renews;"
    "ALTER TABLE transactions DROP COLUMN renews;"
    "ALTER TABLE transactions DROP COLUMN decision; ALTER TABLE transactions DROP COLUMN approvals_needed;"
    "ALTER TABLE transactions DROP COLUMN approved_by; ALTER TABLE transactions DROP COLUMN limited;"
    "PRAGMA user_version = 1";

TEST(an_older_version_is_brought_up_with_what_it_holds)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0), find = bench_find("alpha", 1);
    struct store_request import, list;
    struct certificate_record revoked = bench_certificate("alpha", 1, 1);
    revoked.revoked = BENCH_START;
    store_request_init(&import, STORE_IMPORT);
    import.import.kind = STORE_KIND_CERTIFICATE;
    import.import.certificate = &revoked;
    CHECK_INT(bench_outcome(&b, &import), STORE_OK);
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    close_only(&b);
    sql(&b, to_version_1);
    struct error e = {0};
    CHECK_INT(bench_open_store(&b, &b.store, &e), ERR_OK);
    struct store_answer *a = bench_ask(&b, &find);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->transactions[0].decision, DECISION_NONE);
    CHECK_TEXT(a->transactions[0].approved_by, "");
    CHECK(bytes_equal(a->transactions[0].sealed_csr, bytes_of_text("sealed request")));
    store_answer_free(a);
    store_request_init(&list, STORE_REVOKED_LIST);
    list.revoked_list.issuer_sha256 = "aa11";
    list.revoked_list.limit = 10;
    a = bench_ask(&b, &list);
    CHECK_INT(a->revocation_count, 1);
    store_answer_free(a);
    bench_close(&b);
}

TEST(the_database_of_another_program_is_left_alone)
{
    struct bench b;
    bench_open(&b);
    close_only(&b);
    unlink(b.place);
    sql(&b, "CREATE TABLE theirs(a)");
    struct error e = {0};
    CHECK_INT(open_again(&b, BENCH_KEY_CHECK, &e), ERR_STORE_BROKEN);
    CHECK(strstr(e.text, "another program") != NULL);
    sqlite3 *db = NULL;
    sqlite3_stmt *mode = NULL;
    CHECK_INT(sqlite3_open(b.place, &db), SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &mode, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_step(mode), SQLITE_ROW);
    CHECK_TEXT((const char *)sqlite3_column_text(mode, 0), "delete");
    sqlite3_finalize(mode);
    sqlite3_close(db);
    bench_close(&b);
}

TEST(garbage_and_a_missing_folder_are_named)
{
    struct bench b;
    bench_open(&b);
    close_only(&b);
    FILE *file = fopen(b.place, "w");
    CHECK(file != NULL);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    struct error e = {0};
    CHECK_INT(open_again(&b, BENCH_KEY_CHECK, &e), ERR_STORE_BROKEN);
    CHECK(strstr(e.text, "not a database") != NULL);
    struct store *store = NULL;
    const char *check = BENCH_KEY_CHECK;
    CHECK_INT(store_sqlite_open(&store, "/nowhere/at/all.db", &check, 1, b.base, &b.clock, &e),
              ERR_STORE_BROKEN);
    CHECK(store == NULL);
    CHECK(strstr(e.text, "/nowhere/at/all.db") != NULL);
    bench_close(&b);
}

TEST(the_files_are_the_owners_alone)
{
    struct bench b;
    bench_open(&b);
    struct store_request ping;
    store_request_init(&ping, STORE_PING);
    CHECK_INT(bench_outcome(&b, &ping), STORE_OK);
    const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (int i = 0; i < 4; i++) {
        char path[BENCH_PLACE_SIZE + 8];
        struct stat status;
        snprintf(path, sizeof path, "%s%s", b.place, suffixes[i]);
        CHECK_INT(stat(path, &status), 0);
        CHECK_INT(status.st_mode & 077, 0);
    }
    bench_close(&b);
}

TEST(a_changed_audit_row_is_found)
{
    struct bench b;
    bench_open(&b);
    struct store_request append, verify;
    for (int i = 0; i < 4; i++) {
        store_request_init(&append, STORE_AUDIT_APPEND);
        append.event_count = 1;
        append.events[0] = (struct audit_event){.event = "gateway.started", .details = "{}"};
        CHECK_INT(bench_outcome(&b, &append), STORE_OK);
    }
    const char *const crimes[] = {
        "UPDATE audit SET details = '{ }' WHERE sequence = 3",
        "UPDATE audit SET details = '{}' WHERE sequence = 3; DELETE FROM audit WHERE sequence = 2"};
    const int found[] = {3, 2};
    for (int i = 0; i < 2; i++) {
        sql(&b, crimes[i]);
        store_request_init(&verify, STORE_AUDIT_VERIFY);
        struct store_answer *a = bench_ask(&b, &verify);
        CHECK_INT(a->outcome, STORE_CONFLICT);
        CHECK_INT(a->total, found[i]);
        store_answer_free(a);
    }
    bench_close(&b);
}

TEST(an_erased_csr_is_not_left_in_the_file)
{
    struct bench b;
    bench_open(&b);
    struct store_request begin = bench_begin("alpha", 1, 1, 0);
    begin.begin.record.sealed_csr = bytes_of_text("CANARY-that-must-not-stay");
    CHECK_INT(bench_outcome(&b, &begin), STORE_MINE);
    struct store_request fail = bench_advance("alpha", 1, 1, TRANSACTION_FAILED);
    fail.advance.erase_csr = true;
    CHECK_INT(bench_outcome(&b, &fail), STORE_OK);
    close_only(&b); /* checkpoints */
    FILE *file = fopen(b.place, "r");
    CHECK(file != NULL);
    static char text[1 << 20];
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    CHECK(memmem(text, len, bench_id("record", 1), 32) != NULL);
    CHECK(memmem(text, len, "CANARY", 6) == NULL);
    bench_close(&b);
}

/* ---- a failing disk ------------------------------------------------------------------------------------ */

static void wait_ready(struct bench *b, bool wanted)
{
    char problem[256];
    while (store_ready(b->store, problem, sizeof problem) != wanted)
        usleep(10000);
}

/* Each answer promises nothing; the same operation succeeds once the disk works, and is done once. */
static void break_disk(atomic_int *fault, int code, const char *sentence)
{
    struct bench b;
    faulty_vfs_register();
    bench_open(&b);
    struct store_request create = bench_challenge("alpha", 1, 2), begin = bench_begin("alpha", 1, 1, 1);
    CHECK_INT(bench_outcome(&b, &create), STORE_OK);
    CHECK(store_ready(b.store, NULL, 0));
    atomic_store(fault, code);
    struct store_answer *a = bench_ask(&b, &begin);
    CHECK(a->outcome == STORE_UNAVAILABLE || a->outcome == STORE_UNKNOWN);
    CHECK(strstr(a->reason, sentence) != NULL);
    CHECK_INT(a->transaction_count, 0);
    store_answer_free(a);
    char problem[256] = "";
    CHECK(!store_ready(b.store, problem, sizeof problem));
    CHECK(strstr(problem, sentence) != NULL);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 2); /* reads go on */
    atomic_store(fault, 0);
    wait_ready(&b, true); /* by itself, without a request */
    a = bench_ask(&b, &begin);
    CHECK_INT(a->outcome, STORE_MINE);
    store_answer_free(a);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    bench_reopen(&b);
    CHECK_INT(bench_uses_left(&b, "alpha", 1), 1);
    bench_close(&b);
}

TEST(a_full_disk_makes_the_store_not_ready_and_heals)
{
    break_disk(&faulty_write, SQLITE_FULL, "the disk is full");
}

TEST(a_failing_write_makes_the_store_not_ready_and_heals)
{
    break_disk(&faulty_write, SQLITE_IOERR_WRITE, "reading or writing failed");
}

TEST(a_failing_sync_is_no_promise)
{
    break_disk(&faulty_sync, SQLITE_IOERR_FSYNC, "reading or writing failed");
}

/* A record id that exists breaks the one request, not those that were written with it. */
TEST(a_failing_request_takes_no_other_with_it)
{
    struct bench b;
    bench_open(&b);
    struct store_request first = bench_begin("alpha", 1, 1, 0);
    CHECK_INT(bench_outcome(&b, &first), STORE_MINE);
    struct bench_tally tally = {0};
    struct store_request r[40];
    for (int i = 0; i < 40; i++) {
        r[i] = bench_begin("alpha", i + 10, i == 20 ? 1 : i + 10, 0);
        r[i].event_count = 1;
        r[i].events[0] = (struct audit_event){.event = "request.accepted"};
        store_submit(b.store, &r[i], bench_tally, &tally);
    }
    while (tally.answered < 40)
        bench_turn(&b);
    CHECK_INT(tally.outcomes[STORE_MINE], 39);
    CHECK_INT(tally.outcomes[STORE_UNAVAILABLE], 1);
    CHECK(store_ready(b.store, NULL, 0)); /* it was the request's fault */
    struct store_request verify;
    store_request_init(&verify, STORE_AUDIT_VERIFY);
    struct store_answer *a = bench_ask(&b, &verify);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->total, 39);
    store_answer_free(a);
    bench_close(&b);
}

TEST(an_embedded_store_has_nobody_to_share_with)
{
    struct bench b;
    bench_open(&b);
    struct store_request r;
    store_request_init(&r, STORE_TALLY);
    r.tally.alias = "alpha";
    r.tally.window = MINUTE;
    r.tally.count = 1;
    r.tally.entries[0].add = 1;
    struct store_answer *a = bench_ask(&b, &r);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->tally_count, 0);
    store_answer_free(a);
    store_request_init(&r, STORE_ANNOUNCE);
    r.announce.replica = bench_id("replica", 1);
    r.announce.facts = "{}";
    r.announce.life = MINUTE;
    a = bench_ask(&b, &r);
    CHECK_INT(a->outcome, STORE_OK);
    CHECK_INT(a->replica_count, 0);
    store_answer_free(a);
    bench_close(&b);
}

RUNNER_MAIN()
