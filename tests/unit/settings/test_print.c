/* test_print.c: a snapshot printed and loaded again; what differs; the reference and the schema. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

#include "support.h"

static const char full[] =
    "state: /s\nadmin: {listen: 127.0.0.1:9090}\nlimits: {body: 1025}\n"
    "backends:\n  ca: {type: test, path: /p, secret: {env: PRINT_TEST_SECRET}, profile: {urls: "
    "['http://a/?b=c#d', \"t\\tb\", 'it''s']}}\n"
    "defaults: {backend: ca, challenge: {type: one_time, ttl: 90m}}\n"
    "aliases:\n"
    "  one: {policy: {subject: {CN: {required: true, patterns: ['.*\\.example\\.com', 'yes', 'null', '~', "
    "'M\xC3\xBCller']}, O: {}}, san: {}}}\n"
    "  two: {tenant: 'null', challenge: {type: static, secret: {env: PRINT_TEST_SECRET}}, hosts: [h], paths: "
    "[/a_b]}\n";

static char *print(const struct loaded *l)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    settings_print(&out, l->s);
    return buffer_take(&out, NULL);
}

static struct loaded load_full(void)
{
    setenv("PRINT_TEST_SECRET", "canary of the environment", 1);
    struct loaded l = load_text(full);
    cr_assert_not_null(l.s, "%s", problems_of(&l));
    return l;
}

Test(print, loads_again_to_the_same)
{
    struct loaded first = load_full();
    char *text = print(&first);
    struct loaded second = load_text(text);
    cr_assert_not_null(second.s, "%s\n%s", problems_of(&second), text);
    cr_expect(setting_block_equal(first.s->block, second.s->block));
    cr_expect(setting_block_equal(first.s->backends[0].block, second.s->backends[0].block));
    cr_expect(setting_block_equal(first.s->defaults, second.s->defaults));
    for (size_t i = 0; i < 2; i++)
        cr_expect(alias_settings_equal(first.s->aliases[i], second.s->aliases[i]), "%s", text);
    char *again = print(&second);
    cr_expect_str_eq(text, again);
    cr_expect_null(strstr(text, "canary"), "%s", text);
    free(text);
    free(again);
    unload(&first);
    unload(&second);
}

Test(print, masks_inline_secrets)
{
    struct loaded l = load_text(
        "backends: {ca: {type: test, secret: {value: canary1}}}\nstore: {master_key: {value: canary2}}\n");
    cr_assert_not_null(l.s);
    char *text = print(&l);
    cr_expect_null(strstr(text, "canary"));
    cr_expect_not_null(strstr(text, "master_key: {value: '********'}"));
    struct loaded again = load_text(text);
    cr_expect_null(again.s, "a mask must never become the secret");
    free(text);
    unload(&l);
    unload(&again);
}

Test(equal, sees_what_an_alias_behaves_like)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {ALIAS(""), "#moved\n" ALIAS(""), true},
        {ALIAS("ra: {key_bits: 2048}"), ALIAS(""), true},
        {ALIAS("ra: {key_bits: 3072}"), ALIAS(""), false},
        {ALIAS("policy: {subject: {CN: {max: 1}}}"), ALIAS("policy: {subject: {CN: {max: 2}}}"), false},
        {ALIAS("policy: {subject: {CN: {patterns: a}}}"), ALIAS("policy: {subject: {CN: {patterns: [a]}}}"),
         true},
        {ALIAS("policy: {subject: {CN: {patterns: a}}}"), ALIAS("policy: {subject: {CN: {patterns: b}}}"),
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded a = load_text(cases[i].a), b = load_text(cases[i].b);
        cr_assert(a.s && b.s, "case %zu: %s%s", i, problems_of(&a), problems_of(&b));
        cr_expect_eq(alias_settings_equal(a.s->aliases[0], b.s->aliases[0]), cases[i].equal, "case %zu", i);
        unload(&a);
        unload(&b);
    }
}

static void changes(const char *a, const char *b, const char *expected)
{
    struct loaded old = load_text(a), fresh = load_text(b);
    struct buffer out;
    buffer_init(&out, 4096);
    cr_assert(old.s && fresh.s, "%s%s", problems_of(&old), problems_of(&fresh));
    settings_frozen_changes(old.s, fresh.s, &out);
    cr_expect_str_eq(out.data ? (char *)out.data : "", expected);
    buffer_free(&out);
    unload(&old);
    unload(&fresh);
}

Test(frozen, only_what_needs_a_restart)
{
    changes("log: {level: info}\n", "log: {level: error}\nlimits: {body: 1KiB}\n", "");
    changes("", "state: /var/lib/scepgate\n", "");
    changes("", "store: {path: /x}\n", "store.path: needs a restart\n");
    changes("", "state: /x\n",
            "state: needs a restart\nadmin.socket: needs a restart\nstore.path: needs a restart\n");
    changes("store: {master_key: {value: a}}\n", "store: {master_key: {value: b}}\n",
            "store.master_key: needs a restart\n");
    changes("store: {master_key: {value: a}}\n", "store: {master_key: {value: a}}\n", "");
    changes("", "listen: [127.0.0.1:1, 127.0.0.1:2]\n", "listen: needs a restart\n");
}

Test(reference, names_every_row)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    settings_reference(&out, &support_catalogue);
    const char *text = (const char *)out.data;
    cr_assert_not_null(text);
    cr_expect_not_null(strstr(text, "| `limits.body` | size, 1KiB to 64MiB | `256KiB` | Largest body"));
    cr_expect_not_null(
        strstr(text, "| `challenge.type` | one of `one_time`, `static`, `none` | **required** |"));
    cr_expect_not_null(strstr(text, "### `type: strict`"));
    cr_expect_not_null(strstr(text, "| `profile.usages` |"));
    cr_expect_not_null(strstr(text, "*Needs a restart.*"));
    buffer_free(&out);
}

static json_t *at(json_t *j, const char *path)
{
    char key[64];
    for (const char *p = path; j && *p;) {
        size_t len = strcspn(p, "/");
        snprintf(key, sizeof key, "%.*s", (int)len, p);
        j = json_object_get(j, key);
        p += len + (p[len] == '/');
    }
    return j;
}

Test(schema, is_json_with_every_section)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    settings_schema(&out, &support_catalogue);
    json_error_t e;
    json_t *j = json_loadb((char *)out.data, out.len, JSON_REJECT_DUPLICATES, &e);
    cr_assert_not_null(j, "%s at %d", e.text, e.position);
    cr_expect_str_eq(json_string_value(at(j, "$schema")), "https://json-schema.org/draft/2020-12/schema");
    cr_expect_str_eq(json_string_value(at(j, "properties/limits/properties/body/default")), "256KiB");
    cr_expect_eq(json_integer_value(at(j, "properties/worker/properties/threads/maximum")), 1024);
    cr_expect_eq(json_array_size(at(j, "$defs/alias/properties/challenge/properties/type/enum")), 3);
    cr_expect_not_null(at(j, "$defs/alias/properties/policy/properties/keys/properties/rsa_min_bits"));
    cr_expect_eq(json_array_size(at(j, "$defs/backend/oneOf")), 2);
    cr_expect(json_is_false(at(j, "additionalProperties")));
    json_decref(j);
    buffer_free(&out);
}
