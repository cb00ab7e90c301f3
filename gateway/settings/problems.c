/* problems.c: see problems.h. */
#include "settings/problems.h"

__attribute__((format(printf, 4, 0))) static void add_line(const struct problems *p, struct buffer *out,
                                                           struct place at, const char *format, va_list args)
{
    buffer_text(out, p->file);
    if (at.line)
        buffer_format(out, ":%u:%u", at.line, at.column);
    buffer_text(out, ": ");
    buffer_vformat(out, format, args);
    buffer_text(out, "\n");
}

void problem(struct problems *p, struct place at, const char *format, ...)
{
    if (p->error_count++ >= PROBLEMS_MAX || !p->errors)
        return;
    va_list args;
    va_start(args, format);
    add_line(p, p->errors, at, format, args);
    va_end(args);
}

void warning(struct problems *p, struct place at, const char *format, ...)
{
    if (p->warning_count++ >= PROBLEMS_MAX || !p->warnings)
        return;
    va_list args;
    va_start(args, format);
    add_line(p, p->warnings, at, format, args);
    va_end(args);
}

void problems_close(struct problems *p)
{
    if (p->errors && p->error_count > PROBLEMS_MAX)
        buffer_format(p->errors, "%s: … and %zu more problems\n", p->file, p->error_count - PROBLEMS_MAX);
    if (p->warnings && p->warning_count > PROBLEMS_MAX)
        buffer_format(p->warnings, "%s: … and %zu more warnings\n", p->file, p->warning_count - PROBLEMS_MAX);
}
