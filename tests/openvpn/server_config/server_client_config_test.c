/* The files of client-config-dir, and what is wrong with one. */
#include "gateway/openvpn/server_config/server_client_config.h"

#include <stdio.h>

#include "tests/unit.h"

struct trial {
    struct server_client_config config;
    bool usable;
    unsigned errors, warnings, line;
    char text[512];
};

static void note(void *context, enum config_severity severity, unsigned line,
                 const char *text)
{
    struct trial *t = context;
    t->warnings += severity == CONFIG_WARNING;
    if (severity != CONFIG_ERROR || t->errors++ > 0)
        return;
    t->line = line;
    snprintf(t->text, sizeof t->text, "%s", text);
}

static enum server_config_topology topology;

static void run(struct trial *t, struct bytes text)
{
    const struct config_parser_env env = {note, NULL, t, NULL};
    struct server_config server;
    server_config_init(&server);
    server.topology = topology;
    server.ipv4 = (struct prefix){address_ipv4(0x0a080001), 24};
    assert_true(prefix_parse(bytes_of_text("fd00:8::/64"), &server.ipv6));
    server.ipv6.address.bytes[15] = 1;
    uint8_t *copy = exact_copy(text.data, text.size);
    memset(t, 0, sizeof *t);
    t->usable = server_client_config_parse(bytes_of(copy, text.size), &server,
                                           &env, &t->config);
    assert_int_equal(t->usable, t->errors == 0);
    free(copy);
}

static const char everything[] =
    "# of anna\n"
    "ifconfig-push 10.8.0.77 255.255.255.0\n"
    "ifconfig-ipv6-push fd00:8::77/64 fd00:8::1\n"
    "iroute 192.168.7.0 255.255.255.0\niroute 192.168.9.9\n"
    "iroute-ipv6 fd00:7::/48\n"
    "push \"route 10.1.0.0 255.255.0.0\"\npush-remove route\n";

static void every_directive_sets_what_it_says(void **state)
{
    (void)state;
    struct trial t;
    run(&t, bytes_of_text(everything));
    assert_true(t.usable);
    assert_int_equal(address_to_ipv4(&t.config.ipv4.address), 0x0a08004d);
    assert_int_equal(t.config.ipv4.bits, 24);
    assert_int_equal(address_to_ipv4(&t.config.ipv4_second), 0xffffff00);
    assert_int_equal(t.config.ipv6.address.bytes[15], 0x77);
    assert_int_equal(t.config.route_count, 3);
    assert_int_equal(t.config.routes[0].bits, 24);
    assert_int_equal(t.config.routes[1].bits, 32);
    assert_int_equal(t.config.routes[2].bits, 48);
    assert_int_equal(t.config.push_count, 1);
    assert_false(t.config.disabled);
    assert_false(server_client_config_takes(&t.config, "route 10.0.0.0"));
    assert_true(server_client_config_takes(&t.config, "dhcp-option DNS 1.1"));
    server_client_config_clear(&t.config);
    run(&t, bytes_of_text("disable\npush-reset\n"));
    assert_true(t.usable && t.config.disabled);
    assert_false(server_client_config_takes(&t.config, "dhcp-option DNS 1.1"));
    server_client_config_clear(&t.config);
}

static void refused(const char *text, unsigned line, const char *part)
{
    struct trial t;
    run(&t, bytes_of_text(text));
    if (t.usable || t.line != line || !strstr(t.text, part))
        fail_msg("%s: line %u: %s", text, t.line, t.text);
    server_client_config_clear(&t.config);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    (void)state;
    refused("session-timeout 7\n", 1, "no directive of a single client");
    refused("\nnonsense\n", 2, "no directive of a single client");
    refused("config other\n", 1, "no directive");
    refused("ifconfig-push 10.9.0.2 255.255.255.0\n", 1, "network of `server'");
    refused("ifconfig-push 10.8.0.1 255.255.255.0\n", 1, "the server's own");
    refused("ifconfig-push 10.8.0.0 255.255.255.0\n", 1, "not its first");
    refused("ifconfig-push 10.8.0.255 255.255.255.0\n", 1, "or last");
    refused(
        "ifconfig-push 10.8.0.5 10.8.0.6\n", 1,
        "write the netmask of `server' for the second, or `topology net30'");
    refused("ifconfig-push 10.8.0.5\n", 1, "argument");
    refused("ifconfig-ipv6-push fd00:9::5/64\n", 1, "network of `server-ipv6'");
    refused("ifconfig-ipv6-push fd00:8::1/64\n", 1, "the server's");
    refused("iroute 10.0.0.0 255.0.255.0\n", 1, "has holes");
    refused("iroute-ipv6 10.0.0.0/8\n", 1, "not an IPv6 prefix");
    refused("push \"a,b\"\n", 1, "without a comma");
    refused("push \"open\n", 1, "quote");
}

/* Lines that mean nothing here shut nobody out, and are told. */
static void what_is_harmless_is_passed_over(void **state)
{
    (void)state;
    struct trial t;
    run(&t, bytes_of_text("comp-lzo no\nverb 3\nkeepalive 10 60\n"
                          "push \"comp-lzo yes\"\npush \"ping 5\"\n"));
    assert_true(t.usable);
    assert_int_equal(t.warnings, 4);
    assert_int_equal(t.config.push_count, 1);
    server_client_config_clear(&t.config);
}

static void without_a_subnet_the_other_end_is_said(void **state)
{
    (void)state;
    struct trial t;
    topology = SERVER_CONFIG_NET30;
    run(&t, bytes_of_text("ifconfig-push 10.8.0.5 10.8.0.6\n"));
    assert_true(t.usable);
    assert_int_equal(address_to_ipv4(&t.config.ipv4.address), 0x0a080005);
    assert_int_equal(address_to_ipv4(&t.config.ipv4_second), 0x0a080006);
    server_client_config_clear(&t.config);
    topology = SERVER_CONFIG_SUBNET;
}

static void routes_are_bounded(void **state)
{
    (void)state;
    struct trial t;
    static char text[SERVER_CONFIG_CLIENT_ROUTES_MAX * 32];
    size_t used = 0;
    for (unsigned i = 0; i <= SERVER_CONFIG_CLIENT_ROUTES_MAX; i++)
        used += (size_t)sprintf(text + used, "iroute 10.%u.%u.1\n", i / 256,
                                i % 256);
    run(&t, bytes_of(text, used));
    assert_int_equal(t.line, SERVER_CONFIG_CLIENT_ROUTES_MAX + 1);
    assert_int_equal(t.config.route_count, SERVER_CONFIG_CLIENT_ROUTES_MAX);
    server_client_config_clear(&t.config);
}

static void every_truncation_is_survived(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof everything; n++) {
        struct trial t;
        run(&t, bytes_of(everything, n));
        server_client_config_clear(&t.config);
    }
}

static void only_a_name_of_a_file_is_one(void **state)
{
    (void)state;
    assert_true(server_client_config_is_file_name("anna"));
    assert_true(server_client_config_is_file_name("Anna M. <a@b.example>"));
    assert_false(server_client_config_is_file_name(""));
    assert_false(server_client_config_is_file_name("."));
    assert_false(server_client_config_is_file_name(".."));
    assert_false(server_client_config_is_file_name(".hidden"));
    assert_false(server_client_config_is_file_name("../secret"));
    assert_false(server_client_config_is_file_name("a/b"));
    assert_false(server_client_config_is_file_name("a\nb"));
    assert_false(server_client_config_is_file_name("\xc3\xa4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_directive_sets_what_it_says),
        cmocka_unit_test(what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(what_is_harmless_is_passed_over),
        cmocka_unit_test(without_a_subnet_the_other_end_is_said),
        cmocka_unit_test(routes_are_bounded),
        cmocka_unit_test(every_truncation_is_survived),
        cmocka_unit_test(only_a_name_of_a_file_is_one),
    };
    return cmocka_run_group_tests_name("server_client_config", tests, NULL,
                                       NULL);
}
