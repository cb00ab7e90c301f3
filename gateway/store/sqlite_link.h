/* sqlite_link.h: one connection of the embedded store, and queries on it. Each connection belongs to one
 * thread.
 *
 * Failure is sticky: after the first one every query does nothing and finds no row, so a handler reads
 * straight on and its caller asks `error` once, before anything is promised.
 */
#pragma once

#include <openssl/evp.h>
#include <sqlite3.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum statement {
#define STATEMENT(name, sql) SQL_##name,
#include "store/sqlite_statements.def"
    SQL_COUNT
};

struct sqlite_link {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT];
    const char *path; /* borrowed */
    int64_t owner;    /* of leases: a random number of this open store */
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    int error; /* SQLite's extended code of the first failure, 0 while there is none */
    char reason[256];
};

enum error_code link_open(struct sqlite_link *l, const char *path, bool write, struct error *e);
/* Write-ahead log, synced at every commit. Changes the file, so only after it is known to be ours. */
enum error_code link_make_durable(struct sqlite_link *l, struct error *e);
void link_close(struct sqlite_link *l); /* accepts one that was never opened */
void link_clear(struct sqlite_link *l); /* forgets a failure */
void link_fail(struct sqlite_link *l, int code);
/* A failure that will meet the next operation too (disk full, damaged file), and not just this one. */
bool link_broken(const struct sqlite_link *l);
/* Runs a statement without parameters or rows. */
void link_run(struct sqlite_link *l, enum statement statement);

/* SHA-256 over the parts, each preceded by its length. */
void link_hash(struct sqlite_link *l, const struct bytes *parts, size_t count, uint8_t out[32]);
/* The first 64 bits of that: a compact index key. Rows found by it are compared in full. */
int64_t link_index_key(struct sqlite_link *l, const struct bytes *parts, size_t count);

struct query {
    struct sqlite_link *link;
    sqlite3_stmt *statement; /* NULL once the link has failed */
    int bound;
};

struct query query_start(struct sqlite_link *l, enum statement statement);
/* Parameters in order. Texts and bytes are borrowed until query_end; a NULL text is "". */
void query_put_number(struct query *q, int64_t value);
void query_put_text(struct query *q, const char *text);
void query_put_bytes(struct query *q, struct bytes bytes);
bool query_row(struct query *q); /* the next row is there */
void query_end(struct query *q);
void query_run(struct query *q); /* to its end, for what gives no rows */

/* Columns of the present row. Copies live in the arena; without one they are borrowed until the next
 * query_row. */
int64_t query_number(struct query *q, int column);
const char *query_text(struct query *q, int column, struct arena *arena);
struct bytes query_bytes(struct query *q, int column, struct arena *arena);
bool query_digest(struct query *q, int column, uint8_t *out,
                  size_t size); /* false when it has another size */
