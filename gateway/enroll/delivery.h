/* delivery.h: whether a reply can be encrypted to the client, and with what (RFC 8894 section 3.1).
 *
 * An RSA key opens its replies itself. Of a key that only signs the challenge password has to do it, which a
 * PKCSReq brings along, and which a CertPoll finds in the stored request. Loop thread.
 */
#pragma once

#include "enroll/enrolment.h"

/* Refuses a request whose certificate could not be delivered, before anything is looked up, bound or issued
 * (checklist V-05). */
enum step_result delivery_admit(struct enrolment *e);
/* Keeps the challenge of a request when the reply will need it. */
void delivery_learn(struct enrolment *e, const struct csr *csr);
/* Whether a poll after the end of the transaction could need its request. */
bool delivery_needs_csr(const struct csr *csr, const struct alias_settings *a);
