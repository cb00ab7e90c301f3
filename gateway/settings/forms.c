/* forms.c: see forms.h. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "settings/forms.h"

#include <ctype.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

static const char letters_and_digits[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool refuse(char *why, size_t size, const char *sentence)
{
    snprintf(why, size, "%s", sentence);
    return false;
}

/* The ':' before the port, or NULL when this is not HOST:PORT. */
static const char *port_colon(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t host = colon ? (size_t)(colon - text) : 0, digits = colon ? strspn(colon + 1, "0123456789") : 0;
    bool bracketed = host > 2 && text[0] == '[' && text[host - 1] == ']';
    if (host == 0 || digits == 0 || digits > 5 || colon[1 + digits] || strtol(colon + 1, NULL, 10) > 65535)
        return NULL;
    if (bracketed)
        return strspn(text + 1, "0123456789abcdefABCDEF:.%") == host - 2 ? colon : NULL;
    for (const char *p = text; p < colon; p++) {
        if (!strchr(letters_and_digits, *p) && *p != '.' && *p != '-' && *p != '_')
            return NULL;
    }
    return colon;
}

bool form_address(char *text, char *why, size_t size)
{
    return port_colon(text) ||
           refuse(why, size, "is no address; write HOST:PORT, such as 127.0.0.1:8080 or [::]:8080");
}

bool form_loopback(char *text, char *why, size_t size)
{
    const char *colon = port_colon(text);
    if (!colon)
        return form_address(text, why, size);
    size_t host = (size_t)(colon - text);
    bool four = strncmp(text, "127.", 4) == 0 && strspn(text, "0123456789.") == host;
    if (four || (host == 5 && strncmp(text, "[::1]", 5) == 0) ||
        (host == 9 && strncasecmp(text, "localhost", 9) == 0))
        return true;
    return refuse(
        why, size,
        "is not an address of this machine alone; it has no access control, so write 127.0.0.1:PORT, "
        "[::1]:PORT or localhost:PORT");
}

bool form_user(char *text, char *why, size_t size)
{
    size_t len = strlen(text);
    bool name = len > 0 && len <= 32 && text[0] != '-' &&
                strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
    return name || refuse(why, size, "is no user; write a name or a number, such as alice or 1000");
}

bool form_redis_address(char *text, char *why, size_t size)
{
    return text[0] == '/' || port_colon(text) ||
           refuse(why, size,
                  "is no address; write HOST:PORT, such as redis.example.com:6379, or the path of a socket, "
                  "such as /run/redis.sock");
}

/* Braces would begin a hash tag of their own. */
bool form_key_prefix(char *text, char *why, size_t size)
{
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7F || *p == '{' || *p == '}')
            return refuse(why, size,
                          "is no prefix; use printable ASCII without spaces and braces, such as scepgate:");
    }
    return true;
}

bool form_host(char *text, char *why, size_t size)
{
    size_t len = strlen(text);
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']' &&
                     strspn(text + 1, "0123456789abcdefABCDEF:.") == len - 2;
    for (char *p = text; *p; p++) {
        if (!bracketed && !strchr(letters_and_digits, *p) && *p != '.' && *p != '-' && *p != '_')
            return refuse(why, size,
                          "is no host name; write it as in the URL, without scheme, port and path");
        *p = (char)tolower((unsigned char)*p);
    }
    return (len > 0 && len <= 253) || refuse(why, size, "is no host name; it has 1 to 253 characters");
}

bool form_url_path(char *text, char *why, size_t size)
{
    if (text[0] != '/' || strstr(text, "//"))
        return refuse(why, size,
                      "is no path; begin it with '/' and have no empty part, as in /cgi-bin/pkiclient.exe");
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7F || strchr("?#%", *p))
            return refuse(why, size, "is no plain path; leave out query, spaces and %-escapes");
    }
    size_t len = strlen(text);
    if (len > 1 && text[len - 1] == '/') /* the same place, and two aliases must not both claim it */
        text[len - 1] = '\0';
    return len <= 512 || refuse(why, size, "is too long for a path; use at most 512 characters");
}

bool form_web_url(char *text, char *why, size_t size)
{
    size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
    if (!scheme || !text[scheme] || text[scheme] == '/')
        return refuse(why, size, "is no URL; write it whole, as in http://pki.example.com/ca.crl");
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7F)
            return refuse(why, size, "is no URL; it has a space or a control character");
    }
    return strlen(text) <= 2048 || refuse(why, size, "is too long for a URL; use at most 2048 characters");
}

bool form_name(char *text, char *why, size_t size)
{
    size_t len = strlen(text);
    bool good = len > 0 && len <= 64 && isalnum((unsigned char)text[0]);
    for (size_t i = 0; good && i < len; i++)
        good = strchr(letters_and_digits, text[i]) || strchr("._-", text[i]);
    return good ||
           refuse(why, size, "is no name; use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit");
}

bool form_pattern(char *text, char *why, size_t size)
{
    int code;
    PCRE2_SIZE offset;
    PCRE2_UCHAR message[128];
    pcre2_code *pattern = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                        PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &offset, NULL);
    if (pattern) {
        pcre2_code_free(pattern);
        return true;
    }
    pcre2_get_error_message(code, message, sizeof message);
    snprintf(why, size, "is no pattern: %s at character %zu; see pcre2pattern(3)", (const char *)message,
             offset + 1);
    return false;
}

bool form_subject_field(char *text, char *why, size_t size)
{
    CLEANUP(ASN1_OBJECT) ASN1_OBJECT *object = text[0] ? OBJ_txt2obj(text, 0) : NULL;
    if (object)
        return true;
    ERR_clear_error();
    return refuse(
        why, size,
        "is no subject field; write its short name, such as CN, O, OU, serialNumber, or a dotted OID");
}

bool form_curve(char *text, char *why, size_t size)
{
    if (text[0] && (EC_curve_nist2nid(text) != NID_undef || OBJ_sn2nid(text) != NID_undef))
        return true;
    return refuse(why, size,
                  "is no curve; write P-256, P-384, P-521, or a name of `openssl ecparam -list_curves`");
}

bool form_fingerprint(char *text, char *why, size_t size)
{
    size_t digits = 0;
    for (const char *p = text; *p; p++) {
        if (isxdigit((unsigned char)*p))
            text[digits++] = (char)tolower((unsigned char)*p);
        else if (*p != ':' && *p != ' ')
            digits = SIZE_MAX / 2; /* never 64 */
        if (digits > 64)
            break;
    }
    if (digits != 64)
        return refuse(
            why, size,
            "is no SHA-256 fingerprint; write 64 hexadecimal digits (openssl x509 -fingerprint -sha256)");
    text[digits] = '\0';
    return true;
}

bool form_subject(char *text, char *why, size_t size)
{
    const char *equals = strchr(text, '=');
    bool good = equals && equals > text && equals[1] && strlen(text) <= 512;
    return good ||
           refuse(why, size, "is no subject; write it as in RFC 2253, such as CN=SCEP RA {alias},O=Example");
}
