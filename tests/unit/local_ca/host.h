/* host.h: a host for one backend instance without loop or threads: work is queued and run by host_run. */
#pragma once

#include "backends/backend.h"

struct host_value { /* as in a settings file: "365d", "true", "[a, b]" */
    const char *path, *text;
};

struct backend_host;

struct backend_host *host_create(const struct host_value *values, size_t count);
void host_destroy(struct backend_host *h);
extern const struct backend_services host_services;

const char *host_folder(const struct backend_host *h);
void host_run(struct backend_host *h); /* runs queued work and its completions */
size_t host_queued(const struct backend_host *h);
void host_full(struct backend_host *h, bool full);     /* work is refused */
const char *host_logged(const struct backend_host *h); /* everything that was logged */
extern int64_t host_time;                              /* ms; 0: the real time */

/* Opens local_ca with these values; on failure NULL and the sentence in `problem`. */
void *host_open(struct backend_host *h, char *problem, size_t size);

struct host_result { /* what a completion got, copied */
    int calls;
    enum backend_verdict verdict;
    uint8_t *chain[BACKEND_CHAIN_MAX];
    size_t lens[BACKEND_CHAIN_MAX];
    size_t chain_count;
    uint8_t *crl;
    size_t crl_len;
    int64_t this_update, next_update;
    char reason[512];
};

void host_completed(void *context, const struct backend_result *result); /* context: struct host_result */
void host_result_clear(struct host_result *r);
