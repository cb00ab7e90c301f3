/* requests.h: a device, two RA identities and a good request between them, for the tests of the opener to
 * bend. */
#pragma once

#include <openssl/x509v3.h>
#include <string.h>

#include "base/cleanup.h"
#include "identities.h"
#include "making.h"
#include "scep/open.h"

struct requests {
    EVP_PKEY *ra_key, *other_key, *device_key, *ec_key;
    X509 *ra, *old_ra, *other, *device, *ec_device;
    struct scep_recipient recipients[2]; /* `ra`, then `old_ra` */
    struct scep_rules rules;
    struct csr_wish csr;
    struct envelope_wish envelope; /* `payload` empty: the CSR */
    struct message_wish message;   /* `content` empty: the envelope */
    struct scep_message *opened;
    struct error e;
};

extern struct requests f;

void requests_start(void);
void requests_end(void);
struct bytes request_made(void);
/* Opens it into f.opened and f.e. */
enum error_code request_open(struct bytes der);
/* Makes and opens; the whole must come out good, or with this code, text and (when `answerable`) what a
 * CertRep needs. */
void request_accepted(void);
void request_refused(enum error_code code, const char *text);
void request_refused_der(struct bytes der, enum error_code code, const char *text, bool answerable);
