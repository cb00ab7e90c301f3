/* fetch.c: see fetch.h. */
#include "http/fetch.h"

#include <curl/curl.h>
#include <stdio.h>

#include "base/cleanup.h"

typedef struct curl_slist HEADERS;

DEFINE_CLEANUP(CURL, CURL *, curl_easy_cleanup)
DEFINE_CLEANUP(HEADERS, HEADERS *, curl_slist_free_all)

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct buffer *body = context;
    buffer_append(body, data, size * count);
    return body->failed ? 0 : size * count;
}

static int look_for_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return atomic_load((const _Atomic bool *)context);
}

static HEADERS *headers_for(const struct fetch *f)
{
    /* Without the empty ones curl would send "Expect" and a form's type, which old servers stumble over. */
    HEADERS *list = curl_slist_append(NULL, "Expect:");
    HEADERS *whole = list ? curl_slist_append(list, f->body.data ? "Content-Type: application/x-pki-message"
                                                                 : "Accept: */*")
                          : NULL;
    if (!whole)
        curl_slist_free_all(list);
    return whole;
}

static void prepare(CURL *curl, const struct fetch *f, HEADERS *headers, struct buffer *body, char *reason)
{
    curl_easy_setopt(curl, CURLOPT_URL, f->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)f->timeout_seconds);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "scepgate/" SCEPGATE_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    if (f->stop) {
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_for_stop);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, f->stop);
    }
    if (f->tls_ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, f->tls_ca);
    if (f->body.data) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, f->body.data);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.len);
    }
}

enum error_code fetch(struct fetch_reply *out, const struct fetch *f, struct error *e)
{
    *out = (struct fetch_reply){0};
    size_t limit = f->limit ? f->limit : FETCH_BODY_MAX;
    buffer_init(&out->body, limit);
    CLEANUP(CURL) CURL *curl = curl_easy_init();
    CLEANUP(HEADERS) HEADERS *headers = headers_for(f);
    if (!curl || !headers)
        return error_set(e, ERR_INTERNAL, "out of memory");
    char reason[CURL_ERROR_SIZE] = "";
    prepare(curl, f, headers, &out->body, reason);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_WRITE_ERROR)
        return error_set(e, ERR_BACKEND_BROKEN, "the answer is longer than %zu bytes", limit);
    if (code != CURLE_OK)
        return error_set(e, ERR_BACKEND_UNAVAILABLE, "%s", reason[0] ? reason : curl_easy_strerror(code));
    const char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    snprintf(out->content_type, sizeof out->content_type, "%s", type ? type : "");
    return ERR_OK;
}

void fetch_reply_free(struct fetch_reply *r)
{
    buffer_free(&r->body);
}
