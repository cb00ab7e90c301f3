/* migrate.c: `scepgate store migrate`: one store into another, verified. */
#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/offline.h"
#include "settings/store_url.h"
#include "storage/records.h"
#include "storage/transfer.h"

#define TELL_EVERY 1000 /* ms */

static const char usage[] =
    "usage: scepgate store migrate --from STORE --to STORE [--force]\n\n"
    "Copies everything that a store holds into another one, reads both back, and compares count and checksum "
    "of\n"
    "every kind of record. STORE is a settings file; one of the two may be sqlite:PATH, redis://…, "
    "rediss://… or\n"
    "unix://… instead, with the other's settings for the rest. Both need the same master keys.\n\n"
    "Stop the gateways of both first. One that ended in the middle is started again and goes on from there; "
    "what\n"
    "is in the target already stays. The source is only read.\n\n"
    "  --from STORE    where everything is\n"
    "  --to STORE      where it shall be: an empty store, or a copy that was begun\n"
    "  --force         also when gateways work on either, or the source's audit trail is damaged\n";

struct side {
    const char *text;
    struct gateway_settings *settings;
    struct storage storage;
};

struct migration {
    struct side from, to;
    bool force;
    struct event_base *base;
    struct transfer *transfer;
};

/* ---- which stores -------------------------------------------------------------------------------------- */

static const char sqlite_scheme[] = "sqlite:";

static bool is_file(const char *text)
{
    return strncmp(text, sqlite_scheme, sizeof sqlite_scheme - 1) != 0 && !strstr(text, "://");
}

static bool put_url(struct gateway_settings *s, const char *text)
{
    char why[240];
    struct store_url *url;
    if (!store_url_parse(&url, text, why, sizeof why)) {
        fprintf(stderr, "scepgate: the URL of the store %s\n", why);
        return false;
    }
    store_url_free(s->url);
    s->url = url;
    s->store.type = STORE_IN_REDIS;
    s->store.topology = TOPOLOGY_SINGLE;
    s->store.addresses = (struct text_list){.items = &url->address, .count = 1};
    s->store.user = url->user;
    s->store.password.value = url->password;
    s->store.database = url->database;
    s->store.tls.enabled = url->tls;
    return true;
}

static bool load_side(struct side *side, const char *other)
{
    bool file = is_file(side->text);
    side->settings = config_load(file ? side->text : other, false);
    if (!side->settings || file)
        return side->settings != NULL;
    if (strstr(side->text, "://"))
        return put_url(side->settings, side->text);
    side->settings->store.type = STORE_IN_SQLITE;
    side->settings->store.path = (char *)side->text + sizeof sqlite_scheme - 1; /* lives as long as argv */
    return true;
}

static bool load_sides(struct migration *m)
{
    if (!is_file(m->from.text) && !is_file(m->to.text)) {
        fprintf(stderr,
                "scepgate: one of --from and --to must be a settings file: the master key stands there\n");
        return false;
    }
    return load_side(&m->from, m->to.text) && load_side(&m->to, m->from.text);
}

/* ---- the master keys ----------------------------------------------------------------------------------- */

static bool has_key(const struct keys *k, const char *id, const char *check)
{
    const char *checks[KEYS_MAX];
    size_t count = keys_check_values(k, checks);
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys_id(k, i), id) == 0 && strcmp(checks[i], check) == 0)
            return true;
    return false;
}

/* The target opens what the source sealed, and the other way round once it is newly sealed. */
static bool same_keys(const struct keys *from, const struct keys *to)
{
    const char *checks[KEYS_MAX];
    size_t count = keys_check_values(from, checks);
    if (strcmp(keys_id(from, 0), keys_id(to, 0)) != 0 ||
        strcmp(keys_check_value(from), keys_check_value(to)) != 0) {
        fprintf(stderr,
                "scepgate: the newest master keys differ (%s in the source, %s in the target): give the "
                "target the "
                "source's key file (store.master_key)\n",
                keys_id(from, 0), keys_id(to, 0));
        return false;
    }
    for (size_t i = 1; i < count; i++)
        if (!has_key(to, keys_id(from, i), checks[i])) {
            fprintf(stderr,
                    "scepgate: the target's key file lacks the key %s of the source: add it, or run "
                    "`scepgate store "
                    "rekey` on the source and take the key out there, too\n",
                    keys_id(from, i));
            return false;
        }
    return true;
}

/* ---- the copy ------------------------------------------------------------------------------------------ */

static void tell(const struct transfer_report *r)
{
    const struct transfer_kind *k = &r->kinds[r->kind];
    if (r->phase == TRANSFER_COPYING)
        fprintf(stderr, "%s: %lld copied, %lld there already\n", record_kind_name(r->kind),
                (long long)k->copied, (long long)k->there);
    if (r->phase == TRANSFER_COMPARING)
        fprintf(stderr, "%s: read back, %lld in the source, %lld in the target\n", record_kind_name(r->kind),
                (long long)k->from.count, (long long)k->to.count);
}

static void run_loop(struct migration *m)
{
    int64_t told = clock_monotonic(&clock_system);
    while (transfer_report(m->transfer)->phase != TRANSFER_ENDED) {
        event_base_loop(m->base, EVLOOP_ONCE);
        int64_t now = clock_monotonic(&clock_system);
        if (now - told < TELL_EVERY)
            continue;
        told = now;
        tell(transfer_report(m->transfer));
    }
}

static int print_end(const struct transfer_report *r)
{
    char sum[2 * DIGEST_SIZE + 1];
    if (r->problem[0]) {
        fprintf(stderr, "scepgate: %s\n", r->problem);
        return 1;
    }
    printf("%-14s %10s %10s  %s\n", "", "RECORDS", "COPIED", "CHECKSUM OF BOTH");
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++) {
        const struct transfer_kind *k = &r->kinds[kind];
        digest_sum_text(&k->to, sum);
        printf("%-14s %10lld %10lld  %s\n", record_kind_name((enum store_kind)kind), (long long)k->to.count,
               (long long)k->copied, sum);
    }
    printf("both stores hold the same, and the target's audit trail is whole\n");
    return 0;
}

static int copy(struct migration *m)
{
    static const char *const names[] = {[STORE_IN_SQLITE] = "sqlite", [STORE_IN_REDIS] = "redis"};
    const struct transfer_options options = {.base = m->base,
                                             .from = m->from.storage.store,
                                             .to = m->to.storage.store,
                                             .from_name = names[m->from.settings->store.type],
                                             .force = m->force};
    m->transfer = transfer_start(&options);
    if (!m->transfer) {
        fprintf(stderr, "scepgate: out of memory\n");
        return 1;
    }
    run_loop(m);
    return print_end(transfer_report(m->transfer));
}

static int migrate(struct migration *m)
{
    int status = 1;
    m->base = event_base_new();
    if (m->base && load_sides(m) && offline_open(&m->from.storage, m->from.settings, m->base, false) &&
        offline_open(&m->to.storage, m->to.settings, m->base, true) &&
        same_keys(m->from.storage.keys, m->to.storage.keys))
        status = copy(m);
    storage_close(&m->from.storage);
    storage_close(&m->to.storage);
    transfer_free(m->transfer);
    gateway_settings_unref(m->from.settings);
    gateway_settings_unref(m->to.settings);
    if (m->base)
        event_base_free(m->base);
    return status;
}

int cli_store_migrate(int argc, char **argv)
{
    static const struct option options[] = {
        {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},
        {"force", no_argument, NULL, 'F'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct migration m = {0};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option == 'f')
            m.from.text = optarg;
        else if (option == 't')
            m.to.text = optarg;
        else if (option == 'F')
            m.force = true;
        else
            return 2;
    }
    if (!m.from.text || !m.to.text || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    return migrate(&m);
}
