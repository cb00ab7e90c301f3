/* exchange.c: see exchange.h. */
#include "http/exchange.h"

#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/listener_parts.h"
#include "http/target.h"

static const struct {
    enum evhttp_cmd_type evhttp;
    enum http_method method;
} methods[] = {
    {EVHTTP_REQ_GET, HTTP_GET}, {EVHTTP_REQ_HEAD, HTTP_HEAD},     {EVHTTP_REQ_POST, HTTP_POST},
    {EVHTTP_REQ_PUT, HTTP_PUT}, {EVHTTP_REQ_DELETE, HTTP_DELETE},
};

static enum http_method method_of(enum evhttp_cmd_type type)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].evhttp == type)
            return methods[i].method;
    return HTTP_OTHER;
}

static char *text_of(struct bytes b)
{
    return strndup((const char *)b.data, b.len);
}

/* ---- framing ------------------------------------------------------------------------------------------- */

static bool is_token(const char *name)
{
    static const char letters[] =
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return *name && strspn(name, letters) == strlen(name);
}

static bool is_number(const char *value)
{
    return *value && strspn(value, "0123456789") == strlen(value);
}

/* evhttp reads "Content-Length : 5" as a header of another name, and "+5" as a length (RFC 9112 sections 5.1
 * and 6.3). */
int exchange_framing_problem(struct evhttp_request *request)
{
    const char *length = NULL, *encoding = NULL;
    struct evkeyval *header;
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next)
    {
        if (!is_token(header->key))
            return 400;
        if (strcasecmp(header->key, "Content-Length") == 0) {
            if (!is_number(header->value) || (length && strcmp(length, header->value) != 0))
                return 400;
            length = header->value;
        } else if (strcasecmp(header->key, "Transfer-Encoding") == 0) {
            if (encoding || strcasecmp(header->value, "chunked") != 0)
                return 501;
            encoding = header->value;
        }
    }
    return length && encoding ? 400 : 0;
}

bool exchange_is_chunked(struct evhttp_request *request)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request), "Transfer-Encoding") != NULL;
}

bool exchange_unread_body(struct evhttp_request *request)
{
    enum evhttp_cmd_type type = evhttp_request_get_command(request);
    if (type != EVHTTP_REQ_HEAD && type != EVHTTP_REQ_TRACE)
        return false;
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const char *length = evhttp_find_header(headers, "Content-Length");
    return (length && strcmp(length, "0") != 0) || evhttp_find_header(headers, "Transfer-Encoding");
}

/* ---- the exchange -------------------------------------------------------------------------------------- */

static bool fill(struct exchange *x)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(x->request);
    struct evbuffer *body = evhttp_request_get_input_buffer(x->request);
    size_t len = evbuffer_get_length(body);
    const char *host = evhttp_find_header(headers, "Host");
    const char *authorization = evhttp_find_header(headers, "Authorization");
    const char *none_match = evhttp_find_header(headers, "If-None-Match");
    const char *modified_since = evhttp_find_header(headers, "If-Modified-Since");
    struct target_parts parts;
    x->target = strdup(evhttp_request_get_uri(x->request));
    if (!x->target)
        return false;
    target_split(&parts, x->target);
    x->path = text_of(parts.path);
    x->host = host_of(parts.authority.len > 0 ? parts.authority : bytes_of_text(host ? host : ""));
    const uint8_t *data = len > 0 ? evbuffer_pullup(body, -1) : NULL;
    if (!x->path || !x->host || (len > 0 && !data))
        return false;
    if (parts.query.len > 0) /* what follows it in the copy is a fragment, of which a server has no use */
        x->target[parts.query.data + parts.query.len - (uint8_t *)x->target] = 0;
    x->x = (struct http_exchange){
        .method = method_of(evhttp_request_get_command(x->request)),
        .uri = evhttp_request_get_uri(x->request),
        .path = x->path,
        .query = parts.query.len > 0 ? (const char *)parts.query.data : "",
        .host = x->host,
        .client = x->connection->client,
        .client_address = x->connection->address,
        .peer_uid = x->connection->peer_uid,
        .authorization = authorization ? authorization : "",
        .if_none_match = none_match ? none_match : "",
        .if_modified_since = modified_since ? modified_since : "",
        .body = bytes_of(data, len),
        .started = clock_monotonic(&clock_system),
    };
    return true;
}

struct exchange *exchange_create(struct evhttp_request *request, struct connection *c)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->request = request;
    x->connection = c;
    if (!fill(x)) {
        exchange_free(x);
        return NULL;
    }
    return x;
}

void exchange_lost_connection(struct exchange *x)
{
    memcpy(x->client, x->x.client, sizeof x->client);
    memcpy(x->address, x->x.client_address, sizeof x->address);
    x->x.client = x->client;
    x->x.client_address = x->address;
    x->connection = NULL;
}

void exchange_orphan(struct exchange *x)
{
    evhttp_request_own(x->request);
    x->listener = NULL;
}

void exchange_free(struct exchange *x)
{
    free(x->target);
    free(x->path);
    free(x->host);
    free(x);
}
