/* pem.h: keys, certificates and requests in PEM files; a file is either written whole or not at all. */
#pragma once

#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/error.h"

/* Reading: ERR_FILE_UNREADABLE or ERR_KEY_UNUSABLE, with the path in the sentence. */
enum error_code pem_read_key(EVP_PKEY **out, const char *path, struct error *e);
enum error_code pem_read_certificate(X509 **out, const char *path,
                                     struct error *e); /* the first one of the file */
enum error_code pem_read_request(struct buffer *der, const char *path, struct error *e);

enum error_code pem_write_key(const char *path, EVP_PKEY *key, struct error *e); /* mode 0600 */
enum error_code pem_write_certificates(const char *path, STACK_OF(X509) *certificates, struct error *e);
enum error_code pem_write_certificate(const char *path, X509 *certificate, struct error *e);
enum error_code pem_write_request(const char *path, struct bytes der,
                                  struct error *e); /* mode 0600: it holds the challenge */

/* Through a temporary file beside `path`, synchronised before it is renamed. */
enum error_code file_write(const char *path, struct bytes content, unsigned mode, struct error *e);
