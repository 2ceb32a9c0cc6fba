#include "qubesdb/qubesdb.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "qubesdb/keys.h"
#include "tests/qubesdb/witness.h"
#include "tests/unit.h"

#define A      "10.137.0.1"
#define B      "10.137.0.10"
#define A_BASE "/qubes-firewall/" A
#define B_BASE "/qubes-firewall/" B

enum { RANDOM_ROUNDS = 300 };

static void be_quiet(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

/* Two qubes with rules, as dom0 leaves them. */
static void fill(struct daemon *s)
{
    daemon_write(s, "/name", "sys-vpn");
    daemon_write(s, "/qubes-ip", "10.137.0.5");
    daemon_write(s, "/qubes-gateway", "10.137.0.1");
    daemon_write(s, "/vm-config/vpn-mtu", "1400");
    daemon_write(s, "/keyboard-layout", "us++");
    daemon_write(s, A_BASE "/policy", "drop");
    daemon_write(s, A_BASE "/0000", "action=accept");
    daemon_write(s, A_BASE, "");
    daemon_write(s, B_BASE "/policy", "drop");
    daemon_write(s, B_BASE, "");
}

struct scene {
    struct daemon *daemon;
    struct witness witness;
};

static void open_scene(struct scene *scene)
{
    scene->daemon = daemon_new();
    fill(scene->daemon);
    daemon_listen(scene->daemon, witness_socket());
    witness_init(&scene->witness, scene->daemon, witness_socket());
}

static void close_scene(struct scene *scene)
{
    witness_clear(&scene->witness);
    daemon_free(scene->daemon);
}

static void open_synced(struct scene *scene)
{
    open_scene(scene);
    witness_settle(&scene->witness);
    assert_true(qubesdb_in_contact(scene->witness.client));
}

static void assert_value(const struct witness *w, const char *path,
                         const char *expected)
{
    struct bytes value;
    assert_true(store_get(qubesdb_store(w->client), path, &value));
    assert_int_equal(value.size, strlen(expected));
    assert_memory_equal(value.data ? value.data : (const uint8_t *)"", expected,
                        value.size);
}

static void assert_rules(const struct witness *w, const char *source,
                         const char *expected)
{
    const char *rules = witness_rules_of(w, source);
    assert_non_null(rules);
    assert_string_equal(rules, expected);
}

static void a_database_is_read_and_told(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    assert_false(qubesdb_in_contact(w->client));
    assert_int_equal(w->synced, 0);
    witness_settle(w);

    assert_int_equal(w->synced, 1);
    assert_true(qubesdb_in_contact(w->client));
    assert_value(w, "/name", "sys-vpn");
    assert_true(witness_saw_change(w, "/vm-config/vpn-mtu"));
    assert_true(witness_saw_change(w, "/qubes-gateway"));
    assert_rules(w, A, "0000=action=accept;policy=drop;");
    assert_rules(w, B, "policy=drop;");
    /* A key that nobody here reads is not kept. */
    assert_false(store_has(qubesdb_store(w->client), "/keyboard-layout"));
    assert_true(instant_is_never(qubesdb_deadline(w->client)));
    close_scene(&scene);
}

static void rules_change_when_their_base_is_written(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    unsigned times = witness_times(w, A);

    /* The order in which dom0 does it, each step seen on its own. */
    daemon_remove(scene.daemon, A_BASE "/");
    witness_settle(w);
    daemon_write(scene.daemon, A_BASE "/policy", "drop");
    witness_settle(w);
    daemon_write(scene.daemon, A_BASE "/0000", "action=drop");
    witness_settle(w);
    daemon_write(scene.daemon, A_BASE "/0002", "action=accept");
    witness_settle(w);
    assert_int_equal(witness_times(w, A), times);
    assert_rules(w, A, "0000=action=accept;policy=drop;");

    daemon_write(scene.daemon, A_BASE, "");
    witness_settle(w);
    assert_int_equal(witness_times(w, A), times + 1);
    assert_rules(w, A, "0000=action=drop;0002=action=accept;policy=drop;");
    /* A path that begins like another is another. */
    assert_int_equal(witness_times(w, B), 1);
    close_scene(&scene);
}

static void rules_read_while_they_are_rewritten_are_not_told(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);

    daemon_write(scene.daemon, A_BASE "/0001", "action=drop");
    daemon_write(scene.daemon, A_BASE, "");
    while (daemon_turn(scene.daemon, 0, -1))
        ;
    /* The client hears of the writing and asks... */
    while (witness_turn(w))
        ;
    /* ...but before the answer dom0 begins the next set. */
    daemon_remove(scene.daemon, A_BASE "/");
    witness_settle(w);
    assert_int_equal(witness_times(w, A), 1);
    assert_rules(w, A, "0000=action=accept;policy=drop;");

    daemon_write(scene.daemon, A_BASE "/policy", "drop");
    daemon_write(scene.daemon, A_BASE, "");
    witness_settle(w);
    assert_rules(w, A, "policy=drop;");
    close_scene(&scene);
}

static void rules_that_go_are_told_as_absent(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);

    daemon_remove(scene.daemon, A_BASE);
    witness_settle(w);
    assert_rules(w, A, "absent");
    assert_rules(w, B, "policy=drop;");

    daemon_write(scene.daemon, A_BASE, "");
    witness_settle(w);
    assert_rules(w, A, "0000=action=accept;policy=drop;");

    /* One event, and its path is no base. */
    daemon_remove(scene.daemon, "/qubes-firewall/");
    witness_settle(w);
    assert_rules(w, A, "absent");
    assert_rules(w, B, "absent");
    close_scene(&scene);
}

static void a_set_that_was_never_complete_ends_with_all_others(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    daemon_write(scene.daemon, A_BASE "/0001", "action=drop");
    witness_settle(w);
    daemon_remove(scene.daemon, "/qubes-firewall/");
    witness_settle(w);
    assert_rules(w, A, "absent");
    close_scene(&scene);
}

static void what_came_and_went_unseen_is_not_told(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    daemon_write(scene.daemon, "/qubes-firewall/10.137.0.66", "");
    daemon_remove(scene.daemon, "/qubes-firewall/10.137.0.66");
    witness_settle(w);
    assert_null(witness_rules_of(w, "10.137.0.66"));
    close_scene(&scene);
}

static void a_reading_older_than_our_writing_does_not_count(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    static const char path[] = "/qubes-firewall-handled/" A;
    open_synced(&scene);
    daemon_write(scene.daemon, path, "7");
    while (daemon_turn(scene.daemon, 0, -1))
        ;
    while (witness_turn(w))
        ; /* It has heard and asks. */
    assert_true(qubesdb_write(w->client, w->now, path, bytes_of_text("8")));
    daemon_turn(scene.daemon, 0, -1);
    while (witness_turn(w))
        ; /* It has the answer, which is 7. */
    assert_value(w, path, "8");
    witness_settle(w);
    assert_value(w, path, "8");
    assert_string_equal(daemon_value(scene.daemon, path), "8");
    close_scene(&scene);
}

static void an_empty_set_is_present(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    daemon_remove(scene.daemon, A_BASE "/");
    daemon_write(scene.daemon, A_BASE, "");
    witness_settle(w);
    assert_rules(w, A, "");
    close_scene(&scene);
}

static void rules_without_their_base_are_not_told(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    daemon_write(scene.daemon, "/qubes-firewall/10.137.0.66/policy", "accept");
    daemon_write(scene.daemon, "/qubes-firewall/10.137.00.1/policy", "accept");
    daemon_write(scene.daemon, "/qubes-firewall/10.137.00.1", "");
    daemon_write(scene.daemon, "/qubes-firewall/everyone", "");
    daemon_write(scene.daemon, "/qubes-firewall/fd09:24ef::A/policy", "accept");
    daemon_write(scene.daemon, "/qubes-firewall/fd09:24ef::A", "");
    daemon_write(scene.daemon, "/qubes-firewall/fd09:24ef::a/policy", "drop");
    daemon_write(scene.daemon, "/qubes-firewall/fd09:24ef::a", "");
    witness_settle(w);
    assert_null(witness_rules_of(w, "10.137.0.66"));
    assert_rules(w, A, "0000=action=accept;policy=drop;");
    assert_rules(w, "fd09:24ef::a", "policy=drop;");
    assert_int_equal(w->rules_count, 3);
    close_scene(&scene);
}

static void keys_follow_the_database(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    witness_forget_changes(w);

    daemon_write(scene.daemon, "/vm-config/vpn-mtu", "1300");
    daemon_write(scene.daemon, "/vm-config/vpn-ipv6", "");
    daemon_write(scene.daemon, "/vm-config/vpn-log-level", "debug");
    daemon_write(scene.daemon, "/keyboard-layout", "de++");
    witness_settle(w);
    assert_value(w, "/vm-config/vpn-mtu", "1300");
    assert_value(w, "/vm-config/vpn-ipv6", "");
    assert_int_equal(w->change_count, 3);

    /* The same value again is no change. */
    witness_forget_changes(w);
    daemon_write(scene.daemon, "/vm-config/vpn-mtu", "1300");
    witness_settle(w);
    assert_int_equal(w->change_count, 0);

    daemon_remove(scene.daemon, "/vm-config/");
    daemon_remove(scene.daemon, "/qubes-gateway");
    witness_settle(w);
    assert_int_equal(w->change_count, 4);
    assert_true(witness_saw_change(w, "/vm-config/vpn-mtu"));
    assert_true(witness_saw_change(w, "/qubes-gateway"));
    assert_false(store_has(qubesdb_store(w->client), "/vm-config/vpn-mtu"));
    assert_false(store_has(qubesdb_store(w->client), "/qubes-gateway"));
    assert_true(store_has(qubesdb_store(w->client), "/qubes-ip"));
    close_scene(&scene);
}

static void handled_rules_are_counted_from_what_is_there(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    daemon_write(scene.daemon, "/qubes-firewall-handled/" A, "41");
    w->counts_handled = true;
    witness_settle(w);
    assert_string_equal(
        daemon_value(scene.daemon, "/qubes-firewall-handled/" A), "42");
    assert_string_equal(
        daemon_value(scene.daemon, "/qubes-firewall-handled/" B), "1");
    assert_int_equal(witness_times(w, A), 1);
    assert_int_equal(witness_times(w, B), 1);
    for (int i = 0; i < 5; i++) {
        daemon_write(scene.daemon, B_BASE, "");
        witness_settle(w);
    }
    assert_string_equal(
        daemon_value(scene.daemon, "/qubes-firewall-handled/" B), "6");
    /* Several before the first echo is back. */
    for (int i = 0; i < 5; i++)
        daemon_write(scene.daemon, B_BASE, "");
    unsigned before = witness_times(w, B);
    witness_settle(w);
    char expected[8];
    snprintf(expected, sizeof expected, "%u", 6 + witness_times(w, B) - before);
    assert_string_equal(
        daemon_value(scene.daemon, "/qubes-firewall-handled/" B), expected);
    close_scene(&scene);
}

static void a_refused_write_ends_nothing(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    daemon_read_only(scene.daemon);
    w->counts_handled = true;
    witness_settle(w);
    assert_true(qubesdb_in_contact(w->client));
    assert_null(daemon_value(scene.daemon, "/qubes-firewall-handled/" A));
    daemon_write(scene.daemon, "/vm-config/vpn-mtu", "1301");
    witness_settle(w);
    assert_value(w, "/vm-config/vpn-mtu", "1301");
    assert_int_equal(w->lost, 0);
    close_scene(&scene);
}

static void limits_are_kept_before_sending(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    static uint8_t large[MESSAGE_DATA_MAX + 1];
    open_scene(&scene);
    assert_false(
        qubesdb_write(w->client, w->now, "/early", bytes_of_text("x")));
    witness_settle(w);

    memset(large, 'x', sizeof large);
    assert_false(qubesdb_write(w->client, w->now, "/large",
                               bytes_of(large, MESSAGE_DATA_MAX + 1)));
    assert_false(qubesdb_write(w->client, w->now, "/a/", bytes_of_text("x")));
    assert_false(qubesdb_write(w->client, w->now, "a", bytes_of_text("x")));
    assert_false(qubesdb_write(w->client, w->now, "", bytes_of_text("x")));
    assert_false(qubesdb_write(w->client, w->now, "/a b", bytes_of_text("x")));
    assert_false(qubesdb_write(w->client, w->now, "/nul", bytes_of("a\0b", 3)));
    assert_false(qubesdb_write(
        w->client, w->now,
        "/0123456789012345678901234567890123456789012345678901234567890123",
        bytes_of_text("x")));
    assert_true(qubesdb_write(w->client, w->now, "/large",
                              bytes_of(large, MESSAGE_DATA_MAX)));
    assert_true(qubesdb_write(
        w->client, w->now,
        "/01234567890123456789012345678901234567890123456789012345678901",
        bytes_of_text("longest")));
    witness_settle(w);
    assert_int_equal(strlen(daemon_value(scene.daemon, "/large")),
                     MESSAGE_DATA_MAX);
    assert_string_equal(
        daemon_value(
            scene.daemon,
            "/01234567890123456789012345678901234567890123456789012345678901"),
        "longest");
    assert_int_equal(w->lost, 0);
    close_scene(&scene);
}

static void everything_is_read_again_after_a_loss(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);

    daemon_kill(scene.daemon);
    witness_settle(w);
    assert_int_equal(w->lost, 1);
    assert_false(qubesdb_in_contact(w->client));
    /* The known values stay. */
    assert_value(w, "/vm-config/vpn-mtu", "1400");
    assert_rules(w, A, "0000=action=accept;policy=drop;");

    daemon_remove(scene.daemon, A_BASE "/");
    daemon_remove(scene.daemon, A_BASE);
    daemon_write(scene.daemon, B_BASE "/0000", "action=accept");
    daemon_write(scene.daemon, B_BASE, "");
    daemon_write(scene.daemon, "/vm-config/vpn-mtu", "1200");
    daemon_remove(scene.daemon, "/qubes-ip");
    witness_forget_changes(w);
    daemon_listen(scene.daemon, witness_socket());
    assert_true(witness_wait(w));

    assert_int_equal(w->synced, 2);
    assert_rules(w, A, "absent");
    assert_rules(w, B, "0000=action=accept;policy=drop;");
    assert_int_equal(w->change_count, 2);
    assert_true(witness_saw_change(w, "/vm-config/vpn-mtu"));
    assert_true(witness_saw_change(w, "/qubes-ip"));

    /* And it is watched again. */
    daemon_write(scene.daemon, "/qubes-ip", "10.137.0.6");
    witness_settle(w);
    assert_value(w, "/qubes-ip", "10.137.0.6");
    close_scene(&scene);
}

static void attempts_become_rarer_until_there_is_contact(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_synced(&scene);
    daemon_kill(scene.daemon);
    witness_settle(w);

    static const int64_t waits[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        struct duration d = instant_since(qubesdb_deadline(w->client), w->now);
        assert_int_equal(d.us, waits[i] * 1000);
        assert_true(witness_wait(w));
        assert_int_equal(w->fd, -1);
    }
    daemon_listen(scene.daemon, witness_socket());
    assert_true(witness_wait(w));
    assert_true(qubesdb_in_contact(w->client));
    daemon_kill(scene.daemon);
    witness_settle(w);
    struct duration d = instant_since(qubesdb_deadline(w->client), w->now);
    assert_int_equal(d.us, 100000);
    assert_int_equal(w->lost, 2);
    close_scene(&scene);
}

static void a_silent_daemon_is_given_up(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    open_scene(&scene);
    daemon_mute(scene.daemon);
    witness_settle(w);
    assert_true(w->fd >= 0);
    struct instant began = w->now;
    assert_true(witness_wait(w));
    assert_int_equal(instant_since(w->now, began).us, 10000000);
    assert_int_equal(w->fd, -1);
    assert_int_equal(w->synced, 0);
    close_scene(&scene);
}

static void a_stream_in_pieces_is_the_same_stream(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 200; piece += 33) {
        struct scene scene;
        struct witness *w = &scene.witness;
        open_scene(&scene);
        daemon_send_in_pieces(scene.daemon, piece);
        witness_settle(w);
        assert_int_equal(w->synced, 1);
        assert_rules(w, A, "0000=action=accept;policy=drop;");
        daemon_write(scene.daemon, "/vm-config/vpn-mtu", "1111");
        witness_settle(w);
        assert_value(w, "/vm-config/vpn-mtu", "1111");
        close_scene(&scene);
    }
}

/* The changes of an exchange: rules, keys, a removal, handled counts. */
static void change_things(struct daemon *s)
{
    daemon_remove(s, A_BASE "/");
    daemon_write(s, A_BASE "/policy", "drop");
    daemon_write(s, A_BASE "/0000", "action=drop");
    daemon_write(s, A_BASE, "");
    daemon_write(s, "/vm-config/vpn-mtu", "1234");
    daemon_remove(s, "/qubes-ip");
}

/* Everything that has to be true once all is quiet again. */
static void assert_converged(const struct witness *w)
{
    assert_true(qubesdb_in_contact(w->client));
    assert_rules(w, A, "0000=action=drop;policy=drop;");
    /* Or nobody ever heard of them. */
    if (witness_rules_of(w, B))
        assert_rules(w, B, "absent");
    assert_value(w, "/vm-config/vpn-mtu", "1235");
    assert_false(store_has(qubesdb_store(w->client), "/qubes-ip"));
    assert_non_null(daemon_value(w->daemon, "/qubes-firewall-handled/" A));
}

static void run_with_a_death(struct scene *scene)
{
    struct witness *w = &scene->witness;
    w->counts_handled = true;
    witness_settle(w);
    change_things(scene->daemon);
    witness_settle(w);
    /* Changes while the daemon is away. */
    daemon_write(scene->daemon, "/vm-config/vpn-mtu", "1235");
    daemon_remove(scene->daemon, B_BASE);
    witness_settle(w);
    if (daemon_is_dead(scene->daemon)) {
        daemon_kill_after_sending(scene->daemon, SIZE_MAX / 2);
        daemon_kill_after_receiving(scene->daemon, SIZE_MAX / 2);
        daemon_listen(scene->daemon, witness_socket());
    }
    if (!qubesdb_in_contact(w->client))
        assert_true(witness_wait(w));
}

static void run_dying_at(void (*kill_after)(struct daemon *, size_t), size_t at,
                         bool back_at_once)
{
    struct scene scene;
    open_scene(&scene);
    kill_after(scene.daemon, at);
    if (back_at_once)
        daemon_revive(scene.daemon);
    run_with_a_death(&scene);
    assert_converged(&scene.witness);
    close_scene(&scene);
}

/* And is there again at once, or after more has changed. */
static void a_daemon_that_dies_at_any_byte_is_survived(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    run_with_a_death(&scene);
    assert_converged(&scene.witness);
    assert_int_equal(scene.witness.lost, 0);
    size_t sent = daemon_sent(scene.daemon);
    size_t received = daemon_received(scene.daemon);
    close_scene(&scene);
    assert_in_range(sent, 1000, 10000);
    assert_in_range(received, 300, 10000);

    for (int back_at_once = 0; back_at_once < 2; back_at_once++) {
        for (size_t at = 0; at <= sent; at++)
            run_dying_at(daemon_kill_after_sending, at, back_at_once);
        for (size_t at = 0; at <= received; at++)
            run_dying_at(daemon_kill_after_receiving, at, back_at_once);
    }
}

static void a_flood_of_changes_becomes_one_reading(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    char path[MESSAGE_PATH_SIZE];
    open_synced(&scene);
    for (int i = 0; i < 3000; i++) {
        snprintf(path, sizeof path, "/vm-config/k%04d", i);
        daemon_write(scene.daemon, path, "1");
    }
    daemon_write(scene.daemon, B_BASE "/0000", "action=accept");
    daemon_write(scene.daemon, B_BASE, "");
    size_t before = daemon_received(scene.daemon);
    witness_settle(w);
    assert_value(w, "/vm-config/k2999", "1");
    assert_value(w, "/vm-config/k0000", "1");
    assert_rules(w, B, "0000=action=accept;policy=drop;");
    assert_in_range(daemon_received(scene.daemon) - before, 1,
                    1100 * MESSAGE_HEADER_SIZE);
    assert_int_equal(w->lost, 0);
    close_scene(&scene);
}

static void a_database_beyond_the_limit_is_not_taken(void **state)
{
    (void)state;
    struct scene scene;
    struct witness *w = &scene.witness;
    char path[MESSAGE_PATH_SIZE];
    static char large[MESSAGE_DATA_MAX + 1];
    open_synced(&scene);
    daemon_kill(scene.daemon);
    witness_settle(w);

    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 700; i++) {
        snprintf(path, sizeof path, A_BASE "/%04d", i);
        daemon_write(scene.daemon, path, large);
    }
    daemon_listen(scene.daemon, witness_socket());
    assert_true(witness_wait(w));
    /* Not half of it: what was known stays. */
    assert_int_equal(w->synced, 1);
    assert_rules(w, A, "0000=action=accept;policy=drop;");

    daemon_remove(scene.daemon, A_BASE "/");
    daemon_write(scene.daemon, A_BASE, "");
    assert_true(witness_wait(w));
    assert_int_equal(w->synced, 2);
    assert_rules(w, A, "");
    close_scene(&scene);
}

/* A daemon that answers the first request with these bytes. */
static bool survives_answer(const void *answer, size_t size)
{
    struct witness w;
    struct daemon *nobody = daemon_new();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(address.sun_path, witness_socket(), strlen(witness_socket()) + 1);
    unlink(address.sun_path);
    assert_int_equal(
        bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);

    witness_init(&w, nobody, witness_socket());
    witness_settle(&w);
    int fd = accept(listener, NULL, NULL);
    assert_int_equal(send(fd, answer, size, 0), size);
    witness_settle(&w);
    bool survives = w.fd >= 0;
    assert_int_equal(w.synced, 0);
    witness_clear(&w);
    daemon_free(nobody);
    close(fd);
    close(listener);
    unlink(address.sun_path);
    return survives;
}

static void an_answer_that_makes_no_sense_ends_the_conversation(void **state)
{
    (void)state;
    uint8_t answer[MESSAGE_HEADER_SIZE] = {MESSAGE_OK, '/'};
    assert_true(survives_answer(answer, sizeof answer));
    assert_true(survives_answer(answer, sizeof answer - 1));

    for (unsigned type = 0; type < 256; type++) {
        uint8_t other[MESSAGE_HEADER_SIZE] = {(uint8_t)type, '/', 'x'};
        bool fits = type == MESSAGE_OK || type == MESSAGE_EVENT;
        assert_int_equal(survives_answer(other, sizeof other), fits);
    }
    uint8_t endless[MESSAGE_HEADER_SIZE];
    memset(endless, 'a', sizeof endless);
    endless[0] = MESSAGE_OK;
    assert_false(survives_answer(endless, sizeof endless));
    uint8_t with_body[MESSAGE_HEADER_SIZE + 1] = {MESSAGE_OK, '/', [68] = 1};
    assert_false(survives_answer(with_body, sizeof with_body));
    uint8_t two[2 * MESSAGE_HEADER_SIZE] = {MESSAGE_OK, '/', [72] = MESSAGE_OK,
                                            '/'};
    assert_false(survives_answer(two, sizeof two));
}

static void do_something(struct daemon *s, uint32_t *seed)
{
    static const char *const paths[] = {
        "/qubes-ip",      "/vm-config/vpn-mtu",
        "/vm-config/x",   "/qubes-gateway",
        "/other",         A_BASE "/policy",
        A_BASE "/0000",   A_BASE "/0001",
        A_BASE,           A_BASE,
        B_BASE "/policy", B_BASE,
        "/vm-config/y",   B_BASE "/0000",
    };
    static const char *const directories[] = {
        "/vm-config/",      A_BASE "/",    B_BASE "/",
        "/qubes-firewall/", "/mapped-ip/",
    };
    static const char *const values[] = {"", "a", "b", "1300"};
    uint32_t r = next_random(seed);
    const char *path = paths[r % (sizeof paths / sizeof *paths)];
    if (r % 7 == 0)
        daemon_remove(s, path);
    else if (r % 23 == 0)
        daemon_remove(s, directories[r / 23 % 5]);
    else
        daemon_write(s, path, values[r / 64 % 4]);
}

static void assert_same(const struct scene *scene)
{
    static const char *const paths[] = {
        "/qubes-ip", "/vm-config/vpn-mtu", "/vm-config/x",
        "/name",     "/qubes-gateway",     "/vm-config/y",
    };
    const struct store *store = qubesdb_store(scene->witness.client);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *value = daemon_value(scene->daemon, paths[i]);
        assert_int_equal(store_has(store, paths[i]), value != NULL);
        if (value)
            assert_value(&scene->witness, paths[i], value);
    }
}

static void assert_same_rules(const struct scene *scene, const char *source)
{
    char path[MESSAGE_PATH_SIZE], expected[WITNESS_TEXT_SIZE] = "absent";
    static const char *const names[] = {"0000", "0001", "policy"};
    int size = 0;
    snprintf(path, sizeof path, "/qubes-firewall/%s", source);
    if (daemon_value(scene->daemon, path)) {
        expected[0] = '\0';
        for (size_t i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "/qubes-firewall/%s/%s", source,
                     names[i]);
            const char *value = daemon_value(scene->daemon, path);
            if (value)
                size +=
                    snprintf(expected + size, sizeof expected - (size_t)size,
                             "%s=%s;", names[i], value);
        }
    }
    assert_rules(&scene->witness, source, expected);
}

static void whatever_happens_the_mirror_ends_equal(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < RANDOM_ROUNDS; round++) {
        struct scene scene;
        struct witness *w = &scene.witness;
        uint32_t seed = round + 1; /* never 0 */
        open_scene(&scene);
        if (round % 3 == 0)
            daemon_send_in_pieces(scene.daemon, 1 + round % 100);
        for (int step = 0; step < 200; step++) {
            switch (next_random(&seed) % 8) {
            case 0:
            case 1:
            case 2:
                do_something(scene.daemon, &seed);
                break;
            case 3:
            case 4:
                daemon_turn(scene.daemon, 0, -1);
                break;
            case 5:
            case 6:
                witness_turn(w);
                break;
            case 7:
                if (next_random(&seed) % 16 == 0) {
                    daemon_kill(scene.daemon);
                    daemon_listen(scene.daemon, witness_socket());
                }
                break;
            }
        }
        witness_settle(w);
        if (!qubesdb_in_contact(w->client))
            assert_true(witness_wait(w));
        /* A writing that was interrupted is completed. */
        daemon_write(scene.daemon, A_BASE, "");
        daemon_write(scene.daemon, B_BASE, "");
        if (round % 2)
            daemon_remove(scene.daemon, B_BASE);
        witness_settle(w);
        assert_true(qubesdb_in_contact(w->client));
        assert_same(&scene);
        assert_same_rules(&scene, A);
        if (witness_rules_of(w, B))
            assert_same_rules(&scene, B);
        close_scene(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_is_read_and_told),
        cmocka_unit_test(rules_change_when_their_base_is_written),
        cmocka_unit_test(rules_read_while_they_are_rewritten_are_not_told),
        cmocka_unit_test(rules_that_go_are_told_as_absent),
        cmocka_unit_test(a_set_that_was_never_complete_ends_with_all_others),
        cmocka_unit_test(what_came_and_went_unseen_is_not_told),
        cmocka_unit_test(a_reading_older_than_our_writing_does_not_count),
        cmocka_unit_test(an_empty_set_is_present),
        cmocka_unit_test(rules_without_their_base_are_not_told),
        cmocka_unit_test(keys_follow_the_database),
        cmocka_unit_test(handled_rules_are_counted_from_what_is_there),
        cmocka_unit_test(a_refused_write_ends_nothing),
        cmocka_unit_test(limits_are_kept_before_sending),
        cmocka_unit_test(everything_is_read_again_after_a_loss),
        cmocka_unit_test(attempts_become_rarer_until_there_is_contact),
        cmocka_unit_test(a_silent_daemon_is_given_up),
        cmocka_unit_test(a_stream_in_pieces_is_the_same_stream),
        cmocka_unit_test(a_daemon_that_dies_at_any_byte_is_survived),
        cmocka_unit_test(a_flood_of_changes_becomes_one_reading),
        cmocka_unit_test(a_database_beyond_the_limit_is_not_taken),
        cmocka_unit_test(an_answer_that_makes_no_sense_ends_the_conversation),
        cmocka_unit_test(whatever_happens_the_mirror_ends_equal),
    };
    log_set_sink(be_quiet, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    witness_remove_socket();
    return failed;
}
