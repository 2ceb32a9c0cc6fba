#include "gateway/base/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/text.h"

enum { LINE_SIZE = 1024 };

static enum log_level threshold = LOG_INFO;
static log_sink *current_sink;
static void *sink_context;

static enum stream {
    STREAM_UNKNOWN,
    STREAM_TERMINAL,
    STREAM_JOURNAL,
    STREAM_PLAIN
} stream;

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};
static_assert(sizeof level_names / sizeof *level_names == LOG_LEVEL_COUNT,
              "every level has a name");

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_of(struct bytes name, enum log_level *out)
{
    for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (text_equal_ignoring_case(name, level_names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

enum log_level log_get_level(void)
{
    return threshold;
}

void log_set_sink(log_sink *sink, void *context)
{
    current_sink = sink;
    sink_context = context;
    stream = STREAM_UNKNOWN;
}

/* systemd tells the device and inode of the stream it connected, which may
 * not be where standard error leads (systemd.exec(5), JOURNAL_STREAM). */
static bool is_journal(int fd)
{
    const char *journal = getenv("JOURNAL_STREAM");
    struct stat status;
    char text[48];
    if (!journal || fstat(fd, &status))
        return false;
    snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    return !strcmp(journal, text);
}

/* Found out with the first line and not with each: later the sandbox may
 * forbid to ask. */
static enum stream stream_kind(void)
{
    if (stream == STREAM_UNKNOWN)
        stream = isatty(STDERR_FILENO)       ? STREAM_TERMINAL
                 : is_journal(STDERR_FILENO) ? STREAM_JOURNAL
                                             : STREAM_PLAIN;
    return stream;
}

static void to_standard_error(enum log_level level, const char *line)
{
    static const char *const colour[LOG_LEVEL_COUNT] = {
        [LOG_ERROR] = "\033[31m",
        [LOG_WARN] = "\033[33m",
        [LOG_INFO] = "",
        [LOG_DEBUG] = "\033[2m",
    };
    static const char *const journal_prefix[LOG_LEVEL_COUNT] = {
        [LOG_ERROR] = "<3>",
        [LOG_WARN] = "<4>",
        [LOG_INFO] = "<6>",
        [LOG_DEBUG] = "<7>",
    };

    enum stream kind = stream_kind();
    if (kind == STREAM_TERMINAL)
        fprintf(stderr, "%s%s%s\n", colour[level], line,
                *colour[level] ? "\033[0m" : "");
    else if (kind == STREAM_JOURNAL)
        fprintf(stderr, "%s%s\n", journal_prefix[level], line);
    else
        fprintf(stderr, "%s\n", line);
}

/* If a caller forgot log_quote(), a peer's text still cannot write a line of
 * its own, or to the terminal. */
static void keep_to_one_line(char *line)
{
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level > threshold)
        return;

    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    keep_to_one_line(line);

    if (current_sink)
        current_sink(sink_context, level, line);
    else
        to_standard_error(level, line);
}

const char *log_quote(char out[LOG_QUOTE_SIZE], struct bytes peer_text)
{
    static const char ellipsis[] = "...";
    size_t room = LOG_QUOTE_SIZE - 1;
    size_t n =
        peer_text.size <= room ? peer_text.size : room - (sizeof ellipsis - 1);

    for (size_t i = 0; i < n; i++) {
        uint8_t c = peer_text.data[i];
        out[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    out[n] = '\0';
    if (n < peer_text.size)
        memcpy(out + n, ellipsis, sizeof ellipsis);
    return out;
}
