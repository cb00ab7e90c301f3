/* target.c: see target.h. */
#include "http/target.h"

#include <string.h>
#include <strings.h>

static const char *skip_scheme(const char *target)
{
    if (strncasecmp(target, "http://", 7) == 0)
        return target + 7;
    return strncasecmp(target, "https://", 8) == 0 ? target + 8 : NULL;
}

void target_split(struct target_parts *out, const char *target)
{
    const char *authority = skip_scheme(target);
    const char *path = authority ? authority + strcspn(authority, "/?#") : target;
    size_t path_len = strcspn(path, "?#");
    const char *query = path[path_len] == '?' ? path + path_len + 1 : "";
    *out = (struct target_parts){
        .authority = bytes_of(authority ? authority : "", authority ? (size_t)(path - authority) : 0),
        .path = path_len > 0 ? bytes_of(path, path_len) : bytes_of_text("/"),
        .query = bytes_of(query, strcspn(query, "#")),
    };
}

char *host_of(struct bytes authority)
{
    const char *start = (const char *)authority.data, *end = start + authority.len;
    for (const char *at = start; at < end; at++)
        if (*at == '@')
            start = at + 1;
    const char *stop = start;
    if (start < end && *start == '[')
        while (stop < end && *stop != ']')
            stop++;
    while (stop < end && *stop != ':')
        stop++;
    char *host = strndup(start, (size_t)(stop - start));
    for (char *c = host; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return host;
}
