/* sqlite.h: the embedded store: WAL, synchronous=FULL, a writer thread with group commit, a reader thread.
 *
 * One daemon per database: a second one gets ERR_STORE_LOCKED with a sentence that names the holder. A lease
 * left by a former process of the same database is void at open, because no second process can hold one. Disk
 * full or I/O errors: the affected operations answer UNAVAILABLE or (when COMMIT itself failed) UNKNOWN, and
 * ready() is false until a write succeeds again.
 */
#pragma once

#include "store/store.h"

/* Blocking: opens, checks, migrates. Errors name the path and what to do. `key_checks` are those of the master
 * keys, newest first: the first one is stored at first, and one that is none of them is ERR_KEY_UNUSABLE. */
enum error_code store_sqlite_open(struct store **out, const char *path, const char *const *key_checks,
                                  size_t key_check_count, struct event_base *base, const struct clock *clock,
                                  struct error *e);
