/* store_url.c: see store_url.h. */
#include "settings/store_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "settings/forms.h"
#include "settings/units.h"

#define DEFAULT_PORT ":6379"
#define DATABASE_MAX 65535
#define PART_MAX     4096

struct parts { /* borrowed from the text */
    struct bytes user, password, rest;
};

static bool refuse(char *why, size_t size, const char *sentence)
{
    snprintf(why, size, "%s", sentence);
    return false;
}

static bool split_user(struct parts *p, const char *text)
{
    const char *at = strrchr(text, '@');
    const char *begin = at ? at + 1 : text;
    p->rest = bytes_of_text(begin);
    if (!at)
        return true;
    const char *colon = memchr(text, ':', (size_t)(at - text));
    if (!colon)
        return false;
    p->user = bytes_of(text, (size_t)(colon - text));
    p->password = bytes_of(colon + 1, (size_t)(at - colon) - 1);
    return true;
}

/* A text without percent escapes; NULL when out of memory or when it has a NUL. */
static char *unescaped(struct bytes part)
{
    CLEANUP(buffer) struct buffer plain;
    buffer_init(&plain, PART_MAX);
    codec_unescape(&plain, part);
    bool good = !plain.failed && (plain.len == 0 || !memchr(plain.data, 0, plain.len));
    char *text = good ? strndup(plain.len ? (const char *)plain.data : "", plain.len) : NULL;
    if (plain.len)
        secret_wipe(plain.data, plain.len);
    return text;
}

static bool take_user(struct store_url *u, const struct parts *p)
{
    char *password = unescaped(p->password);
    u->user = unescaped(p->user);
    bool good = u->user && password;
    if (good && password[0])
        good = secret_set(&u->password, password, strlen(password)) == ERR_OK;
    if (password)
        secret_wipe(password, strlen(password));
    free(password);
    return good;
}

static bool take_database(struct store_url *u, const char *text, char *why, size_t size)
{
    int64_t number = 0;
    if (text[0] && (!integer_parse(text, &number) || number < 0 || number > DATABASE_MAX))
        return refuse(why, size, "names no database; write a number from 0 to 65535 at its end");
    u->database = (int)number;
    return true;
}

static bool take_socket(struct store_url *u, const char *rest, char *why, size_t size)
{
    static const char key[] = "?db=";
    const char *query = strchr(rest, '?');
    size_t len = query ? (size_t)(query - rest) : strlen(rest);
    if (rest[0] != '/' || len < 2)
        return refuse(why, size, "has no path; write it as in unix:///run/redis.sock");
    if (query && strncmp(query, key, sizeof key - 1) != 0)
        return refuse(why, size, "may ask for a database alone; write it as in unix:///run/redis.sock?db=2");
    u->address = unescaped(bytes_of(rest, len));
    return u->address && take_database(u, query ? query + sizeof key - 1 : "", why, size);
}

static bool take_host(struct store_url *u, const char *rest, char *why, size_t size)
{
    const char *slash = strchr(rest, '/');
    int len = (int)(slash ? slash - rest : (long)strlen(rest));
    const char *bracket = memchr(rest, ']', (size_t)len);
    bool port = memchr(bracket ? bracket : rest, ':', (size_t)(rest + len - (bracket ? bracket : rest)));
    char own[240] = "";
    if (asprintf(&u->address, "%.*s%s", len, rest, port ? "" : DEFAULT_PORT) < 0) {
        u->address = NULL;
        return false;
    }
    if (u->address[0] == '/' || !form_redis_address(u->address, own, sizeof own))
        return refuse(why, size,
                      "has no good host and port; write it as in redis://redis.example.com:6379/0");
    return take_database(u, slash ? slash + 1 : "", why, size);
}

static const struct scheme {
    const char *name;
    bool tls;
    bool (*take)(struct store_url *u, const char *rest, char *why, size_t size);
} schemes[] = {
    {"redis://", false, take_host},
    {"rediss://", true, take_host},
    {"unix://", false, take_socket},
};

bool store_url_parse(struct store_url **out, const char *text, char *why, size_t size)
{
    const struct scheme *s = NULL;
    struct parts parts = {0};
    *out = NULL;
    why[0] = '\0';
    for (size_t i = 0; !s && i < sizeof schemes / sizeof schemes[0]; i++)
        s = strncasecmp(text, schemes[i].name, strlen(schemes[i].name)) == 0 ? &schemes[i] : NULL;
    if (!s)
        return refuse(why, size, "must begin with redis://, rediss:// or unix://");
    if (!split_user(&parts, text + strlen(s->name)))
        return refuse(
            why, size,
            "has a user without password; write USER:PASSWORD@, or :PASSWORD@ for the default user");
    struct store_url *u = calloc(1, sizeof *u);
    if (u && take_user(u, &parts) && s->take(u, (const char *)parts.rest.data, why, size)) {
        u->tls = s->tls;
        *out = u;
        return true;
    }
    store_url_free(u);
    return false;
}

void store_url_free(struct store_url *u)
{
    if (!u)
        return;
    free(u->address);
    free(u->user);
    secret_free(&u->password);
    free(u);
}
