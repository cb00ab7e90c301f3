/* challenge.c: challenges: create, find, revoke. */
#include <stdio.h>

#include "store/redis/inside.h"

const char *redis_challenge_create_alias(struct redis_call *c)
{
    return c->request->challenge_create.alias;
}

const char *redis_challenge_find_alias(struct redis_call *c)
{
    return c->request->challenge_find.alias;
}

const char *redis_challenge_revoke_alias(struct redis_call *c)
{
    return c->request->challenge_revoke.alias;
}

void redis_challenge_create(struct redis_call *c, struct arguments *a)
{
    struct challenge_record r = c->request->challenge_create;
    r.first_transaction = "";
    r.uses_left = 0; /* the script fills these */
    r.state = 0;
    r.created = 0;
    record_put(a, "r", &record_challenge, &r);
}

void redis_challenge_find(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->challenge_find) *f = &c->request->challenge_find;
    char name[24];
    argument_number(a, "count", (int64_t)f->hash_count);
    for (size_t i = 0; i < f->hash_count; i++) {
        snprintf(name, sizeof name, "h%zu", i + 1);
        argument_bytes(a, name, bytes_of(f->hashes[i], sizeof f->hashes[i]));
    }
}

void redis_challenge_revoke(struct redis_call *c, struct arguments *a)
{
    record_put_id(a, "challenge", c->request->challenge_revoke.challenge_id);
}
