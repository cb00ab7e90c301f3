/* fake_store.c: see fake_store.h. */
#include "support/fake_store.h"

#include <stdlib.h>

struct asked {
    struct fake_store *fake;
    const struct store_request *request; /* the contract keeps it alive; a sanitizer notices when it is not */
    store_done *done;
    void *context;
};

static void deliver(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct asked asked = *(struct asked *)context;
    free(context);
    struct arena *arena = arena_create();
    struct store_answer *answer = arena_alloc(arena, sizeof *answer);
    answer->arena = arena;
    answer->reason = answer->next = "";
    asked.fake->open--;
    asked.fake->answer(asked.fake, asked.request, answer);
    asked.done(asked.context, answer);
}

static void submit(struct store *s, const struct store_request *request, store_done *done, void *context)
{
    struct fake_store *fake = (struct fake_store *)s;
    struct asked *asked = malloc(sizeof *asked);
    if (!asked)
        abort();
    *asked = (struct asked){fake, request, done, context};
    fake->asked[request->operation]++;
    fake->open++;
    const struct timeval now = {0, 0};
    event_base_once(fake->base, -1, EV_TIMEOUT, deliver, asked, &now);
}

static bool ready(const struct store *s, char *problem, size_t size)
{
    (void)s;
    (void)problem;
    (void)size;
    return true;
}

static void close_fake(struct store *s)
{
    (void)s;
}

static const struct store_type type = {submit, ready, close_fake};

void fake_store_init(struct fake_store *fake, struct event_base *base)
{
    *fake = (struct fake_store){.store.type = &type, .base = base};
}
