#include "firewall/conntrack.h"

#include "gateway/packet/ip_packet.h"
#include "tests/packet/craft.h"
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
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    enum drop drop = conntrack_pass(&c->track, &p.ip, from, &c->refreshed);
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
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    enum drop drop = conntrack_open(&c->track, &p.ip);
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
    /* It may be repeated; one with another number is somebody else's. */
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &syn), DROP_NONE);
    syn.sequence++;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &syn), DROP_FLOW_STATE);
    c.next[FLOW_SIDE_QUBE]--;
    c.next[FLOW_SIDE_TUNNEL]++;
    say(&c, FLOW_SIDE_QUBE, TCP_SYN | TCP_ACK, 0);
    /* The other end has not said yet that it meant this qube. */
    assert_int_equal(c.track.state, CONNTRACK_TCP_ANSWERED);
    c.next[FLOW_SIDE_TUNNEL]--;
    say(&c, FLOW_SIDE_TUNNEL, TCP_SYN | TCP_ACK, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
}

/* An attacker who guesses the ports but sees nothing cannot take the server's
 * place. */
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

/* A RST of `from` that far from what its receiver waits for. */
static enum drop reset_at(struct connection *c, enum flow_side from,
                          int64_t offset)
{
    struct craft rst = tcp(c, from, TCP_RST, 0);
    rst.sequence += (uint32_t)offset;
    return pass(c, from, &rst);
}

/* RFC 5961 3.2: inside the window it is its receiver's to ask about, and not
 * yet the end of anything. The scaled window is 128000. */
static void a_reset_is_believed_only_with_the_right_number(void **state)
{
    (void)state;
    struct connection c;
    static const int64_t outside[] = {-1,      -2,         -1000,      -128000,
                                      -200000, 0x40000000, -0x40000000},
                         inside[] = {1, 2, 1000, 65536, 127000};
    for (int side = 0; side < 2; side++) {
        enum flow_side from = side ? FLOW_SIDE_TUNNEL : FLOW_SIDE_QUBE;
        establish(&c);
        say(&c, FLOW_SIDE_QUBE, TCP_ACK, 60000);
        say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 60000);
        say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
        for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
            assert_int_equal(reset_at(&c, from, outside[i]), DROP_FLOW_STATE);
            assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
            assert_false(c.refreshed);
        }
        for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
            assert_int_equal(reset_at(&c, from, inside[i]), DROP_NONE);
            assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
            assert_false(c.refreshed);
        }
        assert_int_equal(reset_at(&c, from, 128001), DROP_FLOW_STATE);
        assert_int_equal(reset_at(&c, from, 0), DROP_NONE);
        assert_int_equal(c.track.state, CONNTRACK_TCP_RESET);
        assert_true(c.refreshed); /* down to its shorter life, once */
        assert_int_equal(reset_at(&c, from, 0), DROP_NONE);
        assert_false(c.refreshed);
        /* A packet from outside does not bring it back, the qube's does. */
        say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 100);
        assert_int_equal(c.track.state, CONNTRACK_TCP_RESET);
        assert_false(c.refreshed);
        say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
        assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
    }
}

/* If a packet that passed has not arrived, its receiver still waits for it. */
static void a_reset_may_name_what_was_acknowledged_last(void **state)
{
    (void)state;
    struct connection c;
    establish(&c);
    say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 5000);
    assert_int_equal(reset_at(&c, FLOW_SIDE_TUNNEL, -1), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_ESTABLISHED);
    assert_int_equal(reset_at(&c, FLOW_SIDE_TUNNEL, -5000), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_RESET);
}

/* As some do; its receiver may take it or leave it, but has to see it. */
static void a_reset_may_repeat_a_fin(void **state)
{
    (void)state;
    struct connection c;
    establish(&c);
    say(&c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 0);
    say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
    assert_int_equal(reset_at(&c, FLOW_SIDE_TUNNEL, -2), DROP_FLOW_STATE);
    assert_int_equal(reset_at(&c, FLOW_SIDE_TUNNEL, -1), DROP_NONE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_CLOSING);
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
    rst.acknowledgement -= 2;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &rst), DROP_FLOW_STATE);
    rst.acknowledgement++;
    rst.flags = TCP_RST; /* then it names nothing */
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &rst), DROP_FLOW_STATE);
    assert_int_equal(c.track.state, CONNTRACK_TCP_OPENING);
    rst.flags |= TCP_ACK;
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

/* Inside the window, but the qube never has what is before it. */
static void a_forged_fin_does_not_shorten_a_life(void **state)
{
    (void)state;
    struct connection c;
    establish(&c);
    struct craft fin = tcp(&c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 0);
    fin.sequence += 50000;
    assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &fin), DROP_NONE);
    say(&c, FLOW_SIDE_QUBE, TCP_FIN | TCP_ACK, 0);
    assert_int_equal(conntrack_timeout(&c.track), 7440);
    for (int i = 0; i < 6; i++) {
        say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 10000);
        say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
        assert_int_equal(conntrack_timeout(&c.track), 7440);
    }
    say(&c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 0);
    say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_CLOSED);
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
    assert_int_equal(begin_with(&c, TCP_SYN), DROP_NONE);
    struct craft craft = tcp(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    struct packet p = craft_packet(&craft);
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    assert_false(conntrack_reopens(&c.track, &p.ip)); /* it goes on opening */
    establish(&c);
    assert_true(
        conntrack_reopens(&c.track, &p.ip)); /* the qube was restarted */
    say(&c, FLOW_SIDE_QUBE, TCP_RST, 0);
    assert_true(conntrack_reopens(&c.track, &p.ip));
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

/* Brings a connection to one of its states. */
/* An answer was forged, or came too late: the qube has given up since, and
 * goes on from the same port. */
static void a_qube_may_begin_again_where_an_answer_came(void **state)
{
    (void)state;
    static const uint8_t answers[] = {TCP_SYN | TCP_ACK, TCP_SYN};
    for (size_t i = 0; i < sizeof answers; i++) {
        struct connection c;
        assert_int_equal(begin_with(&c, TCP_SYN), DROP_NONE);
        say(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
        say(&c, FLOW_SIDE_TUNNEL, answers[i], 0);
        assert_int_equal(c.track.state, CONNTRACK_TCP_ANSWERED);
        struct craft syn = tcp(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
        syn.sequence--;
        struct packet p = craft_packet(&syn);
        assert_int_equal(ip_packet_parse(&p), DROP_NONE);
        assert_false(conntrack_reopens(&c.track, &p.ip)); /* it is repeated */
        free(p.data);
        syn.sequence += 0x12345678;
        p = craft_packet(&syn);
        assert_int_equal(ip_packet_parse(&p), DROP_NONE);
        assert_true(conntrack_reopens(&c.track, &p.ip));
        free(p.data);
    }
}

static void reach(struct connection *c, enum conntrack_state state)
{
    establish(c);
    if (state == CONNTRACK_TCP_CLOSING || state == CONNTRACK_TCP_CLOSED)
        say(c, FLOW_SIDE_TUNNEL, TCP_FIN | TCP_ACK, 0);
    if (state == CONNTRACK_TCP_CLOSED)
        say(c, FLOW_SIDE_QUBE, TCP_FIN | TCP_ACK, 0);
    if (state == CONNTRACK_TCP_RESET)
        say(c, FLOW_SIDE_TUNNEL, TCP_RST, 0);
    assert_int_equal(c->track.state, state);
}

static const enum conntrack_state behind_opening[] = {
    CONNTRACK_TCP_ESTABLISHED, CONNTRACK_TCP_CLOSING, CONNTRACK_TCP_CLOSED,
    CONNTRACK_TCP_RESET};

/* A program of the qube may listen at a port that had a connection. */
static void a_syn_from_outside_opens_nothing(void **state)
{
    (void)state;
    struct connection c;
    static const int64_t offsets[] = {0, -1, 1, 1000, -1000, 0x30000000};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < sizeof offsets / sizeof *offsets; k++)
            for (int ack = 0; ack < 2; ack++) {
                reach(&c, behind_opening[i]);
                struct connection before = c;
                struct craft syn = tcp(&c, FLOW_SIDE_TUNNEL,
                                       ack ? TCP_SYN | TCP_ACK : TCP_SYN, 0);
                syn.sequence += (uint32_t)offsets[k];
                /* The answer to the first SYN, which may come again. */
                bool repeated = ack && offsets[k] < 0;
                assert_int_equal(pass(&c, FLOW_SIDE_TUNNEL, &syn),
                                 repeated ? DROP_NONE : DROP_FLOW_STATE);
                assert_false(c.refreshed);
                assert_memory_equal(&c.track, &before.track, sizeof c.track);
            }
    /* One of the qube does not pass for the other end's either. */
    establish(&c);
    struct craft syn = tcp(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    syn.sequence += 0x30000000;
    assert_int_equal(pass(&c, FLOW_SIDE_QUBE, &syn), DROP_NONE);
    assert_false(c.refreshed);
    say(&c, FLOW_SIDE_QUBE, TCP_FIN | TCP_ACK, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_CLOSING);
}

/* A flow that has led to nothing, or is over, lives by the qube's packets. */
static void nobody_outside_holds_a_place(void **state)
{
    (void)state;
    struct connection c;
    assert_int_equal(begin_with(&c, TCP_SYN), DROP_NONE);
    say(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    assert_true(c.refreshed);
    say(&c, FLOW_SIDE_TUNNEL, TCP_SYN | TCP_ACK, 0);
    assert_true(c.refreshed);
    c.next[FLOW_SIDE_TUNNEL]--;
    say(&c, FLOW_SIDE_TUNNEL, TCP_SYN | TCP_ACK, 0); /* again */
    assert_false(c.refreshed);
    say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 100);
    assert_false(c.refreshed);
    say(&c, FLOW_SIDE_QUBE, TCP_ACK, 0);
    assert_true(c.refreshed);
    say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 100);
    assert_true(c.refreshed);
    for (size_t i = 2; i < 4; i++) {
        reach(&c, behind_opening[i]);
        say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 100);
        assert_false(c.refreshed);
        assert_int_equal(c.track.state, behind_opening[i]);
    }
}

/* A flow whose other end never said a word is no connection. */
static void a_qube_alone_makes_no_connection(void **state)
{
    (void)state;
    struct connection c;
    assert_int_equal(begin_with(&c, TCP_SYN), DROP_NONE);
    say(&c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    say(&c, FLOW_SIDE_QUBE, TCP_RST, 0);
    assert_int_equal(c.track.state, CONNTRACK_TCP_RESET);
    say(&c, FLOW_SIDE_QUBE, TCP_ACK, 100);
    assert_int_equal(conntrack_timeout(&c.track), 240);
    assert_true(conntrack_is_transitory(&c.track));
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
    assert_false(conntrack_sent(&c.track, FLOW_SIDE_QUBE, end - 5001));
    assert_false(conntrack_sent(&c.track, FLOW_SIDE_QUBE, end - 300000));
    /* Data that has arrived causes no error any more. */
    say(&c, FLOW_SIDE_TUNNEL, TCP_ACK, 0);
    assert_true(conntrack_sent(&c.track, FLOW_SIDE_QUBE, end));
    assert_false(conntrack_sent(&c.track, FLOW_SIDE_QUBE, end - 1));
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
        assert_int_equal(ip_packet_parse(&p), DROP_NONE);
        assert_int_equal(conntrack_open(&track, &p.ip), DROP_NONE);
        assert_int_equal(conntrack_timeout(&track), 120);
        assert_true(conntrack_is_transitory(&track));
        assert_int_equal(
            conntrack_pass(&track, &p.ip, FLOW_SIDE_QUBE, &refreshed),
            DROP_NONE);
        assert_int_equal(conntrack_timeout(&track), 120);
        assert_int_equal(
            conntrack_pass(&track, &p.ip, FLOW_SIDE_TUNNEL, &refreshed),
            DROP_NONE);
        assert_int_equal(conntrack_timeout(&track), dns ? 30 : 300);
        free(p.data);
    }
}

/* --- Beside a qube that does as RFC 5961 says ---------------------------- */

/* Both ends with what each waits for; what is lost is sent again from there.
 * Losses are before the track alone, or the track would know more than the
 * qube. */
struct model {
    struct connection c;
    uint32_t waits[2]; /* the next byte that each end takes */
    uint64_t seed;
};

static void model_start(struct model *m)
{
    struct connection *c = &m->c;
    *c = (struct connection){.next = {(uint32_t)craft_random(&m->seed),
                                      craft_below(&m->seed, 2)
                                          ? (uint32_t)craft_random(&m->seed)
                                          : 0U - craft_below(&m->seed, 30000)}};
    struct craft syn = tcp(c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    struct packet p = craft_packet(&syn);
    assert_int_equal(ip_packet_parse(&p), DROP_NONE);
    assert_int_equal(conntrack_open(&c->track, &p.ip), DROP_NONE);
    free(p.data);
    say(c, FLOW_SIDE_QUBE, TCP_SYN, 0);
    say(c, FLOW_SIDE_TUNNEL, TCP_SYN | TCP_ACK, 0);
    say(c, FLOW_SIDE_QUBE, TCP_ACK, 0);
    say(c, FLOW_SIDE_TUNNEL, TCP_ACK, 0); /* its window is a scaled one now */
    m->waits[FLOW_SIDE_QUBE] = c->next[FLOW_SIDE_TUNNEL];
    m->waits[FLOW_SIDE_TUNNEL] = c->next[FLOW_SIDE_QUBE];
}

static void model_say(struct model *m, enum flow_side from, uint8_t flags,
                      size_t size, bool lost)
{
    struct connection *c = &m->c;
    enum flow_side to =
        from == FLOW_SIDE_QUBE ? FLOW_SIDE_TUNNEL : FLOW_SIDE_QUBE;
    struct craft craft = tcp(c, from, flags, size);
    craft.acknowledgement = m->waits[from];
    c->next[from] += (uint32_t)size;
    if (lost)
        return;
    assert_int_equal(pass(c, from, &craft), DROP_NONE);
    if (craft.sequence == m->waits[to])
        m->waits[to] += (uint32_t)size;
}

/* A RST that anybody sent. One that the qube takes passes; and when all have
 * said what they have to say, the flow is cut only where the qube's connection
 * is. True where that has ended. */
static bool model_reset(struct model *m)
{
    struct connection *c = &m->c;
    uint32_t waits = m->waits[FLOW_SIDE_QUBE];
    const uint32_t numbers[] = {waits,
                                waits + 1,
                                waits - 1,
                                c->next[FLOW_SIDE_TUNNEL],
                                c->track.ends[FLOW_SIDE_TUNNEL].end,
                                waits + craft_below(&m->seed, 130000),
                                waits - craft_below(&m->seed, 130000),
                                (uint32_t)craft_random(&m->seed)};
    struct craft rst = tcp(c, FLOW_SIDE_TUNNEL, TCP_RST, 0);
    rst.sequence = numbers[craft_below(&m->seed, 8)];
    bool taken = rst.sequence == waits;
    enum drop drop = pass(c, FLOW_SIDE_TUNNEL, &rst);
    if (taken) {
        const struct conntrack_end *e = &c->track.ends[FLOW_SIDE_TUNNEL];
        assert_int_equal(drop, DROP_NONE);
        if (waits == e->acknowledged || waits == e->end)
            assert_int_equal(c->track.state, CONNTRACK_TCP_RESET);
        return true;
    }
    if (drop == DROP_NONE) /* the qube asks */
        model_say(m, FLOW_SIDE_QUBE, TCP_ACK, 0, false);
    assert_int_equal(c->track.state, CONNTRACK_TCP_ESTABLISHED);
    return false;
}

static void only_what_ends_the_qubes_connection_cuts_its_life(void **state)
{
    (void)state;
    struct model m = {.seed = 99};
    unsigned ended = 0;
    for (int round = 0; round < 3000; round++) {
        model_start(&m);
        for (int i = 0; i < 40; i++) {
            uint32_t what = craft_below(&m.seed, 8);
            /* Forty of them fit the window. */
            size_t size = craft_below(&m.seed, 3000);
            if (what < 4)
                model_say(&m, FLOW_SIDE_TUNNEL, TCP_ACK, size, what == 0);
            else if (what == 4)
                model_say(&m, FLOW_SIDE_QUBE, TCP_ACK, size, false);
            else if (what == 5)
                model_say(&m, FLOW_SIDE_QUBE, TCP_ACK, 0, false);
            else if (what == 6) /* it was not acknowledged in time */
                m.c.next[FLOW_SIDE_TUNNEL] = m.waits[FLOW_SIDE_QUBE];
            else if (model_reset(&m)) {
                ended++;
                break;
            }
        }
    }
    assert_true(ended > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_pure_syn_begins),
        cmocka_unit_test(a_connection_lives_and_closes),
        cmocka_unit_test(both_may_open_at_the_same_time),
        cmocka_unit_test(a_forged_answer_keeps_no_connection_from_standing),
        cmocka_unit_test(a_reset_is_believed_only_with_the_right_number),
        cmocka_unit_test(a_reset_may_name_what_was_acknowledged_last),
        cmocka_unit_test(a_reset_may_repeat_a_fin),
        cmocka_unit_test(a_refusal_must_name_what_it_refuses),
        cmocka_unit_test(a_fin_outside_the_window_closes_nothing),
        cmocka_unit_test(a_forged_fin_does_not_shorten_a_life),
        cmocka_unit_test(impossible_flags_are_refused),
        cmocka_unit_test(scaled_windows_are_counted),
        cmocka_unit_test(a_syn_begins_anew_where_the_old_one_is_over),
        cmocka_unit_test(a_qube_may_begin_again_where_an_answer_came),
        cmocka_unit_test(a_syn_from_outside_opens_nothing),
        cmocka_unit_test(nobody_outside_holds_a_place),
        cmocka_unit_test(a_qube_alone_makes_no_connection),
        cmocka_unit_test(what_was_sent_can_be_quoted_nothing_else),
        cmocka_unit_test(udp_has_its_own_times),
        cmocka_unit_test(only_what_ends_the_qubes_connection_cuts_its_life),
    };
    return cmocka_run_group_tests_name("conntrack", tests, NULL, NULL);
}
