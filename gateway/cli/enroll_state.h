/* enroll_state.h: what `scepgate enroll --out DIR` keeps of an unfinished enrolment, so that it can go on
 * after an interruption.
 *
 *   enroll.json   URL, transactionID, message type, whether the server said PENDING, paths of the keys
 *   request.pem   the CSR (mode 0600: it holds the challenge)
 *   signer.pem    the certificate that signs the messages
 */
#pragma once

#include <stdbool.h>

#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/error.h"
#include "scep/message.h"

struct enroll_state {
    char *url;
    char *transaction_id;
    char *key_path;        /* of the CSR's key */
    char *signer_key_path; /* the same, unless an older certificate signs */
    enum scep_message_type type;
    bool pending; /* false: sent, or about to be */
    struct buffer csr;
    X509 *signer;
};

/* ERR_OK and *found false when there is nothing to resume. */
enum error_code enroll_state_load(struct enroll_state *s, bool *found, const char *folder, struct error *e);
/* Makes the folder when it is missing. */
enum error_code enroll_state_save(const struct enroll_state *s, const char *folder, struct error *e);
bool enroll_state_exists(const char *folder);
void enroll_state_remove(const char *folder);
void enroll_state_init(struct enroll_state *s);
void enroll_state_free(struct enroll_state *s);
