/* sqlite_schema.c: the tables, by version. A step, once released, is never changed: the next one is added
 * below it. */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_inside.h"

#define APPLICATION_ID 0x53434750 /* "SCGP": PRAGMA application_id, shown by file(1) */

/* Rows are numbered in the order of their making (`sequence`), so that new ones go to the end of a table and
 * lists come newest first. Long keys are looked up by 64 bits of a hash (`key`, `name`), which keeps the
 * indexes small. */
static const char *const steps[] = {
    /* version 1 */
    "CREATE TABLE fact(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE operation(slot INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, id TEXT NOT NULL, kind "
    "INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, claim INTEGER NOT NULL, reference INTEGER NOT NULL);"

    "CREATE TABLE challenge(sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, alias TEXT NOT NULL, hash BLOB "
    "NOT NULL,"
    " key_id TEXT NOT NULL, state INTEGER NOT NULL, uses INTEGER NOT NULL, uses_left INTEGER NOT NULL, "
    "created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, bind_cn TEXT NOT NULL, bind_san TEXT NOT NULL, bind_device TEXT NOT NULL,"
    " bind_spki_sha256 TEXT NOT NULL, labels TEXT NOT NULL, created_by TEXT NOT NULL, first_transaction TEXT "
    "NOT NULL);"
    "CREATE UNIQUE INDEX challenge_id ON challenge(id, alias);"
    "CREATE UNIQUE INDEX challenge_hash ON challenge(hash, alias);"
    "CREATE INDEX challenge_expires ON challenge(expires);"

    /* `challenge_bound`: this generation has one use of its challenge. */
    "CREATE TABLE transactions(sequence INTEGER PRIMARY KEY, key INTEGER NOT NULL, id TEXT NOT NULL, alias "
    "TEXT NOT NULL,"
    " transaction_id BLOB NOT NULL, signer BLOB NOT NULL, generation INTEGER NOT NULL, state INTEGER NOT "
    "NULL,"
    " claim INTEGER NOT NULL, lease_until INTEGER NOT NULL, lease_owner INTEGER NOT NULL, csr_info BLOB NOT "
    "NULL,"
    " recipient BLOB NOT NULL, plan BLOB NOT NULL, cookie BLOB NOT NULL, next_poll INTEGER NOT NULL, "
    "challenge_id TEXT NOT NULL,"
    " challenge_bound INTEGER NOT NULL, subject TEXT NOT NULL, client TEXT NOT NULL, error_name TEXT NOT "
    "NULL,"
    " reason TEXT NOT NULL, serial TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, "
    "finished INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, sealed_csr BLOB NOT NULL, chain BLOB NOT NULL);"
    "CREATE INDEX transactions_key ON transactions(key);"
    "CREATE UNIQUE INDEX transactions_id ON transactions(id, alias);"
    "CREATE INDEX transactions_finished ON transactions(finished) WHERE finished > 0;"

    "CREATE TABLE certificate(sequence INTEGER PRIMARY KEY, name INTEGER NOT NULL, alias TEXT NOT NULL,"
    " issuer_sha256 TEXT NOT NULL, serial TEXT NOT NULL, transaction_id TEXT NOT NULL, subject TEXT NOT "
    "NULL, der BLOB NOT NULL,"
    " not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, recorded INTEGER NOT NULL, revoked INTEGER "
    "NOT NULL,"
    " revocation_reason INTEGER NOT NULL);"
    "CREATE INDEX certificate_name ON certificate(name);"
    "CREATE INDEX certificate_not_after ON certificate(not_after);"

    "CREATE TABLE ra(sequence INTEGER PRIMARY KEY, alias TEXT NOT NULL, generation INTEGER NOT NULL, "
    "sealed_key BLOB NOT NULL,"
    " chain BLOB NOT NULL, cookie BLOB NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,"
    " UNIQUE(alias, generation));"

    "CREATE TABLE lease(alias TEXT NOT NULL, name TEXT NOT NULL, claim INTEGER NOT NULL, lease_until INTEGER "
    "NOT NULL,"
    " lease_owner INTEGER NOT NULL, PRIMARY KEY(alias, name)) WITHOUT ROWID;"

    /* A claimed obligation is due again at the end of the claim; `wanted` is the time it was asked for. */
    "CREATE TABLE obligation(id TEXT PRIMARY KEY, alias TEXT NOT NULL, kind TEXT NOT NULL, reference TEXT "
    "NOT NULL,"
    " wanted INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL, claim INTEGER NOT NULL, "
    "holder INTEGER NOT NULL,"
    " given_up INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX obligation_due ON obligation(due) WHERE given_up = 0;"
    "CREATE INDEX obligation_given_up ON obligation(wanted) WHERE given_up = 1;"

    "CREATE TABLE audit(sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL, alias TEXT "
    "NOT NULL,"
    " tenant TEXT NOT NULL, transaction_id TEXT NOT NULL, client TEXT NOT NULL, details TEXT NOT NULL, hash "
    "BLOB NOT NULL);",

    /* version 2: renewals */
    "ALTER TABLE transactions ADD COLUMN renews TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX transactions_renews ON transactions(renews, alias) WHERE renews <> '' AND finished = 0;",

    /* version 3: what people have to say to a transaction. `limited`: it counts against a pass limit. */
    "ALTER TABLE transactions ADD COLUMN decision INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE transactions ADD COLUMN approvals_needed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE transactions ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE transactions ADD COLUMN limited INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX transactions_limited ON transactions(alias, created) WHERE limited = 1;",

    /* version 4: CRLs */
    "CREATE INDEX certificate_revoked ON certificate(issuer_sha256, not_after) WHERE revoked <> 0;"
    "CREATE TABLE crl(sequence INTEGER PRIMARY KEY, ca_sha256 TEXT NOT NULL UNIQUE, number INTEGER NOT NULL,"
    " der BLOB NOT NULL, this_update INTEGER NOT NULL, next_update INTEGER NOT NULL);",
};

#define NEWEST ((int)(sizeof steps / sizeof *steps))

static enum error_code broken(struct sqlite_link *l, struct error *e)
{
    link_fail(l, sqlite3_extended_errcode(l->db));
    return error_set(e, ERR_STORE_BROKEN, "%s", l->reason);
}

static bool pragma(struct sqlite_link *l, const char *text, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(l->db, text, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return good;
}

/* One step and its version number, both or neither. */
static bool migrate(struct sqlite_link *l, int version)
{
    char number[96];
    snprintf(number, sizeof number, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             APPLICATION_ID, version);
    if (sqlite3_exec(l->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(l->db, steps[version - 1], NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(l->db, number, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    link_fail(l, sqlite3_extended_errcode(l->db));
    sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

void sqlite_fact_put(struct sqlite_link *l, const char *name, struct bytes value)
{
    struct query q = query_start(l, SQL_FACT_PUT);
    query_put_text(&q, name);
    query_put_bytes(&q, value);
    query_run(&q);
}

static enum error_code check_key(struct sqlite_link *l, const struct sqlite_key_checks *keys, struct error *e)
{
    struct query q = query_start(l, SQL_FACT_GET);
    query_put_text(&q, SQLITE_KEY_CHECK);
    bool there = query_row(&q);
    bool same = false;
    for (size_t i = 0; there && i < keys->count; i++)
        same = same || bytes_equal(query_bytes(&q, 0, NULL), bytes_of_text(keys->items[i]));
    query_end(&q);
    if (!there)
        sqlite_fact_put(l, SQLITE_KEY_CHECK, bytes_of_text(keys->items[0]));
    if (l->error != SQLITE_OK)
        return error_set(e, ERR_STORE_BROKEN, "%s", l->reason);
    if (!there || same)
        return ERR_OK;
    return error_set(e, ERR_KEY_UNUSABLE,
                     "store %s was made under a master key that this daemon does not have; give it the key "
                     "file that belongs "
                     "to it (store.master_key), or another store.path",
                     l->path);
}

enum error_code sqlite_schema_apply(struct sqlite_link *l, const struct sqlite_key_checks *keys,
                                    struct error *e)
{
    int64_t application = 0, version = 0, tables = 0;
    if (!pragma(l, "PRAGMA application_id", &application) || !pragma(l, "PRAGMA user_version", &version) ||
        !pragma(l, "SELECT count(*) FROM sqlite_master", &tables))
        return broken(l, e);
    if (application != APPLICATION_ID && (application != 0 || tables != 0))
        return error_set(e, ERR_STORE_BROKEN, "%s is the database of another program; change store.path",
                         l->path);
    if (version > NEWEST)
        return error_set(e, ERR_STORE_BROKEN,
                         "store %s has version %lld, this program knows versions up to %d; run the newer "
                         "program or restore "
                         "a backup made before the upgrade",
                         l->path, (long long)version, NEWEST);
    enum error_code code = link_make_durable(l, e);
    if (code != ERR_OK)
        return code;
    for (int next = (int)version + 1; next <= NEWEST; next++)
        if (!migrate(l, next))
            return error_set(e, ERR_STORE_BROKEN, "cannot bring the tables to version %d: %s", next,
                             l->reason);
    code = check_key(l, keys, e);
    if (code != ERR_OK)
        return code;
    link_run(l, SQL_OBLIGATION_ORPHANS);
    return l->error == SQLITE_OK ? ERR_OK : error_set(e, ERR_STORE_BROKEN, "%s", l->reason);
}
