#include "gateway/control/status_change.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/vpn_state.h"

enum { LINE_SIZE = 1536 };

struct teller {
    status_change_line *line;
    void *context;
    unsigned count;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void tell(struct teller *t, const char *line)
{
    t->count++;
    if (t->line)
        t->line(t->context, line);
}

static const char *skip_digits(const char *text)
{
    while (isdigit((unsigned char)*text))
        text++;
    return text;
}

/* But for numbers of seconds: "(6 s)" and "(7 s)" say the same. */
static bool is_same(const char *a, const char *b)
{
    while (*a && *b) {
        const char *end_a = skip_digits(a), *end_b = skip_digits(b);
        bool seconds = end_a > a && end_b > b && strncmp(end_a, " s", 2) == 0 &&
                       strncmp(end_b, " s", 2) == 0;
        if (!seconds && *a != *b)
            return false;
        a = seconds ? end_a : a + 1;
        b = seconds ? end_b : b + 1;
    }
    return *a == *b;
}

/* --- The state ----------------------------------------------------------- */

static void describe_connected(const json_t *status, char out[LINE_SIZE])
{
    const json_t *server = json_object_get(status, "server");
    const json_t *tunnel = json_object_get(status, "tunnel");
    const char *ipv4 = text_of(tunnel, "ipv4"), *ipv6 = text_of(tunnel, "ipv6");
    snprintf(
        out, LINE_SIZE, "%s to %s:%" JSON_INTEGER_FORMAT "/%s, address %s%s%s",
        text_of(status, "state"), text_of(server, "host"),
        json_integer_value(json_object_get(server, "port")),
        text_of(server, "protocol"), ipv4, *ipv4 && *ipv6 ? ", " : "", ipv6);
}

static const char *describe_state(const json_t *status, char out[LINE_SIZE])
{
    const char *state = text_of(status, "state");
    const char *question = text_of(status, "question");
    const char *why = text_of(status, "last_error");
    enum vpn_state known = VPN_STATE_BLOCKED;
    (void)vpn_state_of(state, &known);
    if (known == VPN_STATE_CONNECTED)
        describe_connected(status, out);
    else if (*question)
        snprintf(out, LINE_SIZE, "%s: %s", state, question);
    else
        snprintf(out, LINE_SIZE, "%s%s%s", state, *why ? ": " : "", why);
    return out;
}

/* A quick reconnect looks as before, but for its number. */
static bool is_another_connection(const json_t *status, const json_t *before)
{
    return json_is_true(json_object_get(status, "up")) &&
           !json_equal(json_object_get(status, "reconnects"),
                       json_object_get(before, "reconnects"));
}

static void tell_state(struct teller *t, const json_t *status,
                       const json_t *before)
{
    char now[LINE_SIZE], then[LINE_SIZE] = "";
    if (before)
        describe_state(before, then);
    if (!is_same(describe_state(status, now), then) ||
        is_another_connection(status, before))
        tell(t, now);
}

/* --- What is wrong ------------------------------------------------------- */

static bool has_problem(const json_t *status, const char *text)
{
    size_t i;
    const json_t *problem;
    json_array_foreach(json_object_get(status, "problems"), i, problem)
    {
        const char *known = json_string_value(problem);
        if (known && is_same(known, text))
            return true;
    }
    return false;
}

/* Those of `status` that `other` does not have; the reason of the state is
 * told with it. */
static void tell_problems(struct teller *t, const char *word,
                          const json_t *status, const json_t *other)
{
    size_t i;
    const json_t *problem;
    json_array_foreach(json_object_get(status, "problems"), i, problem)
    {
        char line[LINE_SIZE];
        const char *text = json_string_value(problem);
        if (!text || has_problem(other, text) ||
            is_same(text, text_of(status, "last_error")))
            continue;
        snprintf(line, sizeof line, "%s: %s", word, text);
        tell(t, line);
    }
}

/* --- Qubes --------------------------------------------------------------- */

static bool has_qube(const json_t *status, const json_t *qube)
{
    size_t i;
    const json_t *known;
    json_array_foreach(json_object_get(status, "qubes"), i, known)
    {
        if (strcmp(text_of(known, "name"), text_of(qube, "name")) == 0 &&
            strcmp(text_of(known, "ipv4"), text_of(qube, "ipv4")) == 0)
            return true;
    }
    return false;
}

static void tell_qubes(struct teller *t, const char *word, const json_t *status,
                       const json_t *other)
{
    size_t i;
    const json_t *qube;
    json_array_foreach(json_object_get(status, "qubes"), i, qube)
    {
        char line[LINE_SIZE];
        if (has_qube(other, qube))
            continue;
        snprintf(line, sizeof line, "qube %s, %s: %s", text_of(qube, "name"),
                 text_of(qube, "ipv4"), word);
        tell(t, line);
    }
}

static unsigned compare(const json_t *status, const json_t *before,
                        status_change_line *line, void *context)
{
    struct teller t = {line, context, 0};
    tell_state(&t, status, before);
    tell_problems(&t, "problem", status, before);
    tell_problems(&t, "no longer a problem", before, status);
    tell_qubes(&t, "attached", status, before);
    tell_qubes(&t, "detached", before, status);
    return t.count;
}

void status_change_tell(const json_t *status, const json_t *before,
                        status_change_line *line, void *context)
{
    (void)compare(status, before, line, context);
}

bool status_change_is(const json_t *status, const json_t *before)
{
    return !before || compare(status, before, NULL, NULL) > 0;
}
