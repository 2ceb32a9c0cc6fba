/* The qube's end against the gateway's: a whole wire in one process, with a
 * pair of sockets for the TAP. */
#include "gateway/link/xen/vchan_frontend.h"

#include "tests/unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/link/xen/vchan_channel.h"
#include "tests/link/xen/patience.h"
#include "tests/link/xen/vchan_pair.h"

enum { GATEWAY_DOMAIN = 3, QUBE_DOMAIN = 7 };

#define PATH  "data/net"
#define PLACE "/local/domain/7/" PATH

static struct fixture {
    struct loop *loop;
    struct patience patience;
    struct vchan_frontend *plug;
    int cable; /* the other end of the TAP */
    bool there;
    struct vchan_channel *gateway; /* its end */
    bool greeted, takes_udp_gso, gone, deaf;
    unsigned records;
    size_t last_size;
    uint8_t body[VCHAN_FRAMING_BODY_MAX];
} t;

static void offered(const char *place, bool there)
{
    assert_string_equal(place, PLACE);
    t.there = there;
}

/* --- The gateway's end --------------------------------------------------- */

static void on_greeted(void *context, struct instant now, bool takes_udp_gso)
{
    (void)context;
    (void)now;
    t.greeted = true;
    t.takes_udp_gso = takes_udp_gso;
}

static uint8_t *on_room(void *context)
{
    (void)context;
    return t.deaf ? NULL : t.body;
}

static void on_record(void *context, struct instant now, size_t size)
{
    (void)context;
    (void)now;
    t.records++;
    t.last_size = size;
}

static void on_settled(void *context, struct instant now)
{
    (void)context;
    (void)now;
}

static void on_lost(void *context, struct instant now, const char *why)
{
    (void)context;
    (void)now;
    (void)why;
    vchan_channel_close(t.gateway);
    t.gateway = NULL;
    t.gone = true;
}

static void connect_gateway(void)
{
    const struct vchan_channel_owner owner = {
        .greeted = on_greeted,
        .room = on_room,
        .record = on_record,
        .settled = on_settled,
        .writable = on_settled,
        .lost = on_lost,
    };
    t.greeted = t.gone = false;
    t.gateway = vchan_channel_connect(QUBE_DOMAIN, PLACE, true, t.loop, &owner);
    assert_non_null(t.gateway);
}

static void from_gateway(const void *body, size_t size)
{
    const struct bytes part = bytes_of(body, size);
    assert_true(vchan_channel_queue(t.gateway, &part, 1));
    vchan_channel_flush(t.gateway);
}

/* --- The loop ------------------------------------------------------------ */

static void turn_for(int64_t milliseconds)
{
    patience_turn(&t.patience, milliseconds);
}

static void wait_until(bool (*condition)(void))
{
    patience_until(&t.patience, condition);
}

static bool is_offered(void)
{
    return t.there;
}

static bool is_greeted(void)
{
    return t.greeted;
}

static bool has_record(void)
{
    return t.records > 0;
}

static bool is_gone(void)
{
    return t.gone;
}

static bool has_failed(void)
{
    return vchan_frontend_failed(t.plug);
}

static void be_quiet(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static void plug_in(void)
{
    int pair[2];
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    const struct vchan_frontend_options options = {
        .gateway = GATEWAY_DOMAIN,
        .path = PATH,
        .name = "eth0",
        .tap = pair[0],
        .takes_udp_gso = true,
    };
    t.cable = pair[1];
    t.plug = vchan_frontend_open(&options, t.loop);
    assert_non_null(t.plug);
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    log_set_sink(be_quiet, NULL);
    vchan_pair_reset(QUBE_DOMAIN, offered);
    t.loop = loop_new();
    patience_init(&t.patience, t.loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vchan_channel_close(t.gateway);
    vchan_frontend_close(t.plug);
    if (t.cable >= 0)
        close(t.cable);
    assert_int_equal(vchan_pair_open_count(), 0);
    patience_clear(&t.patience);
    loop_free(t.loop);
    log_set_sink(NULL, NULL);
    return 0;
}

static void connect_both(void)
{
    plug_in();
    connect_gateway();
    wait_until(is_greeted);
    turn_for(5); /* the other one, too */
}

/* --- Tests --------------------------------------------------------------- */

static void frames_are_carried_as_they_are(void **state)
{
    (void)state;
    uint8_t frame[2000], got[4000];
    connect_both();
    assert_true(t.takes_udp_gso);
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * 31);
    assert_int_equal(send(t.cable, frame, sizeof frame, 0), sizeof frame);
    wait_until(has_record);
    assert_int_equal(t.last_size, sizeof frame);
    assert_memory_equal(t.body, frame, sizeof frame);

    from_gateway(frame, 100);
    from_gateway(frame, VCHAN_FRAMING_BODY_MIN);
    turn_for(20);
    assert_int_equal(recv(t.cable, got, sizeof got, MSG_DONTWAIT), 100);
    assert_memory_equal(got, frame, 100);
    assert_int_equal(recv(t.cable, got, sizeof got, MSG_DONTWAIT),
                     VCHAN_FRAMING_BODY_MIN);
}

static void what_no_frame_can_be_is_not_sent(void **state)
{
    (void)state;
    uint8_t frame[VCHAN_FRAMING_BODY_MAX + 10] = {0};
    int size = 4 * (int)sizeof frame;
    connect_both();
    assert_int_equal(
        setsockopt(t.cable, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_true(send(t.cable, frame, VCHAN_FRAMING_BODY_MIN - 1, 0) > 0);
    assert_true(send(t.cable, frame, sizeof frame, 0) > 0);
    assert_true(send(t.cable, frame, VCHAN_FRAMING_BODY_MIN, 0) > 0);
    wait_until(has_record);
    turn_for(10);
    assert_int_equal(t.records, 1);
    assert_int_equal(t.last_size, VCHAN_FRAMING_BODY_MIN);
    assert_false(t.gone);
}

static void without_a_gateway_frames_go_nowhere_and_do_not_wait(void **state)
{
    (void)state;
    uint8_t frame[100] = {0};
    plug_in();
    wait_until(is_offered);
    for (int i = 0; i < 50; i++)
        assert_true(send(t.cable, frame, sizeof frame, 0) > 0);
    turn_for(20);
    connect_gateway();
    wait_until(is_greeted);
    turn_for(20);
    assert_int_equal(t.records, 0);
}

static void a_gateway_that_went_finds_a_new_offer(void **state)
{
    (void)state;
    uint8_t frame[100] = {0};
    connect_both();
    for (int i = 0; i < 3; i++) {
        vchan_channel_close(t.gateway);
        t.gateway = NULL;
        t.there = false; /* of the next one we are told */
        wait_until(is_offered);
        connect_gateway();
        wait_until(is_greeted);
        turn_for(5);
        t.records = 0;
        assert_true(send(t.cable, frame, sizeof frame, 0) > 0);
        wait_until(has_record);
    }
}

static unsigned cable_holds;

/* As much as fits is sent; true once nothing more does for some turns. */
static bool is_stuck(void)
{
    static const uint8_t frame[1500];
    static unsigned idle;
    unsigned before = cable_holds;
    while (send(t.cable, frame, sizeof frame, MSG_DONTWAIT) > 0)
        cable_holds++;
    idle = cable_holds == before ? idle + 1 : 0;
    return idle > 50;
}

static bool has_all(void)
{
    return t.records == cable_holds;
}

/* Nothing is lost on the way: the qube's kernel is made to wait. */
static void a_gateway_that_does_not_read_makes_the_qube_wait(void **state)
{
    (void)state;
    connect_both();
    t.deaf = true;
    cable_holds = 0;
    wait_until(is_stuck);
    assert_in_range(cable_holds, 100, 2000);
    assert_int_equal(t.records, 0);
    t.deaf = false;
    wait_until(has_all);
}

static void an_offer_that_cannot_be_made_is_made_later(void **state)
{
    (void)state;
    vchan_pair_refuse(true);
    plug_in();
    turn_for(20);
    assert_false(t.there);
    vchan_pair_refuse(false);
    wait_until(is_offered);
}

static void a_gateway_that_sends_rubbish_is_hung_up_on(void **state)
{
    (void)state;
    plug_in();
    struct libxenvchan *rubbish =
        libxenvchan_client_init(NULL, QUBE_DOMAIN, PLACE);
    rubbish->blocking = 0;
    assert_int_equal(libxenvchan_write(rubbish, "rubbish!", 8), 8);
    turn_for(20);
    assert_int_equal(libxenvchan_is_open(rubbish), 0);
    libxenvchan_close(rubbish);
    wait_until(is_offered);
}

static void a_tap_that_fails_ends_it(void **state)
{
    (void)state;
    uint8_t frame[100] = {0};
    connect_both();
    /* The kernel's word for it, and a socket's. */
    assert_true(send(t.cable, frame, sizeof frame, 0) > 0);
    from_gateway(frame, sizeof frame);
    turn_for(20);
    assert_false(has_failed());
    close(t.cable);
    t.cable = -1;
    wait_until(has_failed);
    vchan_frontend_close(t.plug);
    t.plug = NULL;
    wait_until(is_gone);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(frames_are_carried_as_they_are),
        TEST(what_no_frame_can_be_is_not_sent),
        TEST(without_a_gateway_frames_go_nowhere_and_do_not_wait),
        TEST(a_gateway_that_went_finds_a_new_offer),
        TEST(a_gateway_that_does_not_read_makes_the_qube_wait),
        TEST(an_offer_that_cannot_be_made_is_made_later),
        TEST(a_gateway_that_sends_rubbish_is_hung_up_on),
        TEST(a_tap_that_fails_ends_it),
    };
    return cmocka_run_group_tests_name("plug", tests, NULL, NULL);
}
