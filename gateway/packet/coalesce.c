#include "gateway/packet/coalesce.h"

#include <stdlib.h>

#include "gateway/packet/checksum.h"
#include "gateway/packet/ip_packet.h"

enum {
    GROUPS_MAX = 16, /* flows that can grow at the same time */
    NO_DATAGRAM = UINT16_MAX,
    UDP_PIECES_MAX = 63, /* with the first 64: Linux' UDP_MAX_SEGMENTS */
};

/* A packet of the batch that may still grow. */
struct group {
    struct packet *packet;
    uint16_t last;          /* datagram that ends it so far */
    uint16_t mss;           /* payload bytes of all but the last */
    uint32_t next_sequence; /* TCP */
    uint16_t next_id;       /* IPv4 without DF */
};

struct coalesce {
    bool join_udp;
    uint16_t group_count;
    struct group groups[GROUPS_MAX]; /* the open ones, the oldest first */
    /* The payload of each datagram, chained into packets, and then laid out
     * packet by packet in `pieces`. */
    struct bytes payloads[BURST_DATAGRAMS_MAX];
    uint16_t next[BURST_DATAGRAMS_MAX];
    uint16_t first[BURST_DATAGRAMS_MAX]; /* of each packet in the batch */
    struct bytes pieces[BURST_DATAGRAMS_MAX];
};

struct coalesce *coalesce_new(void)
{
    return calloc(1, sizeof(struct coalesce));
}

void coalesce_free(struct coalesce *c)
{
    free(c);
}

void coalesce_join_udp(struct coalesce *c, bool join)
{
    c->join_udp = join;
}

/* No group of a later packet's flow may stand open once that packet is on
 * its own: what follows would overtake it. */
static void close_group(struct coalesce *c, size_t index)
{
    c->group_count--;
    memmove(&c->groups[index], &c->groups[index + 1],
            (c->group_count - index) * sizeof c->groups[0]);
}

static bool same_flow(const struct ip_packet *a, const struct ip_packet *b)
{
    return a->source_port == b->source_port &&
           a->destination_port == b->destination_port &&
           a->protocol == b->protocol && a->family == b->family &&
           memcmp(ip_source(a), ip_source(b), 2 * ip_address_size(a)) == 0;
}

/* The open group of the packet's flow, or GROUPS_MAX. */
static size_t find_group(const struct coalesce *c, const struct ip_packet *ip)
{
    for (size_t i = 0; i < c->group_count; i++)
        if (same_flow(&c->groups[i].packet->ip, ip))
            return i;
    return GROUPS_MAX;
}

static bool checksum_is_right(const struct ip_packet *ip)
{
    const uint8_t *t = ip_transport(ip);
    uint32_t size = ip->total - ip->transport;
    if (ip->protocol == IP_UDP)
        size = load_u16(t + UDP_LENGTH);
    return checksum_fold(ip_pseudo_sum(ip, size) + checksum_sum(t, size)) ==
           0xffff;
}

static bool udp_without_checksum(const struct ip_packet *ip)
{
    return ip->protocol == IP_UDP && ip->family == ADDRESS_IPV4 &&
           load_u16(ip_transport(ip) + UDP_CHECKSUM) == 0;
}

/* May it be joined to anything at all? */
static bool joinable(const struct coalesce *c, const struct ip_packet *ip)
{
    if (ip->options || ip_payload_size(ip) == 0 ||
        ip->transport !=
            (ip->family == ADDRESS_IPV4 ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE))
        return false;
    /* No super-packet may have to be cut finer than it was: UDP cannot be, and
     * of IPv4 identifications there would be too few. */
    if (!ip->dont_fragment && ip->total > PACKET_QUBE_MTU)
        return false;
    if (ip->protocol == IP_TCP)
        return (ip->tcp_flags & (TCP_SYN | TCP_RST | TCP_URG | TCP_ACK)) ==
               TCP_ACK;
    return c->join_udp && ip->total <= PACKET_QUBE_MTU &&
           load_u16(ip_transport(ip) + UDP_LENGTH) == ip->total - ip->transport;
}

/* The fields that segments of one super-packet have in common, besides the
 * flow. */
static bool same_ip_header(const struct group *g, const struct ip_packet *ip)
{
    const struct ip_packet *h = &g->packet->ip;
    if (h->ttl != ip->ttl)
        return false;
    if (ip->family == ADDRESS_IPV6)
        return memcmp(h->data, ip->data, 4) == 0; /* class and flow label */
    return h->data[IPV4_TOS] == ip->data[IPV4_TOS] &&
           h->dont_fragment == ip->dont_fragment &&
           (ip->dont_fragment || ip->fragment_id == g->next_id);
}

static bool continues_tcp(const struct group *g, const struct ip_packet *ip)
{
    const struct ip_packet *head = &g->packet->ip;
    const uint8_t *a = ip_transport(head), *b = ip_transport(ip);
    uint16_t header_size = (uint16_t)(ip->payload - ip->transport);
    return load_u32(b + TCP_SEQUENCE) == g->next_sequence &&
           !(ip->tcp_flags & TCP_CWR) &&
           ((head->tcp_flags ^ ip->tcp_flags) &
            ~(TCP_FIN | TCP_PSH | TCP_CWR)) == 0 &&
           a[TCP_DATA_OFFSET] == b[TCP_DATA_OFFSET] &&
           memcmp(a + TCP_ACKNOWLEDGEMENT, b + TCP_ACKNOWLEDGEMENT, 4) == 0 &&
           memcmp(a + TCP_WINDOW, b + TCP_WINDOW, 2) == 0 &&
           memcmp(a + TCP_HEADER_SIZE, b + TCP_HEADER_SIZE,
                  header_size - TCP_HEADER_SIZE) == 0;
}

static bool continues(const struct group *g, const struct ip_packet *ip)
{
    return ip_payload_size(ip) <= g->mss &&
           g->packet->piece_count <
               (ip->protocol == IP_TCP ? PACKET_PIECES_MAX : UDP_PIECES_MAX) &&
           packet_total(g->packet) + ip_payload_size(ip) <= PACKET_SIZE_MAX &&
           same_ip_header(g, ip) &&
           (ip->protocol == IP_UDP || continues_tcp(g, ip));
}

/* Nothing may follow a short segment, or one that asks to be pushed. */
static bool ends_group(const struct ip_packet *ip, uint16_t mss)
{
    return ip_payload_size(ip) < mss ||
           (ip->protocol == IP_TCP && (ip->tcp_flags & (TCP_PSH | TCP_FIN)));
}

static void open_group(struct coalesce *c, struct packet *packet)
{
    const struct ip_packet *ip = &packet->ip;
    uint16_t mss = (uint16_t)ip_payload_size(ip);
    if (mss < IP_GSO_SIZE_MIN || ends_group(ip, mss))
        return;
    if (c->group_count == GROUPS_MAX)
        close_group(c, 0);
    c->groups[c->group_count++] = (struct group){
        .packet = packet,
        .last = NO_DATAGRAM,
        .mss = mss,
        .next_sequence = load_u32(ip_transport(ip) + TCP_SEQUENCE) + mss,
        .next_id = (uint16_t)(ip->fragment_id + 1),
    };
}

static void join(struct coalesce *c, struct group *g,
                 const struct ip_packet *ip, uint16_t datagram, uint16_t place)
{
    struct packet *packet = g->packet;
    uint32_t size = ip_payload_size(ip);
    c->payloads[datagram] = bytes_of(ip->data + ip->payload, size);
    c->next[datagram] = NO_DATAGRAM;
    if (g->last == NO_DATAGRAM)
        c->first[place] = datagram;
    else
        c->next[g->last] = datagram;
    g->last = datagram;
    if (ip->protocol == IP_TCP)
        packet->ip.tcp_flags |= ip->tcp_flags & (TCP_FIN | TCP_PSH);
    g->next_sequence += size;
    g->next_id++;

    packet->piece_count++;
    packet->piece_bytes += size;
    packet->gso_size = g->mss;
    packet->gso = ip->protocol == IP_TCP ? PACKET_GSO_TCP : PACKET_GSO_UDP;
    packet->checksum = PACKET_CHECKSUM_PARTIAL;
}

/* Lengths, flags and checksums of a packet that has grown. */
static void write_head(struct packet *p)
{
    struct ip_packet *ip = &p->ip;
    ip->total = packet_total(p);
    uint32_t transport_size = ip->total - ip->transport;
    if (ip->family == ADDRESS_IPV4)
        store_u16(p->data + IPV4_TOTAL_LENGTH, (uint16_t)ip->total);
    else
        store_u16(p->data + IPV6_PAYLOAD_LENGTH, (uint16_t)transport_size);
    ip_write_checksum(ip);

    uint8_t *t = ip_transport(ip);
    uint16_t partial = checksum_fold(ip_pseudo_sum(ip, transport_size));
    if (p->gso == PACKET_GSO_TCP) {
        t[TCP_FLAGS] = ip->tcp_flags;
        store_u16(t + TCP_CHECKSUM, partial);
    } else {
        store_u16(t + UDP_LENGTH, (uint16_t)transport_size);
        store_u16(t + UDP_CHECKSUM, partial);
    }
}

static void finish(struct coalesce *c, struct packet *packets, size_t count)
{
    uint16_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (packets[i].piece_count == 0)
            continue;
        packets[i].pieces = &c->pieces[used];
        for (uint16_t d = c->first[i]; d != NO_DATAGRAM; d = c->next[d])
            c->pieces[used++] = c->payloads[d];
        write_head(&packets[i]);
    }
}

/* Judges the packet on its own, and whether others may join it. */
static bool judge(const struct coalesce *c, struct packet *p)
{
    const struct ip_packet *ip = &p->ip;
    p->drop = (uint8_t)ip_packet_parse(p);
    if (p->drop != DROP_NONE || ip_is_fragment(ip) ||
        (ip->protocol != IP_TCP && ip->protocol != IP_UDP))
        return false;
    if (udp_without_checksum(ip))
        return false;
    if (!checksum_is_right(ip)) {
        p->drop = DROP_TRANSPORT_CHECKSUM;
        return false;
    }
    p->checksum = PACKET_CHECKSUM_VALID;
    return joinable(c, ip);
}

/* False when the batch is full; the packets of this call begin at `start`. */
static bool take(struct coalesce *c, const struct datagram *d, uint16_t index,
                 struct packet_batch *batch, uint16_t start)
{
    struct packet view = {
        .data = d->data + d->inner_offset,
        .size = d->inner_size,
        .headroom = d->inner_offset,
    };
    const struct ip_packet *ip = &view.ip;
    bool may_join = judge(c, &view);
    /* A packet that did not parse has no flow; it is dropped and has no order.
     * */
    size_t g = ip->data ? find_group(c, ip) : GROUPS_MAX;
    if (g < GROUPS_MAX) {
        struct group *group = &c->groups[g];
        if (may_join && continues(group, ip)) {
            join(c, group, ip, index,
                 (uint16_t)(group->packet - &batch->packets[start]));
            if (ends_group(ip, group->mss))
                close_group(c, g);
            return true;
        }
    }
    struct packet *p = packet_batch_add(batch);
    if (!p)
        return false;
    *p = view;
    if (g < GROUPS_MAX)
        close_group(c, g);
    /* A fragment's flow is not known: it overtakes nobody. */
    if (ip->data && ip_is_fragment(ip))
        c->group_count = 0;
    if (may_join)
        open_group(c, p);
    return true;
}

bool coalesce(struct coalesce *c, struct burst *burst, uint16_t *next,
              struct packet_batch *batch)
{
    uint16_t start = batch->count;
    bool done = true;
    c->group_count = 0;
    for (; *next < burst->count; (*next)++) {
        const struct datagram *d = &burst->datagrams[*next];
        if (d->drop != DROP_NONE || d->inner_size == 0)
            continue;
        if (!take(c, d, *next, batch, start)) {
            done = false;
            break;
        }
    }
    finish(c, &batch->packets[start], (size_t)(batch->count - start));
    return done;
}
