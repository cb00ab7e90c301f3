/* submission.h: one submission to a backend, from a claim to its recorded result.
 *
 * It belongs to the transaction, not to the connection: when the client has gone or was told PENDING it goes
 * on, and what the backend says is recorded all the same. Loop thread.
 *
 * The stored cookie says in its first byte how to go on: 'E' enrol again, 'C' poll with the rest, 'L' look up
 * a lost submission, 'R' judge
 * once more whether the certificate that is renewed is revoked; nothing was submitted before.
 */
#pragma once

#include "enroll/outcome.h"
#include "enroll/service.h"

struct submission;
struct renewal_verdict;

/* Is it a renewal that waits for its certificate's revocation state? */
bool submission_is_held(const struct transaction_record *record);
struct bytes submission_held_cookie(void);
struct bytes submission_fresh_cookie(void); /* enrol, now that it is known */

struct submission_order {
    struct alias *alias; /* a reference is taken */
    const char *record_id;
    uint64_t claim;
    struct csr *csr;                 /* handed over, also on failure */
    struct bytes plan;               /* copied */
    struct bytes cookie;             /* as stored; copied */
    const char *renews;              /* serial of the certificate whose renewal it is, "" or NULL; copied */
    const uint8_t *recipient_sha256; /* RA certificate that it was sent to; NULL with a plan. Copied */
    const char *held; /* waits for its certificate's revocation state: why; NULL: it does not */
    const struct renewal_verdict *refused; /* what a held one turned out to be; NULL otherwise */
    bool first;                            /* begun just now: nothing can have been submitted yet */
    bool approved;      /* people have approved it: it goes on whether its client asks or not */
    const char *client; /* address of the request, for audit and log; copied */
};

/* Called once, on the loop thread, when the result is recorded, or when it could not be (then PENDING:
 * nothing is promised). */
typedef void submission_done(void *context, const struct outcome *outcome);

/* NULL when out of memory: the lease runs out and the transaction is taken up again. */
struct submission *submission_start(struct enroll *service, const struct submission_order *order,
                                    submission_done *done, void *context);
/* `done` will not be called; the submission goes on. */
void submission_forget(struct submission *s);
