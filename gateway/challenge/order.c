/* order.c: challenge_prepare: an operator's order becomes a secret and a store request. */
#include <string.h>

#include "challenge/challenge.h"

#define USES_MAX    100000
#define BINDING_MAX 255
#define LABELS_MAX  4096

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static enum error_code check_bindings(const struct challenge_order *order, struct error *e)
{
    const char *const bindings[] = {order->bind_cn, order->bind_san, order->bind_device};
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++)
        if (strlen(or_empty(bindings[i])) > BINDING_MAX)
            return error_set(e, ERR_POLICY_REFUSED, "a binding is longer than %d bytes", BINDING_MAX);
    const char *spki = or_empty(order->bind_spki_sha256);
    if (spki[0] && (strlen(spki) != 64 || strspn(spki, "0123456789abcdefABCDEF") != 64))
        return error_set(
            e, ERR_POLICY_REFUSED,
            "the public-key binding must be the SHA-256 of a SubjectPublicKeyInfo: 64 hex digits");
    if (strlen(or_empty(order->labels)) > LABELS_MAX)
        return error_set(e, ERR_POLICY_REFUSED, "the labels are longer than %d bytes", LABELS_MAX);
    return ERR_OK;
}

static enum error_code check(const struct alias_settings *alias, int64_t ttl, int uses, struct error *e)
{
    const struct challenge_settings *s = &alias->challenge;
    if (s->type != CHALLENGE_ONE_TIME)
        return error_set(e, ERR_POLICY_REFUSED,
                         "alias %s does not use one-time challenges (its challenge.type says otherwise)",
                         alias->name);
    if (ttl <= 0 || (s->max_ttl > 0 && ttl > s->max_ttl))
        return error_set(e, ERR_POLICY_REFUSED,
                         "a challenge of alias %s lives 1 to %lld seconds (challenge.max_ttl), not %lld",
                         alias->name, (long long)s->max_ttl / 1000, (long long)ttl / 1000);
    if (uses < 1 || uses > USES_MAX)
        return error_set(e, ERR_POLICY_REFUSED, "a challenge has 1 to %d uses, not %d", USES_MAX, uses);
    return ERR_OK;
}

enum error_code challenge_prepare(struct store_request *request, char text[CHALLENGE_TEXT_SIZE],
                                  char id[ID_TEXT_SIZE], const struct alias_settings *alias,
                                  const struct challenge_order *order, const struct keys *keys,
                                  struct error *e)
{
    text[0] = id[0] = 0;
    int64_t ttl = order->ttl != 0 ? order->ttl : alias->challenge.ttl;
    int uses = order->uses != 0 ? order->uses : alias->challenge.uses;
    enum error_code code = check(alias, ttl, uses, e);
    if (code == ERR_OK)
        code = check_bindings(order, e);
    if (code != ERR_OK)
        return code;

    store_request_init(request, STORE_CHALLENGE_CREATE);
    random_id(id);
    request->challenge_create = (struct challenge_record){
        .id = id,
        .alias = alias->name,
        .key_id = keys_id(keys, 0),
        .state = CHALLENGE_UNUSED,
        .uses = uses,
        .uses_left = uses,
        .expires = ttl,
        .bind_cn = or_empty(order->bind_cn),
        .bind_san = or_empty(order->bind_san),
        .bind_device = or_empty(order->bind_device),
        .bind_spki_sha256 = or_empty(order->bind_spki_sha256),
        .labels = order->labels && order->labels[0] ? order->labels : "{}",
        .created_by = or_empty(order->created_by),
        .first_transaction = "",
    };
    code = secret_random_text(text, CHALLENGE_TEXT_SIZE - 1);
    if (code == ERR_OK)
        code = keys_challenge_hash(keys, 0, alias->name, bytes_of_text(text), request->challenge_create.hash);
    if (code == ERR_OK)
        return ERR_OK;
    secret_wipe(text, CHALLENGE_TEXT_SIZE);
    return error_set(e, code, "a challenge for alias %s could not be made", alias->name);
}
