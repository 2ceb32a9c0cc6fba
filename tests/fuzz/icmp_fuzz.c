#include "gateway/packet/icmp.h"

#include <stdlib.h>

#include "firewall/firewall.h"
#include "gateway/packet/ip_packet.h"
#include "tests/fuzz/target.h"
#include "tests/packet/craft.h"

static const struct address qube4 = {ADDRESS_IPV4, {10, 137, 0, 5}};
static const struct address qube6 = {ADDRESS_IPV6, {0xfd, 9, [15] = 5}};
static const struct address far4 = {ADDRESS_IPV4, {198, 51, 100, 7}};
static const struct address far6 = {ADDRESS_IPV6, {0x20, 1, [15] = 7}};
static const struct address router4 = {ADDRESS_IPV4, {203, 0, 113, 1}};
static const struct address router6 = {ADDRESS_IPV6, {0x20, 2, [15] = 1}};
static const struct tunnel tunnel = {
    .ipv4 = {{ADDRESS_IPV4, {10, 8, 0, 2}}, 24},
    .ipv6 = {{ADDRESS_IPV6, {0xfd, 8, [15] = 2}}, 64},
    .mtu = 1400,
};

static struct qube qube;

static enum drop any_way(struct firewall_way *way, struct instant now,
                         const struct packet *packet, bool known)
{
    (void)way;
    (void)now;
    (void)packet;
    (void)known;
    return DROP_NONE;
}

static enum drop send(struct firewall *f, struct instant now, struct packet *p)
{
    struct firewall_way way = {.judge = any_way};
    p->qube = &qube;
    return firewall_send(f, now, p, &way);
}

/* Sends a packet of the flow that the errors are about; its bytes. */
static struct packet open_flow(struct firewall *f, struct instant now, bool v6,
                               uint8_t protocol)
{
    struct craft c = {
        .source = v6 ? qube6 : qube4,
        .destination = v6 ? far6 : far4,
        .protocol = protocol,
        .source_port = 4000,
        .destination_port = 443,
        .sequence = 1000,
        .flags = 2,
        .icmp_type = v6 ? 128 : 8,
        .icmp_rest = 0x0fa00001,
        .payload = {(const uint8_t *)"payload", 7},
    };
    struct packet p = craft_packet(&c);
    check(ip_packet_parse(&p) == DROP_NONE && send(f, now, &p) == DROP_NONE);
    return p;
}

static bool everywhere(const void *table, const struct address *destination)
{
    (void)table;
    (void)destination;
    return true;
}

/* An error from either side that quotes the packet, bent by the input: byte
 * pairs of (where, what to xor), after the choices of the first four. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || size > 200)
        return 0;
    static const uint8_t protocols[] = {6, 17, 1, 6, 17, 58};
    bool v6 = data[0] % 6 >= 3, down = data[1] & 1;
    static struct firewall *f;
    static struct instant now = {1000000};
    if (!f) {
        struct firewall_options options = {.flows = 8, .accept_unruled = true};
        f = firewall_new(&options);
        check(f != NULL);
        const struct firewall_routes routes = {NULL, everywhere};
        firewall_set_tunnel(f, now, &tunnel, &routes);
    }
    /* An hour later nothing is left of the input before. */
    now.us += 3600 * 1000000LL;
    firewall_expire(f, now);
    qube = (struct qube){.ipv4 = qube4, .ipv6 = qube6};
    check(firewall_add_qube(f, &qube));
    struct packet sent = open_flow(f, now, v6, protocols[data[0] % 6]);

    static uint8_t quoted[256];
    size_t quoted_size = data[2] < sent.size ? data[2] : sent.size;
    memcpy(quoted, sent.data, quoted_size);
    for (size_t i = 4; i + 1 < size; i += 2)
        quoted[data[i]] ^= data[i + 1];
    struct craft c = {
        .source = down ? (v6 ? router6 : router4) : (v6 ? qube6 : qube4),
        .destination = down ? (v6 ? tunnel.ipv6.address : tunnel.ipv4.address)
                            : (v6 ? far6 : far4),
        .protocol = v6 ? 58 : 1,
        .icmp_type = v6            ? 1 + data[3] % 4
                     : data[3] & 1 ? 3
                                   : 11,
        .icmp_code = data[3] >> 4,
        .icmp_rest = 1400,
        .payload = bytes_of(quoted, quoted_size),
    };
    struct packet p = craft_packet(&c);
    if (ip_packet_parse(&p) == DROP_NONE && icmp_is_error(&p.ip)) {
        uint8_t before[600];
        memcpy(before, p.data, p.size);
        enum drop drop =
            down ? firewall_receive(f, now, &p, 1500) : send(f, now, &p);
        if (drop == DROP_NONE)
            check(craft_checksums_right(p.data, p.size));
        else
            check(memcmp(before, p.data, p.size) == 0);
    }
    free(p.data);
    free(sent.data);
    firewall_remove_qube(f, now, &qube);
    return 0;
}
