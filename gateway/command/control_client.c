#include "gateway/command/control_client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/vpn_state.h"
#include "gateway/command/control_ask.h"
#include "gateway/command/interruption.h"
#include "gateway/command/status_command.h"
#include "gateway/control/settings_report.h"
#include "gateway/process/arguments.h"
#include "gateway/process/settings.h"

enum { OPTIONS_MAX = 7 };

struct options {
    const char *control;
    const char *argument; /* of log-level, kick and update */
    char **more;          /* of update */
    int more_count;
    bool json;
    bool halt;
    struct status_command status;
};

/* The commands, and what each takes besides --control. */
static const struct command {
    const char *name, *options;
    const char *argument; /* its name, or NULL */
} commands[] = {
    {"status", "jwfqa", NULL}, {"settings", "j", NULL},
    {"reconnect", "", NULL},   {"stop", "", NULL},
    {"login", "", NULL},       {"kick", "h", "NAME"},
    {"update", "", "NAME"},    {"log-level", "", "LEVEL"},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void options_of(const struct command *command,
                       struct option out[OPTIONS_MAX + 1])
{
    static const struct option all[OPTIONS_MAX] = {
        {"control", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"watch", no_argument, NULL, 'w'},
        {"follow", no_argument, NULL, 'f'},
        {"quiet", no_argument, NULL, 'q'},
        {"all", no_argument, NULL, 'a'},
        {"halt", no_argument, NULL, 'h'},
    };
    size_t count = 0;
    for (size_t i = 0; i < OPTIONS_MAX; i++)
        if (all[i].val == 'c' || strchr(command->options, all[i].val))
            out[count++] = all[i];
    out[count] = (struct option){NULL, 0, NULL, 0};
}

/* Takes the arguments behind the options; NULL, or what is wrong with them. */
static const char *take_arguments(int argc, char **argv,
                                  const struct command *command,
                                  struct options *out)
{
    static char missing[64];
    enum log_level level;
    if (command->argument && optind == argc) {
        snprintf(missing, sizeof missing, "%s is missing", command->argument);
        return missing;
    }
    if (command->argument)
        out->argument = argv[optind++];
    if (strcmp(command->name, "log-level") == 0 &&
        strcmp(out->argument, "default") != 0 &&
        !log_level_of(bytes_of_text(out->argument), &level))
        return "LEVEL is error, warn, info, debug or default";
    if (strcmp(command->name, "update") == 0) {
        out->more = argv + optind;
        out->more_count = argc - optind;
        return out->more_count ? NULL : "OPTION is missing";
    }
    return optind < argc ? arguments_surplus(argv[optind]) : NULL;
}

/* NULL, or which of them go not together. */
static const char *check_status(const struct status_command *c)
{
    if (c->watch && c->follow)
        return "either --watch or --follow";
    if (c->quiet && (c->watch || c->follow || c->json || c->all))
        return "--quiet prints nothing, so it goes with no other option";
    return NULL;
}

static bool take_option(struct options *o, int option)
{
    switch (option) {
    case 'c':
        o->control = optarg;
        return true;
    case 'j':
        o->json = true;
        return true;
    case 'w':
        o->status.watch = true;
        return true;
    case 'f':
        o->status.follow = true;
        return true;
    case 'q':
        o->status.quiet = true;
        return true;
    case 'a':
        o->status.all = true;
        return true;
    case 'h':
        o->halt = true;
        return true;
    default:
        return false;
    }
}

/* NULL, or what is wrong. */
static const char *parse_options(int argc, char **argv,
                                 const struct command *command,
                                 struct options *out)
{
    struct option known[OPTIONS_MAX + 1];
    *out = (struct options){.control = SETTINGS_CONTROL_DEFAULT};
    options_of(command, known);
    arguments_begin();
    for (int c; (c = arguments_next(argc, argv, known, false)) != -1;)
        if (!take_option(out, c))
            return arguments_problem(argv, c, known);
    out->status.control = out->control;
    out->status.json = out->json;
    const char *problem = check_status(&out->status);
    return problem ? problem : take_arguments(argc, argv, command, out);
}

static int show_settings(const struct options *o)
{
    json_t *report =
        control_ask(o->control, json_pack("{s:s}", "command", "settings"));
    if (!report)
        return EXIT_FAILURE;
    if (o->json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        settings_report_print(report, stdout);
    }
    json_decref(report);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int give_order(const struct options *o, const char *command)
{
    json_t *more = json_array();
    for (int i = 0; i < o->more_count; i++)
        json_array_append_new(more, json_string(o->more[i]));
    json_t *answer = control_ask(
        o->control, json_pack("{s:s,s:s?,s:s?,s:b,s:o}", "command", command,
                              "level", o->argument, "name", o->argument, "halt",
                              o->halt, "options", more));
    if (!answer)
        return EXIT_FAILURE;
    json_decref(answer);
    return EXIT_SUCCESS;
}

/* One line from the terminal or standard input, without its end. */
static bool prompt(const char *text, bool secret, char *out, size_t size)
{
    struct termios before, silent;
    bool terminal = isatty(STDIN_FILENO);
    bool hide = terminal && secret && tcgetattr(STDIN_FILENO, &before) == 0;

    if (terminal)
        fprintf(stderr, "%s: ", text);
    if (hide) {
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    bool got = fgets(out, (int)size, stdin) != NULL;
    if (hide) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    interruption_obey();
    if (got)
        out[strcspn(out, "\r\n")] = '\0';
    return got;
}

enum { ANSWERS = 3, ANSWER_SIZE = 1024 };

static const struct {
    const char *name, *prompt;
    bool secret;
} answers[ANSWERS] = {
    {"username", "User name", false},
    {"password", "Password", true},
    {"response", "Answer", true},
};

static bool is_wanted(const json_t *status, const char *name)
{
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(status, "wanted"), i, value)
    {
        if (strcmp(json_string_value(value) ? json_string_value(value) : "",
                   name) == 0)
            return true;
    }
    return false;
}

/* The server said that an answer is no secret. */
static bool is_shown(const json_t *status, const char *name)
{
    return strcmp(name, "response") == 0 &&
           json_is_true(json_object_get(status, "response_shown"));
}

/* Reads what is wanted, each in a line; an empty one leaves it as it was. */
static json_t *read_answers(const json_t *status)
{
    char line[ANSWER_SIZE];
    json_t *order = json_pack("{s:s}", "command", "login");
    for (size_t i = 0; i < ANSWERS; i++) {
        if (!is_wanted(status, answers[i].name))
            continue;
        bool secret = answers[i].secret && !is_shown(status, answers[i].name);
        bool taken =
            prompt(answers[i].prompt, secret, line, sizeof line) &&
            (*line == 0 || json_object_set_new(order, answers[i].name,
                                               json_string(line)) == 0);
        secret_wipe(line, sizeof line);
        if (!taken) {
            fprintf(stderr, "vpn-gateway: no answer, or one that is no text\n");
            json_decref(order);
            return NULL;
        }
    }
    return order;
}

enum verdict { LOGIN_GOOD, LOGIN_BAD, LOGIN_UNDER_WAY };

/* The outcome so far; says what. */
static enum verdict judge_login(const json_t *status)
{
    enum vpn_state state = VPN_STATE_CONNECTING;
    (void)vpn_state_of(json_string_value(json_object_get(status, "state")),
                       &state);
    const char *why = json_string_value(json_object_get(status, "last_error"));
    const char *question =
        json_string_value(json_object_get(status, "question"));
    if (json_is_true(json_object_get(status, "up"))) {
        fprintf(stderr, "logged in: %s\n", vpn_state_name(VPN_STATE_CONNECTED));
        return LOGIN_GOOD;
    }
    if (question) {
        fprintf(stderr, "not logged in%s%s\nasked again: %s\n", why ? ": " : "",
                why ? why : "", question);
        return LOGIN_BAD;
    }
    if (state == VPN_STATE_STOPPED) {
        fprintf(stderr, "not logged in: %s\n", why ? why : "it stopped");
        return LOGIN_BAD;
    }
    return LOGIN_UNDER_WAY;
}

/* As long as a person waits for an answer. */
static int await_login(const struct options *o)
{
    enum { LOOKS = 40, EACH_LOOK = 250 }; /* ms */
    enum verdict verdict = LOGIN_UNDER_WAY;
    const char *why = NULL;
    json_t *status = NULL;
    for (int i = 0; i < LOOKS && verdict == LOGIN_UNDER_WAY; i++) {
        nanosleep(&(struct timespec){0, EACH_LOOK * 1000000L}, NULL);
        json_decref(status);
        status = control_ask(o->control, control_ask_for_status());
        if (!status)
            return EXIT_FAILURE;
        verdict = judge_login(status);
    }
    why = json_string_value(json_object_get(status, "last_error"));
    if (verdict == LOGIN_UNDER_WAY)
        fprintf(stderr,
                "the answer was sent, but the VPN is not connected yet%s%s; "
                "`vpn-gateway status' says more\n",
                why ? ": " : "", why ? why : "");
    json_decref(status);
    return verdict == LOGIN_GOOD ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int log_in(const struct options *o)
{
    json_t *status = control_ask(o->control, control_ask_for_status());
    if (!status)
        return EXIT_FAILURE;
    const char *question =
        json_string_value(json_object_get(status, "question"));
    if (!question) {
        fprintf(stderr, "vpn-gateway: the gateway asks for no login now\n");
        json_decref(status);
        return EXIT_FAILURE;
    }
    fprintf(stderr, "%s\n", question);
    if (json_array_size(json_object_get(status, "wanted")) == 0) {
        json_decref(status); /* it happens in a browser */
        return EXIT_SUCCESS;
    }
    interruption_catch();
    json_t *order = read_answers(status);
    json_decref(status);
    json_t *answer = order ? control_ask(o->control, order) : NULL;
    if (!answer)
        return EXIT_FAILURE;
    json_decref(answer);
    return await_login(o);
}

int control_client(int argc, char **argv)
{
    const struct command *command = find_command(argv[0]);
    struct options o;
    if (!command)
        return ARGUMENTS_EXIT;
    const char *problem = parse_options(argc, argv, command, &o);
    if (problem)
        return arguments_refuse(command->name, problem);
    if (strcmp(command->name, "status") == 0)
        return status_command(&o.status);
    if (strcmp(command->name, "settings") == 0)
        return show_settings(&o);
    if (strcmp(command->name, "login") == 0)
        return log_in(&o);
    return give_order(&o, command->name);
}
