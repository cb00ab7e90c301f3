/* options.h: an owned copy of the options, and the TLS context that they describe. */
#pragma once

#include <openssl/ssl.h>

#include "base/error.h"
#include "store/redis/redis.h"

/* ERR_SETTINGS_INVALID with a sentence for what cannot be. `out` is freed by redis_options_free in any case. */
enum error_code redis_options_copy(struct redis_options *out, const struct redis_options *from,
                                   struct error *e);
void redis_options_free(struct redis_options *o); /* wipes the passwords */
/* *out NULL when TLS is off. Reads files: for the start. */
enum error_code redis_options_tls(const struct redis_options *o, SSL_CTX **out, struct error *e);
