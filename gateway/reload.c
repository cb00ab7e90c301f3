/* reload.c: SIGHUP: parse and check on a worker, apply the difference on the loop, or keep everything as it
 * was. */
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/log.h"
#include "server_parts.h"

#define PROBLEMS_MAX (64 * 1024)

struct reload {
    struct server *server;
    char *path;
    struct gateway_settings *old; /* a reference */
    struct gateway_settings *fresh;
    struct buffer problems;
    struct buffer warnings;
    enum error_code code;
};

static void reload_free(struct reload *r)
{
    gateway_settings_unref(r->old);
    gateway_settings_unref(r->fresh);
    buffer_free(&r->problems);
    buffer_free(&r->warnings);
    free(r->path);
    free(r);
}

static void reload_run(void *data)
{
    struct reload *r = data;
    struct error e = {0};
    r->code = settings_load(&r->fresh, r->path, backend_catalogue(), &r->problems, &r->warnings);
    if (r->code != ERR_OK)
        return;
    settings_frozen_changes(r->old, r->fresh, &r->problems);
    r->code = r->problems.len ? ERR_SETTINGS_INVALID
                              : alias_directory_check(r->fresh->aliases, r->fresh->alias_count, &e);
    if (r->code == ERR_OK)
        r->code = backends_open(r->server->backends, r->fresh, &e);
    if (r->code != ERR_OK && !r->problems.len)
        buffer_format(&r->problems, "%s\n", error_text(&e));
}

/* One log line per line of `text`. */
static void log_each(enum log_level level, const char *event, const struct buffer *text)
{
    const char *at = text->len ? (const char *)text->data : "";
    while (*at) {
        size_t len = strcspn(at, "\n");
        log_line(level, NULL, event, "%.*s", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

static void refuse(struct reload *r)
{
    struct audit_details details;
    log_each(LOG_LEVEL_ERROR, "settings.refused", &r->problems);
    log_line(LOG_LEVEL_ERROR, NULL, "settings.refused",
             "the new settings are refused; the old ones keep serving");
    audit_details_init(&details);
    audit_detail(&details, "problem", r->problems.len ? (const char *)r->problems.data : "");
    server_audit(r->server, AUDIT_SETTINGS_REFUSED, &details);
}

static bool still_there(const struct gateway_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->alias_count; i++)
        if (!strcasecmp(settings->aliases[i]->name, name))
            return true;
    return false;
}

/* Same settings and the same backends behind them: the alias stays as it is. */
static bool unchanged(const struct server *s, const struct alias *present,
                      const struct alias_settings *settings)
{
    const char *ra = settings->ra.backend[0] ? settings->ra.backend : settings->backend;
    return alias_settings_equal(present->settings, settings) &&
           present->backend == backends_issuer(s->backends, settings->backend) &&
           present->gate == backends_gate(s->backends, settings->backend) &&
           (!present->ra_backend || present->ra_backend == backends_issuer(s->backends, ra));
}

static void replace_aliases(struct server *s, const struct gateway_settings *old,
                            const struct gateway_settings *fresh)
{
    struct error e = {0};
    for (size_t i = 0; i < old->alias_count; i++)
        if (!still_there(fresh, old->aliases[i]->name))
            alias_directory_remove(s->directory, old->aliases[i]->name);
    for (size_t i = 0; i < fresh->alias_count; i++) {
        struct alias_settings *settings = fresh->aliases[i];
        struct alias *present = alias_directory_find(s->directory, settings->name);
        if (present && unchanged(s, present, settings))
            continue;
        if (server_add_alias(s, settings, &e) != ERR_OK) {
            struct log_scope scope = {.alias = settings->name};
            log_line(LOG_LEVEL_ERROR, &scope, "alias.refused", "the alias keeps its old settings: %s",
                     error_text(&e));
            continue;
        }
        struct alias *fresh_one = alias_directory_find(s->directory, settings->name);
        ra_maker_ensure(s->ra_maker, fresh_one, NULL, NULL);
        trust_keeper_watch(s->trust_keeper, fresh_one);
    }
}

static void apply(struct reload *r)
{
    struct server *s = r->server;
    struct gateway_settings *old = s->settings;
    log_each(LOG_LEVEL_WARNING, "settings.warning", &r->warnings);
    s->settings = gateway_settings_ref(r->fresh);
    replace_aliases(s, old, r->fresh);
    enroll_settings(s->enroll, r->fresh);
    publisher_settings(s->publisher, r->fresh);
    pages_settings(s->pages, &r->fresh->publish);
    http_listener_limits(s->scep, &r->fresh->limits);
    replicas_announce(s->replicas, r->fresh);
    log_setup(r->fresh->log.level, r->fresh->log.format, 2);
    gateway_settings_unref(old);
    struct audit_details details;
    audit_details_init(&details);
    audit_detail_number(&details, "aliases", (int64_t)r->fresh->alias_count);
    server_audit(s, AUDIT_SETTINGS_RELOADED, &details);
    log_line(LOG_LEVEL_INFO, NULL, "settings.reloaded", "the new settings serve %zu aliases",
             r->fresh->alias_count);
}

static void reload_done(void *data)
{
    struct reload *r = data;
    struct server *s = r->server;
    s->reloading = false;
    if (r->code == ERR_OK)
        apply(r);
    else
        refuse(r);
    reload_free(r);
    if (s->reload_again)
        server_reload(s);
}

void server_reload(struct server *s)
{
    s->reload_again = s->reloading;
    if (s->reloading || s->drain_until)
        return;
    struct reload *r = calloc(1, sizeof *r);
    if (!r)
        return;
    r->server = s;
    r->old = gateway_settings_ref(s->settings);
    r->path = strdup(s->settings->file);
    buffer_init(&r->problems, PROBLEMS_MAX);
    buffer_init(&r->warnings, PROBLEMS_MAX);
    if (!r->path || pool_submit(s->lane, (struct job){reload_run, reload_done, r}) != ERR_OK) {
        log_line(LOG_LEVEL_ERROR, NULL, "settings.refused",
                 "the reload cannot start: no memory or a full worker queue");
        reload_free(r);
        return;
    }
    s->reloading = true;
}
