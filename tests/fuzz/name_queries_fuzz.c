#include "gateway/router/router.h"

#include <stdlib.h>

#include "gateway/packet/ip_packet.h"
#include "tests/fuzz/target.h"
#include "tests/packet/craft.h"

/* A resolver that says what the input says, and a qube whose rule drops a host
 * name: while the name is unknown nothing of the qube passes, and what is told
 * as its address is refused. */

static const struct address qube = {ADDRESS_IPV4, {10, 137, 0, 5}};
static const struct tunnel tunnel = {
    .ipv4 = {{ADDRESS_IPV4, {10, 8, 0, 2}}, 24},
    .mtu = 1400,
    .redirect_ipv4 = true,
    .resolver_count = 2,
    .resolvers = {{ADDRESS_IPV4, {9, 9, 9, 9}}, {ADDRESS_IPV4, {10, 8, 0, 1}}},
};

struct play {
    struct router *router;
    struct qube *qube;
    struct instant now;
    struct packet_batch own, replies;
    uint16_t port;
};

static enum drop probe(struct play *p, struct address to)
{
    p->port = (uint16_t)(p->port % 60000 + 1);
    struct craft c = {
        .source = qube,
        .destination = to,
        .protocol = 17,
        .source_port = p->port,
        .destination_port = 443,
    };
    struct packet packet = craft_packet(&c);
    uint8_t *memory = packet.data;
    struct packet_batch batch = {.packets = &packet, .count = 1, .capacity = 1};
    packet.qube = p->qube;
    packet_batch_reset(&p->replies);
    router_from_qubes(p->router, p->now, &batch, &p->replies);
    free(memory);
    return packet.drop;
}

static bool waits(const struct play *p)
{
    return p->qube->wait_text[0] != 0;
}

/* The number and the question are the question's own, or little would be
 * reached. */
static struct packet reply(const struct packet *question, struct bytes input)
{
    static uint8_t message[2048];
    const uint8_t *udp = question->data + 20;
    size_t end = 12, size = load_u16(udp + 4) - 8u;
    memcpy(message, udp + 8, size);
    while (message[end])
        end += message[end] + 1u;
    end += 5;
    size_t flags = input.size < 10 ? input.size : 10;
    memcpy(message + 2, input.data, flags);
    message[2] |= 0x80;
    store_u16(message + 4, 1);
    memcpy(message + end, input.data + flags, input.size - flags);
    struct craft c = {
        .source = address_from_bytes(ADDRESS_IPV4, question->data + 16),
        .destination = tunnel.ipv4.address,
        .protocol = 17,
        .source_port = 53,
        .destination_port = load_u16(udp),
        .payload = bytes_of(message, end + input.size - flags),
    };
    return craft_packet(&c);
}

static void answer(struct play *p, struct bytes input)
{
    struct packet packet = reply(&p->own.packets[0], input);
    uint8_t *memory = packet.data;
    struct packet_batch batch = {.packets = &packet, .count = 1, .capacity = 1};
    packet_batch_reset(&p->replies);
    check(ip_packet_parse(&packet) == DROP_NONE);
    router_from_tunnel(p->router, p->now, &batch, &p->replies);
    check(packet.drop != DROP_NONE && p->replies.count == 0);
    free(memory);
}

static void check_closed(struct play *p)
{
    static const struct address other = {ADDRESS_IPV4, {198, 51, 100, 9}};
    enum drop drop = probe(p, other);
    check(waits(p) ? drop == DROP_NAME_UNKNOWN || drop == DROP_RULE
                   : drop == DROP_NONE || drop == DROP_RULE);
}

static void play(struct play *p, const uint8_t *data, size_t size)
{
    while (size > 3) {
        size_t n = load_u16(data + 1) % 1400;
        if (n > size - 3)
            n = size - 3;
        p->now.us += (int64_t)(data[0] & 63) * 2000000;
        router_expire(p->router, p->now);
        packet_batch_reset(&p->own);
        router_own_packets(p->router, p->now, &p->own);
        if (p->own.count > 0 && !(data[0] & 64))
            answer(p, bytes_of(data + 3, n));
        check_closed(p);
        data += 3 + n;
        size -= 3 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play p = {.now = {1000000}};
    static const char *const rules[] = {"action=drop dsthost=a.b",
                                        "action=drop dsthost=www.example.org"};
    if (!p.router) {
        struct router_options options = {.flows = 512, .accept_unruled = true};
        be_quiet();
        p.router = router_new(&options);
        check(p.router && packet_batch_init(&p.own, 16, 2048) &&
              packet_batch_init(&p.replies, 4, 2048));
    }
    router_tunnel_up(p.router, p.now, &tunnel);
    p.qube = router_add_qube(p.router, p.now, "qube", &qube, NULL);
    check(p.qube != NULL);
    struct rules_entry entries[] = {
        {bytes_of_text("policy"), bytes_of_text("accept")},
        {bytes_of_text("0000"), bytes_of_text(rules[size & 1])},
    };
    router_set_rules(p.router, p.now, &qube, entries, 2);
    check(waits(&p));
    play(&p, data, size);
    router_forget_rules(p.router, p.now, &qube);
    router_remove_qube(p.router, p.qube);
    router_tunnel_down(p.router, p.now);
    p.now.us += 3600 * 1000000LL;
    router_expire(p.router, p.now);
    return 0;
}
