/* Files that people give to `check' by mistake. */
#include "gateway/vpn/foreign_file.h"

#include "tests/unit.h"

static void is_told(const char *text, size_t size, const char *word)
{
    const char *problem = foreign_file_problem(bytes_of(text, size));
    assert_non_null(problem);
    assert_non_null(strstr(problem, word));
}

#define TOLD(text, word) is_told(text, sizeof text - 1, word)

static void each_kind_is_named(void **state)
{
    (void)state;
    TOLD("\n<!DOCTYPE HTML>\n<html>", "web page");
    TOLD("\xef\xbb\xbf<html>", "web page");
    TOLD("PK\x03\x04....", "ZIP");
    TOLD("\x1f\x8b\x08", "gzip");
    TOLD("\x7f"
         "ELF\2\1",
         "program");
    TOLD("\xff\xfe"
         "c\0l\0",
         "UTF-16");
    TOLD("\x30\x82\x01\x02", "PKCS#12");
    TOLD("client\n\0\1", "binary");
    TOLD("-----BEGIN CERTIFICATE-----\n", "certificate or key (PEM)");
    TOLD("{\"type\": \"wireguard\"}", "JSON");
    TOLD("\n[ {\"name\": 1} ]", "JSON");
    TOLD("# made by hand\n\n[connection]\nid=home\ntype=wireguard\n",
         "NetworkManager");
    TOLD("[connection]\r\nid=home\r\ntype=vpn\r\n", "NetworkManager");
    TOLD("", "empty");
    TOLD(" \n\n", "empty");
}

static void a_profile_is_none_of_them(void **state)
{
    static const char *const profiles[] = {
        "client\nremote a 1194\n",
        "\xef\xbb\xbf"
        "client\r\n",
        "<connection>\nremote a\n</connection>\n",
        "[Interface]\nPrivateKey = x\n",
        "[ Interface ]\nPrivateKey = x\n",
        "# [connection]\nclient\n",
        "<ca>\n-----BEGIN CERTIFICATE-----\n",
        "nonsense",
    };
    (void)state;
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
        assert_null(foreign_file_problem(bytes_of_text(profiles[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_named),
        cmocka_unit_test(a_profile_is_none_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
