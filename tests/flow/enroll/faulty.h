/* faulty.h: a store in front of the real one that loses answers, refuses and delays as the test says. */
#pragma once

#include "store/store.h"

struct event_base;

#define FAULT_SLOW_TIME 400 /* ms */

enum fault {
    FAULT_NONE,
    FAULT_LOST_DONE,     /* UNKNOWN, and it was done */
    FAULT_LOST_NOT_DONE, /* UNKNOWN, and it was not done */
    FAULT_UNAVAILABLE,
    FAULT_SLOW,      /* UNAVAILABLE, after FAULT_SLOW_TIME */
    FAULT_HELD,      /* given to the store when the test releases it */
    FAULT_HELD_DONE, /* done at once, answered when the test releases it */
};

struct faulty_call;

struct faulty_store {
    struct store store; /* first: this is a store */
    struct store *real;
    struct event_base *base;
    bool not_ready;
    unsigned asked[STORE_OPERATION_COUNT];
    unsigned other_ids[STORE_OPERATION_COUNT]; /* of repeats after a fault: those with a fresh operation id */
    struct {
        enum fault fault;
        int times; /* how many of the next calls it meets */
        char id[ID_TEXT_SIZE];
    } rules[STORE_OPERATION_COUNT];
    struct faulty_call *held; /* oldest first */
};

void faulty_init(struct faulty_store *f, struct event_base *base, struct store *real);
void faulty_rule(struct faulty_store *f, enum store_operation operation, enum fault fault, int times);
size_t faulty_held(const struct faulty_store *f);
void faulty_release(struct faulty_store *f); /* the oldest held call */
