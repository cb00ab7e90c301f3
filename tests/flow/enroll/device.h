/* device.h: a SCEP client of the tests: makes messages as wished, sends them over a socket of its own, reads
 * the reply. */
#pragma once

#include "flow/enroll/gateway.h"
#include "flow/http/client.h"
#include "scep/client.h"

#define DEVICE_KEYS   4
#define DEVICE_EC_KEY 3 /* it can only sign */

/* The same members make the same CSR. Zeroed: PKCSReq, alias demo, key 0, signed by itself, CN=device. */
struct wish {
    enum scep_message_type type;
    const char *alias;
    const char *challenge; /* NULL: none */
    const char *cn;
    const char *sans;
    const char *transaction;
    int key;              /* that is to be certified: 0 … DEVICE_KEYS - 1 */
    X509 *recipient;      /* NULL: the RA certificate that the alias has */
    X509 *signer;         /* NULL: self-signed, of `key` */
    EVP_PKEY *signer_key; /* with `signer` */
    bool get;             /* by GET with base64 */
    bool text;            /* by POST of base64 */
    bool spoil;           /* one octet of the signature is another */
    struct bytes body;    /* instead of a message */
    const char *password; /* that opens the reply to a key that only signs; NULL: `challenge` */
};

EVP_PKEY *device_key(int n); /* borrowed; RSA but for DEVICE_EC_KEY, made once per program */
X509 *device_signer(int n);  /* borrowed; self-signed with that key */

/* One exchange under way. */
struct call {
    struct gateway *gateway;
    struct client client;
    struct scep_client_request request;
    X509 *self;
    X509_NAME *name;
    const char *password;
    struct buffer csr, der;
};

struct answer {
    struct response http;
    int status; /* of HTTP; 0: the server closed */
    enum scep_pki_status pki;
    enum fail_info fail;
    char fail_text[512];
    char serial[80];   /* SUCCESS: hex */
    bool for_key;      /* SUCCESS: exactly one certificate, for the wished key */
    uint8_t nonce[16]; /* senderNonce */
    char problem[480]; /* the reply is no CertRep to this request */
};

void call_start(struct call *c, struct gateway *g, const struct wish *w);
void call_finish(struct call *c, struct answer *a);
void call_abandon(struct call *c); /* the client goes away */
void device_ask(struct gateway *g, const struct wish *w, struct answer *a);
/* For checks: did the exchange end so? Prints what it was otherwise. */
bool answer_is(const struct answer *a, enum scep_pki_status pki, enum fail_info fail);
bool answer_is_http(const struct answer *a, int status);
void answer_free(struct answer *a);
