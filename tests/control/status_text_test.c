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

static bool all; /* of the style */

/* Prints it; the caller frees the text. */
static char *print(const json_t *status, const json_t *before)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    status_print(status, out,
                 &(struct status_style){.before = before, .all = all});
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
    assert_non_null(strstr(text, "VPN       connected for 1 min\n"));
    assert_non_null(strstr(text, "\nprofile   work.ovpn\n"));
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
    assert_non_null(strstr(
        text, "routes    all IPv4, not 10.1.0.0/16; IPv6 blocked  DNS none"
              "         MTU 1400\n"));
    free(text);
    text = print_text("{" UP "\"problems\":[\"no route\"],\"tunnel\":{"
                      "\"mtu\":1400,\"routes\":[]}}");
    assert_non_null(strstr(text, "routes    none; IPv6 blocked         DNS "
                                 "none         MTU 1400\n"));
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

/* WireGuard's, after the handshake: qubes may send. */
static void a_tunnel_without_an_answer_is_told(void **state)
{
    (void)state;
    char *text = print_text(
        "{\"state\":\"connecting\",\"up\":false,\"since_seconds\":5.0,"
        "\"tunnel\":{\"mtu\":1400,\"routes\":[]}}");
    assert_non_null(
        strstr(text, "VPN       connecting for 5 s (nothing has come back)\n"));
    free(text);
}

static void a_rate_is_the_difference_of_two_looks(void **state)
{
    (void)state;
    json_t *before = traffic(100.0, 1000, 5000000);
    json_t *status = traffic(102.0, 1050, 30000000);
    char *text = print(status, before);
    assert_non_null(strstr(text, "rate      200 bit/s up, 100 Mbit/s down\n"));
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

static const char at_a_glance[] =
    "{\"state\":\"connected\",\"up\":true,\"since_seconds\":185.0,"
    "\"last_packet_seconds\":2.4,\"qubesdb\":\"none\",\"problems\":[],"
    "\"profile\":\"/rw/config/vpn-gateway/work.ovpn\",\"server\":{"
    "\"host\":\"vpn.example.org\",\"port\":1194,\"protocol\":\"udp\","
    "\"address\":\"192.0.2.1:1194\",\"name\":\"server.lab\"},"
    "\"tunnel\":{\"ipv4\":\"10.8.0.2/24\",\"mtu\":1448,"
    "\"mtu_server\":1448,\"default_route_ipv4\":true,"
    "\"resolvers\":[\"10.8.0.1\"]},\"qubes\":[{\"name\":\"work\","
    "\"ipv4\":\"10.137.0.10\",\"rules\":\"3 rules, else drop\","
    "\"bytes_up\":1234567,\"bytes_down\":40000000,\"flows\":2,"
    "\"drops\":{\"LINK_LOCAL\":9,\"RULE\":12,\"NO_IPV6\":1}}],"
    "\"drops\":{\"LINK_LOCAL\":9,\"RULE\":12,\"NO_IPV6\":1,"
    "\"DATA_REPLAY\":3}}";

static void the_head_is_read_at_a_glance(void **state)
{
    static const char head[] =
        "VPN       connected for 3 min        (last packet 2 s ago)\n"
        "server    vpn.example.org 192.0.2.1:1194/udp, \"server.lab\", "
        "profile work.ovpn\n"
        "routes    all IPv4; IPv6 blocked     DNS 10.8.0.1     MTU 1448\n"
        "QUBE      ADDRESS       RULES   UP      DOWN    REFUSED\n"
        "work      10.137.0.10   3       1.2 MB  40 MB   12 (rule), "
        "1 (no IPv6)\n";
    (void)state;
    char *text = print_text(at_a_glance);
    assert_true(strlen(text) > strlen(head));
    text[strlen(head)] = '\0';
    assert_string_equal(text, head);
    free(text);
}

/* A fact in a row is not said again, and a normal one only if asked for. */
static void what_is_normal_is_said_when_asked_for(void **state)
{
    (void)state;
    char *text = print_text(at_a_glance);
    assert_null(strstr(text, "link local"));
    assert_null(strstr(text, "a rule says drop"));
    assert_non_null(strstr(text, "dropped   3         tunnel: data packet "));
    free(text);
    all = true;
    text = print_text(at_a_glance);
    all = false;
    assert_non_null(strstr(text, "9 (link local), 12 (rule)"));
    assert_non_null(strstr(text, "dropped   12        firewall: a rule says"));
    assert_non_null(strstr(text, "rules     work: 3 rules, else drop\n"));
    free(text);
}

static void an_mtu_below_the_servers_has_its_reason(void **state)
{
    static const char *const cases[][2] = {
        {"\"mtu\":1448,\"mtu_server\":1500,\"mtu_path\":1448",
         "MTU 1448 (all the path carries; the server allows 1500)\n"},
        {"\"mtu\":1400,\"mtu_server\":1500,\"mtu_setting\":1400,"
         "\"mtu_path\":1448",
         "MTU 1400 (vm-config.vpn-mtu; the server allows 1500)\n"},
        {"\"mtu\":1448,\"mtu_server\":1500,\"mtu_setting\":1480,"
         "\"mtu_path\":1448",
         "MTU 1448 (all the path carries; the server allows 1500)\n"},
        {"\"mtu\":1500,\"mtu_server\":1500", "MTU 1500\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[512];
        snprintf(json, sizeof json, "{" UP "\"tunnel\":{%s}}", cases[i][0]);
        char *text = print_text(json);
        assert_non_null(strstr(text, cases[i][1]));
        free(text);
    }
}

static void a_place_is_said_once(void **state)
{
    static const char *const cases[][2] = {
        {"\"host\":\"192.0.2.1\",\"port\":1194,\"protocol\":\"udp\","
         "\"address\":\"192.0.2.1:1194\"",
         "server    192.0.2.1:1194/udp, "},
        {"\"host\":\"2001:db8::1\",\"port\":443,\"protocol\":\"tcp\","
         "\"address\":\"[2001:db8::1]:443\"",
         "server    [2001:db8::1]:443/tcp, "},
        {"\"host\":\"a.example\",\"port\":443,\"protocol\":\"tcp\"",
         "server    a.example:443/tcp, "},
        {"\"host\":\"a.example\",\"port\":443,\"protocol\":\"tcp\","
         "\"proxy\":\"HTTP\",\"address\":\"192.0.2.9:3128\"",
         "server    a.example:443/tcp through the HTTP proxy 192.0.2.9:3128, "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[512];
        snprintf(json, sizeof json, "{" UP "\"server\":{%s}}", cases[i][0]);
        char *text = print_text(json);
        assert_non_null(strstr(text, cases[i][1]));
        free(text);
    }
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
        cmocka_unit_test(a_tunnel_without_an_answer_is_told),
        cmocka_unit_test(a_rate_is_the_difference_of_two_looks),
        cmocka_unit_test(the_head_is_read_at_a_glance),
        cmocka_unit_test(what_is_normal_is_said_when_asked_for),
        cmocka_unit_test(an_mtu_below_the_servers_has_its_reason),
        cmocka_unit_test(a_place_is_said_once),
        cmocka_unit_test(an_answer_of_something_else_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
