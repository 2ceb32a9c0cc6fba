#include "gateway/link/xen/netback_receive.h"

#include "gateway/link/offload.h"
#include "tests/link/xen/fake_frontend.h"
#include "tests/unit.h"

#include <pthread.h>

static const uint32_t start = UINT32_MAX - 5;
static const struct netback_accepts everything = {true, true, true, true, true};
static const struct instant now = {1000000};
static const struct ethernet_header header = {
    .destination = {0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x00},
    .source = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff},
    .type = ETHERTYPE_IPV4,
};

static struct fake_frontend *qube;
static struct netback_receive receive;
static struct netback_receive_batch batch;
static struct fake_frame frame;
static uint16_t next_page; /* to post */

/* A packet's bytes, with headroom, and as one of pieces. */
static uint8_t memory[PACKET_HEADROOM + PACKET_SIZE_MAX];
static struct bytes pieces[PACKET_PIECES_MAX];

static void attach(const struct netback_accepts *accepts)
{
    struct netback_peer peer = fake_frontend_peer(qube);
    assert_true(netback_receive_init(&receive, qube->receive.page, &peer,
                                     accepts, &batch));
}

static int set_up(void **state)
{
    (void)state;
    qube = fake_frontend_new(start);
    next_page = 0;
    assert_true(netback_receive_batch_init(&batch));
    attach(&everything);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    netback_receive_clear(&receive);
    netback_receive_batch_clear(&batch);
    fake_frontend_free(qube);
    return 0;
}

/* For tests that close the vif several times. */
static void again(void **state)
{
    tear_down(state);
    set_up(state);
}

/* Pages with id and reference alike, as fake_take_frame() wants them. */
static bool post(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, next_page++)
        fake_put_page(qube, next_page % FAKE_PAGES, next_page % FAKE_PAGES);
    return fake_publish(&qube->receive);
}

/* A TCP packet over IPv4 or IPv6 of `size` bytes. */
static struct packet tcp_packet(uint8_t version, uint32_t size, uint32_t seed)
{
    uint8_t *p = memory + PACKET_HEADROOM;
    assert_true(size >= 60 && size <= PACKET_SIZE_MAX);
    random_bytes(&seed, p, size);
    size_t transport = version == 4 ? 20 : 40;
    memset(p, 0, transport + 20);
    if (version == 4) {
        p[0] = 0x45;
        store_u16(p + 2, (uint16_t)size);
        p[9] = IP_TCP;
    } else {
        p[0] = 0x60;
        store_u16(p + 4, (uint16_t)(size - 40));
        p[6] = IP_TCP;
    }
    p[transport + 12] = 0x50;
    return (struct packet){
        .data = p, .size = size, .headroom = PACKET_HEADROOM};
}

static struct packet super_packet(uint8_t version, uint32_t size)
{
    struct packet p = tcp_packet(version, size, size);
    p.gso = PACKET_GSO_TCP;
    p.gso_size = 1400;
    p.checksum = PACKET_CHECKSUM_PARTIAL;
    return p;
}

/* The same packet, its payload in pieces. */
static void take_apart(struct packet *p, uint32_t head)
{
    uint32_t left = p->size - head;
    uint32_t step = left / (PACKET_PIECES_MAX - 2) + 1;
    p->size = head;
    p->pieces = pieces;
    p->piece_bytes = left;
    for (uint32_t at = 0; at < left; at += step)
        pieces[p->piece_count++] =
            bytes_of(p->data + head + at, left - at < step ? left - at : step);
}

static enum drop send(struct packet *p)
{
    bool lies = false;
    enum drop reason = netback_receive_send(&receive, now, p, &header, &lies);
    assert_false(lies);
    return reason;
}

static void send_now(struct packet *p)
{
    assert_int_equal(send(p), DROP_NONE);
    netback_receive_flush(&receive);
}

static void drain(struct instant when)
{
    assert_true(netback_receive_drain(&receive, when));
}

/* The frame the qube gets next is this packet. */
static void assert_gets(const struct packet *p)
{
    assert_true(fake_take_frame(qube, &frame));
    assert_false(frame.failed);
    assert_int_equal(frame.size, 14 + packet_total(p));
    assert_memory_equal(frame.bytes, header.destination, 6);
    assert_memory_equal(frame.bytes + 6, header.source, 6);
    assert_int_equal(load_u16(frame.bytes + 12), header.type);
    /* Taken apart or not, its bytes lie one behind the other. */
    assert_memory_equal(frame.bytes + 14, p->data, packet_total(p));
}

static void assert_gets_nothing(void)
{
    assert_false(fake_take_frame(qube, &frame));
}

/* --- What fits ----------------------------------------------------------- */

static void a_packet_comes_behind_an_ethernet_header(void **state)
{
    (void)state;
    struct packet p = tcp_packet(4, 1500, 1);
    post(1);
    send_now(&p);
    assert_gets(&p);
    assert_int_equal(frame.flags, 0);
    assert_gets_nothing();
    assert_int_equal(qube->copies, 1);
}

static void checksums_are_told(void **state)
{
    (void)state;
    struct packet p = tcp_packet(4, 100, 1);
    post(2);
    p.checksum = PACKET_CHECKSUM_VALID;
    send_now(&p);
    assert_gets(&p);
    assert_int_equal(frame.flags, NETBACK_RESPONSE_VALIDATED);
    p.checksum = PACKET_CHECKSUM_PARTIAL;
    send_now(&p);
    assert_gets(&p);
    assert_int_equal(frame.flags,
                     NETBACK_RESPONSE_VALIDATED | NETBACK_RESPONSE_BLANK);
}

static void a_super_packet_fills_pages(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version += 2) {
        for (int apart = 0; apart < 2; apart++) {
            struct packet p = super_packet(version, PACKET_SIZE_MAX);
            if (apart)
                take_apart(&p, 100);
            post(18); /* of 17 pages, and the extra */
            send_now(&p);
            assert_gets(&p);
            assert_int_equal(frame.flags & ~NETBACK_RESPONSE_MORE,
                             NETBACK_RESPONSE_VALIDATED |
                                 NETBACK_RESPONSE_BLANK |
                                 NETBACK_RESPONSE_EXTRA);
            assert_int_equal(frame.gso_size, 1400);
            assert_int_equal(frame.gso_type, version == 4 ? 1 : 2);
            assert_gets_nothing();
            /* Put together on page borders: a copy a page, no more. */
            assert_int_equal(qube->copies, 17);
            qube->copies = 0;
        }
    }
}

static void sizes_about_a_page_are_cut_right(void **state)
{
    (void)state;
    for (uint32_t size = 4096 - 14 - 3; size <= 4096 - 14 + 3; size++) {
        struct packet p = tcp_packet(4, size, size);
        uint32_t pages = size + 14 > 4096 ? 2 : 1;
        post(pages);
        send_now(&p);
        assert_gets(&p);
        assert_gets_nothing();
        assert_false(netback_receive_waits(&receive));
    }
}

/* A tunnel's header may be shorter than Ethernet's, or not lie there at all;
 * what lies before the packet is somebody else's. */
static void a_packet_needs_no_room_in_front(void **state)
{
    (void)state;
    for (uint16_t room = 0; room < ETHERNET_HEADER_SIZE; room++) {
        for (uint32_t size = 100; size < 9000; size += 4000) {
            uint8_t before[PACKET_HEADROOM];
            uint32_t pages = (14 + size + 4095) / 4096;
            struct packet p = tcp_packet(4, size, 1);
            p.headroom = room;
            memcpy(before, memory, sizeof before);
            send_now(&p); /* into the queue */
            assert_gets_nothing();
            post(pages);
            drain(now);
            assert_gets(&p);
            post(pages);
            send_now(&p);
            assert_gets(&p);
            assert_memory_equal(memory, before, sizeof before - room);
        }
    }
}

/* Response k lies in the slot of request k, the extra's too. */
static void responses_are_positional(void **state)
{
    (void)state;
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    struct packet p = super_packet(4, 6000);
    /* Ids that say nothing about positions. */
    for (uint16_t i = 0; i < 4; i++)
        fake_put_page(qube, (uint16_t)(1000 - i), i);
    fake_publish(&qube->receive);
    send_now(&p);
    assert_true(fake_take(&qube->receive, words));
    assert_int_equal(words[0], 1000);
    assert_int_equal(words[1] >> 16, 4096);
    assert_true(fake_take(&qube->receive, words));
    assert_int_equal(words[0], NETBACK_EXTRA_GSO | 1400 << 16);
    assert_int_equal(words[1], NETBACK_GSO_TCP_IPV4);
    assert_true(fake_take(&qube->receive, words));
    assert_int_equal(words[0], 998); /* 999 was the extra's, and stays unused */
    assert_int_equal(words[1] >> 16, 6014 - 4096);
    assert_int_equal(words[1] & 0xffff, 0);
    assert_false(fake_take(&qube->receive, words));
    assert_memory_equal(fake_frontend_page(qube, 0) + 14, p.data, 4082);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(fake_frontend_page(qube, 1)[i], 0);
    assert_memory_equal(fake_frontend_page(qube, 2), p.data + 4082, 1918);
    /* Only the frame's bytes are written (XSA-396, XSA-403). */
    for (size_t i = 1918; i < 4096; i++)
        assert_int_equal(fake_frontend_page(qube, 2)[i], 0);
}

static void many_packets_are_one_call(void **state)
{
    (void)state;
    static uint8_t all[200][PACKET_HEADROOM + 100];
    struct packet packets[200];
    post(200);
    for (uint32_t i = 0; i < 200; i++) {
        struct packet p = tcp_packet(4, 100, i);
        memcpy(all[i] + PACKET_HEADROOM, p.data, 100);
        packets[i] = p;
        packets[i].data = all[i] + PACKET_HEADROOM;
        assert_int_equal(send(&packets[i]), DROP_NONE);
    }
    netback_receive_flush(&receive);
    assert_int_equal(qube->copy_calls, 1);
    assert_int_equal(qube->notified, 1);
    for (uint32_t i = 0; i < 200; i++)
        assert_gets(&packets[i]);
}

/* More in pieces than the place to put them together holds. */
static void what_is_put_together_stays_until_it_is_copied(void **state)
{
    (void)state;
    static uint8_t copies[12][PACKET_HEADROOM + 60000];
    struct packet packets[12];
    static struct bytes parts[12][PACKET_PIECES_MAX];
    post(256);
    for (uint32_t i = 0; i < 12; i++) {
        struct packet p = super_packet(4, 60000 - i);
        memcpy(copies[i] + PACKET_HEADROOM, p.data, p.size);
        p.data = copies[i] + PACKET_HEADROOM;
        take_apart(&p, 60);
        memcpy(parts[i], pieces, sizeof pieces);
        p.pieces = parts[i];
        packets[i] = p;
        assert_int_equal(send(&packets[i]), DROP_NONE);
    }
    netback_receive_flush(&receive);
    for (uint32_t i = 0; i < 12; i++)
        assert_gets(&packets[i]);
}

static void an_answer_is_sent_as_it_is(void **state)
{
    (void)state;
    uint8_t bytes[86];
    bool lies = false;
    memset(bytes, 0x5a, sizeof bytes);
    post(1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(netback_receive_answer(&receive, now,
                                                bytes_of(bytes, sizeof bytes),
                                                &lies),
                         DROP_NONE);
    netback_receive_flush(&receive);
    assert_true(netback_receive_waits(&receive)); /* the second */
    post(1);
    drain(now);
    for (int i = 0; i < 2; i++) {
        assert_true(fake_take_frame(qube, &frame));
        assert_bytes_equal(bytes_of(frame.bytes, frame.size),
                           bytes_of(bytes, sizeof bytes));
    }
}

/* --- What the frontend does not take ------------------------------------- */

static void only_what_it_accepts_is_sent(void **state)
{
    (void)state;
    static const struct {
        struct netback_accepts accepts;
        uint8_t version;
        uint32_t size;
        bool gso, partial, taken;
    } cases[] = {
        {{.scatter = true}, 4, 5000, false, false, true},
        {{.scatter = false}, 4, 5000, false, false, false},
        {{.scatter = false}, 4, 4082, false, false, true},
        {{.checksum_ipv4 = true}, 4, 100, false, true, true},
        {{.checksum_ipv4 = true}, 6, 100, false, true, false},
        {{.checksum_ipv6 = true}, 6, 100, false, true, true},
        {{.checksum_ipv6 = true}, 4, 100, false, true, false},
        {{true, true, false, true, true}, 4, 3000, true, true, true},
        {{true, true, false, true, true}, 6, 3000, true, true, false},
        {{true, false, true, true, true}, 6, 3000, true, true, true},
        {{true, false, true, true, true}, 4, 3000, true, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        netback_receive_clear(&receive);
        attach(&cases[i].accepts);
        struct packet p = tcp_packet(cases[i].version, cases[i].size, 5);
        if (cases[i].partial)
            p.checksum = PACKET_CHECKSUM_PARTIAL;
        if (cases[i].gso) {
            p.gso = PACKET_GSO_TCP;
            p.gso_size = 1000;
        }
        post(3);
        assert_int_equal(netback_receive_takes(&receive, &p), cases[i].taken);
        assert_int_equal(send(&p),
                         cases[i].taken ? DROP_NONE : DROP_LINK_MALFORMED);
        netback_receive_flush(&receive);
        if (cases[i].taken)
            assert_gets(&p);
        else
            assert_gets_nothing();
    }
}

static void what_is_no_super_packet_is_not_sent_as_one(void **state)
{
    (void)state;
    post(30);
    struct packet p = super_packet(4, 3000);
    p.gso = PACKET_GSO_UDP;
    assert_int_equal(send(&p), DROP_LINK_MALFORMED);
    p = super_packet(4, 3000);
    p.data[9] = IP_UDP;
    assert_int_equal(send(&p), DROP_LINK_MALFORMED);
    p = super_packet(4, 3000);
    p.checksum = PACKET_CHECKSUM_NONE;
    assert_int_equal(send(&p), DROP_LINK_MALFORMED);
    p = super_packet(4, 3000);
    p.gso_size = 0;
    assert_int_equal(send(&p), DROP_LINK_MALFORMED);
    p = super_packet(4, 3000);
    p.size = 0;
    assert_int_equal(send(&p), DROP_LINK_MALFORMED);
    netback_receive_flush(&receive);
    assert_gets_nothing();
}

/* --- Frontends that post no pages ---------------------------------------- */

static void without_pages_frames_wait_in_order(void **state)
{
    (void)state;
    static uint8_t copies[20][PACKET_HEADROOM + 9000];
    struct packet packets[20];
    for (uint32_t i = 0; i < 20; i++) {
        struct packet p = super_packet(4, 1500 + i * 300);
        memcpy(copies[i] + PACKET_HEADROOM, p.data, p.size);
        packets[i] = p;
        packets[i].data = copies[i] + PACKET_HEADROOM;
        struct packet sent = p;
        if (i % 2)
            take_apart(&sent, 70);
        send_now(&sent);
        memset(memory, 0, sizeof memory); /* it was only lent */
    }
    assert_int_equal(receive.queue.count, 20);
    assert_gets_nothing();
    for (uint32_t i = 0; i < 20; i++) {
        for (int turn = 0; turn < 4 && !fake_take_frame(qube, &frame); turn++) {
            post(1);
            drain(now);
        }
        assert_int_equal(frame.size, 14 + packets[i].size);
        assert_memory_equal(frame.bytes + 14, packets[i].data, packets[i].size);
        assert_int_equal(frame.gso_size, 1400);
    }
    assert_false(netback_receive_waits(&receive));
}

/* While something waits nothing overtakes it. */
static void no_frame_overtakes_another(void **state)
{
    (void)state;
    struct packet big = super_packet(4, 20000);
    send_now(&big);
    post(1);
    struct packet small = tcp_packet(4, 100, 3);
    send_now(&small);
    assert_gets_nothing();
    post(5);
    drain(now);
    assert_true(fake_take_frame(qube, &frame));
    assert_int_equal(frame.size, 20014);
    assert_gets_nothing();
    post(1);
    drain(now);
    assert_true(fake_take_frame(qube, &frame));
    assert_int_equal(frame.size, 114);
}

/* XSA-392: some pages, but never enough, are as good as none. */
static void too_few_pages_hold_up_nothing_but_their_own(void **state)
{
    (void)state;
    unsigned dropped = 0, waiting = 0;
    post(17); /* one too few */
    for (int i = 0; i < 1000; i++) {
        struct packet p = super_packet(4, PACKET_SIZE_MAX);
        enum drop reason = send(&p);
        assert_true(reason == DROP_NONE || reason == DROP_LINK_QUEUE_FULL);
        dropped += reason != DROP_NONE;
        waiting += reason == DROP_NONE;
    }
    assert_gets_nothing();
    assert_int_equal(waiting, NETBACK_QUEUE_BYTES / (65549 + 64 + 51));
    assert_int_equal(dropped, 1000 - waiting);
    assert_int_equal(qube->copy_calls, 0);
    post(1);
    drain(now);
    assert_true(fake_take_frame(qube, &frame));
    assert_int_equal(frame.size, 65549);
}

static void what_waited_too_long_is_dropped(void **state)
{
    (void)state;
    struct packet p = tcp_packet(4, 1500, 1);
    send_now(&p);
    struct instant later =
        instant_after(now, duration_milliseconds(NETBACK_QUEUE_MS - 1));
    bool lies = false;
    assert_int_equal(netback_receive_send(&receive, later, &p, &header, &lies),
                     DROP_NONE);
    assert_int_equal(receive.queue.count, 2);
    later = instant_after(later, duration_milliseconds(1));
    post(2);
    drain(later);
    assert_int_equal(receive.expired, 1);
    assert_gets(&p);
    assert_gets_nothing();

    /* A queue full of them makes room for what is new. */
    while (send(&p) == DROP_NONE)
        ;
    uint32_t count = receive.queue.count;
    later = instant_after(now, duration_milliseconds(NETBACK_QUEUE_MS));
    assert_int_equal(netback_receive_send(&receive, later, &p, &header, &lies),
                     DROP_NONE);
    assert_int_equal(receive.queue.count, 1);
    assert_int_equal(receive.expired, 1 + count);
}

/* One event for all the pages that the first frame needs. */
static void an_event_is_asked_for_when_it_helps(void **state)
{
    (void)state;
    struct packet p = super_packet(4, 20000); /* five pages and the extra */
    post(2);
    send_now(&p);
    drain(now);
    for (int i = 0; i < 3; i++)
        assert_false(post(1));
    assert_true(post(1));
    drain(now);
    assert_true(fake_take_frame(qube, &frame));
    /* Nothing waits: events about pages would mean nothing. */
    assert_false(post(20));
}

/* --- Hostile frontends --------------------------------------------------- */

static void a_bad_page_is_an_error_of_its_response(void **state)
{
    (void)state;
    struct packet p = super_packet(4, 20000);
    post(12);
    qube->refused[2] = true;
    send_now(&p);
    assert_true(fake_take_frame(qube, &frame));
    assert_true(frame.failed);
    assert_int_equal(frame.size, 20014 - 4096);
    send_now(&p);
    assert_gets(&p);
}

static void a_failed_call_is_an_error_of_every_response(void **state)
{
    (void)state;
    struct packet p = tcp_packet(4, 1500, 1);
    post(3);
    qube->copying_fails = true;
    assert_int_equal(send(&p), DROP_NONE);
    send_now(&p);
    for (int i = 0; i < 2; i++) {
        assert_true(fake_take_frame(qube, &frame));
        assert_true(frame.failed);
        assert_int_equal(frame.size, 0);
    }
}

static void a_lie_about_its_index_is_told(void **state)
{
    static const uint32_t jumps[] = {257, 1U << 20, 1U << 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct packet p = tcp_packet(4, 1500, 1);
        bool lies = false;
        again(state);
        qube->receive.produced += jumps[i];
        fake_publish(&qube->receive);
        netback_receive_send(&receive, now, &p, &header, &lies);
        assert_true(lies);
        netback_receive_flush(&receive);
        assert_false(netback_receive_drain(&receive, now));
        assert_int_equal(qube->copy_calls, 0);
    }
}

static atomic_bool flickers, flickering;

/* An index that is now possible and now not. */
static void *flicker(void *context)
{
    _Atomic uint32_t *produced = context;
    uint32_t honest = *produced;
    while (flickers) {
        *produced = honest + 1000;
        flickering = true;
        *produced = honest;
    }
    return NULL;
}

/* The batch is the next vif's, whose pages and slots are others. */
static void a_lie_amidst_a_drain_leaves_nothing_behind(void **state)
{
    unsigned lies = 0;
    for (int round = 0; round < 60; round++) {
        pthread_t thread;
        struct packet p = tcp_packet(4, 100, 1);
        again(state);
        for (int i = 0; i < 50; i++)
            assert_int_equal(send(&p), DROP_NONE);
        post(100);
        flickering = false;
        flickers = true;
        assert_int_equal(
            pthread_create(&thread, NULL, flicker,
                           &qube->receive.page->word[NETBACK_REQ_PROD]),
            0);
        while (!flickering)
            ;
        bool honest = netback_receive_drain(&receive, now);
        flickers = false;
        assert_int_equal(pthread_join(thread, NULL), 0);
        lies += !honest;
        assert_int_equal(batch.answer_count, 0);
        assert_int_equal(batch.copy_count, 0);
    }
    assert_true(lies > 0);
}

static void overwrite_everything(struct fake_frontend *f)
{
    for (size_t i = 0; i < NETBACK_PAGE_WORDS; i++)
        if (i != NETBACK_RSP_PROD)
            f->receive.page->word[i] = UINT32_MAX;
}

static void a_scribbling_frontend_changes_nothing(void **state)
{
    (void)state;
    struct packet p = tcp_packet(4, 9000, 1);
    post(3);
    qube->before_copy = overwrite_everything;
    send_now(&p);
    qube->before_copy = NULL;
    assert_gets(&p);
}

/* --- Everything at random ------------------------------------------------ */

static void packets_of_all_sizes_arrive_in_order(void **state)
{
    (void)state;
    uint32_t random = 777, sent = 0, got = 0, waited = 0, total = 0;
    static uint32_t sizes[20000];
    while (got < 5000) {
        uint32_t r = next_random(&random);
        if (r >> 8 & 1 && sent - got < 200) {
            uint32_t size =
                r & 0x600 ? 60 + (r >> 12) % 3000 : 60 + (r >> 12) % 65400;
            struct packet p =
                size > 1500 ? super_packet(4, size) : tcp_packet(4, size, size);
            if (r >> 11 & 1)
                take_apart(&p, 60);
            if (send(&p) == DROP_NONE)
                sizes[sent++ % 20000] = size;
            /* A frame in one piece is borrowed until then. */
            if (p.piece_count == 0)
                netback_receive_flush(&receive);
        } else if (r >> 8 & 2) {
            uint32_t free_slots = NETBACK_RING_SLOTS - (qube->receive.produced -
                                                        qube->receive.consumed);
            uint32_t count = (r >> 12) % 12;
            netback_receive_flush(&receive);
            post(count < free_slots ? count : free_slots);
            waited += receive.queue.count > 0;
            drain(now);
        } else {
            netback_receive_flush(&receive);
            while (fake_take_frame(qube, &frame)) {
                uint32_t size = sizes[got++ % 20000];
                assert_true(got <= sent);
                assert_int_equal(frame.size, size + 14);
                struct packet p = size > 1500 ? super_packet(4, size)
                                              : tcp_packet(4, size, size);
                assert_memory_equal(frame.bytes + 14, p.data, size);
                total += size;
            }
        }
    }
    assert_true(waited > 100 && total > 1000000);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_packet_comes_behind_an_ethernet_header),
        UNIT(checksums_are_told),
        UNIT(a_super_packet_fills_pages),
        UNIT(sizes_about_a_page_are_cut_right),
        UNIT(a_packet_needs_no_room_in_front),
        UNIT(responses_are_positional),
        UNIT(many_packets_are_one_call),
        UNIT(what_is_put_together_stays_until_it_is_copied),
        UNIT(an_answer_is_sent_as_it_is),
        UNIT(only_what_it_accepts_is_sent),
        UNIT(what_is_no_super_packet_is_not_sent_as_one),
        UNIT(without_pages_frames_wait_in_order),
        UNIT(no_frame_overtakes_another),
        UNIT(too_few_pages_hold_up_nothing_but_their_own),
        UNIT(what_waited_too_long_is_dropped),
        UNIT(an_event_is_asked_for_when_it_helps),
        UNIT(a_bad_page_is_an_error_of_its_response),
        UNIT(a_failed_call_is_an_error_of_every_response),
        UNIT(a_lie_about_its_index_is_told),
        UNIT(a_lie_amidst_a_drain_leaves_nothing_behind),
        UNIT(a_scribbling_frontend_changes_nothing),
        UNIT(packets_of_all_sizes_arrive_in_order),
    };
    return cmocka_run_group_tests_name("netback_receive", tests, NULL, NULL);
}
