/* pwri.h: what a PasswordRecipientInfo (RFC 5652 section 6.2.4) may cost before it is opened. Pure. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#define SCEP_PBKDF2_ITERATIONS_MAX 1000000
#define SCEP_PBKDF2_SALT_MAX       1024

/* ERR_ALGORITHM_REFUSED when any password recipient of this EnvelopedData ContentInfo derives its key by
 * something else than PBKDF2 within these bounds. OpenSSL has no bound of its own: five million iterations
 * cost seconds. */
enum error_code scep_pwri_check(struct bytes enveloped, struct error *e);
