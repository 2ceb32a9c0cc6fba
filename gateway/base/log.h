/*
 * One line of text to standard error for what a user acts on or a state
 * change; packets are counters, never lines. A line starts with its scope:
 * "openvpn: …". No secrets. Bytes of a peer are printed through log_quote().
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "gateway/base/bytes.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

/* "error", "warn", "info", "debug"; and back, in letters of either case. */
const char *log_level_name(enum log_level level);
MUST_USE bool log_level_of(struct bytes name, enum log_level *out);

/* Receives whole lines, without a line feed. */
typedef void log_sink(void *context, enum log_level level, const char *line);

/* Lines above `level` are not made. The default is LOG_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* NULL puts the default back: standard error, with journald's level prefix
 * when it is a journal stream, coloured when it is a terminal. */
void log_set_sink(log_sink *sink, void *context);

void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

enum { LOG_QUOTE_SIZE = 256 };

/* A peer's bytes made fit for a line: unprintable ones become '?', and what
 * does not fit ends in "...". Returns `out`, NUL-terminated. */
const char *log_quote(char out[LOG_QUOTE_SIZE], struct bytes peer_text);

#endif
