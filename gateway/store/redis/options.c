/* options.c: see options.h. */
#include "store/redis/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/redis/endpoint.h"

#define PREFIX_MAX 64

static const char *copy_text(const char *text, bool *failed)
{
    char *copy = text && *text ? strdup(text) : NULL;
    *failed = *failed || (text && *text && !copy);
    return copy;
}

static struct bytes copy_secret(struct bytes secret, bool *failed)
{
    struct bytes copy = bytes_copy(secret);
    *failed = *failed || (secret.len && !copy.data);
    return copy;
}

static void copy_addresses(struct redis_options *out, const struct redis_options *from, bool *failed)
{
    const char **addresses = calloc(from->address_count ? from->address_count : 1, sizeof *addresses);
    out->addresses = addresses;
    out->address_count = addresses ? from->address_count : 0;
    *failed = *failed || !addresses;
    for (size_t i = 0; i < out->address_count; i++)
        addresses[i] = copy_text(from->addresses[i], failed);
}

static enum error_code check(const struct redis_options *o, struct error *e)
{
    struct endpoint endpoint;
    if (o->address_count == 0)
        return error_set(e, ERR_SETTINGS_INVALID, "the Redis store has no address");
    for (size_t i = 0; i < o->address_count; i++)
        if (!o->addresses[i] || !endpoint_parse(&endpoint, o->addresses[i], 6379))
            return error_set(e, ERR_SETTINGS_INVALID,
                             "\"%s\" is no address of a Redis: host:port, [IPv6]:port or /path/of.sock",
                             o->addresses[i] ? o->addresses[i] : "");
    if (o->topology == REDIS_SENTINEL && !o->master)
        return error_set(e, ERR_SETTINGS_INVALID, "Sentinel needs the name of the master that it watches");
    if (!o->prefix || strlen(o->prefix) > PREFIX_MAX || strpbrk(o->prefix, "{}"))
        return error_set(
            e, ERR_SETTINGS_INVALID,
            "the key prefix must have 1 to %d characters and no braces, which are Redis' hash tag",
            PREFIX_MAX);
    return ERR_OK;
}

enum error_code redis_options_copy(struct redis_options *out, const struct redis_options *from,
                                   struct error *e)
{
    bool failed = false;
    *out = *from;
    copy_addresses(out, from, &failed);
    out->master = copy_text(from->master, &failed);
    out->user = copy_text(from->user, &failed);
    out->password = copy_secret(from->password, &failed);
    out->sentinel_user = copy_text(from->sentinel_user, &failed);
    out->sentinel_password = copy_secret(from->sentinel_password, &failed);
    out->tls_ca = copy_text(from->tls_ca, &failed);
    out->tls_certificate = copy_text(from->tls_certificate, &failed);
    out->tls_key = copy_text(from->tls_key, &failed);
    out->tls_server_name = copy_text(from->tls_server_name, &failed);
    out->prefix = copy_text(from->prefix, &failed);
    if (failed)
        return error_set(e, ERR_INTERNAL, "out of memory");
    return check(out, e);
}

static void free_secret(struct bytes secret)
{
    if (secret.data)
        secret_wipe((void *)secret.data, secret.len);
    free((void *)secret.data);
}

void redis_options_free(struct redis_options *o)
{
    for (size_t i = 0; i < o->address_count; i++)
        free((void *)o->addresses[i]);
    free((void *)o->addresses);
    const char *const texts[] = {o->master,          o->user,    o->sentinel_user,   o->tls_ca,
                                 o->tls_certificate, o->tls_key, o->tls_server_name, o->prefix};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free((void *)texts[i]);
    free_secret(o->password);
    free_secret(o->sentinel_password);
    *o = (struct redis_options){0};
}

static enum error_code load(const struct redis_options *o, SSL_CTX *tls, struct error *e)
{
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    if (o->tls_ca && SSL_CTX_load_verify_file(tls, o->tls_ca) != 1)
        return error_set_openssl(e, ERR_FILE_UNREADABLE, "the CA certificates for Redis in %s cannot be used",
                                 o->tls_ca);
    if (!o->tls_ca && SSL_CTX_set_default_verify_paths(tls) != 1)
        return error_set_openssl(e, ERR_FILE_UNREADABLE, "the system's CA certificates cannot be used");
    if (!o->tls_certificate)
        return ERR_OK;
    const char *key = o->tls_key ? o->tls_key : o->tls_certificate;
    if (SSL_CTX_use_certificate_chain_file(tls, o->tls_certificate) != 1)
        return error_set_openssl(e, ERR_FILE_UNREADABLE,
                                 "the client certificate for Redis in %s cannot be used", o->tls_certificate);
    if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(tls) != 1)
        return error_set_openssl(e, ERR_FILE_UNREADABLE,
                                 "the key in %s cannot be used with the client certificate for Redis", key);
    return ERR_OK;
}

enum error_code redis_options_tls(const struct redis_options *o, SSL_CTX **out, struct error *e)
{
    *out = NULL;
    if (!o->tls)
        return ERR_OK;
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (!tls)
        return error_set_openssl(e, ERR_INTERNAL, "no TLS for Redis");
    enum error_code code = load(o, tls, e);
    if (code != ERR_OK) {
        SSL_CTX_free(tls);
        return code;
    }
    *out = tls;
    return ERR_OK;
}
