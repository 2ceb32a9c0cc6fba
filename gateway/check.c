#include "gateway/check.h"

#include <unistd.h>

#include "gateway/openvpn/config_summary.h"
#include "gateway/profile.h"

enum colour { RED, YELLOW, BOLD, PLAIN };

struct check {
    const char *file;
    FILE *out;
    bool coloured;
    size_t errors, warnings;
};

static const char *colour(const struct check *c, enum colour colour)
{
    static const char *const codes[] = {
        [RED] = "\033[31m",
        [YELLOW] = "\033[33m",
        [BOLD] = "\033[1m",
        [PLAIN] = "\033[0m",
    };
    return c->coloured ? codes[colour] : "";
}

static void print_problem(void *context, enum config_severity severity,
                          unsigned line, const char *text)
{
    struct check *c = context;
    bool is_error = severity == CONFIG_ERROR;
    if (is_error)
        c->errors++;
    else
        c->warnings++;
    fprintf(c->out, "%s:", c->file);
    if (line)
        fprintf(c->out, "%u:", line);
    fprintf(c->out, " %s%s:%s %s\n", colour(c, is_error ? RED : YELLOW),
            is_error ? "error" : "warning", colour(c, PLAIN), text);
}

static void print_line(void *context, const char *topic, const char *text)
{
    const struct check *c = context;
    fprintf(c->out, "  %s%-18s%s %s\n", colour(c, BOLD), topic,
            colour(c, PLAIN), text);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

int check_run(const char *file, FILE *out)
{
    struct check c = {
        .file = file, .out = out, .coloured = isatty(fileno(out)) == 1};
    struct config config;
    bool usable = profile_read(file, print_problem, &c, &config);
    fprintf(out, "%s: %susable%s", file, usable ? "" : "not ",
            c.errors + c.warnings ? "" : "\n");
    if (c.errors + c.warnings)
        fprintf(out, ", %zu error%s, %zu warning%s\n", c.errors,
                plural(c.errors), c.warnings, plural(c.warnings));
    if (config.remote_count)
        config_summary(&config, print_line, &c);
    config_clear(&config);
    return usable && fflush(out) == 0 ? CHECK_USABLE : CHECK_UNUSABLE;
}
