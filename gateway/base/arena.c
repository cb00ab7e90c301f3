/* arena.c: see arena.h. A list of blocks; a large piece gets a block of its own. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 4096
#define ALIGNMENT  alignof(max_align_t)

struct block {
    struct block *next;
    size_t used, size;
    alignas(max_align_t) uint8_t data[];
};

struct arena {
    struct block *blocks; /* the first one is being filled */
};

struct arena *arena_create(void)
{
    return calloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct block *next, *b = a->blocks; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

static struct block *block_create(size_t size)
{
    struct block *b = calloc(1, sizeof(struct block) + size);
    if (b)
        b->size = size;
    return b;
}

/* A block of its own goes behind the one being filled, whose rest stays usable. */
static void *alloc_large(struct arena *a, size_t size)
{
    struct block *b = block_create(size);
    if (!b)
        return NULL;
    b->used = size;
    struct block **place = a->blocks ? &a->blocks->next : &a->blocks;
    b->next = *place;
    *place = b;
    return b->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct block) - ALIGNMENT)
        return NULL;
    size = size > 0 ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    if (size > BLOCK_SIZE / 4)
        return alloc_large(a, size);
    struct block *b = a->blocks;
    if (!b || b->size - b->used < size) {
        b = block_create(BLOCK_SIZE);
        if (!b)
            return NULL;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *piece = b->data + b->used;
    b->used += size;
    return piece;
}

char *arena_text(struct arena *a, const char *text)
{
    return (char *)arena_bytes(a, text, strlen(text)).data;
}

struct bytes arena_bytes(struct arena *a, const void *data, size_t len)
{
    uint8_t *copy = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;
    if (!copy)
        return bytes_of(NULL, 0);
    if (len > 0)
        memcpy(copy, data, len);
    return bytes_of(copy, len);
}
