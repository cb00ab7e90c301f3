/* log.c: see log.h. A line is built in memory and handed over in one write(), so lines of many threads never
 * mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/codec.h"

#define MESSAGE_MAX 2048
#define VALUE_MAX   256 /* clients choose transaction ids, of 10 kB when they like */
#define LINE_BYTES  65536

static const struct {
    const char *name, *colour;
} levels[] = {
    [LOG_LEVEL_DEBUG] = {"debug", "\033[2m"},
    [LOG_LEVEL_INFO] = {"info", "\033[32m"},
    [LOG_LEVEL_WARNING] = {"warning", "\033[33m"},
    [LOG_LEVEL_ERROR] = {"error", "\033[31m"},
};

/* Set once at start and again by a reload, while threads are logging. */
static atomic_int threshold = LOG_LEVEL_INFO;
static atomic_int output = STDERR_FILENO;
static atomic_bool readable;
static atomic_bool coloured;

void log_setup(enum log_level level, enum log_format format, int fd)
{
    bool terminal = isatty(fd) == 1;
    const char *no_colour = getenv("NO_COLOR");
    atomic_store(&threshold, (int)level);
    atomic_store(&readable, format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && terminal));
    atomic_store(&coloured, terminal && (!no_colour || !no_colour[0]));
    atomic_store(&output, fd);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

enum log_level log_level_of(const char *name)
{
    for (size_t i = 0; name && i < sizeof levels / sizeof levels[0]; i++)
        if (strcasecmp(name, levels[i].name) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

struct member {
    const char *name, *value;
};

#define SCOPE_MEMBERS 5

static void scope_members(const struct log_scope *scope, struct member out[SCOPE_MEMBERS])
{
    static const struct log_scope none;
    const struct log_scope *s = scope ? scope : &none;
    out[0] = (struct member){"request_id", s->request_id};
    out[1] = (struct member){"tenant", s->tenant};
    out[2] = (struct member){"alias", s->alias};
    out[3] = (struct member){"transaction", s->transaction};
    out[4] = (struct member){"client", s->client};
}

static struct bytes shortened(const char *value, size_t max)
{
    return bytes_of(value, strnlen(value, max));
}

static void json_member(struct buffer *line, const char *name, struct bytes value)
{
    buffer_format(line, ",\"%s\":", name);
    codec_json_string(line, value);
}

static void json_line(struct buffer *line, enum log_level level, const struct log_scope *scope,
                      const char *event, const char *message)
{
    char now[CLOCK_TEXT_SIZE];
    struct member members[SCOPE_MEMBERS];
    scope_members(scope, members);
    buffer_format(line, "{\"ts\":\"%s\",\"level\":\"%s\"", clock_text(clock_realtime(&clock_system), now),
                  levels[level].name);
    json_member(line, "event", shortened(event, VALUE_MAX));
    for (size_t i = 0; i < SCOPE_MEMBERS; i++)
        if (members[i].value)
            json_member(line, members[i].name, shortened(members[i].value, VALUE_MAX));
    json_member(line, "message", shortened(message, MESSAGE_MAX));
    buffer_text(line, "}\n");
}

static void text_line(struct buffer *line, enum log_level level, const struct log_scope *scope,
                      const char *event, const char *message)
{
    char now[CLOCK_TEXT_SIZE];
    struct member members[SCOPE_MEMBERS];
    scope_members(scope, members);
    bool colour = atomic_load(&coloured);
    buffer_format(line, "%s %s%-7s%s ", clock_text(clock_realtime(&clock_system), now),
                  colour ? levels[level].colour : "", levels[level].name, colour ? "\033[0m" : "");
    codec_printable(line, shortened(event, VALUE_MAX));
    buffer_text(line, "  ");
    codec_printable(line, shortened(message, MESSAGE_MAX));
    for (size_t i = 0; i < SCOPE_MEMBERS; i++) {
        if (!members[i].value)
            continue;
        buffer_format(line, "  %s=", members[i].name);
        codec_printable(line, shortened(members[i].value, VALUE_MAX));
    }
    buffer_text(line, "\n");
}

/* A log that cannot be written must not stop the service; there is nobody left to tell. */
static void write_line(const uint8_t *data, size_t len)
{
    int fd = atomic_load(&output);
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

void log_line(enum log_level level, const struct log_scope *scope, const char *event, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    int saved = errno;
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    if (vsnprintf(message, sizeof message, format, args) < 0)
        message[0] = 0;
    va_end(args);

    struct buffer line;
    buffer_init(&line, LINE_BYTES);
    if (atomic_load(&readable))
        text_line(&line, level, scope, event, message);
    else
        json_line(&line, level, scope, event, message);
    if (!line.failed)
        write_line(line.data, line.len);
    buffer_free(&line);
    errno = saved;
}
