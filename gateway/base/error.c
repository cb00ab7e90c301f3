/* error.c: see error.h. */
#include "base/error.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static const struct error_info table[] = {
#define ERROR(code, fail, http, level, sentence)                                                             \
    [ERR_##code] = {#code, FAIL_##fail, http, LOG_LEVEL_##level, sentence},
#include "base/error.def"
#undef ERROR
};

const struct error_info *error_info(enum error_code code)
{
    return &table[(unsigned)code < ERR_COUNT ? code : ERR_INTERNAL];
}

/* By way of a copy, because the old text is often an argument of the new one. */
__attribute__((format(printf, 3, 0))) static void set(struct error *e, enum error_code code,
                                                      const char *format, va_list args)
{
    char text[sizeof e->text];
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = 0;
    e->code = code;
    memcpy(e->text, text, sizeof text);
}

enum error_code error_set(struct error *e, enum error_code code, const char *format, ...)
{
    if (e) {
        va_list args;
        va_start(args, format);
        set(e, code, format, args);
        va_end(args);
    }
    return code;
}

static void append_reason(struct error *e, unsigned long number)
{
    size_t len = strlen(e->text);
    const char *reason =
        ERR_SYSTEM_ERROR(number) ? error_errno((int)ERR_GET_REASON(number)) : ERR_reason_error_string(number);
    if (reason)
        snprintf(e->text + len, sizeof e->text - len, ": %s", reason);
    else
        snprintf(e->text + len, sizeof e->text - len, ": OpenSSL error %lx", number);
}

enum error_code error_set_openssl(struct error *e, enum error_code code, const char *format, ...)
{
    unsigned long newest = ERR_peek_last_error();
    if (e) {
        va_list args;
        va_start(args, format);
        set(e, code, format, args);
        va_end(args);
        if (newest != 0)
            append_reason(e, newest);
    }
    ERR_clear_error();
    return code;
}

const char *error_text(const struct error *e)
{
    if (!e)
        return error_info(ERR_OK)->sentence;
    return e->text[0] ? e->text : error_info(e->code)->sentence;
}

const char *error_errno(int number)
{
    const char *text = strerrordesc_np(number);
    return text ? text : "unknown system error";
}
