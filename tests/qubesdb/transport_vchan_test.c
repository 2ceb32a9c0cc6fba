/* The client against a daemon that acts as dom0's daemon, over the stand-in
 * for libxenvchan. */
#include "qubesdb/qubesdb.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "tests/qubesdb/vchan_double.h"
#include "tests/qubesdb/witness.h"
#include "tests/unit.h"

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
    struct daemon *daemon;
    struct witness witness;
};

static void open_scene(struct scene *scene)
{
    vchan_double_xenstore(true, "7");
    scene->daemon = daemon_new();
    daemon_write(scene->daemon, "/qubes-ip", "10.137.0.5");
    daemon_write(scene->daemon, "/vm-config/vpn-mtu", "1400");
    daemon_write(scene->daemon, A_BASE "/policy", "drop");
    daemon_write(scene->daemon, A_BASE "/0000", "action=accept");
    daemon_write(scene->daemon, A_BASE, "");
    daemon_write(scene->daemon, B_BASE "/policy", "drop");
    daemon_write(scene->daemon, B_BASE, "");
    witness_init(&scene->witness, scene->daemon, "vchan");
}

static void open_synced(struct scene *scene)
{
    open_scene(scene);
    daemon_adopt(scene->daemon, vchan_double_offer());
    witness_settle(&scene->witness);
    assert_true(qubesdb_in_contact(scene->witness.client));
}

static void close_scene(struct scene *scene)
{
    /* We never made dom0's daemon exit. */
    assert_false(daemon_is_dead(scene->daemon));
    witness_clear(&scene->witness);
    daemon_free(scene->daemon);
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

    daemon_adopt(scene.daemon, vchan_double_offer());
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
    daemon_adopt(scene.daemon, vchan_double_offer());
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

    daemon_write(scene.daemon, "/vm-config/vpn-mtu", "1300");
    daemon_write(scene.daemon, "/vm-config/vpn-ipv6", "");
    daemon_write(scene.daemon, "/keyboard-layout", "de");
    daemon_remove(scene.daemon, "/qubes-ip");
    witness_settle(w);
    assert_int_equal(w->change_count, 3);
    assert_true(
        store_get(qubesdb_store(w->client), "/vm-config/vpn-mtu", &value));
    assert_memory_equal(value.data, "1300", 4);

    daemon_remove(scene.daemon, "/vm-config/");
    witness_settle(w);
    assert_int_equal(w->change_count, 5);
    /* Each is answered, whether it is of use or not. */
    assert_int_equal(daemon_acknowledged(scene.daemon), 5);
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

    daemon_remove(scene.daemon, A_BASE "/");
    witness_settle(w);
    daemon_write(scene.daemon, A_BASE "/policy", "drop");
    witness_settle(w);
    assert_int_equal(witness_times(w, A), 1);
    assert_rules(w, A, "0000=action=accept;policy=drop;");
    daemon_write(scene.daemon, A_BASE, "");
    witness_settle(w);
    assert_int_equal(witness_times(w, A), 2);
    assert_rules(w, A, "policy=drop;");
    assert_int_equal(witness_times(w, B), 1);

    daemon_remove(scene.daemon, A_BASE);
    witness_settle(w);
    assert_rules(w, A, "absent");
    daemon_remove(scene.daemon, "/qubes-firewall/");
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
    daemon_write(scene.daemon, "/qubes-firewall-handled/" A, "9");
    daemon_adopt(scene.daemon, vchan_double_offer());
    witness_settle(w);
    assert_string_equal(
        daemon_value(scene.daemon, "/qubes-firewall-handled/" A), "10");
    daemon_write(scene.daemon, A_BASE, "");
    daemon_write(scene.daemon, A_BASE, "");
    witness_settle(w);
    assert_string_equal(
        daemon_value(scene.daemon, "/qubes-firewall-handled/" A), "12");
    close_scene(&scene);
}

/* Everything is read, rules change and are counted; the daemon may die. */
static void exchange(struct scene *scene)
{
    struct witness *w = &scene->witness;
    w->counts_handled = true;
    daemon_adopt(scene->daemon, vchan_double_offer());
    witness_settle(w);
    daemon_remove(scene->daemon, A_BASE "/");
    daemon_write(scene->daemon, A_BASE "/policy", "drop");
    daemon_write(scene->daemon, A_BASE, "");
    daemon_remove(scene->daemon, "/qubes-ip");
    witness_settle(w);
}

static void run_dying_at(void (*kill_after)(struct daemon *, size_t), size_t at)
{
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    kill_after(scene.daemon, at);
    exchange(&scene);
    assert_true(daemon_is_dead(scene.daemon));
    assert_int_equal(w->lost, w->synced);

    daemon_remove(scene.daemon, B_BASE);
    daemon_kill_after_sending(scene.daemon, SIZE_MAX / 2);
    daemon_kill_after_receiving(scene.daemon, SIZE_MAX / 2);
    daemon_adopt(scene.daemon, vchan_double_offer());
    assert_true(witness_wait(w));
    assert_true(qubesdb_in_contact(w->client));
    assert_rules(w, A, "policy=drop;");
    if (w->synced == 2)
        assert_rules(w, B, "absent");
    assert_false(store_has(qubesdb_store(w->client), "/qubes-ip"));
    assert_non_null(daemon_value(scene.daemon, "/qubes-firewall-handled/" A));
    close_scene(&scene);
}

static void dom0s_daemon_may_die_at_any_byte(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    exchange(&scene);
    size_t sent = daemon_sent(scene.daemon);
    size_t received = daemon_received(scene.daemon);
    close_scene(&scene);
    assert_in_range(sent, 1000, 4000);
    assert_in_range(received, 400, 4000);

    for (size_t at = 0; at <= sent; at++)
        run_dying_at(daemon_kill_after_sending, at);
    for (size_t at = 0; at <= received; at++)
        run_dying_at(daemon_kill_after_receiving, at);
}

static void a_leaf_that_leads_nowhere_is_tried_again(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    daemon_kill(scene.daemon);
    vchan_double_offer_nothing();
    witness_settle(w);
    assert_int_equal(w->lost, 1);
    assert_true(witness_wait(w));
    assert_int_equal(w->fd, -1);
    daemon_adopt(scene.daemon, vchan_double_offer());
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
        daemon_write(scene.daemon, path, value);
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
