/* enroll_state.c: see enroll_state.h. */
#include "cli/enroll_state.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/pem.h"

#define CSR_MAX (256 * 1024)

static const char state_name[] = "enroll.json", request_name[] = "request.pem", signer_name[] = "signer.pem";

struct path {
    char text[4096];
};

static struct path path_of(const char *folder, const char *name)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
    return path;
}

static void release_json(json_t **value)
{
    json_decref(*value);
}

void enroll_state_init(struct enroll_state *s)
{
    *s = (struct enroll_state){0};
    buffer_init(&s->csr, CSR_MAX);
}

void enroll_state_free(struct enroll_state *s)
{
    free(s->url);
    free(s->transaction_id);
    free(s->key_path);
    free(s->signer_key_path);
    buffer_free(&s->csr);
    X509_free(s->signer);
    *s = (struct enroll_state){0};
}

bool enroll_state_exists(const char *folder)
{
    return access(path_of(folder, state_name).text, F_OK) == 0;
}

static enum error_code read_json(struct enroll_state *s, json_t *json, const char *path, struct error *e)
{
    const char *url = NULL, *id = NULL, *key = NULL, *signer_key = NULL;
    int type = 0, pending = 0;
    if (json_unpack(json, "{s:s, s:s, s:s, s:s, s:i, s:b}", "url", &url, "transaction_id", &id, "key", &key,
                    "signer_key", &signer_key, "type", &type, "pending", &pending) != 0 ||
        (type != SCEP_PKCS_REQ && type != SCEP_RENEWAL_REQ))
        return error_set(e, ERR_FILE_UNREADABLE,
                         "%s is not what this program writes; remove it to start anew", path);
    s->url = strdup(url);
    s->transaction_id = strdup(id);
    s->key_path = strdup(key);
    s->signer_key_path = strdup(signer_key);
    s->type = (enum scep_message_type)type;
    s->pending = pending;
    return s->url && s->transaction_id && s->key_path && s->signer_key_path
               ? ERR_OK
               : error_set(e, ERR_INTERNAL, "out of memory");
}

enum error_code enroll_state_load(struct enroll_state *s, bool *found, const char *folder, struct error *e)
{
    *found = false;
    const struct path path = path_of(folder, state_name);
    if (!enroll_state_exists(folder))
        return ERR_OK;
    json_error_t problem;
    __attribute__((cleanup(release_json))) json_t *json = json_load_file(path.text, 0, &problem);
    if (!json)
        return error_set(e, ERR_FILE_UNREADABLE, "%s cannot be read: %s; remove it to start anew", path.text,
                         problem.text);
    enum error_code code = read_json(s, json, path.text, e);
    if (!code)
        code = pem_read_request(&s->csr, path_of(folder, request_name).text, e);
    if (!code)
        code = pem_read_certificate(&s->signer, path_of(folder, signer_name).text, e);
    *found = !code;
    return code;
}

enum error_code enroll_state_save(const struct enroll_state *s, const char *folder, struct error *e)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return error_set(e, ERR_FILE_UNREADABLE, "cannot make the folder %s: %s", folder, error_errno(errno));
    enum error_code code = pem_write_request(path_of(folder, request_name).text, buffer_bytes(&s->csr), e);
    if (!code)
        code = pem_write_certificate(path_of(folder, signer_name).text, s->signer, e);
    if (code)
        return code;
    __attribute__((cleanup(release_json))) json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:b}", "url", s->url, "transaction_id", s->transaction_id, "key",
        s->key_path, "signer_key", s->signer_key_path, "type", (int)s->type, "pending", (int)s->pending);
    __attribute__((cleanup(cleanup_memory))) char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    if (!text)
        return error_set(e, ERR_INTERNAL, "the transaction cannot be written as JSON: is its id UTF-8?");
    return file_write(path_of(folder, state_name).text, bytes_of_text(text), 0600, e);
}

void enroll_state_remove(const char *folder)
{
    /* The state goes first: without it the others mean nothing. */
    unlink(path_of(folder, state_name).text);
    unlink(path_of(folder, request_name).text);
    unlink(path_of(folder, signer_name).text);
}
