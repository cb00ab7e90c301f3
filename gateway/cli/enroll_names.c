/* enroll_names.c: see enroll_names.h. */
#include "cli/enroll_names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* Takes text up to an unescaped stop character; returns where it ended. */
static const char *take(struct buffer *out, const char *at, const char *stops)
{
    buffer_reset(out);
    while (*at == ' ')
        at++;
    for (; *at && !strchr(stops, *at); at++) {
        if (*at == '\\' && at[1])
            at++;
        buffer_append(out, at, 1);
    }
    return at;
}

enum error_code subject_parse(X509_NAME **out, const char *text, struct error *e)
{
    *out = NULL;
    CLEANUP(X509_NAME) X509_NAME *name = X509_NAME_new();
    CLEANUP(buffer) struct buffer type, value;
    buffer_init(&type, 256);
    buffer_init(&value, 4096);
    if (!name)
        return error_set(e, ERR_INTERNAL, "out of memory");
    int set = 0; /* -1 joins the entry to the one before */
    const char *at = text;
    while (*at) {
        at = take(&type, at, "=,+");
        if (*at != '=' || type.len == 0)
            return error_set(e, ERR_SETTINGS_INVALID,
                             "the subject '%s' is not of the form CN=device-1,O=Example", text);
        at = take(&value, at + 1, ",+");
        if (type.failed || value.failed ||
            X509_NAME_add_entry_by_txt(name, (const char *)type.data, MBSTRING_UTF8, value.data,
                                       (int)value.len, -1, set) != 1)
            return error_set_openssl(e, ERR_SETTINGS_INVALID,
                                     "the subject '%s' has a part that cannot be used", text);
        set = *at == '+' ? -1 : 0;
        at += *at != '\0';
    }
    if (X509_NAME_entry_count(name) == 0)
        return error_set(e, ERR_SETTINGS_INVALID, "the subject is empty");
    *out = TAKE(name);
    return ERR_OK;
}

/* false: OpenSSL's notation cannot say it. */
static bool san_text(char *out, size_t size, const GENERAL_NAME *name)
{
    int type = 0;
    const void *value = GENERAL_NAME_get0_value(name, &type);
    const char *label = type == GEN_DNS     ? "DNS"
                        : type == GEN_EMAIL ? "email"
                        : type == GEN_URI   ? "URI"
                                            : NULL;
    const ASN1_STRING *string = value;
    if (label) {
        const char *data = (const char *)ASN1_STRING_get0_data(string);
        const size_t length = (size_t)ASN1_STRING_length(string);
        if (memchr(data, ',', length) || memchr(data, '\0', length))
            return false;
        return (size_t)snprintf(out, size, "%s:%.*s", label, (int)length, data) < size;
    }
    if (type != GEN_IPADD)
        return false;
    char address[INET6_ADDRSTRLEN];
    const int length = ASN1_STRING_length(string);
    if ((length != 4 && length != 16) ||
        !inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(string), address, sizeof address))
        return false;
    return (size_t)snprintf(out, size, "IP:%s", address) < size;
}

int sans_of_certificate(char *out, size_t size, X509 *certificate)
{
    CLEANUP(GENERAL_NAMES)
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int left_out = 0;
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        char one[512];
        if (!san_text(one, sizeof one, sk_GENERAL_NAME_value(names, i))) {
            left_out++;
            continue;
        }
        int wrote = snprintf(out + used, size - used, "%s%s", used ? "," : "", one);
        if (wrote < 0 || (size_t)wrote >= size - used)
            return -1;
        used += (size_t)wrote;
    }
    return left_out;
}
