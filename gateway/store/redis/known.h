/* known.h: a set of names that are remembered for some minutes. Loop thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct known_name;

struct known {
    struct known_name **slots;
    size_t count, capacity;
};

void known_free(struct known *k);
bool known_has(const struct known *k, const char *name, int64_t now); /* added and still remembered? */
/* Until `until`, monotonic ms. Without memory it is forgotten at once. */
void known_add(struct known *k, const char *name, int64_t until);
/* FNV-1a: spreads names, and parts them where nobody has an interest in a clash. */
uint64_t known_print(const char *name);
