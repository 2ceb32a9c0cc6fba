#include "gateway/control/status_change.h"

#include "tests/unit.h"

#include <stdio.h>

static char told[2048];

static void add(void *context, const char *line)
{
    (void)context;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s;", line);
}

static json_t *look(const char *text)
{
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    return status;
}

/* The text between two looks; `before` may be NULL. */
static const char *change(const char *before, const char *now)
{
    json_t *then = before ? look(before) : NULL, *status = look(now);
    told[0] = '\0';
    status_change_tell(status, then, add, NULL);
    if (before)
        assert_int_equal(status_change_is(status, then), told[0] != '\0');
    json_decref(then);
    json_decref(status);
    return told;
}

#define SERVER                                                                 \
    "\"server\":{\"host\":\"a.example\",\"port\":1194,"                        \
    "\"protocol\":\"udp\"},\"tunnel\":{\"ipv4\":\"10.8.0.2/24\"},"             \
    "\"qubes\":[{\"name\":\"work\",\"ipv4\":\"10.137.0.10\"}]"
#define CONNECTED                                                              \
    "{\"state\":\"connected\",\"up\":true,\"reconnects\":0," SERVER "}"
#define RECONNECTED                                                            \
    "{\"state\":\"connected\",\"up\":true,\"reconnects\":1," SERVER "}"
#define SILENT(seconds)                                                        \
    "{\"state\":\"connecting\",\"up\":false,\"last_error\":"                   \
    "\"no answer yet from a (" seconds " s)\","                                \
    "\"problems\":[\"no answer yet from a (" seconds " s)\"]}"

static void the_first_look_tells_all(void **state)
{
    (void)state;
    assert_string_equal(change(NULL, CONNECTED),
                        "connected to a.example:1194/udp, address 10.8.0.2/24;"
                        "qube work, 10.137.0.10: attached;");
    assert_string_equal(change(CONNECTED, CONNECTED), "");
}

static void a_state_is_told_with_its_reason_once(void **state)
{
    (void)state;
    assert_string_equal(change(NULL, SILENT("6")),
                        "connecting: no answer yet from a (6 s);");
    assert_string_equal(change(SILENT("6"), SILENT("17")), "");
    assert_string_equal(
        change("{\"state\":\"waiting to retry\",\"last_error\":\"x\"}",
               "{\"state\":\"waiting for login\",\"question\":\"PIN?\"}"),
        "waiting for login: PIN?;");
    assert_string_equal(
        change("{\"state\":\"connecting\"}", "{\"state\":\"stopped\"}"),
        "stopped;");
}

static void a_quick_reconnect_is_seen_by_its_number(void **state)
{
    (void)state;
    assert_string_equal(
        change(CONNECTED, RECONNECTED),
        "connected to a.example:1194/udp, address 10.8.0.2/24;");
}

static void problems_and_qubes_come_and_go(void **state)
{
    static const char without[] = "{\"state\":\"connected\"}";
    static const char with[] =
        "{\"state\":\"connected\",\"problems\":[\"vpn-mtu: many\"],"
        "\"qubes\":[{\"name\":\"a\",\"ipv4\":\"10.137.0.9\"}]}";
    (void)state;
    assert_string_equal(change(without, with),
                        "problem: vpn-mtu: many;qube a, 10.137.0.9: attached;");
    assert_string_equal(
        change(with, without),
        "no longer a problem: vpn-mtu: many;qube a, 10.137.0.9: detached;");
}

static void an_answer_of_something_else_is_survived(void **state)
{
    static const char *const strange[] = {
        "{}",
        "{\"state\":7,\"problems\":{},\"qubes\":7,\"up\":true}",
        "{\"problems\":[7],\"qubes\":[7],\"server\":[],\"tunnel\":7}",
    };
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            assert_non_null(change(strange[i], strange[j]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_look_tells_all),
        cmocka_unit_test(a_state_is_told_with_its_reason_once),
        cmocka_unit_test(a_quick_reconnect_is_seen_by_its_number),
        cmocka_unit_test(problems_and_qubes_come_and_go),
        cmocka_unit_test(an_answer_of_something_else_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
