/* pem.c: see pem.h. */
#include "cli/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static BIO *open_file(const char *path, struct error *e)
{
    BIO *file = BIO_new_file(path, "r");
    if (!file)
        error_set_openssl(e, ERR_FILE_UNREADABLE, "cannot read %s", path);
    return file;
}

enum error_code pem_read_key(EVP_PKEY **out, const char *path, struct error *e)
{
    *out = NULL;
    CLEANUP(BIO) BIO *file = open_file(path, e);
    if (!file)
        return ERR_FILE_UNREADABLE;
    *out = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);
    return *out ? ERR_OK : error_set_openssl(e, ERR_KEY_UNUSABLE, "%s holds no readable PEM key", path);
}

enum error_code pem_read_certificate(X509 **out, const char *path, struct error *e)
{
    *out = NULL;
    CLEANUP(BIO) BIO *file = open_file(path, e);
    if (!file)
        return ERR_FILE_UNREADABLE;
    *out = PEM_read_bio_X509(file, NULL, NULL, NULL);
    return *out ? ERR_OK
                : error_set_openssl(e, ERR_KEY_UNUSABLE, "%s holds no readable PEM certificate", path);
}

enum error_code pem_read_request(struct buffer *der, const char *path, struct error *e)
{
    CLEANUP(BIO) BIO *file = open_file(path, e);
    if (!file)
        return ERR_FILE_UNREADABLE;
    char *name = NULL, *header = NULL;
    uint8_t *data = NULL;
    long length = 0;
    if (PEM_read_bio(file, &name, &header, &data, &length) != 1)
        return error_set_openssl(e, ERR_FILE_UNREADABLE, "%s holds no readable PEM request", path);
    buffer_append(der, data, (size_t)length);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return der->failed ? error_set(e, ERR_INTERNAL, "out of memory") : ERR_OK;
}

static enum error_code write_all(int fd, struct bytes content)
{
    while (content.len > 0) {
        ssize_t wrote = write(fd, content.data, content.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return ERR_FILE_UNREADABLE;
        content = bytes_of(content.data + wrote, content.len - (size_t)wrote);
    }
    return fsync(fd) == 0 ? ERR_OK : ERR_FILE_UNREADABLE;
}

enum error_code file_write(const char *path, struct bytes content, unsigned mode, struct error *e)
{
    char temporary[4096];
    int size = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof temporary)
        return error_set(e, ERR_FILE_UNREADABLE, "the path %s is too long", path);
    unlink(temporary); /* left over, perhaps with another mode */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_set(e, ERR_FILE_UNREADABLE, "cannot write %s: %s", temporary, error_errno(errno));
    enum error_code code = write_all(fd, content);
    int reason = errno;
    if (close(fd) != 0 && !code) {
        code = ERR_FILE_UNREADABLE;
        reason = errno;
    }
    if (!code && rename(temporary, path) != 0) {
        code = ERR_FILE_UNREADABLE;
        reason = errno;
    }
    if (code) {
        unlink(temporary);
        return error_set(e, code, "cannot write %s: %s", path, error_errno(reason));
    }
    return ERR_OK;
}

static enum error_code write_pem(const char *path, BIO *pem, unsigned mode, struct error *e)
{
    char *data = NULL;
    long length = BIO_get_mem_data(pem, &data);
    return file_write(path, bytes_of(data, (size_t)length), mode, e);
}

enum error_code pem_write_key(const char *path, EVP_PKEY *key, struct error *e)
{
    CLEANUP(BIO) BIO *pem = BIO_new(BIO_s_secmem());
    if (!pem || PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) != 1)
        return error_set_openssl(e, ERR_KEY_UNUSABLE, "cannot write the key as PEM");
    return write_pem(path, pem, 0600, e);
}

enum error_code pem_write_certificates(const char *path, STACK_OF(X509) *certificates, struct error *e)
{
    CLEANUP(BIO) BIO *pem = BIO_new(BIO_s_mem());
    for (int i = 0; i < sk_X509_num(certificates); i++)
        if (!pem || PEM_write_bio_X509(pem, sk_X509_value(certificates, i)) != 1)
            return error_set_openssl(e, ERR_INTERNAL, "cannot write a certificate as PEM");
    return pem ? write_pem(path, pem, 0644, e) : error_set(e, ERR_INTERNAL, "out of memory");
}

enum error_code pem_write_certificate(const char *path, X509 *certificate, struct error *e)
{
    CLEANUP(BIO) BIO *pem = BIO_new(BIO_s_mem());
    if (!pem || PEM_write_bio_X509(pem, certificate) != 1)
        return error_set_openssl(e, ERR_INTERNAL, "cannot write a certificate as PEM");
    return write_pem(path, pem, 0644, e);
}

enum error_code pem_write_request(const char *path, struct bytes der, struct error *e)
{
    CLEANUP(BIO) BIO *pem = BIO_new(BIO_s_secmem());
    if (!pem || PEM_write_bio(pem, PEM_STRING_X509_REQ, "", der.data, (long)der.len) <= 0)
        return error_set_openssl(e, ERR_INTERNAL, "cannot write the request as PEM");
    return write_pem(path, pem, 0600, e);
}
