/*
 * The backend with everything but Xen: the real libxenstore against a
 * xenstored of the test's own, doubles of the other two libraries, and
 * frontends that do what a test tells them. The test is the toolstack.
 *
 * Xen's security advisories about network backends, and what shows that each
 * lesson was learnt; T is netback_transmit_test, R netback_receive_test.
 *
 *  39  indices and chains without end      T impossible_indices_are_fatal,
 *      a_chain_that_ends_nowhere_is_fatal, extras_for_the_whole_ring...
 *  90  a bad vif torn down from amidst work
 *      a_lie_about_pages_shows_from_the_tunnel_too
 * 155  slots read twice                    T, R a_scribbling_frontend...
 * 216  leaks in the rest of a response     T assert_answer(),
 *      R responses_are_positional
 * 270  the control ring's arithmetic: there is none, and none is offered:
 *      a_vif_is_offered_what_there_is
 * 332  storms of events                    an_event_storm_is_slowed_down
 * 349  queues of xenstore's events: a vif has one mark, not a queue, and
 * 350  fast coming and going               a_storm_in_xenstore_is_slowed_down,
 *      a_vif_with_work_left_is_detached
 * 361, 362, 365, 367  grants that fail     T what_cannot_be_copied...,
 *      R a_bad_page..., both a_failed_call...,
 *      requests_that_make_no_sense_close_the_vif
 * 374  teardown after the broken part ended
 *      requests_that_make_no_sense_close_the_vif (detached afterwards)
 * 391  who did not ask is notified         T only_who_asked_is_notified
 * 392  queues for who takes nothing        R too_few_pages_hold_up...,
 *      what_waited_too_long..., a_qube_without_pages_holds_up_nobody
 * 396, 403  more than the frame is shown   R responses_are_positional
 * 423  headers in several pieces           T pieces_become_one_frame
 * 424  locks on the way of a drop: one thread, no locks
 * 432  many tiny pieces                    T pieces_become_one_frame,
 *      a_frame_of_too_many_slots..., frames_of_all_shapes_arrive, the fuzzer
 * 448  pieces without bytes                T pieces_without_bytes_are_served
 */
#include "gateway/link/xen/netback.h"

#include "tests/link/xen/fake_card.h"
#include "tests/link/xen/xen_double.h"
#include "tests/unit.h"

#include <stdio.h>
#include <unistd.h>

enum { QUBES = 4, PATIENCE_MS = 60000, TICKS_MIN = 10, RECORDED_MAX = 4096 };

/* What the link's owner sees. */
struct owned {
    bool present;
    char name[32];
    struct address ipv4, ipv6;
    uint32_t packets, bytes;
};

static struct {
    struct loop *loop;
    struct loop_timer clock;
    struct instant deadline;
    bool (*condition)(void);
    bool met;
    unsigned ticks;
    struct fake_xenstored *xenstored;
    struct link *link;
    struct owned qubes[QUBES];
    bool refuse; /* new qubes */
    bool echo;   /* send every packet back to its qube */
    unsigned added, removed;
    uint16_t order[RECORDED_MAX]; /* whose packets came, one a packet */
    uint32_t order_count;
    struct packet last;
    uint8_t last_bytes[2000];
} t;

static struct fake_frontend *fronts[QUBES]; /* of domains 10, 11, ... */

static uint32_t domain_of(int i)
{
    return 10 + (uint32_t)i;
}

/* --- The owner ----------------------------------------------------------- */

static void received(void *context, struct instant now,
                     struct packet_batch *batch)
{
    (void)context;
    assert_true(batch->count > 0);
    for (uint16_t i = 0; i < batch->count; i++) {
        struct packet *p = &batch->packets[i];
        assert_true(p->qube < QUBES && t.qubes[p->qube].present);
        assert_true(p->headroom >= PACKET_HEADROOM);
        t.qubes[p->qube].packets++;
        t.qubes[p->qube].bytes += p->size;
        if (t.order_count < RECORDED_MAX)
            t.order[t.order_count++] = p->qube;
        t.last = *p;
        if (p->size <= sizeof t.last_bytes)
            memcpy(t.last_bytes, p->data, p->size);
        if (t.echo)
            t.link->kind->send(t.link, now, p, 1);
    }
}

static int qube_added(void *context, struct link *link, const char *name,
                      const struct address *ipv4, const struct address *ipv6)
{
    (void)context;
    (void)link;
    if (t.refuse)
        return -1;
    for (int i = 0; i < QUBES; i++) {
        /* The router's rule, too. */
        if (t.qubes[i].present)
            assert_false(address_equal(&t.qubes[i].ipv4, ipv4));
    }
    for (int i = 0; i < QUBES; i++) {
        if (t.qubes[i].present)
            continue;
        t.qubes[i] =
            (struct owned){.present = true, .ipv4 = *ipv4, .ipv6 = *ipv6};
        snprintf(t.qubes[i].name, sizeof t.qubes[i].name, "%s", name);
        t.added++;
        return i;
    }
    return -1;
}

static void qube_removed(void *context, int qube)
{
    (void)context;
    assert_true(t.qubes[qube].present);
    t.qubes[qube].present = false;
    t.removed++;
}

static const struct owned *owned(const char *name)
{
    for (int i = 0; i < QUBES; i++)
        if (t.qubes[i].present && strcmp(t.qubes[i].name, name) == 0)
            return &t.qubes[i];
    return NULL;
}

/* --- Time ---------------------------------------------------------------- */

static void tick(void *context, struct instant now)
{
    (void)context;
    xen_double_turn();
    t.met = t.condition();
    t.ticks++;
    /* However late: everybody gets several turns. */
    if (t.met || (instant_reached(now, t.deadline) && t.ticks >= TICKS_MIN))
        loop_quit(t.loop);
    else
        loop_timer_set(&t.clock, instant_after(now, duration_milliseconds(1)));
}

static bool comes_true(bool (*condition)(void), int milliseconds)
{
    struct instant now = loop_now(t.loop);
    t.condition = condition;
    t.ticks = 0;
    t.deadline = instant_after(now, duration_milliseconds(milliseconds));
    loop_timer_set(&t.clock, now);
    assert_int_equal(loop_run(t.loop), OK);
    return t.met;
}

#define UNTIL(condition) assert_true(comes_true(condition, PATIENCE_MS))

static bool never(void)
{
    return false;
}

/* What was to happen has happened. */
static void settle(void)
{
    (void)comes_true(never, 30);
}

/* --- The toolstack and the frontends ------------------------------------- */

static void back(uint32_t domain, uint32_t handle, const char *key,
                 const char *value)
{
    fake_xenstored_write(t.xenstored, fake_card_back(domain, handle, key),
                         value);
}

static void front(uint32_t domain, uint32_t handle, const char *key,
                  const char *value)
{
    fake_xenstored_write(t.xenstored, fake_card_front(domain, handle, key),
                         value);
}

static bool back_is(uint32_t domain, uint32_t handle, const char *key,
                    const char *value)
{
    return fake_card_is(t.xenstored, domain, handle, key, value);
}

static void attach(uint32_t domain, uint32_t handle, const char *ip)
{
    fake_card_attach(t.xenstored, domain, handle, ip);
}

/* Without asking: what is there is gone. */
static void take_away(uint32_t domain)
{
    fake_xenstored_remove(t.xenstored, fake_card_back(domain, 0, ""));
}

static void detach(uint32_t domain, uint32_t handle)
{
    fake_card_detach(t.xenstored, domain, handle);
}

static void ask(uint32_t domain)
{
    fake_card_ask(t.xenstored, domain);
}

static const char *const addresses[QUBES] = {"10.137.0.10", "10.137.0.11",
                                             "10.137.0.12", "10.137.0.13"};

static bool first_waits(void)
{
    return back_is(domain_of(0), 0, "state", "2");
}

static bool first_connected(void)
{
    return back_is(domain_of(0), 0, "state", "4");
}

static bool first_closing(void)
{
    return back_is(domain_of(0), 0, "state", "5");
}

static bool first_closed(void)
{
    return back_is(domain_of(0), 0, "state", "6");
}

static bool first_gone(void)
{
    return !fake_xenstored_read(t.xenstored,
                                fake_card_back(domain_of(0), 0, "state"));
}

static int waited_for;

static bool that_one_waits(void)
{
    return back_is(domain_of(waited_for), 0, "state", "2");
}

static bool that_one_connected(void)
{
    return back_is(domain_of(waited_for), 0, "state", "4");
}

static void post_pages(struct fake_frontend *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint16_t page = (uint16_t)(512 + f->receive.produced % 256);
        fake_put_page(f, page, page);
    }
    (void)fake_publish(&f->receive);
}

static void connect(int i)
{
    fronts[i] = fake_frontend_new(0);
    xen_double_set_domain(domain_of(i), fronts[i]);
    attach(domain_of(i), 0, addresses[i]);
    waited_for = i;
    UNTIL(that_one_waits);
    post_pages(fronts[i], 100);
    ask(domain_of(i));
    UNTIL(that_one_connected);
}

/* --- Packets ------------------------------------------------------------- */

static const uint8_t qube_mac[6] = {0x00, 0x16, 0x3e, 0x5e, 0x6c, 0x0a};

/* An Ethernet frame with a UDP packet from the i-th qube. */
static uint32_t make_frame(uint8_t *frame, int i, uint32_t size)
{
    memset(frame, 0, size);
    memcpy(frame, ethernet_gateway_mac, 6);
    memcpy(frame + 6, qube_mac, 6);
    store_u16(frame + 12, ETHERTYPE_IPV4);
    uint8_t *ip = frame + 14;
    ip[0] = 0x45;
    store_u16(ip + 2, (uint16_t)(size - 14));
    ip[8] = 64;
    ip[9] = OFFLOAD_UDP;
    store_u32(ip + 12, 0x0a89000aU + (uint32_t)i);
    store_u32(ip + 16, 0x08080808U);
    store_u16(ip + 24, (uint16_t)(size - 34));
    return size;
}

static void send_from(int i, uint32_t count, uint32_t size)
{
    uint8_t frame[65536];
    struct fake_end *end = &fronts[i]->transmit;
    while (count-- > 0) {
        uint32_t made = make_frame(frame, i, size);
        fake_put_frame(fronts[i], frame, made, 4096, end->produced % 16 * 16, 1,
                       0);
    }
    if (fake_publish(end))
        xen_double_ring(domain_of(i));
}

static uint32_t answers_taken(int i)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX], count = 0;
    while (fake_take(&fronts[i]->transmit, words))
        count++;
    return count;
}

static uint32_t expected;

static bool all_came(void)
{
    uint32_t count = 0;
    for (int i = 0; i < QUBES; i++)
        count += t.qubes[i].packets;
    return count >= expected;
}

/* As many packets in all as that. */
static void until_packets(uint32_t count)
{
    expected = count;
    UNTIL(all_came);
}

static struct fake_frame taken;

static bool first_gets_a_frame(void)
{
    return fake_take_frame(fronts[0], &taken);
}

/* --- Beginning and end --------------------------------------------------- */

static bool open_link(void)
{
    const struct link_owner owner = {NULL, received, qube_added, qube_removed};
    enum error error = OK;
    t.link = netback_open("/nonexistent", t.loop, &owner, &error);
    assert_true((t.link == NULL) == (error != OK));
    return t.link != NULL;
}

static void close_link(void)
{
    if (t.link)
        t.link->kind->close(t.link);
    t.link = NULL;
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    xen_double_reset();
    t.xenstored = fake_xenstored_new(FAKE_CARD_BACKEND);
    t.loop = loop_new();
    assert_non_null(t.loop);
    t.clock = (struct loop_timer){.expired = tick};
    loop_add_timer(t.loop, &t.clock);
    assert_true(open_link());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_link();
    assert_int_equal(t.added, t.removed);
    assert_int_equal(xen_double_mapped(), 0);
    assert_int_equal(xen_double_bound(), 0);
    loop_free(t.loop);
    fake_xenstored_free(t.xenstored);
    for (int i = 0; i < QUBES; i++) {
        if (fronts[i])
            fake_frontend_free(fronts[i]);
        fronts[i] = NULL;
    }
    return 0;
}

/* --- The handshake ------------------------------------------------------- */

static void a_vif_is_offered_what_there_is(void **state)
{
    (void)state;
    static const char *const features[][2] = {
        {"feature-rx-copy", "1"},
        {"feature-rx-flip", "0"},
        {"feature-sg", "1"},
        {"feature-gso-tcpv4", "1"},
        {"feature-gso-tcpv6", "1"},
        {"feature-ipv6-csum-offload", "1"},
        {"feature-split-event-channels", "0"},
        {"multi-queue-max-queues", "1"},
        {"hotplug-status", "connected"},
    };
    attach(domain_of(0), 0, addresses[0]);
    UNTIL(first_waits);
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        assert_true(back_is(domain_of(0), 0, features[i][0], features[i][1]));
    assert_int_equal(t.added, 0);
    /* What would have to be implemented is not there. */
    assert_null(fake_xenstored_read(
        t.xenstored, fake_card_back(domain_of(0), 0, "feature-ctrl-ring")));
}

static void a_transaction_that_others_disturb_is_tried_again(void **state)
{
    (void)state;
    fake_xenstored_disturb(t.xenstored, 3);
    attach(domain_of(0), 0, addresses[0]);
    UNTIL(first_waits);
    assert_true(back_is(domain_of(0), 0, "feature-sg", "1"));
}

static void a_connected_qube_is_told_to_the_owner(void **state)
{
    (void)state;
    fronts[0] = fake_frontend_new(0);
    xen_double_set_domain(domain_of(0), fronts[0]);
    attach(domain_of(0), 0, "10.137.0.10 fd09::a");
    UNTIL(first_waits);
    ask(domain_of(0));
    UNTIL(first_connected);
    assert_non_null(owned("vif10.0"));
    assert_int_equal(address_to_ipv4(&t.qubes[0].ipv4), 0x0a89000a);
    assert_int_equal(t.qubes[0].ipv6.family, ADDRESS_IPV6);
    assert_int_equal(xen_double_mapped(), 2);
    assert_int_equal(xen_double_bound(), 1);
    /* One watch on all backends, and one a frontend. */
    assert_int_equal(fake_xenstored_watches(t.xenstored), 2);
}

static void what_is_there_at_the_start_is_served(void **state)
{
    (void)state;
    close_link();
    attach(domain_of(0), 0, addresses[0]);
    attach(domain_of(1), 0, addresses[1]);
    /* Qubes leaves these behind. */
    fake_xenstored_write(t.xenstored, "/local/domain/1/backend/vif/99", "");
    assert_true(open_link());
    UNTIL(first_waits);
    waited_for = 1;
    UNTIL(that_one_waits);
}

static void packets_pass_both_ways(void **state)
{
    (void)state;
    static struct fake_frame frame;
    t.echo = true;
    connect(0);
    send_from(0, 10, 100);
    until_packets(10);
    assert_int_equal(t.qubes[0].bytes, 860);
    assert_int_equal(t.last.checksum, PACKET_CHECKSUM_NONE);
    assert_int_equal(answers_taken(0), 10);
    for (int i = 0; i < 10; i++) {
        assert_true(fake_take_frame(fronts[0], &frame));
        assert_int_equal(frame.size, 100);
        /* To the qube's MAC, as the toolstack says it; from the gateway's. */
        assert_memory_equal(frame.bytes, qube_mac, 6);
        assert_memory_equal(frame.bytes + 6, ethernet_gateway_mac, 6);
    }
    assert_true(fronts[0]->notified > 0);
}

static void arp_is_answered_by_the_link(void **state)
{
    (void)state;
    uint8_t request[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    connect(0);
    memcpy(request + 6, qube_mac, 6);
    store_u16(request + 12, ETHERTYPE_ARP);
    memcpy(request + 14, "\0\1\x08\0\6\4\0\1", 8);
    memcpy(request + 22, qube_mac, 6);
    store_u32(request + 28, 0x0a89000a);
    store_u32(request + 38, 0x0a8a0001); /* 10.138.0.1 */
    fake_put_frame(fronts[0], request, sizeof request, 4096, 0, 1, 0);
    if (fake_publish(&fronts[0]->transmit))
        xen_double_ring(domain_of(0));
    UNTIL(first_gets_a_frame);
    assert_int_equal(taken.size, 42);
    assert_memory_equal(taken.bytes, qube_mac, 6);
    assert_memory_equal(taken.bytes + 22, ethernet_gateway_mac, 6);
    assert_int_equal(t.order_count, 0);
}

/* TCP over IPv4 in `size` bytes; `blank`: with the pseudo-header's sum. */
static void make_tcp(uint8_t *frame, uint32_t size)
{
    make_frame(frame, 0, size);
    frame[14 + 9] = OFFLOAD_TCP;
    frame[14 + 20 + 12] = 0x50;
}

static void offload_is_believed_where_it_fits(void **state)
{
    (void)state;
    static uint8_t frame[9000];
    connect(0);
    make_tcp(frame, sizeof frame);
    fronts[0]->gso_type = NETBACK_GSO_TCP_IPV4;
    fronts[0]->gso_size = 1400;
    /* A blank checksum; a super-packet; one of the other family; UDP as
     * TCP. */
    fake_put_frame(fronts[0], frame, 9000, 4096, 0, 1, NETBACK_CHECKSUM_BLANK);
    fake_put_frame(fronts[0], frame, 9000, 4096, 3, 1,
                   NETBACK_CHECKSUM_BLANK | NETBACK_EXTRA_INFO);
    fake_publish(&fronts[0]->transmit);
    xen_double_ring(domain_of(0));
    until_packets(2);
    assert_int_equal(t.last.gso, PACKET_GSO_TCP);
    assert_int_equal(t.last.gso_size, 1400);
    assert_int_equal(t.last.checksum, PACKET_CHECKSUM_PARTIAL);

    fronts[0]->gso_type = NETBACK_GSO_TCP_IPV6;
    fake_put_frame(fronts[0], frame, 9000, 4096, 0, 1,
                   NETBACK_CHECKSUM_BLANK | NETBACK_EXTRA_INFO);
    frame[14 + 9] = OFFLOAD_UDP;
    fronts[0]->gso_type = NETBACK_GSO_TCP_IPV4;
    fake_put_frame(fronts[0], frame, 9000, 4096, 3, 1,
                   NETBACK_CHECKSUM_BLANK | NETBACK_EXTRA_INFO);
    frame[14 + 9] = 1; /* ICMP has no checksum to be filled by others */
    fake_put_frame(fronts[0], frame, 9000, 4096, 6, 1, NETBACK_CHECKSUM_BLANK);
    fake_publish(&fronts[0]->transmit);
    xen_double_ring(domain_of(0));
    settle();
    assert_int_equal(t.qubes[0].packets, 2);
    assert_int_equal(t.link->drops.count[DROP_LINK_MALFORMED], 3);
    assert_true(first_connected());
}

/* Linux' checksum_setup() forgives this, too. */
static void a_super_packet_with_a_filled_checksum_is_taken(void **state)
{
    (void)state;
    static uint8_t frame[1900];
    connect(0);
    make_tcp(frame, sizeof frame);
    store_u16(frame + 14 + 20 + 16, 0x1234);
    fronts[0]->gso_type = NETBACK_GSO_TCP_IPV4;
    fronts[0]->gso_size = 700;
    fake_put_frame(fronts[0], frame, sizeof frame, 4096, 0, 1,
                   NETBACK_EXTRA_INFO);
    fake_publish(&fronts[0]->transmit);
    xen_double_ring(domain_of(0));
    until_packets(1);
    assert_int_equal(t.last.gso, PACKET_GSO_TCP);
    assert_int_equal(t.last.checksum, PACKET_CHECKSUM_PARTIAL);
    /* 10.137.0.10, 8.8.8.8, TCP, 1866 bytes of it */
    uint32_t sum = 0x0a89 + 0x000a + 0x0808 + 0x0808 + 6 + (1900 - 34);
    assert_int_equal(load_u16(t.last_bytes + 20 + 16),
                     (sum & 0xffff) + (sum >> 16));
}

static void frames_that_cannot_be_copied_are_counted(void **state)
{
    (void)state;
    connect(0);
    fronts[0]->refused[0] = true;
    fronts[0]->transmit.produced = 0; /* so that the frame lies in page 0 */
    send_from(0, 1, 100);
    settle();
    assert_int_equal(t.link->drops.count[DROP_LINK_ERROR], 1);
    /* Of a call that fails nothing is known, though it looks done. */
    fronts[0]->copying_fails = true;
    send_from(0, 3, 100);
    settle();
    assert_int_equal(t.link->drops.count[DROP_LINK_ERROR], 4);
    assert_int_equal(t.order_count, 0);
    assert_true(first_connected());
}

/* --- To qubes ------------------------------------------------------------ */

/* As from the tunnel: to the first qube. */
static enum drop send_to_first(uint32_t size)
{
    static uint8_t memory[PACKET_HEADROOM + 65536];
    uint8_t frame[2000];
    make_frame(frame, 0, size + 14);
    memcpy(memory + PACKET_HEADROOM, frame + 14, size);
    struct packet p = {.data = memory + PACKET_HEADROOM,
                       .size = size,
                       .headroom = PACKET_HEADROOM};
    t.link->kind->send(t.link, loop_now(t.loop), &p, 1);
    return p.drop;
}

static void connect_without_pages(const char *notifies)
{
    fronts[0] = fake_frontend_new(0);
    xen_double_set_domain(domain_of(0), fronts[0]);
    attach(domain_of(0), 0, addresses[0]);
    UNTIL(first_waits);
    fake_xenstored_lock(t.xenstored);
    ask(domain_of(0));
    front(domain_of(0), 0, "feature-rx-notify", notifies);
    fake_xenstored_unlock(t.xenstored);
    UNTIL(first_connected);
    settle();
}

static void what_waited_comes_when_pages_do(void **state)
{
    (void)state;
    connect_without_pages("1");
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(send_to_first(100 + i), DROP_NONE);
    settle();
    assert_false(first_gets_a_frame());
    for (uint32_t i = 0; i < 5; i++) {
        fake_put_page(fronts[0], 600, 600);
        /* The frontend rings because it was asked to, each time. */
        assert_true(fake_publish(&fronts[0]->receive));
        xen_double_ring(domain_of(0));
        UNTIL(first_gets_a_frame);
        assert_int_equal(taken.size, 114 + i);
    }
    fake_put_page(fronts[0], 600, 600);
    assert_false(fake_publish(&fronts[0]->receive));
}

static void who_does_not_ring_is_looked_after(void **state)
{
    (void)state;
    connect_without_pages("0");
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(send_to_first(100 + i), DROP_NONE);
        settle();
        fake_put_page(fronts[0], 600, 600);
        (void)fake_publish(&fronts[0]->receive);
        UNTIL(first_gets_a_frame);
        assert_int_equal(taken.size, 114 + i);
    }
}

static void packets_for_nobody_are_counted(void **state)
{
    (void)state;
    connect(0);
    assert_int_equal(send_to_first(100), DROP_NONE);
    detach(domain_of(0), 0);
    UNTIL(first_gone);
    assert_int_equal(send_to_first(100), DROP_UNKNOWN_QUBE);
    assert_int_equal(t.link->drops.count[DROP_UNKNOWN_QUBE], 1);
}

/* Packets of one call for several qubes, and some dropped before. */
static void a_call_may_mix_qubes(void **state)
{
    (void)state;
    enum { COUNT = 150 };
    static uint8_t memory[COUNT][PACKET_HEADROOM + 200];
    static struct packet packets[COUNT];
    uint32_t got[3] = {0};
    for (int i = 0; i < 3; i++)
        connect(i);
    for (int i = 0; i < COUNT; i++) {
        uint8_t frame[214];
        make_frame(frame, i, sizeof frame);
        memcpy(memory[i] + PACKET_HEADROOM, frame + 14, 200);
        packets[i] = (struct packet){
            .data = memory[i] + PACKET_HEADROOM,
            .size = 200,
            .headroom = PACKET_HEADROOM,
            .qube = (uint16_t)(i * 7 % 3),
            .drop = i % 10 == 9 ? DROP_TTL : DROP_NONE,
        };
    }
    t.link->kind->send(t.link, loop_now(t.loop), packets, COUNT);
    for (int q = 0; q < 3; q++) {
        for (int i = 0; i < COUNT; i++) {
            if (packets[i].qube != q || i % 10 == 9)
                continue;
            assert_int_equal(packets[i].drop, DROP_NONE);
            assert_true(fake_take_frame(fronts[q], &taken));
            assert_memory_equal(taken.bytes + 14, packets[i].data, 200);
            got[q]++;
        }
        assert_false(fake_take_frame(fronts[q], &taken));
        /* One call for all of a chunk's. */
        assert_true(fronts[q]->copy_calls <= 3);
    }
    assert_int_equal(got[0] + got[1] + got[2], COUNT - COUNT / 10);
}

/* --- Coming and going ---------------------------------------------------- */

static void a_detached_vif_is_given_up_and_removed(void **state)
{
    (void)state;
    connect(0);
    detach(domain_of(0), 0);
    UNTIL(first_gone);
    assert_null(owned("vif10.0"));
    assert_int_equal(xen_double_mapped(), 0);
    assert_int_equal(xen_double_bound(), 0);
    settle();
    assert_int_equal(fake_xenstored_watches(t.xenstored), 1);
    /* Nothing of the directory is left. */
    assert_null(fake_xenstored_read(t.xenstored,
                                    fake_card_back(domain_of(0), 0, "mac")));
}

/* More than it may do in a turn. */
static void a_vif_with_work_left_is_detached(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        connect(0);
        send_from(0, 250, 4000);
        detach(domain_of(0), 0);
        UNTIL(first_closed);
        take_away(domain_of(0));
        fake_frontend_free(fronts[0]);
        fronts[0] = NULL;
    }
    settle();
}

static void a_vif_that_never_connected_is_detached_too(void **state)
{
    (void)state;
    attach(domain_of(0), 0, addresses[0]);
    UNTIL(first_waits);
    detach(domain_of(0), 0);
    UNTIL(first_gone);
}

static void a_dead_qube_keeps_its_vif_until_the_toolstack_says(void **state)
{
    (void)state;
    connect(0);
    xen_double_set_domain(domain_of(0), NULL);
    fake_xenstored_remove(t.xenstored, fake_card_front(domain_of(0), 0, ""));
    UNTIL(first_closed);
    assert_int_equal(xen_double_mapped(), 0);
    settle();
    /* And what we write ourselves does not keep us busy. */
    unsigned requests = fake_xenstored_requests(t.xenstored);
    (void)comes_true(never, 300);
    assert_int_equal(fake_xenstored_requests(t.xenstored), requests);
    back(domain_of(0), 0, "online", "0");
    UNTIL(first_gone);
}

static void an_unreadable_frontend_is_a_dead_one(void **state)
{
    (void)state;
    connect(0);
    fake_xenstored_deny(t.xenstored, "/local/domain/10");
    front(domain_of(0), 0, "state", "4");
    UNTIL(first_closed);
    fake_xenstored_deny(t.xenstored, "");
}

static bool first_has_the_other_address(void)
{
    struct address wanted;
    const struct owned *qube = owned("vif10.0");
    return qube && address_parse(bytes_of_text("10.137.0.99"), &wanted) &&
           address_equal(&qube->ipv4, &wanted);
}

/* So fast that it was not seen to be gone. */
static void a_directory_that_is_made_anew_is_read_anew(void **state)
{
    (void)state;
    connect(0);
    fake_xenstored_lock(t.xenstored);
    take_away(domain_of(0));
    attach(domain_of(0), 0, "10.137.0.99");
    fake_xenstored_unlock(t.xenstored);
    UNTIL(first_waits);
    ask(domain_of(0));
    UNTIL(first_has_the_other_address);
}

static void a_removed_directory_is_forgotten(void **state)
{
    (void)state;
    connect(0);
    fake_xenstored_remove(t.xenstored, fake_card_back(domain_of(0), 0, ""));
    settle();
    assert_null(owned("vif10.0"));
    assert_int_equal(fake_xenstored_watches(t.xenstored), 1);
    /* The same name again is another vif. */
    fake_frontend_reset(fronts[0], 0);
    attach(domain_of(0), 0, addresses[0]);
    UNTIL(first_waits);
}

static void a_frontend_may_close_and_come_again(void **state)
{
    (void)state;
    connect(0);
    for (int i = 0; i < 3; i++) {
        front(domain_of(0), 0, "state", "5");
        UNTIL(first_closing);
        assert_null(owned("vif10.0"));
        assert_int_equal(xen_double_mapped(), 0);
        front(domain_of(0), 0, "state", "6");
        UNTIL(first_closed);
        front(domain_of(0), 0, "state", "1");
        UNTIL(first_waits);
        fake_frontend_reset(fronts[0], 0);
        ask(domain_of(0));
        UNTIL(first_connected);
        assert_non_null(owned("vif10.0"));
    }
    send_from(0, 3, 200);
    until_packets(3);
}

/* As after kexec: it never said that it closed. */
static void a_frontend_may_start_anew_without_closing(void **state)
{
    (void)state;
    connect(0);
    front(domain_of(0), 0, "state", "1");
    UNTIL(first_waits);
    assert_int_equal(xen_double_mapped(), 0);
    fake_frontend_reset(fronts[0], 0);
    ask(domain_of(0));
    UNTIL(first_connected);
}

/* A qube with a device model of its own has two vifs with one address. */
static void the_address_follows_the_vif_that_connected_last(void **state)
{
    (void)state;
    connect(0);
    fronts[1] = fake_frontend_new(0);
    xen_double_set_domain(domain_of(1), fronts[1]);
    attach(domain_of(1), 0, addresses[0]);
    waited_for = 1;
    UNTIL(that_one_waits); /* whatever the other one does */
    assert_non_null(owned("vif10.0"));
    ask(domain_of(1));
    UNTIL(that_one_connected);
    assert_null(owned("vif10.0"));
    assert_non_null(owned("vif11.0"));
    assert_true(first_connected());

    send_from(0, 1, 100); /* belongs to nobody now */
    settle();
    assert_int_equal(t.order_count, 0);
    assert_int_equal(t.link->drops.count[DROP_UNKNOWN_QUBE], 1);

    detach(domain_of(1), 0);
    settle();
    assert_non_null(owned("vif10.0"));
    send_from(0, 1, 100);
    until_packets(1);
}

static void a_qube_the_owner_refuses_sends_nothing(void **state)
{
    (void)state;
    t.refuse = true;
    connect(0);
    send_from(0, 5, 100);
    settle();
    assert_int_equal(t.order_count, 0);
    assert_int_equal(t.link->drops.count[DROP_UNKNOWN_QUBE], 5);
}

/* --- Another process ----------------------------------------------------- */

static void live_rings_are_taken_over(void **state)
{
    (void)state;
    static struct fake_frame frame;
    connect(0);
    connect(1);
    send_from(0, 10, 100);
    send_from(1, 10, 100);
    until_packets(20);
    close_link();
    /* The frontends see nothing of it, and go on. */
    assert_true(first_connected());
    assert_int_equal(xen_double_mapped(), 0);
    send_from(0, 7, 100);
    send_from(1, 8, 100);
    assert_false(xen_double_ring(domain_of(0)));
    unsigned notified = fronts[0]->notified;

    memset(t.qubes, 0, sizeof t.qubes);
    t.echo = true;
    assert_true(open_link());
    until_packets(15);
    settle();
    assert_int_equal(t.qubes[0].packets + t.qubes[1].packets, 15);
    assert_true(first_connected());
    assert_non_null(owned("vif10.0"));
    assert_non_null(owned("vif11.0"));
    assert_true(fronts[0]->notified > notified);
    assert_int_equal(answers_taken(0), 17);
    assert_int_equal(answers_taken(1), 18);
    for (int i = 0; i < 7; i++)
        assert_true(fake_take_frame(fronts[0], &frame));
    assert_false(fake_take_frame(fronts[0], &frame));
    send_from(0, 1, 100);
    until_packets(16);
}

static void an_interrupted_handshake_is_finished(void **state)
{
    (void)state;
    fronts[0] = fake_frontend_new(0);
    xen_double_set_domain(domain_of(0), fronts[0]);
    attach(domain_of(0), 0, addresses[0]);
    UNTIL(first_waits);
    close_link();
    ask(domain_of(0)); /* nobody is there to see it */
    assert_true(open_link());
    UNTIL(first_connected);
}

static void rings_that_make_no_sense_are_not_taken_over(void **state)
{
    (void)state;
    connect(0);
    close_link();
    fronts[0]->transmit.produced += 1000;
    (void)fake_publish(&fronts[0]->transmit);
    assert_true(open_link());
    UNTIL(first_closing);
    assert_int_equal(xen_double_mapped(), 0);
}

static void what_was_detached_meanwhile_is_removed(void **state)
{
    (void)state;
    connect(0);
    close_link();
    detach(domain_of(0), 0);
    assert_true(open_link());
    UNTIL(first_gone);
}

/* --- Hostile frontends --------------------------------------------------- */

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
    fronts[0] = fake_frontend_new(0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        xen_double_set_domain(domain_of(0), fronts[0]);
        attach(domain_of(0), 0, addresses[0]);
        UNTIL(first_waits);
        fake_xenstored_lock(t.xenstored);
        ask(domain_of(0));
        front(domain_of(0), 0, wrong[i][0], wrong[i][1]);
        fake_xenstored_unlock(t.xenstored);
        UNTIL(first_closing);
        assert_int_equal(xen_double_mapped(), 0);
        assert_int_equal(xen_double_bound(), 0);
        assert_int_equal(t.added, 0);
        take_away(domain_of(0));
    }
}

static void break_a_rule(int i)
{
    fake_put_request(fronts[i], 0, 4000, 0, 1, 200);
    (void)fake_publish(&fronts[i]->transmit);
    xen_double_ring(domain_of(i));
}

/* The farthest that one gets is its own vif. */
static void a_broken_rule_closes_that_vif_only(void **state)
{
    (void)state;
    connect(0);
    connect(1);
    break_a_rule(0);
    UNTIL(first_closing);
    assert_null(owned("vif10.0"));
    assert_int_equal(xen_double_mapped(), 2);
    assert_int_equal(xen_double_bound(), 1);
    send_from(1, 10, 100);
    until_packets(10);

    /* It stays closed whatever it writes, until it starts anew. */
    front(domain_of(0), 0, "state", "4");
    front(domain_of(0), 0, "state", "3");
    settle();
    assert_true(first_closing());
    assert_int_equal(t.added, 2);
    front(domain_of(0), 0, "state", "6");
    UNTIL(first_closed);
    front(domain_of(0), 0, "state", "1");
    UNTIL(first_waits);
    fake_frontend_reset(fronts[0], 0);
    ask(domain_of(0));
    UNTIL(first_connected);
    send_from(0, 1, 100);
    until_packets(11);
}

/* XSA-374: what a broken rule has ended is not ended again, whichever comes
 * first. */
static void a_broken_vif_is_detached_all_the_same(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        connect(0);
        break_a_rule(0);
        if (round % 2)
            UNTIL(first_closing);
        detach(domain_of(0), 0);
        UNTIL(first_gone);
        assert_null(owned("vif10.0"));
        assert_int_equal(xen_double_mapped(), 0);
        assert_int_equal(xen_double_bound(), 0);
        fake_frontend_free(fronts[0]);
        fronts[0] = NULL;
    }
}

/* Found when sending to it, in the middle of its owner's work. XSA-90: it is
 * closed later. */
static void a_lie_about_pages_closes_the_vif(void **state)
{
    (void)state;
    t.echo = true;
    connect(0);
    fronts[0]->receive.produced += 5000;
    (void)fake_publish(&fronts[0]->receive);
    send_from(0, 5, 100);
    UNTIL(first_closing);
    assert_int_equal(xen_double_mapped(), 0);
}

static void a_lie_about_pages_shows_from_the_tunnel_too(void **state)
{
    (void)state;
    connect(0);
    settle();
    fronts[0]->receive.produced += 5000;
    (void)fake_publish(&fronts[0]->receive);
    (void)send_to_first(100);
    /* Not before its owner has finished. */
    assert_non_null(owned("vif10.0"));
    UNTIL(first_closing);
    assert_null(owned("vif10.0"));
}

/* XSA-392: nobody waits for a qube that takes nothing. */
static void a_qube_without_pages_holds_up_nobody(void **state)
{
    (void)state;
    static struct fake_frame frame;
    t.echo = true;
    connect(0);
    connect(1);
    while (fronts[0]->receive.produced - fronts[0]->receive.consumed > 0) {
        send_from(0, 1, 60);
        settle();
        (void)answers_taken(0);
        if (!fake_take_frame(fronts[0], &frame))
            break;
    }
    uint32_t before = t.order_count;
    for (int round = 0; round < 30; round++) {
        send_from(0, 200, 4000);
        send_from(1, 1, 100);
        until_packets(before += 201);
        (void)answers_taken(0);
        (void)answers_taken(1);
        assert_true(fake_take_frame(fronts[1], &frame));
    }
    assert_true(t.link->drops.count[DROP_LINK_QUEUE_FULL] > 1000);
    assert_true(first_connected());
}

/* In milliseconds. */
static unsigned passed(struct instant since)
{
    return (unsigned)(instant_since(loop_now(t.loop), since).us / 1000);
}

/* XSA-332: events that mean nothing are answered ever later. */
static void an_event_storm_is_slowed_down(void **state)
{
    (void)state;
    connect(0);
    connect(1);
    settle();
    unsigned before = xen_double_events(domain_of(0)), rung = 0;
    struct instant began = loop_now(t.loop);
    for (; rung < 100 || passed(began) < 500; rung++) {
        xen_double_ring(domain_of(0));
        (void)comes_true(never, 1);
    }
    /* Eight at once, then after 1, 2, 4, ... 32 ms each. */
    unsigned heard = xen_double_events(domain_of(0)) - before;
    assert_true(heard >= 5 && heard <= 8 + 6 + passed(began) / 32 + 10);
    /* Nobody else is slowed down, and it recovers. */
    send_from(1, 5, 100);
    until_packets(5);
    send_from(0, 5, 100);
    until_packets(10);
    send_from(0, 5, 100);
    until_packets(15);
}

/* XSA-349, XSA-350: a frontend that writes its state all the time costs a
 * bounded number of requests to xenstored. */
static void a_storm_in_xenstore_is_slowed_down(void **state)
{
    (void)state;
    connect(0);
    connect(1);
    settle();
    unsigned before = fake_xenstored_requests(t.xenstored);
    struct instant began = loop_now(t.loop);
    unsigned written = 0;
    while (written < 1000 || passed(began) < 500) {
        for (int i = 0; i < 20; i++, written++)
            front(domain_of(0), 0, "state", i % 2 ? "4" : "1");
        (void)comes_true(never, 1);
    }
    /* Sixteen looks, one more each 125 ms, some forty requests a look that
     * connects. */
    unsigned looks = 16 + passed(began) / 125 + 5;
    assert_true(fake_xenstored_requests(t.xenstored) - before < looks * 50);
    send_from(1, 5, 100);
    until_packets(5);
    /* In the end it is where its last word leads. */
    front(domain_of(0), 0, "state", "6");
    UNTIL(first_closed);
}

/* Two that have much to send, in frames of very different size: until one has
 * no more, their bytes take turns. */
static void bytes_are_shared_fairly(void **state)
{
    (void)state;
    enum { SMALL = 1500, LARGE = 60000, TURN = 256 * 1024 };
    uint32_t left[2] = {250, 16}, bytes[2] = {0}, run = 0;
    connect(0);
    connect(1);
    settle();
    send_from(0, left[0], SMALL);
    send_from(1, left[1], LARGE);
    until_packets(left[0] + left[1]);
    for (uint32_t i = 0; left[0] > 0 && left[1] > 0; i++) {
        uint16_t qube = t.order[i];
        uint32_t size = qube ? LARGE : SMALL;
        run = i > 0 && t.order[i - 1] == qube ? run + size : size;
        bytes[qube] += size;
        left[qube]--;
        assert_true(run <= TURN + LARGE);
    }
    assert_true(bytes[0] >= TURN / 2 && bytes[1] >= TURN / 2);
}

/* --- What the toolstack may do wrong ------------------------------------- */

static void a_description_that_makes_no_sense_is_not_served(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"ip", ""},
        {"ip", "10.137.0.10 10.137.0.11"},
        {"ip", "10.137.0.256"},
        {"ip", "fd09::a"},
        {"ip", "10.137.0.10/24"},
        {"mac", ""},
        {"mac", "00:16:3e:5e:6c"},
        {"mac", "00:16:3e:5e:6c:0a:0b"},
        {"mac", "01:16:3e:5e:6c:0a"}, /* a group */
        {"frontend", "/local/domain/9/device/vif/0"},
        {"frontend", "/local/domain/100/device/vif/0"},
        {"frontend", "device/vif/0"},
        {"frontend", "/local/domain/10/device/vif/0\n"},
        {"frontend-id", "9"},
        {"frontend-id", ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fake_xenstored_lock(t.xenstored);
        attach(domain_of(0), 0, addresses[0]);
        back(domain_of(0), 0, wrong[i][0], wrong[i][1]);
        fake_xenstored_unlock(t.xenstored);
        UNTIL(first_closed);
        ask(domain_of(0));
        settle();
        assert_true(first_closed());
        assert_int_equal(fake_xenstored_watches(t.xenstored), 1);
        assert_int_equal(t.added, 0);
        take_away(domain_of(0));
    }
}

static void a_description_may_come_in_parts(void **state)
{
    (void)state;
    back(domain_of(0), 0, "state", "1");
    settle();
    back(domain_of(0), 0, "online", "1");
    settle();
    assert_true(back_is(domain_of(0), 0, "state", "1"));
    attach(domain_of(0), 0, addresses[0]);
    UNTIL(first_waits);
}

static void names_that_are_no_vifs_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {
        "x/0/state",      "10/x/state",   "-1/0/state", "99999/0/state",
        "10/70000/state", "010x/0/state", "10//state",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "/local/domain/1/backend/vif/%s", names[i]);
        fake_xenstored_write(t.xenstored, path, "1");
    }
    settle();
    attach(domain_of(0), 0, addresses[0]);
    UNTIL(first_waits);
    assert_int_equal(fake_xenstored_watches(t.xenstored), 2);
}

/* Of more vifs than there are watches for. */
enum { MANY = 125 };

static unsigned many_in(const char *state)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < MANY; i++)
        count += back_is(100 + i, 0, "state", state);
    return count;
}

static bool as_many_as_can_be_are_served(void)
{
    return many_in("2") == 120;
}

static bool nobody_has_to_wait(void)
{
    return many_in("1") == 0;
}

static void more_vifs_than_watches_wait_their_turn(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "10.137.1.%u", i);
        attach(100 + i, 0, ip);
    }
    UNTIL(as_many_as_can_be_are_served);
    settle();
    assert_int_equal(many_in("1"), MANY - 120);
    assert_int_equal(fake_xenstored_watches(t.xenstored), 121);
    unsigned left = MANY - 120;
    for (uint32_t i = 0; left && i < MANY; i++)
        if (back_is(100 + i, 0, "state", "2")) {
            detach(100 + i, 0);
            left--;
        }
    UNTIL(nobody_has_to_wait);
}

/* --- Opening ------------------------------------------------------------- */

static void it_does_not_start_beside_the_kernels_backend(void **state)
{
    (void)state;
    const struct link_owner owner = {NULL, received, qube_added, qube_removed};
    enum error error = OK;
    close_link();
    assert_null(netback_open("/proc/self", t.loop, &owner, &error));
    assert_int_equal(error, ERROR_BUSY);
}

static void it_does_not_start_without_xen(void **state)
{
    (void)state;
    close_link();
    xen_double_set_devices(false);
    assert_false(open_link());
}

static void it_does_not_start_without_xenstore(void **state)
{
    (void)state;
    close_link();
    setenv("XENSTORED_PATH", "/nonexistent", 1);
    assert_false(open_link());
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_vif_is_offered_what_there_is),
        UNIT(a_transaction_that_others_disturb_is_tried_again),
        UNIT(a_connected_qube_is_told_to_the_owner),
        UNIT(what_is_there_at_the_start_is_served),
        UNIT(packets_pass_both_ways),
        UNIT(arp_is_answered_by_the_link),
        UNIT(offload_is_believed_where_it_fits),
        UNIT(a_super_packet_with_a_filled_checksum_is_taken),
        UNIT(frames_that_cannot_be_copied_are_counted),
        UNIT(what_waited_comes_when_pages_do),
        UNIT(who_does_not_ring_is_looked_after),
        UNIT(packets_for_nobody_are_counted),
        UNIT(a_call_may_mix_qubes),
        UNIT(a_detached_vif_is_given_up_and_removed),
        UNIT(a_vif_with_work_left_is_detached),
        UNIT(a_vif_that_never_connected_is_detached_too),
        UNIT(a_dead_qube_keeps_its_vif_until_the_toolstack_says),
        UNIT(an_unreadable_frontend_is_a_dead_one),
        UNIT(a_directory_that_is_made_anew_is_read_anew),
        UNIT(a_removed_directory_is_forgotten),
        UNIT(a_frontend_may_close_and_come_again),
        UNIT(a_frontend_may_start_anew_without_closing),
        UNIT(the_address_follows_the_vif_that_connected_last),
        UNIT(a_qube_the_owner_refuses_sends_nothing),
        UNIT(live_rings_are_taken_over),
        UNIT(an_interrupted_handshake_is_finished),
        UNIT(rings_that_make_no_sense_are_not_taken_over),
        UNIT(what_was_detached_meanwhile_is_removed),
        UNIT(requests_that_make_no_sense_close_the_vif),
        UNIT(a_broken_rule_closes_that_vif_only),
        UNIT(a_broken_vif_is_detached_all_the_same),
        UNIT(a_lie_about_pages_closes_the_vif),
        UNIT(a_lie_about_pages_shows_from_the_tunnel_too),
        UNIT(a_qube_without_pages_holds_up_nobody),
        UNIT(an_event_storm_is_slowed_down),
        UNIT(a_storm_in_xenstore_is_slowed_down),
        UNIT(bytes_are_shared_fairly),
        UNIT(a_description_that_makes_no_sense_is_not_served),
        UNIT(a_description_may_come_in_parts),
        UNIT(names_that_are_no_vifs_are_left_alone),
        UNIT(more_vifs_than_watches_wait_their_turn),
        UNIT(it_does_not_start_beside_the_kernels_backend),
        UNIT(it_does_not_start_without_xen),
        UNIT(it_does_not_start_without_xenstore),
    };
    return cmocka_run_group_tests_name("netback", tests, NULL, NULL);
}
