/* name.c: RFC 2253 text to X509_NAME (name.h). */
#include "backends/local_ca/name.h"

#include <ctype.h>
#include <openssl/objects.h>
#include <string.h>

#include "backends/local_ca/own.h"

#define ATTRIBUTE_MAX 1024

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Copies one "type" or "value" up to a separator out of `stops`, escapes undone and unescaped blanks around
 * it dropped. The rest of the text, or NULL when it does not fit or ends in an escape. */
static const char *take(const char *at, const char *stops, char *out, size_t *len)
{
    size_t used = 0, kept = 0; /* `kept`: up to the last character that is no trailing blank */
    while (*at == ' ')
        at++;
    for (; *at && !strchr(stops, *at); at++) {
        char c = *at;
        bool escaped = c == '\\';
        if (escaped) {
            c = *++at;
            if (!c)
                return NULL;
            int high = hex_digit(c), low = high < 0 ? -1 : hex_digit(at[1]);
            if (low >= 0) {
                c = (char)(high << 4 | low);
                at++;
            }
        }
        if (used == ATTRIBUTE_MAX || c == '\0')
            return NULL;
        out[used++] = c;
        if (escaped || c != ' ')
            kept = used;
    }
    out[kept] = '\0';
    *len = kept;
    return at;
}

static const ASN1_OBJECT *short_name_in_any_case(const char *type)
{
    static const int known[] = {NID_commonName,
                                NID_organizationName,
                                NID_organizationalUnitName,
                                NID_countryName,
                                NID_stateOrProvinceName,
                                NID_localityName,
                                NID_domainComponent,
                                NID_userId,
                                NID_serialNumber,
                                NID_surname,
                                NID_givenName,
                                NID_pkcs9_emailAddress};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(type, OBJ_nid2sn(known[i])) == 0)
            return OBJ_nid2obj(known[i]);
    return NULL;
}

/* One "type=value" in front of everything that `name` holds already; `joined` puts it into the RDN that is in
 * front. */
static const char *add_attribute(X509_NAME *name, const char *at, bool joined)
{
    char type[ATTRIBUTE_MAX + 1], value[ATTRIBUTE_MAX + 1];
    size_t type_len, value_len;
    at = take(at, "=,+", type, &type_len);
    if (!at || *at != '=' || type_len == 0)
        return NULL;
    at = take(at + 1, ",+", value, &value_len);
    if (!at || value_len == 0)
        return NULL;
    OWN(OBJECT) ASN1_OBJECT *parsed = OBJ_txt2obj(type, 0);
    const ASN1_OBJECT *object = parsed ? parsed : short_name_in_any_case(type);
    if (!object)
        return NULL;
    /* X509_NAME_add_entry: set 0 makes a new RDN, 1 joins the RDN at this place. */
    if (!X509_NAME_add_entry_by_OBJ(name, object, MBSTRING_UTF8, (const unsigned char *)value, (int)value_len,
                                    0, joined ? 1 : 0))
        return NULL;
    return at;
}

X509_NAME *name_from_text(const char *text, struct problem *p)
{
    OWN(NAME) X509_NAME *name = X509_NAME_new();
    if (!name) {
        problem_say(p, "out of memory");
        return NULL;
    }
    bool joined = false;
    for (const char *at = text;; at++) {
        at = add_attribute(name, at, joined);
        if (!at) {
            problem_openssl(
                p,
                "the subject \"%s\" is not a distinguished name; write it like \"CN=Example CA,O=Example\"",
                text);
            return NULL;
        }
        if (!*at)
            return GIVE(name);
        joined = *at == '+';
    }
}
