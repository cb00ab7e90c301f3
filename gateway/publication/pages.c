/* pages.c: see pages.h. */
#include "publication/pages.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DATE_SIZE 40
#define TAG_SIZE  64

struct pages {
    const struct publisher *publisher;
    struct metrics *metrics;
    const struct clock *clock;
    bool enabled;
    char *path;
    int64_t max_age; /* ms */
};

struct pages *pages_create(const struct publisher *publisher, struct metrics *metrics,
                           const struct clock *clock)
{
    struct pages *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    *p = (struct pages){.publisher = publisher, .metrics = metrics, .clock = clock};
    return p;
}

void pages_settings(struct pages *p, const struct publish_settings *settings)
{
    char *path = strdup(settings->path);
    if (!path)
        return;
    free(p->path);
    p->path = path;
    p->enabled = settings->enabled;
    p->max_age = settings->max_age;
}

void pages_free(struct pages *p)
{
    if (!p)
        return;
    free(p->path);
    free(p);
}

/* ---- which page ---------------------------------------------------------------------------------------- */

struct page {
    struct published *of; /* borrowed */
    struct bytes body;    /* of `of` */
    const char *type;
    char tag[TAG_SIZE];
    int64_t modified; /* ms */
    int64_t fresh;    /* ms that caches may keep it */
};

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A list is kept no longer than until the next one comes on schedule, and never beyond its own end. */
static void fill_list(struct page *page, const struct pages *p)
{
    const struct published *of = page->of;
    int64_t now = clock_realtime(p->clock);
    page->body = of->crl;
    page->type = "application/pkix-crl";
    page->modified = of->this_update;
    page->fresh = lesser(p->max_age, of->next_update - now);
    if (of->due > now)
        page->fresh = lesser(page->fresh, of->due - now);
    snprintf(page->tag, sizeof page->tag, "\"%" PRId64 "-%" PRId64 "\"", of->number, of->this_update / 1000);
}

static void fill_certificate(struct page *page, const struct pages *p)
{
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    page->body = page->of->certificate;
    page->type = "application/pkix-cert";
    page->modified = page->of->not_before;
    page->fresh = p->max_age;
    EVP_Digest(page->body.data, page->body.len, digest, NULL, EVP_sha256(), NULL);
    char *at = page->tag;
    *at++ = '"';
    for (size_t i = 0; i < 16; i++)
        at += snprintf(at, 3, "%02x", digest[i]);
    snprintf(at, 2, "\"");
}

static bool find(struct page *page, const struct pages *p, const char *path)
{
    size_t len = p->path ? strlen(p->path) : 0;
    if (!p->enabled || len == 0 || strncmp(path, p->path, len) != 0 || path[len] != '/')
        return false;
    const char *name = path + len + 1, *dot = strrchr(name, '.');
    if (!dot || strchr(name, '/'))
        return false;
    bool list = strcmp(dot, ".crl") == 0;
    if (!list && strcmp(dot, ".cer") != 0)
        return false;
    *page = (struct page){.of = publisher_find(p->publisher, bytes_of(name, (size_t)(dot - name)))};
    if (!page->of)
        return false;
    if (list)
        fill_list(page, p);
    else
        fill_certificate(page, p);
    page->fresh = page->fresh > 0 ? page->fresh : 0;
    return page->body.len > 0;
}

/* ---- what the client has already ----------------------------------------------------------------------- */

/* One of the tags of an If-None-Match, compared weakly (RFC 9110 section 13.1.2). */
static bool names_tag(const char *header, const char *tag)
{
    size_t len = strlen(tag);
    for (const char *at = header; *at;) {
        at += strspn(at, " \t,");
        if (*at == '*')
            return true;
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        if (strncmp(at, tag, len) == 0)
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

static bool read_date(const char *text, int64_t *ms)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm parts = {0};
        const char *end = strptime(text, forms[i], &parts);
        if (end && !*end) {
            *ms = (int64_t)timegm(&parts) * 1000;
            return true;
        }
    }
    return false;
}

static bool is_known(const struct page *page, const struct http_exchange *x)
{
    int64_t since;
    if (x->if_none_match[0]) /* then the date is not looked at (section 13.1.3) */
        return names_tag(x->if_none_match, page->tag);
    return x->if_modified_since[0] && read_date(x->if_modified_since, &since) &&
           page->modified / 1000 <= since / 1000;
}

/* ---- the reply ----------------------------------------------------------------------------------------- */

static void write_date(char out[DATE_SIZE], int64_t ms)
{
    time_t when = (time_t)(ms / 1000);
    struct tm parts;
    if (!gmtime_r(&when, &parts) || !strftime(out, DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &parts))
        out[0] = '\0';
}

static void release(void *owner)
{
    published_unref(owner);
}

static void send_page(const struct pages *p, struct http_exchange *x, const struct page *page, int status)
{
    char control[48], modified[DATE_SIZE], expires[DATE_SIZE];
    struct http_header headers[] = {
        {"ETag", page->tag}, {"Last-Modified", modified}, {"Cache-Control", control}, {"Expires", expires}};
    snprintf(control, sizeof control, "public, max-age=%" PRId64, page->fresh / 1000);
    write_date(modified, page->modified);
    write_date(expires, clock_realtime(p->clock) + page->fresh);
    if (status == 304)
        http_reply(x, status, NULL, (struct bytes){0}, headers, 4);
    else
        http_reply_lent(x, page->type, page->body, headers, 4,
                        (struct http_loan){.release = release, .owner = published_ref(page->of)});
}

static void count(const struct pages *p, int status)
{
    char text[8];
    snprintf(text, sizeof text, "%d", status);
    metrics_add(p->metrics, METRIC_HTTP_REQUESTS, 1, METRIC_LABELS("publication", text));
}

bool pages_handle(struct pages *p, struct http_exchange *x)
{
    static const struct http_header allow = {"Allow", "GET, HEAD"};
    struct page page;
    if (!find(&page, p, x->path))
        return false;
    if (x->method != HTTP_GET && x->method != HTTP_HEAD) {
        count(p, 405);
        http_reply(x, 405, NULL, (struct bytes){0}, &allow, 1);
        return true;
    }
    int status = is_known(&page, x) ? 304 : 200;
    count(p, status);
    send_page(p, x, &page, status);
    return true;
}
