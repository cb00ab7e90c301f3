/* test_agreement.c: what gateways on one store must have in common, and what each may have for itself. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "settings/agreement.h"
#include "support.h"

static struct {
    char *name;
    struct bytes value;
} pieces[AGREEMENT_ALIASES_MAX + 100];
static size_t count;

static void keep(void *context, const char *name, struct bytes value)
{
    (void)context;
    pieces[count].name = strdup(name);
    pieces[count++].value = bytes_copy(value);
}

static void drop(void)
{
    while (count) {
        free(pieces[--count].name);
        free((void *)(uintptr_t)pieces[count].value.data);
    }
}

/* All pieces of a text, one behind the other. */
static char *all_of(const char *text)
{
    struct loaded l = load_text(text);
    struct buffer whole;
    buffer_init(&whole, 1 << 24);
    cr_assert_not_null(l.s, "%s", problems_of(&l));
    cr_assert(settings_agreement(l.s, keep, NULL));
    for (size_t i = 0; i < count; i++) {
        buffer_format(&whole, "<%s>", pieces[i].name);
        buffer_append(&whole, pieces[i].value.data, pieces[i].value.len);
    }
    drop();
    unload(&l);
    return buffer_take(&whole, NULL);
}

static bool agree(const char *a, const char *b)
{
    char *x = all_of(a), *y = all_of(b);
    bool same = strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

Test(agreement, each_may_have_its_own)
{
    static const char *const own[] = {
        "state: /elsewhere\n",
        "listen: 127.0.0.1:9999\n",
        "admin: {listen: 127.0.0.1:9990, socket: /tmp/x}\n",
        "limits: {connections: 5, body: 1MiB}\n",
        "worker: {threads: 3}\n",
        "log: {level: debug, format: text}\n",
        "store: {path: /x, master_key: {value: 'k1:00'}}\n",
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        cr_expect(agree("", own[i]), "%s", own[i]);
    cr_expect(agree("store: {type: redis, master_key: {value: a}, url: 'redis://h:1'}\n",
                    "store: {type: redis, master_key: {value: b}, url: 'redis://:pw@i:2', queue: 99}\n"));
}

Test(agreement, all_need_the_same)
{
    static const char *const pairs[][2] = {
        {"retention: {audit: 5d}\n", "retention: {audit: 6d}\n"},
        {"enroll: {lease: 61s}\n", "enroll: {lease: 62s}\n"},
        {"store: {type: redis, master_key: {value: a}, url: 'redis://h'}\n",
         "store: {type: redis, master_key: {value: a}, url: 'redis://h', wait_replicas: 1}\n"},
        {ALIAS(""), ALIAS("tenant: x")},
        {ALIAS("policy: {subject: {CN: {patterns: a}}}"), ALIAS("policy: {subject: {CN: {patterns: b}}}")},
        {ALIAS("policy: {subject: {CN: {max: 1}}}"), ALIAS("policy: {subject: {CN: {max: 2}}}")},
        {ALIAS("hosts: [ab, c]"), ALIAS("hosts: [a, bc]")},
        {"backends: {ca: {type: test, kind: small}}\n", "backends: {ca: {type: test, kind: large}}\n"},
        {"backends: {ca: {type: test, secret: {value: a}}}\n",
         "backends: {ca: {type: test, secret: {value: b}}}\n"},
        {"backends: {ca: {type: test}}\n", "backends: {cb: {type: test}}\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        cr_expect_not(agree(pairs[i][0], pairs[i][1]), "%s", pairs[i][1]);
}

Test(agreement, files_count_by_what_is_in_them)
{
    char folder[] = "/tmp/scepgate-agreement-XXXXXX", path[2][64], text[2][1024];
    cr_assert_not_null(mkdtemp(folder));
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%d.pem", folder, i);
        FILE *f = fopen(path[i], "w");
        fputs("the same\n", f);
        fclose(f);
        snprintf(text[i], sizeof text[i],
                 "backends: {ca: {type: test, path: %s}}\naliases:\n  demo: {backend: ca, challenge: {type: "
                 "none}, "
                 "proxy_signers: {issuers: [%s]}, ra: {from: files, certificate: %s, key: /key-%d}}\n",
                 path[i], path[i], path[i], i);
    }
    cr_expect(agree(text[0], text[1]));
    FILE *f = fopen(path[1], "w");
    fputs("another\n", f);
    fclose(f);
    cr_expect_not(agree(text[0], text[1]));
    unlink(path[0]);
    unlink(path[1]);
    rmdir(folder);
}

Test(agreement, where_a_secret_comes_from_does_not_count)
{
    setenv("TEST_AGREEMENT", "long-enough-secret", 1);
    cr_expect(agree(
        "backends: {ca: {type: test}}\naliases: {d: {backend: ca, challenge: {type: static, secret: {env: "
        "TEST_AGREEMENT}}}}\n",
        "backends: {ca: {type: test}}\naliases: {d: {backend: ca, challenge: {type: static, secret: "
        "{value: long-enough-secret}}}}\n"));
}

Test(agreement, many_aliases_make_one_piece_whatever_their_order)
{
    struct buffer up, down;
    buffer_init(&up, 1 << 20);
    buffer_init(&down, 1 << 20);
    buffer_text(&up, "backends: {ca: {type: test}}\naliases:\n");
    buffer_text(&down, "backends: {ca: {type: test}}\naliases:\n");
    for (int i = 0; i <= AGREEMENT_ALIASES_MAX; i++) {
        buffer_format(&up, "  a%d: {backend: ca, challenge: {type: one_time}}\n", i);
        buffer_format(&down, "  a%d: {backend: ca, challenge: {type: one_time}}\n",
                      AGREEMENT_ALIASES_MAX - i);
    }
    cr_expect(agree((char *)up.data, (char *)down.data));
    char *whole = all_of((char *)up.data);
    cr_expect(strstr(whole, "<the set of aliases>") && !strstr(whole, "<alias `"));
    free(whole);
    buffer_free(&up);
    buffer_free(&down);
}
