/* digest.h: SHA-256 over parts, each preceded by its length (32 bits, big-endian). Aborts when OpenSSL cannot:
 * without it there is no name for anything. Loop thread. */
#pragma once

#include "base/bytes.h"

void redis_digest(const struct bytes *parts, size_t count, uint8_t out[32]);
