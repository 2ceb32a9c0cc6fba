/* An attacker without keys sends copies of this session's datagrams, and of the
 * one before, to either end: none of them counts, and nobody is lured away. */
#include "tests/simulator/quiet.h"
#include "tests/simulator/world.h"
#include "tests/unit.h"

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 300 };
#else
enum { SEEDS = 1000 };
#endif

enum { COPIES = 60 }; /* percent */

static void talk(struct world *w, unsigned packets)
{
    for (unsigned i = 0; i < packets; i++) {
        assert_true(world_client_sends(w));
        assert_true(world_server_sends(w));
        world_run(w, duration_milliseconds(200));
    }
}

static void everything_came_once(struct world *w)
{
    world_run(w, duration_milliseconds(100));
    assert_int_equal(w->arrivals.count, w->server_numbers);
    assert_int_equal(w->server.arrivals.count, w->client_numbers);
    assert_int_equal(w->arrivals.repeated + w->server.arrivals.repeated, 0);
    assert_int_equal(w->arrivals.garbled + w->server.arrivals.garbled, 0);
}

/* Back at once, from the same place. */
static void begin_anew(struct world *w)
{
    assert_true(server_end_say(&w->server, w->now, "RESTART"));
    world_run(w, duration_milliseconds(100));
    assert_true(world_run_until(w, duration_seconds(10), CLIENT_UP));
    /* Its first session's packets have come to nothing. */
    talk(w, 2);
}

static void renegotiate_soon(struct config *c)
{
    c->reneg_seconds = 2;
}

static unsigned under_attack(const struct world_options *o, bool anew)
{
    struct world *w = world_new(o);
    assert_true(world_run_until(w, duration_seconds(10), CLIENT_UP));
    talk(w, 5);
    if (anew)
        begin_anew(w);
    everything_came_once(w);
    uint64_t answers = server_end_status(&w->server).answers;
    talk(w, 15);
    everything_came_once(w);
    assert_int_equal(server_end_status(&w->server).answers, answers);
    assert_int_equal(server_end_status(&w->server).up, 1);
    assert_int_equal(server_end_status(&w->server).logins, 1 + anew);
    assert_int_equal(w->ups, 1 + anew);
    assert_int_equal(w->downs, anew);
    unsigned copies = w->attacker.copies;
    world_free(w);
    return copies;
}

/* A handshake is what costs: one seed in four begins anew, one in ten gets new
 * keys. */
static void a_thousand_seeds_of_copies_change_nothing(void **state)
{
    (void)state;
    struct static_key key;
    unsigned long copies = 0;
    /* Equal in both directions: what one says opens at the same end, too. */
    memset(key.bytes, 0x5a, sizeof key.bytes);
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct world_options o = world_usual(seed);
        o.copies = COPIES;
        o.server.tls_crypt = seed % 8 < 4 ? &key : NULL;
        o.server.dynamic_wrap = seed % 3 != 0;
        if (seed % 10 == 0)
            o.change_config = renegotiate_soon;
        copies += under_attack(&o, seed % 4 == 0);
    }
    print_message("# %d seeds; %lu copies\n", SEEDS, copies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_seeds_of_copies_change_nothing),
    };
    return cmocka_run_group_tests_name("replay", tests, quiet, NULL);
}
