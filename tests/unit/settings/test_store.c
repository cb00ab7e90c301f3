/* test_store.c: what may be said about the store, by URL or by parts, and what does not go together. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "settings/store_url.h"
#include "support.h"

#define KEY         "master_key: {value: 'k1:00'}"
#define REDIS(more) "store: {type: redis, " KEY ", " more "}\n"

static struct loaded accepts(const char *text)
{
    struct loaded l = load_text(text);
    cr_assert_not_null(l.s, "%s", problems_of(&l));
    return l;
}

static void refuses(const char *text, const char *sentence)
{
    struct loaded l = load_text(text);
    cr_expect_null(l.s, "accepted: %s", text);
    cr_expect(strstr(problems_of(&l), sentence), "wanted: %s\ngot: %s", sentence, problems_of(&l));
    cr_expect_null(strchr(strchr(problems_of(&l), '\n') + 1, '\n'), "one problem, not: %s", problems_of(&l));
    unload(&l);
}

static void warns(const char *text, const char *sentence)
{
    struct loaded l = accepts(text);
    if (sentence)
        cr_expect(strstr(warnings_of(&l), sentence), "wanted: %s\ngot: %s", sentence, warnings_of(&l));
    else
        cr_expect_null(strstr(warnings_of(&l), "password"), "%s", warnings_of(&l));
    unload(&l);
}

/* ---- URLs ---------------------------------------------------------------------------------------------- */

Test(url, takes_every_part)
{
    static const struct {
        const char *url, *address, *user, *password;
        int database;
        bool tls;
    } cases[] = {
        {"redis://redis.example.com", "redis.example.com:6379", "", "", 0, false},
        {"REDIS://10.0.0.1:7000/", "10.0.0.1:7000", "", "", 0, false},
        {"redis://gate:s%40cret%3a@r:1/12", "r:1", "gate", "s@cret:", 12, false},
        {"redis://:p:w@h/3", "h:6379", "", "p:w", 3, false},
        {"redis://u:p@w@h", "h:6379", "u", "p@w", 0, false},
        {"rediss://[::1]", "[::1]:6379", "", "", 0, true},
        {"rediss://[fe80::1]:7/1", "[fe80::1]:7", "", "", 1, true},
        {"unix:///run/redis.sock", "/run/redis.sock", "", "", 0, false},
        {"unix://u:p@/run/my%20redis?db=4", "/run/my redis", "u", "p", 4, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[240];
        struct store_url *u;
        cr_assert(store_url_parse(&u, cases[i].url, why, sizeof why), "%s %s", cases[i].url, why);
        cr_expect_str_eq(u->address, cases[i].address);
        cr_expect_str_eq(u->user, cases[i].user);
        cr_expect_str_eq(u->password.data ? (char *)u->password.data : "", cases[i].password);
        cr_expect_eq(u->database, cases[i].database);
        cr_expect_eq(u->tls, cases[i].tls, "%s", cases[i].url);
        store_url_free(u);
    }
}

Test(url, refuses_what_names_no_redis)
{
    static const char *const bad[] = {
        "",           "redis",          "http://h",     "redis://",       "redis:///run/redis.sock",
        "redis://h:", "redis://h:x",    "redis://h/x",  "redis://h/-1",   "redis://h/65536",
        "unix://h",   "redis://u@h",    "redis://[::1", "unix:///",       "unix:///s?database=1",
        "unix:///s?", "redis://h:1/2/", "redis://a b",  "redis://:%00@h", "redis://h:99999",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char why[240];
        struct store_url *u;
        cr_expect_not(store_url_parse(&u, bad[i], why, sizeof why), "accepted: %s", bad[i]);
        cr_expect_null(u);
    }
}

Test(url, stands_for_its_parts)
{
    struct loaded l = accepts(REDIS("url: 'rediss://gate:canary@r.example.com/2', tls: {ca: ca.pem}"));
    const struct store_settings *s = &l.s->store;
    cr_expect_eq(s->type, STORE_IN_REDIS);
    cr_expect_eq(s->addresses.count, 1);
    cr_expect_str_eq(s->addresses.items[0], "r.example.com:6379");
    cr_expect_str_eq(s->user, "gate");
    cr_expect_str_eq((char *)s->password.value.data, "canary");
    cr_expect_eq(s->database, 2);
    cr_expect(s->tls.enabled);
    cr_expect_str_eq(s->tls.ca, SETTINGS_TEST_DATA "/ca.pem");
    cr_expect_str_eq(s->path, "");
    unload(&l);
}

Test(url, may_come_from_the_environment)
{
    setenv("TEST_STORE_URL", "redis://127.0.0.1:7001", 1);
    struct loaded l = accepts(REDIS("url: {env: TEST_STORE_URL}"));
    cr_expect_str_eq(l.s->store.addresses.items[0], "127.0.0.1:7001");
    unload(&l);
}

Test(url, is_never_printed_or_repeated)
{
    struct buffer out;
    struct loaded l = accepts(REDIS("url: 'redis://:canary@127.0.0.1'"));
    buffer_init(&out, 1 << 20);
    settings_print(&out, l.s);
    buffer_append(&out, "", 1);
    cr_expect_null(strstr((char *)out.data, "canary"));
    cr_expect_not_null(strstr((char *)out.data, "url: {value: '********'}"));
    buffer_free(&out);
    unload(&l);
    l = load_text(REDIS("url: 'redis://:canary@h:x'"));
    cr_expect(strstr(problems_of(&l), "t.yaml:1:57: `store.url` has no good host and port"), "%s",
              problems_of(&l));
    cr_expect_null(strstr(problems_of(&l), "canary"));
    unload(&l);
}

/* ---- parts --------------------------------------------------------------------------------------------- */

Test(parts, every_member)
{
    struct loaded l = accepts(REDIS(
        "topology: sentinel, addresses: [a:1, '[::1]:2', /run/s.sock], master: m, user: u, password: {value: "
        "p}, sentinel_user: su, sentinel_password: {value: sp}, database: 3, tls: {enabled: true, ca: /ca, "
        "certificate: /c, key: /k, server_name: Redis.Example.com}, prefix: 'x:', connect_deadline: 1s, "
        "command_deadline: 2s, queue: 100, wait_replicas: 2, wait_deadline: 500ms"));
    const struct store_settings *s = &l.s->store;
    cr_expect_eq(s->topology, TOPOLOGY_SENTINEL);
    cr_expect_eq(s->addresses.count, 3);
    cr_expect_str_eq(s->addresses.items[2], "/run/s.sock");
    cr_expect_str_eq(s->master, "m");
    cr_expect_str_eq(s->user, "u");
    cr_expect_str_eq((char *)s->password.value.data, "p");
    cr_expect_str_eq(s->sentinel_user, "su");
    cr_expect_str_eq((char *)s->sentinel_password.value.data, "sp");
    cr_expect_eq(s->database, 3);
    cr_expect(s->tls.enabled);
    cr_expect_str_eq(s->tls.ca, "/ca");
    cr_expect_str_eq(s->tls.certificate, "/c");
    cr_expect_str_eq(s->tls.key, "/k");
    cr_expect_str_eq(s->tls.server_name, "redis.example.com");
    cr_expect_str_eq(s->prefix, "x:");
    cr_expect_eq(s->connect_deadline, 1000);
    cr_expect_eq(s->command_deadline, 2000);
    cr_expect_eq(s->queue, 100);
    cr_expect_eq(s->wait_replicas, 2);
    cr_expect_eq(s->wait_deadline, 500);
    unload(&l);
}

Test(parts, defaults)
{
    struct loaded l = accepts(REDIS("addresses: 127.0.0.1:6379"));
    const struct store_settings *s = &l.s->store;
    cr_expect_eq(s->topology, TOPOLOGY_SINGLE);
    cr_expect_str_eq(s->prefix, "scepgate:");
    cr_expect_str_eq(s->master, "");
    cr_expect_str_eq(s->user, "");
    cr_expect_null(s->password.value.data);
    cr_expect_not(s->tls.enabled);
    cr_expect_eq(s->command_deadline, 5000);
    cr_expect_eq(s->wait_replicas, 0);
    unload(&l);
}

/* A print-out repeats what nobody said; that must not count as said. */
Test(parts, print_out_loads_again)
{
    static const char *const texts[] = {
        "store: {path: /x.db}\n",
        "store: {type: redis, master_key: {file: secrets/master-key}, addresses: [a:1, b:2], topology: "
        "cluster, "
        "password: {file: secrets/redis-password}, tls: {enabled: true}}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buffer out, again;
        struct loaded l = accepts(texts[i]);
        buffer_init(&out, 1 << 20);
        buffer_init(&again, 1 << 20);
        settings_print(&out, l.s);
        struct loaded reloaded = load_bytes(buffer_bytes(&out));
        cr_assert_not_null(reloaded.s, "%s", problems_of(&reloaded));
        settings_print(&again, reloaded.s);
        cr_expect(bytes_equal(buffer_bytes(&out), buffer_bytes(&again)));
        buffer_free(&out);
        buffer_free(&again);
        unload(&l);
        unload(&reloaded);
    }
}

/* ---- what does not go together ------------------------------------------------------------------------- */

Test(check, url_or_parts)
{
#define TWICE(row) "`" row "` and `store.url` say the same thing twice; keep the URL or its parts"
    refuses(REDIS("url: 'redis://h', addresses: 'h:1'"), "t.yaml:1:81: " TWICE("store.addresses"));
    refuses(REDIS("url: 'redis://h', database: 1"), TWICE("store.database"));
    refuses(REDIS("url: 'redis://:a@127.0.0.1', password: {value: b}"), TWICE("store.password"));
    refuses(REDIS("url: 'redis://h', tls: {enabled: true}"), TWICE("store.tls.enabled"));
    refuses(REDIS("url: 'redis://h', topology: sentinel, master: m"),
            "t.yaml:1:57: a URL names one server, not sentinels; write them under `store.addresses`");
    refuses(REDIS("queue: 100"), "t.yaml:1:15: `store.type: redis` needs `store.url`");
}

Test(check, topology)
{
    refuses(REDIS("topology: sentinel, addresses: 'h:1'"),
            "t.yaml:1:62: `store.topology: sentinel` needs `store.master`");
    refuses(REDIS("addresses: 'h:1', master: m"), "`store.master` goes with `store.topology: sentinel` only");
    refuses(REDIS("topology: cluster, addresses: ['h:1'], sentinel_password: {value: x}"),
            "`store.sentinel_password` goes with `store.topology: sentinel` only");
    refuses(REDIS("topology: cluster, addresses: ['h:1'], database: 1"),
            "a cluster has the database 0 alone");
    refuses(REDIS("topology: cluster, url: 'redis://h/1'"), "a cluster has the database 0 alone");
    refuses(REDIS("addresses: ['h:1', 'i:1']"), "is one server, but here are 2 addresses");
}

Test(check, forms)
{
    refuses(REDIS("addresses: redis.example.com"),
            "`store.addresses`: \"redis.example.com\" is no address; write HOST:PORT");
    refuses(REDIS("addresses: 'h:1', prefix: 'a{b}'"), "`store.prefix`: \"a{b}\" is no prefix");
    refuses(REDIS("addresses: 'h:1', prefix: 'a b'"), "is no prefix");
    refuses(REDIS("url: [a]"), "`store.url` must be a text, or exactly one of {file: PATH}");
    refuses(REDIS("url: 'http://h'"), "`store.url` must begin with redis://, rediss:// or unix://");
    refuses(REDIS("url: 'redis://bob@h'"), "`store.url` has a user without password");
}

Test(check, tls)
{
    refuses(REDIS("addresses: 'h:1', tls: {enabled: true, certificate: c.pem}"),
            "t.yaml:1:104: `store.tls.certificate` and `store.tls.key` need each other");
    refuses(REDIS("url: 'rediss://h', tls: {key: k.pem}"), "need each other");
    refuses(REDIS("addresses: 'h:1', tls: {ca: c.pem}"),
            "`store.tls.ca` goes with `store.tls.enabled: true`");
}

Test(check, each_type_has_its_own)
{
    refuses(REDIS("url: 'redis://h', path: x"), "`store.path` goes with `store.type: sqlite` only");
    refuses("store: {url: 'redis://h'}\n", "t.yaml:1:14: `store.url` goes with `store.type: redis` only");
    refuses("store: {type: sqlite, wait_replicas: 1}\n",
            "`store.wait_replicas` goes with `store.type: redis` only");
    refuses("store: {tls: {server_name: x}}\n", "`store.tls.server_name` goes with `store.type: redis` only");
}

Test(check, the_key_must_be_shared)
{
    refuses("store: {type: redis, url: 'redis://h'}\n",
            "t.yaml:1:15: `store.type: redis` needs `store.master_key`: without it every replica would make "
            "a key");
}

Test(check, deadlines_and_users)
{
    refuses(REDIS("url: 'redis://h', wait_replicas: 1, command_deadline: 1s, wait_deadline: 2s"),
            "`store.wait_deadline` must not be longer than `store.command_deadline`");
    refuses(REDIS("addresses: 'h:1', user: u"), "a user of Redis needs a password");
}

Test(check, passwords_in_clear)
{
    static const char clear[] = "goes over the network in clear";
    warns(REDIS("url: 'redis://:secret@10.0.0.1'"), clear);
    warns(REDIS("addresses: 'r.example.com:1', password: {value: x}"), clear);
    warns(REDIS("topology: sentinel, master: m, addresses: ['127.0.0.1:1', 'r:1'], sentinel_password: "
                "{value: x}"),
          clear);
    warns(REDIS("url: 'redis://:secret@127.0.0.1'"), NULL);
    warns(REDIS("url: 'unix://:secret@/run/redis.sock'"), NULL);
    warns(REDIS("url: 'rediss://:secret@10.0.0.1'"), NULL);
    warns(REDIS("url: 'redis://10.0.0.1'"), NULL);
}

Test(check, a_change_needs_a_restart)
{
    struct loaded old = accepts(REDIS("url: 'redis://:a@127.0.0.1'")),
                  fresh = accepts(REDIS("url: 'redis://:b@127.0.0.1', queue: 100"));
    struct buffer out;
    buffer_init(&out, 4096);
    settings_frozen_changes(old.s, fresh.s, &out);
    cr_expect_str_eq((char *)out.data, "store.url: needs a restart\nstore.queue: needs a restart\n");
    buffer_free(&out);
    unload(&old);
    unload(&fresh);
}
