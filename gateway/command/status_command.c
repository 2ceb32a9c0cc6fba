#include "gateway/command/status_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/base/vpn_state.h"
#include "gateway/command/control_ask.h"
#include "gateway/command/interruption.h"
#include "gateway/control/status.h"
#include "gateway/control/status_change.h"
#include "gateway/process/terminal.h"
#include "gateway/serve/serve_status.h"

enum { EACH_LOOK = 1000, FIRST_LOOK = 250 }; /* ms */

static void sleep_for(long milliseconds)
{
    nanosleep(
        &(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000},
        NULL);
}

static json_t *ask(const struct status_command *c)
{
    return control_ask(c->control, control_ask_for_status());
}

static json_t *ask_quietly(const struct status_command *c,
                           char why[CONTROL_ASK_WHY_SIZE])
{
    return control_ask_quietly(c->control, control_ask_for_status(), why);
}

static void print(const struct status_command *c, const json_t *status,
                  const json_t *before, FILE *out)
{
    if (serve_status_is(status))
        serve_status_print(status, out);
    else
        status_print(status, out,
                     &(struct status_style){
                         .before = before,
                         .colour = terminal_has_colour(stdout),
                         .all = c->all,
                     });
}

/* One object a line where several come. */
static bool show(const struct status_command *c, const json_t *status,
                 const json_t *before)
{
    if (c->json) {
        json_dumpf(status, stdout, c->watch || c->follow ? 0 : JSON_INDENT(2));
        putchar('\n');
    } else {
        print(c, status, before, stdout);
    }
    return fflush(stdout) == 0;
}

/* --- One look ------------------------------------------------------------ */

/* A rate needs two looks. */
static int look(const struct status_command *c)
{
    json_t *before = NULL, *status = ask(c);
    if (status && !c->json && !serve_status_is(status)) {
        before = status;
        sleep_for(FIRST_LOOK);
        status = ask(c);
    }
    bool shown = status && show(c, status, before);
    json_decref(before);
    json_decref(status);
    return shown ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A server that answers serves. */
static int judge(const struct status_command *c)
{
    char why[CONTROL_ASK_WHY_SIZE];
    enum vpn_state state = VPN_STATE_BLOCKED;
    json_t *status = ask_quietly(c, why);
    bool good = serve_status_is(status);
    if (vpn_state_of(json_string_value(json_object_get(status, "state")),
                     &state))
        good = state == VPN_STATE_CONNECTED;
    json_decref(status);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- Watching ------------------------------------------------------------ */

static void show_on_screen(const struct status_command *c, const json_t *status,
                           const json_t *before, const char *why)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    if (status)
        print(c, status, before, out);
    else
        fprintf(out, "%s\nasking again and again\n", why);
    fclose(out);
    terminal_show(stdout, text);
    free(text);
    fflush(stdout);
}

static int watch(const struct status_command *c)
{
    char why[CONTROL_ASK_WHY_SIZE];
    json_t *before = NULL, *status = ask(c);
    if (!status)
        return EXIT_FAILURE;
    interruption_catch();
    bool screen = !c->json && terminal_enter_screen(stdout);
    bool shown = true;
    while (shown && !interruption_came()) {
        if (screen)
            show_on_screen(c, status, before, why);
        else if (status)
            shown = show(c, status, before);
        json_decref(before);
        before = status;
        sleep_for(EACH_LOOK);
        status = ask_quietly(c, why);
    }
    if (screen)
        terminal_leave_screen(stdout);
    json_decref(before);
    json_decref(status);
    interruption_obey();
    return EXIT_FAILURE;
}

/* --- Following ----------------------------------------------------------- */

static void say(void *context, const char *line)
{
    char when[32] = "";
    time_t now = time(NULL);
    struct tm local;
    (void)context;
    if (localtime_r(&now, &local))
        strftime(when, sizeof when, "%F %T", &local);
    printf("%s %s\n", when, line);
}

/* The first line tells changes of a server. */
static bool is_other_server(const json_t *status, const json_t *before)
{
    char now[SERVE_STATUS_HEAD_SIZE], then[SERVE_STATUS_HEAD_SIZE] = "";
    if (before)
        serve_status_head(before, then);
    return strcmp(serve_status_head(status, now), then) != 0;
}

static bool tell_change(const struct status_command *c, const json_t *status,
                        const json_t *before)
{
    char head[SERVE_STATUS_HEAD_SIZE];
    bool server = serve_status_is(status);
    bool changed = server ? is_other_server(status, before)
                          : status_change_is(status, before);
    if (changed && c->json)
        return show(c, status, before);
    if (changed && server)
        say(NULL, serve_status_head(status, head));
    else if (changed)
        status_change_tell(status, before, say, NULL);
    return fflush(stdout) == 0;
}

static int follow(const struct status_command *c)
{
    char why[CONTROL_ASK_WHY_SIZE];
    json_t *before = NULL, *status = ask(c);
    if (!status)
        return EXIT_FAILURE;
    interruption_catch();
    bool told = true;
    while (told && !interruption_came()) {
        if (status)
            told = tell_change(c, status, before);
        else if (before && !c->json)
            say(NULL, why);
        fflush(stdout);
        json_decref(before);
        before = status;
        sleep_for(EACH_LOOK);
        status = ask_quietly(c, why);
    }
    json_decref(before);
    json_decref(status);
    interruption_obey();
    return EXIT_FAILURE;
}

int status_command(const struct status_command *c)
{
    if (c->quiet)
        return judge(c);
    if (c->follow)
        return follow(c);
    return c->watch ? watch(c) : look(c);
}
