/* The differences of a client over TCP from one over UDP. */
#include "tests/simulator/quiet.h"
#include "tests/simulator/world.h"
#include "tests/unit.h"

static void use_tcp(struct config *client)
{
    client->remotes[0].protocol = CONFIG_TCP;
}

static struct world *up_over(void (*transport)(struct config *client))
{
    struct world_options o = world_usual(5);
    o.change_config = transport;
    struct world *w = world_new(&o);
    assert_true(world_run_until(w, duration_seconds(5), CLIENT_UP));
    return w;
}

/* A data packet of the right peer and key, with nothing right behind. */
static void inject_forged(struct world *w)
{
    uint8_t packet[100] = {9 << 3, 0, 0, 7, 0, 0, 1, 0};
    world_inject(w, packet, sizeof packet);
}

static void a_forged_packet_is_dropped_over_udp(void **state)
{
    (void)state;
    struct world *w = up_over(NULL);
    inject_forged(w);
    world_run(w, duration_seconds(5));
    assert_int_equal(world_status(w).drops->count[DROP_DATA_AUTH], 1);
    assert_int_equal(w->downs, 0);
    world_free(w);
}

/* Somebody writes into the stream, or it is no longer in step. */
static void a_forged_packet_ends_the_connection_over_tcp(void **state)
{
    (void)state;
    struct world *w = up_over(use_tcp);
    inject_forged(w);
    assert_int_equal(world_status(w).state, CLIENT_PAUSING);
    assert_non_null(strstr(world_status(w).last_error, "authentication"));
    world_run(w, duration_seconds(10));
    assert_int_equal(w->downs, 1);
    assert_int_equal(w->connects, 2);
    assert_int_equal(w->ups, 2);
    world_free(w);
}

/* A packet that no key fits may be late, and is no sign of anything. */
static void a_packet_of_no_known_key_is_dropped_over_tcp(void **state)
{
    (void)state;
    struct world *w = up_over(use_tcp);
    uint8_t packet[100] = {9 << 3 | 5, 0, 0, 7, 0, 0, 1, 0};
    world_inject(w, packet, sizeof packet);
    assert_int_equal(world_status(w).drops->count[DROP_DATA_NO_KEY], 1);
    assert_int_equal(world_status(w).state, CLIENT_UP);
    world_free(w);
}

static unsigned hellos_in_ten_seconds(void (*transport)(struct config *client))
{
    struct world_options o = world_usual(6);
    o.change_config = transport;
    o.faults.loss = 100;
    struct world *w = world_new(&o);
    world_run(w, duration_seconds(10));
    unsigned sent = (unsigned)w->up.sent;
    world_free(w);
    return sent;
}

/* A server that comes back has lost what was sent before over UDP alone. */
static void the_first_packet_is_not_hurried_over_tcp(void **state)
{
    (void)state;
    unsigned udp = hellos_in_ten_seconds(NULL);
    unsigned tcp = hellos_in_ten_seconds(use_tcp);
    print_message("# %u over UDP, %u over TCP\n", udp, tcp);
    assert_true(udp >= 9);
    assert_true(tcp <= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forged_packet_is_dropped_over_udp),
        cmocka_unit_test(a_forged_packet_ends_the_connection_over_tcp),
        cmocka_unit_test(a_packet_of_no_known_key_is_dropped_over_tcp),
        cmocka_unit_test(the_first_packet_is_not_hurried_over_tcp),
    };
    return cmocka_run_group_tests_name("transport", tests, quiet, NULL);
}
