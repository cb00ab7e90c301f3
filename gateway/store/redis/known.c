/* known.c: see known.h. A hash table with open addressing, at most half full; names are never removed. */
#include "store/redis/known.h"

#include <stdlib.h>
#include <string.h>

struct known_name {
    uint64_t print;
    int64_t until;
    char text[];
};

uint64_t known_print(const char *name)
{
    uint64_t hash = 14695981039346656037ULL;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 1099511628211ULL;
    return hash;
}

/* The slot that has the name, or the empty one where it belongs. */
static struct known_name **slot_of(const struct known *k, const char *name, uint64_t print)
{
    size_t at = (size_t)print & (k->capacity - 1);
    while (k->slots[at] && (k->slots[at]->print != print || strcmp(k->slots[at]->text, name) != 0))
        at = (at + 1) & (k->capacity - 1);
    return &k->slots[at];
}

bool known_has(const struct known *k, const char *name, int64_t now)
{
    if (k->count == 0)
        return false;
    const struct known_name *found = *slot_of(k, name, known_print(name));
    return found && found->until > now;
}

static bool grow(struct known *k)
{
    if (2 * (k->count + 1) <= k->capacity)
        return true;
    struct known larger = {.capacity = k->capacity ? 2 * k->capacity : 64, .count = k->count};
    larger.slots = calloc(larger.capacity, sizeof(struct known_name *));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < k->capacity; i++)
        if (k->slots[i])
            *slot_of(&larger, k->slots[i]->text, k->slots[i]->print) = k->slots[i];
    free(k->slots);
    *k = larger;
    return true;
}

void known_add(struct known *k, const char *name, int64_t until)
{
    if (!grow(k))
        return;
    uint64_t print = known_print(name);
    struct known_name **slot = slot_of(k, name, print);
    size_t len = strlen(name);
    if (!*slot && (*slot = malloc(sizeof **slot + len + 1))) {
        (*slot)->print = print;
        memcpy((*slot)->text, name, len + 1);
        k->count++;
    }
    if (*slot)
        (*slot)->until = until;
}

void known_free(struct known *k)
{
    for (size_t i = 0; i < k->capacity; i++)
        free(k->slots[i]);
    free(k->slots);
    *k = (struct known){0};
}
