/* queries.c: from an HTTP request to an alias and an operation: capabilities and CA certificates are answered
 * here, a PKIOperation begins its story. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "enroll/announce.h"
#include "enroll/enrolment.h"
#include "enroll/resume.h"
#include "enroll/trail.h"
#include "http/query.h"
#include "scep/next_ca.h"

/* ---- refusals before a story begins -------------------------------------------------------------------- */

static const char *operation_name(enum scep_operation o)
{
    static const char *const names[] = {
        [SCEP_OPERATION_NONE] = "none",
        [SCEP_OPERATION_UNKNOWN] = "unknown",
        [SCEP_GET_CA_CAPS] = "GetCACaps",
        [SCEP_GET_CA_CERT] = "GetCACert",
        [SCEP_GET_NEXT_CA_CERT] = "GetNextCACert",
        [SCEP_GET_CA_CERT_CHAIN] = "GetCACertChain",
        [SCEP_PKI_OPERATION] = "PKIOperation",
    };
    return names[o];
}

static void count_http(struct enroll *s, enum scep_operation operation, int status)
{
    char text[8];
    snprintf(text, sizeof text, "%d", status);
    metrics_add(s->parts.metrics, METRIC_HTTP_REQUESTS, 1, METRIC_LABELS(operation_name(operation), text));
}

/* An unknown alias answers like a missing page, and says nothing of who lives here (AA-04). */
static void refuse(struct enroll *s, struct http_exchange *x, const struct alias *alias,
                   enum scep_operation operation, enum error_code code)
{
    const struct error_info *info = error_info(code);
    struct log_scope scope = {.alias = alias ? alias->settings->name : NULL,
                              .tenant = alias ? alias->settings->tenant : NULL,
                              .client = x->client};
    log_line((enum log_level)info->log_level, &scope, "request.refused", "%s: %s", info->name,
             info->sentence);
    if (info->http_status != 503) {
        struct audit_details details;
        audit_details_init(&details);
        audit_detail(&details, "error", info->name);
        audit_detail(&details, "path", x->path);
        audit_detail(&details, "operation", operation_name(operation));
        trail_append(s, AUDIT_MESSAGE_REFUSED, alias, "", x->client, &details);
    }
    count_http(s, operation, info->http_status);
    metrics_add(s->parts.metrics, METRIC_REFUSALS, 1,
                METRIC_LABELS(alias ? alias->settings->name : "", info->name));
    http_reply_error(x, info->http_status, info->sentence,
                     info->http_status == 503 ? s->settings->enroll.retry_after : 0);
}

void enroll_refused(void *service, const char *client, enum error_code code)
{
    struct enroll *s = service;
    const struct error_info *info = error_info(code);
    struct audit_details details;
    audit_details_init(&details);
    audit_detail(&details, "error", info->name);
    trail_append(s, AUDIT_MESSAGE_REFUSED, NULL, "", client, &details);
    count_http(s, SCEP_OPERATION_UNKNOWN, info->http_status);
    metrics_add(s->parts.metrics, METRIC_REFUSALS, 1, METRIC_LABELS("", info->name));
}

/* ---- GetCACaps, GetCACert, GetNextCACert, GetCACertChain -------------------------------------------------------------- */

static void answer_caps(struct enroll *s, struct http_exchange *x, const struct alias *alias)
{
    count_http(s, SCEP_GET_CA_CAPS, 200);
    http_reply(x, 200, "text/plain", bytes_of_text(alias_capabilities(alias)), NULL, 0);
}

/* The chain is for clients of old drafts; RFC 8894 has it in GetCACert. */
static void answer_ca(struct enroll *s, struct http_exchange *x, const struct alias *alias,
                      enum scep_operation operation)
{
    if (operation == SCEP_GET_NEXT_CA_CERT && !alias_next_ca(alias).len) {
        /* Clients ask now and then: no refusal that anybody has to know of. */
        const struct error_info *none = error_info(ERR_NEXT_CA_NONE);
        count_http(s, operation, none->http_status);
        http_reply_error(x, none->http_status, none->sentence, 0);
        return;
    }
    count_http(s, operation, 200);
    if (operation == SCEP_GET_NEXT_CA_CERT)
        http_reply(x, 200, NEXT_CA_BODY_TYPE, alias_next_ca(alias), NULL, 0);
    else if (operation == SCEP_GET_CA_CERT_CHAIN)
        http_reply(x, 200, CA_CHAIN_BODY_TYPE, alias->ra->ca.chain_body, NULL, 0);
    else
        http_reply(x, 200, alias->ra->ca.content_type, alias->ra->ca.body, NULL, 0);
}

struct ca_waiter {
    struct enroll *service;
    struct http_exchange *exchange;
    struct alias *alias;
    enum scep_operation operation;
};

static void ca_ready(void *context, bool ready)
{
    struct ca_waiter *w = context;
    if (ready && w->alias->ra)
        answer_ca(w->service, w->exchange, w->alias, w->operation);
    else
        refuse(w->service, w->exchange, w->alias, w->operation, ERR_RA_NOT_READY);
    w->service->requests--;
    alias_unref(w->alias);
    free(w);
}

/* The RA identity is being made: the first client waits for it instead of coming again. */
static void wait_for_ca(struct enroll *s, struct http_exchange *x, struct alias *alias,
                        enum scep_operation operation)
{
    struct ca_waiter *w = calloc(1, sizeof *w);
    if (!w) {
        refuse(s, x, alias, operation, ERR_OVERLOADED);
        return;
    }
    *w = (struct ca_waiter){.service = s, .exchange = x, .alias = alias_ref(alias), .operation = operation};
    s->requests++;
    ra_maker_ensure(s->parts.ra_maker, alias, ca_ready, w);
}

/* ---- PKIOperation -------------------------------------------------------------------------------------- */

static enum error_code take_message(struct enrolment *e, const struct http_exchange *x,
                                    const struct scep_query *query)
{
    struct opening *o = &e->opening;
    buffer_init(&o->decoded, e->settings->limits.body);
    if (x->method == HTTP_POST && x->body.len) {
        o->der = x->body;
        if (x->body.data[0] != 0x30 && scep_query_message(&o->decoded, x->body, false))
            o->der = buffer_bytes(&o->decoded); /* base64 text, as PAN-OS posts it */
        return ERR_OK;
    }
    if (!query->has_message || !query->message.len)
        return ERR_MESSAGE_EMPTY;
    if (!scep_query_message(&o->decoded, query->message, true))
        return o->decoded.failed ? ERR_MESSAGE_TOO_LARGE : ERR_MESSAGE_ENCODING;
    o->der = buffer_bytes(&o->decoded);
    return o->der.len ? ERR_OK : ERR_MESSAGE_EMPTY;
}

static struct enrolment *enrolment_create(struct enroll *s, struct http_exchange *x, struct alias *alias)
{
    struct enrolment *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    s->requests++;
    e->service = s;
    e->settings = gateway_settings_ref(s->settings);
    e->exchange = x;
    e->alias = alias_ref(alias);
    strncpy(e->client, x->client, sizeof e->client - 1);
    random_id(e->request_id);
    audit_details_init(&e->details);
    buffer_init(&e->sealed_csr, 2 * s->settings->limits.body);
    e->started = clock_monotonic(s->parts.clock);
    e->step_started = e->started;
    return e;
}

static void start_story(struct enroll *s, struct http_exchange *x, struct alias *alias,
                        const struct scep_query *query)
{
    if (!alias->ra) {
        ra_maker_ensure(s->parts.ra_maker, alias, NULL, NULL);
        refuse(s, x, alias, SCEP_PKI_OPERATION, ERR_RA_NOT_READY);
        return;
    }
    char problem[160];
    if (!store_ready(s->parts.store, problem, sizeof problem)) {
        refuse(s, x, alias, SCEP_PKI_OPERATION, ERR_STORE_UNAVAILABLE);
        return;
    }
    struct enrolment *e = enrolment_create(s, x, alias);
    if (!e) {
        refuse(s, x, alias, SCEP_PKI_OPERATION, ERR_OVERLOADED);
        return;
    }
    enum error_code code = take_message(e, x, query);
    if (code != ERR_OK) {
        enrolment_free(e);
        refuse(s, x, alias, SCEP_PKI_OPERATION, code);
        return;
    }
    enrolment_run(e);
}

/* ---- dispatch ------------------------------------------------------------------------------------------ */

static enum error_code check_method(const struct http_exchange *x, enum scep_operation operation,
                                    const struct alias *alias)
{
    bool get = x->method == HTTP_GET || x->method == HTTP_HEAD;
    if (operation != SCEP_PKI_OPERATION)
        return get ? ERR_OK : ERR_METHOD_REFUSED;
    if (x->method == HTTP_POST)
        return ERR_OK;
    return x->method == HTTP_GET && alias->settings->compat.get_pki_operation ? ERR_OK : ERR_METHOD_REFUSED;
}

void enroll_handle(void *service, struct http_exchange *x)
{
    struct enroll *s = service;
    struct scep_query query;
    scep_query_parse(&query, x->query);
    if (query.operation == SCEP_OPERATION_NONE && x->method == HTTP_POST)
        query.operation = SCEP_PKI_OPERATION; /* many clients leave it out (B-14) */
    struct alias *alias = alias_directory_route(s->parts.directory, x->path, x->host);
    enum error_code code = ERR_OK;
    if (s->draining)
        code = ERR_SHUTTING_DOWN;
    else if (x->method != HTTP_GET && x->method != HTTP_HEAD && x->method != HTTP_POST)
        code = ERR_METHOD_REFUSED;
    else if (!alias)
        code = ERR_ALIAS_UNKNOWN;
    else if (query.operation == SCEP_OPERATION_NONE || query.operation == SCEP_OPERATION_UNKNOWN)
        code = ERR_OPERATION_UNKNOWN;
    else
        code = check_method(x, query.operation, alias);
    if (code != ERR_OK)
        refuse(s, x, alias, query.operation, code);
    else if (query.operation == SCEP_GET_CA_CAPS)
        answer_caps(s, x, alias);
    else if (query.operation == SCEP_PKI_OPERATION)
        start_story(s, x, alias, &query);
    else if (alias->ra)
        answer_ca(s, x, alias, query.operation);
    else
        wait_for_ca(s, x, alias, query.operation);
}

/* ---- the service --------------------------------------------------------------------------------------- */

enum error_code enroll_create(struct enroll **out, const struct enroll_parts *parts,
                              const struct gateway_settings *settings, struct error *e)
{
    struct enroll *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return error_set(e, ERR_OVERLOADED, "out of memory");
    s->parts = *parts;
    s->settings = gateway_settings_ref((struct gateway_settings *)settings);
    resume_register(s);
    announce_register(s);
    return ERR_OK;
}

void enroll_settings(struct enroll *e, const struct gateway_settings *settings)
{
    struct gateway_settings *old = e->settings;
    e->settings = gateway_settings_ref((struct gateway_settings *)settings);
    gateway_settings_unref(old);
}

void enroll_drain(struct enroll *e)
{
    e->draining = true;
}

bool enroll_idle(const struct enroll *e)
{
    return !e->requests && !e->submissions && !e->resumptions && !e->trails;
}

void enroll_free(struct enroll *e)
{
    if (!e)
        return;
    gateway_settings_unref(e->settings);
    free(e);
}
