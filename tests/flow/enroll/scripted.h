/* scripted.h: a backend that answers as the test says. Settings name it `type: scripted`.
 *
 * The gateway's own registry is linked as it is; the linker's --wrap puts this type behind its built-in ones.
 */
#pragma once

#include "backends/backend.h"

enum scripted_call { SCRIPTED_ENROLL, SCRIPTED_POLL, SCRIPTED_LOOK_UP, SCRIPTED_CALLS };

enum scripted_certificate { FOR_THIS_KEY, FOR_ANOTHER_KEY, GARBAGE };

/* One answer. Zeroed: a certificate, at once. */
struct script {
    enum backend_verdict verdict;
    enum scripted_certificate certificate;
    const char *cookie;
    int64_t delay;
    const char *reason;
    bool held;     /* waits for scripted_release, or for the deadline */
    bool no_start; /* the call is not started at all */
};

#define SCRIPTED_TEXT_MAX 64

/* What the gateway asked so far. */
struct scripted {
    unsigned calls[SCRIPTED_CALLS];
    unsigned prepared, cancelled;
    char transaction[SCRIPTED_TEXT_MAX]; /* of the newest call */
    char cookie[SCRIPTED_TEXT_MAX];      /* of the newest poll */
    uint8_t plan[16];                    /* of the newest call */
    size_t plan_len;
    bool cannot_prepare;
    bool same_serial; /* the next certificates have the number of the last one */
};
extern struct scripted scripted;

void scripted_reset(void); /* nothing asked, nothing queued, neither polls nor look-ups, not safe to repeat */
void scripted_offers(unsigned flags, bool poll, bool look_up);
void scripted_next(struct script s); /* queued; when the queue is empty: a certificate, at once */
size_t scripted_held(void);
void scripted_release(void); /* the held calls answer, as their script says */
