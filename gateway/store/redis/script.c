/* script.c: see script.h. */
#include "store/redis/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/script_table.h"

static int compare(const void *name, const void *script)
{
    return strcmp(name, ((const struct redis_script *)script)->name);
}

const struct redis_script *redis_script(const char *name)
{
    const struct redis_script *found =
        bsearch(name, redis_scripts, redis_script_count, sizeof *redis_scripts, compare);
    if (found)
        return found;
    fprintf(stderr, "store: there is no script \"%s\"\n", name);
    abort();
}
