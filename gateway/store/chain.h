/* chain.h: certificates in one value, each a length (32 bits, big-endian) and its DER. */
#pragma once

#include "base/bytes.h"

#define CHAIN_MAX 8

/* Into `out`; at most CHAIN_MAX of them. */
void chain_pack(struct buffer *out, const struct bytes *chain, size_t count);
/* Borrows from `packed`. The number of certificates; false when the value is not exactly a chain. */
bool chain_unpack(struct bytes packed, struct bytes chain[CHAIN_MAX], size_t *count);
