#include "firewall/conntrack.h"

#include "tests/firewall/craft.h"
#include "tests/unit.h"

/* A connection as both of its ends have it: what they send is right unless a
 * test says otherwise. */
struct connection {
    struct conntrack track;
    uint32_t next[2]; /* sequence number of each end */
    bool refreshed;
};

static const uint8_t scale_option[] = {3, 3, 7, 0};

static struct craft tcp(const struct connection *c, enum flow_side from,
                        uint8_t flags, size_t size)
{
    static const uint8_t data[70000];
    return (struct craft){
        .source = craft_address("192.0.2.1"),
        .destination = craft_address("192.0.2.2"),
        .protocol = 6,
        .source_port = 1,
        .destination_port = 2,
        .sequence = c->next[from],
        .acknowledgement = c->next[!from],
        .flags = flags,
        .window = 1000,
        .tcp_options =
            (flags & TCP_SYN) ? bytes_of(scale_option, 4) : (struct bytes){0},
        .payload = bytes_of(data, size),
    };
}

static enum drop pass(struct connection *c, enum flow_side from,
                      const struct craft *craft)
{
    struct packet p = craft_packet(craft);
    struct ip_packet ip;
    assert_int_equal(ip_packet_parse(&p, &ip), DROP_NONE);
    enum drop drop = conntrack_pass(&c->track, &ip, from, &c->refreshed);
    free(p.data);
    return drop;
}

/* Sends what fits, and counts it. */
static void say(struct connection *c, enum flow_side from, uint8_t flags,
                size_t size)
{
    struct craft craft = tcp(c, from, flags, size);
    assert_int_equal(pass(c, from, &craft), DROP_NONE);
    c->next[from] += (uint32_t)size;
    if (flags & TCP_SYN)
        c->next[from]++;
    if (flags & TCP_FIN)
        c->next[from]++;
}

static enum drop begin_with(struct connection *c, uint8_t flags)
{
    *c = (struct connection){.next = {0xfffffff0, 5000}};
    struct craft craft = tcp(c, FLOW_SIDE_QUBE, flags, 0);
    struct packet p = craft_packet(&craft);
    struct ip_packet ip;
    assert_int_equal(ip_packet_parse(&p, &ip), DROP_NONE);
    enum drop drop = conntrack_open(&c->track, &ip);
    free(p.data);
    return drop;
}

static void establish(struct connection *c)
{
    assert_int_equal(begin_with(c, TCP_SYN), DROP_NONE);
    say(c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    assert_int_equal(c->track.state, CONNTRACK_TCP_OPENING);
    say(c, FLOW_SIDE_TUNNEL, TCP_SYN | TCP_ACK, 0);
    assert_int_equal(c->track.state, CONNTRACK_TCP_ANSWERED);
    say(c, FLOW_SIDE_QUBE, TCP_ACK, 0);
    assert_int_equal(c->track.state, CONNTRACK_TCP_ESTABLISHED);
    assert_int_equal(conntrack_timeout(&c->track), 7440);
}

static void only_a_pure_syn_begins(void **state)
{
    (void)state;
    struct connection c;
    for (unsigned flags = 0; flags < 64; flags++) {
        bool pure =
            (flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
        assert_int_equal(begin_with(&c, (uint8_t)flags),
                         pure ? DROP_NONE : DROP_NO_FLOW);
    }
}

static void a_connection_lives_and_closes(void **state)
{
    (void)state;
    struct connection c;
    establish(&c);
    for (int i = 0; i < 100; i++) {
        say(&c, FLOW_SIDE_QUBE, TCP_ACK, 1000);
        assert_true(c.refreshed);
        say(&c, FLOW_SIDE_TUNNEL, TCP_ACK | TCP_PSH, 60000);
        assert_true(c.refreshed);
    }
    say(&c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 10);
    assert_int_equal(c.track.state, CONNTRACK_TCP_CLOSING);
    assert_int_equal(conntrack_timeout(&c.track), 7440); /* half open */
    say(&c, FLOW_SIDE_QUBE, TCP_ACK, 1000);
    say(&c, FLOW_SIDE_QUBE, TCP_FIN | TCP_ACK, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_CLOSED);
    say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 0);
    assert_int_equal(conntrack_timeout(&c.track), 240);
    assert_true(conntrack_is_transitory(&c.track));
}

static void both_may_open_at_the_same_time(void **state)
{
    (void)state;
    struct connection c;
    assert_int_equal(begin_with(&c, TCP_SYN), DROP_NONE);
    say(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    struct craft syn = tcp(&c, FLOW_SIDE_TUNNEL, TCP_SYN, 0);
    syn.acknowledgement = 0;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &syn), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ANSWERED);
    c.next[FLOW_SIDE_QUBE]--;
    c.next[FLOW_SIDE_TUNNEL]++;
    say(&c, FLOW_SIDE_QUBE, TCP_SYN | TCP_ACK, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
}

/* Who guesses the ports but sees nothing cannot take the server's place. */
static void a_forged_answer_keeps_no_connection_from_standing(void **state)
{
    (void)state;
    static const uint8_t forged[] = {TCP_SYN | TCP_ACK, TCP_SYN};
    static const uint32_t far[] = {0x12345678, 0x92345678};
    for (size_t i = 0; i < sizeof forged * 2; i++) {
        struct connection c;
        assert_int_equal(begin_with(&c, TCP_SYN), DROP_NONE);
        say(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
        struct craft guess = tcp(&c, FLOW_SIDE_TUNNEL, forged[i % 2], 0);
        guess.sequence += far[i / 2];
        guess.acknowledgement += far[i / 2];
        assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &guess), DROP_NONE);
        say(&c, FLOW_SIDE_TUNNEL, TCP_SYN | TCP_ACK, 0);
        say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
        assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
        say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 500);
        assert_true(c.refreshed);
    }
}

static void a_reset_is_believed_only_inside_the_window(void **state)
{
    (void)state;
    struct connection c;
    static const int64_t outside[] = {-200000, 200000, 0x40000000, -0x40000000};
    for (size_t i = 0; i < 4; i++) {
        establish(&c);
        struct craft rst = tcp(&c, FLOW_SIDE_TUNNEL, TCP_RST, 0);
        rst.sequence += (uint32_t)outside[i];
        assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &rst), DROP_FLOW_STATE);
        assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
        assert_false(c.refreshed);
    }
    say(&c, FLOW_SIDE_TUNNEL, TCP_RST, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_RESET);
    assert_true(c.refreshed); /* down to its shorter life, once */
    say(&c, FLOW_SIDE_TUNNEL, TCP_RST, 0);
    assert_false(c.refreshed);
    /* What still comes from outside does not bring it back, the qube does. */
    say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 100);
    assert_int_equal(c.track.state, CONNTRACK_TCP_RESET);
    say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
}

static void a_refusal_must_name_what_it_refuses(void **state)
{
    (void)state;
    struct connection c;
    assert_int_equal(begin_with(&c, TCP_SYN), DROP_NONE);
    say(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    struct craft rst = tcp(&c, FLOW_SIDE_TUNNEL, TCP_RST | TCP_ACK, 0);
    rst.sequence = 0;
    rst.acknowledgement++;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &rst), DROP_FLOW_STATE);
    rst.acknowledgement--;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &rst), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_RESET);
}

static void a_fin_outside_the_window_closes_nothing(void **state)
{
    (void)state;
    struct connection c;
    establish(&c);
    struct craft fin = tcp(&c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 0);
    fin.sequence += 500000;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &fin), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
    assert_false(c.refreshed);
    fin = tcp(&c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 0);
    fin.acknowledgement += 10; /* of what was never sent */
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &fin), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
}

static void impossible_flags_are_refused(void **state)
{
    (void)state;
    struct connection c;
    static const uint8_t bad[] = {0,
                                  TCP_PSH,
                                  TCP_FIN,
                                  TCP_SYN | TCP_FIN,
                                  TCP_SYN | TCP_RST | TCP_ACK,
                                  TCP_FIN | TCP_RST,
                                  TCP_FIN | TCP_PSH | TCP_URG};
    for (size_t i = 0; i < sizeof bad; i++) {
        establish(&c);
        struct craft craft = tcp(&c, FLOW_SIDE_TUNNEL, bad[i], 0);
        assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &craft), DROP_FLOW_STATE);
    }
}

static void scaled_windows_are_counted(void **state)
{
    (void)state;
    struct connection c;
    establish(&c);
    /* 1000 << 7 bytes are offered: that far ahead is inside. */
    struct craft fin = tcp(&c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 0);
    fin.sequence += 127000;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &fin), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_CLOSING);
    establish(&c);
    fin = tcp(&c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 0);
    fin.sequence += 128001;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &fin), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
}

static void a_syn_begins_anew_where_the_old_one_is_over(void **state)
{
    (void)state;
    struct connection c;
    establish(&c);
    struct craft craft = tcp(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    struct packet p = craft_packet(&craft);
    struct ip_packet ip;
    assert_int_equal(ip_packet_parse(&p, &ip), DROP_NONE);
    assert_false(conntrack_reopens(&c.track, &ip));
    say(&c, FLOW_SIDE_QUBE, TCP_RST, 0);
    assert_true(conntrack_reopens(&c.track, &ip));
    free(p.data);

    /* Unanswered it may begin again with other numbers. */
    assert_int_equal(begin_with(&c, TCP_SYN), DROP_NONE);
    c.next[FLOW_SIDE_QUBE] = 0x12345678;
    say(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    say(&c, FLOW_SIDE_TUNNEL, TCP_SYN | TCP_ACK, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ANSWERED);
    say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
}

static void a_strange_syn_does_not_disturb_a_connection(void **state)
{
    (void)state;
    struct connection c;
    for (int side = 0; side < 2; side++) {
        establish(&c);
        enum flow_side from = side ? FLOW_SIDE_TUNNEL : FLOW_SIDE_QUBE;
        struct craft syn = tcp(&c, from, TCP_SYN, 0);
        syn.sequence += 0x30000000;
        assert_int_equal(pass(&c, from, &syn), DROP_NONE);
        assert_false(c.refreshed);
        /* The old numbers are still the ones that count. */
        say(&c, from, TCP_FIN | TCP_ACK, 0);
        assert_int_equal(c.track.state, CONNTRACK_TCP_CLOSING);
    }
}

static void what_was_sent_can_be_quoted_nothing_else(void **state)
{
    (void)state;
    struct connection c;
    establish(&c);
    say(&c, FLOW_SIDE_QUBE, TCP_ACK, 5000);
    uint32_t end = c.next[FLOW_SIDE_QUBE];
    assert_true(conntrack_sent(&c.track, FLOW_SIDE_QUBE, end));
    assert_true(conntrack_sent(&c.track, FLOW_SIDE_QUBE, end - 5000));
    assert_false(conntrack_sent(&c.track, FLOW_SIDE_QUBE, end + 1));
    assert_false(conntrack_sent(&c.track, FLOW_SIDE_QUBE, end - 300000));
}

static void udp_has_its_own_times(void **state)
{
    (void)state;
    for (int dns = 0; dns < 2; dns++) {
        struct conntrack track;
        bool refreshed;
        struct craft c = {
            .source = craft_address("192.0.2.1"),
            .destination = craft_address("192.0.2.2"),
            .protocol = 17,
            .source_port = dns ? 53 : 443,
            .destination_port = 9,
        };
        struct packet p = craft_packet(&c);
        struct ip_packet ip;
        assert_int_equal(ip_packet_parse(&p, &ip), DROP_NONE);
        assert_int_equal(conntrack_open(&track, &ip), DROP_NONE);
        assert_int_equal(conntrack_timeout(&track), 120);
        assert_true(conntrack_is_transitory(&track));
        assert_int_equal(
            conntrack_pass(&track, &ip, FLOW_SIDE_QUBE, &refreshed), DROP_NONE);
        assert_int_equal(conntrack_timeout(&track), 120);
        assert_int_equal(
            conntrack_pass(&track, &ip, FLOW_SIDE_TUNNEL, &refreshed),
            DROP_NONE);
        assert_int_equal(conntrack_timeout(&track), dns ? 30 : 300);
        free(p.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_pure_syn_begins),
        cmocka_unit_test(a_connection_lives_and_closes),
        cmocka_unit_test(both_may_open_at_the_same_time),
        cmocka_unit_test(a_forged_answer_keeps_no_connection_from_standing),
        cmocka_unit_test(a_reset_is_believed_only_inside_the_window),
        cmocka_unit_test(a_refusal_must_name_what_it_refuses),
        cmocka_unit_test(a_fin_outside_the_window_closes_nothing),
        cmocka_unit_test(impossible_flags_are_refused),
        cmocka_unit_test(scaled_windows_are_counted),
        cmocka_unit_test(a_syn_begins_anew_where_the_old_one_is_over),
        cmocka_unit_test(a_strange_syn_does_not_disturb_a_connection),
        cmocka_unit_test(what_was_sent_can_be_quoted_nothing_else),
        cmocka_unit_test(udp_has_its_own_times),
    };
    return cmocka_run_group_tests_name("conntrack", tests, NULL, NULL);
}
