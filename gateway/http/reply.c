/* reply.c: answering an exchange. Every body is sent from memory that is wiped afterwards: some hold a new
 * challenge. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "http/listener_parts.h"

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
};

static const char *phrase_of(int status)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return status < 400 ? "OK" : "Error";
}

static void wipe(const void *data, size_t len, void *context)
{
    (void)data;
    secret_wipe(context, len);
    free(context);
}

/* false: out of memory. */
static bool add_body(struct evbuffer *out, struct bytes body)
{
    if (body.len == 0)
        return true;
    uint8_t *copy = malloc(body.len);
    if (!copy)
        return false;
    memcpy(copy, body.data, body.len);
    if (evbuffer_add_reference(out, copy, body.len, wipe, copy) == 0)
        return true;
    wipe(copy, body.len, copy);
    return false;
}

static void add_headers(struct exchange *x, int status, const char *content_type, size_t length,
                        const struct http_header *headers, size_t count)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(x->request);
    char number[24];
    snprintf(number, sizeof number, "%zu", length);
    if (content_type)
        evhttp_add_header(out, "Content-Type", content_type);
    if (status != 304) /* which would have to say the length that 200 has (RFC 9110 section 8.6) */
        evhttp_add_header(out, "Content-Length", number);
    for (size_t i = 0; i < count; i++)
        evhttp_add_header(out, headers[i].name, headers[i].value);
    if (x->close || (x->listener && x->listener->connections.draining))
        evhttp_add_header(out, "Connection", "close");
}

/* Frees the exchange of a listener that is gone: evhttp has left the request to us. */
static bool is_orphan(struct exchange *x)
{
    if (x->listener)
        return false;
    evhttp_request_free(x->request);
    exchange_free(x);
    return true;
}

/* `whole`: `data` holds the body. */
static void answer(struct exchange *x, int status, const char *content_type, struct evbuffer *data,
                   bool whole, size_t length, const struct http_header *headers, size_t header_count)
{
    LIST_REMOVE(x, link);
    x->listener->open--;
    if (whole) {
        add_headers(x, status, content_type, length, headers, header_count);
    } else {
        status = 500;
        add_headers(x, status, NULL, 0, NULL, 0);
    }
    if (x->connection)
        connection_reply(x->connection);
    evhttp_send_reply(x->request, status, phrase_of(status), data);
    if (data)
        evbuffer_free(data);
    exchange_free(x);
}

void http_reply(struct http_exchange *public, int status, const char *content_type, struct bytes body,
                const struct http_header *headers, size_t header_count)
{
    struct exchange *x = (struct exchange *)public;
    if (is_orphan(x))
        return;
    struct evbuffer *data = evbuffer_new();
    bool whole = data && (public->method == HTTP_HEAD || add_body(data, body));
    answer(x, status, content_type, data, whole, body.len, headers, header_count);
}

static void give_back(const void *data, size_t len, void *context)
{
    (void)data;
    (void)len;
    struct http_loan *loan = context;
    loan->release(loan->owner);
    free(loan);
}

/* false: nothing was added, and the loan is the caller's still. */
static bool add_lent(struct evbuffer *out, struct bytes body, struct http_loan loan)
{
    struct http_loan *kept = malloc(sizeof *kept);
    if (!kept)
        return false;
    *kept = loan;
    if (evbuffer_add_reference(out, body.data, body.len, give_back, kept) == 0)
        return true;
    free(kept);
    return false;
}

void http_reply_lent(struct http_exchange *public, const char *content_type, struct bytes body,
                     const struct http_header *headers, size_t header_count, struct http_loan loan)
{
    struct exchange *x = (struct exchange *)public;
    bool wanted = x->listener && public->method != HTTP_HEAD;
    struct evbuffer *data = x->listener ? evbuffer_new() : NULL;
    bool added = wanted && data && add_lent(data, body, loan);
    if (!added)
        loan.release(loan.owner);
    if (!is_orphan(x))
        answer(x, 200, content_type, data, data && (added || !wanted), body.len, headers, header_count);
}

void http_reply_error(struct http_exchange *x, int status, const char *sentence, int64_t retry_after)
{
    char text[512], seconds[24];
    struct http_header headers[4] = {{"Cache-Control", "no-store"}};
    size_t count = 1;
    int len = snprintf(text, sizeof text, "%s\n", sentence);
    if (retry_after > 0) {
        snprintf(seconds, sizeof seconds, "%" PRId64, (retry_after + 999) / 1000);
        headers[count++] = (struct http_header){"Retry-After", seconds};
    }
    if (status == 405)
        headers[count++] = (struct http_header){"Allow", "GET, HEAD, POST"};
    if (status == 401) /* RFC 9110 section 15.5.2 wants one; none is registered for a secret inside a CMS */
        headers[count++] = (struct http_header){"WWW-Authenticate", "SCEP"};
    size_t used = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    http_reply(x, status, "text/plain; charset=utf-8", bytes_of(text, used), headers, count);
}
