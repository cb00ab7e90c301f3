/* rekey.h: seals every value of a store anew under the newest master key, while gateways go on working on it.
 *
 * Walks the sealed values until a walk finds none under an older key. Each is replaced only when it is still
 * the one that was read; one that changed meanwhile is looked at again. Then it counts the challenges that can
 * only be found under older keys, and has the store belong to the newest key. Ended in the middle, it can be
 * started again. Loop thread.
 */
#pragma once

#include "store/store.h"

struct rekey;

/* Challenges that are still good for use and stand under an older key: while there are any, that key must stay. */
struct rekey_dependants {
    char key[KEY_ID_MAX + 1];
    int64_t challenges;
    int64_t last_expires;
};

#define REKEY_DEPENDANTS_MAX (2 * KEYS_MAX)

struct rekey_report {
    bool running;
    bool moved; /* the store belongs to the newest key */
    int64_t looked_at, resealed;
    int64_t
        unreadable; /* under a key that is not in the ring, or altered: nobody could read them before either */
    struct rekey_dependants dependants[REKEY_DEPENDANTS_MAX];
    size_t dependant_count;
    char problem[320]; /* a sentence; "" while there is none */
};

struct rekey_options { /* borrowed until it has ended */
    struct event_base *base;
    struct store *store;
    const struct keys *keys;
    const char *by;               /* for the audit trail; copied */
    bool (*stop)(void *context);  /* ends it at the next turn; NULL: never */
    void (*ended)(void *context); /* NULL: who asks for the report sees it */
    void *context;
};

/* NULL when out of memory. `ended` is never called inside. */
struct rekey *rekey_start(const struct rekey_options *options);
const struct rekey_report *rekey_report(const struct rekey *r);
void rekey_free(struct rekey *r); /* ended, or its store closed; accepts NULL */
