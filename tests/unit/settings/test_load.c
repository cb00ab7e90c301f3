/* test_load.c: what a file may say, what it becomes, and how mistakes are told. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scep/message.h"
#include "support.h"

/* Refused, with this among the problems. */
static void refuses(const char *text, const char *sentence)
{
    struct loaded l = load_text(text);
    cr_expect_null(l.s, "accepted: %s", text);
    cr_expect_eq(l.code, ERR_SETTINGS_INVALID);
    cr_expect(strstr(problems_of(&l), sentence), "wanted: %s\ngot: %s", sentence, problems_of(&l));
    unload(&l);
}

static struct loaded accepts(const char *text)
{
    struct loaded l = load_text(text);
    cr_assert_not_null(l.s, "%s", problems_of(&l));
    cr_expect_str_eq(problems_of(&l), "");
    return l;
}

Test(load, defaults)
{
    struct loaded l = accepts(ALIAS(""));
    const struct gateway_settings *s = l.s;
    cr_expect_str_eq(s->state, "/var/lib/scepgate");
    cr_expect_str_eq(s->admin_socket, "/var/lib/scepgate/admin.sock");
    cr_expect_str_eq(s->store.path, "/var/lib/scepgate/scepgate.db");
    cr_expect_eq(s->store.type, STORE_IN_SQLITE);
    cr_expect_null(s->store.master_key.file);
    cr_expect_null(s->store.master_key.value.data);
    cr_expect_eq(s->listen.addresses.count, 1);
    cr_expect_str_eq(s->listen.addresses.items[0], "127.0.0.1:8080");
    cr_expect_eq(s->admin_listen.addresses.count, 0);
    cr_expect_eq(s->limits.body, 256 * 1024);
    cr_expect_eq(s->limits.uri, 64 * 1024);
    cr_expect_eq(s->enroll.wait, 10000);
    cr_expect_eq(s->log.level, LOG_LEVEL_INFO);
    cr_expect_eq(s->log.format, LOG_FORMAT_AUTO);
    unload(&l);
}

Test(load, defaults_of_an_alias)
{
    struct loaded l = accepts(ALIAS(""));
    cr_assert_eq(l.s->alias_count, 1);
    const struct alias_settings *a = l.s->aliases[0];
    cr_expect_str_eq(a->name, "demo");
    cr_expect_str_eq(a->tenant, "default");
    cr_expect_str_eq(a->backend, "ca");
    cr_expect_str_eq(a->origin, "t.yaml:3:3");
    cr_expect_eq(a->ciphers, SCEP_CIPHERS_DEFAULT);
    cr_expect_eq(a->digests, SCEP_DIGESTS_DEFAULT);
    cr_expect_eq(a->challenge.type, CHALLENGE_ONE_TIME);
    cr_expect_eq(a->challenge.ttl, 3600000);
    cr_expect_eq(a->challenge.uses, 1);
    cr_expect_eq(a->ra.from, RA_FROM_BACKEND);
    cr_expect_str_eq(a->ra.backend, "");
    cr_expect_str_eq(a->ra.certificate, "");
    cr_expect_eq(a->policy.rsa_min_bits, 2048);
    cr_expect_eq(a->policy.curves.count, 3);
    cr_expect_eq(a->policy.san_kind_count, 5);
    cr_expect_str_eq(a->policy.san_kinds[4].name, "upn");
    cr_expect(a->policy.other_subject_fields && !a->policy.other_san_kinds && a->policy.empty_subject);
    cr_expect(a->renewal.enabled && a->renewal.legacy && a->renewal.one_at_a_time && a->renewal.same_key);
    cr_expect(!a->renewal.unrecorded && a->renewal.grace == 0 && a->renewal.last_percent == 0);
    cr_expect_eq(a->renewal.names, RENEWAL_NAMES_SAME);
    cr_expect_eq(a->renewal.challenge, RENEWAL_CHALLENGE_IGNORED);
    cr_expect_eq(a->renewal.crl_unknown, RENEWAL_UNKNOWN_REFUSED);
    cr_expect_not(a->compat.obsolete_des);
    cr_expect(a->compat.fail_info_text && a->compat.get_pki_operation && a->compat.root_in_get_ca_cert);
    cr_expect_eq(a->transaction.retransmit_window, 86400000);
    unload(&l);
}

Test(load, every_member_of_the_gateway)
{
    struct loaded l = accepts(
        "state: /s\nlisten: ['[::1]:80', localhost:81]\n"
        "admin: {listen: 127.0.0.1:9090, socket: /run/a.sock}\n"
        "limits: {connections: 5, connections_per_address: 4, request_deadline: 3s, reply_deadline: 2s,\n"
        "  idle_deadline: 1s, body: 1MiB, headers: 2KiB, uri: 3KiB}\n"
        "worker: {threads: 3, queue_per_alias: 7, queue_total: 8}\n"
        "enroll: {wait: 0, backend_deadline: 5s, lease: 6s, retry_after: 1s}\n"
        "store: {path: db, master_key: {value: 'k1:00'}}\n"
        "retention: {unused_challenge: 1d, used_challenge: 2d, finished_transaction: 3d, certificate: 4d, "
        "audit: 5d}\n"
        "log: {level: error, format: json}\n");
    const struct gateway_settings *s = l.s;
    cr_expect_eq(s->listen.addresses.count, 2);
    cr_expect_str_eq(s->listen.addresses.items[0], "[::1]:80");
    cr_expect_str_eq(s->admin_listen.addresses.items[0], "127.0.0.1:9090");
    cr_expect_str_eq(s->admin_socket, "/run/a.sock");
    cr_expect_eq(s->limits.connections, 5);
    cr_expect_eq(s->limits.connections_per_address, 4);
    cr_expect_eq(s->limits.request_deadline, 3000);
    cr_expect_eq(s->limits.reply_deadline, 2000);
    cr_expect_eq(s->limits.idle_deadline, 1000);
    cr_expect_eq(s->limits.body, 1 << 20);
    cr_expect_eq(s->limits.headers, 2048);
    cr_expect_eq(s->limits.uri, 3072);
    cr_expect_eq(s->worker.threads, 3);
    cr_expect_eq(s->worker.queue_per_alias, 7);
    cr_expect_eq(s->worker.queue_total, 8);
    cr_expect_eq(s->enroll.wait, 0);
    cr_expect_eq(s->enroll.lease, 6000);
    cr_expect_str_eq(s->store.path, SETTINGS_TEST_DATA "/db");
    cr_expect_str_eq((char *)s->store.master_key.value.data, "k1:00");
    cr_expect_eq(s->retention.audit, 5 * 86400000LL);
    cr_expect_eq(s->log.level, LOG_LEVEL_ERROR);
    cr_expect_eq(s->log.format, LOG_FORMAT_JSON);
    unload(&l);
}

Test(load, every_member_of_renewal)
{
    struct loaded l = accepts(ALIAS(
        "renewal: {enabled: true, legacy: false, issuers: old.pem, unrecorded: true, grace: 2d, "
        "last_percent: "
        "50, last: 30d, one_at_a_time: false, same_key: false, names: subject, challenge: require, crl: "
        "{files: [a.crl], urls: ['http://a.example/a.crl', 'https://[::1]/b.crl'], refresh: 2m, "
        "when_unknown: "
        "pending, allow_for: 3d}}"));
    const struct renewal_settings *r = &l.s->aliases[0]->renewal;
    cr_expect(r->enabled && !r->legacy && r->unrecorded && !r->one_at_a_time && !r->same_key);
    cr_expect_str_eq(r->issuers.items[0], SETTINGS_TEST_DATA "/old.pem");
    cr_expect_eq(r->grace, 2 * 86400000LL);
    cr_expect_eq(r->last_percent, 50);
    cr_expect_eq(r->last, 30 * 86400000LL);
    cr_expect_eq(r->names, RENEWAL_NAMES_SUBJECT);
    cr_expect_eq(r->challenge, RENEWAL_CHALLENGE_REQUIRED);
    cr_expect_str_eq(r->crl_files.items[0], SETTINGS_TEST_DATA "/a.crl");
    cr_expect_eq(r->crl_urls.count, 2);
    cr_expect_eq(r->crl_refresh, 120000);
    cr_expect_eq(r->crl_unknown, RENEWAL_UNKNOWN_PENDING);
    cr_expect_eq(r->crl_allow_for, 3 * 86400000LL);
    unload(&l);
}

Test(load, every_member_of_an_alias)
{
    struct loaded l = accepts(ALIAS(
        "tenant: acme, hosts: Scep.Example.com, paths: [/cgi-bin/pkiclient.exe], ra: {from: files, "
        "certificate: ra.pem, key: /k},"
        "algorithms: {ciphers: [3des, aes256], digests: sha512},"
        "policy: {keys: {types: ec, rsa_min_bits: 3072, rsa_max_bits: 4096, curves: [P-256]}, "
        "other_subject_fields: false,"
        "  subject: {CN: {required: true, patterns: ['a|b'], max: 1}, 1.2.3.4: {forbidden: true}},"
        "  san: {dns: {}}, other_san_kinds: true, empty_subject: false, max_validity: 30d},"
        "compat: {obsolete_algorithms: [md5, des], fail_info_text: false},"
        "proxy_signers: {issuers: [i.pem], fingerprints: "
        "'AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99'},"
        "transaction: {retransmit_window: 2h, supersede: yes, pending_expiry: 1d}"));
    const struct alias_settings *a = l.s->aliases[0];
    cr_expect_str_eq(a->tenant, "acme");
    cr_expect_str_eq(a->hosts.items[0], "scep.example.com");
    cr_expect_str_eq(a->paths.items[0], "/cgi-bin/pkiclient.exe");
    cr_expect_eq(a->ra.from, RA_FROM_FILES);
    cr_expect_str_eq(a->ra.certificate, SETTINGS_TEST_DATA "/ra.pem");
    cr_expect_str_eq(a->ra.key, "/k");
    cr_expect_eq(a->ciphers, SCEP_CIPHER_AES256 | SCEP_CIPHER_DES3 | SCEP_CIPHER_DES);
    cr_expect_eq(a->digests, SCEP_DIGEST_SHA512 | SCEP_DIGEST_MD5);
    cr_expect(a->compat.obsolete_des && a->compat.obsolete_md5 && !a->compat.fail_info_text);
    cr_expect_eq(a->policy.subject_field_count, 2);
    cr_expect(a->policy.subject_fields[0].required && a->policy.subject_fields[0].max_count == 1);
    cr_expect_str_eq(a->policy.subject_fields[0].patterns.items[0], "a|b");
    cr_expect(a->policy.subject_fields[1].forbidden);
    cr_expect_str_eq(a->policy.subject_fields[1].name, "1.2.3.4");
    cr_expect_eq(a->policy.san_kind_count, 1);
    cr_expect_eq(a->policy.max_validity, 30 * 86400000LL);
    cr_expect_str_eq(a->proxy_signers.issuers.items[0], SETTINGS_TEST_DATA "/i.pem");
    cr_expect_str_eq(a->proxy_signers.fingerprints.items[0],
                     "aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899");
    cr_expect(a->transaction.supersede);
    cr_expect_not_null(strstr(warnings_of(&l), "DES and MD5"));
    unload(&l);
}

Test(load, defaults_stand_behind_every_alias)
{
    struct loaded l = accepts("backends: {ca: {type: test}, b: {type: test}}\n"
                              "defaults: {backend: ca, challenge: {type: one_time, ttl: 2h}, policy: "
                              "{subject: {CN: {required: true}}}}\n"
                              "aliases:\n  one: {}\n  two: {backend: b, challenge: {ttl: 3h}}\n  three:\n");
    cr_assert_eq(l.s->alias_count, 3);
    struct alias_settings **a = l.s->aliases;
    cr_expect_str_eq(a[0]->backend, "ca");
    cr_expect_str_eq(a[1]->backend, "b");
    cr_expect_eq(a[0]->challenge.ttl, 7200000);
    cr_expect_eq(a[1]->challenge.ttl, 10800000);
    cr_expect_eq(a[2]->challenge.ttl, 7200000);
    cr_expect_eq(a[0]->policy.subject_fields, a[1]->policy.subject_fields, "what is common is there once");
    unload(&l);
}

Test(load, an_alias_outlives_its_snapshot)
{
    struct loaded l = accepts("backends: {ca: {type: test}}\ndefaults: {backend: ca, challenge: {type: "
                              "one_time}}\naliases: {x: {}}\n");
    struct alias_settings *a = alias_settings_ref(l.s->aliases[0]);
    unload(&l);
    cr_expect_str_eq(a->backend, "ca");
    cr_expect_str_eq(a->policy.curves.items[0], "P-256");
    alias_settings_unref(a);
}

Test(load, ra_words_and_backends)
{
    struct loaded l = accepts(
        "backends: {ca: {type: test}, b: {type: test}}\ndefaults: {backend: b, challenge: {type: one_time}}\n"
        "aliases: {x: {ra: {from: ca}}, y: {ra: {from: b}}}\n");
    cr_expect_eq(l.s->aliases[0]->ra.from, RA_FROM_CA);
    cr_expect_eq(l.s->aliases[1]->ra.from, RA_FROM_BACKEND);
    cr_expect_str_eq(l.s->aliases[1]->ra.backend, "b");
    cr_expect_not_null(strstr(warnings_of(&l), "if you meant the backend named `ca`"));
    unload(&l);
}

Test(load, rows_of_backends)
{
    struct loaded l =
        accepts("backends:\n  x: {type: test, path: p, on: no, number: -5, secret: {value: geheim},\n"
                "    profile: {usages: encrypt, urls: [a, b]}}\n  y: {type: test}\n");
    const struct setting_block *x = l.s->backends[0].block, *y = l.s->backends[1].block;
    char origin[64];
    cr_expect_str_eq(l.s->backends[0].name, "x");
    cr_expect_str_eq(l.s->backends[0].type, "test");
    cr_expect_str_eq(setting_block_text(x, "path"), SETTINGS_TEST_DATA "/p");
    cr_expect_str_eq(setting_block_text(x, "secret"), "geheim");
    cr_expect_eq(setting_block_number(x, "on"), 0);
    cr_expect_eq(setting_block_number(y, "on"), 1);
    cr_expect_eq(setting_block_number(x, "number"), -5);
    cr_expect_eq(setting_block_number(x, "profile.validity"), 10000);
    cr_expect_eq(setting_block_count(x, "profile.urls"), 2);
    cr_expect_str_eq(setting_block_item(x, "profile.urls", 1), "b");
    cr_expect_null(setting_block_item(x, "profile.urls", 2));
    cr_expect_str_eq(setting_block_item(x, "profile.usages", 0), "encrypt");
    cr_expect_str_eq(setting_block_text(x, "kind"), "small");
    cr_expect_null(setting_block_text(y, "path"));
    cr_expect_eq(setting_block_count(y, "profile.urls"), 0);
    cr_expect_str_eq(setting_block_origin(x, "number", origin, sizeof origin), "t.yaml:2:44");
    cr_expect_str_eq(setting_block_origin(y, "number", origin, sizeof origin), "t.yaml:4:3");
    unload(&l);
}

Test(load, a_row_that_does_not_exist_is_a_mistake_of_the_program, .signal = 6)
{
    struct loaded l = accepts("backends: {x: {type: test}}\n");
    setting_block_text(l.s->backends[0].block, "wombat");
}

/* ---- mistakes ------------------------------------------------------------------------------------------ */

struct mistake {
    const char *text, *sentence;
};

static void refuse_all(const struct mistake *m, size_t count)
{
    for (size_t i = 0; i < count; i++)
        refuses(m[i].text, m[i].sentence);
}

#define REFUSE(...)                                                                                          \
    static const struct mistake all[] = {__VA_ARGS__};                                                       \
    refuse_all(all, sizeof all / sizeof all[0])

Test(mistakes, unknown_names)
{
    REFUSE({"aliasses: {}\n", "t.yaml:1:1: `aliasses` is not a setting here; did you mean `aliases`?"},
           {"limits: {bdy: 1KiB}\n", "t.yaml:1:10: `limits.bdy` is not a setting here; did you mean `body`?"},
           {"log: {wombat: 1}\n", "known here: level, format"},
           {ALIAS("ttl: 1h"), "did you mean `challenge.ttl`?"},
           {"challenge: {type: none}\n", "`challenge` is not a setting here"},
           {"limits.body: 1KiB\n", "`limits.body` is not a setting here"},
           {"backends: {x: {type: test, profil: {}}}\n", "did you mean `profile`?"},
           {ALIAS("policy: {subject: {CN: {require: true}}}"), "did you mean `required`?"},
           {"<<: {state: /x}\n", "`<<` is not a setting here"});
}

Test(mistakes, wrong_kinds)
{
    REFUSE({"- a\n", "a settings file is a map"},
           {"limits: 5\n", "`limits` must be a map of settings, but here is a single value"},
           {"state: [a]\n", "`state` must be a single text"}, {"state:\n", "`state` has no value"},
           {"state: ''\n", "`state` must not be empty"}, {"listen: {a: b}\n", "`listen` must be a list"},
           {"listen: []\n", "needs at least 1 items"}, {"listen: [[a]]\n", "a list of single texts"},
           {"listen: [~]\n", "a list of single texts, but here is nothing"},
           {"aliases: [a]\n", "`aliases` must be a map"},
           {"backends: {x: test}\n", "backend `x` needs `type`"},
           {ALIAS("policy: {subject: [CN]}"), "`policy.subject` must be a map of names to rules"},
           {ALIAS("policy: {subject: {CN: x}}"), "must be a map of settings"},
           {ALIAS("compat: {fail_info_text: maybe}"), "must be true or false, not \"maybe\""});
}

Test(mistakes, values_out_of_range)
{
    REFUSE({"limits: {body: 1TB}\n",
            "t.yaml:1:16: `limits.body` must be a size such as 64KiB or 2MiB, not \"1TB\""},
           {"limits: {body: 1GiB}\n", "`limits.body` must be from 1KiB to 64MiB, not \"1GiB\""},
           {"enroll: {wait: 10}\n", "must be a duration with its unit"},
           {"enroll: {wait: 10h}\n", "must be from 0 to 5m"},
           {"worker: {threads: many}\n", "must be a whole number"},
           {"worker: {threads: -1}\n", "must be from 0 to 1024"},
           {"log: {level: warn}\n",
            "cannot be \"warn\"; did you mean `warning`?; choose of: debug info warning error"},
           {ALIAS("algorithms: {ciphers: []}"), "needs at least 1 items"},
           {ALIAS("algorithms: {ciphers: [des]}"), "`algorithms.ciphers` cannot be \"des\""});
}

Test(mistakes, forms)
{
    REFUSE(
        {"listen: 8080\n", "is no address; write HOST:PORT"}, {"listen: 'a:99999'\n", "is no address"},
        {"listen: '::1:80'\n", "is no address"}, {"listen: ':80'\n", "is no address"},
        {"admin: {listen: 0.0.0.0:9090}\n", "is not an address of this machine alone"},
        {"admin: {listen: 127.evil.example:9090}\n", "is not an address of this machine alone"},
        {ALIAS("hosts: 'https://x'"), "is no host name"}, {ALIAS("paths: cgi-bin"), "is no path"},
        {ALIAS("paths: /a//b"), "is no path"}, {ALIAS("paths: /a%20b"), "is no plain path"},
        {ALIAS("proxy_signers: {fingerprints: [abcd]}"), "is no SHA-256 fingerprint"},
        {ALIAS("policy: {subject: {CN: {patterns: ['a(']}}}"),
         "\"a(\" is no pattern: missing closing parenthesis at character 3"},
        {ALIAS("policy: {subject: {Wombat: {}}}"), "\"Wombat\" is no subject field"},
        {ALIAS("policy: {san: {dsn: {}}}"), "`policy.san` has no \"dsn\"; choose of: dns"},
        {ALIAS("policy: {subject: {CN: {required: true, forbidden: true}}}"), "both required and forbidden"},
        {ALIAS("ra: {subject: wombat}"), "is no subject"}, {ALIAS("tenant: 'a b'"), "is no name"},
        {ALIAS("policy: {keys: {curves: [P256]}}"), "\"P256\" is no curve"});
}

Test(mistakes, sections)
{
    REFUSE({"backends: {x: {type: tset}}\n", "there is no type of backend \"tset\"; choose of: strict test"},
           {"backends: {x: {on: true}}\n", "backend `x` needs `type`; choose of: strict test"},
           {"backends: {x: {type: strict}}\n", "backend `x` needs `url`: Where it is."},
           {"backends: {'a/b': {type: test}}\n", "the name of a backend \"a/b\" is no name"},
           {"aliases: {'': {}}\n", "the name of an alias \"\" is no name"},
           {"aliases: {..: {}}\n", "is no name"},
           {"aliases: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {}}\n",
            "is no name"},
           {"backends: {ca: {type: test}}\naliases:\n  x: {backend: ca}\n",
            "t.yaml:3:3: alias `x` needs `challenge.type` (one_time static none)"},
           {"aliases: {x: {challenge: {type: one_time}}}\n", "alias `x` needs `backend`"},
           {"defaults: {paths: [/a]}\n", "`paths` cannot stand in `defaults`"});
}

Test(mistakes, references)
{
    REFUSE({"backends: {corp: {type: test}}\naliases: {x: {backend: crop, challenge: {type: one_time}}}\n",
            "t.yaml:2:24: alias `x`: `backend` names the backend \"crop\", which does not exist; did you "
            "mean `corp`?"},
           {"aliases: {x: {backend: zzz, challenge: {type: one_time}}}\n", "define it under `backends`"},
           {ALIAS("ra: {from: wombat}"), "`ra.from` names the backend \"wombat\""});
}

Test(mistakes, pairs)
{
    REFUSE(
        {"enroll: {lease: 30s}\n",
         "t.yaml:1:17: `enroll.lease` must be longer than `enroll.backend_deadline`"},
        {"worker: {queue_total: 5}\n", "`worker.queue_total` must be at least"},
        {ALIAS("ra: {from: files}"), "needs `ra.certificate` and `ra.key`"},
        {ALIAS("policy: {keys: {rsa_min_bits: 8192, rsa_max_bits: 4096}}"), "is above"},
        {ALIAS("renewal: {unrecorded: true}"), "nobody could tell whether such certificates are revoked"},
        {ALIAS("renewal: {issuers: [ca.pem]}"), "or say `renewal.crl.when_unknown: allow`"},
        {ALIAS("renewal: {grace: 400d}"), "is longer than certificates stay recorded"},
        {ALIAS("renewal: {crl: {urls: [ftp://a.example/ca.crl]}}"), "is no URL; write it whole"},
        {ALIAS("renewal: {crl: {urls: [\"http://a.example/a crl\"]}}"), "has a space"},
        {ALIAS("transaction: {retransmit_window: 100d}"),
         "is longer than transactions are kept (`retention.finished_transaction`, 90d)"},
        {"backends: {ca: {type: test}}\naliases: {x: {backend: ca, challenge: {type: none}, renewal: "
         "{challenge: require}}}\n",
         "needs a challenge type other than none"},
        {"backends: {ca: {type: test}}\naliases: {x: {backend: ca, challenge: {type: static}}}\n",
         "a static challenge needs `challenge.secret`"},
        {"backends: {ca: {type: test}}\naliases: {x: {backend: ca, challenge: {type: one_time, ttl: 60d}}}\n",
         "`challenge.ttl` is longer than `challenge.max_ttl`"});
}

#define TWO(first, second)                                                                                   \
    "backends: {ca: {type: test}}\ndefaults: {backend: ca, challenge: {type: one_time}}\naliases:\n"         \
    "  a: {" first "}\n  b: {" second "}\n"

Test(mistakes, two_claims_on_one_url)
{
    REFUSE(
        {TWO("paths: [/x/]", "paths: [/y, /X]"),
         "t.yaml:5:14: alias `b` claims /X on every host, as alias `a` does (t.yaml:4:3)"},
        {TWO("hosts: h, paths: /x", "hosts: [i, H], paths: /x"), "alias `b` claims h/x, as alias `a` does"},
        {TWO("hosts: h", "hosts: h"), "alias `b` claims h as a host"},
        {TWO("", "paths: /scep/A/x"), "the path /scep/A/x belongs to alias `a`"},
        {"backends: {ca: {type: test}}\ndefaults: {backend: ca, challenge: {type: one_time}}\naliases: {Abc: "
         "{}, aBC: {}}\n",
         "alias `aBC` differs from `Abc` (t.yaml:3:11) in upper and lower case alone"});
    struct loaded l = accepts(TWO("hosts: h, paths: /x", "hosts: i, paths: [/x, /x, /scep/b/z]"));
    unload(&l);
}

Test(mistakes, all_are_told_up_to_a_count)
{
    struct loaded l = load_text("limits: {body: x, uri: y}\nwombat: 1\nlog: {level: z}\n");
    cr_expect_not_null(strstr(problems_of(&l), "limits.body"));
    cr_expect_not_null(strstr(problems_of(&l), "limits.uri"));
    cr_expect_not_null(strstr(problems_of(&l), "wombat"));
    cr_expect_not_null(strstr(problems_of(&l), "log.level"));
    unload(&l);
    struct buffer many;
    buffer_init(&many, 1 << 20);
    for (int i = 0; i < 75; i++)
        buffer_format(&many, "key%d: 1\n", i);
    l = load_bytes(buffer_bytes(&many));
    cr_expect_not_null(strstr(problems_of(&l), "t.yaml: … and 25 more problems"));
    unload(&l);
    buffer_free(&many);
}

Test(mistakes, values_are_escaped)
{
    refuses("log: {level: \"a\\nforged: line\"}\n", "\"a\\x0aforged: line\"");
}

/* ---- secrets ------------------------------------------------------------------------------------------- */

#define STATIC(source)                                                                                       \
    "backends: {ca: {type: test}}\naliases: {x: {backend: ca, challenge: {type: static, secret: " source     \
    "}}}\n"

Test(secrets, from_all_sources)
{
    setenv("SETTINGS_TEST_SECRET", "from the environment", 1);
    struct loaded l = accepts(STATIC("{file: secrets/shared}"));
    cr_expect_str_eq((char *)l.s->aliases[0]->challenge.secret.value.data, "correct horse battery",
                     "without the newline");
    cr_expect_str_eq(l.s->aliases[0]->challenge.secret.file, SETTINGS_TEST_DATA "/secrets/shared");
    unload(&l);
    l = accepts(STATIC("{env: SETTINGS_TEST_SECRET}"));
    cr_expect_str_eq((char *)l.s->aliases[0]->challenge.secret.value.data, "from the environment");
    cr_expect_str_eq(l.s->aliases[0]->challenge.secret.env, "SETTINGS_TEST_SECRET");
    unload(&l);
    l = accepts(STATIC("{value: inline and long}"));
    cr_expect_str_eq((char *)l.s->aliases[0]->challenge.secret.value.data, "inline and long");
    cr_expect_null(l.s->aliases[0]->challenge.secret.file);
    unload(&l);
}

Test(secrets, that_cannot_be_had)
{
    unsetenv("SETTINGS_TEST_MISSING");
    setenv("SETTINGS_TEST_EMPTY", "", 1);
    REFUSE(
        {STATIC("{file: secrets/none}"), "`challenge.secret` could not be read"},
        {STATIC("{env: SETTINGS_TEST_MISSING}"), "the environment variable SETTINGS_TEST_MISSING is not set"},
        {STATIC("{env: SETTINGS_TEST_EMPTY}"), "is empty there"},
        {STATIC("{value: '********'}"), "mask of a print-out"});
}

Test(secrets, in_a_wrong_form_are_not_repeated)
{
    static const char *const forms[] = {
        STATIC("canary77"),         STATIC("[canary77]"),          STATIC("{canary77: x}"),
        STATIC("{vale: canary77}"), STATIC("{value: [canary77]}"), STATIC("{file: a, value: canary77}")};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct loaded l = load_text(forms[i]);
        cr_expect_null(l.s, "%s", forms[i]);
        cr_expect_not_null(strstr(problems_of(&l), "must be exactly one of {file: PATH}"), "%s",
                           problems_of(&l));
        cr_expect_null(strstr(problems_of(&l), "canary77"), "%s", problems_of(&l));
        unload(&l);
    }
}

Test(secrets, that_others_can_read_are_a_warning)
{
    char path[] = "/tmp/settings-secret-XXXXXX", text[256];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "long enough a secret", 20), 20);
    snprintf(text, sizeof text, STATIC("{file: %s}"), path);
    struct loaded l = accepts(text);
    cr_expect_str_eq(warnings_of(&l), "");
    unload(&l);
    fchmod(fd, 0644);
    l = accepts(text);
    cr_expect_not_null(strstr(warnings_of(&l), "every user of this machine can read /tmp/settings-secret-"));
    unload(&l);
    close(fd);
    unlink(path);
}

Test(warnings, of_what_is_unwise)
{
    struct loaded l = accepts(
        "backends: {ca: {type: test}}\naliases: {x: {backend: ca, challenge: {type: none}}, y: {backend: ca, "
        "challenge: {type: static, secret: {value: short}}}}\n");
    cr_expect_not_null(
        strstr(warnings_of(&l), "t.yaml:2:46: alias `x`: with `challenge: {type: none}` everybody"));
    cr_expect_not_null(strstr(warnings_of(&l), "shorter than 12 characters"));
    cr_expect_null(strstr(warnings_of(&l), "short}"), "never the secret");
    unload(&l);
    l = accepts("");
    cr_expect_not_null(strstr(warnings_of(&l), "there are no `aliases`"));
    unload(&l);
}

Test(warnings, of_an_ra_that_aliases_share)
{
    static const char start[] = "backends: {c: {type: test}, d: {type: test}}\n"
                                "defaults: {backend: c, challenge: {type: one_time}}\n";
    static const struct {
        const char *aliases;
        bool shared;
    } rows[] = {
        {"{x: {ra: {from: ca}}, y: {ra: {from: ca}}}", true},
        {"{x: {ra: {from: ca}}, y: {backend: d, ra: {from: ca}}}", false},
        {"{x: {}, y: {}}", false},
        {"{x: {ra: {from: files, certificate: /a, key: /b}}, z: {}, y: {ra: {from: files, certificate: /a, "
         "key: /b}}}",
         true},
        {"{x: {ra: {from: files, certificate: /a, key: /b}}, y: {ra: {from: files, certificate: /c, key: "
         "/d}}}",
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%saliases: %s\n", start, rows[i].aliases);
        struct loaded l = accepts(text);
        cr_expect_eq(strstr(warnings_of(&l), "has the RA identity of alias") != NULL, rows[i].shared, "%zu",
                     i);
        unload(&l);
    }
}

/* ---- files --------------------------------------------------------------------------------------------- */

static struct loaded load_file(const char *path)
{
    struct loaded l = {0};
    buffer_init(&l.problems, 1 << 20);
    buffer_init(&l.warnings, 1 << 20);
    l.code = settings_load(&l.s, path, &support_catalogue, &l.problems, &l.warnings);
    return l;
}

Test(file, that_cannot_be_read)
{
    struct loaded l = load_file("/nonexistent/gateway.yaml");
    cr_expect_eq(l.code, ERR_FILE_UNREADABLE);
    cr_expect_not_null(strstr(problems_of(&l), "/nonexistent/gateway.yaml: cannot be opened:"));
    unload(&l);
    l = load_file("/tmp");
    cr_expect_eq(l.code, ERR_FILE_UNREADABLE);
    cr_expect_not_null(strstr(problems_of(&l), "is a folder"));
    unload(&l);
}

Test(file, paths_begin_at_its_folder)
{
    char folder[] = "/tmp/settings-file-XXXXXX", path[64], expected[64];
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/g.yaml", folder);
    snprintf(expected, sizeof expected, "%s/s", folder);
    FILE *f = fopen(path, "w");
    fputs("state: s\nstore: {master_key: {value: 'k:0'}}\n", f);
    fclose(f);
    chmod(path, 0644);
    cr_assert_eq(chdir(folder), 0);
    struct loaded l = load_file("g.yaml");
    cr_assert_not_null(l.s, "%s", problems_of(&l));
    cr_expect_str_eq(l.s->state, expected);
    cr_expect_str_eq(l.s->file, "g.yaml");
    cr_expect_not_null(
        strstr(warnings_of(&l), "g.yaml: holds secrets, and every user of this machine can read it"));
    unload(&l);
    unlink(path);
    cr_assert_eq(chdir("/"), 0);
    rmdir(folder);
}

Test(file, problems_may_be_unwanted)
{
    struct gateway_settings *s;
    cr_expect_eq(settings_parse(&s, bytes_of_text("x: 1\n"), "t", ".", NULL, NULL, NULL),
                 ERR_SETTINGS_INVALID);
    cr_expect_null(s);
}
