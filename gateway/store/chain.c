/* chain.c: see chain.h. */
#include "store/chain.h"

void chain_pack(struct buffer *out, const struct bytes *chain, size_t count)
{
    for (size_t i = 0; i < count && i < CHAIN_MAX; i++) {
        size_t n = chain[i].len;
        const uint8_t len[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        buffer_append(out, len, sizeof len);
        buffer_append(out, chain[i].data, n);
    }
}

bool chain_unpack(struct bytes packed, struct bytes chain[CHAIN_MAX], size_t *count)
{
    *count = 0;
    while (packed.len > 0) {
        const uint8_t *d = packed.data;
        if (packed.len < 4 || *count == CHAIN_MAX)
            return false;
        size_t n = (size_t)d[0] << 24 | (size_t)d[1] << 16 | (size_t)d[2] << 8 | d[3];
        if (n > packed.len - 4)
            return false;
        chain[(*count)++] = bytes_of(d + 4, n);
        packed = bytes_of(d + 4 + n, packed.len - 4 - n);
    }
    return true;
}
