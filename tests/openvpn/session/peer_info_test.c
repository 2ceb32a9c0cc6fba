#include "gateway/openvpn/session/peer_info.h"
#include "tests/unit.h"

static const struct peer_info typical = {
    .version = "1.2.3",
    .protocol = PEER_INFO_DATA_V2 | PEER_INFO_REQUEST_PUSH |
                PEER_INFO_TLS_KEY_EXPORT | PEER_INFO_AUTH_PENDING_KEYWORDS |
                PEER_INFO_CC_EXIT_NOTIFY | PEER_INFO_AUTH_FAILED_TEMPORARY |
                PEER_INFO_DYNAMIC_TLS_CRYPT | PEER_INFO_DNS_OPTION_V2,
};

static void the_lines_are_those_a_server_reads(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    char text[PEER_INFO_SIZE];
    assert_true(peer_info_format(&typical, &c, text));
    assert_string_equal(text,
                        "IV_VER=1.2.3\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=1600\n"
                        "IV_NCP=2\n"
                        "IV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\n"
                        "IV_PROTO=2974\n"
                        "IV_LZO_STUB=1\nIV_COMP_STUB=1\nIV_COMP_STUBv2=1\n");
    config_clear(&c);
}

static void without_both_gcm_ciphers_there_is_no_ncp_line(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    memcpy(c.data_ciphers, "AES-256-GCM:AES-192-GCM", 24);
    struct peer_info p = typical;
    p.lzo = true;
    char text[PEER_INFO_SIZE];
    assert_true(peer_info_format(&p, &c, text));
    assert_null(strstr(text, "IV_NCP"));
    assert_non_null(strstr(text, "\nIV_LZO=1\n"));
    assert_null(strstr(text, "IV_LZ4"));
    config_clear(&c);
}

static char *entries[] = {(char[]){"UV_IPV6=no"}, (char[]){"IV_GUI_VER=x 1"},
                          (char[]){"IV_PLAT_VER=6"}};

static void variables_are_told_only_on_request(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    c.peer_info = entries;
    c.peer_info_count = 3;
    char text[PEER_INFO_SIZE];
    assert_true(peer_info_format(&typical, &c, text));
    assert_null(strstr(text, "UV_IPV6"));
    assert_null(strstr(text, "IV_PLAT_VER"));
    assert_non_null(strstr(text, "\nIV_GUI_VER=x 1\n"));
    c.push_peer_info = true;
    assert_true(peer_info_format(&typical, &c, text));
    assert_non_null(strstr(text, "\nUV_IPV6=no\n"));
    assert_non_null(strstr(text, "\nIV_PLAT_VER=6\n"));
}

static void variables_that_do_not_fit_are_left_out_whole(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    char long_entry[600];
    memset(long_entry, 'a', sizeof long_entry - 1);
    long_entry[sizeof long_entry - 1] = '\0';
    memcpy(long_entry, "UV_A=", 5);
    char *many[] = {long_entry, long_entry, long_entry, entries[0]};
    c.peer_info = many;
    c.peer_info_count = 4;
    c.push_peer_info = true;
    char text[PEER_INFO_SIZE];
    assert_true(peer_info_format(&typical, &c, text));
    assert_true(strlen(text) < PEER_INFO_SIZE);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_non_null(strstr(text, "\nUV_IPV6=no\n"));
}

static void a_value_is_found_at_the_start_of_a_line_only(void **state)
{
    (void)state;
    struct bytes text = bytes_of_text("IV_VER=2.6 IV_PROTO=1\nIV_PROTO=990\nX");
    struct bytes value;
    assert_true(peer_info_value(text, "IV_PROTO", &value));
    assert_bytes_equal(value, bytes_of_text("990"));
    assert_false(peer_info_value(text, "X", &value));
    assert_false(peer_info_value(text, "IV_PROT", &value));
    assert_false(peer_info_value(bytes_of(NULL, 0), "X", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lines_are_those_a_server_reads),
        cmocka_unit_test(without_both_gcm_ciphers_there_is_no_ncp_line),
        cmocka_unit_test(variables_are_told_only_on_request),
        cmocka_unit_test(variables_that_do_not_fit_are_left_out_whole),
        cmocka_unit_test(a_value_is_found_at_the_start_of_a_line_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
