/* sources.c: see sources.h. */
#include "http/sources.h"

#include <netinet/in.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct source {
    struct source_key key;
    int count;
};

struct source_key source_key_of(const struct sockaddr *address)
{
    struct source_key key = {0};
    if (address->sa_family == AF_INET) {
        key.family = 4;
        memcpy(key.bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(six);
        key.family = mapped ? 4 : 6;
        memcpy(key.bytes, six->s6_addr + (mapped ? 12 : 0), mapped ? 4 : 8);
    }
    return key;
}

static int compare(const void *a, const void *b)
{
    return memcmp(&((const struct source *)a)->key, &((const struct source *)b)->key,
                  sizeof(struct source_key));
}

static struct source *find(struct sources *s, const struct source_key *key)
{
    struct source wanted = {.key = *key};
    struct source **node = tfind(&wanted, &s->tree, compare);
    return node ? *node : NULL;
}

bool sources_enter(struct sources *s, const struct source_key *key, int cap)
{
    struct source *source = find(s, key);
    if (source) {
        if (cap > 0 && source->count >= cap)
            return false;
        source->count++;
        return true;
    }
    source = calloc(1, sizeof *source);
    if (!source)
        return false;
    *source = (struct source){.key = *key, .count = 1};
    if (!tsearch(source, &s->tree, compare)) {
        free(source);
        return false;
    }
    return true;
}

void sources_leave(struct sources *s, const struct source_key *key)
{
    struct source *source = find(s, key);
    if (!source || --source->count > 0)
        return;
    tdelete(source, &s->tree, compare);
    free(source);
}
