/* revocations.c: /v1/certificates/ALIAS/SERIAL/revoke, /hold and /release.
 *
 * First the certificate is looked for, then the store changes it, with the audit row and the obligation that brings the change
 * into a CRL in the same step.
 */
#include <stdio.h>
#include <string.h>

#include "admin/endpoints.h"
#include "base/clock.h"

#define REASON_MAX 32

static const char ra_warning[] =
    "this is a certificate with which the gateway itself signs for the alias: clients that look at "
    "revocation lists refuse its "
    "replies from now on, and the gateway goes on using it until it has another one";
static const char expired_warning[] =
    "this certificate has expired: revocation lists name it no longer than the list after its end";

/* ---- the answer ---------------------------------------------------------------------------------------- */

static void refuse_state(struct admin_call *c, const struct certificate_record *r)
{
    char since[CLOCK_TEXT_SIZE];
    clock_text(r->revoked, since);
    if (r->revoked == 0)
        admin_refuse(c, 409, "NOT_HELD", "this certificate is not on hold: there is nothing to release");
    else if (r->revocation_reason == REASON_CERTIFICATE_HOLD)
        admin_refuse(c, 409, "ALREADY_HELD",
                     "this certificate is on hold since %s; revoke it for good, or release it", since);
    else
        admin_refuse(c, 409, "ALREADY_REVOKED",
                     "this certificate is revoked since %s (%s): that is for good and cannot be changed",
                     since, revocation_reason_name(r->revocation_reason));
}

static void changed(struct admin_call *c, const struct store_answer *answer)
{
    const struct certificate_record *r = answer->certificate_count ? answer->certificates : NULL;
    if (answer->outcome == STORE_OK && r) {
        json_t *json = admin_certificate_summary(r);
        json_object_set_new(json, "warning", c->warning ? json_string(c->warning) : json_null());
        admin_answer(c, 200, json);
    } else if ((answer->outcome == STORE_CONFLICT || answer->outcome == STORE_STALE) && r) {
        refuse_state(c, r);
    } else {
        admin_refuse_outcome(c, answer, "certificate");
    }
}

/* ---- the order ----------------------------------------------------------------------------------------- */

/* What goes with the change. The texts live as long as the call. */
static void add_along(struct admin_call *c, const char *alias, const struct certificate_record *r,
                      const char *reason)
{
    struct store_request *request = &c->ask.request;
    audit_detail(&c->details, "serial", r->serial);
    audit_detail(&c->details, "issuer", c->issuer_sha256);
    audit_detail(&c->details, "subject", r->subject);
    audit_detail(&c->details, "reason", reason);
    audit_detail(&c->details, "by", c->by);
    snprintf(c->transaction, sizeof c->transaction, "%s", r->transaction);
    request->events[request->event_count++] =
        audit_event(c->route->audit, alias, c->alias ? c->alias->settings->tenant : "", c->transaction,
                    c->x->client, audit_details_text(&c->details));
    request->obligations[request->obligation_count++] =
        (struct obligation_new){alias, "crl.publish", c->issuer_sha256, 0};
}

static void begin(struct admin_call *c, const struct certificate_record *r)
{
    snprintf(c->issuer_sha256, sizeof c->issuer_sha256, "%s", r->issuer_sha256);
}

static void revoke(struct admin_call *c, const struct certificate_record *r, int64_t now)
{
    const char *alias = admin_alias_known(c, c->parameters[0]);
    enum revocation_reason reason = c->reason;
    begin(c, r);
    if (r->transaction[0] == '\0')
        c->warning = ra_warning;
    else if (r->not_after <= now)
        c->warning = expired_warning;
    store_request_init(&c->ask.request, STORE_CERTIFICATE_REVOKE);
    c->ask.request.certificate_revoke.alias = alias;
    c->ask.request.certificate_revoke.issuer_sha256 = c->issuer_sha256;
    c->ask.request.certificate_revoke.serial = c->parameters[1];
    c->ask.request.certificate_revoke.reason = reason;
    add_along(c, alias, r, reason == REASON_CERTIFICATE_HOLD ? NULL : revocation_reason_name(reason));
    admin_store(c, changed);
}

static void release(struct admin_call *c, const struct certificate_record *r, int64_t now)
{
    const char *alias = admin_alias_known(c, c->parameters[0]);
    (void)now;
    begin(c, r);
    store_request_init(&c->ask.request, STORE_CERTIFICATE_RELEASE);
    c->ask.request.certificate_release.alias = alias;
    c->ask.request.certificate_release.issuer_sha256 = c->issuer_sha256;
    c->ask.request.certificate_release.serial = c->parameters[1];
    add_along(c, alias, r, NULL);
    admin_store(c, changed);
}

/* ---- requests ------------------------------------------------------------------------------------------ */

/* False: answered. */
static bool read_reason(struct admin_call *c, const char *name)
{
    if (!name)
        return true; /* REASON_UNSPECIFIED */
    bool known = revocation_reason_of(name, &c->reason);
    if (known && c->reason == REASON_CA_COMPROMISE)
        admin_refuse(c, 400, "BAD_REASON",
                     "cACompromise is what the issuer of a CA says of that CA: have the CA's certificate "
                     "revoked there, and bring "
                     "the alias another CA; what the old one issued is revoked with \"superseded\"");
    else if (known && c->reason == REASON_CERTIFICATE_HOLD)
        admin_refuse(c, 400, "BAD_REASON", "certificateHold is not for good: hold the certificate instead");
    else if (known && c->reason == REASON_REMOVE_FROM_CRL)
        admin_refuse(c, 400, "BAD_REASON",
                     "removeFromCRL revokes nothing: release a certificate that is on hold");
    else if (known)
        return true;
    else
        admin_refuse(c, 400, "BAD_REASON",
                     "there is no such reason; it is one of unspecified, keyCompromise, affiliationChanged, "
                     "superseded, "
                     "cessationOfOperation, privilegeWithdrawn, aACompromise");
    return false;
}

void admin_certificates_revoke(struct admin_call *c)
{
    const char *reason = NULL;
    const struct admin_member members[] = {{"reason", MEMBER_TEXT, &reason, .min = 1, .max = REASON_MAX}};
    if (admin_members(c, members, 1) && read_reason(c, reason))
        admin_certificate_look(c, revoke);
}

void admin_certificates_hold(struct admin_call *c)
{
    c->reason = REASON_CERTIFICATE_HOLD;
    if (admin_members(c, NULL, 0))
        admin_certificate_look(c, revoke);
}

void admin_certificates_release(struct admin_call *c)
{
    if (admin_members(c, NULL, 0))
        admin_certificate_look(c, release);
}
