/* sqlite_list.c: one page of a list, newest first. Any filter may have to pass over many rows, so a page is
 * scanned in slices between which other reads have their turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/sqlite_inside.h"

#define SLICE 2000 /* rows */

bool sqlite_filter_name(const char *wanted, const char *have)
{
    return !wanted || strcmp(wanted, have) == 0;
}

bool sqlite_filter_text(const char *wanted, struct bytes have)
{
    size_t len = wanted ? strlen(wanted) : 0;
    if (len == 0)
        return true;
    for (size_t i = 0; i + len <= have.len; i++)
        if (strncasecmp((const char *)have.data + i, wanted, len) == 0)
            return true;
    return false;
}

static void add_record(struct sqlite_reader *r, struct sqlite_call *c, const struct sqlite_list *list,
                       int64_t sequence)
{
    struct query q = query_start(&r->link, list->record);
    query_put_number(&q, sequence);
    if (query_row(&q)) {
        list->add(&q, c->answer);
        c->answer->total++;
        c->at = sequence;
    }
    query_end(&q);
}

/* The cursor is the last row of the page; it is given when another row that matches is behind it. */
static void set_next(struct sqlite_reader *r, struct sqlite_call *c)
{
    char cursor[24];
    snprintf(cursor, sizeof cursor, "%lld", (long long)c->at);
    const char *copy = arena_text(c->answer->arena, cursor);
    if (copy)
        c->answer->next = copy;
    else
        link_fail(&r->link, SQLITE_NOMEM);
}

enum sqlite_progress sqlite_list_page(struct sqlite_reader *r, struct sqlite_call *c,
                                      const struct sqlite_list *list)
{
    const struct store_list_filter *f = &c->request->list;
    if (!c->started) {
        c->started = true;
        c->passed = c->at = f->after ? strtoll(f->after, NULL, 10) : INT64_MAX;
    }
    int limit = f->limit < 1 ? 1 : f->limit > 1000 ? 1000 : f->limit;
    enum sqlite_progress progress = SQLITE_READ_DONE;
    struct query q = query_start(&r->link, list->scan);
    query_put_number(&q, c->passed);
    for (int scanned = 0; query_row(&q); scanned++) {
        if (scanned == SLICE) {
            progress = SQLITE_READ_MORE;
            break;
        }
        c->passed = query_number(&q, 0);
        if (!list->match(r, &q, f))
            continue;
        if (c->answer->total == limit) {
            set_next(r, c);
            break;
        }
        add_record(r, c, list, c->passed);
    }
    query_end(&q);
    return progress;
}
