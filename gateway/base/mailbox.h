/* mailbox.h: how a thread hands work back to the loop thread.
 *
 * Any thread posts; the letters run on the loop thread, in the order posted, one batch per loop turn.
 * The poster fills the letter and owns its memory until `deliver` is called with it. An eventfd wakes the
 * loop: the base needs no locks (evthread) for this, and an open mailbox keeps event_base_dispatch running.
 */
#pragma once

#include "base/error.h"

struct event_base;
struct mailbox;

struct letter {
    struct letter *next; /* the mailbox's while posted */
    void (*deliver)(struct letter *letter);
};

enum error_code mailbox_create(struct mailbox **out, struct event_base *base, struct error *e);
/* On the loop thread, not inside a delivery, and only when no thread can post any more. Delivers what is
 * still inside first. Accepts NULL. */
void mailbox_destroy(struct mailbox *m);
void mailbox_post(struct mailbox *m, struct letter *letter);
