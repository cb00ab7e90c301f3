/* fake_backend.h: a backend that answers as the test says; certificates come from a local_ca behind it. */
#pragma once

#include "issuing/backends.h"

enum fake_mode {
    FAKE_ISSUE, /* as the local_ca does */
    FAKE_PEND,  /* PENDING with a cookie at enroll; the local_ca's answer at poll */
    FAKE_REJECT,
    FAKE_UNAVAILABLE,
    FAKE_REFUSE,  /* cannot be started */
    FAKE_SILENT,  /* never answers by itself; fake_release does */
    FAKE_INSIDE,  /* completes inside the start function, against the contract */
    FAKE_NOTHING, /* ISSUED without a certificate, against the contract */
};

struct fake {
    enum fake_mode mode;
    void *inner; /* an opened local_ca; NULL where no certificate is needed */
    const struct backend_services *services;
    struct backend_host *host;
    int enrolled, polled, looked_up, cancelled, waiting;
    char transaction[64]; /* of the newest request */
    struct backend_op *held[16];
    struct backend_settings values; /* of its instance: the fake must outlive the backends */
};

extern const struct backend_type fake_type;        /* certifies an RA, is safe to repeat */
extern const struct backend_type fake_deaf_type;   /* cannot cancel, has no health */
extern const struct backend_type fake_client_type; /* certifies clients alone, not safe to repeat */

/* Puts an instance of the type in front of `b` under `name`; the fake stays the caller's. */
struct backend_instance *fake_open(struct backends *b, const struct backend_type *type, const char *name,
                                   struct fake *f);
/* Answers everything that is held, now. */
void fake_release(struct fake *f, enum backend_verdict verdict);
