/* problem.c: sentences for the operator (problem.h). */
#include "backends/local_ca/problem.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool problem_say(struct problem *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->text, p->size, format, args);
    va_end(args);
    return false;
}

bool problem_openssl(struct problem *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->text, p->size, format, args);
    va_end(args);
    unsigned long code = ERR_peek_last_error();
    const char *cause = code ? ERR_reason_error_string(code) : NULL;
    size_t used = strlen(p->text);
    if (cause && used < p->size)
        snprintf(p->text + used, p->size - used, " (%s)", cause);
    ERR_clear_error();
    return false;
}
