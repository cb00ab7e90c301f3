/* orders.c: POST /v1/challenges: one challenge, or many at once.
 *
 * The secrets live in the order and in the reply, and are wiped behind both. Each challenge is a store
 * operation of its own with its audit event; some are under way at a time, so that they share commits.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/endpoints.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/codec.h"
#include "challenge/challenge.h"

#define COUNT_MAX  1000
#define TTL_MAX    ((int64_t)10 * 365 * 86400) /* seconds; the alias has a bound of its own */
#define UNDER_WAY  64
#define ITEM_BYTES 512

struct item {
    struct order *order;
    struct ask ask;
    struct audit_details details;
    char text[CHALLENGE_TEXT_SIZE];
    char id[ID_TEXT_SIZE];
    int64_t expires;
};

struct order {
    struct admin_call *call;
    struct challenge_order wanted;
    char *labels;
    bool list; /* `count` was given */
    size_t count, started, finished;
    enum store_outcome failure; /* STORE_OK: none */
    struct item *items;
};

static void order_free(struct order *o)
{
    for (size_t i = 0; o->items && i < o->count; i++) {
        audit_details_free(&o->items[i].details);
        secret_wipe(o->items[i].text, sizeof o->items[i].text);
    }
    free(o->items);
    free(o->labels);
    free(o);
}

/* ---- the reply ----------------------------------------------------------------------------------------- */

static void write_text(struct buffer *out, const char *name, const char *value)
{
    buffer_format(out, "\"%s\":", name);
    codec_json_string(out, bytes_of_text(value));
    buffer_text(out, ",");
}

static void write_item(struct buffer *out, const struct order *o, const struct item *item)
{
    char expires[CLOCK_TEXT_SIZE];
    buffer_text(out, "{");
    write_text(out, "id", item->id);
    write_text(out, "challenge", item->text);
    write_text(out, "alias", o->call->alias->settings->name);
    write_text(out, "expires", clock_text(item->expires, expires));
    buffer_format(out, "\"uses\":%d}", item->ask.request.challenge_create.uses);
}

/* By hand, because what jansson frees it does not wipe. */
static void write_reply(struct buffer *out, const struct order *o)
{
    if (o->list)
        buffer_text(out, "{\"challenges\":[");
    for (size_t i = 0; i < o->count; i++) {
        if (i > 0)
            buffer_text(out, ",");
        write_item(out, o, &o->items[i]);
    }
    if (o->list)
        buffer_text(out, "]}");
}

static void finish(struct order *o)
{
    struct admin_call *c = o->call;
    CLEANUP(buffer) struct buffer json;
    buffer_init(&json, (o->count + 1) * ITEM_BYTES);
    if (o->failure == STORE_OK)
        write_reply(&json, o);
    if (o->failure != STORE_OK)
        admin_refuse(
            c, 503, o->failure == STORE_UNKNOWN ? "STORE_UNKNOWN" : "STORE_UNAVAILABLE",
            "the store could not keep all %zu challenges; those it kept are known to nobody and will expire",
            o->count);
    else if (json.failed)
        admin_refuse(c, 500, "INTERNAL", "the gateway is out of memory");
    else
        admin_answer_bytes(c, 201, "application/json", buffer_bytes(&json));
    order_free(o);
}

/* ---- the work ------------------------------------------------------------------------------------------ */

static void add_event(struct item *item)
{
    struct admin_call *c = item->order->call;
    const struct challenge_record *r = &item->ask.request.challenge_create;
    const struct alias_settings *s = c->alias->settings;
    const struct {
        const char *name, *value;
    } texts[] = {{"challenge", item->id},
                 {"by", c->by},
                 {"cn", r->bind_cn},
                 {"san", r->bind_san},
                 {"device", r->bind_device},
                 {"spki_sha256", r->bind_spki_sha256},
                 {"labels", strcmp(r->labels, "{}") == 0 ? "" : r->labels}};
    char expires[CLOCK_TEXT_SIZE];
    audit_details_init(&item->details);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        audit_detail(&item->details, texts[i].name, texts[i].value[0] ? texts[i].value : NULL);
    audit_detail_number(&item->details, "uses", r->uses);
    audit_detail(&item->details, "expires", clock_text(item->expires, expires));
    item->ask.request.events[item->ask.request.event_count++] = audit_event(
        c->route->audit, s->name, s->tenant, "", c->x->client, audit_details_text(&item->details));
}

static enum error_code prepare(struct item *item, struct error *e)
{
    struct admin_call *c = item->order->call;
    enum error_code code = challenge_prepare(&item->ask.request, item->text, item->id, c->alias->settings,
                                             &item->order->wanted, c->admin->parts.keys, e);
    if (code != ERR_OK)
        return code;
    item->expires = clock_realtime(c->admin->parts.clock) + item->ask.request.challenge_create.expires;
    add_event(item);
    return ERR_OK;
}

static void start_more(struct order *o);

static void made(void *context, const struct store_answer *answer)
{
    struct item *item = context;
    struct order *o = item->order;
    o->finished++;
    if (answer->outcome != STORE_OK) {
        struct log_scope scope = {.alias = o->call->alias->settings->name, .client = o->call->x->client};
        log_line(LOG_LEVEL_ERROR, &scope, "admin.store", "a challenge was not stored: %s %s",
                 store_outcome_name(answer->outcome), answer->reason);
        o->failure = answer->outcome;
    } else if (answer->challenge_count > 0) {
        item->expires = answer->challenges[0].expires; /* by the store's clock */
    }
    start_more(o);
}

static void start_more(struct order *o)
{
    const struct admin_parts *parts = &o->call->admin->parts;
    while (o->failure == STORE_OK && o->started < o->count && o->started - o->finished < UNDER_WAY) {
        struct item *item = &o->items[o->started];
        if (prepare(item, NULL) != ERR_OK) {
            o->failure = STORE_UNAVAILABLE;
            break;
        }
        o->started++;
        ask_start(&item->ask, parts->base, parts->store, made, item);
    }
    if (o->started == o->finished && (o->failure != STORE_OK || o->finished == o->count))
        finish(o);
}

/* ---- the order ----------------------------------------------------------------------------------------- */

static bool read_labels(struct admin_call *c, json_t *labels, char **out)
{
    const char *name;
    json_t *value;
    if (!labels)
        return true;
    json_object_foreach(labels, name, value) if (!json_is_string(value))
    {
        admin_refuse(c, 400, "BAD_REQUEST", "the label \"%.100s\" must be a text", name);
        return false;
    }
    *out = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);
    if (!*out)
        admin_refuse(c, 500, "INTERNAL", "the gateway is out of memory");
    return *out != NULL;
}

/* Answers by itself when something is wrong. */
static bool read_order(struct order *o)
{
    struct admin_call *c = o->call;
    struct challenge_order *w = &o->wanted;
    const char *alias = NULL;
    json_t *labels = NULL;
    int64_t ttl = 0, uses = 0, count = 0;
    const struct admin_member members[] = {
        {"alias", MEMBER_TEXT, &alias, .required = true, .min = 1, .max = 64},
        {"ttl", MEMBER_NUMBER, &ttl, .min = 1, .max = TTL_MAX},
        {"uses", MEMBER_NUMBER, &uses, .min = 1, .max = INT32_MAX},
        {"count", MEMBER_NUMBER, &count, .min = 1, .max = COUNT_MAX},
        {"cn", MEMBER_TEXT, &w->bind_cn, .min = 1, .max = 255},
        {"san", MEMBER_TEXT, &w->bind_san, .min = 1, .max = 255},
        {"device", MEMBER_TEXT, &w->bind_device, .min = 1, .max = 255},
        {"spki_sha256", MEMBER_TEXT, &w->bind_spki_sha256, .min = 64, .max = 64},
        {"labels", MEMBER_OBJECT, &labels},
    };
    if (!admin_query_only(c, "") || !admin_members(c, members, sizeof members / sizeof *members) ||
        !admin_alias_name(c, alias) || !read_labels(c, labels, &o->labels))
        return false;
    admin_alias_known(c, alias);
    if (!c->alias) {
        admin_refuse(c, 404, "ALIAS_UNKNOWN", "there is no alias %s", alias);
        return false;
    }
    w->ttl = ttl * 1000;
    w->uses = (int)uses;
    w->labels = o->labels;
    w->created_by = c->by;
    o->list = count > 0;
    o->count = count > 0 ? (size_t)count : 1;
    return true;
}

/* Whether the alias gives such challenges at all, before the first is stored. */
static bool try_order(struct order *o)
{
    struct error e = {0};
    struct store_request request;
    char text[CHALLENGE_TEXT_SIZE], id[ID_TEXT_SIZE];
    enum error_code code = challenge_prepare(&request, text, id, o->call->alias->settings, &o->wanted,
                                             o->call->admin->parts.keys, &e);
    secret_wipe(text, sizeof text);
    if (code == ERR_OK)
        return true;
    bool refused = code == ERR_POLICY_REFUSED;
    admin_refuse(o->call, refused ? 409 : 500, error_info(code)->name, "%s", error_text(&e));
    return false;
}

void admin_challenges_create(struct admin_call *c)
{
    struct order *o = calloc(1, sizeof *o);
    if (!o) {
        admin_refuse(c, 500, "INTERNAL", "the gateway is out of memory");
        return;
    }
    o->call = c;
    if (!read_order(o) || !try_order(o)) {
        order_free(o);
        return;
    }
    o->items = calloc(o->count, sizeof *o->items);
    if (!o->items) {
        admin_refuse(c, 500, "INTERNAL", "the gateway is out of memory");
        order_free(o);
        return;
    }
    for (size_t i = 0; i < o->count; i++)
        o->items[i].order = o;
    start_more(o);
}
