/*
 * Frontends that break the protocol, beside one that does not: the farthest
 * that one gets is its own card. Xen's advisories about network backends are
 * listed in netback_test.c.
 */
#include "tests/link/xen/stage.h"

#include <pthread.h>

/* --- One rule broken ----------------------------------------------------- */

static void requests_that_make_no_sense_close_the_vif(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"tx-ring-ref", ""},
        {"tx-ring-ref", "-1"},
        {"tx-ring-ref", "2000 "},
        {"tx-ring-ref", "0x7d0"},
        {"tx-ring-ref", "4294967296"},
        {"tx-ring-ref", "5"}, /* no such grant */
        {"rx-ring-ref", "99999999999999999999"},
        {"rx-ring-ref", "1999"},
        {"event-channel", "seven"},
        {"event-channel", "8"}, /* no such port */
        {"request-rx-copy", "0"},
        {"request-rx-copy", "2"},
        {"feature-sg", "yes"},
        {"feature-gso-tcpv4", "1\n"},
        {"feature-rx-notify", "01 "},
        {"multi-queue-num-queues", "2"},
        {"multi-queue-num-queues", "x"},
    };
    stage_fronts[0] = fake_frontend_new(0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        xen_double_set_domain(stage_domain(0), stage_fronts[0]);
        stage_attach(stage_domain(0), 0, stage_addresses[0]);
        STAGE_UNTIL(stage_first_waits);
        fake_xenstored_lock(stage.xenstored);
        stage_ask(stage_domain(0));
        stage_front(stage_domain(0), 0, wrong[i][0], wrong[i][1]);
        fake_xenstored_unlock(stage.xenstored);
        STAGE_UNTIL(stage_first_closing);
        assert_int_equal(xen_double_mapped(), 0);
        assert_int_equal(xen_double_bound(), 0);
        assert_int_equal(stage.added, 0);
        stage_take_away(stage_domain(0));
    }
}

static void break_a_rule(int i)
{
    fake_put_request(stage_fronts[i], 0, 4000, 0, 1, 200);
    (void)fake_publish(&stage_fronts[i]->transmit);
    xen_double_ring(stage_domain(i));
}

/* The farthest that one gets is its own vif. */
static void a_broken_rule_closes_that_vif_only(void **state)
{
    (void)state;
    stage_connect(0);
    stage_connect(1);
    break_a_rule(0);
    STAGE_UNTIL(stage_first_closing);
    assert_null(stage_owned("vif10.0"));
    assert_int_equal(xen_double_mapped(), 2);
    assert_int_equal(xen_double_bound(), 1);
    stage_send_from(1, 10, 100);
    stage_until_packets(10);

    /* It stays closed whatever it writes, until it starts anew. */
    stage_front(stage_domain(0), 0, "state", "4");
    stage_front(stage_domain(0), 0, "state", "3");
    stage_settle();
    assert_true(stage_first_closing());
    assert_int_equal(stage.added, 2);
    stage_front(stage_domain(0), 0, "state", "6");
    STAGE_UNTIL(stage_first_closed);
    stage_front(stage_domain(0), 0, "state", "1");
    STAGE_UNTIL(stage_first_waits);
    fake_frontend_reset(stage_fronts[0], 0);
    stage_ask(stage_domain(0));
    STAGE_UNTIL(stage_first_connected);
    stage_send_from(0, 1, 100);
    stage_until_packets(11);
}

/* XSA-374: what a broken rule has ended is not ended again, whichever comes
 * first. */
static void a_broken_vif_is_detached_all_the_same(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        stage_connect(0);
        break_a_rule(0);
        if (round % 2)
            STAGE_UNTIL(stage_first_closing);
        stage_detach(stage_domain(0), 0);
        STAGE_UNTIL(stage_first_gone);
        assert_null(stage_owned("vif10.0"));
        assert_int_equal(xen_double_mapped(), 0);
        assert_int_equal(xen_double_bound(), 0);
        fake_frontend_free(stage_fronts[0]);
        stage_fronts[0] = NULL;
    }
}

/* Found when sending to it, in the middle of its owner's work. XSA-90: it is
 * closed later. */
static void a_lie_about_pages_closes_the_vif(void **state)
{
    (void)state;
    stage.echo = true;
    stage_connect(0);
    stage_fronts[0]->receive.produced += 5000;
    (void)fake_publish(&stage_fronts[0]->receive);
    stage_send_from(0, 5, 100);
    STAGE_UNTIL(stage_first_closing);
    assert_int_equal(xen_double_mapped(), 0);
}

static void a_lie_about_pages_shows_from_the_tunnel_too(void **state)
{
    (void)state;
    stage_connect(0);
    stage_settle();
    stage_fronts[0]->receive.produced += 5000;
    (void)fake_publish(&stage_fronts[0]->receive);
    (void)stage_send_to_first(100);
    /* Not before its owner has finished. */
    assert_non_null(stage_owned("vif10.0"));
    STAGE_UNTIL(stage_first_closing);
    assert_null(stage_owned("vif10.0"));
}

/* XSA-392: nobody waits for a qube that takes nothing. */
static void a_qube_without_pages_holds_up_nobody(void **state)
{
    (void)state;
    static struct fake_frame frame;
    stage.echo = true;
    stage_connect(0);
    stage_connect(1);
    while (stage_fronts[0]->receive.produced -
               stage_fronts[0]->receive.consumed >
           0) {
        stage_send_from(0, 1, 60);
        stage_settle();
        (void)stage_answers_taken(0);
        if (!fake_take_frame(stage_fronts[0], &frame))
            break;
    }
    uint32_t before = stage.order_count;
    for (int round = 0; round < 30; round++) {
        stage_send_from(0, 200, 4000);
        stage_send_from(1, 1, 100);
        stage_until_packets(before += 201);
        (void)stage_answers_taken(0);
        (void)stage_answers_taken(1);
        assert_true(fake_take_frame(stage_fronts[1], &frame));
    }
    assert_true(stage.link->drops.count[DROP_LINK_QUEUE_FULL] > 1000);
    assert_true(stage_first_connected());
}

enum { STORM_TURNS = 50 };

static uint64_t milliseconds_since(struct instant began)
{
    struct duration d = instant_since(loop_now(stage.loop), began);
    return (uint64_t)(d.us / 1000);
}

/* XSA-332: events that mean nothing are answered ever later. */
static void an_event_storm_is_slowed_down(void **state)
{
    (void)state;
    stage_connect(0);
    stage_connect(1);
    stage_settle();
    unsigned before = xen_double_events(stage_domain(0));
    struct instant began = loop_now(stage.loop);
    for (int i = 0; i < STORM_TURNS; i++) {
        xen_double_ring(stage_domain(0));
        stage_turn(1);
    }
    /* Eight at once, then after 1, 2, 4, ... 32 ms each. */
    assert_in_range(xen_double_events(stage_domain(0)) - before, 5,
                    16 + milliseconds_since(began) / 32);
    /* Nobody else is slowed down, and it recovers. */
    stage_send_from(1, 5, 100);
    stage_until_packets(5);
    stage_send_from(0, 5, 100);
    stage_until_packets(10);
    stage_send_from(0, 5, 100);
    stage_until_packets(15);
}

/* XSA-349, XSA-350: a frontend that writes its state all the time costs a
 * bounded number of requests to xenstored. */
static void a_storm_in_xenstore_is_slowed_down(void **state)
{
    (void)state;
    stage_connect(0);
    stage_connect(1);
    stage_settle();
    unsigned before = fake_xenstored_requests(stage.xenstored);
    struct instant began = loop_now(stage.loop);
    for (int i = 0; i < STORM_TURNS * 20; i++) {
        stage_front(stage_domain(0), 0, "state", i % 2 ? "4" : "1");
        if (i % 20 == 19)
            stage_turn(1);
    }
    /* Sixteen looks, one more each 125 ms, some forty requests a look that
     * connects. */
    assert_in_range(fake_xenstored_requests(stage.xenstored) - before, 16,
                    (18 + milliseconds_since(began) / 125) * 50);
    stage_send_from(1, 5, 100);
    stage_until_packets(5);
    /* In the end it is where its last word leads. */
    stage_front(stage_domain(0), 0, "state", "6");
    STAGE_UNTIL(stage_first_closed);
}

/* Two that have much to send, in frames of very different size: until one has
 * no more, their bytes take turns. */
static void bytes_are_shared_fairly(void **state)
{
    (void)state;
    enum { SMALL = 1500, LARGE = 60000, TURN = 256 * 1024 };
    uint32_t left[2] = {250, 16}, bytes[2] = {0}, run = 0;
    stage_connect(0);
    stage_connect(1);
    stage_settle();
    stage_send_from(0, left[0], SMALL);
    stage_send_from(1, left[1], LARGE);
    stage_until_packets(left[0] + left[1]);
    for (uint32_t i = 0; left[0] > 0 && left[1] > 0; i++) {
        uint16_t qube = stage.order[i];
        uint32_t size = qube ? LARGE : SMALL;
        run = i > 0 && stage.order[i - 1] == qube ? run + size : size;
        bytes[qube] += size;
        left[qube]--;
        assert_true(run <= TURN + LARGE);
    }
    assert_true(bytes[0] >= TURN / 2 && bytes[1] >= TURN / 2);
}

/* --- Anything at all ----------------------------------------------------- */

enum { LIVES = 12, ROUNDS = 12, LIAR = 0, HONEST = 1 };

static uint32_t dice;

static uint32_t below(uint32_t n)
{
    return next_random(&dice) % n;
}

static bool rarely(void)
{
    return below(8) == 0;
}

/* A value as it should be, or any. */
static uint32_t or_any(uint32_t value)
{
    return rarely() ? next_random(&dice) : value;
}

static void scribble(struct fake_frontend *f)
{
    for (int i = 0; i < 3; i++) {
        struct fake_end *end = below(2) ? &f->transmit : &f->receive;
        uint32_t word = below(2) ? below(NETBACK_SLOTS) : below(1024);
        end->page->word[word] = or_any(end->page->word[word] + below(600));
    }
}

static void put_request(struct fake_frontend *f)
{
    fake_put_request(f, or_any(below(FAKE_PAGES)),
                     (uint16_t)or_any(below(NETBACK_PAGE_SIZE)),
                     (uint16_t)or_any(below(16)), (uint16_t)or_any(0),
                     (uint16_t)or_any(below(NETBACK_PAGE_SIZE)));
}

/* One that would be right, but for its flags. */
static void put_frame(struct fake_frontend *f)
{
    static uint8_t frame[65536];
    uint32_t size = 42 + below(rarely() ? 60000 : 1400);
    stage_make_frame(frame, LIAR, size);
    f->gso_size = (uint16_t)below(1500);
    f->gso_type = (uint8_t)below(3);
    fake_put_frame(f, frame, size, NETBACK_PAGE_SIZE, below(400),
                   (uint16_t)or_any(1), (uint16_t)(below(2) ? below(16) : 0));
}

static void send_anything(struct fake_frontend *f)
{
    for (uint32_t i = below(40); i > 0; i--) {
        if (rarely())
            fake_put_extra(f, (uint8_t)below(6), (uint8_t)below(3),
                           (uint16_t)or_any(below(1500)), (uint8_t)below(4));
        else if (below(2))
            put_frame(f);
        else
            put_request(f);
    }
    (void)fake_publish(&f->transmit);
    xen_double_ring(stage_domain(LIAR));
}

static void post_anything(struct fake_frontend *f)
{
    if (rarely())
        f->receive.produced += below(300);
    stage_post_pages(f, below(300));
}

static void grant_otherwise(struct fake_frontend *f)
{
    f->refused[below(FAKE_PAGES)] = below(2);
    f->copying_fails = rarely();
    f->before_copy = below(2) ? scribble : NULL;
}

static void write_anything(struct fake_frontend *f)
{
    static const char *const keys[] = {
        "state",
        "tx-ring-ref",
        "rx-ring-ref",
        "event-channel",
        "request-rx-copy",
        "feature-rx-notify",
        "feature-sg",
        "feature-gso-tcpv4",
        "feature-no-csum-offload",
        "multi-queue-num-queues",
    };
    static const char *const values[] = {
        "1",    "4",  "5",          "6",          "0",    "2", "3",
        "7",    "8",  "2000",       "2001",       "-1",   "",  " 1",
        "\x01", "9x", "4294967295", "9999999999", "\xff", "?",
    };
    (void)f;
    stage_front(stage_domain(LIAR), 0, keys[below(2) ? 0 : below(10)],
                values[below(2) ? below(4) : below(20)]);
}

/* As a frontend does that is loaded again, with what it likes in its rings. */
static void begin_anew(struct fake_frontend *f)
{
    fake_frontend_reset(f, or_any(0));
    stage_front(stage_domain(LIAR), 0, "state", "1");
    stage_turn(1);
    post_anything(f);
    stage_ask(stage_domain(LIAR));
}

/* The toolstack's options for its card meanwhile. */
static void change_cards(struct fake_frontend *f)
{
    uint32_t domain = stage_domain(LIAR);
    (void)f;
    if (!fake_xenstored_read(stage.xenstored,
                             fake_card_back(domain, 0, "state")))
        stage_attach(domain, 0, stage_addresses[LIAR]);
    else if (below(2))
        stage_detach(domain, 0);
    else
        stage_take_away(domain);
}

static void lie(struct fake_frontend *f)
{
    static void (*const lies[])(struct fake_frontend *) = {
        send_anything,   send_anything,  send_anything, post_anything, scribble,
        grant_otherwise, write_anything, begin_anew,    begin_anew,
    };
    for (uint32_t i = below(6); i > 0; i--)
        lies[below(sizeof lies / sizeof *lies)](f);
    if (rarely())
        change_cards(f);
}

static uint32_t sent, returned;

static bool all_returned(void)
{
    while (fake_take_frame(stage_fronts[HONEST], &stage_taken)) {
        assert_false(stage_taken.failed);
        assert_memory_equal(stage_taken.bytes, stage_qube_mac, 6);
        returned++;
    }
    return returned == sent;
}

/* Sends a little and gets it back, and its card is as it was. */
static void stay_honest(void)
{
    struct fake_end *receive = &stage_fronts[HONEST]->receive;
    (void)stage_answers_taken(HONEST);
    if (receive->produced - receive->consumed < 100)
        stage_post_pages(stage_fronts[HONEST], 50);
    stage_send_from(HONEST, 3, 42 + below(1400));
    sent += 3;
    STAGE_UNTIL(all_returned);
    assert_true(stage_back_is(stage_domain(HONEST), 0, "state", "4"));
}

static bool nothing_is_left(void)
{
    return stage_first_gone() && xen_double_bound() == 1;
}

/* Nothing of the liar is left, and the next of its name begins as any. */
static void live_again(void)
{
    stage_take_away(stage_domain(LIAR));
    fake_xenstored_remove(stage.xenstored,
                          fake_card_front(stage_domain(LIAR), 0, ""));
    STAGE_UNTIL(nothing_is_left);
    assert_int_equal(xen_double_mapped(), 2);
    fake_frontend_free(stage_fronts[LIAR]);
    stage_connect(LIAR);
    stage_send_from(LIAR, 1, 100);
    STAGE_UNTIL(stage_first_gets_a_frame);
    assert_false(stage_taken.failed);
}

static void begin(uint32_t seed)
{
    dice = seed;
    sent = returned = 0;
    stage.echo = true;
    stage_connect(HONEST);
    stage_connect(LIAR);
}

static void a_liar_disturbs_nobody_else(void **state)
{
    (void)state;
    begin(1);
    for (int life = 0; life < LIVES; life++) {
        for (int round = 0; round < ROUNDS; round++) {
            lie(stage_fronts[LIAR]);
            stay_honest();
        }
        live_again();
    }
}

/* Another processor of its writes to the rings all the while. */
static struct netback_page *rings[2];
static _Atomic bool scribbles;

static void *scribble_on(void *context)
{
    uint32_t noise = 7;
    (void)context;
    while (scribbles) {
        _Atomic uint32_t *word = rings[next_random(&noise) % 2]->word;
        if (next_random(&noise) % 8)
            word[NETBACK_REQ_PROD] =
                word[NETBACK_RSP_PROD] + next_random(&noise) % 256;
        else
            word[next_random(&noise) % 1024] = next_random(&noise);
    }
    return NULL;
}

static void start_scribbling(pthread_t *thread)
{
    rings[0] = stage_fronts[LIAR]->transmit.page;
    rings[1] = stage_fronts[LIAR]->receive.page;
    scribbles = true;
    assert_int_equal(pthread_create(thread, NULL, scribble_on, NULL), 0);
}

static void a_liar_with_two_processors_disturbs_nobody_else(void **state)
{
    (void)state;
    pthread_t other;
    begin(2);
    for (int life = 0; life < LIVES; life++) {
        start_scribbling(&other);
        for (int round = 0; round < ROUNDS; round++) {
            xen_double_ring(stage_domain(LIAR));
            if (rarely())
                begin_anew(stage_fronts[LIAR]);
            stay_honest();
        }
        scribbles = false;
        pthread_join(other, NULL);
        live_again();
    }
}

#define UNIT(test)                                                             \
    cmocka_unit_test_setup_teardown(test, stage_set_up, stage_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(requests_that_make_no_sense_close_the_vif),
        UNIT(a_broken_rule_closes_that_vif_only),
        UNIT(a_broken_vif_is_detached_all_the_same),
        UNIT(a_lie_about_pages_closes_the_vif),
        UNIT(a_lie_about_pages_shows_from_the_tunnel_too),
        UNIT(a_qube_without_pages_holds_up_nobody),
        UNIT(an_event_storm_is_slowed_down),
        UNIT(a_storm_in_xenstore_is_slowed_down),
        UNIT(bytes_are_shared_fairly),
        UNIT(a_liar_disturbs_nobody_else),
        UNIT(a_liar_with_two_processors_disturbs_nobody_else),
    };
    return cmocka_run_group_tests_name("netback_hostile", tests, NULL, NULL);
}
