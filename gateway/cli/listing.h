/* listing.h: an array that the gateway answered, as a table on the terminal. */
#pragma once

#include "cli/api.h"

struct column {
    const char *title;
    const char *member; /* of each object */
    int width;          /* 0: the rest of the line */
};

/* GETs `path` and prints its array `member`; with --json the whole answer. Returns the exit status. */
int listing(const struct api *a, const char *path, const char *member, const struct column *columns,
            size_t count);
/* The options that all lists share: --alias --state --text --limit --after, and the socket's. */
int listing_command(int argc, char **argv, const char *path, const char *member, const struct column *columns,
                    size_t count);
/* GETs one object and prints it as "member: value" lines; with --json as it is. */
int listing_show(const struct api *a, const char *path);
