/* tally.c: what replicas tell each other: counts of refused challenges, and that they are alive. */
#include <stdio.h>
#include <string.h>

#include "store/redis/inside.h"

const char *redis_tally_alias(struct redis_call *c)
{
    return c->request->tally.alias;
}

void redis_tally(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->tally) *t = &c->request->tally;
    char name[24];
    argument_number(a, "window", t->window > 0 ? t->window : 1);
    argument_number(a, "count", (int64_t)t->count);
    for (size_t i = 0; i < t->count; i++) {
        snprintf(name, sizeof name, "k%zu", i + 1);
        argument_bytes(a, name, bytes_of(t->entries[i].key, TALLY_KEY_SIZE));
        snprintf(name, sizeof name, "a%zu", i + 1);
        argument_number(a, name, t->entries[i].add);
    }
}

void redis_tallied(struct redis_call *c, const struct redisReply *reply)
{
    const __typeof__(c->request->tally) *t = &c->request->tally;
    (void)reply;
    if (c->answer->tally_count != t->count) {
        redis_call_fail(c, STORE_UNAVAILABLE, "Redis answered with other counts than it was asked for");
        return;
    }
    struct tally_record *tallies = (struct tally_record *)c->answer->tallies; /* the arena's: ours */
    for (size_t i = 0; i < t->count; i++)
        memcpy(tallies[i].key, t->entries[i].key, TALLY_KEY_SIZE);
}

void redis_announce(struct redis_call *c, struct arguments *a)
{
    argument_text(a, "replica", c->request->announce.replica);
    argument_text(a, "facts", c->request->announce.facts);
    argument_number(a, "life", c->request->announce.life);
}
