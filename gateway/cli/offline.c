/* offline.c: see offline.h. */
#include "cli/offline.h"

#include <stdio.h>

static void tell(void *context, bool is_problem, const char *event, const char *sentence)
{
    (void)context;
    (void)event;
    if (is_problem)
        fprintf(stderr, "scepgate: %s\n", sentence);
}

bool offline_open(struct storage *out, const struct gateway_settings *settings, struct event_base *base,
                  bool make)
{
    const struct storage_options options = {
        .settings = settings, .base = base, .make_store = make, .notice = tell};
    struct error e = {0};
    char problem[256] = "";
    if (storage_open(out, &options, &e) != ERR_OK) {
        fprintf(stderr, "scepgate: %s\n", error_text(&e));
        return false;
    }
    if (store_ready(out->store, problem, sizeof problem))
        return true;
    fprintf(stderr, "scepgate: the store is not ready: %s\n", problem);
    storage_close(out);
    return false;
}
