/* certificate.c: issued certificates, each once per alias, issuer and serial. */
#include "store/redis/inside.h"

const char *redis_certificate_find_alias(struct redis_call *c)
{
    return c->request->certificate_find.alias;
}

const char *redis_certificate_revoke_alias(struct redis_call *c)
{
    return c->request->certificate_revoke.alias;
}

const char *redis_certificate_release_alias(struct redis_call *c)
{
    return c->request->certificate_release.alias;
}

static void put_name(struct arguments *a, const char *issuer_sha256, const char *serial)
{
    uint8_t name[RECORD_NAME_SIZE];
    record_certificate_name(issuer_sha256, serial, name);
    argument_bytes(a, "record", bytes_of(name, sizeof name));
}

void redis_put_certificate(struct arguments *a, const char *group, const struct certificate_record *r)
{
    uint8_t name[RECORD_NAME_SIZE];
    if (!r)
        return;
    record_certificate_name(r->issuer_sha256, r->serial, name);
    record_put(a, group, &record_certificate, r);
    record_put_grouped(a, group, "id", bytes_of(name, sizeof name));
}

void redis_certificate_find(struct redis_call *c, struct arguments *a)
{
    argument_text(a, "of", record_certificate.letter);
    put_name(a, c->request->certificate_find.issuer_sha256, c->request->certificate_find.serial);
}

void redis_certificate_revoke(struct redis_call *c, struct arguments *a)
{
    put_name(a, c->request->certificate_revoke.issuer_sha256, c->request->certificate_revoke.serial);
    argument_number(a, "reason", c->request->certificate_revoke.reason);
}

void redis_certificate_release(struct redis_call *c, struct arguments *a)
{
    put_name(a, c->request->certificate_release.issuer_sha256, c->request->certificate_release.serial);
}
