/* ra.c: RA identities, and the leases on names under which they are made. */
#include "store/redis/inside.h"

const char *redis_ra_list_alias(struct redis_call *c)
{
    return c->request->ra_list.alias;
}

const char *redis_ra_put_alias(struct redis_call *c)
{
    return c->request->ra_put.record.alias;
}

const char *redis_lease_alias(struct redis_call *c)
{
    return c->request->lease.alias;
}

void redis_ra_put(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->ra_put) *put = &c->request->ra_put;
    record_put(a, "r", &record_ra, &put->record);
    redis_put_certificate(a, "x", put->certificate);
    argument_text(a, "lease", put->lease_name);
    argument_number(a, "claim", (int64_t)put->lease_claim);
    argument_text(a, "owner", c->store->owner);
}

void redis_lease(struct redis_call *c, struct arguments *a)
{
    const __typeof__(c->request->lease) *l = &c->request->lease;
    argument_text(a, "lease", l->name);
    argument_number(a, "claim", (int64_t)l->claim);
    argument_number(a, "duration", l->duration);
    argument_text(a, "owner", c->store->owner);
}
