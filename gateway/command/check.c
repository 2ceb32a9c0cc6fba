#include "gateway/command/check.h"

#include <string.h>
#include <time.h>

#include "gateway/process/arguments.h"
#include "gateway/process/randomness.h"
#include "gateway/process/terminal.h"
#include "gateway/vpn/profile.h"

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

static void print_problem(void *context, enum protocol_severity severity,
                          unsigned line, const char *text)
{
    struct check *c = context;
    static const struct {
        const char *word;
        enum colour colour;
    } kinds[] = {
        [PROTOCOL_ERROR] = {"error", RED},
        [PROTOCOL_WARNING] = {"warning", YELLOW},
        [PROTOCOL_NOTE] = {"note", BOLD},
    };
    c->errors += severity == PROTOCOL_ERROR;
    c->warnings += severity == PROTOCOL_WARNING;
    fprintf(c->out, "%s:", c->file);
    if (line)
        fprintf(c->out, "%u:", line);
    fprintf(c->out, " %s%s:%s %s\n", colour(c, kinds[severity].colour),
            kinds[severity].word, colour(c, PLAIN), text);
}

static bool check_keys(struct check *c, const struct protocol_profile *profile)
{
    const struct protocol_env env = {.random = randomness_fill};
    const struct protocol_reader reader = {.context = c,
                                           .report = print_problem};
    return profile->kind->verify(profile, time(NULL), &env, &reader);
}

static void print_line(void *context, const char *topic, const char *text)
{
    const struct check *c = context;
    bool bad = strcmp(text, PROTOCOL_NOT_VERIFIED) == 0;
    fprintf(c->out, "  %s%-18s%s %s%s%s\n", colour(c, BOLD), topic,
            colour(c, PLAIN), bad ? colour(c, RED) : "", text,
            bad ? colour(c, PLAIN) : "");
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

int check_run(const char *file, FILE *out)
{
    struct check c = {
        .file = file, .out = out, .coloured = terminal_has_colour(out)};
    bool usable;
    struct protocol_profile *profile =
        profile_read(file, print_problem, &c, &usable);
    usable = usable && check_keys(&c, profile);
    fprintf(out, "%s: %susable%s", file, usable ? "" : "not ",
            c.errors + c.warnings ? "" : "\n");
    if (c.errors + c.warnings)
        fprintf(out, ", %zu error%s, %zu warning%s\n", c.errors,
                plural(c.errors), c.warnings, plural(c.warnings));
    if (profile && profile->server_count)
        profile->kind->describe(profile, print_line, &c);
    if (profile)
        profile->kind->forget(profile);
    return usable && fflush(out) == 0 ? CHECK_USABLE : CHECK_UNUSABLE;
}

int check(int argc, char **argv)
{
    static const struct option known[] = {{NULL, 0, NULL, 0}};
    arguments_begin();
    int option = arguments_next(argc, argv, known, false);
    if (option != -1)
        return arguments_refuse(argv[0],
                                arguments_problem(argv, option, known));
    if (optind == argc)
        return arguments_refuse(argv[0], "FILE is missing");
    if (argc - optind > 1)
        return arguments_refuse(argv[0], arguments_surplus(argv[optind + 1]));
    return check_run(argv[optind], stdout);
}
