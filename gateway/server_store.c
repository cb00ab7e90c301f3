/* server_store.c: opens the store that the settings name, and tells what the store says. */
#include "base/log.h"
#include "server_parts.h"
#include "storage/opening.h"

static void on_notice(void *context, bool is_problem, const char *event, const char *sentence)
{
    (void)context;
    log_line(is_problem ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, NULL, event, "%s", sentence);
}

enum error_code server_open_store(struct server *s, struct error *e)
{
    const struct storage_options options = {.settings = s->settings,
                                            .base = s->base,
                                            .make_key = true,
                                            .make_store = true,
                                            .notice = on_notice,
                                            .context = s};
    struct storage storage;
    enum error_code code = storage_open(&storage, &options, e);
    s->keys = storage.keys;
    s->store = storage.store;
    return code;
}
