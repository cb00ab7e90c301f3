/* sources.h: how many connections each source address holds. An IPv6 source is its /64, because that is what
 * one host is given. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

struct source_key {
    uint8_t family; /* 0: unix */
    uint8_t bytes[8];
};

struct sources {
    void *tree;
};

struct source_key source_key_of(const struct sockaddr *address);
/* Counts one more, unless that would pass `cap` (0: no cap) or memory is out: false. */
bool sources_enter(struct sources *s, const struct source_key *key, int cap);
void sources_leave(struct sources *s, const struct source_key *key);
