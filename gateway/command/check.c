#include "gateway/command/check.h"

#include <string.h>
#include <time.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/client/config_summary.h"
#include "gateway/openvpn/tls/certificate_dates.h"
#include "gateway/openvpn/tls/tls_context.h"
#include "gateway/process/arguments.h"
#include "gateway/process/randomness.h"
#include "gateway/process/terminal.h"
#include "gateway/vpn/profile.h"

enum { ERRORS_SHOWN = 3 };

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
    static const struct {
        const char *word;
        enum colour colour;
    } kinds[] = {
        [CONFIG_ERROR] = {"error", RED},
        [CONFIG_WARNING] = {"warning", YELLOW},
        [CONFIG_NOTE] = {"note", BOLD},
    };
    /* The first say what is wrong; those behind them often follow from them. */
    if (c->errors >= ERRORS_SHOWN) {
        c->errors += severity == CONFIG_ERROR;
        return;
    }
    c->errors += severity == CONFIG_ERROR;
    c->warnings += severity == CONFIG_WARNING;
    fprintf(c->out, "%s:", c->file);
    if (line)
        fprintf(c->out, "%u:", line);
    fprintf(c->out, " %s%s:%s %s\n", colour(c, kinds[severity].colour),
            kinds[severity].word, colour(c, PLAIN), text);
}

/* --- Certificates and keys, as `run` would take them --- */

static void print_logged(void *context, enum log_level level, const char *line)
{
    static const char scope[] = "openvpn: ";
    if (!strncmp(line, scope, sizeof scope - 1))
        line += sizeof scope - 1;
    if (level <= LOG_WARN)
        print_problem(context,
                      level == LOG_ERROR ? CONFIG_ERROR : CONFIG_WARNING, 0,
                      line);
}

/* Only warnings: the clock that judges may itself be wrong. */
static void check_dates(struct check *c, const char *option,
                        const struct certificates *chain)
{
    char text[CERTIFICATE_DATES_TEXT_SIZE];
    if (certificate_dates_problem(chain, option, time(NULL), text))
        print_problem(c, CONFIG_WARNING, 0, text);
}

static bool check_keys(struct check *c, const struct config *config)
{
    static const struct tls_random random = {NULL, randomness_fill};
    if (config_is_static(config))
        return true; /* its one key was looked at when it was read */
    struct config shown = *config;
    /* What an absent password hides cannot be looked at. */
    if (tls_context_needs_password(config) && !config->key_password.data) {
        shown.cert = shown.key = (struct blob){0};
        if (shown.pkcs12.size && !shown.ca.size && !shown.fingerprint_count)
            return true; /* and who the server is, is in there as well */
        shown.pkcs12 = (struct blob){0};
    }

    struct tls_context context;
    log_set_sink(print_logged, c);
    bool good = tls_context_init(
        &context, OPENVPN_CLIENT, &shown,
        bytes_of(shown.key_password.data, shown.key_password.size), &random);
    log_set_sink(NULL, NULL);
    check_dates(c, "ca", context.authorities);
    check_dates(c, "cert", context.own);
    tls_context_clear(&context);
    return good;
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
        .file = file, .out = out, .coloured = terminal_has_colour(out)};
    struct config config;
    bool usable = profile_read(file, print_problem, &c, &config) &&
                  check_keys(&c, &config);
    fprintf(out, "%s: %susable%s", file, usable ? "" : "not ",
            c.errors + c.warnings ? "" : "\n");
    if (c.errors + c.warnings)
        fprintf(out, ", %zu error%s, %zu warning%s\n", c.errors,
                plural(c.errors), c.warnings, plural(c.warnings));
    if (c.errors > ERRORS_SHOWN)
        fprintf(out, "the first %d errors are shown; mend them first\n",
                ERRORS_SHOWN);
    if (config.remote_count && c.errors <= ERRORS_SHOWN)
        config_summary(&config, print_line, &c);
    config_clear(&config);
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
