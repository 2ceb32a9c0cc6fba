#include "gateway/control/status.h"

#include "tests/unit.h"

#include <stdio.h>

#define UP                                                                     \
    "\"state\":\"connected\",\"up\":true,\"since_seconds\":61.0,"              \
    "\"qubesdb\":\"in contact\",\"profile\":\"/p/work.ovpn\","

static json_t *traffic(double clock, int up, int down)
{
    return json_pack("{s:f,s:s,s:b,s:f,s:s,s:{s:i,s:i}}", "clock_seconds",
                     clock, "state", "connected", "up", 1, "since_seconds", 1.0,
                     "qubesdb", "none", "traffic", "bytes_up", up, "bytes_down",
                     down);
}

/* What is printed of it; the caller frees. */
static char *print(const json_t *status, const json_t *before)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    status_print(status, before, out, false);
    fclose(out);
    return text;
}

static char *print_text(const char *json)
{
    json_t *status = json_loads(json, 0, NULL);
    assert_non_null(status);
    char *text = print(status, NULL);
    json_decref(status);
    return text;
}

static void a_tunnel_and_its_profile_are_said_first(void **state)
{
    (void)state;
    char *text = print_text("{" UP "\"problems\":[]}");
    assert_non_null(strstr(text, "VPN       connected for 1 min 1 s\n"));
    assert_non_null(strstr(text, "profile   /p/work.ovpn\n"));
    assert_null(strstr(text, "problem"));
    assert_null(strstr(text, "rate"));
    free(text);
}

static void what_goes_through_the_tunnel_is_a_line(void **state)
{
    (void)state;
    char *text =
        print_text("{" UP "\"problems\":[],\"tunnel\":{\"mtu\":1400,"
                   "\"default_route_ipv4\":true,\"default_route_ipv6\":false,"
                   "\"routes\":[{\"to\":\"10.1.0.0/16\",\"excluded\":true}]}}");
    assert_non_null(strstr(text, "routes    all IPv4, not 10.1.0.0/16\n"));
    free(text);
    text = print_text("{" UP "\"problems\":[\"no route\"],\"tunnel\":{"
                      "\"mtu\":1400,\"routes\":[]}}");
    assert_non_null(strstr(text, "routes    none\n"));
    assert_non_null(strstr(text, "problem   no route\n"));
    free(text);
}

static void a_block_has_its_reason_and_each_problem_once(void **state)
{
    (void)state;
    char *text =
        print_text("{\"state\":\"blocked\",\"up\":false,\"since_seconds\":5.0,"
                   "\"last_error\":\"no such file\",\"qubesdb\":\"no answer\","
                   "\"problems\":[\"no such file\",\"vpn-mtu: many\"]}");
    assert_non_null(
        strstr(text, "VPN       blocked for 5 s (nothing leaves)\n"));
    assert_non_null(strstr(text, "reason    no such file\n"));
    assert_null(strstr(text, "problem   no such file\n"));
    assert_non_null(strstr(text, "problem   vpn-mtu: many\n"));
    assert_non_null(strstr(text, "problem   QubesDB does not answer\n"));
    free(text);
}

static void a_rate_is_the_difference_of_two_looks(void **state)
{
    (void)state;
    json_t *before = traffic(100.0, 1000, 5000000);
    json_t *status = traffic(102.0, 1050, 30000000);
    char *text = print(status, before);
    assert_non_null(
        strstr(text, "rate      200 bit/s up, 100.0 Mbit/s down\n"));
    free(text);
    /* The other way round it is that of another client. */
    text = print(before, status);
    assert_null(strstr(text, "rate"));
    free(text);
    text = print(status, status);
    assert_null(strstr(text, "rate"));
    free(text);
    json_decref(before);
    json_decref(status);
}

static void an_answer_of_something_else_is_survived(void **state)
{
    static const char *const strange[] = {
        "{}",
        "{\"state\":7,\"problems\":{},\"qubes\":7,\"traffic\":[]}",
        "{\"problems\":[7],\"drops\":[],\"server\":{},\"tunnel\":{}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        char *text = print_text(strange[i]);
        assert_non_null(text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tunnel_and_its_profile_are_said_first),
        cmocka_unit_test(what_goes_through_the_tunnel_is_a_line),
        cmocka_unit_test(a_block_has_its_reason_and_each_problem_once),
        cmocka_unit_test(a_rate_is_the_difference_of_two_looks),
        cmocka_unit_test(an_answer_of_something_else_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
