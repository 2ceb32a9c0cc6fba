/* A router with two qubes, a tunnel and somebody outside, and what tests of
 * the router do with them. */
#ifndef TESTS_ROUTER_WORLD_H
#define TESTS_ROUTER_WORLD_H

#include "gateway/router/router.h"

#include "gateway/packet/checksum.h"
#include "gateway/packet/icmp.h"
#include "tests/packet/craft.h"
#include "tests/packet/parsed.h"
#include "tests/unit.h"

/* Two qubes, a tunnel, and somebody outside. */
struct world {
    struct router *router;
    struct instant now;
    struct tunnel tunnel;
    struct qube *first, *second;
    struct packet_batch replies;
    uint64_t seed;
    uint8_t payload[60000];
    /* The last packet that left, flat, and how it was sent. */
    uint8_t out[66000];
    size_t out_size;
    struct packet packet;
};

static inline struct world *world_new(uint32_t flows)
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

static inline void world_free(struct world *w)
{
    free(w->packet.data);
    packet_batch_clear(&w->replies);
    router_free(w->router);
    free(w);
}

static inline void keep(struct world *w, struct packet *p)
{
    if (p->drop == DROP_NONE)
        assert_true(parsed_truly(p));
    for (size_t i = 0; i < w->replies.count; i++)
        assert_true(parsed_truly(&w->replies.packets[i]));
    free(w->packet.data);
    w->packet = *p;
    w->out_size = p->size;
    memcpy(w->out, p->data, p->size);
}

/* Through the router, alone in a batch. */
static inline enum drop up(struct world *w, struct qube *qube, struct packet p)
{
    struct packet_batch batch = {.packets = &p, .count = 1, .capacity = 1};
    p.qube = qube;
    packet_batch_reset(&w->replies);
    router_from_qubes(w->router, w->now, &batch, &w->replies);
    keep(w, &p);
    return p.drop;
}

static inline enum drop down(struct world *w, struct packet p)
{
    struct packet_batch batch = {.packets = &p, .count = 1, .capacity = 1};
    p.drop = (uint8_t)ip_packet_parse(&p); /* as coalesce does */
    packet_batch_reset(&w->replies);
    router_from_tunnel(w->router, w->now, &batch, &w->replies);
    keep(w, &p);
    return p.drop;
}

static inline struct craft sample(bool v6, uint8_t protocol)
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

static inline uint16_t port_at(const struct world *w, size_t offset)
{
    size_t header = w->out[0] >> 4 == 4 ? 20 : 40;
    return load_u16(w->out + header + offset);
}

static inline size_t source_at(const uint8_t *ip)
{
    return ip[0] >> 4 == 4 ? 12 : 8;
}

static inline size_t address_bytes(const uint8_t *ip)
{
    return ip[0] >> 4 == 4 ? 4 : 16;
}

/* The packet that left last, as its receiver would answer it: ends swapped,
 * and with a checksum that fits because it sums the same. */
static inline struct packet echoed(const struct world *w)
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

static inline void open_flow(struct world *w, const struct craft *c)
{
    assert_int_equal(up(w, w->first, craft_packet(c)), DROP_NONE);
    assert_true(craft_checksums_right(w->out, w->out_size));
}

/* The acknowledged start of a connection, so that data may follow. */
static inline void establish(struct world *w, struct craft *c)
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

static inline void expect_error(const struct world *w, uint8_t type,
                                uint8_t code)
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

static inline enum drop up_to(struct world *w, struct craft *c,
                              const char *address)
{
    c->destination = craft_address(address);
    return up(w, w->first, craft_packet(c));
}

static inline uint8_t *flatten(const struct packet *p)
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

#endif
