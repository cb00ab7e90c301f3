/* certificate.h: plans and makes certificates. A plan fixes serial, validity and the CA, so that making it again
 * gives the same certificate, also when that CA was followed by another meanwhile. */
#pragma once

#include "backends/local_ca/authorities.h"

/* Version, 20 octets of serial, notBefore, notAfter (seconds, big-endian), the id of the CA. */
#define PLAN_SIZE (37 + AUTHORITY_ID_SIZE)

struct certificate_order {
    enum backend_purpose purpose;
    struct backend_bytes subject;    /* Name */
    struct backend_bytes spki;       /* SubjectPublicKeyInfo, copied as it is */
    struct backend_bytes extensions; /* as requested; only subjectAltName is looked at */
    struct backend_bytes plan;
};

enum certificate_result { CERTIFICATE_MADE, CERTIFICATE_REFUSED, CERTIFICATE_FAILED };

/* `max_validity` in seconds, 0: none. Neither side of the validity leaves the CA's. false when that leaves
 * nothing or the random generator fails. */
bool certificate_plan(uint8_t plan[PLAN_SIZE], const struct authority *by, int64_t max_validity, int64_t now,
                      struct problem *p);
/* The CA that a plan names; NULL when it is none of `a`. */
const struct authority *certificate_planned_by(const struct authorities *a, struct backend_bytes plan);
/* REFUSED: the request cannot be certified; FAILED: the CA or the plan is unusable. Thread-safe. */
enum certificate_result certificate_make(struct der *out, const struct authority *by,
                                         const struct certificate_order *order, struct problem *p);
