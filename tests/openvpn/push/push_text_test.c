#include "gateway/openvpn/push/push_text.h"

#include "tests/unit.h"

#include <stdio.h>

static void shows(const char *message, const char *expected)
{
    char text[PUSH_TEXT_SIZE];
    assert_string_equal(push_text(bytes_of_text(message), text), expected);
}

static void options_are_shown_as_they_came(void **state)
{
    (void)state;
    shows("PUSH_REPLY,route 10.1.0.0 255.255.0.0, ping 10,tun-mtu 1400",
          "route 10.1.0.0 255.255.0.0, ping 10, tun-mtu 1400");
    shows("PUSH_UPDATE,-dhcp-option,?route-ipv6 fd00::/8",
          "-dhcp-option, ?route-ipv6 fd00::/8");
    shows("PUSH_REPLY", "");
    shows("PUSH_REPLY,,ping 1", "ping 1");
    shows("", "");
}

static void secrets_and_what_is_not_known_are_not(void **state)
{
    (void)state;
    shows("PUSH_REPLY,auth-token SESS_ID_secret,ping 10",
          "auth-token ..., ping 10");
    shows("PUSH_UPDATE,?auth-token secret", "auth-token ...");
    shows("PUSH_REPLY,auth-token-user c2VjcmV0", "auth-token-user ...");
    shows("PUSH_REPLY,mystery password,ping", "mystery ..., ping");
    shows("PUSH_REPLY,setenv UV_KEY secret", "setenv ...");
}

static void what_is_hostile_is_quoted_and_cut(void **state)
{
    (void)state;
    char text[PUSH_TEXT_SIZE];
    static char message[4096] = "PUSH_REPLY";
    shows("PUSH_REPLY,route \033[2J\n", "route ?[2J");
    for (size_t i = 0; i < 400; i++)
        strcat(message, ",ping 10");
    assert_true(strlen(push_text(bytes_of_text(message), text)) > 900);
    assert_true(strlen(text) < PUSH_TEXT_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_shown_as_they_came),
        cmocka_unit_test(secrets_and_what_is_not_known_are_not),
        cmocka_unit_test(what_is_hostile_is_quoted_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
