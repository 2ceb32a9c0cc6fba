#include "gateway/router/router.h"

#include <stdlib.h>

#include "gateway/packet/ip_packet.h"
#include "tests/fuzz/target.h"
#include "tests/packet/craft.h"
#include "tests/packet/parsed.h"

static const struct address qube4 = {ADDRESS_IPV4, {10, 137, 0, 5}};
static const struct address qube6 = {ADDRESS_IPV6, {0xfd, 9, [15] = 5}};
static const struct address visible = {ADDRESS_IPV4, {192, 168, 1, 2}};
static const struct address seen_gateway = {ADDRESS_IPV4, {192, 168, 1, 1}};
static const struct address unset;
static struct qube *the_qube;
/* The qube sees this as its own. */
static const struct address *own4;

static const struct tunnel tunnel = {
    .ipv4 = {{ADDRESS_IPV4, {10, 8, 0, 2}}, 24},
    .ipv6 = {{ADDRESS_IPV6, {0xfd, 8, [15] = 2}}, 64},
    .mtu = 1400,
    .redirect_ipv4 = true,
    .redirect_ipv6 = true,
    .resolver_count = 1,
    .resolvers = {{ADDRESS_IPV4, {9, 9, 9, 9}}},
};

static bool is(const struct packet *p, size_t at4, size_t at6,
               const struct address *v4, const struct address *v6)
{
    if (p->data[0] >> 4 == 4)
        return memcmp(p->data + at4, v4->bytes, 4) == 0;
    return memcmp(p->data + at6, v6->bytes, 16) == 0;
}

/* Makes the packet's own end right, and its header checksum, or nothing
 * would come further than the first question. */
static void mend(struct packet *p, bool up)
{
    if (p->data[0] >> 4 == 4 && p->size >= 20) {
        size_t header = (size_t)(p->data[0] & 15) * 4;
        memcpy(p->data + (up ? 12 : 16),
               up ? own4->bytes : tunnel.ipv4.address.bytes, 4);
        if (header >= 20 && header <= p->size)
            ip_write_checksum(
                &(struct ip_packet){.data = p->data,
                                    .family = ADDRESS_IPV4,
                                    .transport = (uint16_t)header});
    }
    if (p->data[0] >> 4 == 6 && p->size >= 40)
        memcpy(p->data + (up ? 8 : 24),
               up ? qube6.bytes : tunnel.ipv6.address.bytes, 16);
}

static void pass_one(struct router *r, struct instant now, const uint8_t *op,
                     struct bytes bytes, struct packet_batch *replies)
{
    bool up = op[0] & 1;
    struct packet p = {
        .data = malloc(bytes.size),
        .size = (uint32_t)bytes.size,
        .qube = (op[0] & 6) == 6 ? NULL : the_qube,
        .checksum = op[0] >> 3 & 1,
        .gso = (op[0] >> 4 & 3) % 3,
        .gso_size = (uint16_t)(op[1] * 8),
    };
    uint8_t *memory = p.data;
    memcpy(p.data, bytes.data, bytes.size);
    mend(&p, up);
    struct packet_batch batch = {.packets = &p, .count = 1, .capacity = 1};
    packet_batch_reset(replies);
    if (up)
        router_from_qubes(r, now, &batch, replies);
    else if ((p.drop = (uint8_t)ip_packet_parse(&p)) == DROP_NONE)
        router_from_tunnel(r, now, &batch, replies);
    check(p.drop != DROP_NONE || parsed_truly(&p));
    if (p.drop == DROP_NONE && up)
        check(is(&p, 12, 8, &tunnel.ipv4.address, &tunnel.ipv6.address));
    /* IPv6 would tell a fooled qube where it is. */
    if (p.drop == DROP_NONE && own4 == &visible)
        check(p.data[0] >> 4 == 4);
    if (p.drop == DROP_NONE && !up)
        check(p.qube == the_qube && is(&p, 16, 24, own4, &qube6));
    for (size_t i = 0; i < replies->count; i++) {
        const struct packet *reply = &replies->packets[i];
        if (up)
            check(p.drop != DROP_NONE && reply->qube == the_qube &&
                  is(reply, 16, 24, own4, &qube6));
        else
            check(p.drop == DROP_TOO_BIG &&
                  is(reply, 12, 8, &tunnel.ipv4.address, &tunnel.ipv6.address));
    }
    free(memory);
}

/* One router for all inputs, because making one is slow: the qube goes after
 * each, and an hour passes, so that nothing of it is left. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packet_batch replies;
    static struct router *r;
    static struct instant now = {1000000};
    if (!r) {
        struct router_options options = {.flows = 32, .accept_unruled = true};
        r = router_new(&options);
        check(r && packet_batch_init(&replies, 4, 2048));
        router_tunnel_up(r, now, &tunnel);
    }
    the_qube = router_add_qube(r, now, "qube", &qube4, &qube6);
    check(the_qube != NULL);
    bool fooled = size > 0 && (data[size - 1] & 1);
    own4 = fooled ? &visible : &qube4;
    router_show_addresses(r, now, &qube4, fooled ? &visible : &unset,
                          fooled ? &seen_gateway : &unset);
    while (size > 4) {
        size_t n = load_u16(data + 2) % 2048;
        if (n > size - 4)
            n = size - 4;
        if (n > 0)
            pass_one(r, now, data, bytes_of(data + 4, n), &replies);
        now.us += (int64_t)(data[0] >> 6) * 10000000;
        data += 4 + n;
        size -= 4 + n;
    }
    check(router_flow_count(r) <= 32);
    router_remove_qube(r, the_qube);
    check(router_flow_count(r) == 0);
    now.us += 3600 * 1000000LL;
    router_expire(r, now);
    return 0;
}
