/* keys.c: see keys.h. Every purpose has a key of its own, so that what one of them makes is noise to another.
 */
#include "store/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/codec.h"

#define KEY_SIZE          32
#define NONCE_SIZE        12
#define TAG_SIZE          16
#define SEALED_VERSION    1
#define CHECK_VALUE_BYTES 16
#define FILE_MAX          4096
#define SEAL_KINDS        3

/* The texts that separate the purposes are part of the format of what is stored: never change one. */
static const char *const seal_purpose[SEAL_KINDS] = {
    [SEAL_CSR] = "scepgate seal csr 1",
    [SEAL_RA_KEY] = "scepgate seal ra-key 1",
    [SEAL_BACKEND_DATA] = "scepgate seal backend-data 1",
};
static const char look_up_purpose[] = "scepgate challenge look-up 1";
static const char check_purpose[] = "scepgate check value 1";
static const char compare_purpose[] = "scepgate settings comparison 1";

struct ring_key {
    char id[KEY_ID_MAX + 1];
    uint8_t seal[SEAL_KINDS][KEY_SIZE];
    EVP_MAC_CTX *look_up; /* keyed; duplicated for every use */
    EVP_MAC_CTX *compare; /* keyed, as well */
    char check[2 * CHECK_VALUE_BYTES + 1];
};

struct keys {
    struct ring_key ring[KEYS_MAX];
    size_t count;
    EVP_CIPHER *aes;
};

DEFINE_CLEANUP(EVP_KDF, EVP_KDF *, EVP_KDF_free)
DEFINE_CLEANUP(EVP_KDF_CTX, EVP_KDF_CTX *, EVP_KDF_CTX_free)
DEFINE_CLEANUP(EVP_MAC, EVP_MAC *, EVP_MAC_free)
DEFINE_CLEANUP(EVP_MAC_CTX, EVP_MAC_CTX *, EVP_MAC_CTX_free)
DEFINE_CLEANUP(keys, struct keys *, keys_free)

/* ---- derivation ---------------------------------------------------------------------------------------- */

static bool derive(const uint8_t master[KEY_SIZE], const char *purpose, uint8_t *out, size_t len)
{
    CLEANUP(EVP_KDF) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    CLEANUP(EVP_KDF_CTX) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)master, KEY_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)purpose, strlen(purpose)),
        OSSL_PARAM_construct_end(),
    };
    return ctx && EVP_KDF_derive(ctx, out, len, params) == 1;
}

static EVP_MAC_CTX *hmac_create(const uint8_t key[KEY_SIZE])
{
    CLEANUP(EVP_MAC) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    CLEANUP(EVP_MAC_CTX) EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return ctx && EVP_MAC_init(ctx, key, KEY_SIZE, params) == 1 ? TAKE(ctx) : NULL;
}

static EVP_MAC_CTX *derive_hmac(const uint8_t master[KEY_SIZE], const char *purpose)
{
    uint8_t key[KEY_SIZE];
    EVP_MAC_CTX *ctx = derive(master, purpose, key, sizeof key) ? hmac_create(key) : NULL;
    secret_wipe(key, sizeof key);
    return ctx;
}

static bool derive_check(struct ring_key *k, const uint8_t master[KEY_SIZE])
{
    uint8_t check[CHECK_VALUE_BYTES];
    CLEANUP(buffer) struct buffer hex;
    buffer_init(&hex, sizeof k->check);
    if (!derive(master, check_purpose, check, sizeof check))
        return false;
    codec_hex(&hex, bytes_of(check, sizeof check));
    if (!hex.failed)
        memcpy(k->check, hex.data, sizeof k->check);
    return !hex.failed;
}

/* Fills `k` with what is derived from `master`. */
static bool ring_derive(struct ring_key *k, const uint8_t master[KEY_SIZE])
{
    bool good = (k->look_up = derive_hmac(master, look_up_purpose)) != NULL &&
                (k->compare = derive_hmac(master, compare_purpose)) != NULL && derive_check(k, master);
    for (size_t i = 0; good && i < SEAL_KINDS; i++)
        good = derive(master, seal_purpose[i], k->seal[i], KEY_SIZE);
    return good;
}

/* ---- the file's form ----------------------------------------------------------------------------------- */

static bool id_valid(struct bytes id)
{
    if (id.len < 1 || id.len > KEY_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool key_digits(struct bytes text, uint8_t out[KEY_SIZE])
{
    if (text.len != (size_t)2 * KEY_SIZE)
        return false;
    for (size_t i = 0; i < KEY_SIZE; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static enum error_code line_add(struct keys *k, struct bytes line, int number, struct error *e)
{
    const uint8_t *colon = memchr(line.data, ':', line.len);
    struct bytes id = bytes_of(line.data, colon ? (size_t)(colon - line.data) : 0);
    uint8_t master[KEY_SIZE];
    if (!id_valid(id))
        return error_set(e, ERR_KEY_UNUSABLE,
                         "line %d: expected ID:64 hex digits, ID being 1 to %d of a-z, 0-9 and -", number,
                         KEY_ID_MAX);
    if (k->count == KEYS_MAX)
        return error_set(e, ERR_KEY_UNUSABLE, "line %d: there are more than %d keys; remove the oldest",
                         number, KEYS_MAX);
    struct ring_key *fresh = &k->ring[k->count];
    memcpy(fresh->id, id.data, id.len);
    for (size_t i = 0; i < k->count; i++)
        if (strcmp(k->ring[i].id, fresh->id) == 0)
            return error_set(e, ERR_KEY_UNUSABLE, "line %d: the key id %s is used twice", number, fresh->id);
    enum error_code code = ERR_OK;
    if (!key_digits(bytes_of(colon + 1, line.len - id.len - 1), master))
        code = error_set(e, ERR_KEY_UNUSABLE, "line %d: the key is not 64 hex digits", number);
    else if (!ring_derive(fresh, master))
        code = error_set_openssl(e, ERR_KEY_UNUSABLE, "line %d: cannot derive keys", number);
    secret_wipe(master, sizeof master);
    k->count++; /* a half-made key is freed with the ring */
    return code;
}

enum error_code keys_create(struct keys **out, struct bytes text, struct error *e)
{
    *out = NULL;
    CLEANUP(keys) struct keys *k = calloc(1, sizeof *k);
    if (!k)
        return error_set(e, ERR_INTERNAL, "out of memory");
    k->aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!k->aes)
        return error_set_openssl(e, ERR_INTERNAL, "AES-256-GCM is missing");
    int number = 0;
    for (size_t at = 0; at < text.len;) {
        const uint8_t *start = text.data + at, *end = memchr(start, '\n', text.len - at);
        size_t len = end ? (size_t)(end - start) : text.len - at;
        at += len + 1;
        number++;
        if (len > 0 && start[len - 1] == '\r')
            len--;
        if (len == 0)
            continue;
        enum error_code code = line_add(k, bytes_of(start, len), number, e);
        if (code != ERR_OK)
            return code;
    }
    if (k->count == 0)
        return error_set(e, ERR_KEY_UNUSABLE,
                         "there is no key; expected lines of ID:64 hex digits, newest first");
    *out = TAKE(k);
    return ERR_OK;
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < KEYS_MAX; i++) {
        EVP_MAC_CTX_free(k->ring[i].look_up);
        EVP_MAC_CTX_free(k->ring[i].compare);
    }
    EVP_CIPHER_free(k->aes);
    secret_wipe(k, sizeof *k);
    free(k);
}

/* ---- the file ------------------------------------------------------------------------------------------ */

static enum error_code file_trouble(struct error *e, const char *what, const char *path)
{
    return error_set(e, ERR_FILE_UNREADABLE, "cannot %s the master key file %s: %s", what, path,
                     error_errno(errno));
}

static bool write_whole(int fd, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, text + at, len - at);
        if (n < 0 && errno != EINTR)
            return false;
        at += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
}

static bool sync_folder_of(const char *path)
{
    CLEANUP(memory) char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool key_line(struct buffer *line)
{
    uint8_t id[4], master[KEY_SIZE];
    bool good = secret_random(id, sizeof id) == ERR_OK && secret_random(master, sizeof master) == ERR_OK;
    buffer_text(line, "key-");
    codec_hex(line, bytes_of(id, sizeof id));
    buffer_text(line, ":");
    codec_hex(line, bytes_of(master, sizeof master));
    buffer_text(line, "\n");
    secret_wipe(master, sizeof master);
    return good && !line->failed;
}

/* Written aside and linked into place: the file is there whole or not at all, and never replaces another. */
static enum error_code file_make(const char *path, struct error *e)
{
    CLEANUP(buffer) struct buffer line, aside;
    buffer_init(&line, 256);
    buffer_init(&aside, 4096);
    char suffix[ID_TEXT_SIZE];
    random_id(suffix);
    buffer_format(&aside, "%s.%s", path, suffix);
    if (aside.failed || !key_line(&line))
        return error_set(e, ERR_INTERNAL, "cannot make a master key: no memory or no random bytes");
    const char *name = (const char *)aside.data;
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        secret_wipe(line.data, line.len);
        return file_trouble(e, "create", path);
    }
    bool good = write_whole(fd, (const char *)line.data, line.len);
    secret_wipe(line.data, line.len);
    good = good && (link(name, path) == 0 || errno == EEXIST) && sync_folder_of(path);
    enum error_code code = good ? ERR_OK : file_trouble(e, "write", path);
    close(fd);
    unlink(name);
    return code;
}

enum error_code keys_from_file(struct keys **out, const char *path, bool create, struct error *e)
{
    *out = NULL;
    struct stat status;
    bool there = stat(path, &status) == 0;
    if (!there && errno == ENOENT && create) {
        enum error_code made = file_make(path, e);
        if (made != ERR_OK)
            return made;
        there = stat(path, &status) == 0;
    }
    if (!there)
        return file_trouble(e, "read", path);
    if (status.st_mode & (S_IRWXO | S_IWGRP | S_IXGRP))
        return error_set(e, ERR_KEY_UNUSABLE,
                         "others may read or change the master key file %s: chmod 600 it", path);
    CLEANUP(secret) struct secret text = {0};
    enum error_code code = secret_from_file(&text, path, FILE_MAX, e);
    if (code != ERR_OK)
        return code;
    struct error inner = {0};
    code = keys_create(out, bytes_of(text.data, text.len), &inner);
    return code == ERR_OK ? ERR_OK : error_set(e, code, "master key file %s: %s", path, error_text(&inner));
}

size_t keys_count(const struct keys *k)
{
    return k->count;
}

const char *keys_id(const struct keys *k, size_t index)
{
    return index < k->count ? k->ring[index].id : "";
}

const char *keys_check_value(const struct keys *k)
{
    return k->ring[0].check;
}

size_t keys_check_values(const struct keys *k, const char *out[KEYS_MAX])
{
    for (size_t i = 0; i < k->count; i++)
        out[i] = k->ring[i].check;
    return k->count;
}

/* ---- sealed values ------------------------------------------------------------------------------------- */

static void put_field(struct buffer *b, struct bytes field)
{
    const uint8_t len[4] = {(uint8_t)(field.len >> 24), (uint8_t)(field.len >> 16), (uint8_t)(field.len >> 8),
                            (uint8_t)field.len};
    buffer_append(b, len, sizeof len);
    buffer_append(b, field.data, field.len);
}

/* Lengths are in it, so that no two sets of alias, kind and record read the same. */
static void additional_data(struct buffer *aad, struct bytes head, enum seal_kind kind, const char *alias,
                            const char *record)
{
    const uint8_t kind_byte = (uint8_t)kind;
    buffer_init(aad, 1 << 16);
    put_field(aad, head);
    put_field(aad, bytes_of_text(alias));
    put_field(aad, bytes_of(&kind_byte, 1));
    put_field(aad, bytes_of_text(record));
}

enum error_code keys_seal(const struct keys *k, enum seal_kind kind, const char *alias, const char *record,
                          struct bytes plain, struct buffer *out, struct error *e)
{
    const struct ring_key *key = &k->ring[0];
    size_t id_len = strlen(key->id), head_len = 2 + id_len;
    uint8_t head[2 + KEY_ID_MAX] = {SEALED_VERSION, (uint8_t)id_len};
    memcpy(head + 2, key->id, id_len);
    CLEANUP(buffer) struct buffer aad;
    additional_data(&aad, bytes_of(head, head_len), kind, alias, record);
    CLEANUP(EVP_CIPHER_CTX) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (plain.len > (1U << 30) || aad.failed || !ctx)
        return error_set(e, ERR_INTERNAL, "out of memory");

    buffer_append(out, head, head_len);
    uint8_t *place = buffer_extend(out, NONCE_SIZE + plain.len + TAG_SIZE);
    if (!place || secret_random(place, NONCE_SIZE) != ERR_OK)
        return error_set(e, ERR_INTERNAL, "cannot seal a value: no memory or no random bytes");
    int n = 0;
    uint8_t *cipher = place + NONCE_SIZE;
    if (EVP_EncryptInit_ex2(ctx, k->aes, key->seal[kind], place, NULL) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &n, aad.data, (int)aad.len) != 1 ||
        (plain.len > 0 && EVP_EncryptUpdate(ctx, cipher, &n, plain.data, (int)plain.len) != 1) ||
        EVP_EncryptFinal_ex(ctx, cipher + plain.len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, cipher + plain.len) != 1)
        return error_set_openssl(e, ERR_INTERNAL, "cannot seal a value");
    return ERR_OK;
}

static const struct ring_key *key_of(const struct keys *k, const uint8_t *id, size_t len)
{
    for (size_t i = 0; i < k->count; i++)
        if (strlen(k->ring[i].id) == len && memcmp(k->ring[i].id, id, len) == 0)
            return &k->ring[i];
    return NULL;
}

static bool decrypt(const struct keys *k, const uint8_t *key, struct bytes box, struct bytes aad,
                    uint8_t *plain)
{
    CLEANUP(EVP_CIPHER_CTX) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    size_t len = box.len - NONCE_SIZE - TAG_SIZE;
    const uint8_t *cipher = box.data + NONCE_SIZE;
    int n = 0;
    return ctx && EVP_DecryptInit_ex2(ctx, k->aes, key, box.data, NULL) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, aad.data, (int)aad.len) == 1 &&
           (len == 0 || EVP_DecryptUpdate(ctx, plain, &n, cipher, (int)len) == 1) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, (void *)(cipher + len)) == 1 &&
           EVP_DecryptFinal_ex(ctx, plain + len, &n) == 1;
}

enum error_code keys_unseal(const struct keys *k, enum seal_kind kind, const char *alias, const char *record,
                            struct bytes sealed, struct secret *out, struct error *e)
{
    size_t id_len = sealed.len > 1 ? sealed.data[1] : 0, head_len = 2 + id_len;
    if (sealed.len > (1U << 30) || sealed.len < head_len + NONCE_SIZE + TAG_SIZE ||
        sealed.data[0] != SEALED_VERSION)
        return error_set(e, ERR_KEY_UNUSABLE, "a sealed value of alias %s has an unknown form", alias);
    const struct ring_key *key = key_of(k, sealed.data + 2, id_len);
    if (!key)
        return error_set(e, ERR_KEY_UNUSABLE,
                         "a sealed value of alias %s needs a master key that is not in the ring; put it back",
                         alias);
    struct bytes box = bytes_of(sealed.data + head_len, sealed.len - head_len);
    CLEANUP(buffer) struct buffer aad;
    additional_data(&aad, bytes_of(sealed.data, head_len), kind, alias, record);
    CLEANUP(secret) struct secret plain = {.len = box.len - NONCE_SIZE - TAG_SIZE};
    plain.data = calloc(1, plain.len + 1);
    if (!plain.data || aad.failed)
        return error_set(e, ERR_INTERNAL, "out of memory");
    if (!decrypt(k, key->seal[kind], box, buffer_bytes(&aad), plain.data))
        return error_set(e, ERR_KEY_UNUSABLE,
                         "a sealed value of alias %s does not open: it was moved or altered", alias);
    secret_free(out);
    *out = plain;
    plain = (struct secret){0};
    return ERR_OK;
}

size_t keys_sealed_under(const struct keys *k, struct bytes sealed)
{
    size_t id_len = sealed.len > 1 ? sealed.data[1] : 0;
    const struct ring_key *key = sealed.len >= 2 + id_len ? key_of(k, sealed.data + 2, id_len) : NULL;
    return key ? (size_t)(key - k->ring) : k->count;
}

/* ---- challenges ---------------------------------------------------------------------------------------- */

enum error_code keys_challenge_hash(const struct keys *k, size_t index, const char *alias,
                                    struct bytes challenge, uint8_t out[CHALLENGE_HASH_SIZE])
{
    if (index >= k->count)
        return ERR_KEY_UNUSABLE;
    CLEANUP(EVP_MAC_CTX) EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(k->ring[index].look_up);
    size_t len = strlen(alias);
    const uint8_t prefix[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    if (!ctx || EVP_MAC_update(ctx, prefix, sizeof prefix) != 1 ||
        EVP_MAC_update(ctx, (const uint8_t *)alias, len) != 1 ||
        (challenge.len > 0 && EVP_MAC_update(ctx, challenge.data, challenge.len) != 1) ||
        EVP_MAC_final(ctx, out, &len, CHALLENGE_HASH_SIZE) != 1)
        return error_set_openssl(NULL, ERR_INTERNAL, "cannot hash a challenge");
    return ERR_OK;
}

enum error_code keys_digest(const struct keys *k, size_t index, struct bytes text,
                            uint8_t out[KEYS_DIGEST_SIZE])
{
    if (index >= k->count)
        return ERR_KEY_UNUSABLE;
    CLEANUP(EVP_MAC_CTX) EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(k->ring[index].compare);
    size_t len = 0;
    if (!ctx || (text.len > 0 && EVP_MAC_update(ctx, text.data, text.len) != 1) ||
        EVP_MAC_final(ctx, out, &len, KEYS_DIGEST_SIZE) != 1)
        return error_set_openssl(NULL, ERR_INTERNAL, "cannot make a digest");
    return ERR_OK;
}
