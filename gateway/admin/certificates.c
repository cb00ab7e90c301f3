/* certificates.c: /v1/certificates: list and show. Revoking is in revocations.c. */
#include <string.h>

#include "admin/endpoints.h"

#define SERIAL_MAX 64

static json_t *reason(const struct certificate_record *r)
{
    return r->revoked == 0 ? json_null() : json_string(revocation_reason_name(r->revocation_reason));
}

json_t *admin_certificate_summary(const struct certificate_record *r)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o}", "alias", admin_text(r->alias),
                     "serial", admin_text(r->serial), "issuer_sha256", admin_text(r->issuer_sha256),
                     "subject", admin_text(r->subject), "transaction", admin_text(r->transaction),
                     "not_before", admin_time(r->not_before), "not_after", admin_time(r->not_after),
                     "recorded", admin_time(r->recorded), "revoked", admin_time(r->revoked),
                     "revocation_reason", r->revocation_reason, "reason", reason(r));
}

static void listed(struct admin_call *c, const struct store_answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->certificate_count; i++)
        json_array_append_new(list, admin_certificate_summary(&answer->certificates[i]));
    admin_answer_list(c, "certificates", list, answer);
}

void admin_certificates_list(struct admin_call *c)
{
    store_request_init(&c->ask.request, STORE_CERTIFICATE_LIST);
    if (admin_list_filter(c, "alias state text after limit"))
        admin_store(c, listed);
}

static void show(struct admin_call *c, const struct certificate_record *r, int64_t now)
{
    (void)now;
    json_t *json = admin_certificate_summary(r);
    json_object_set_new(json, "pem", admin_pem(r->der));
    admin_answer(c, 200, json);
}

static void found(struct admin_call *c, const struct store_answer *answer)
{
    if (answer->outcome == STORE_OK && answer->certificate_count > 0)
        c->found(c, &answer->certificates[0], answer->now);
    else
        admin_refuse_outcome(c, answer, "certificate");
}

/* The serial was a filter on part of the text: only the whole one counts. An alias that changed its CA may
 * have it twice. */
static void searched(struct admin_call *c, const struct store_answer *answer)
{
    const struct certificate_record *match = NULL;
    size_t matches = 0;
    for (size_t i = 0; i < answer->certificate_count; i++)
        if (strcmp(answer->certificates[i].serial, c->parameters[1]) == 0) {
            match = &answer->certificates[i];
            matches++;
        }
    if (matches == 1)
        c->found(c, match, answer->now);
    else if (matches > 1)
        admin_refuse(c, 409, "AMBIGUOUS",
                     "more than one issuer gave this serial; name the \"issuer\" in the query");
    else
        admin_refuse(c, 404, "NOT_FOUND", "there is no such certificate");
}

/* With `issuer` a look-up, without it a search. */
void admin_certificate_look(struct admin_call *c, admin_found *then)
{
    c->found = then;
    const char *issuer = admin_query(c, "issuer");
    if (!admin_query_only(c, "issuer") || !admin_alias_name(c, c->parameters[0]) ||
        !admin_hex(c, c->parameters[1], "serial", 2, SERIAL_MAX))
        return;
    if (issuer && !admin_hex(c, issuer, "issuer's SHA-256", 64, 64))
        return;
    const char *alias = admin_alias_known(c, c->parameters[0]);
    if (issuer) {
        store_request_init(&c->ask.request, STORE_CERTIFICATE_FIND);
        c->ask.request.certificate_find.alias = alias;
        c->ask.request.certificate_find.issuer_sha256 = issuer;
        c->ask.request.certificate_find.serial = c->parameters[1];
        admin_store(c, found);
    } else {
        store_request_init(&c->ask.request, STORE_CERTIFICATE_LIST);
        c->ask.request.list =
            (struct store_list_filter){.alias = alias, .text = c->parameters[1], .limit = 1000};
        admin_store(c, searched);
    }
}

void admin_certificates_find(struct admin_call *c)
{
    admin_certificate_look(c, show);
}
