/* check_store.c: see check_store.h. */
#include "settings/check_store.h"

#include <string.h>

#include "settings/forms.h"
#include "settings/section.h"

struct check {
    const struct gateway_settings *s;
    const struct store_settings *store;
    struct problems *problems;
};

/* Does the file give it another value than the row itself? What a print-out repeats is not said. */
static bool says(const struct check *c, const char *path)
{
    const struct setting_block *b = c->s->block;
    size_t row = block_row(b, path);
    const struct setting_value *own = block_own(b, row), *initial = block_own(b->parent, row);
    return own && !(initial && value_equal(own, initial, &b->rows[row]));
}

static bool has_url(const struct check *c)
{
    return says(c, "store.url");
}

static struct place place(const struct check *c, const char *path)
{
    return block_place(c->s->block, path);
}

/* `path` was written, but goes with something else only. */
static void belongs(const struct check *c, const char *path, const char *with, const char *here)
{
    if (says(c, path))
        problem(c->problems, place(c, path), "`%s` goes with %s only, but here is %s; remove one of them",
                path, with, here);
}

static void check_sqlite(const struct check *c)
{
    static const char own[] = "store.", *const common[] = {"store.type", "store.path", "store.master_key"};
    const struct setting_block *b = c->s->block;
    for (size_t i = 0; i < b->row_count; i++) {
        const char *path = b->rows[i].path;
        bool redis = strncmp(path, own, sizeof own - 1) == 0;
        for (size_t j = 0; j < sizeof common / sizeof common[0]; j++)
            redis = redis && strcmp(path, common[j]) != 0;
        if (redis)
            belongs(c, path, "`store.type: redis`", "`type: sqlite`");
    }
}

static void check_url(const struct check *c)
{
    static const char *const parts[] = {"store.addresses", "store.user", "store.password", "store.database",
                                        "store.tls.enabled"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (says(c, parts[i]))
            problem(c->problems, place(c, parts[i]),
                    "`%s` and `store.url` say the same thing twice; keep the URL or its parts", parts[i]);
    }
    if (c->store->topology == TOPOLOGY_SENTINEL)
        problem(c->problems, place(c, "store.url"),
                "a URL names one server, not sentinels; write them under `store.addresses`");
}

static void check_topology(const struct check *c)
{
    const struct store_settings *s = c->store;
    bool sentinel = s->topology == TOPOLOGY_SENTINEL;
    if (sentinel && !s->master[0])
        problem(
            c->problems, place(c, "store.topology"),
            "`store.topology: sentinel` needs `store.master`, the name under which the sentinels know the "
            "master");
    if (!sentinel) {
        belongs(c, "store.master", "`store.topology: sentinel`", "another topology");
        belongs(c, "store.sentinel_user", "`store.topology: sentinel`", "another topology");
        belongs(c, "store.sentinel_password", "`store.topology: sentinel`", "another topology");
    }
    if (s->topology == TOPOLOGY_CLUSTER && s->database)
        problem(c->problems, place(c, has_url(c) ? "store.url" : "store.database"),
                "a cluster has the database 0 alone; use `store.prefix` to keep gateways apart");
    if (s->topology == TOPOLOGY_SINGLE && s->addresses.count > 1)
        problem(c->problems, place(c, "store.addresses"),
                "`store.topology: single` is one server, but here are %zu addresses; name one, or write "
                "`topology: sentinel` or `topology: cluster`",
                s->addresses.count);
    if (!has_url(c) && s->addresses.count == 0 && !c->problems->error_count) /* a bad one was told already */
        problem(c->problems, place(c, "store.type"),
                "`store.type: redis` needs `store.url`, such as redis://redis.example.com:6379, or "
                "`store.addresses`");
}

static void check_tls(const struct check *c)
{
    static const char *const files[] = {"store.tls.ca", "store.tls.certificate", "store.tls.key",
                                        "store.tls.server_name"};
    const struct store_tls_settings *t = &c->store->tls;
    for (size_t i = 0; !t->enabled && i < sizeof files / sizeof files[0]; i++)
        belongs(c, files[i], "`store.tls.enabled: true` or a rediss:// URL", "no TLS");
    if (!t->certificate[0] != !t->key[0])
        problem(c->problems, place(c, t->key[0] ? "store.tls.key" : "store.tls.certificate"),
                "`store.tls.certificate` and `store.tls.key` need each other; name both files or none");
}

static bool on_this_machine(char *address)
{
    char why[240];
    return address[0] == '/' || form_loopback(address, why, sizeof why);
}

static void check_passwords(const struct check *c)
{
    const struct store_settings *s = c->store;
    bool secret = s->password.value.len || s->sentinel_password.value.len;
    for (size_t i = 0; secret && !s->tls.enabled && i < s->addresses.count; i++) {
        if (on_this_machine(s->addresses.items[i]))
            continue;
        warning(c->problems, place(c, has_url(c) ? "store.url" : "store.addresses"),
                "the password of Redis and all that the store keeps goes over the network in clear; use TLS "
                "(`store.tls.enabled: true`, or rediss:// in the URL)");
        return;
    }
    if ((s->user[0] && !s->password.value.len) || (s->sentinel_user[0] && !s->sentinel_password.value.len))
        problem(c->problems,
                place(c, s->user[0] && !s->password.value.len ? "store.user" : "store.sentinel_user"),
                "a user of Redis needs a password (`store.password`, `store.sentinel_password`)");
}

static void check_redis(const struct check *c)
{
    const struct store_settings *s = c->store;
    belongs(c, "store.path", "`store.type: sqlite`", "`type: redis`");
    if (!s->master_key.value.len)
        problem(
            c->problems, place(c, "store.type"),
            "`store.type: redis` needs `store.master_key`: without it every replica would make a key of its "
            "own, and could not open what the others store; make one file (ID:64 hexadecimal digits, such as "
            "`echo k1:$(openssl rand -hex 32)`), give it to all replicas, and write `master_key: {file: "
            "PATH}`");
    if (has_url(c))
        check_url(c);
    check_topology(c);
    check_tls(c);
    check_passwords(c);
    if (s->wait_replicas && s->wait_deadline > s->command_deadline)
        problem(
            c->problems, place(c, "store.wait_deadline"),
            "`store.wait_deadline` must not be longer than `store.command_deadline`, which it is a part of");
}

void store_check(const struct gateway_settings *s, struct problems *problems)
{
    struct check c = {.s = s, .store = &s->store, .problems = problems};
    if (s->store.type == STORE_IN_REDIS)
        check_redis(&c);
    else
        check_sqlite(&c);
}
