/* arena.h: memory that is freed as a whole; a store answer and everything it points to is one arena. */
#pragma once

#include "base/bytes.h"

struct arena;

struct arena *arena_create(void);                /* NULL when out of memory */
void arena_free(struct arena *a);                /* accepts NULL; wipes nothing */
void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type; NULL when out of memory */
char *arena_text(struct arena *a, const char *text);
/* Followed by a NUL that is not counted; data == NULL only when out of memory. */
struct bytes arena_bytes(struct arena *a, const void *data, size_t len);
