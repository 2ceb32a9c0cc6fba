/*
 * The backend with everything but Xen: the real libxenstore against a
 * xenstored of the test's own, doubles of the other two libraries, and
 * frontends that do what a test tells them. The test is the toolstack.
 *
 * Xen's security advisories about network backends, and what shows that each
 * lesson was learnt; T is netback_transmit_test, R netback_receive_test, and
 * those about frontends that lie are in netback_hostile_test.
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
#include "tests/link/xen/stage.h"

#include <stdio.h>
#include <unistd.h>

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
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    STAGE_UNTIL(stage_first_waits);
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        assert_true(
            stage_back_is(stage_domain(0), 0, features[i][0], features[i][1]));
    assert_int_equal(stage.added, 0);
    /* Features that would have to be implemented are not there. */
    assert_null(fake_xenstored_read(
        stage.xenstored,
        fake_card_back(stage_domain(0), 0, "feature-ctrl-ring")));
}

static void a_transaction_that_others_disturb_is_tried_again(void **state)
{
    (void)state;
    fake_xenstored_disturb(stage.xenstored, 3);
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    STAGE_UNTIL(stage_first_waits);
    assert_true(stage_back_is(stage_domain(0), 0, "feature-sg", "1"));
}

static void a_connected_qube_is_told_to_the_owner(void **state)
{
    (void)state;
    stage_fronts[0] = fake_frontend_new(0);
    xen_double_set_domain(stage_domain(0), stage_fronts[0]);
    stage_attach(stage_domain(0), 0, "10.137.0.10 fd09::a");
    STAGE_UNTIL(stage_first_waits);
    stage_ask(stage_domain(0));
    STAGE_UNTIL(stage_first_connected);
    assert_non_null(stage_owned("vif10.0"));
    assert_int_equal(address_to_ipv4(&stage.qubes[0].ipv4), 0x0a89000a);
    assert_int_equal(stage.qubes[0].ipv6.family, ADDRESS_IPV6);
    assert_int_equal(xen_double_mapped(), 2);
    assert_int_equal(xen_double_bound(), 1);
    /* One watch on all backends, and one a frontend. */
    assert_int_equal(fake_xenstored_watches(stage.xenstored), 2);
}

static void what_is_there_at_the_start_is_served(void **state)
{
    (void)state;
    stage_close_link();
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    stage_attach(stage_domain(1), 0, stage_addresses[1]);
    /* Qubes leaves these behind. */
    fake_xenstored_write(stage.xenstored, "/local/domain/1/backend/vif/99", "");
    assert_true(stage_open_link());
    STAGE_UNTIL(stage_first_waits);
    stage_waited_for = 1;
    STAGE_UNTIL(stage_that_one_waits);
}

static void packets_pass_both_ways(void **state)
{
    (void)state;
    static struct fake_frame frame;
    stage.echo = true;
    stage_connect(0);
    stage_send_from(0, 10, 100);
    stage_until_packets(10);
    assert_int_equal(stage.qubes[0].bytes, 860);
    assert_int_equal(stage.last.checksum, PACKET_CHECKSUM_NONE);
    assert_int_equal(stage_answers_taken(0), 10);
    for (int i = 0; i < 10; i++) {
        assert_true(fake_take_frame(stage_fronts[0], &frame));
        assert_int_equal(frame.size, 100);
        /* To the qube's MAC, as the toolstack says it; from the gateway's. */
        assert_memory_equal(frame.bytes, stage_qube_mac, 6);
        assert_memory_equal(frame.bytes + 6, ethernet_gateway_mac, 6);
    }
    assert_true(stage_fronts[0]->notified > 0);
}

static void arp_is_answered_by_the_link(void **state)
{
    (void)state;
    uint8_t request[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    stage_connect(0);
    memcpy(request + 6, stage_qube_mac, 6);
    store_u16(request + 12, ETHERTYPE_ARP);
    memcpy(request + 14, "\0\1\x08\0\6\4\0\1", 8);
    memcpy(request + 22, stage_qube_mac, 6);
    store_u32(request + 28, 0x0a89000a);
    store_u32(request + 38, 0x0a8a0001); /* 10.138.0.1 */
    fake_put_frame(stage_fronts[0], request, sizeof request, 4096, 0, 1, 0);
    if (fake_publish(&stage_fronts[0]->transmit))
        xen_double_ring(stage_domain(0));
    STAGE_UNTIL(stage_first_gets_a_frame);
    assert_int_equal(stage_taken.size, 42);
    assert_memory_equal(stage_taken.bytes, stage_qube_mac, 6);
    assert_memory_equal(stage_taken.bytes + 22, ethernet_gateway_mac, 6);
    assert_int_equal(stage.order_count, 0);
}

/* TCP over IPv4 in `size` bytes; `blank`: with the pseudo-header's sum. */
static void make_tcp(uint8_t *frame, uint32_t size)
{
    stage_make_frame(frame, 0, size);
    frame[14 + 9] = IP_TCP;
    frame[14 + 20 + 12] = 0x50;
}

static void offload_is_believed_where_it_fits(void **state)
{
    (void)state;
    static uint8_t frame[9000];
    stage_connect(0);
    make_tcp(frame, sizeof frame);
    stage_fronts[0]->gso_type = NETBACK_GSO_TCP_IPV4;
    stage_fronts[0]->gso_size = 1400;
    /* A blank checksum; a super-packet; one of the other family; UDP as
     * TCP. */
    fake_put_frame(stage_fronts[0], frame, 9000, 4096, 0, 1,
                   NETBACK_CHECKSUM_BLANK);
    fake_put_frame(stage_fronts[0], frame, 9000, 4096, 3, 1,
                   NETBACK_CHECKSUM_BLANK | NETBACK_EXTRA_INFO);
    fake_publish(&stage_fronts[0]->transmit);
    xen_double_ring(stage_domain(0));
    stage_until_packets(2);
    assert_int_equal(stage.last.gso, PACKET_GSO_TCP);
    assert_int_equal(stage.last.gso_size, 1400);
    assert_int_equal(stage.last.checksum, PACKET_CHECKSUM_PARTIAL);

    stage_fronts[0]->gso_type = NETBACK_GSO_TCP_IPV6;
    fake_put_frame(stage_fronts[0], frame, 9000, 4096, 0, 1,
                   NETBACK_CHECKSUM_BLANK | NETBACK_EXTRA_INFO);
    frame[14 + 9] = IP_UDP;
    stage_fronts[0]->gso_type = NETBACK_GSO_TCP_IPV4;
    fake_put_frame(stage_fronts[0], frame, 9000, 4096, 3, 1,
                   NETBACK_CHECKSUM_BLANK | NETBACK_EXTRA_INFO);
    frame[14 + 9] = 1; /* ICMP has no checksum to be filled by others */
    fake_put_frame(stage_fronts[0], frame, 9000, 4096, 6, 1,
                   NETBACK_CHECKSUM_BLANK);
    fake_publish(&stage_fronts[0]->transmit);
    xen_double_ring(stage_domain(0));
    stage_settle();
    assert_int_equal(stage.qubes[0].packets, 2);
    assert_int_equal(stage.link->drops.count[DROP_LINK_MALFORMED], 3);
    assert_true(stage_first_connected());
}

/* Linux' checksum_setup() forgives this, too. */
static void a_super_packet_with_a_filled_checksum_is_taken(void **state)
{
    (void)state;
    static uint8_t frame[1900];
    stage_connect(0);
    make_tcp(frame, sizeof frame);
    store_u16(frame + 14 + 20 + 16, 0x1234);
    stage_fronts[0]->gso_type = NETBACK_GSO_TCP_IPV4;
    stage_fronts[0]->gso_size = 700;
    fake_put_frame(stage_fronts[0], frame, sizeof frame, 4096, 0, 1,
                   NETBACK_EXTRA_INFO);
    fake_publish(&stage_fronts[0]->transmit);
    xen_double_ring(stage_domain(0));
    stage_until_packets(1);
    assert_int_equal(stage.last.gso, PACKET_GSO_TCP);
    assert_int_equal(stage.last.checksum, PACKET_CHECKSUM_PARTIAL);
    /* 10.137.0.10, 8.8.8.8, TCP, 1866 bytes of it */
    uint32_t sum = 0x0a89 + 0x000a + 0x0808 + 0x0808 + 6 + (1900 - 34);
    assert_int_equal(load_u16(stage.last_bytes + 20 + 16),
                     (sum & 0xffff) + (sum >> 16));
}

static void frames_that_cannot_be_copied_are_counted(void **state)
{
    (void)state;
    stage_connect(0);
    stage_fronts[0]->refused[0] = true;
    stage_fronts[0]->transmit.produced =
        0; /* so that the frame lies in page 0 */
    stage_send_from(0, 1, 100);
    stage_settle();
    assert_int_equal(stage.link->drops.count[DROP_LINK_ERROR], 1);
    /* A call that fails tells nothing, though it looks done. */
    stage_fronts[0]->copying_fails = true;
    stage_send_from(0, 3, 100);
    stage_settle();
    assert_int_equal(stage.link->drops.count[DROP_LINK_ERROR], 4);
    assert_int_equal(stage.order_count, 0);
    assert_true(stage_first_connected());
}

/* --- To qubes ------------------------------------------------------------ */

static void connect_without_pages(const char *notifies)
{
    stage_fronts[0] = fake_frontend_new(0);
    xen_double_set_domain(stage_domain(0), stage_fronts[0]);
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    STAGE_UNTIL(stage_first_waits);
    fake_xenstored_lock(stage.xenstored);
    stage_ask(stage_domain(0));
    stage_front(stage_domain(0), 0, "feature-rx-notify", notifies);
    fake_xenstored_unlock(stage.xenstored);
    STAGE_UNTIL(stage_first_connected);
    stage_settle();
}

static void what_waited_comes_when_pages_do(void **state)
{
    (void)state;
    connect_without_pages("1");
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(stage_send_to_first(100 + i), DROP_NONE);
    stage_settle();
    assert_false(stage_first_gets_a_frame());
    for (uint32_t i = 0; i < 5; i++) {
        fake_put_page(stage_fronts[0], 600, 600);
        /* The frontend rings because it was asked to, each time. */
        assert_true(fake_publish(&stage_fronts[0]->receive));
        xen_double_ring(stage_domain(0));
        STAGE_UNTIL(stage_first_gets_a_frame);
        assert_int_equal(stage_taken.size, 114 + i);
    }
    fake_put_page(stage_fronts[0], 600, 600);
    assert_false(fake_publish(&stage_fronts[0]->receive));
}

static void who_does_not_ring_is_looked_after(void **state)
{
    (void)state;
    connect_without_pages("0");
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(stage_send_to_first(100 + i), DROP_NONE);
        stage_settle();
        fake_put_page(stage_fronts[0], 600, 600);
        (void)fake_publish(&stage_fronts[0]->receive);
        STAGE_UNTIL(stage_first_gets_a_frame);
        assert_int_equal(stage_taken.size, 114 + i);
    }
}

static void the_packets_of_a_call_are_copied_at_once(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    static uint8_t memory[COUNT][PACKET_HEADROOM + 200];
    struct packet packets[COUNT], *list[COUNT];
    stage_connect(0);
    for (int i = 0; i < COUNT; i++) {
        uint8_t frame[214];
        stage_make_frame(frame, i, sizeof frame);
        memcpy(memory[i] + PACKET_HEADROOM, frame + 14, 200);
        packets[i] = (struct packet){
            .data = memory[i] + PACKET_HEADROOM,
            .size = 200,
            .headroom = PACKET_HEADROOM,
        };
        list[i] = &packets[i];
    }
    stage.link->kind->send(stage.qubes[0].port, loop_now(stage.loop), list,
                           COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(packets[i].drop, DROP_NONE);
        assert_true(fake_take_frame(stage_fronts[0], &stage_taken));
        assert_memory_equal(stage_taken.bytes + 14, packets[i].data, 200);
    }
    assert_false(fake_take_frame(stage_fronts[0], &stage_taken));
    assert_int_equal(stage_fronts[0]->copy_calls, 1);
}

/* --- Coming and going ---------------------------------------------------- */

static void a_detached_vif_is_given_up_and_removed(void **state)
{
    (void)state;
    stage_connect(0);
    stage_detach(stage_domain(0), 0);
    STAGE_UNTIL(stage_first_gone);
    assert_null(stage_owned("vif10.0"));
    assert_int_equal(xen_double_mapped(), 0);
    assert_int_equal(xen_double_bound(), 0);
    stage_settle();
    assert_int_equal(fake_xenstored_watches(stage.xenstored), 1);
    /* Nothing of the directory is left. */
    assert_null(fake_xenstored_read(stage.xenstored,
                                    fake_card_back(stage_domain(0), 0, "mac")));
}

/* More than it may do in a turn. */
static void a_vif_with_work_left_is_detached(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        stage_connect(0);
        stage_send_from(0, 250, 4000);
        stage_detach(stage_domain(0), 0);
        STAGE_UNTIL(stage_first_closed);
        stage_take_away(stage_domain(0));
        fake_frontend_free(stage_fronts[0]);
        stage_fronts[0] = NULL;
    }
    stage_settle();
}

static void a_vif_that_never_connected_is_detached_too(void **state)
{
    (void)state;
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    STAGE_UNTIL(stage_first_waits);
    stage_detach(stage_domain(0), 0);
    STAGE_UNTIL(stage_first_gone);
}

static void a_dead_qube_keeps_its_vif_until_the_toolstack_says(void **state)
{
    (void)state;
    stage_connect(0);
    xen_double_set_domain(stage_domain(0), NULL);
    fake_xenstored_remove(stage.xenstored,
                          fake_card_front(stage_domain(0), 0, ""));
    STAGE_UNTIL(stage_first_closed);
    assert_int_equal(xen_double_mapped(), 0);
    stage_settle();
    /* And what we write ourselves does not keep us busy. */
    unsigned requests = fake_xenstored_requests(stage.xenstored);
    stage_turn(300);
    assert_int_equal(fake_xenstored_requests(stage.xenstored), requests);
    stage_back(stage_domain(0), 0, "online", "0");
    STAGE_UNTIL(stage_first_gone);
}

static void an_unreadable_frontend_is_a_dead_one(void **state)
{
    (void)state;
    stage_connect(0);
    fake_xenstored_deny(stage.xenstored, "/local/domain/10");
    stage_front(stage_domain(0), 0, "state", "4");
    STAGE_UNTIL(stage_first_closed);
    fake_xenstored_deny(stage.xenstored, "");
}

static bool first_has_the_other_address(void)
{
    struct address wanted;
    const struct stage_qube *qube = stage_owned("vif10.0");
    return qube && address_parse(bytes_of_text("10.137.0.99"), &wanted) &&
           address_equal(&qube->ipv4, &wanted);
}

/* So fast that it was not seen to be gone. */
static void a_directory_that_is_made_anew_is_read_anew(void **state)
{
    (void)state;
    stage_connect(0);
    fake_xenstored_lock(stage.xenstored);
    stage_take_away(stage_domain(0));
    stage_attach(stage_domain(0), 0, "10.137.0.99");
    fake_xenstored_unlock(stage.xenstored);
    STAGE_UNTIL(stage_first_waits);
    stage_ask(stage_domain(0));
    STAGE_UNTIL(first_has_the_other_address);
}

static void a_removed_directory_is_forgotten(void **state)
{
    (void)state;
    stage_connect(0);
    fake_xenstored_remove(stage.xenstored,
                          fake_card_back(stage_domain(0), 0, ""));
    stage_settle();
    assert_null(stage_owned("vif10.0"));
    assert_int_equal(fake_xenstored_watches(stage.xenstored), 1);
    /* The same name again is another vif. */
    fake_frontend_reset(stage_fronts[0], 0);
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    STAGE_UNTIL(stage_first_waits);
}

static void a_frontend_may_close_and_come_again(void **state)
{
    (void)state;
    stage_connect(0);
    for (int i = 0; i < 3; i++) {
        stage_front(stage_domain(0), 0, "state", "5");
        STAGE_UNTIL(stage_first_closing);
        assert_null(stage_owned("vif10.0"));
        assert_int_equal(xen_double_mapped(), 0);
        stage_front(stage_domain(0), 0, "state", "6");
        STAGE_UNTIL(stage_first_closed);
        stage_front(stage_domain(0), 0, "state", "1");
        STAGE_UNTIL(stage_first_waits);
        fake_frontend_reset(stage_fronts[0], 0);
        stage_ask(stage_domain(0));
        STAGE_UNTIL(stage_first_connected);
        assert_non_null(stage_owned("vif10.0"));
    }
    stage_send_from(0, 3, 200);
    stage_until_packets(3);
}

/* As after kexec: it never said that it closed. */
static void a_frontend_may_start_anew_without_closing(void **state)
{
    (void)state;
    stage_connect(0);
    stage_front(stage_domain(0), 0, "state", "1");
    STAGE_UNTIL(stage_first_waits);
    assert_int_equal(xen_double_mapped(), 0);
    fake_frontend_reset(stage_fronts[0], 0);
    stage_ask(stage_domain(0));
    STAGE_UNTIL(stage_first_connected);
}

/* A qube with a device model of its own has two vifs with one address. */
static void the_address_follows_the_vif_that_connected_last(void **state)
{
    (void)state;
    stage_connect(0);
    stage_fronts[1] = fake_frontend_new(0);
    xen_double_set_domain(stage_domain(1), stage_fronts[1]);
    stage_attach(stage_domain(1), 0, stage_addresses[0]);
    stage_waited_for = 1;
    STAGE_UNTIL(stage_that_one_waits); /* whatever the other one does */
    assert_non_null(stage_owned("vif10.0"));
    stage_ask(stage_domain(1));
    STAGE_UNTIL(stage_that_one_connected);
    assert_null(stage_owned("vif10.0"));
    assert_non_null(stage_owned("vif11.0"));
    assert_true(stage_first_connected());

    stage_send_from(0, 1, 100); /* belongs to nobody now */
    stage_settle();
    assert_int_equal(stage.order_count, 0);
    assert_int_equal(stage.link->drops.count[DROP_UNKNOWN_QUBE], 1);

    stage_detach(stage_domain(1), 0);
    stage_settle();
    assert_non_null(stage_owned("vif10.0"));
    stage_send_from(0, 1, 100);
    stage_until_packets(1);
}

static void a_qube_the_owner_refuses_sends_nothing(void **state)
{
    (void)state;
    stage.refuse = true;
    stage_connect(0);
    stage_send_from(0, 5, 100);
    stage_settle();
    assert_int_equal(stage.order_count, 0);
    assert_int_equal(stage.link->drops.count[DROP_UNKNOWN_QUBE], 5);
}

/* --- Another process ----------------------------------------------------- */

static void live_rings_are_taken_over(void **state)
{
    (void)state;
    static struct fake_frame frame;
    stage_connect(0);
    stage_connect(1);
    stage_send_from(0, 10, 100);
    stage_send_from(1, 10, 100);
    stage_until_packets(20);
    stage_close_link();
    /* The frontends see nothing of it, and go on. */
    assert_true(stage_first_connected());
    assert_int_equal(xen_double_mapped(), 0);
    stage_send_from(0, 7, 100);
    stage_send_from(1, 8, 100);
    assert_false(xen_double_ring(stage_domain(0)));
    unsigned notified = stage_fronts[0]->notified;

    memset(stage.qubes, 0, sizeof stage.qubes);
    stage.echo = true;
    assert_true(stage_open_link());
    stage_until_packets(15);
    stage_settle();
    assert_int_equal(stage.qubes[0].packets + stage.qubes[1].packets, 15);
    assert_true(stage_first_connected());
    assert_non_null(stage_owned("vif10.0"));
    assert_non_null(stage_owned("vif11.0"));
    assert_true(stage_fronts[0]->notified > notified);
    assert_int_equal(stage_answers_taken(0), 17);
    assert_int_equal(stage_answers_taken(1), 18);
    for (int i = 0; i < 7; i++)
        assert_true(fake_take_frame(stage_fronts[0], &frame));
    assert_false(fake_take_frame(stage_fronts[0], &frame));
    stage_send_from(0, 1, 100);
    stage_until_packets(16);
}

static void an_interrupted_handshake_is_finished(void **state)
{
    (void)state;
    stage_fronts[0] = fake_frontend_new(0);
    xen_double_set_domain(stage_domain(0), stage_fronts[0]);
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    STAGE_UNTIL(stage_first_waits);
    stage_close_link();
    stage_ask(stage_domain(0)); /* nobody is there to see it */
    assert_true(stage_open_link());
    STAGE_UNTIL(stage_first_connected);
}

static void rings_that_make_no_sense_are_not_taken_over(void **state)
{
    (void)state;
    stage_connect(0);
    stage_close_link();
    stage_fronts[0]->transmit.produced += 1000;
    (void)fake_publish(&stage_fronts[0]->transmit);
    assert_true(stage_open_link());
    STAGE_UNTIL(stage_first_closing);
    assert_int_equal(xen_double_mapped(), 0);
}

static void what_was_detached_meanwhile_is_removed(void **state)
{
    (void)state;
    stage_connect(0);
    stage_close_link();
    stage_detach(stage_domain(0), 0);
    assert_true(stage_open_link());
    STAGE_UNTIL(stage_first_gone);
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
        fake_xenstored_lock(stage.xenstored);
        stage_attach(stage_domain(0), 0, stage_addresses[0]);
        stage_back(stage_domain(0), 0, wrong[i][0], wrong[i][1]);
        fake_xenstored_unlock(stage.xenstored);
        STAGE_UNTIL(stage_first_closed);
        stage_ask(stage_domain(0));
        stage_settle();
        assert_true(stage_first_closed());
        assert_int_equal(fake_xenstored_watches(stage.xenstored), 1);
        assert_int_equal(stage.added, 0);
        stage_take_away(stage_domain(0));
    }
}

static void a_description_may_come_in_parts(void **state)
{
    (void)state;
    stage_back(stage_domain(0), 0, "state", "1");
    stage_settle();
    stage_back(stage_domain(0), 0, "online", "1");
    stage_settle();
    assert_true(stage_back_is(stage_domain(0), 0, "state", "1"));
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    STAGE_UNTIL(stage_first_waits);
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
        fake_xenstored_write(stage.xenstored, path, "1");
    }
    stage_settle();
    stage_attach(stage_domain(0), 0, stage_addresses[0]);
    STAGE_UNTIL(stage_first_waits);
    assert_int_equal(fake_xenstored_watches(stage.xenstored), 2);
}

/* More vifs than there are watches for. */
enum { MANY = 125 };

static unsigned many_in(const char *state)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < MANY; i++)
        count += stage_back_is(100 + i, 0, "state", state);
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
        stage_attach(100 + i, 0, ip);
    }
    STAGE_UNTIL(as_many_as_can_be_are_served);
    stage_settle();
    assert_int_equal(many_in("1"), MANY - 120);
    assert_int_equal(fake_xenstored_watches(stage.xenstored), 121);
    unsigned left = MANY - 120;
    for (uint32_t i = 0; left && i < MANY; i++)
        if (stage_back_is(100 + i, 0, "state", "2")) {
            stage_detach(100 + i, 0);
            left--;
        }
    STAGE_UNTIL(nobody_has_to_wait);
}

/* --- Opening ------------------------------------------------------------- */

static void it_does_not_start_beside_the_kernels_backend(void **state)
{
    (void)state;
    enum error error = OK;
    stage_close_link();
    assert_null(netback_open("/proc/self", stage.loop, &stage_owner, &error));
    assert_int_equal(error, ERROR_BUSY);
}

static void it_does_not_start_without_xen(void **state)
{
    (void)state;
    stage_close_link();
    xen_double_set_devices(false);
    assert_false(stage_open_link());
}

static void it_does_not_start_without_xenstore(void **state)
{
    (void)state;
    stage_close_link();
    setenv("XENSTORED_PATH", "/nonexistent", 1);
    assert_false(stage_open_link());
}

#define UNIT(test)                                                             \
    cmocka_unit_test_setup_teardown(test, stage_set_up, stage_tear_down)

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
        UNIT(the_packets_of_a_call_are_copied_at_once),
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
