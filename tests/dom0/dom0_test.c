/* In a real loop, beside a QubesDB daemon that takes its turns in it. */
#include "gateway/dom0/dom0.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/qubesdb/daemon.h"
#include "tests/unit.h"

#define RULES    "/qubes-firewall/10.137.0.20"
#define ONE_RULE "1 rule, else drop"
#define NO_RULES "drop (no rules yet)"

enum { GIVE_UP = 20 /* s */ };

struct world {
    char directory[32], socket[48];
    struct loop *loop;
    struct loop_timer turns;
    struct daemon *daemon;
    struct router *router;
    struct qube *qube;
    struct dom0 *dom0;
    struct instant began;
    bool (*awaited)(const struct world *w);
    unsigned synced, owns, rules;
    char name[KEYS_NAME_SIZE]; /* ours, as told last */
    unsigned settings[VM_CONFIG_KEY_COUNT];
    char warnings[2048];
};

static void keep_warnings(void *context, enum log_level level, const char *line)
{
    struct world *w = context;
    size_t size = strlen(w->warnings);
    if (level <= LOG_WARN)
        snprintf(w->warnings + size, sizeof w->warnings - size, "%s\n", line);
}

static void take_turns(void *context, struct instant now)
{
    struct world *w = context;
    while (daemon_turn(w->daemon, 0, -1))
        ;
    if (w->awaited(w))
        loop_quit(w->loop);
    assert_true(instant_since(now, w->began).us < GIVE_UP * 1000000LL);
    loop_timer_set(&w->turns, instant_after(now, duration_milliseconds(1)));
}

static void on_setting(void *context, struct instant now,
                       enum vm_config_key key)
{
    struct world *w = context;
    (void)now;
    w->settings[key]++;
}

static void on_rules(void *context, struct instant now)
{
    struct world *w = context;
    (void)now;
    w->rules++;
}

static void on_own(void *context, struct instant now,
                   const struct keys_own *own)
{
    struct world *w = context;
    (void)now;
    snprintf(w->name, sizeof w->name, "%s", own->name);
    w->owns++;
}

static void on_synced(void *context, struct instant now)
{
    struct world *w = context;
    (void)now;
    w->synced++;
}

static void run_until(struct world *w, bool (*awaited)(const struct world *))
{
    w->awaited = awaited;
    w->began = loop_now(w->loop);
    loop_timer_set(&w->turns, w->began);
    assert_int_equal(loop_run(w->loop), OK);
}

static const char *rules_of_qube(const struct world *w)
{
    const struct qube *status = w->qube;
    return status->rules_text;
}

static bool is_synced(const struct world *w)
{
    return w->synced == 1;
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    const struct router_options options = {.flows = 256};
    const struct dom0_owner owner = {
        .context = w,
        .setting = on_setting,
        .rules = on_rules,
        .own = on_own,
        .synced = on_synced,
    };
    struct address qube = address_ipv4(0x0a890014); /* 10.137.0.20 */

    log_set_sink(keep_warnings, w);
    strcpy(w->directory, "/tmp/dom0-test-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    snprintf(w->socket, sizeof w->socket, "%s/socket", w->directory);
    w->loop = loop_new();
    w->turns = (struct loop_timer){INSTANT_NEVER, take_turns, w, NULL};
    loop_add_timer(w->loop, &w->turns);
    w->router = router_new(&options);
    w->qube =
        router_add_qube(w->router, loop_now(w->loop), "qube", &qube, NULL);
    w->daemon = daemon_new();
    daemon_write(w->daemon, "/name", "sys-vpn");
    daemon_write(w->daemon, "/qubes-netvm-gateway", "10.137.0.5");
    daemon_write(w->daemon, "/connected-ips",
                 "10.137.0.20 rubbish  192.168.1.2");
    daemon_write(w->daemon, "/mapped-ip/10.137.0.21/visible-ip", "192.168.1.2");
    daemon_write(w->daemon, "/vm-config/vpn-mtu", "1300");
    daemon_write(w->daemon, RULES "/policy", "drop");
    daemon_write(w->daemon, RULES "/0000", "action=accept");
    daemon_write(w->daemon, RULES, "");
    daemon_listen(w->daemon, w->socket);
    w->dom0 = dom0_open(w->socket, w->loop, w->router, &owner);
    assert_non_null(w->dom0);
    return w;
}

static struct world *world_synced(void)
{
    struct world *w = world_new();
    run_until(w, is_synced);
    return w;
}

static void world_free(struct world *w)
{
    dom0_close(w->dom0);
    daemon_free(w->daemon);
    router_free(w->router);
    loop_remove_timer(w->loop, &w->turns);
    loop_free(w->loop);
    rmdir(w->directory);
    log_set_sink(NULL, NULL);
    free(w);
}

static bool is_handled(const struct world *w)
{
    return daemon_value(w->daemon, "/qubes-firewall-handled/10.137.0.20");
}

static void the_beginning_reaches_router_and_owner(void **state)
{
    (void)state;
    struct world *w = world_new();
    assert_string_equal(rules_of_qube(w), NO_RULES);
    run_until(w, is_synced);
    assert_true(dom0_in_contact(w->dom0));
    assert_string_equal(rules_of_qube(w), ONE_RULE);
    assert_int_equal(w->settings[VM_CONFIG_MTU], 1);
    assert_int_equal(dom0_config(w->dom0)->values.mtu, 1300);
    assert_int_equal(w->owns, 1);
    assert_string_equal(w->name, "sys-vpn");
    run_until(w, is_handled);
    assert_string_equal(w->warnings, "");
    world_free(w);
}

static bool has_two_rules(const struct world *w)
{
    return !strcmp(rules_of_qube(w), "2 rules, else drop");
}

static bool has_no_rules(const struct world *w)
{
    return !strcmp(rules_of_qube(w), NO_RULES);
}

static bool handled_thrice(const struct world *w)
{
    const char *value =
        daemon_value(w->daemon, "/qubes-firewall-handled/10.137.0.20");
    return value && !strcmp(value, "3");
}

static void rules_are_swapped_broken_and_removed(void **state)
{
    (void)state;
    struct world *w = world_synced();
    unsigned before = w->rules;
    daemon_remove(w->daemon, RULES "/");
    daemon_write(w->daemon, RULES "/policy", "drop");
    daemon_write(w->daemon, RULES "/0000", "action=drop");
    daemon_write(w->daemon, RULES "/0001", "action=accept");
    daemon_write(w->daemon, RULES, "");
    run_until(w, has_two_rules);
    assert_true(w->rules > before);

    daemon_write(w->daemon, RULES "/0001", "action=maybe");
    daemon_write(w->daemon, RULES, "");
    run_until(w, handled_thrice);
    assert_non_null(strstr(rules_of_qube(w), "maybe"));

    daemon_write(w->daemon, RULES "/0001", "action=accept");
    daemon_remove(w->daemon, "/qubes-firewall/");
    before = w->rules;
    run_until(w, has_no_rules);
    assert_true(w->rules > before);
    world_free(w);
}

static bool mtu_changed_twice(const struct world *w)
{
    return w->settings[VM_CONFIG_MTU] == 2;
}

static bool mtu_is_kept(const struct world *w)
{
    return dom0_config(w->dom0)->states[VM_CONFIG_MTU] == VM_CONFIG_KEPT;
}

static bool mtu_is_unset(const struct world *w)
{
    return dom0_config(w->dom0)->states[VM_CONFIG_MTU] == VM_CONFIG_UNSET;
}

static void settings_follow_and_wrong_ones_are_named(void **state)
{
    (void)state;
    struct world *w = world_synced();
    daemon_write(w->daemon, "/vm-config/vpn-mtu", "1200");
    run_until(w, mtu_changed_twice);
    assert_int_equal(dom0_config(w->dom0)->values.mtu, 1200);

    daemon_write(w->daemon, "/vm-config/vpn-colour", "red");
    daemon_write(w->daemon, "/vm-config/other", "not ours");
    daemon_write(w->daemon, "/vm-config/vpn-mtu", "12000");
    run_until(w, mtu_is_kept);
    assert_int_equal(dom0_config(w->dom0)->values.mtu, 1200);
    assert_int_equal(w->settings[VM_CONFIG_MTU], 2);
    assert_non_null(strstr(w->warnings, "vpn-colour: there is no such"));
    assert_null(strstr(w->warnings, "other"));
    assert_non_null(strstr(w->warnings, "vpn-mtu: an MTU is"));
    assert_non_null(strstr(w->warnings, "stays active"));

    daemon_remove(w->daemon, "/vm-config/");
    run_until(w, mtu_is_unset);
    assert_int_equal(w->settings[VM_CONFIG_MTU], 3);
    world_free(w);
}

static bool is_out_of_contact(const struct world *w)
{
    return !dom0_in_contact(w->dom0);
}

static bool is_synced_again(const struct world *w)
{
    return w->synced == 2;
}

static void what_was_said_stays_until_it_is_said_anew(void **state)
{
    (void)state;
    struct world *w = world_synced();
    daemon_kill(w->daemon);
    run_until(w, is_out_of_contact);
    assert_string_equal(rules_of_qube(w), ONE_RULE);
    assert_int_equal(dom0_config(w->dom0)->values.mtu, 1300);

    daemon_remove(w->daemon, RULES "/");
    daemon_remove(w->daemon, RULES);
    daemon_write(w->daemon, "/vm-config/vpn-mtu", "1250");
    daemon_write(w->daemon, "/name", "sys-vpn-2");
    daemon_listen(w->daemon, w->socket);
    run_until(w, is_synced_again);
    assert_string_equal(rules_of_qube(w), NO_RULES);
    assert_int_equal(dom0_config(w->dom0)->values.mtu, 1250);
    assert_string_equal(w->name, "sys-vpn-2");
    assert_int_equal(w->owns, 2);
    world_free(w);
}

static void qubes_are_expected_by_what_they_are_known_as(void **state)
{
    (void)state;
    struct world *w = world_synced();
    struct address a = address_ipv4(0x0a890014);
    assert_true(dom0_expects(w->dom0, &a));
    a = address_ipv4(0x0a890015); /* seen as 192.168.1.2 */
    assert_true(dom0_expects(w->dom0, &a));
    a = address_ipv4(0x0a890016);
    assert_false(dom0_expects(w->dom0, &a));
    /* Nothing is said of IPv6. */
    assert_true(address_parse(bytes_of_text("fd09::1"), &a));
    assert_true(dom0_expects(w->dom0, &a));
    world_free(w);
}

static struct address visible_of_qube(const struct world *w)
{
    const struct qube *status = w->qube;
    return status->visible;
}

static bool is_shown_another(const struct world *w)
{
    struct address shown = visible_of_qube(w);
    return address_to_ipv4(&shown) == 0xc0a80102;
}

static bool is_shown_its_own(const struct world *w)
{
    struct address shown = visible_of_qube(w);
    return address_to_ipv4(&shown) == 0x0a890014;
}

static void a_qube_is_shown_what_dom0_says(void **state)
{
    (void)state;
    struct world *w = world_synced();
    assert_true(is_shown_its_own(w));
    daemon_write(w->daemon, "/mapped-ip/10.137.0.20/visible-ip", "192.168.1.2");
    run_until(w, is_shown_another);
    daemon_write(w->daemon, "/mapped-ip/10.137.0.20/visible-ip", "nonsense");
    run_until(w, is_shown_its_own);
    /* Said before it comes, too: 10.137.0.21. */
    struct address other = address_ipv4(0x0a890015);
    router_remove_qube(w->router, w->qube);
    w->qube =
        router_add_qube(w->router, loop_now(w->loop), "other", &other, NULL);
    assert_true(is_shown_another(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_beginning_reaches_router_and_owner),
        cmocka_unit_test(rules_are_swapped_broken_and_removed),
        cmocka_unit_test(settings_follow_and_wrong_ones_are_named),
        cmocka_unit_test(what_was_said_stays_until_it_is_said_anew),
        cmocka_unit_test(qubes_are_expected_by_what_they_are_known_as),
        cmocka_unit_test(a_qube_is_shown_what_dom0_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
