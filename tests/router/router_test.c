#include "gateway/router/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "firewall/checksum.h"
#include "firewall/icmp.h"
#include "firewall/mss.h"
#include "firewall/segment.h"
#include "gateway/base/log.h"
#include "tests/firewall/craft.h"

/* Two qubes, a tunnel, and somebody outside. */
struct world {
    struct router *router;
    struct instant now;
    struct tunnel tunnel;
    int first, second;
    struct packet_batch replies;
    uint64_t seed;
    uint8_t payload[60000];
    /* What left last, flat, and what it was. */
    uint8_t out[66000];
    size_t out_size;
    struct packet packet;
};

static const uint8_t mss_option[] = {2, 4, 0x05, 0xb4};

static struct world *world_new(uint32_t flows)
{
    struct world *w = calloc(1, sizeof *w);
    struct router_options options = {.flows = flows, .accept_unruled = true};
    w->seed = 12345;
    craft_fill(&w->seed, options.seed, sizeof options.seed);
    craft_fill(&w->seed, w->payload, sizeof w->payload);
    w->router = router_new(&options);
    w->now = (struct instant){1000 * 1000000LL};
    struct address a4 = craft_address("10.137.0.5"),
                   a6 = craft_address("fd09:24ef:4179::a89:5"),
                   b4 = craft_address("10.137.0.6");
    w->first = router_add_qube(w->router, w->now, "first", &a4, &a6);
    w->second = router_add_qube(w->router, w->now, "second", &b4, NULL);
    w->tunnel = (struct tunnel){
        .ipv4 = {craft_address("10.8.0.2"), 24},
        .ipv6 = {craft_address("fd00:8::2"), 64},
        .mtu = 1500,
        .mss_mtu = 1400,
        .redirect_ipv4 = true,
        .redirect_ipv6 = true,
        .resolver_count = 2,
        .resolvers = {craft_address("10.8.0.1"), craft_address("9.9.9.9")},
    };
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_true(packet_batch_init(&w->replies, 64, 2048));
    return w;
}

static void world_free(struct world *w)
{
    free(w->packet.data);
    packet_batch_clear(&w->replies);
    router_free(w->router);
    free(w);
}

static void keep(struct world *w, struct packet *p)
{
    free(w->packet.data);
    w->packet = *p;
    w->out_size = p->size;
    memcpy(w->out, p->data, p->size);
}

/* Through the router, alone in a batch. */
static enum drop up(struct world *w, int qube, struct packet p)
{
    struct packet_batch batch = {.packets = &p, .count = 1, .capacity = 1};
    p.qube = (uint16_t)qube;
    packet_batch_reset(&w->replies);
    router_from_qubes(w->router, w->now, &batch, &w->replies);
    keep(w, &p);
    return p.drop;
}

static enum drop down(struct world *w, struct packet p)
{
    struct packet_batch batch = {.packets = &p, .count = 1, .capacity = 1};
    p.qube = 999;
    router_from_tunnel(w->router, w->now, &batch);
    keep(w, &p);
    return p.drop;
}

static struct craft sample(bool v6, uint8_t protocol)
{
    return (struct craft){
        .source = craft_address(v6 ? "fd09:24ef:4179::a89:5" : "10.137.0.5"),
        .destination = craft_address(v6 ? "2001:db8::9" : "198.51.100.7"),
        .protocol = protocol,
        .source_port = 40000,
        .destination_port = 443,
        .dont_fragment = true,
        .id = 77,
        .sequence = 1000,
        .window = 60000,
        .flags = TCP_SYN,
        .icmp_type = v6 ? 128 : 8,
        .icmp_rest = 0x12340001,
        .payload = bytes_of_text("hello, world"),
    };
}

static uint16_t port_at(const struct world *w, size_t offset)
{
    size_t header = w->out[0] >> 4 == 4 ? 20 : 40;
    return load_u16(w->out + header + offset);
}

static size_t source_at(const uint8_t *ip)
{
    return ip[0] >> 4 == 4 ? 12 : 8;
}

static size_t address_bytes(const uint8_t *ip)
{
    return ip[0] >> 4 == 4 ? 4 : 16;
}

/* The packet that left last, as its receiver would answer it: ends swapped,
 * and with a checksum that fits because it sums the same. */
static struct packet echoed(const struct world *w)
{
    struct packet p = {.data = malloc(w->out_size),
                       .size = (uint32_t)w->out_size};
    uint8_t swap[16];
    memcpy(p.data, w->out, w->out_size);
    size_t at = source_at(p.data), n = address_bytes(p.data);
    uint8_t *t = p.data + (n == 4 ? 20 : 40);
    memcpy(swap, p.data + at, n);
    memmove(p.data + at, p.data + at + n, n);
    memcpy(p.data + at + n, swap, n);
    uint8_t protocol = p.data[n == 4 ? 9 : 6];
    if (protocol == 6 || protocol == 17) {
        memcpy(swap, t, 2);
        memmove(t, t + 2, 2);
        memcpy(t + 2, swap, 2);
    } else {
        uint16_t request = load_u16(t);
        t[0] = n == 4 ? 0 : 129;
        store_u16(t + 2, checksum_patch(load_u16(t + 2),
                                        checksum_change(request, load_u16(t))));
    }
    return p;
}

static void open_flow(struct world *w, const struct craft *c)
{
    assert_int_equal(up(w, w->first, craft_packet(c)), DROP_NONE);
    assert_true(craft_checksums_right(w->out, w->out_size));
}

/* --- Translation ---------------------------------------------------------- */

static void what_comes_back_is_what_was_sent(void **state)
{
    (void)state;
    struct world *w = world_new(4096);
    static const uint8_t protocols[][2] = {{6, 6}, {17, 17}, {1, 58}};
    for (int i = 0; i < 1500; i++) {
        bool v6 = i % 2;
        struct craft c = sample(v6, protocols[i % 3][v6]);
        c.source_port = (uint16_t)(1 + craft_below(&w->seed, 65535));
        c.destination_port = (uint16_t)(1 + craft_below(&w->seed, 65535));
        craft_fill(&w->seed, c.destination.bytes, v6 ? 16 : 4);
        c.destination.bytes[0] = v6 ? 0x20 : 99;
        c.icmp_rest = (uint32_t)craft_random(&w->seed);
        c.payload = bytes_of(w->payload, craft_below(&w->seed, 1300));
        c.udp_without_checksum = !v6 && i % 7 == 0;
        struct packet before = craft_packet(&c);
        open_flow(w, &c);
        const struct address *own =
            v6 ? &w->tunnel.ipv6.address : &w->tunnel.ipv4.address;
        assert_memory_equal(w->out + source_at(w->out), own->bytes,
                            address_bytes(w->out));
        assert_memory_equal(w->out + source_at(w->out) + address_bytes(w->out),
                            c.destination.bytes, address_bytes(w->out));

        /* Its echo, back at the qube, is the echo of what it sent. */
        assert_int_equal(down(w, echoed(w)), DROP_NONE);
        assert_int_equal(w->packet.qube, w->first);
        assert_true(craft_checksums_right(w->out, w->out_size));
        struct packet again = echoed(w);
        again.data[v6 ? 7 : 8] = 64;
        if (!v6) {
            store_u16(again.data + 10, 0);
            store_u16(again.data + 10,
                      checksum_finish(checksum_sum(again.data, 20)));
        } else {
            assert_int_equal(w->out[7], 62);
        }
        if (c.protocol == 1 || c.protocol == 58) {
            /* echoed() made it a reply; the qube had sent a request */
            again.data[v6 ? 40 : 20] = before.data[v6 ? 40 : 20];
            memcpy(again.data + (v6 ? 42 : 22), before.data + (v6 ? 42 : 22),
                   2);
        }
        assert_int_equal(again.size, before.size);
        assert_memory_equal(again.data, before.data, before.size);
        free(again.data);
        free(before.data);
    }
    world_free(w);
}

/* The acknowledged start of a connection, so that data may follow. */
static void establish(struct world *w, struct craft *c)
{
    c->flags = TCP_SYN;
    c->payload.size = 0;
    open_flow(w, c);
    struct packet syn_ack = echoed(w);
    struct craft answer = {
        .source = address_from_bytes(
            c->source.family,
            syn_ack.data + (c->source.family == ADDRESS_IPV4 ? 12 : 8)),
        .destination = address_from_bytes(
            c->source.family,
            syn_ack.data + (c->source.family == ADDRESS_IPV4 ? 16 : 24)),
        .protocol = 6,
        .source_port = c->destination_port,
        .destination_port = port_at(w, 0),
        .sequence = 5000,
        .acknowledgement = c->sequence + 1,
        .flags = TCP_SYN | TCP_ACK,
        .window = 60000,
        .dont_fragment = true,
    };
    free(syn_ack.data);
    assert_int_equal(down(w, craft_packet(&answer)), DROP_NONE);
    c->sequence++;
    c->acknowledgement = 5001;
    c->flags = TCP_ACK;
}

static void a_super_packet_goes_the_way_of_its_segments(void **state)
{
    (void)state;
    static const struct burst_layout layout = {.head = 24, .tail = 16};
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    for (int i = 0; i < 60; i++) {
        struct world *whole = world_new(64), *parts = world_new(64);
        struct craft c = sample(i % 2, i % 5 == 4 ? 17 : 6);
        if (c.protocol == 6) {
            struct craft copy = c;
            establish(parts, &copy);
            establish(whole, &c);
        }
        uint16_t mss = (uint16_t)(100 + craft_below(&whole->seed, 1300));
        c.dont_fragment = i % 3 > 0;
        c.payload =
            bytes_of(whole->payload, 1 + craft_below(&whole->seed, 20000));
        assert_int_equal(up(whole, whole->first, craft_super_packet(&c, mss)),
                         DROP_NONE);
        assert_true(
            craft_partial_right(whole->out, whole->out_size, whole->out_size));
        struct segment_cursor cursor = {0};
        burst_reset(b);
        assert_int_equal(segment(&whole->packet, 1500, &layout, &cursor, b),
                         SEGMENT_DONE);
        for (size_t s = 0, at = 0; s < b->count; s++, at += mss) {
            struct craft one = c;
            size_t left = c.payload.size - at;
            one.payload =
                bytes_of(c.payload.data + at, left < mss ? left : mss);
            one.sequence += (uint32_t)at;
            one.id = (uint16_t)(one.id + s);
            assert_int_equal(up(parts, parts->first, craft_packet(&one)),
                             DROP_NONE);
            const struct datagram *d = &b->datagrams[s];
            assert_int_equal(d->inner_size, parts->out_size);
            assert_memory_equal(d->data + d->inner_offset, parts->out,
                                parts->out_size);
            assert_true(craft_checksums_right(parts->out, parts->out_size));
        }
        world_free(whole);
        world_free(parts);
    }
    burst_clear(b);
    free(b);
}

static void one_port_stands_for_one_port_everywhere(void **state)
{
    (void)state;
    struct world *w = world_new(1024);
    struct craft c = sample(false, 17);
    c.source_port = 53000;
    open_flow(w, &c);
    assert_int_equal(port_at(w, 0), 53000); /* free, so kept */
    for (int i = 0; i < 50; i++) {
        c.destination.bytes[3] = (uint8_t)(10 + i);
        c.destination_port = (uint16_t)(1000 + i);
        open_flow(w, &c);
        assert_int_equal(port_at(w, 0), 53000);
    }
    /* The other qube's same port is another one. */
    c.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_NONE);
    assert_int_not_equal(port_at(w, 0), 53000);
    assert_true(port_at(w, 0) >= 1024);
    world_free(w);
}

static void mss_is_lowered_both_ways(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    for (int v6 = 0; v6 < 2; v6++) {
        uint16_t most = v6 ? 1340 : 1360;
        for (int partial = 0; partial < 2; partial++) {
            struct craft c = sample(v6, 6);
            c.source_port = (uint16_t)(1000 + partial);
            c.tcp_options = bytes_of(mss_option, sizeof mss_option);
            c.payload.size = 0;
            struct packet p =
                partial ? craft_super_packet(&c, 0) : craft_packet(&c);
            assert_int_equal(up(w, w->first, p), DROP_NONE);
            assert_int_equal(port_at(w, 22), most);
            if (partial)
                assert_true(
                    craft_partial_right(w->out, w->out_size, w->out_size));
            else
                assert_true(craft_checksums_right(w->out, w->out_size));
        }
    }
    struct craft c = sample(false, 6);
    c.source_port = 999;
    open_flow(w, &c);
    c = (struct craft){
        .source = c.destination,
        .destination = w->tunnel.ipv4.address,
        .protocol = 6,
        .source_port = 443,
        .destination_port = port_at(w, 0),
        .sequence = 9,
        .acknowledgement = 1013,
        .flags = TCP_SYN | TCP_ACK,
        .tcp_options = bytes_of(mss_option, sizeof mss_option),
    };
    assert_int_equal(down(w, craft_packet(&c)), DROP_NONE);
    assert_int_equal(port_at(w, 22), 1360);
    assert_true(craft_checksums_right(w->out, w->out_size));
    world_free(w);
}

/* --- What may come in ----------------------------------------------------- */

static void nothing_comes_in_without_a_flow(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    uint16_t port = port_at(w, 0);
    struct craft in = {
        .source = c.destination,
        .destination = w->tunnel.ipv4.address,
        .protocol = 17,
        .source_port = 443,
        .destination_port = port,
    };
    assert_int_equal(down(w, craft_packet(&in)), DROP_NONE);
    struct craft other = in;
    other.source_port = 444;
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other = in;
    other.source = craft_address("198.51.100.8");
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other = in;
    other.destination_port++;
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other = in;
    other.protocol = 6;
    other.flags = TCP_SYN;
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other = in;
    other.destination = craft_address("10.137.0.5");
    assert_int_equal(down(w, craft_packet(&other)), DROP_MARTIAN);
    other = in;
    other.ttl = 1;
    assert_int_equal(down(w, craft_packet(&other)), DROP_TTL);
    other = in;
    other.protocol = 1;
    other.icmp_type = 8;
    assert_int_equal(down(w, craft_packet(&other)), DROP_NO_FLOW);
    other.icmp_type = 5; /* redirect */
    assert_int_equal(down(w, craft_packet(&other)), DROP_ICMP_TYPE);
    assert_int_equal(router_drops(w->router)->count[DROP_NO_FLOW], 5);
    world_free(w);
}

static void random_packets_from_outside_open_nothing(void **state)
{
    (void)state;
    struct world *w = world_new(1024);
    for (int i = 0; i < 100; i++) {
        struct craft c = sample(false, i % 2 ? 6 : 17);
        c.source_port = (uint16_t)(20000 + i);
        c.payload.size = 0;
        open_flow(w, &c);
    }
    for (int i = 0; i < 20000; i++) {
        struct craft c = {
            .source = craft_address("198.51.100.7"),
            .destination = w->tunnel.ipv4.address,
            .protocol = i % 3 == 0   ? 1
                        : i % 3 == 1 ? 6
                                     : 17,
            .source_port = 442,
            .destination_port = (uint16_t)(20000 + craft_below(&w->seed, 100)),
            .flags = (uint8_t)craft_random(&w->seed),
            .icmp_type = (uint8_t)craft_random(&w->seed),
            .payload = bytes_of(w->payload, craft_below(&w->seed, 100)),
        };
        assert_int_not_equal(down(w, craft_packet(&c)), DROP_NONE);
    }
    assert_int_equal(router_flow_count(w->router), 100);
    world_free(w);
}

/* --- ICMP errors ---------------------------------------------------------- */

/* An error about the packet that left last, quoting `quoted` bytes of it. */
static struct packet error_about(const struct world *w, const char *router,
                                 uint8_t type, uint8_t code, uint32_t rest,
                                 size_t quoted)
{
    static uint8_t message[2000];
    bool v6 = w->out[0] >> 4 == 6;
    memcpy(message, w->out, quoted);
    struct craft c = {
        .source = craft_address(router),
        .destination = address_from_bytes(v6 ? ADDRESS_IPV6 : ADDRESS_IPV4,
                                          w->out + source_at(w->out)),
        .protocol = v6 ? 58 : 1,
        .icmp_type = type,
        .icmp_code = code,
        .icmp_rest = rest,
        .payload = bytes_of(message, quoted),
    };
    return craft_packet(&c);
}

static void errors_about_known_flows_reach_the_qube(void **state)
{
    (void)state;
    static const uint8_t protocols[][2] = {{6, 6}, {17, 17}, {1, 58}};
    for (int i = 0; i < 6; i++) {
        struct world *w = world_new(64);
        bool v6 = i % 2;
        struct craft c = sample(v6, protocols[i / 2][v6]);
        struct packet sent = craft_packet(&c);
        size_t header = v6 ? 40 : 20, least = header + 8;
        open_flow(w, &c);
        static uint8_t left[2000];
        size_t left_size = w->out_size;
        memcpy(left, w->out, left_size);
        for (size_t quoted = 0; quoted <= left_size; quoted++) {
            memcpy(w->out, left, left_size);
            w->out_size = left_size;
            struct packet p =
                error_about(w, v6 ? "2001:db8:1::1" : "203.0.113.9", v6 ? 1 : 3,
                            1, 0, quoted);
            enum drop drop = down(w, p);
            if (quoted < least) {
                assert_int_equal(drop, DROP_ICMP_EMBEDDED);
                continue;
            }
            assert_int_equal(drop, DROP_NONE);
            assert_true(craft_checksums_right(w->out, w->out_size));
            assert_int_equal(w->packet.qube, w->first);
            /* What is quoted is what the qube sent, but for the hop. */
            uint8_t *inner = w->out + header + 8;
            inner[v6 ? 7 : 8] = 64;
            if (!v6)
                memcpy(inner + 10, sent.data + 10, 2);
            /* Half a checksum cannot be patched. */
            size_t known = quoted;
            if (c.protocol == 6 && quoted == header + 17)
                known--;
            assert_memory_equal(inner, sent.data, known);
        }
        free(sent.data);
        world_free(w);
    }
}

static void an_error_must_quote_a_packet_of_ours(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 6);
    open_flow(w, &c);
    static uint8_t left[2000];
    memcpy(left, w->out, w->out_size);
    size_t size = w->out_size;
    static const struct {
        size_t at;
        uint8_t flip;
    } changes[] = {{12, 1}, {16, 1}, {20, 1}, {22, 1}, {9, 23}, {24, 0x40}};
    for (size_t i = 0; i < 6; i++) {
        memcpy(w->out, left, size);
        struct packet p = error_about(w, "203.0.113.9", 3, 1, 0, size);
        p.data[28 + changes[i].at] ^= changes[i].flip;
        store_u16(p.data + 22, 0);
        store_u16(p.data + 22,
                  checksum_finish(checksum_sum(p.data + 20, p.size - 20)));
        assert_int_equal(down(w, p), DROP_ICMP_EMBEDDED);
    }
    memcpy(w->out, left, size);
    struct packet p = error_about(w, "203.0.113.9", 3, 4, 67, size);
    assert_int_equal(down(w, p), DROP_ICMP_EMBEDDED); /* absurd MTU */
    memcpy(w->out, left, size);
    p = error_about(w, "203.0.113.9", 3, 4, 1400, size);
    p.data[p.size - 1] ^= 1;
    assert_int_equal(down(w, p), DROP_TRANSPORT_CHECKSUM);
    world_free(w);
}

static void errors_of_a_qube_go_out_translated(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    uint8_t sent[2000];
    size_t sent_size = w->out_size;
    memcpy(sent, w->out, sent_size);
    struct packet in = echoed(w);
    assert_int_equal(down(w, in), DROP_NONE);

    /* Port unreachable, about what it has just received. */
    static uint8_t quoted[2000];
    memcpy(quoted, w->out, w->out_size);
    struct craft error = {
        .source = craft_address("10.137.0.5"),
        .destination = craft_address("198.51.100.7"),
        .protocol = 1,
        .icmp_type = 3,
        .icmp_code = 3,
        .payload = bytes_of(quoted, w->out_size),
    };
    assert_int_equal(up(w, w->first, craft_packet(&error)), DROP_NONE);
    assert_true(craft_checksums_right(w->out, w->out_size));
    assert_memory_equal(w->out + 12, w->tunnel.ipv4.address.bytes, 4);
    assert_memory_equal(w->out + 28 + 12, sent + 16, 4);
    assert_memory_equal(w->out + 28 + 16, sent + 12, 4);
    assert_memory_equal(w->out + 28 + 20, sent + 22, 2);
    assert_memory_equal(w->out + 28 + 22, sent + 20, 2);

    /* To a third party, or about what it never got, it does not go. */
    struct craft wrong = error;
    wrong.destination = craft_address("198.51.100.8");
    assert_int_equal(up(w, w->first, craft_packet(&wrong)), DROP_ICMP_EMBEDDED);
    quoted[20] ^= 1;
    assert_int_equal(up(w, w->first, craft_packet(&error)), DROP_ICMP_EMBEDDED);
    world_free(w);
}

/* --- What the gateway says itself ----------------------------------------- */

static void expect_error(const struct world *w, uint8_t type, uint8_t code)
{
    assert_int_equal(w->replies.count, 1);
    const struct packet *p = &w->replies.packets[0];
    bool v6 = p->data[0] >> 4 == 6;
    const uint8_t *t = p->data + (v6 ? 40 : 20);
    assert_true(craft_checksums_right(p->data, p->size));
    assert_int_equal(p->data[v6 ? 6 : 9], v6 ? 58 : 1);
    assert_int_equal(t[0], type);
    assert_int_equal(t[1], code);
    /* It quotes the packet as the qube sent it. */
    size_t quoted = p->size - (v6 ? 48 : 28);
    assert_true(quoted >= (v6 ? 48 : 28));
    assert_memory_equal(t + 8, w->out, quoted);
    assert_memory_equal(p->data + source_at(p->data) + address_bytes(p->data),
                        w->out + source_at(w->out), address_bytes(w->out));
}

static enum drop up_to(struct world *w, struct craft *c, const char *address)
{
    c->destination = craft_address(address);
    return up(w, w->first, craft_packet(c));
}

static void refusals_are_answered_at_once(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    for (int v6 = 0; v6 < 2; v6++) {
        struct craft c = sample(v6, 17);
        c.ttl = 1;
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_TTL);
        expect_error(w, v6 ? 3 : 11, 0);
        c.ttl = 64;
        c.payload = bytes_of(w->payload, 1500);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_TOO_BIG);
        expect_error(w, v6 ? 2 : 3, v6 ? 0 : 4);
        const uint8_t *t = w->replies.packets[0].data + (v6 ? 40 : 20);
        assert_int_equal(load_u32(t + 4), 1500);
        c.payload.size = 10;
        c.protocol = 132;
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_PROTOCOL);
        expect_error(w, v6 ? 4 : 3, v6 ? 1 : 2);
        c.protocol = 17;
        router_tunnel_down(w->router, w->now);
        assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_TUNNEL_DOWN);
        expect_error(w, v6 ? 1 : 3, 0);
        router_tunnel_up(w->router, w->now, &w->tunnel);
    }
    struct craft c = sample(false, 17);
    assert_int_equal(up_to(w, &c, "10.137.0.6"), DROP_QUBE_TO_QUBE);
    expect_error(w, 3, 13);
    assert_int_equal(up_to(w, &c, "10.8.0.2"), DROP_HAIRPIN);
    expect_error(w, 3, 13);
    assert_int_equal(up_to(w, &c, "10.139.1.1"), DROP_GATEWAY_SERVICE);
    expect_error(w, 3, 3);
    w->tunnel.redirect_ipv4 = false;
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up_to(w, &c, "198.51.100.7"), DROP_NO_ROUTE);
    expect_error(w, 3, 0);
    assert_int_equal(router_flow_count(w->router), 0);
    world_free(w);
}

static void without_ipv6_it_is_refused_and_never_leaks(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(true, 6);
    w->tunnel.block_ipv6 = true;
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_IPV6);
    expect_error(w, 1, 0);
    w->tunnel.block_ipv6 = false;
    w->tunnel.ipv6 = (struct prefix){0};
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_IPV6);
    expect_error(w, 1, 0);
    world_free(w);
}

static void noise_and_spoofing_are_dropped_in_silence(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    static const char *const martians[] = {"224.0.0.251", "255.255.255.255",
                                           "127.0.0.1", "0.0.0.0",
                                           "169.254.1.1"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(up_to(w, &c, martians[i]), DROP_MARTIAN);
        assert_int_equal(w->replies.count, 0);
    }
    c = sample(true, 58);
    c.icmp_type = 135;
    assert_int_equal(up_to(w, &c, "ff02::1:ff00:1"), DROP_ICMP_TYPE);
    assert_int_equal(w->replies.count, 0);
    c = sample(true, 17);
    assert_int_equal(up_to(w, &c, "ff02::fb"), DROP_MARTIAN);
    assert_int_equal(up_to(w, &c, "::ffff:1.2.3.4"), DROP_MARTIAN);
    c = sample(false, 17);
    c.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_SPOOFED);
    assert_int_equal(w->replies.count, 0);
    c = sample(true, 17);
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_SPOOFED);
    assert_int_equal(up(w, 77, craft_packet(&c)), DROP_UNKNOWN_QUBE);
    world_free(w);
}

static void the_gateway_answers_ping(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct address gateway = craft_address("10.137.0.1");
    router_set_gateway_address(w->router, &gateway);
    static const char *const own[] = {"10.137.0.1", "10.139.1.1", "10.139.1.2",
                                      "10.8.0.2"};
    for (int i = 0; i < 5; i++) {
        struct craft c = sample(i == 4, i == 4 ? 58 : 1);
        c.ttl = 1;
        assert_int_equal(
            up_to(w, &c, i == 4 ? "fe80::fcff:ffff:feff:ffff" : own[i]),
            DROP_ANSWERED);
        assert_int_equal(w->replies.count, 1);
        const struct packet *p = &w->replies.packets[0];
        assert_int_equal(p->qube, w->first);
        assert_int_equal(p->size, w->out_size);
        assert_true(craft_checksums_right(p->data, p->size));
        size_t at = source_at(p->data), n = address_bytes(p->data);
        assert_memory_equal(p->data + at, w->out + at + n, n);
        assert_memory_equal(p->data + at + n, w->out + at, n);
        assert_int_equal(p->data[at + 2 * n], i == 4 ? 129 : 0);
    }
    router_tunnel_down(w->router, w->now);
    struct craft c = sample(false, 1);
    assert_int_equal(up_to(w, &c, "10.137.0.1"), DROP_ANSWERED);
    assert_int_equal(w->replies.count, 1);
    world_free(w);
}

static void answers_are_limited_in_rate(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    router_tunnel_down(w->router, w->now);
    unsigned answered = 0;
    for (int i = 0; i < 1000; i++) {
        struct craft c = sample(false, 17);
        (void)up(w, w->first, craft_packet(&c));
        answered += w->replies.count;
    }
    assert_int_equal(answered, 50);
    w->now.us += 100 * 1000;
    for (int i = 0; i < 1000; i++) {
        struct craft c = sample(false, 17);
        (void)up(w, w->first, craft_packet(&c));
        answered += w->replies.count;
    }
    assert_int_equal(answered, 60);
    world_free(w);
}

static void a_connection_from_before_is_reset(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 6);
    c.flags = TCP_ACK | TCP_PSH;
    c.acknowledgement = 0xabcdef01;
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_FLOW);
    assert_int_equal(w->replies.count, 1);
    const uint8_t *p = w->replies.packets[0].data;
    assert_true(craft_checksums_right(p, w->replies.packets[0].size));
    assert_int_equal(load_u16(p + 20), 443);
    assert_int_equal(load_u16(p + 22), 40000);
    assert_int_equal(load_u32(p + 24), 0xabcdef01);
    assert_int_equal(p[33], TCP_RST);
    c.flags = TCP_RST;
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_FLOW);
    assert_int_equal(w->replies.count, 0);
    world_free(w);
}

/* --- DNS ------------------------------------------------------------------ */

static void dns_goes_to_the_tunnels_resolvers_only(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    static const char *const virtual[] = {"10.139.1.1", "10.139.1.2"};
    for (int i = 0; i < 4; i++) {
        struct craft c = sample(false, i % 2 ? 17 : 6);
        c.destination_port = 53;
        c.source_port = (uint16_t)(2000 + i);
        assert_int_equal(up_to(w, &c, virtual[i / 2]), DROP_NONE);
        assert_memory_equal(w->out + 16, w->tunnel.resolvers[i / 2].bytes, 4);
        assert_true(craft_checksums_right(w->out, w->out_size));
        struct packet answer = echoed(w);
        if (i % 2 == 0) { /* TCP: a SYN answered by SYN and ACK */
            answer.data[33] = TCP_SYN | TCP_ACK;
            store_u32(answer.data + 28, 1013);
        }
        assert_int_equal(down(w, answer), DROP_NONE);
        assert_memory_equal(w->out + 12, c.destination.bytes, 4);
        assert_memory_equal(w->out + 16, c.source.bytes, 4);
    }
    world_free(w);
}

static void one_resolver_serves_both_from_the_same_port(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    w->tunnel.resolver_count = 1;
    router_tunnel_up(w->router, w->now, &w->tunnel);
    struct craft c = sample(false, 17);
    c.destination_port = 53;
    assert_int_equal(up_to(w, &c, "10.139.1.1"), DROP_NONE);
    struct packet first = echoed(w);
    assert_int_equal(up_to(w, &c, "10.139.1.2"), DROP_NONE);
    struct packet second = echoed(w);
    assert_int_equal(down(w, first), DROP_NONE);
    assert_int_equal(w->out[15], 1);
    assert_int_equal(down(w, second), DROP_NONE);
    assert_int_equal(w->out[15], 2);
    world_free(w);
}

static void without_resolvers_dns_is_refused(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    c.destination_port = 53;
    assert_int_equal(up_to(w, &c, "10.139.1.1"), DROP_NONE);
    struct packet late = echoed(w);
    w->tunnel.resolvers[0] = craft_address("127.0.0.1");
    w->tunnel.resolvers[1] = craft_address("10.139.1.2");
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(down(w, late), DROP_NO_FLOW);
    assert_int_equal(up_to(w, &c, "10.139.1.1"), DROP_NO_RESOLVER);
    expect_error(w, 3, 3);
    assert_int_equal(up_to(w, &c, "10.139.1.2"), DROP_NO_RESOLVER);
    world_free(w);
}

/* --- Lives of flows ------------------------------------------------------- */

static void flows_end_when_their_time_is_over(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft udp = sample(false, 17);
    open_flow(w, &udp);
    struct packet answer = echoed(w);
    struct packet again = echoed(w);
    assert_int_equal(down(w, answer), DROP_NONE);
    w->now.us += 299 * 1000000LL;
    router_expire(w->router, w->now);
    assert_int_equal(router_flow_count(w->router), 1);
    w->now.us += 1000000LL;
    assert_false(instant_is_never(router_deadline(w->router)));
    assert_true(router_deadline(w->router).us <= w->now.us);
    assert_int_equal(down(w, again), DROP_NO_FLOW);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_true(instant_is_never(router_deadline(w->router)));

    struct craft tcp = sample(false, 6);
    establish(w, &tcp);
    assert_int_equal(up(w, w->first, craft_packet(&tcp)), DROP_NONE);
    w->now.us += 7439 * 1000000LL;
    router_expire(w->router, w->now);
    assert_int_equal(router_flow_count(w->router), 1);
    w->now.us += 1000000LL;
    router_expire(w->router, w->now);
    assert_int_equal(router_flow_count(w->router), 0);
    world_free(w);
}

static void a_new_tunnel_address_ends_flows_the_same_keeps_them(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17), c6 = sample(true, 17);
    open_flow(w, &c);
    open_flow(w, &c6);
    router_tunnel_down(w->router, w->now);
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(router_flow_count(w->router), 2);
    w->tunnel.ipv4.address = craft_address("10.8.0.3");
    router_tunnel_up(w->router, w->now, &w->tunnel);
    assert_int_equal(router_flow_count(w->router), 1);
    router_remove_qube(w->router, w->first);
    assert_int_equal(router_flow_count(w->router), 0);
    world_free(w);
}

static void a_greedy_qube_cannot_push_out_another(void **state)
{
    (void)state;
    struct world *w = world_new(65536);
    struct craft other = sample(false, 6);
    other.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    struct packet late = echoed(w);
    late.data[33] = TCP_SYN | TCP_ACK;
    unsigned passed = 0;
    struct craft c = sample(false, 17);
    for (uint32_t i = 0; i < 65536; i++) {
        c.source_port = (uint16_t)(1024 + i % 60000);
        c.destination_port = (uint16_t)(1 + i / 60000);
        w->now.us += 500;
        passed += up(w, w->first, craft_packet(&c)) == DROP_NONE;
    }
    assert_int_equal(passed, 65536); /* its own oldest made room */
    assert_int_equal(router_flow_count(w->router), 32769);
    assert_int_equal(down(w, late), DROP_NONE);
    assert_int_equal(w->packet.qube, w->second);
    for (int i = 0; i < 200; i++) {
        other.source_port = (uint16_t)(3000 + i);
        assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    }
    world_free(w);
}

static void qubes_are_counted_apart(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct router_qube_status status;
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    struct packet back = echoed(w);
    assert_int_equal(down(w, back), DROP_NONE);
    assert_int_equal(up_to(w, &c, "127.0.0.1"), DROP_MARTIAN);
    assert_true(router_qube_status(w->router, w->first, &status));
    assert_string_equal(status.name, "first");
    assert_int_equal(status.flows, 1);
    assert_int_equal(status.packets_up, 1);
    assert_int_equal(status.packets_down, 1);
    assert_int_equal(status.bytes_up, 40);
    assert_int_equal(status.drops->count[DROP_MARTIAN], 1);
    assert_true(router_qube_status(w->router, w->second, &status));
    assert_int_equal(status.packets_up, 0);
    assert_false(router_qube_status(w->router, 9, &status));
    struct address taken = craft_address("10.137.0.6");
    assert_int_equal(router_add_qube(w->router, w->now, "x", &taken, NULL), -1);
    world_free(w);
}

/* --- Fragments ------------------------------------------------------------ */

/* The datagrams that a packet leaves in, in `b`. */
static void cut(const struct packet *p, uint16_t mtu, struct burst *b)
{
    static const struct burst_layout layout = {.head = 24, .tail = 16};
    struct segment_cursor cursor = {0};
    burst_reset(b);
    assert_int_equal(segment(p, mtu, &layout, &cursor, b), SEGMENT_DONE);
}

static struct packet nth_of(const struct burst *b, size_t i)
{
    const struct datagram *d = &b->datagrams[i];
    struct packet p = {.data = malloc(d->inner_size), .size = d->inner_size};
    memcpy(p.data, d->data + d->inner_offset, p.size);
    return p;
}

/* Up or down, alone in a batch; the packet's first part is copied, because
 * it may no longer be what was given. */
static enum drop pass(struct world *w, bool is_up, struct packet given,
                      struct packet *out)
{
    *out = given;
    struct packet_batch batch = {.packets = out, .count = 1, .capacity = 1};
    packet_batch_reset(&w->replies);
    if (is_up)
        router_from_qubes(w->router, w->now, &batch, &w->replies);
    else
        router_from_tunnel(w->router, w->now, &batch);
    free(given.data);
    return out->drop;
}

static uint8_t *flatten(const struct packet *p)
{
    uint8_t *out = malloc(packet_total(p));
    size_t at = p->size;
    memcpy(out, p->data, p->size);
    for (size_t i = 0; i < p->piece_count; i++) {
        memcpy(out + at, p->pieces[i].data, p->pieces[i].size);
        at += p->pieces[i].size;
    }
    return out;
}

static void fragments_pass_as_the_packet_they_are_of(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b), *left = calloc(1, sizeof *left);
    assert_true(burst_init(b, 1 << 20) && burst_init(left, 1 << 20));
    struct packet out;
    for (int i = 0; i < 40; i++) {
        struct craft c = sample(false, i % 3 ? 17 : 1);
        c.dont_fragment = false;
        c.id = (uint16_t)i;
        c.payload = bytes_of(w->payload, 1600 + craft_below(&w->seed, 20000));
        struct packet whole = craft_packet(&c);
        cut(&whole, (uint16_t)(600 + 100 * (i % 9)), b);
        for (size_t k = 0; k + 1 < b->count; k++)
            assert_int_equal(pass(w, true, nth_of(b, k), &out), DROP_HELD);
        assert_int_equal(pass(w, true, nth_of(b, b->count - 1), &out),
                         DROP_NONE);
        assert_int_equal(out.fragment_size, b->datagrams[0].inner_size);
        uint8_t *flat = flatten(&out);
        assert_true(craft_checksums_right(flat, packet_total(&out)));
        assert_memory_equal(flat + 28, whole.data + 28, whole.size - 28);
        cut(&out, 1500, left);
        assert_int_equal(left->count, b->count);

        /* And its echo comes back in fragments, out of order. */
        free(w->packet.data);
        w->packet = (struct packet){0};
        memcpy(w->out, flat, packet_total(&out));
        w->out_size = packet_total(&out);
        free(flat);
        struct packet reply = echoed(w);
        cut(&reply, 1400, b);
        for (size_t k = b->count; k > 1; k--)
            assert_int_equal(pass(w, false, nth_of(b, k - 1), &out), DROP_HELD);
        assert_int_equal(pass(w, false, nth_of(b, 0), &out), DROP_NONE);
        assert_int_equal(out.qube, w->first);
        flat = flatten(&out);
        assert_true(craft_checksums_right(flat, packet_total(&out)));
        assert_memory_equal(flat + 16, c.source.bytes, 4);
        assert_memory_equal(flat + 28, whole.data + 28, whole.size - 28);
        free(flat);
        free(reply.data);
        free(whole.data);
    }
    burst_clear(b);
    burst_clear(left);
    free(b);
    free(left);
    world_free(w);
}

static void a_qube_s_fragments_are_its_own(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct burst *b = calloc(1, sizeof *b);
    assert_true(burst_init(b, 1 << 20));
    struct packet out;
    struct craft c = sample(false, 17);
    c.dont_fragment = false;
    c.payload = bytes_of(w->payload, 3000);
    struct packet whole = craft_packet(&c);
    cut(&whole, 1500, b);
    struct packet last = nth_of(b, 2);
    assert_int_equal(pass(w, true, nth_of(b, 0), &out), DROP_HELD);
    assert_int_equal(pass(w, true, nth_of(b, 1), &out), DROP_HELD);
    last.qube = (uint16_t)w->second;
    assert_int_equal(pass(w, true, last, &out), DROP_SPOOFED);
    struct router_qube_status status;
    w->now.us += 15000000;
    assert_true(router_deadline(w->router).us <= w->now.us);
    router_expire(w->router, w->now);
    assert_true(router_qube_status(w->router, w->first, &status));
    assert_int_equal(status.drops->count[DROP_FRAGMENT_TIMEOUT], 2);
    assert_int_equal(status.drops->count[DROP_HELD], 0);
    free(whole.data);
    burst_clear(b);
    free(b);
    world_free(w);
}

/* --- Rules ---------------------------------------------------------------- */

static void set_rules(struct world *w, const char *source, const char *policy,
                      const char *rule)
{
    struct address a = craft_address(source);
    struct rules_entry entries[] = {
        {bytes_of_text("policy"), bytes_of_text(policy)},
        {bytes_of_text("0000"), bytes_of_text(rule)},
    };
    router_set_rules(w->router, w->now, &a, entries, rule[0] ? 2 : 1);
}

static const char *rules_text(struct world *w, int qube)
{
    struct router_qube_status status;
    assert_true(router_qube_status(w->router, qube, &status));
    return status.rules;
}

static void rules_decide_and_end_what_they_forbid(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17), dns = sample(false, 17);
    dns.destination_port = 53;
    open_flow(w, &c);
    struct packet back = echoed(w);
    assert_int_equal(up_to(w, &dns, "10.139.1.1"), DROP_NONE);
    assert_int_equal(router_flow_count(w->router), 2);

    set_rules(w, "10.137.0.5", "drop", "action=accept specialtarget=dns");
    assert_int_equal(router_flow_count(w->router), 1);
    assert_int_equal(down(w, back), DROP_NO_FLOW);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_RULE);
    expect_error(w, 3, 13);
    assert_int_equal(up_to(w, &dns, "10.139.1.2"), DROP_NONE);

    /* Other addresses have no rules and, here, no need of any. */
    struct craft c6 = sample(true, 17), other = sample(false, 17);
    other.source = craft_address("10.137.0.6");
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_NONE);
    assert_int_equal(up(w, w->second, craft_packet(&other)), DROP_NONE);
    set_rules(w, "fd09:24ef:4179::a89:5", "drop", "");
    assert_int_equal(up(w, w->first, craft_packet(&c6)), DROP_RULE);
    expect_error(w, 1, 1);
    assert_string_equal(rules_text(w, w->first),
                        "1 rule, else drop; IPv6: 0 rules, else drop");

    struct address a = craft_address("10.137.0.5");
    router_forget_rules(w->router, w->now, &a);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    world_free(w);
}

static void bad_rules_drop_everything_and_are_named(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    struct craft c = sample(false, 17);
    open_flow(w, &c);
    log_set_level(LOG_ERROR);
    set_rules(w, "10.137.0.5", "accept", "action=allow");
    log_set_level(LOG_INFO);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_BAD_RULES);
    expect_error(w, 3, 13);
    assert_non_null(
        strstr(rules_text(w, w->first), "rule 0000: bad value: action=allow"));
    set_rules(w, "10.137.0.5", "accept", "");
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NONE);
    world_free(w);
}

static void without_rules_nothing_passes_where_rules_are_expected(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    struct router_options options = {.flows = 64};
    w->router = router_new(&options);
    w->now = (struct instant){1000000};
    w->tunnel = (struct tunnel){.ipv4 = {craft_address("10.8.0.2"), 24},
                                .mtu = 1500,
                                .redirect_ipv4 = true};
    assert_true(packet_batch_init(&w->replies, 8, 2048));
    router_tunnel_up(w->router, w->now, &w->tunnel);
    /* They may come before their qube. */
    set_rules(w, "10.137.0.6", "drop", "action=accept");
    struct address a = craft_address("10.137.0.5"),
                   b = craft_address("10.137.0.6");
    w->first = router_add_qube(w->router, w->now, "a", &a, NULL);
    w->second = router_add_qube(w->router, w->now, "b", &b, NULL);
    struct craft c = sample(false, 17);
    assert_int_equal(up(w, w->first, craft_packet(&c)), DROP_NO_RULES);
    assert_int_equal(w->replies.count, 0);
    assert_string_equal(rules_text(w, w->first), "drop (no rules yet)");
    c.source = b;
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_NONE);
    assert_string_equal(rules_text(w, w->second), "1 rule, else drop");
    /* And stay when it goes and another takes its address. */
    router_remove_qube(w->router, w->second);
    assert_int_equal(router_flow_count(w->router), 0);
    assert_int_equal(router_add_qube(w->router, w->now, "c", &b, NULL),
                     w->second);
    assert_int_equal(up(w, w->second, craft_packet(&c)), DROP_NONE);
    world_free(w);
}

static void rules_come_from_a_file_too(void **state)
{
    (void)state;
    struct world *w = world_new(64);
    size_t line;
    static const char text[] =
        "# of two qubes, mixed\n"
        "/qubes-firewall/10.137.0.5/policy drop\n"
        "/qubes-firewall/10.137.0.6/policy drop\n"
        "\n"
        "/qubes-firewall/10.137.0.5/0001 action=accept proto=udp\n"
        "/qubes-firewall/10.137.0.6/0000 action=drop\n"
        "/qubes-firewall/10.137.0.5/0000 action=drop dst4=192.0.2.1\n";
    assert_true(
        router_load_rules(w->router, w->now, bytes_of_text(text), &line));
    assert_string_equal(rules_text(w, w->second), "1 rule, else drop");
    struct craft c = sample(false, 17);
    assert_int_equal(up_to(w, &c, "192.0.2.2"), DROP_NONE);
    assert_int_equal(up_to(w, &c, "192.0.2.1"), DROP_RULE);
    static const char *const wrong[] = {
        "/qubes-firewall/10.137.0.5/policy",
        "/qubes-firewall/10.137.0.5 drop",
        "/qubes-firewall/10.137.0/policy drop",
        "/qubes-firewall/ drop",
        "/other/10.137.0.5/policy drop",
        "x",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char lines[100] = "\n\n";
        strcat(lines, wrong[i]);
        assert_false(
            router_load_rules(w->router, w->now, bytes_of_text(lines), &line));
        assert_int_equal(line, 3);
    }
    assert_string_equal(rules_text(w, w->second), "1 rule, else drop");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_back_is_what_was_sent),
        cmocka_unit_test(a_super_packet_goes_the_way_of_its_segments),
        cmocka_unit_test(one_port_stands_for_one_port_everywhere),
        cmocka_unit_test(mss_is_lowered_both_ways),
        cmocka_unit_test(nothing_comes_in_without_a_flow),
        cmocka_unit_test(random_packets_from_outside_open_nothing),
        cmocka_unit_test(errors_about_known_flows_reach_the_qube),
        cmocka_unit_test(an_error_must_quote_a_packet_of_ours),
        cmocka_unit_test(errors_of_a_qube_go_out_translated),
        cmocka_unit_test(refusals_are_answered_at_once),
        cmocka_unit_test(without_ipv6_it_is_refused_and_never_leaks),
        cmocka_unit_test(noise_and_spoofing_are_dropped_in_silence),
        cmocka_unit_test(the_gateway_answers_ping),
        cmocka_unit_test(answers_are_limited_in_rate),
        cmocka_unit_test(a_connection_from_before_is_reset),
        cmocka_unit_test(dns_goes_to_the_tunnels_resolvers_only),
        cmocka_unit_test(one_resolver_serves_both_from_the_same_port),
        cmocka_unit_test(without_resolvers_dns_is_refused),
        cmocka_unit_test(flows_end_when_their_time_is_over),
        cmocka_unit_test(a_new_tunnel_address_ends_flows_the_same_keeps_them),
        cmocka_unit_test(a_greedy_qube_cannot_push_out_another),
        cmocka_unit_test(qubes_are_counted_apart),
        cmocka_unit_test(fragments_pass_as_the_packet_they_are_of),
        cmocka_unit_test(a_qube_s_fragments_are_its_own),
        cmocka_unit_test(rules_decide_and_end_what_they_forbid),
        cmocka_unit_test(bad_rules_drop_everything_and_are_named),
        cmocka_unit_test(without_rules_nothing_passes_where_rules_are_expected),
        cmocka_unit_test(rules_come_from_a_file_too),
    };
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
