/* error.h: what went wrong, as a code out of one table (error.def) and, where it helps, a sentence.
 *
 * Functions return `enum error_code` (ERR_OK is 0) and fill the caller's `struct error` when they have
 * more to say than the table does; they never log. A NULL `struct error *` is allowed everywhere.
 */
#pragma once

#include <stdbool.h>

/* RFC 8894 section 3.2.1.4 */
enum fail_info {
    FAIL_NONE = -1,
    FAIL_BAD_ALG = 0,
    FAIL_BAD_MESSAGE_CHECK = 1,
    FAIL_BAD_REQUEST = 2,
    FAIL_BAD_TIME = 3,
    FAIL_BAD_CERT_ID = 4,
};

enum error_code {
#define ERROR(code, fail, http, level, sentence) ERR_##code,
#include "base/error.def"
#undef ERROR
    ERR_COUNT
};

struct error_info {
    const char *name; /* "CHALLENGE_REUSED", for logs and the audit trail */
    enum fail_info fail;
    int http_status;
    int log_level; /* enum log_level */
    const char *sentence;
};

/* `text` is for the log and the audit trail; what a client may read is the table's sentence. */
struct error {
    enum error_code code;
    char text[480];
};

const struct error_info *error_info(enum error_code code);
/* Sets code and text and returns the code, so that `return error_set(e, ERR_X, "…")` reads well. */
enum error_code error_set(struct error *e, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As error_set, with the newest OpenSSL error appended and the OpenSSL queue cleared. */
enum error_code error_set_openssl(struct error *e, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The text when there is one, the table's sentence otherwise. */
const char *error_text(const struct error *e);
/* "connection refused": errno as a sentence, thread-safe, static memory. */
const char *error_errno(int number);
