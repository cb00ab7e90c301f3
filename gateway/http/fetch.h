/* fetch.h: one blocking HTTP exchange with another server: for tools, and for threads that may wait. */
#pragma once

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/error.h"

#define FETCH_BODY_MAX (4 * 1024 * 1024)

struct fetch {
    const char *url;
    struct bytes body;        /* `data` set: POST, as application/x-pki-message */
    int timeout_seconds;      /* for the whole exchange */
    const char *tls_ca;       /* PEM file of trusted CAs; NULL: the system's */
    size_t limit;             /* of the answer's body; 0: FETCH_BODY_MAX */
    const _Atomic bool *stop; /* gives up when this becomes true; NULL: never */
};

struct fetch_reply {
    long status;
    char content_type[128];
    struct buffer body;
};

/* ERR_BACKEND_UNAVAILABLE, with a sentence, when there is no HTTP answer at all. Whatever the status is, the
 * body is the caller's to free with fetch_reply_free. Redirects are not followed: a SCEP message belongs to
 * the server that it was made for. */
enum error_code fetch(struct fetch_reply *out, const struct fetch *f, struct error *e);
void fetch_reply_free(struct fetch_reply *r);
