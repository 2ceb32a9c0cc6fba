/* The link against a qube's end that the test plays byte by byte. */
#include "gateway/link/xen/vchan.h"

#include "tests/link/send_one.h"
#include "tests/unit.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/link/xen/vchan_framing.h"
#include "tests/link/xen/fake_xenstored.h"
#include "tests/link/xen/patience.h"
#include "tests/link/xen/vchan_pair.h"

enum {
    GATEWAY_DOMAIN = 3,
    QUBE_DOMAIN = 7,
    RING = 256 * 1024,
    UDP_SIZE = 28 + 4,
    LARGE_PAYLOAD = 60000,
    LARGE_SIZE = 40 + LARGE_PAYLOAD,
    HEARD_SIZE = 1024 * 1024,
};

/* The owner gives it this. */
#define QUBE  ((struct qube *)&t)
#define PATH  "data/net"
#define PLACE "/local/domain/7/" PATH

static struct fixture {
    struct fake_xenstored *xenstored;
    struct loop *loop;
    struct patience patience;
    struct link *link;
    struct libxenvchan *qube;
    bool refuse;
    unsigned added, removed, packets;
    struct packet last;
    uint8_t bytes[PACKET_SIZE_MAX]; /* of the last packet */
    size_t heard;
    uint8_t hears[HEARD_SIZE]; /* the qube, from the gateway */
} t;

/* --- The owner ----------------------------------------------------------- */

static void received(void *context, struct instant now,
                     struct packet_batch *batch)
{
    (void)context;
    (void)now;
    for (uint16_t i = 0; i < batch->count; i++) {
        t.last = batch->packets[i];
        assert_ptr_equal(t.last.qube, QUBE);
        assert_true(t.last.headroom >= PACKET_HEADROOM);
        memset(t.last.data - PACKET_HEADROOM, 0xee, PACKET_HEADROOM);
        memcpy(t.bytes, t.last.data, t.last.size);
        t.packets++;
    }
}

static struct qube *qube_added(void *context, struct link_port *port,
                               const char *name, const struct address *ipv4,
                               const struct address *ipv6)
{
    (void)context;
    assert_ptr_equal(port, &port->link->port);
    (void)ipv6;
    assert_string_equal(name, "vchan:7:" PATH);
    assert_int_equal(ipv4->bytes[3], 7);
    if (t.refuse)
        return NULL;
    t.added++;
    return QUBE;
}

static void qube_removed(void *context, struct qube *qube)
{
    (void)context;
    assert_ptr_equal(qube, QUBE);
    t.removed++;
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

/* --- The qube ------------------------------------------------------------ */

static void offered(const char *place, bool there)
{
    char leaf[128];
    snprintf(leaf, sizeof leaf, "%s/event-channel", place);
    if (there)
        fake_xenstored_write(t.xenstored, leaf, "9");
    else
        fake_xenstored_remove(t.xenstored, place);
}

static void offer(void)
{
    t.qube = libxenvchan_server_init(NULL, GATEWAY_DOMAIN, PATH, RING, RING);
    t.qube->blocking = 0;
    t.heard = 0;
}

static bool is_added(void)
{
    return t.added == t.removed + 1;
}

static bool is_removed(void)
{
    return t.added == t.removed;
}

/* Everything that is there to be heard. */
static void listen_to(void)
{
    int size;
    while ((size = libxenvchan_read(t.qube, t.hears + t.heard,
                                    HEARD_SIZE - t.heard)) > 0)
        t.heard += (size_t)size;
}

static void say(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    while (size) {
        int n = libxenvchan_write(t.qube, bytes, size);
        assert_true(n >= 0);
        bytes += n;
        size -= (size_t)n;
        if (n == 0)
            turn_for(2);
    }
}

static void greet(uint16_t flags)
{
    uint8_t greeting[VCHAN_FRAMING_GREETING_SIZE];
    vchan_framing_write_greeting(greeting, flags);
    say(greeting, sizeof greeting);
}

static void connect_qube(void)
{
    offer();
    greet(VCHAN_FRAMING_TAKES_UDP_GSO);
    wait_until(is_added);
}

static const uint8_t ethernet[ETHERNET_HEADER_SIZE] = {
    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x16, 0x3e, 1, 2, 3, 8, 0};

static void write_ipv4(uint8_t *p, uint16_t size, uint8_t protocol)
{
    memset(p, 0, size);
    p[0] = 0x45;
    p[2] = (uint8_t)(size >> 8);
    p[3] = (uint8_t)size;
    p[8] = 64;
    p[9] = protocol;
    memcpy(p + 12, (uint8_t[]){10, 137, 0, 7}, 4);
    memcpy(p + 16, (uint8_t[]){198, 51, 100, 1}, 4);
}

/* A record with a packet, and its size. */
static size_t small_record(uint8_t *out, uint8_t mark)
{
    size_t body = CARD_HEADERS_SIZE + UDP_SIZE;
    vchan_framing_write_prefix(out, (uint32_t)body);
    uint8_t *p = out + VCHAN_FRAMING_PREFIX_SIZE;
    memset(p, 0, VNET_HEADER_SIZE);
    memcpy(p + VNET_HEADER_SIZE, ethernet, sizeof ethernet);
    write_ipv4(p + CARD_HEADERS_SIZE, UDP_SIZE, 17);
    p[CARD_HEADERS_SIZE + UDP_SIZE - 1] = mark;
    return VCHAN_FRAMING_PREFIX_SIZE + body;
}

static size_t large_record(uint8_t *out)
{
    /* NEEDS_CSUM, TCPv4, header size, gso size 1400, checksum at 34 + 16 */
    static const uint8_t vnet[VNET_HEADER_SIZE] = {
        1, 1, 54, 0, 1400 & 255, 1400 >> 8, 34, 0, 16, 0};
    size_t body = CARD_HEADERS_SIZE + LARGE_SIZE;
    vchan_framing_write_prefix(out, (uint32_t)body);
    uint8_t *p = out + VCHAN_FRAMING_PREFIX_SIZE;
    memcpy(p, vnet, sizeof vnet);
    memcpy(p + VNET_HEADER_SIZE, ethernet, sizeof ethernet);
    write_ipv4(p + CARD_HEADERS_SIZE, LARGE_SIZE, 6);
    p[CARD_HEADERS_SIZE + 20 + 12] = 5 << 4;
    for (size_t i = 0; i < LARGE_PAYLOAD; i++)
        p[CARD_HEADERS_SIZE + 40 + i] = (uint8_t)(i * 7 + i / 256);
    return VCHAN_FRAMING_PREFIX_SIZE + body;
}

static uint32_t drops(enum drop reason)
{
    return (uint32_t)t.link->drops.count[reason];
}

/* --- The fixture --------------------------------------------------------- */

static void open_link(void)
{
    enum error error;
    struct vchan_options options = {.domain = QUBE_DOMAIN, .path = PATH};
    const struct link_owner owner = {
        .received = received,
        .qube_added = qube_added,
        .qube_removed = qube_removed,
    };
    assert_true(address_parse(bytes_of_text("10.137.0.7"), &options.ipv4));
    t.link = vchan_open(&options, t.loop, &owner, &error);
    assert_non_null(t.link);
}

static void be_quiet(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    log_set_sink(be_quiet, NULL);
    t.xenstored = fake_xenstored_new(GATEWAY_DOMAIN);
    vchan_pair_reset(QUBE_DOMAIN, offered);
    t.loop = loop_new();
    patience_init(&t.patience, t.loop);
    open_link();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    t.link->kind->close(t.link);
    assert_int_equal(t.added, t.removed);
    libxenvchan_close(t.qube);
    assert_int_equal(vchan_pair_open_count(), 0);
    patience_clear(&t.patience);
    loop_free(t.loop);
    fake_xenstored_free(t.xenstored);
    log_set_sink(NULL, NULL);
    return 0;
}

/* --- Packets ------------------------------------------------------------- */

static bool hears_greeting(void)
{
    listen_to();
    return t.heard >= VCHAN_FRAMING_GREETING_SIZE;
}

static void both_greet(void **state)
{
    (void)state;
    turn_for(20);
    assert_int_equal(t.added, 0);
    offer();
    wait_until(hears_greeting);
    assert_int_equal(t.heard, VCHAN_FRAMING_GREETING_SIZE);
    assert_memory_equal(t.hears, "QVPN\1\0\1\0", VCHAN_FRAMING_GREETING_SIZE);
    assert_int_equal(t.added, 0);
    greet(0);
    wait_until(is_added);
}

static bool has_packet(void)
{
    return t.packets >= 1;
}

static void receive_small(void)
{
    uint8_t record[256];
    t.packets = 0;
    say(record, small_record(record, 0x55));
    wait_until(has_packet);
}

static bool hears_record(void)
{
    listen_to();
    return t.heard >= VCHAN_FRAMING_GREETING_SIZE + VCHAN_FRAMING_PREFIX_SIZE +
                          CARD_HEADERS_SIZE + UDP_SIZE;
}

static void packets_pass_both_ways(void **state)
{
    (void)state;
    uint8_t memory[PACKET_HEADROOM + UDP_SIZE];
    struct packet reply = {
        .data = memory + PACKET_HEADROOM,
        .size = UDP_SIZE,
        .headroom = PACKET_HEADROOM,
        .qube = QUBE,
    };
    connect_qube();
    write_ipv4(reply.data, UDP_SIZE, 17);
    send_one(&t.link->port, loop_now(t.loop), &reply);
    assert_int_equal(reply.drop, DROP_LINK_NO_MAC);
    assert_int_equal(drops(DROP_LINK_NO_MAC), 1);

    receive_small();
    assert_int_equal(t.last.size, UDP_SIZE);
    assert_int_equal(t.bytes[UDP_SIZE - 1], 0x55);
    assert_int_equal(t.last.checksum, PACKET_CHECKSUM_NONE);

    reply.drop = DROP_NONE;
    send_one(&t.link->port, loop_now(t.loop), &reply);
    assert_int_equal(reply.drop, DROP_NONE);
    wait_until(hears_record);
    const uint8_t *frame = t.hears + VCHAN_FRAMING_GREETING_SIZE +
                           VCHAN_FRAMING_PREFIX_SIZE + VNET_HEADER_SIZE;
    assert_memory_equal(frame, ethernet + 6, 6);
    assert_memory_equal(frame + 6, "\xfe\xff\xff\xff\xff\xff\x08\x00", 8);
    assert_memory_equal(frame + ETHERNET_HEADER_SIZE, reply.data, UDP_SIZE);
}

static bool hears_large(void)
{
    listen_to();
    return t.heard == VCHAN_FRAMING_GREETING_SIZE + VCHAN_FRAMING_PREFIX_SIZE +
                          CARD_HEADERS_SIZE + LARGE_SIZE;
}

static void pass_large(void)
{
    static uint8_t record[VCHAN_FRAMING_PREFIX_SIZE + VCHAN_FRAMING_BODY_MAX];
    connect_qube();
    size_t size = large_record(record);
    say(record, size);
    wait_until(has_packet);
    assert_int_equal(t.last.size, LARGE_SIZE);
    assert_int_equal(t.last.gso, PACKET_GSO_TCP);
    assert_int_equal(t.last.gso_size, 1400);
    assert_memory_equal(t.bytes,
                        record + VCHAN_FRAMING_PREFIX_SIZE + CARD_HEADERS_SIZE,
                        LARGE_SIZE);

    /* Back, in a head and pieces, as it comes out of the tunnel. */
    uint8_t head[PACKET_HEADROOM + 40];
    struct bytes pieces[2] = {bytes_of(t.bytes + 40, 30000),
                              bytes_of(t.bytes + 30040, 30000)};
    memcpy(head + PACKET_HEADROOM, t.bytes, 40);
    struct packet back = t.last;
    back.data = head + PACKET_HEADROOM;
    back.size = 40;
    back.pieces = pieces;
    back.piece_count = 2;
    back.piece_bytes = 60000;
    send_one(&t.link->port, loop_now(t.loop), &back);
    assert_int_equal(back.drop, DROP_NONE);
    wait_until(hears_large);
    const uint8_t *heard =
        t.hears + VCHAN_FRAMING_GREETING_SIZE + VCHAN_FRAMING_PREFIX_SIZE;
    assert_memory_equal(heard, record + VCHAN_FRAMING_PREFIX_SIZE,
                        VNET_HEADER_SIZE);
    assert_memory_equal(heard + CARD_HEADERS_SIZE, t.bytes, LARGE_SIZE);
}

static void super_packets_pass_whole(void **state)
{
    (void)state;
    pass_large();
}

static void and_through_rings_much_smaller_than_they_are(void **state)
{
    (void)state;
    vchan_pair_set_ring(1024);
    pass_large();
}

static unsigned wanted_packets;

static bool has_all(void)
{
    return t.packets == wanted_packets;
}

static void a_stream_in_pieces_is_the_same_stream(void **state)
{
    (void)state;
    uint8_t stream[20 * 128];
    connect_qube();
    for (size_t piece = 1; piece <= 70; piece += 3) {
        size_t size = 0;
        for (uint8_t i = 0; i < 20; i++)
            size += small_record(stream + size, i);
        t.packets = 0;
        for (size_t at = 0; at < size; at += piece) {
            say(stream + at, size - at < piece ? size - at : piece);
            if (at % 5 == 0)
                turn_for(0);
        }
        wanted_packets = 20;
        wait_until(has_all);
        assert_int_equal(t.bytes[UDP_SIZE - 1], 19);
    }
}

static void more_than_a_turn_takes_is_taken_in_the_next(void **state)
{
    (void)state;
    uint8_t record[256];
    connect_qube();
    size_t size = small_record(record, 1);
    for (int i = 0; i < 2000; i++)
        say(record, size);
    wanted_packets = 2000;
    wait_until(has_all);
    assert_int_equal(t.removed, 0);
}

enum {
    ARP_RECORD_SIZE =
        VCHAN_FRAMING_PREFIX_SIZE + VNET_HEADER_SIZE + ARP_FRAME_SIZE
};

static bool hears_answer(void)
{
    listen_to();
    return t.heard >= VCHAN_FRAMING_GREETING_SIZE + ARP_RECORD_SIZE;
}

static void questions_about_addresses_are_answered(void **state)
{
    (void)state;
    static const uint8_t question[ARP_FRAME_SIZE] =
        "\xff\xff\xff\xff\xff\xff\x00\x16\x3e\x01\x02\x03\x08\x06"
        "\x00\x01\x08\x00\x06\x04\x00\x01"
        "\x00\x16\x3e\x01\x02\x03\x0a\x89\x00\x07"
        "\x00\x00\x00\x00\x00\x00\x0a\x8a\x00\x01";
    uint8_t record[ARP_RECORD_SIZE] = {0};
    vchan_framing_write_prefix(record, VNET_HEADER_SIZE + ARP_FRAME_SIZE);
    memcpy(record + VCHAN_FRAMING_PREFIX_SIZE + VNET_HEADER_SIZE, question,
           sizeof question);
    connect_qube();
    say(record, sizeof record);
    wait_until(hears_answer);
    const uint8_t *frame = t.hears + VCHAN_FRAMING_GREETING_SIZE +
                           VCHAN_FRAMING_PREFIX_SIZE + VNET_HEADER_SIZE;
    assert_memory_equal(frame, "\x00\x16\x3e\x01\x02\x03", 6);
    assert_int_equal(frame[21], 2); /* a reply */
    assert_memory_equal(frame + 22, "\xfe\xff\xff\xff\xff\xff\x0a\x8a\x00\x01",
                        10);
    assert_int_equal(t.packets, 0);
}

/* --- Limits -------------------------------------------------------------- */

static bool is_gone(void)
{
    return libxenvchan_is_open(t.qube) == 0;
}

static void loses_who_says(const void *data, size_t size)
{
    unsigned removed = t.removed;
    say(data, size);
    wait_until(is_gone);
    assert_int_equal(t.added, t.removed);
    assert_in_range(t.removed, removed, removed + 1);
    libxenvchan_close(t.qube);
    t.qube = NULL;
}

/* Each in a link of its own: one that came and went would have to wait. */
static void
what_is_no_record_loses_this_qube_until_it_offers_again(void **state)
{
    static const uint32_t sizes[] = {0, VCHAN_FRAMING_BODY_MIN - 1,
                                     VCHAN_FRAMING_BODY_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        connect_qube();
        receive_small();
        loses_who_says(&sizes[i], sizeof sizes[i]);
        tear_down(state);
        set_up(state);
    }
    offer();
    loses_who_says("GET / HTTP/1.0\r\n\r\n", 18);
    connect_qube();
    receive_small();
}

static void a_frame_that_is_none_is_dropped_and_counted(void **state)
{
    (void)state;
    uint8_t record[256];
    connect_qube();
    size_t size = small_record(record, 1);
    uint8_t *body = record + VCHAN_FRAMING_PREFIX_SIZE;
    body[0] = 1; /* a checksum to be filled where there is none */
    say(record, size);
    body[0] = 0;
    body[VNET_HEADER_SIZE + 12] = 0x88; /* some other protocol */
    say(record, size);
    receive_small();
    assert_int_equal(t.packets, 1);
    assert_int_equal(drops(DROP_LINK_MALFORMED), 1);
    assert_int_equal(drops(DROP_LINK_NOT_IP), 1);
    assert_int_equal(t.removed, 0);
}

static size_t wanted_bytes;

static bool hears_all(void)
{
    listen_to();
    return t.heard >= wanted_bytes;
}

static void who_does_not_read_loses_packets_and_nobody_waits(void **state)
{
    (void)state;
    static uint8_t memory[PACKET_HEADROOM + PACKET_SIZE_MAX];
    unsigned sent = 0;
    connect_qube();
    receive_small();
    for (unsigned i = 0; i < 1000; i++) {
        struct packet p = {.data = memory + PACKET_HEADROOM,
                           .size = 1500,
                           .headroom = PACKET_HEADROOM,
                           .qube = QUBE};
        write_ipv4(p.data, 1500, 17);
        p.data[1499] = (uint8_t)i;
        send_one(&t.link->port, loop_now(t.loop), &p);
        if (p.drop == DROP_NONE) {
            assert_int_equal(sent, i); /* in order, and then no more */
            sent++;
        }
    }
    assert_in_range(sent, 200, 400);
    assert_int_equal(drops(DROP_LINK_QUEUE_FULL), 1000 - sent);

    /* It reads: all that was taken comes, in order. */
    size_t size = VCHAN_FRAMING_PREFIX_SIZE + CARD_HEADERS_SIZE + 1500;
    wanted_bytes = VCHAN_FRAMING_GREETING_SIZE + sent * size;
    wait_until(hears_all);
    assert_int_equal(t.heard, wanted_bytes);
    for (unsigned i = 0; i < sent; i++)
        assert_int_equal(
            t.hears[VCHAN_FRAMING_GREETING_SIZE + (i + 1) * size - 1],
            (uint8_t)i);
}

static void udp_super_packets_go_to_who_says_that_it_takes_them(void **state)
{
    (void)state;
    struct packet udp = {.gso = PACKET_GSO_UDP}, tcp = {.gso = PACKET_GSO_TCP};
    offer();
    greet(0);
    wait_until(is_added);
    assert_false(t.link->kind->takes(&t.link->port, &udp));
    assert_true(t.link->kind->takes(&t.link->port, &tcp));
    libxenvchan_close(t.qube);
    wait_until(is_removed);
    connect_qube();
    assert_true(t.link->kind->takes(&t.link->port, &udp));
}

/* --- Coming and going ---------------------------------------------------- */

static void an_end_that_closes_may_come_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        connect_qube();
        receive_small();
        libxenvchan_close(t.qube);
        t.qube = NULL;
        wait_until(is_removed);
        struct packet p = {.qube = QUBE};
        send_one(&t.link->port, loop_now(t.loop), &p);
        assert_int_equal(p.drop, DROP_LINK_ERROR);
    }
}

static void who_comes_and_goes_is_let_in_ever_more_rarely(void **state)
{
    (void)state;
    struct instant began = loop_now(t.loop);
    for (int i = 0; i < 4; i++) {
        connect_qube();
        libxenvchan_close(t.qube);
        t.qube = NULL;
        wait_until(is_removed);
    }
    /* 250 ms, 500 ms, 1 s */
    assert_true(instant_since(loop_now(t.loop), began).us >= 1700000);
    assert_int_equal(t.removed, 4);
}

/* A domain that is destroyed says nothing; its part of xenstore goes. */
static void a_qube_that_is_destroyed_is_noticed(void **state)
{
    (void)state;
    connect_qube();
    vchan_pair_forget(t.qube);
    fake_xenstored_remove(t.xenstored, "/local/domain/7");
    wait_until(is_removed);
    libxenvchan_close(t.qube);
    connect_qube();
}

static bool has_tried_twice(void)
{
    return vchan_pair_attempts() >= 2;
}

static void an_offer_that_leads_nowhere_is_tried_again(void **state)
{
    (void)state;
    vchan_pair_refuse(true);
    fake_xenstored_write(t.xenstored, PLACE "/event-channel", "1");
    struct instant began = loop_now(t.loop);
    wait_until(has_tried_twice);
    assert_true(instant_since(loop_now(t.loop), began).us >= 200000);
    vchan_pair_refuse(false);
    connect_qube();
}

static bool hung_up(void)
{
    return t.qube && libxenvchan_is_open(t.qube) == 0;
}

static void who_is_refused_is_hung_up_on(void **state)
{
    (void)state;
    t.refuse = true;
    offer();
    greet(0);
    uint8_t record[256];
    say(record, small_record(record, 1));
    wait_until(hung_up);
    assert_int_equal(t.packets, 0);
    libxenvchan_close(t.qube);
    t.refuse = false;
    connect_qube();
}

static void paths_are_short_and_plain(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "data/net", "data/vpn-1_A",
                                       "a/bcdefghij/bcdefghij/bcdefgh"};
    static const char *const bad[] = {"",
                                      "/a",
                                      "a/",
                                      "a//b",
                                      "a b",
                                      "a.b",
                                      "a\n",
                                      "a,b",
                                      "../a",
                                      "\xff",
                                      "a/bcdefghij/bcdefghij/bcdefghi"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(vchan_path_valid(bytes_of_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(vchan_path_valid(bytes_of_text(bad[i])));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(both_greet),
        TEST(packets_pass_both_ways),
        TEST(super_packets_pass_whole),
        TEST(and_through_rings_much_smaller_than_they_are),
        TEST(a_stream_in_pieces_is_the_same_stream),
        TEST(more_than_a_turn_takes_is_taken_in_the_next),
        TEST(questions_about_addresses_are_answered),
        TEST(what_is_no_record_loses_this_qube_until_it_offers_again),
        TEST(a_frame_that_is_none_is_dropped_and_counted),
        TEST(who_does_not_read_loses_packets_and_nobody_waits),
        TEST(udp_super_packets_go_to_who_says_that_it_takes_them),
        TEST(an_end_that_closes_may_come_again),
        TEST(who_comes_and_goes_is_let_in_ever_more_rarely),
        TEST(a_qube_that_is_destroyed_is_noticed),
        TEST(an_offer_that_leads_nowhere_is_tried_again),
        TEST(who_is_refused_is_hung_up_on),
        cmocka_unit_test(paths_are_short_and_plain),
    };
    return cmocka_run_group_tests_name("vchan", tests, NULL, NULL);
}
