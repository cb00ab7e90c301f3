/* csr_names.c: see csr_names.h. */
#include "scep/csr_names.h"

#include <arpa/inet.h>
#include <openssl/objects.h>
#include <string.h>

#include "base/cleanup.h"

#define OID_TEXT_SIZE 128

const char *name_text(struct arena *a, const ASN1_STRING *string)
{
    unsigned char *utf8 = NULL;
    int len = string ? ASN1_STRING_to_UTF8(&utf8, string) : -1;
    const char *text = NULL;
    if (len >= 0 && !memchr(utf8, 0, (size_t)len))
        text = arena_text(a, (const char *)utf8);
    OPENSSL_free(utf8);
    return text;
}

/* An IA5String whose high bits nobody can tell the meaning of is no text. */
static const char *ascii_text(struct arena *a, const ASN1_STRING *string)
{
    const uint8_t *data = ASN1_STRING_get0_data(string);
    for (int i = 0; i < ASN1_STRING_length(string); i++)
        if (data[i] > 0x7F)
            return NULL;
    return name_text(a, string);
}

char *name_rfc2253(const X509_NAME *name)
{
    CLEANUP(BIO) BIO *memory = BIO_new(BIO_s_mem());
    char *data = NULL;
    if (!memory || X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253) < 0)
        return NULL;
    long len = BIO_get_mem_data(memory, &data);
    return strndup(len > 0 ? data : "", (size_t)len);
}

static const char *oid_text(struct arena *a, const ASN1_OBJECT *oid)
{
    char dotted[OID_TEXT_SIZE];
    int len = OBJ_obj2txt(dotted, sizeof dotted, oid, 1);
    return len > 0 && len < OID_TEXT_SIZE ? arena_text(a, dotted) : NULL;
}

static const char *field_name(struct arena *a, const ASN1_OBJECT *oid)
{
    int nid = OBJ_obj2nid(oid);
    return nid == NID_undef ? oid_text(a, oid) : OBJ_nid2sn(nid);
}

enum error_code csr_read_subject(struct csr *c, struct arena *a, const X509_NAME *subject, struct error *e)
{
    int count = X509_NAME_entry_count(subject);
    if (count > CSR_FIELDS_MAX)
        return error_set(e, ERR_ENVELOPE_UNREADABLE, "the subject has %d fields, more than %d", count,
                         CSR_FIELDS_MAX);
    for (int i = 0; i < count; i++) {
        X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);
        struct subject_field *field = &c->fields[i];
        field->name = field_name(a, X509_NAME_ENTRY_get_object(entry));
        field->value = name_text(a, X509_NAME_ENTRY_get_data(entry));
        if (!field->name || !field->value)
            return error_set(e, ERR_ENVELOPE_UNREADABLE, "field %d of the subject (%s) is not readable text",
                             i + 1, field->name ? field->name : "strange OID");
        c->field_count++;
    }
    c->subject_text = name_rfc2253(subject);
    return c->subject_text ? ERR_OK : error_set(e, ERR_INTERNAL, "out of memory");
}

static const char *address_text(struct arena *a, const ASN1_STRING *address)
{
    char text[INET6_ADDRSTRLEN];
    int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
    if (family == AF_INET6 && ASN1_STRING_length(address) != 16)
        return NULL;
    return inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof text) ? arena_text(a, text) : NULL;
}

static const char *directory_text(struct arena *a, const X509_NAME *name)
{
    CLEANUP(memory) char *text = name_rfc2253(name);
    return text ? arena_text(a, text) : NULL;
}

static bool is_string(const ASN1_TYPE *value)
{
    return value->type != V_ASN1_BOOLEAN && value->type != V_ASN1_NULL && value->type != V_ASN1_OBJECT;
}

static void read_other_name(struct san_entry *out, struct arena *a, const OTHERNAME *other)
{
    if (OBJ_obj2nid(other->type_id) == NID_ms_upn) {
        out->kind = SAN_UPN;
        out->value = is_string(other->value) ? name_text(a, other->value->value.asn1_string) : NULL;
    } else {
        out->value = oid_text(a, other->type_id);
    }
}

static struct san_entry read_san(struct arena *a, const GENERAL_NAME *name)
{
    struct san_entry out = {.kind = SAN_OTHER};
    switch (name->type) {
    case GEN_DNS:
        return (struct san_entry){SAN_DNS, ascii_text(a, name->d.dNSName)};
    case GEN_EMAIL:
        return (struct san_entry){SAN_EMAIL, ascii_text(a, name->d.rfc822Name)};
    case GEN_URI:
        return (struct san_entry){SAN_URI, ascii_text(a, name->d.uniformResourceIdentifier)};
    case GEN_IPADD:
        return (struct san_entry){SAN_IP, address_text(a, name->d.iPAddress)};
    case GEN_DIRNAME:
        return (struct san_entry){SAN_DIRECTORY, directory_text(a, name->d.directoryName)};
    case GEN_OTHERNAME:
        read_other_name(&out, a, name->d.otherName);
        return out;
    case GEN_RID:
        out.value = oid_text(a, name->d.registeredID);
        return out;
    default:
        out.value = name->type == GEN_X400 ? "x400Address" : "ediPartyName";
        return out;
    }
}

enum error_code csr_read_sans(struct csr *c, struct arena *a, const GENERAL_NAMES *names, struct error *e)
{
    int count = sk_GENERAL_NAME_num(names);
    if (count > CSR_SANS_MAX)
        return error_set(e, ERR_ENVELOPE_UNREADABLE, "%d subject alternative names, more than %d", count,
                         CSR_SANS_MAX);
    for (int i = 0; i < count; i++) {
        struct san_entry *entry = &c->sans[i];
        *entry = read_san(a, sk_GENERAL_NAME_value(names, i));
        if (!entry->value)
            return error_set(e, ERR_ENVELOPE_UNREADABLE, "subject alternative name %d (%s) is not readable",
                             i + 1, san_kind_name(entry->kind));
        c->san_count++;
    }
    return ERR_OK;
}

const char *san_kind_name(enum san_kind kind)
{
    static const char *const names[] = {
        [SAN_DNS] = "dns", [SAN_EMAIL] = "email",         [SAN_IP] = "ip",       [SAN_URI] = "uri",
        [SAN_UPN] = "upn", [SAN_DIRECTORY] = "directory", [SAN_OTHER] = "other",
    };
    return (unsigned)kind < SAN_KIND_COUNT ? names[kind] : "other";
}
