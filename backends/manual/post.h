/* post.h: a JSON object to a URL of the administrator's. Blocking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct post {
    const char *url;   /* http or https */
    const char *token; /* sent as a bearer token; NULL: none */
    const char *ca;    /* PEM file that https trusts instead of the system's; NULL */
    int64_t deadline;  /* ms */
};

/* False and a sentence in `problem` unless the answer has a status from 200 to 299. Redirections are not followed. */
bool post_json(const struct post *p, const char *json, char *problem, size_t size);
