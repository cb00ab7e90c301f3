/* enrolment.h: one request on its way through the story; private to the room.
 *
 * Lives from a complete HTTP request to its reply. Loop thread, except for the jobs, which own what they
 * touch.
 */
#pragma once

#include "challenge/challenge.h"
#include "enroll/outcome.h"
#include "enroll/persist.h"
#include "enroll/service.h"
#include "enroll/submission.h"
#include "policy/policy.h"
#include "policy/renewal.h"

enum step_result {
    STEP_NEXT,    /* go on with this->step, which is the next row unless the function has set another */
    STEP_WAIT,    /* parked: whoever completes calls enrolment_resume */
    STEP_SETTLED, /* the outcome is known: jump to the tail */
    STEP_FAIL,    /* the outcome is this->error: jump to the tail */
};

/* The rows of the story, in order; enroll.c holds the functions. The tail begins at RECOLLECT. */
#define ENROLMENT_STEPS(ROW)                                                                                 \
    ROW(OPEN, open) /* worker: both stages of reading the message */                                         \
    ROW(OPENED, opened)                                                                                      \
    ROW(ADMIT, admit)   /* pure: is this a message we serve, signed by whom it should be? */                 \
    ROW(RECALL, recall) /* store: finished, pending and running transactions are answered here */            \
    ROW(RECALLED, recalled)                                                                                  \
    ROW(CONSULT, consult)     /* store: the certificate that signed, when it may be a renewal */             \
    ROW(CONSULTED, consulted) /* pure: renewal rules */                                                      \
    ROW(AUTHORISE, authorise) /* validator: looks at the challenge, binds nothing */                         \
    ROW(AUTHORISED, authorised)                                                                              \
    ROW(DECIDE, decide)   /* pure: policy */                                                                 \
    ROW(BEGIN, begin)     /* store: bind the challenge, create the transaction, take the lease */            \
    ROW(BEGUN, begun)     /* ours: on to submit */                                                           \
    ROW(TAKE_UP, take_up) /* store: from recalled only: claim what is due or orphaned */                     \
    ROW(TAKEN_UP, taken_up)                                                                                  \
    ROW(SUBMIT, submit) /* backend, then record: both belong to the submission */                            \
    ROW(SUBMITTED, submitted)                                                                                \
    ROW(INTRODUCE, introduce) /* store: from admit only, GetCert: the certificate that signed */             \
    ROW(INTRODUCED, introduced)                                                                              \
    ROW(LOOK_UP, look_up) /* store: the certificate that is asked for; GetCRL: the publisher */              \
    ROW(LOOKED_UP, looked_up)                                                                                \
    ROW(RECOLLECT, recollect) /* worker: the challenge that an EC client's reply is encrypted with */        \
    ROW(RECOLLECTED, recollected)                                                                            \
    ROW(SEAL, seal) /* worker: the CertRep */                                                                \
    ROW(SEALED, sealed)                                                                                      \
    ROW(REPLY, reply) /* and audit */

enum step {
#define ROW(code, name) STEP_##code,
    ENROLMENT_STEPS(ROW)
#undef ROW
        STEP_COUNT
};

/* The certificate that a GetCert or GetCRL names. One that could not be read has texts that match nothing. */
struct look_up_facts {
    char issuer_sha256[65];
    char serial[CERTIFICATE_SERIAL_SIZE]; /* "" for a number that no certificate has */
};

/* Input and output of the open job. */
struct opening {
    struct bytes der; /* inside `decoded`, or the exchange's body */
    struct buffer decoded;
    struct scep_rules rules;
    struct ra_set *ra; /* a reference */
    const struct proxy_signers *proxies;
    struct trust *trust; /* a reference; NULL without renewal */
    int64_t now;
    struct scep_message *message;
    bool proxy; /* the signer may enrol for others */
    struct buffer signer_der;
    struct certificate_facts
        signer; /* with a signer that is not self-signed: of what may be a renewal, of GetCert */
    struct renewal_facts renewal_facts; /* all that a worker can tell */
    struct look_up_facts asked;         /* GetCert and GetCRL */
    enum error_code code;
    struct error error;
};

/* Input and output of the seal job. */
struct sealing {
    struct scep_reply reply;
    struct buffer der;
    enum error_code code;
    struct error error;
};

enum renewal_part {
    RENEWAL_NONE,
    RENEWAL_ASKED,      /* it may be one: the rules have not been asked yet */
    RENEWAL_PROVED,     /* the certificate stands for the challenge */
    RENEWAL_HELD_AGAIN, /* of a transaction that waits for its certificate's revocation state */
};

struct enrolment {
    struct enroll *service;
    struct gateway_settings *settings; /* a reference: a request keeps what it began with */
    struct http_exchange *exchange;
    struct alias *alias; /* a reference */
    char request_id[ID_TEXT_SIZE];
    char client[72];        /* address:port; outlives the exchange */
    char *transaction_text; /* transactionID, printable; NULL until opened */
    enum step step;
    bool in_tail;
    char given_back[ID_TEXT_SIZE]; /* challenge whose use the superseded transaction gives back; "" */
    bool looked_for_ra;            /* asked whether another replica made the recipient's identity */
    bool looked_again;             /* recalled once more before calling a challenge reused */
    int64_t started, step_started; /* monotonic */
    int64_t pause;                 /* ms until the next look at a busy transaction */
    struct event *timer;           /* wait for a busy transaction, or for a submission */
    struct opening opening;
    struct challenge_verdict challenge;
    struct verdict policy;
    bool introduced; /* GetCert: the signer holds a valid certificate of this alias */
    enum renewal_part renewal;
    struct renewal_verdict renewal_verdict;
    struct error error; /* FAIL: code, and the cause for log and audit */
    struct store_request request;
    struct persist persist;
    struct store_answer *answer; /* of the last store operation */
    struct buffer sealed_csr;
    uint8_t plan[BACKEND_PLAN_MAX];
    char record_id[ID_TEXT_SIZE];
    struct backend_admission admission; /* what the gate said; zeroed: it passes, or there is no gate */
    bool admitted;                      /* the gate was asked */
    struct audit_details details, held_details;
    struct submission_order order; /* what begun or taken up found */
    struct submission *submission;
    struct outcome outcome;
    enum scep_delivery delivery; /* of a SUCCESS */
    struct secret password;      /* the challenge, for a signer whose key cannot encrypt */
    struct sealing sealing;
};

/* Drives `e` from its current step until it waits or is over. */
void enrolment_run(struct enrolment *e);
/* What a completion calls. */
void enrolment_resume(struct enrolment *e);
void enrolment_free(struct enrolment *e);
/* Sets error and text, returns STEP_FAIL. */
enum step_result enrolment_fail(struct enrolment *e, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct log_scope enrolment_scope(const struct enrolment *e);
/* ms left of enroll.wait; 0 when it is over. */
int64_t enrolment_patience(const struct enrolment *e);

/* Starts e->request; the row after this one finds e->answer. */
enum step_result enrolment_ask_store(struct enrolment *e);
enum step_result enrolment_store_failed(struct enrolment *e); /* with e->answer */

/* On a worker: signer_der and signer of `o`. */
bool opening_read_signer(struct opening *o);

/* look_up.c: GetCert and GetCRL. On a worker, whether the message could be read or not. */
void look_up_read(struct opening *o);
/* May it be asked, and could the answer be encrypted? Said without a look at what is asked for. */
enum step_result look_up_admit(struct enrolment *e);

/* renewal.c: what a worker can tell of the signer; of a message that opened. */
void renewal_read(struct opening *o);
/* May this be a renewal? Decides e->renewal. */
void renewal_suspect(struct enrolment *e);
/* Is that the transaction that issued the very certificate that is renewed now? */
bool renewal_of_outcome(const struct enrolment *e, const struct transaction_record *record);

#define ROW(code, name) enum step_result step_##name(struct enrolment *e);
ENROLMENT_STEPS(ROW)
#undef ROW
