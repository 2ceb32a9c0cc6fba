#include "gateway/control/settings_report.h"

#include "tests/unit.h"

#include <stdio.h>

struct fixture {
    struct settings settings;
    struct vm_config dom0;
    struct tunnel granted;
    struct settings_report_source source;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->settings = (struct settings){
        .profiles = SETTINGS_PROFILES_DEFAULT,
        .qubesdb = SETTINGS_QUBESDB_DEFAULT,
        .control = "/tmp/control",
    };
    f->granted = (struct tunnel){.mtu = 1400, .resolver_count = 2};
    f->granted.resolvers[0] = address_ipv4(0xc0000235);
    f->granted.resolvers[1] = address_ipv4(0xc0000236);
    f->source = (struct settings_report_source){
        .settings = &f->settings,
        .dom0 = &f->dom0,
        .granted = &f->granted,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void set(struct fixture *f, enum vm_config_key key, const char *value)
{
    (void)vm_config_set(&f->dom0, key, bytes_of_text(value));
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

/* The row of this name has this value and origin, and a problem if it is to
 * have one. */
static void assert_row(const struct fixture *f, const char *name,
                       const char *value, const char *origin, bool wrong)
{
    json_t *report = settings_report_json(&f->source);
    size_t i;
    json_t *row, *found = NULL;
    assert_non_null(report);
    json_array_foreach(json_object_get(report, "settings"), i, row)
    {
        if (strcmp(text_of(row, "name"), name) == 0)
            found = row;
    }
    assert_non_null(found);
    assert_string_equal(text_of(found, "value"), value);
    assert_string_equal(text_of(found, "origin"), origin);
    assert_int_equal(text_of(found, "problem")[0] != '\0', wrong);
    json_decref(report);
}

static void what_nobody_set_comes_from_server_or_default(void **state)
{
    struct fixture *f = *state;
    assert_row(f, "vpn-profile", "", "default", false);
    assert_row(f, "vpn-dns", "192.0.2.53 192.0.2.54", "server", false);
    assert_row(f, "vpn-mtu", "1400", "server", false);
    assert_row(f, "vpn-ipv6", "on", "default", false);
    assert_row(f, "vpn-log-level", "info", "default", false);
    assert_row(f, "qubesdb", SETTINGS_QUBESDB_DEFAULT, "default", false);
    assert_row(f, "control", "/tmp/control", "command line", false);
    assert_row(f, "rules", "", "default", false);
    f->source.granted = NULL;
    assert_row(f, "vpn-mtu", "", "default", false);
}

static void dom0_stands_above_them(void **state)
{
    struct fixture *f = *state;
    set(f, VM_CONFIG_PROFILE, "work.ovpn home.ovpn");
    set(f, VM_CONFIG_MTU, "1300");
    set(f, VM_CONFIG_DNS, "9.9.9.9");
    assert_row(f, "vpn-profile", "work.ovpn home.ovpn", "vm-config", false);
    assert_row(f, "vpn-mtu", "1300", "vm-config", false);
    assert_row(f, "vpn-dns", "9.9.9.9", "vm-config", false);
}

static void the_command_line_stands_above_dom0(void **state)
{
    struct fixture *f = *state;
    set(f, VM_CONFIG_PROFILE, "work.ovpn");
    set(f, VM_CONFIG_LOG_LEVEL, "error");
    f->settings.profile = "mine.ovpn";
    assert_row(f, "vpn-profile", "mine.ovpn", "command line", false);
    assert_row(f, "vpn-log-level", "error", "vm-config", false);
    f->settings.verbose = true;
    assert_row(f, "vpn-log-level", "info", "command line", false);
    f->source.log_level_ordered = true;
    assert_row(f, "vpn-log-level", "info", "log-level command", false);
}

static void a_wrong_value_is_named_beside_what_is_in_force(void **state)
{
    struct fixture *f = *state;
    set(f, VM_CONFIG_MTU, "1300");
    set(f, VM_CONFIG_MTU, "many");
    assert_row(f, "vpn-mtu", "1300", "vm-config", true);
    set(f, VM_CONFIG_IPV6, "maybe");
    assert_row(f, "vpn-ipv6", "off", "vm-config", true);
    set(f, VM_CONFIG_DNS, "maybe");
    assert_row(f, "vpn-dns", "", "vm-config", true);
    set(f, VM_CONFIG_LOG_LEVEL, "loud");
    assert_row(f, "vpn-log-level", "info", "default", true);
}

static void it_can_be_read(void **state)
{
    struct fixture *f = *state;
    char *text = NULL;
    size_t size;
    set(f, VM_CONFIG_MTU, "many");
    set(f, VM_CONFIG_USERNAME, "J\xf6rg");
    json_t *report = settings_report_json(&f->source);
    FILE *out = open_memstream(&text, &size);
    settings_report_print(report, out);
    fclose(out);
    json_decref(report);
    assert_non_null(strstr(text, "vpn-mtu         1400  (server)\n"));
    assert_non_null(strstr(text, "576 to 9000: it takes 576 to 9000\n"));
    /* No UTF-8, and still there. */
    assert_non_null(strstr(text, "vpn-username    J?rg  (vm-config)\n"));
    assert_non_null(strstr(text, "vpn-proxy       -  (default)\n"));
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_set_comes_from_server_or_default),
        TEST(dom0_stands_above_them),
        TEST(the_command_line_stands_above_dom0),
        TEST(a_wrong_value_is_named_beside_what_is_in_force),
        TEST(it_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
