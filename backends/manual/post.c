/* post.c: see post.h. */
#include "backends/manual/post.h"

#include <curl/curl.h>
#include <stdio.h>

static size_t drop(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static void prepare(CURL *curl, const struct post *p, const char *json, struct curl_slist *headers,
                    char *reason)
{
    curl_easy_setopt(curl, CURLOPT_URL, p->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)p->deadline);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "scepgate/" SCEPGATE_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
    if (p->token) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, p->token);
    }
    if (p->ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, p->ca);
}

bool post_json(const struct post *p, const char *json, char *problem, size_t size)
{
    char reason[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (curl && headers) {
        prepare(curl, p, json, headers, reason);
        code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        snprintf(problem, size, "the notification cannot be posted: %s",
                 reason[0] ? reason : curl_easy_strerror(code));
    else if (status < 200 || status > 299)
        snprintf(problem, size, "the notification was answered with status %ld", status);
    return code == CURLE_OK && status >= 200 && status <= 299;
}
