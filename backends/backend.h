/* backend.h: the contract between scepgate and what turns a CSR into a certificate. C ABI.
 *
 * To add a backend: copy backends/local_ca (or plugins/template), fill a `struct backend_type`, name it with
 * BACKEND_REGISTER. Built-in and loaded backends use this header alone, and nothing else of the gateway.
 *
 * Threads: every call of a backend, and every completion, is made on the loop thread and must not block; long work goes to
 * host->work (a worker thread). A completion is called exactly once, never inside the start function. After `cancel` the
 * completion is not called.
 * Memory: what a call receives is borrowed until its completion unless said otherwise; results are copied by the host
 * before the completion returns. Times are milliseconds (durations) or ms since 1970 UTC.
 * Secrets: a CSR holds its challengePassword; never log or store one in clear.
 *
 * ABI log: 1 first version; 2 ca_chain and ca_key say which of a backend's CAs is meant, a request may name its issuer,
 * revocation lists.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BACKEND_ABI 2

struct backend_bytes {
    const uint8_t *data;
    size_t len;
};

/* ---- results: a closed vocabulary -------------------------------------------------------------------- */

enum backend_verdict {
    BACKEND_ISSUED, /* chain[0] is the certificate, then its issuers up to, not necessarily including, the root */
    BACKEND_PENDING,       /* ask again with `cookie` after `delay` */
    BACKEND_REJECTED,      /* for good; `reason` may be shown to the client */
    BACKEND_UNAVAILABLE,   /* try again after `delay`; `reason` for the log */
    BACKEND_MISCONFIGURED, /* an administrator must act; `reason` says what */
};

#define BACKEND_CHAIN_MAX  8
#define BACKEND_COOKIE_MAX 4096
#define BACKEND_PLAN_MAX   1024

struct backend_result {
    enum backend_verdict verdict;
    struct backend_bytes chain[BACKEND_CHAIN_MAX]; /* DER */
    size_t chain_count;
    struct backend_bytes cookie;
    int64_t delay;
    const char *reason;
    /* `crl` alone, with BACKEND_ISSUED: */
    struct backend_bytes crl; /* DER */
    int64_t this_update, next_update;
};

typedef void backend_done(void *context, const struct backend_result *result);

/* ---- what is asked ------------------------------------------------------------------------------------ */

enum backend_purpose {
    BACKEND_FOR_CLIENT,
    BACKEND_FOR_RA,         /* keyUsage digitalSignature and keyEncipherment (RFC 8894 section 2.1.2) */
    BACKEND_FOR_RA_OPENING, /* keyEncipherment alone */
    BACKEND_FOR_RA_SIGNING, /* digitalSignature alone */
};

/* A request that policy has passed. The parts were cut out of the CSR, whose signature was verified. */
struct backend_request {
    const char *transaction; /* the gateway's own id of this enrolment; the same on every repeat */
    const char *alias;
    const char *tenant;
    enum backend_purpose purpose;
    struct backend_bytes csr;
    struct backend_bytes subject;    /* X.501 Name */
    struct backend_bytes spki;       /* SubjectPublicKeyInfo */
    struct backend_bytes extensions; /* SEQUENCE OF Extension; empty: none asked for */
    int64_t max_validity;            /* of policy; 0: no limit */
    /* The certificate of the CA that shall issue, one of those that ca_chain gave; empty: the one in charge. For
     * `prepare` alone: what it plans is issued by that CA whenever it is repeated. */
    struct backend_bytes issuer;
    struct backend_bytes plan; /* what `prepare` gave, the same on every repeat; empty without `prepare` */
};

/* ---- CAs that follow each other ------------------------------------------------------------------------ */

/* A backend's CA may be followed by another at a set time: until then that one is staged, afterwards the one before
 * stays in reach for what it has issued. */
enum backend_authority {
    BACKEND_CA_CURRENT,  /* in charge: it issues what does not ask for another */
    BACKEND_CA_NEXT,     /* staged: it issues what asks for it */
    BACKEND_CA_PREVIOUS, /* was in charge before: it signs its revocation lists, and what was planned then */
};

/* ---- revocation lists ---------------------------------------------------------------------------------- */

#define BACKEND_SERIAL_MAX 40 /* octets; RFC 5280 allows 20 */

/* One certificate that the gateway recorded as revoked. */
struct backend_revocation {
    int64_t at;
    uint8_t serial[BACKEND_SERIAL_MAX]; /* big-endian, no leading zeros */
    uint8_t serial_len;
    uint8_t reason; /* CRLReason of RFC 5280 section 5.3.1; 6: on hold */
};

struct backend_crl_request {
    struct backend_bytes
        issuer;     /* of the CA certificate, one of those that ca_chain gave; empty: the current CA */
    int64_t number; /* CRLNumber, from 1 on */
    const struct backend_revocation *revocations; /* in no order */
    size_t count;
};

/* ---- gates -------------------------------------------------------------------------------------------- */

/* A gate stands in front of another backend, which its setting row of type BACKEND_SETTING_BACKEND names, and issues
 * nothing itself: it says which requests have to wait for people. The host keeps those, takes the people's word
 * (`scepgate approve | deny`), lets them expire, and gives what passes or was approved to the backend behind, with all that
 * is promised of that one, as if the gate were not there. */

enum backend_challenge {
    BACKEND_CHALLENGE_GOOD,    /* a challenge was asked for and was right */
    BACKEND_CHALLENGE_UNASKED, /* the alias lets everybody enrol */
    BACKEND_CHALLENGE_MISSING, /* one was asked for, and the request has none: refused, unless it is held */
};

/* What a gate decides by. */
struct backend_facts {
    bool renewal; /* signed with the certificate that it renews, which stands for the challenge */
    enum backend_challenge challenge;
    const char *subject;      /* RFC 2253 */
    const char *const *names; /* subject alternative names with their kinds: "dns:host.example" */
    size_t name_count;
};

/* Texts live as long as the gate, or are static. */
struct backend_admission {
    bool hold;          /* has to wait for people */
    int approvals;      /* how many different people have to approve it */
    const char *reason; /* why, for people */
    /* Without `hold`: the host holds it nevertheless when so many requests of its alias have passed within the
     * period. The count is exact, and shared by all who share the store. 0: no limit. */
    int pass_limit;
    int64_t pass_period;
    const char *limit_reason;
};

typedef void backend_announced(void *context, const char *problem); /* NULL: delivered */

/* ---- host services ------------------------------------------------------------------------------------ */

struct backend_host;
struct backend_op; /* a started operation, for cancel; the backend defines it */

enum backend_log_level { BACKEND_LOG_DEBUG, BACKEND_LOG_INFO, BACKEND_LOG_WARNING, BACKEND_LOG_ERROR };

struct backend_services {
    /* Runs `run` on a worker and then `done` on the loop thread. false: queue full, nothing happens. */
    bool (*work)(struct backend_host *h, void (*run)(void *), void (*done)(void *), void *data);
    /* Calls `fire` once on the loop thread after `delay`. NULL when out of memory. */
    void *(*timer_start)(struct backend_host *h, int64_t delay, void (*fire)(void *), void *data);
    void (*timer_stop)(struct backend_host *h, void *timer); /* not after it fired */
    int64_t (*now)(struct backend_host *h);                  /* ms since 1970 UTC */
    void (*log)(struct backend_host *h, enum backend_log_level level, const char *sentence);
    /* Settings of this backend, by the path of its row; texts live as long as the backend instance. */
    const char *(*setting_text)(struct backend_host *h, const char *path); /* NULL when unset */
    int64_t (*setting_number)(struct backend_host *h, const char *path);
    size_t (*setting_count)(struct backend_host *h, const char *path);
    const char *(*setting_item)(struct backend_host *h, const char *path, size_t index);
    const char *(*name)(struct backend_host *h);         /* of this instance in the settings */
    const char *(*state_folder)(struct backend_host *h); /* a folder of its own, mode 0700, exists */
};

/* ---- the backend -------------------------------------------------------------------------------------- */

/* Settings rows; mirrors the gateway's own (gateway/settings/block.h). */
enum backend_setting_type {
    BACKEND_SETTING_BOOL,
    BACKEND_SETTING_INT,
    BACKEND_SETTING_DURATION,
    BACKEND_SETTING_TEXT,
    BACKEND_SETTING_PATH,
    BACKEND_SETTING_CHOICE,
    BACKEND_SETTING_LIST,
    BACKEND_SETTING_CHOICES,
    BACKEND_SETTING_SECRET,
    BACKEND_SETTING_BACKEND, /* the name of another backend, which is no gate; a text. For gates alone, one each */
};

struct backend_setting {
    const char *path;
    enum backend_setting_type type;
    int64_t min, max;
    const char *initial;
    const char *choices;
    bool required;
    const char *help;
};

#define BACKEND_CAN_CERTIFY_RA                                                                               \
    0x1 /* issues certificates with keyEncipherment for the gateway's own RA keys */
#define BACKEND_SAFE_TO_REPEAT 0x2 /* enrolling the same transaction twice gives one certificate */

struct backend_type {
    int abi; /* BACKEND_ABI */
    const char *name;
    const char *help;
    unsigned flags;
    const struct backend_setting *settings;
    size_t setting_count;

    /* Opens an instance. May read files and make keys: called at start-up, or on a worker at reload (not the loop thread).
     * On failure false and a sentence in `problem` (the setting and what to do). */
    bool (*open)(void **instance, struct backend_host *host, const struct backend_services *services,
                 char *problem, size_t problem_size);
    void (*close)(void *instance); /* no operation is running */

    /* Optional. Decides, before the transaction is stored, what a repeat must reproduce (serial, validity): writes at most
     * BACKEND_PLAN_MAX bytes and returns their number, 0 on failure. Must not block. */
    size_t (*prepare)(void *instance, const struct backend_request *request, uint8_t *plan);
    /* Starts an enrolment; NULL when it could not be started (counts as unavailable; `done` is not called). */
    struct backend_op *(*enroll)(void *instance, const struct backend_request *request, backend_done *done,
                                 void *context);
    /* Optional with BACKEND_PENDING: asks again. */
    struct backend_op *(*poll)(void *instance, const struct backend_request *request,
                               struct backend_bytes cookie, backend_done *done, void *context);
    /* Optional: what became of a submission whose answer was lost; a result as from enroll. */
    struct backend_op *(*look_up)(void *instance, const struct backend_request *request, backend_done *done,
                                  void *context);
    void (*cancel)(void *instance, struct backend_op *op);
    /* The CA certificates, issuing CA first, up to the root, as BACKEND_ISSUED with only the chain. BACKEND_REJECTED
     * when there is no such CA, which is so for NEXT and PREVIOUS in backends that know one CA alone. With NEXT, `delay`
     * says after how many ms it will be in charge. */
    struct backend_op *(*ca_chain)(void *instance, enum backend_authority which, backend_done *done,
                                   void *context);
    /* Optional: the CRL of a CA, as BACKEND_ISSUED with `crl` and its times. A backend that issues with a key of its
     * own signs what the gateway recorded; one whose CA keeps its own list ignores the entries and gives the CA's
     * present CRL. REJECTED: there will be none for this CA; `reason` says why. */
    struct backend_op *(*crl)(void *instance, const struct backend_crl_request *request, backend_done *done,
                              void *context);
    /* With `crl`: how long after one list the next is due, whether or not anything changed. */
    int64_t (*crl_interval)(void *instance);
    /* Optional: CA-as-RA. The key and certificate as PEM in a host-freed (free) text; false when it will not, or
     * there is no such CA. */
    bool (*ca_key)(void *instance, enum backend_authority which, char **key_pem, char **certificate_pem);
    /* A gate has `admit`, and open and close, but none of the calls from `prepare` on. Fills `admission`, which is zeroed:
     * passes. Called once per request, before its transaction is stored. Must not block. */
    void (*admit)(void *instance, const struct backend_request *request, const struct backend_facts *facts,
                  struct backend_admission *admission);
    /* Optional, of a gate: tells people that a request waits for them. `notice` is a JSON object. False when it could not be
     * started, and then `done` is not called. The host repeats what failed, with growing pauses, while the request waits: people may hear of it twice. It
     * bounds its own time, well below a minute, and is not cancelled. */
    bool (*announce)(void *instance, const char *notice, backend_announced *done, void *context);
    /* Optional: true when it can serve; else a sentence in `problem`. Must not block. */
    bool (*health)(void *instance, char *problem, size_t problem_size);
};

/* One exported symbol for loaded backends; built-in ones are listed in gateway/issuing/registry.c. */
#define BACKEND_REGISTER(type_object) const struct backend_type *const scepgate_backend = &(type_object)

#ifdef __cplusplus
}
#endif
