/* The client against a server that acts as dom0's daemon, over the stand-in
 * for libxenvchan. */
#include "qubesdb/qubesdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/base/log.h"
#include "tests/qubesdb/vchan_double.h"
#include "tests/qubesdb/witness.h"

#define A      "10.137.0.1"
#define B      "10.137.0.10"
#define A_BASE "/qubes-firewall/" A
#define B_BASE "/qubes-firewall/" B

static void be_quiet(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

struct scene {
    struct server *server;
    struct witness witness;
};

static void open_scene(struct scene *scene)
{
    vchan_double_xenstore(true, "7");
    scene->server = server_new();
    server_write(scene->server, "/qubes-ip", "10.137.0.5");
    server_write(scene->server, "/vm-config/vpn-mtu", "1400");
    server_write(scene->server, A_BASE "/policy", "drop");
    server_write(scene->server, A_BASE "/0000", "action=accept");
    server_write(scene->server, A_BASE, "");
    server_write(scene->server, B_BASE "/policy", "drop");
    server_write(scene->server, B_BASE, "");
    witness_init(&scene->witness, scene->server, "vchan");
}

static void open_synced(struct scene *scene)
{
    open_scene(scene);
    server_adopt(scene->server, vchan_double_offer());
    witness_settle(&scene->witness);
    assert_true(qubesdb_in_contact(scene->witness.client));
}

static void close_scene(struct scene *scene)
{
    /* We never made dom0's daemon exit. */
    assert_false(server_is_dead(scene->server));
    witness_clear(&scene->witness);
    server_free(scene->server);
    assert_int_equal(vchan_double_open_count(), 0);
}

static void assert_rules(const struct witness *w, const char *source,
                         const char *expected)
{
    assert_non_null(witness_rules_of(w, source));
    assert_string_equal(witness_rules_of(w, source), expected);
}

static void the_leaf_is_waited_for(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    witness_settle(w);
    assert_true(w->fd >= 0);
    assert_false(qubesdb_in_contact(w->client));
    assert_true(instant_is_never(qubesdb_deadline(w->client)));

    server_adopt(scene.server, vchan_double_offer());
    witness_settle(w);
    assert_int_equal(w->synced, 1);
    assert_rules(w, A, "0000=action=accept;policy=drop;");
    assert_rules(w, B, "policy=drop;");
    assert_true(witness_saw_change(w, "/qubes-ip"));
    close_scene(&scene);
}

static void without_xenstore_it_is_tried_again(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    vchan_double_xenstore(false, NULL);
    witness_settle(w);
    assert_int_equal(w->fd, -1);
    vchan_double_xenstore(true, NULL);
    assert_true(witness_wait(w));
    assert_int_equal(w->fd, -1);
    vchan_double_xenstore(true, "7 x");
    assert_true(witness_wait(w));
    assert_int_equal(w->fd, -1);
    vchan_double_xenstore(true, "7");
    server_adopt(scene.server, vchan_double_offer());
    assert_true(witness_wait(w));
    assert_int_equal(w->synced, 1);
    close_scene(&scene);
}

static void pushed_changes_are_told(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    struct bytes value;
    open_synced(&scene);
    witness_forget_changes(w);

    server_write(scene.server, "/vm-config/vpn-mtu", "1300");
    server_write(scene.server, "/vm-config/vpn-ipv6", "");
    server_write(scene.server, "/keyboard-layout", "de");
    server_remove(scene.server, "/qubes-ip");
    witness_settle(w);
    assert_int_equal(w->change_count, 3);
    assert_true(
        store_get(qubesdb_store(w->client), "/vm-config/vpn-mtu", &value));
    assert_memory_equal(value.data, "1300", 4);

    server_remove(scene.server, "/vm-config/");
    witness_settle(w);
    assert_int_equal(w->change_count, 5);
    /* Each is answered, whether it is of use or not. */
    assert_int_equal(server_acknowledged(scene.server), 5);
    assert_false(
        store_get(qubesdb_store(w->client), "/vm-config/vpn-mtu", &value));
    close_scene(&scene);
}

static void rules_change_when_their_base_is_written(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);

    server_remove(scene.server, A_BASE "/");
    witness_settle(w);
    server_write(scene.server, A_BASE "/policy", "drop");
    witness_settle(w);
    assert_int_equal(witness_times(w, A), 1);
    assert_rules(w, A, "0000=action=accept;policy=drop;");
    server_write(scene.server, A_BASE, "");
    witness_settle(w);
    assert_int_equal(witness_times(w, A), 2);
    assert_rules(w, A, "policy=drop;");
    assert_int_equal(witness_times(w, B), 1);

    server_remove(scene.server, A_BASE);
    witness_settle(w);
    assert_rules(w, A, "absent");
    server_remove(scene.server, "/qubes-firewall/");
    witness_settle(w);
    assert_rules(w, B, "absent");
    close_scene(&scene);
}

static void handled_rules_are_counted(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    w->counts_handled = true;
    server_write(scene.server, "/qubes-firewall-handled/" A, "9");
    server_adopt(scene.server, vchan_double_offer());
    witness_settle(w);
    assert_string_equal(
        server_value(scene.server, "/qubes-firewall-handled/" A), "10");
    server_write(scene.server, A_BASE, "");
    server_write(scene.server, A_BASE, "");
    witness_settle(w);
    assert_string_equal(
        server_value(scene.server, "/qubes-firewall-handled/" A), "12");
    close_scene(&scene);
}

static void dom0s_daemon_may_die_at_any_byte(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    size_t sent = server_sent(scene.server);
    close_scene(&scene);
    assert_in_range(sent, 500, 2000);

    for (size_t at = 0; at <= sent; at++) {
        open_scene(&scene);
        server_kill_after_sending(scene.server, at);
        server_adopt(scene.server, vchan_double_offer());
        witness_settle(w);
        assert_true(server_is_dead(scene.server));
        assert_int_equal(w->lost, w->synced);

        server_remove(scene.server, B_BASE);
        server_kill_after_sending(scene.server, SIZE_MAX / 2);
        server_adopt(scene.server, vchan_double_offer());
        assert_true(witness_wait(w));
        assert_true(qubesdb_in_contact(w->client));
        assert_rules(w, A, "0000=action=accept;policy=drop;");
        if (w->synced == 2)
            assert_rules(w, B, "absent");
        close_scene(&scene);
    }
}

static void a_leaf_that_leads_nowhere_is_tried_again(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    server_kill(scene.server);
    vchan_double_offer_nothing();
    witness_settle(w);
    assert_int_equal(w->lost, 1);
    assert_true(witness_wait(w));
    assert_int_equal(w->fd, -1);
    server_adopt(scene.server, vchan_double_offer());
    assert_true(witness_wait(w));
    assert_int_equal(w->synced, 2);
    close_scene(&scene);
}

static void a_flood_is_taken_whole(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    char path[MESSAGE_PATH_SIZE], value[MESSAGE_DATA_MAX + 1];
    open_synced(&scene);
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "/vm-config/k%03d", i);
        server_write(scene.server, path, value);
    }
    witness_settle(w);
    assert_true(store_has(qubesdb_store(w->client), "/vm-config/k299"));
    assert_int_equal(w->lost, 0);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_leaf_is_waited_for),
        cmocka_unit_test(without_xenstore_it_is_tried_again),
        cmocka_unit_test(pushed_changes_are_told),
        cmocka_unit_test(rules_change_when_their_base_is_written),
        cmocka_unit_test(handled_rules_are_counted),
        cmocka_unit_test(dom0s_daemon_may_die_at_any_byte),
        cmocka_unit_test(a_leaf_that_leads_nowhere_is_tried_again),
        cmocka_unit_test(a_flood_is_taken_whole),
    };
    log_set_sink(be_quiet, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
