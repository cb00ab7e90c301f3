/* alias.c: the life of one alias (alias.h). */
#include "alias/alias.h"

#include <stdlib.h>
#include <string.h>

#include "alias/proxy.h"
#include "alias/trust.h"
#include "base/clock.h"
#include "scep/capabilities.h"

struct alias *alias_ref(struct alias *a)
{
    a->references++;
    return a;
}

void alias_unref(struct alias *a)
{
    if (!a || --a->references > 0)
        return;
    ra_set_unref(a->ra);
    lane_release(a->lane);
    proxy_signers_free(a->proxies);
    trust_unref(a->trust);
    policy_free(a->policy);
    alias_settings_unref(a->settings);
    free(a);
}

#define CAPABILITIES_SIZE sizeof((struct alias *)0)->capabilities

/* The truth about this alias: what it says here it must really take (RFC 8894 section 3.5.2). */
static enum error_code write_capabilities(const struct alias *a, char out[CAPABILITIES_SIZE], bool staged,
                                          struct error *e)
{
    const struct alias_settings *s = a->settings;
    struct scep_capabilities able = {
        .ciphers = s->ciphers | (s->compat.obsolete_des ? SCEP_CIPHER_DES : 0u),
        .digests = s->digests | (s->compat.obsolete_md5 ? SCEP_DIGEST_MD5 : 0u),
        .post = true,
        .update = s->compat.update_req,
        .renewal = s->renewal.enabled,
        .next_ca = staged,
    };
    struct buffer text;
    buffer_init(&text, CAPABILITIES_SIZE - 1);
    scep_capabilities_write(&text, &able);
    bool fits = !text.failed;
    if (fits && text.len)
        memcpy(out, text.data, text.len);
    buffer_free(&text);
    return fits ? ERR_OK : error_set(e, ERR_INTERNAL, "the capabilities of alias %s do not fit", s->name);
}

enum error_code alias_create(struct alias **out, struct alias_settings *settings, struct pool *pool,
                             struct error *e)
{
    *out = NULL;
    struct alias *a = calloc(1, sizeof *a);
    if (!a)
        return error_set(e, ERR_INTERNAL, "out of memory");
    a->references = 1;
    a->settings = alias_settings_ref(settings);
    a->lane = lane_create(pool);
    enum error_code code = a->lane ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
    if (code == ERR_OK)
        code = write_capabilities(a, a->capabilities, false, e);
    if (code == ERR_OK)
        code = write_capabilities(a, a->capabilities_staged, true, e);
    if (code == ERR_OK)
        code = policy_create(&a->policy, &settings->policy, e);
    if (code == ERR_OK)
        code = proxy_signers_create(&a->proxies, &settings->proxy_signers, e);
    if (code == ERR_OK && settings->renewal.enabled)
        code = trust_create(&a->trust, &settings->renewal, clock_realtime(&clock_system), e);
    if (code == ERR_OK)
        *out = a;
    else
        alias_unref(a);
    return code;
}

void alias_install_trust(struct alias *a, struct trust *trust)
{
    trust_unref(a->trust);
    a->trust = trust;
}

struct bytes alias_next_ca(const struct alias *a)
{
    return a->ra && a->ra->next ? a->ra->next->announcement : (struct bytes){0};
}

const char *alias_capabilities(const struct alias *a)
{
    return alias_next_ca(a).len ? a->capabilities_staged : a->capabilities;
}

void alias_install_ra(struct alias *a, struct ra_set *ra)
{
    ra_set_unref(a->ra);
    a->ra = ra;
}
