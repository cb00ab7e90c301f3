/* redis.h: the Redis servers of a test process: tests/support/redis_servers.py, started when first needed.
 *
 * REDIS_FORM names what to start: single, unix (single by its socket), tls, sentinel or cluster. The servers
 * end with the process.
 */
#pragma once

#include <stdbool.h>

#include "flow/store/implementation.h"

/* Has the servers do what the program's methods do: "kill", "restart", "pause" … False when that failed. */
bool redis_servers_do(const char *command);
