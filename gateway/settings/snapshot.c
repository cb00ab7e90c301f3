/* snapshot.c: life and comparison of snapshots. */
#include "settings/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "settings/section.h"
#include "settings/settings.h"
#include "settings/store_url.h"

struct alias_settings *alias_settings_ref(struct alias_settings *s)
{
    __atomic_fetch_add(&s->references, 1, __ATOMIC_RELAXED);
    return s;
}

void alias_settings_unref(struct alias_settings *s)
{
    if (!s || __atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    block_unref(s->block);
    free(s); /* name and origin lie behind the struct */
}

bool alias_settings_equal(const struct alias_settings *a, const struct alias_settings *b)
{
    return a == b || (strcmp(a->name, b->name) == 0 && setting_block_equal(a->block, b->block));
}

struct gateway_settings *gateway_settings_ref(struct gateway_settings *s)
{
    __atomic_fetch_add(&s->references, 1, __ATOMIC_RELAXED);
    return s;
}

void gateway_settings_unref(struct gateway_settings *s)
{
    if (!s || __atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (size_t i = 0; i < s->alias_count; i++)
        alias_settings_unref(s->aliases[i]);
    for (size_t i = 0; i < s->backend_count; i++) {
        block_unref(s->backends[i].block);
        free(s->backends[i].name);
        free(s->backends[i].type);
        free(s->backends[i].origin);
    }
    block_unref(s->block);
    store_url_free(s->url);
    block_unref(s->defaults);
    free(s->aliases);
    free(s->backends);
    free(s->file);
    free(s);
}

void settings_frozen_changes(const struct gateway_settings *old, const struct gateway_settings *fresh,
                             struct buffer *out)
{
    const struct setting_row *rows = old->block->rows;
    for (size_t i = 0; i < old->block->row_count; i++) {
        const struct setting_value *a = block_find(old->block, i), *b = block_find(fresh->block, i);
        bool same = a == b || (a && b && value_equal(a, b, &rows[i]));
        if (rows[i].flags & SETTING_FROZEN && !same)
            buffer_format(out, "%s: needs a restart\n", rows[i].path);
    }
}
