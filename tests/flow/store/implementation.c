/* implementation.c: see implementation.h. The embedded store is here, Redis in redis.c. */
#include "flow/store/implementation.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite.h"

static void sqlite_attach(struct bench *b)
{
    b->now = &b->own_now;
}

static void sqlite_prepare(struct bench *b)
{
    snprintf(b->folder, sizeof b->folder, "/tmp/scepgate-store-XXXXXX");
    if (!mkdtemp(b->folder)) {
        perror("bench");
        exit(2);
    }
    snprintf(b->place, sizeof b->place, "%s/store.db", b->folder);
}

static enum error_code sqlite_open(struct bench *b, struct store **out, struct error *e)
{
    const char *check = BENCH_KEY_CHECK;
    return store_sqlite_open(out, b->place, &check, 1, b->base, &b->clock, e);
}

static void sqlite_remove(struct bench *b)
{
    DIR *folder = opendir(b->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(b->folder);
}

const struct implementation implementation_sqlite = {.name = "sqlite",
                                                     .prepare = sqlite_prepare,
                                                     .attach = sqlite_attach,
                                                     .open = sqlite_open,
                                                     .remove = sqlite_remove};

const struct implementation *implementation(void)
{
    const char *wanted = getenv("STORE_UNDER_TEST");
    if (!wanted || strcmp(wanted, implementation_sqlite.name) == 0)
        return &implementation_sqlite;
    if (strcmp(wanted, implementation_redis.name) == 0)
        return &implementation_redis;
    fprintf(stderr, "STORE_UNDER_TEST=%s: there is no such store\n", wanted);
    exit(2);
}
