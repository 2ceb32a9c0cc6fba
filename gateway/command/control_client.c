#include "gateway/command/control_client.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
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
#include "gateway/control/settings_report.h"
#include "gateway/control/status.h"
#include "gateway/process/arguments.h"
#include "gateway/process/local_socket.h"
#include "gateway/process/settings.h"
#include "gateway/process/terminal.h"
#include "gateway/serve/serve_status.h"

enum { EXIT_USAGE = 2, ANSWER_MAX = 4 * 1024 * 1024, TIMEOUT_SECONDS = 10 };

enum { OPTIONS_MAX = 4, WHY_SIZE = 1024 };

struct options {
    const char *control;
    const char *argument; /* of log-level, kick and update */
    char **more;          /* of update */
    int more_count;
    bool json;
    bool watch;
    bool halt;
};

/* The commands, and what each takes besides --control. */
static const struct command {
    const char *name, *options;
    const char *argument; /* its name, or NULL */
} commands[] = {
    {"status", "jw", NULL}, {"settings", "j", NULL},    {"reconnect", "", NULL},
    {"stop", "", NULL},     {"login", "", NULL},        {"kick", "h", "NAME"},
    {"update", "", "NAME"}, {"log-level", "", "LEVEL"},
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
        {"halt", no_argument, NULL, 'h'},
    };
    size_t count = 0;
    for (size_t i = 0; i < OPTIONS_MAX; i++)
        if (all[i].val == 'c' || strchr(command->options, all[i].val))
            out[count++] = all[i];
    out[count] = (struct option){NULL, 0, NULL, 0};
}

/* What is behind the options; NULL, or what is wrong with it. */
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

/* NULL, or what is wrong. */
static const char *parse_options(int argc, char **argv,
                                 const struct command *command,
                                 struct options *out)
{
    struct option known[OPTIONS_MAX + 1];
    *out = (struct options){.control = SETTINGS_CONTROL_DEFAULT};
    options_of(command, known);
    arguments_begin();
    for (int c; (c = arguments_next(argc, argv, known, false)) != -1;) {
        if (c == 'c')
            out->control = optarg;
        else if (c == 'j')
            out->json = true;
        else if (c == 'w')
            out->watch = true;
        else if (c == 'h')
            out->halt = true;
        else
            return arguments_problem(argv, c, known);
    }
    return take_arguments(argc, argv, command, out);
}

static int connect_to(const char *path)
{
    struct timeval patience = {.tv_sec = TIMEOUT_SECONDS};
    int fd = local_socket_connect(path, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static bool send_line(int fd, const json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    if (!text)
        return false;
    size_t size = strlen(text);
    bool sent = send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size &&
                send(fd, "\n", 1, MSG_NOSIGNAL) == 1;
    secret_wipe(text, size);
    free(text);
    return sent;
}

/* Everything up to the end of the connection. */
static json_t *receive_answer(int fd)
{
    char *text = malloc(ANSWER_MAX);
    size_t size = 0;
    json_t *answer = NULL;
    ssize_t n = text ? 1 : 0;
    while (n > 0 && size < ANSWER_MAX) {
        n = recv(fd, text + size, ANSWER_MAX - size, 0);
        if (n > 0)
            size += (size_t)n;
    }
    if (n == 0 && text)
        answer = json_loadb(text, size, 0, NULL);
    free(text);
    return answer;
}

static void explain_socket(const char *path, int number, char why[WHY_SIZE])
{
    const char *hint = "";
    if (number == EACCES || number == EPERM)
        hint = ": only root, and members of its group, may ask it: try sudo";
    else if (number == ENOENT || number == ECONNREFUSED)
        hint = ": it does not run, or has another --control SOCKET";
    snprintf(why, WHY_SIZE, "no gateway answers at %s: %s%s", path,
             strerror(number), hint);
}

/* Asks (and takes `request`); NULL, and why not. */
static json_t *ask_quietly(const char *path, json_t *request,
                           char why[WHY_SIZE])
{
    int fd = connect_to(path);
    if (fd < 0) {
        explain_socket(path, errno, why);
        json_decref(request);
        return NULL;
    }
    json_t *answer = send_line(fd, request) ? receive_answer(fd) : NULL;
    json_decref(request);
    close(fd);

    const char *error =
        answer ? json_string_value(json_object_get(answer, "error"))
               : "the connection ended without an answer";
    if (!error)
        return answer;
    snprintf(why, WHY_SIZE, "%s", error);
    json_decref(answer);
    return NULL;
}

/* The same, after saying why not. */
static json_t *ask(const char *path, json_t *request)
{
    char why[WHY_SIZE];
    json_t *answer = ask_quietly(path, request, why);
    if (!answer)
        fprintf(stderr, "vpn-gateway: %s\n", why);
    return answer;
}

/* A signal ends what waits, so that the terminal is put in order before the
 * signal has its effect. */
static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = number;
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const struct sigaction action = {.sa_handler = interrupt};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

static void die_if_interrupted(void)
{
    if (!interrupted)
        return;
    signal(interrupted, SIG_DFL);
    raise(interrupted);
}

static json_t *status_request(void)
{
    return json_pack("{s:s}", "command", "status");
}

static json_t *ask_status(const struct options *o)
{
    return ask(o->control, status_request());
}

static void sleep_for(long milliseconds)
{
    nanosleep(
        &(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000},
        NULL);
}

static void print_status(const json_t *status, const json_t *before, FILE *out,
                         bool colour)
{
    if (serve_status_is(status))
        serve_status_print(status, out);
    else
        status_print(status, before, out, colour);
}

/* One object a line where several come. */
static bool show_status(const struct options *o, const json_t *status,
                        const json_t *before)
{
    if (o->json) {
        json_dumpf(status, stdout, o->watch ? 0 : JSON_INDENT(2));
        putchar('\n');
    } else {
        print_status(status, before, stdout, terminal_has_colour(stdout));
    }
    return fflush(stdout) == 0;
}

static void show_on_screen(const json_t *status, const json_t *before,
                           const char *why)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    if (status)
        print_status(status, before, out, terminal_has_colour(stdout));
    else
        fprintf(out, "%s\nasking again and again\n", why);
    fclose(out);
    terminal_show(stdout, text);
    free(text);
    fflush(stdout);
}

/* A gateway that starts anew is waited for. */
static int watch_status(const struct options *o)
{
    enum { EACH_LOOK = 1000 }; /* ms */
    char why[WHY_SIZE];
    json_t *before = NULL, *status = ask_status(o);
    if (!status)
        return EXIT_FAILURE;
    catch_signals();
    bool screen = !o->json && terminal_enter_screen(stdout);
    bool shown = true;
    while (shown && !interrupted) {
        if (screen)
            show_on_screen(status, before, why);
        else if (status)
            shown = show_status(o, status, before);
        json_decref(before);
        before = status;
        sleep_for(EACH_LOOK);
        status = ask_quietly(o->control, status_request(), why);
    }
    if (screen)
        terminal_leave_screen(stdout);
    json_decref(before);
    json_decref(status);
    die_if_interrupted();
    return EXIT_FAILURE;
}

/* A rate needs two looks. */
static int look_at_status(const struct options *o)
{
    enum { FIRST_LOOK = 250 }; /* ms */
    json_t *before = NULL, *status = ask_status(o);
    if (status && !o->json && !serve_status_is(status)) {
        before = status;
        sleep_for(FIRST_LOOK);
        status = ask_status(o);
    }
    bool shown = status && show_status(o, status, before);
    json_decref(before);
    json_decref(status);
    return shown ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int show_settings(const struct options *o)
{
    json_t *report = ask(o->control, json_pack("{s:s}", "command", "settings"));
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
    json_t *answer =
        ask(o->control, json_pack("{s:s,s:s?,s:s?,s:b,s:o}", "command", command,
                                  "level", o->argument, "name", o->argument,
                                  "halt", o->halt, "options", more));
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
    die_if_interrupted();
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

/* What is wanted, each in a line; an empty one leaves it as it was. */
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

/* What came of it so far; says what. */
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
        sleep_for(EACH_LOOK);
        json_decref(status);
        status = ask_status(o);
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
    json_t *status = ask_status(o);
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
    catch_signals();
    json_t *order = read_answers(status);
    json_decref(status);
    json_t *answer = order ? ask(o->control, order) : NULL;
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
        return EXIT_USAGE;
    const char *problem = parse_options(argc, argv, command, &o);
    if (problem)
        return arguments_refuse(command->name, problem);
    if (strcmp(command->name, "status") == 0)
        return o.watch ? watch_status(&o) : look_at_status(&o);
    if (strcmp(command->name, "settings") == 0)
        return show_settings(&o);
    if (strcmp(command->name, "login") == 0)
        return log_in(&o);
    return give_order(&o, command->name);
}
