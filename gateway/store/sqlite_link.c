/* sqlite_link.c: see sqlite_link.h. */
#include "store/sqlite_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_WAIT 5000 /* ms: as long as somebody's backup tool may hold the database */

static const char *const sql[SQL_COUNT] = {
#define STATEMENT(name, text) [SQL_##name] = text,
#include "store/sqlite_statements.def"
};

/* What an operator should do about it; other failures speak for themselves. */
static const struct advice {
    int code;
    bool lasting;
    const char *sentence;
} advices[] = {
    {SQLITE_FULL, true, "the disk is full: free space"},
    {SQLITE_IOERR, true, "reading or writing failed: look at the disk and the system log"},
    {SQLITE_READONLY, true,
     "it cannot be written: check the permissions and whether the file system is read-only"},
    {SQLITE_CANTOPEN, true, "it cannot be opened: check that the folder exists and its permissions"},
    {SQLITE_PERM, true, "access is denied: check the permissions"},
    {SQLITE_AUTH, true, "access is denied: check the permissions"},
    {SQLITE_CORRUPT, true, "it is damaged: stop the gateway and restore a backup"},
    {SQLITE_NOTADB, true, "it is not a database: restore a backup or move it away"},
    {SQLITE_PROTOCOL, true, "locking failed: the file system may not be suited (NFS)"},
    {SQLITE_BUSY, true, "another program holds it locked: end that program"},
    {SQLITE_LOCKED, true, "another program holds it locked: end that program"},
    {SQLITE_NOMEM, false, "the gateway is out of memory"},
};

static const struct advice *advice_for(int code)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (advices[i].code == (code & 0xff))
            return &advices[i];
    return NULL;
}

void link_clear(struct sqlite_link *l)
{
    l->error = SQLITE_OK;
    l->reason[0] = '\0';
}

/* SQLite's own text may quote a value of a row, so only the code's general one is used. */
void link_fail(struct sqlite_link *l, int code)
{
    if (l->error != SQLITE_OK)
        return;
    l->error = code;
    const struct advice *a = advice_for(code);
    snprintf(l->reason, sizeof l->reason, "store %.120s: %s (SQLite %d)", l->path,
             a ? a->sentence : sqlite3_errstr(code), code);
}

bool link_broken(const struct sqlite_link *l)
{
    const struct advice *a = advice_for(l->error);
    return a && a->lasting;
}

/* ---- open and close ------------------------------------------------------------------------------------ */

static enum error_code refuse(struct sqlite_link *l, struct error *e)
{
    link_fail(l, sqlite3_extended_errcode(l->db));
    return error_set(e, ERR_STORE_BROKEN, "%s", l->reason);
}

enum error_code link_make_durable(struct sqlite_link *l, struct error *e)
{
    /* secure_delete: what is erased (a CSR, a used challenge) is overwritten, not just forgotten. A long log
     * between checkpoints writes the few hot pages back once for thousands of operations. */
    static const char pragmas[] =
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 4000;"
        "PRAGMA journal_size_limit = 67108864;";
    if (sqlite3_exec(l->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return refuse(l, e);
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(l->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    enum error_code code = good ? ERR_OK : refuse(l, e);
    if (good && strcmp((const char *)sqlite3_column_text(statement, 0), "wal") != 0)
        code = error_set(e, ERR_STORE_BROKEN,
                         "store %s: its file system has no shared memory for SQLite's log; "
                         "change store.path to a local disk",
                         l->path);
    sqlite3_finalize(statement);
    return code;
}

enum error_code link_open(struct sqlite_link *l, const char *path, bool write, struct error *e)
{
    *l = (struct sqlite_link){.path = path};
    l->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    l->digest = EVP_MD_CTX_new();
    if (!l->sha256 || !l->digest)
        return error_set_openssl(e, ERR_INTERNAL, "cannot set up SHA-256");
    int flags = SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int code = sqlite3_open_v2(path, &l->db, flags, NULL);
    if (code != SQLITE_OK) {
        link_fail(l, l->db ? sqlite3_extended_errcode(l->db) : code);
        return error_set(e, ERR_STORE_BROKEN, "%s", l->reason);
    }
    sqlite3_extended_result_codes(l->db, 1);
    sqlite3_busy_timeout(l->db, BUSY_WAIT);
    static const char pragmas[] =
        "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16000;";
    return sqlite3_exec(l->db, pragmas, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : refuse(l, e);
}

void link_close(struct sqlite_link *l)
{
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(l->statements[i]);
    sqlite3_close(l->db);
    EVP_MD_CTX_free(l->digest);
    EVP_MD_free(l->sha256);
    *l = (struct sqlite_link){0};
}

/* ---- hashes -------------------------------------------------------------------------------------------- */

/* Most inputs are small; one update of a gathered input costs a fraction of many small ones. */
#define GATHERED 1024

static size_t gather(const struct bytes *parts, size_t count, uint8_t out[GATHERED])
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t n = parts[i].len;
        if (n > GATHERED - 4 || total + 4 + n > GATHERED)
            return 0;
        const uint8_t len[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        memcpy(out + total, len, sizeof len);
        if (n > 0)
            memcpy(out + total + 4, parts[i].data, n);
        total += 4 + n;
    }
    return total;
}

static bool update_each(EVP_MD_CTX *digest, const struct bytes *parts, size_t count)
{
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        size_t n = parts[i].len;
        const uint8_t len[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        good = EVP_DigestUpdate(digest, len, sizeof len) == 1 &&
               (n == 0 || EVP_DigestUpdate(digest, parts[i].data, n) == 1);
    }
    return good;
}

void link_hash(struct sqlite_link *l, const struct bytes *parts, size_t count, uint8_t out[32])
{
    uint8_t gathered[GATHERED];
    size_t total = gather(parts, count, gathered);
    bool good =
        EVP_DigestInit_ex2(l->digest, l->sha256, NULL) == 1 &&
        (total ? EVP_DigestUpdate(l->digest, gathered, total) == 1 : update_each(l->digest, parts, count)) &&
        EVP_DigestFinal_ex(l->digest, out, NULL) == 1;
    if (!good) {
        memset(out, 0, 32);
        link_fail(l, SQLITE_NOMEM);
    }
}

int64_t link_index_key(struct sqlite_link *l, const struct bytes *parts, size_t count)
{
    uint8_t hash[32];
    int64_t key;
    link_hash(l, parts, count, hash);
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof value; i++)
        value = value << 8 | hash[i];
    memcpy(&key, &value, sizeof key);
    return key;
}

/* ---- queries ------------------------------------------------------------------------------------------- */

struct query query_start(struct sqlite_link *l, enum statement statement)
{
    struct query q = {.link = l};
    if (l->error != SQLITE_OK)
        return q;
    sqlite3_stmt **cached = &l->statements[statement];
    if (!*cached) {
        int code = sqlite3_prepare_v3(l->db, sql[statement], -1, SQLITE_PREPARE_PERSISTENT, cached, NULL);
        if (code != SQLITE_OK) {
            link_fail(l, code);
            return q;
        }
    }
    q.statement = *cached;
    return q;
}

static void fail(struct query *q, int code)
{
    link_fail(q->link, code);
    if (q->statement)
        sqlite3_reset(q->statement);
    q->statement = NULL;
}

void query_put_number(struct query *q, int64_t value)
{
    if (!q->statement)
        return;
    int code = sqlite3_bind_int64(q->statement, ++q->bound, value);
    if (code != SQLITE_OK)
        fail(q, code);
}

void query_put_text(struct query *q, const char *text)
{
    if (!q->statement)
        return;
    int code = sqlite3_bind_text(q->statement, ++q->bound, text ? text : "", -1, SQLITE_STATIC);
    if (code != SQLITE_OK)
        fail(q, code);
}

void query_put_bytes(struct query *q, struct bytes bytes)
{
    if (!q->statement)
        return;
    const void *data = bytes.len > 0 ? (const void *)bytes.data : "";
    int code = sqlite3_bind_blob64(q->statement, ++q->bound, data, bytes.len, SQLITE_STATIC);
    if (code != SQLITE_OK)
        fail(q, code);
}

bool query_row(struct query *q)
{
    if (!q->statement || q->link->error != SQLITE_OK)
        return false;
    int code = sqlite3_step(q->statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fail(q, code);
    return false;
}

void query_end(struct query *q)
{
    if (q->statement)
        sqlite3_reset(q->statement);
    q->statement = NULL;
}

void query_run(struct query *q)
{
    while (query_row(q))
        ;
    query_end(q);
}

void link_run(struct sqlite_link *l, enum statement statement)
{
    struct query q = query_start(l, statement);
    query_run(&q);
}

int64_t query_number(struct query *q, int column)
{
    return q->statement ? sqlite3_column_int64(q->statement, column) : 0;
}

const char *query_text(struct query *q, int column, struct arena *arena)
{
    const char *text = q->statement ? (const char *)sqlite3_column_text(q->statement, column) : NULL;
    if (text && arena) {
        text = arena_text(arena, text);
        if (!text)
            link_fail(q->link, SQLITE_NOMEM);
    }
    return text ? text : "";
}

struct bytes query_bytes(struct query *q, int column, struct arena *arena)
{
    const void *data = q->statement ? sqlite3_column_blob(q->statement, column) : NULL;
    struct bytes bytes = bytes_of(data, data ? (size_t)sqlite3_column_bytes(q->statement, column) : 0);
    if (data && arena) {
        bytes = arena_bytes(arena, bytes.data, bytes.len);
        if (!bytes.data)
            link_fail(q->link, SQLITE_NOMEM);
    }
    return bytes;
}

bool query_digest(struct query *q, int column, uint8_t *out, size_t size)
{
    struct bytes bytes = query_bytes(q, column, NULL);
    if (bytes.len != size) {
        memset(out, 0, size);
        return false;
    }
    memcpy(out, bytes.data, size);
    return true;
}
