/* log.h: one structured line per event; JSON, or a readable form on a terminal.
 *
 * Any thread may log. Only enroll, admin, issuing, server and the tools log: rooms below return errors.
 * A scope (request id, alias, transaction, client) is prefixed to each line by the caller's context.
 * Secrets never come here; `log_text` values are escaped, so hostile bytes cannot forge a line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

/* Who a line is about; NULL members are left out. All borrowed. */
struct log_scope {
    const char *request_id;
    const char *tenant;
    const char *alias;
    const char *transaction; /* printable form of the transactionID */
    const char *client;      /* address:port */
};

void log_setup(enum log_level level, enum log_format format, int fd);
bool log_enabled(enum log_level level);
enum log_level log_level_of(const char *name); /* "debug" … "error"; INFO when unknown */
/* `event` is a stable dotted name ("listener.opened"), the format a sentence for people. */
void log_line(enum log_level level, const struct log_scope *scope, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
