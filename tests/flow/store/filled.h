/* filled.h: a store with something of everything: what moving one has to carry over. */
#pragma once

#include "flow/store/bench.h"

void filled_open(struct bench *b); /* bench_open, and fills it */
extern const size_t filled_rows[STORE_KIND_COUNT];
void filled_append(struct bench *b, const char *event); /* one more audit row */
