/* The way of packets of two qubes as traffic.c joins it: network card, router
 * and segment on the way out, coalesce, router and the card on the way back. An
 * input is a list of orders of twelve bytes; what they make is nearly right, so
 * that it comes far. The packets that leave are judged from outside. */
#include "gateway/link/card.h"
#include "gateway/packet/checksum.h"
#include "gateway/packet/coalesce.h"
#include "gateway/packet/ip_packet.h"
#include "gateway/packet/segment.h"
#include "gateway/router/router.h"
#include "tests/fuzz/target.h"
#include "tests/packet/craft.h"
#include "tests/packet/parsed.h"

enum {
    ORDER_SIZE = 12,
    QUBES = 2,
    PLACES = 8,
    FORBIDDEN = 3, /* from here on they are nowhere that a tunnel leads to */
    FLOWS = 64,
    SENT_MAX = 16, /* datagrams that are remembered, to be answered */
    TUNNEL_MTU = 1400,
    CARD_MTU = 1500,
    REPLY_BYTES = PACKET_HEADROOM + 2048, /* as in traffic.c */
    ID_WINDOW = 4096, /* datagrams in which no identification repeats */
    TRAIN_MAX = 8,
    INBOUND = 8, /* packets in a batch */
};

/* The hosts, of IPv4 and IPv6. */
static const char *const qube_texts[2][QUBES] = {{"10.137.0.5", "10.137.0.6"},
                                                 {"fd09::5", "fd09::6"}};
static const char *const outside_texts[2] = {"10.8.0.2", "fd08::2"};
static const char *const place_texts[2][PLACES] = {
    {"198.51.100.7", "198.51.100.8", "9.9.9.9", "10.139.1.1", "10.137.0.6",
     "10.8.0.2", "224.0.0.1", "10.137.0.5"},
    {"2001:db8::7", "2001:db8::8", "2620:fe::fe", "fe80::fcff:ffff:feff:ffff",
     "fd09::6", "fd08::2", "ff02::1", "fd09::5"}};
static const uint8_t protocols[2][4] = {{6, 17, 1, 47}, {6, 17, 58, 47}};

struct order {
    uint8_t kind, flags, what, more;
    uint16_t size, gso_size, where;
    uint8_t change, cut;
};

enum flag {
    OFFLOAD = 1,
    SUPER = 2,
    DONT_FRAGMENT = 4,
    WITHOUT_CHECKSUM = 8,
    IN_FRAGMENTS = 16,
    BACKWARDS = 32,
    UNMENDED = 64,
    AS_ERROR = 128, /* on the way back: an ICMP error about it */
};

/* A datagram that left, and the qube that sent it. */
struct sent {
    uint8_t bytes[TUNNEL_MTU];
    uint16_t size;
    uint16_t qube;
};

static struct {
    struct qube *made[QUBES];
    struct address qubes[2][QUBES], outside[2], places[2][PLACES];
    struct router *router;
    struct coalesce *coalesce;
    struct card cards[QUBES];
    struct packet_batch replies, inbound;
    struct burst out, in, parts;
    struct instant now;
    struct sent sent[SENT_MAX];
    size_t sent_count;
    /* For each port of UDP and TCP the qube that sent last from it, and one. */
    uint8_t owners[2][2][65536];
    uint64_t left; /* IPv4 datagrams that may be fragmented */
    struct {
        uint8_t destination[4];
        uint64_t left;
    } ids[65536]; /* and when which had that number */
} w;

static const struct burst_layout layout = {.head = 64, .tail = 16};

static bool is_at(const uint8_t *bytes, const struct address *a)
{
    return memcmp(bytes, a->bytes, address_size(a->family)) == 0;
}

static struct ip_packet parsed(uint8_t *data, size_t size)
{
    struct packet p = {.data = data, .size = (uint32_t)size};
    check(ip_packet_parse(&p) == DROP_NONE && p.size == size);
    return p.ip;
}

/* --- What leaves --------------------------------------------------------- */

/* RFC 6864 4.3; one with DF that is whole may have any. */
static void check_id(const struct ip_packet *ip)
{
    if (ip->family == ADDRESS_IPV6 || ip->fragment_offset > 0 ||
        (ip->dont_fragment && !ip->more_fragments))
        return;
    w.left++;
    uint16_t id = (uint16_t)ip->fragment_id;
    if (memcmp(w.ids[id].destination, ip_destination(ip), 4) == 0)
        check(w.left - w.ids[id].left > ID_WINDOW);
    memcpy(w.ids[id].destination, ip_destination(ip), 4);
    w.ids[id].left = w.left;
}

/* `complete`: the checksum is ours. */
static void check_outside(uint8_t *data, uint16_t size, bool complete)
{
    check(size <= TUNNEL_MTU);
    struct ip_packet ip = parsed(data, size);
    bool v6 = ip.family == ADDRESS_IPV6;
    check(ip.ttl > 0 && is_at(ip_source(&ip), &w.outside[v6]));
    for (size_t i = FORBIDDEN; i < PLACES; i++)
        check(!is_at(ip_destination(&ip), &w.places[v6][i]));
    check(ip_destination(&ip)[0] != (v6 ? 0xff : 127));
    if (complete && !ip_is_fragment(&ip))
        check(craft_checksums_right(data, size));
    check_id(&ip);
}

static void remember(uint8_t *data, uint16_t size, uint16_t qube)
{
    struct sent *s = &w.sent[w.sent_count++ % SENT_MAX];
    struct ip_packet ip = parsed(data, size);
    bool v6 = ip.family == ADDRESS_IPV6;
    if (ip.protocol == 6 || ip.protocol == 17)
        w.owners[v6][ip.protocol == 6][ip.source_port] = (uint8_t)(qube + 1);
    memcpy(s->bytes, data, size);
    s->size = size;
    s->qube = qube;
}

static void leave(const struct packet *p, bool complete)
{
    struct segment_cursor cursor = {0};
    enum segment_result result;
    do {
        burst_reset(&w.out);
        result = segment(p, TUNNEL_MTU, &layout, &cursor, &w.out);
        for (size_t i = 0; i < w.out.count; i++) {
            struct datagram *d = &w.out.datagrams[i];
            check(p->fragment_size == 0 || d->inner_size <= p->fragment_size);
            check_outside(d->data + d->inner_offset, d->inner_size, complete);
            if (p->qube)
                remember(d->data + d->inner_offset, d->inner_size,
                         p->qube->number);
        }
    } while (result == SEGMENT_FULL);
    check(result == SEGMENT_DONE);
}

/* --- What a qube gets ---------------------------------------------------- */

static void check_for_qube(uint8_t *data, size_t size, uint16_t qube)
{
    struct ip_packet ip = parsed(data, size);
    bool v6 = ip.family == ADDRESS_IPV6;
    check(size <= CARD_MTU && qube < QUBES);
    check(is_at(ip_destination(&ip), &w.qubes[v6][qube]));
    check(!is_at(ip_source(&ip), &w.qubes[v6][!qube]));
}

static void arrive(struct packet *p)
{
    struct segment_cursor cursor = {0};
    enum segment_result result;
    uint8_t headers[CARD_HEADERS_SIZE];
    check(p->qube == w.made[p->qube->number]);
    check(card_headers(&w.cards[p->qube->number], p, headers) == DROP_NONE);
    if (p->checksum == PACKET_CHECKSUM_PARTIAL)
        check(craft_partial_right(p->data, p->size, packet_total(p)));
    do {
        burst_reset(&w.out);
        result = segment(p, CARD_MTU, &layout, &cursor, &w.out);
        for (size_t i = 0; i < w.out.count; i++) {
            struct datagram *d = &w.out.datagrams[i];
            check(p->fragment_size == 0 || d->inner_size <= p->fragment_size);
            check_for_qube(d->data + d->inner_offset, d->inner_size,
                           p->qube->number);
            if (p->gso != PACKET_GSO_NONE)
                check(craft_checksums_right(d->data + d->inner_offset,
                                            d->inner_size));
        }
    } while (result == SEGMENT_FULL);
    check(result == SEGMENT_DONE);
}

/* --- From a qube --------------------------------------------------------- */

static void pass_up(struct packet *p)
{
    struct packet_batch batch = {.packets = p, .count = 1, .capacity = 1};
    packet_batch_reset(&w.replies);
    router_from_qubes(w.router, w.now, &batch, &w.replies);
    check(w.replies.count == 0 || p->drop != DROP_NONE);
    for (size_t i = 0; i < w.replies.count; i++) {
        check(w.replies.packets[i].qube == p->qube);
        arrive(&w.replies.packets[i]);
    }
    if (p->drop == DROP_NONE)
        leave(p, p->checksum == PACKET_CHECKSUM_PARTIAL);
}

/* Virtio's header and Ethernet's, as the order says it and its packet is. */
static void write_front(const struct order *o, uint8_t *data)
{
    static const uint8_t kinds[2][2] = {{1, 4}, {5, 5}};
    bool v6 = data[0] >> 4 == 6, udp = data[v6 ? 6 : 9] == 17;
    uint8_t *virtio = data - CARD_HEADERS_SIZE, *ethernet = data - 14;
    memset(virtio, 0, CARD_HEADERS_SIZE);
    memset(ethernet, 0xfe, 6);
    ethernet[6] = 2;
    store_u16(ethernet + 12, v6 ? 0x86dd : 0x0800);
    if (!(o->flags & OFFLOAD))
        return;
    virtio[0] = 1; /* NEEDS_CSUM */
    virtio[1] = o->flags & SUPER ? kinds[udp][v6] : 0;
    virtio[4] = (uint8_t)o->gso_size;
    virtio[5] = (uint8_t)(o->gso_size >> 8);
    virtio[6] = v6 ? 54 : 34;
    virtio[8] = udp ? 6 : 16;
}

static void take_frame(const struct order *o, uint16_t qube, struct bytes bytes)
{
    static uint8_t slot[PACKET_BUFFER_SIZE];
    struct packet p = {.data = slot + PACKET_HEADROOM,
                       .headroom = PACKET_HEADROOM};
    struct frame frame;
    memcpy(p.data, bytes.data, bytes.size);
    write_front(o, p.data);
    size_t size = CARD_HEADERS_SIZE + bytes.size;
    if (card_take(&w.cards[qube], size, &p, &frame) != FRAME_PACKET)
        return;
    p.qube = w.made[qube];
    pass_up(&p);
}

/* One bit or more turned over, and its own address and checksum mended. */
static void spoil(const struct order *o, uint8_t *data, size_t size)
{
    bool v6 = data[0] >> 4 == 6;
    size_t at = o->where % (size < 128 ? size : 128);
    if ((at >= 12 && at < 16 && !v6) || (at >= 8 && at < 24 && v6))
        return;
    data[at] ^= o->change;
    if (!(o->flags & UNMENDED) && data[0] == 0x45)
        ip_write_checksum(&(struct ip_packet){
            .data = data, .family = ADDRESS_IPV4, .transport = 20});
}

/* Cuts it for a narrow way, into `parts`. */
static void cut_for(const struct order *o, const struct packet *whole)
{
    struct segment_cursor cursor = {0};
    struct packet p = *whole;
    bool v6 = p.data[0] >> 4 == 6 && p.size > 40;
    burst_reset(&w.parts);
    if (v6)
        p = craft_fragmentable(whole, o->more);
    uint16_t mtu = (uint16_t)(64 + 8 * o->cut);
    if (parsed_segment(&p, mtu, &layout, &cursor, &w.parts) != SEGMENT_DONE)
        burst_reset(&w.parts);
    if (v6)
        free(p.data);
}

static struct bytes nth_part(const struct order *o, size_t i)
{
    size_t k = o->flags & BACKWARDS ? w.parts.count - 1U - i : i;
    const struct datagram *d = &w.parts.datagrams[k];
    return bytes_of(d->data + d->inner_offset, d->inner_size);
}

static void take_in_fragments(struct order o, uint16_t qube,
                              const struct packet *whole)
{
    o.flags &= BACKWARDS;
    cut_for(&o, whole);
    for (size_t i = 0; i < w.parts.count; i++)
        take_frame(&o, qube, nth_part(&o, i));
}

static void send_up(const struct order *o, uint16_t qube)
{
    static uint8_t payload[PACKET_SIZE_MAX];
    bool v6 = o->what & 1;
    struct craft c = {
        .source = w.qubes[v6][qube],
        .destination = w.places[v6][o->what >> 1 & 7],
        .protocol = protocols[v6][o->what >> 4 & 3],
        .source_port = (uint16_t)(1000 + (o->what >> 6)),
        .destination_port = o->more & 1 ? 53 : 443,
        .flags = o->more >> 1 & 1 ? 0x02 : (uint8_t)(0x10 | o->more >> 2),
        .sequence = o->more & 2 ? 999 : 1000,
        .acknowledgement = 1,
        .window = 60000,
        .icmp_type = o->more & 128 ? o->more
                     : v6          ? 128
                                   : 8,
        .icmp_rest = (uint32_t)o->what << 16,
        .id = o->more,
        .dont_fragment = o->flags & DONT_FRAGMENT,
        .udp_without_checksum = o->flags & WITHOUT_CHECKSUM,
        .payload = bytes_of(payload, o->size % (PACKET_SIZE_MAX - 80)),
    };
    bool whole = !(o->flags & IN_FRAGMENTS);
    struct packet p = whole && o->flags & OFFLOAD ? craft_super_packet(&c, 0)
                                                  : craft_packet(&c);
    if (o->change)
        spoil(o, p.data, p.size);
    if (whole)
        take_frame(o, qube, bytes_of(p.data, p.size));
    else
        take_in_fragments(*o, qube, &p);
    free(p.data);
}

/* --- From the tunnel ----------------------------------------------------- */

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

static void mend_transport(struct ip_packet *ip, size_t at)
{
    uint32_t size = ip->total - ip->transport;
    bool pseudo = ip->protocol != 1;
    store_u16(ip_transport(ip) + at, 0);
    uint16_t sum = checksum_finish(checksum_sum(ip_transport(ip), size) +
                                   (pseudo ? ip_pseudo_sum(ip, size) : 0));
    store_u16(ip_transport(ip) + at, sum ? sum : 0xffff);
}

static void mend(uint8_t *data, uint16_t size)
{
    struct packet p = {.data = data, .size = size};
    if (data[0] >> 4 == 4)
        ip_write_checksum(&(struct ip_packet){
            .data = data, .family = ADDRESS_IPV4, .transport = 20});
    if (ip_packet_parse(&p) != DROP_NONE || ip_is_fragment(&p.ip))
        return;
    if (p.ip.protocol == 17 && load_u16(ip_transport(&p.ip) + 6) == 0)
        return;
    if (p.ip.protocol == 6)
        mend_transport(&p.ip, TCP_CHECKSUM);
    else if (p.ip.protocol == 17)
        mend_transport(&p.ip, UDP_CHECKSUM);
    else if (p.ip.protocol == 1 || p.ip.protocol == 58)
        mend_transport(&p.ip, ICMP_CHECKSUM);
}

/* The receiver's answer, as the `n`th of a train. */
static void turn(uint8_t *data, uint16_t size, const struct order *o,
                 unsigned n)
{
    bool v6 = data[0] >> 4 == 6;
    size_t address = v6 ? 16 : 4, at = v6 ? 8 : 12, header = v6 ? 40 : 20;
    uint8_t protocol = data[v6 ? 6 : 9], *t = data + header;
    swap(data + at, data + at + address, address);
    data[v6 ? 7 : 8] = 60;
    if (!v6) {
        store_u16(data + 4, (uint16_t)(o->gso_size + n));
        if (o->flags & DONT_FRAGMENT)
            data[6] |= 0x40;
    }
    bool has_ports = protocol == 6 || protocol == 17;
    if (has_ports && size >= header + 8)
        swap(t, t + 2, 2);
    if ((protocol == 1 || protocol == 58) && size >= header + 8)
        t[0] = v6 ? 129 : 0;
    if (protocol != 6 || size < header + 20)
        return;
    uint32_t length = size - (uint32_t)header - (t[12] >> 4) * 4u;
    bool syn = t[13] & 2;
    uint32_t next = load_u32(t + 4) + (syn ? 1 : length);
    store_u32(t + 4, (syn ? 0 : 1) + n * length);
    store_u32(t + 8, next);
    t[13] = syn ? 0x12 : (uint8_t)(0x10 | (o->more & 9));
}

/* A router's error about what left, which it quotes. */
static uint16_t write_error(const struct order *o, const struct sent *s,
                            uint8_t *out)
{
    bool v6 = s->bytes[0] >> 4 == 6;
    struct craft c = {
        .source = craft_address(v6 ? "2001:db8:99::1" : "203.0.113.1"),
        .destination = w.outside[v6],
        .protocol = v6 ? 58 : 1,
        .icmp_type = (uint8_t)(v6 ? 1 + (o->more & 3) : 3 + 8 * (o->more & 1)),
        .icmp_code = (uint8_t)(o->more >> 4 & 7),
        .icmp_rest = o->gso_size,
        .payload = bytes_of(s->bytes, s->size < 500 ? s->size : 500),
    };
    return (uint16_t)craft_write(&c, out);
}

static void add_inbound(struct bytes bytes)
{
    struct datagram *d = burst_reserve(&w.in, &layout, (uint32_t)bytes.size);
    if (d)
        memcpy(d->data + d->inner_offset, bytes.data, bytes.size);
}

static void add_fragments(const struct order *o, uint8_t *data, size_t size)
{
    cut_for(o, &(struct packet){.data = data, .size = (uint32_t)size});
    for (size_t i = 0; i < w.parts.count; i++)
        add_inbound(nth_part(o, i));
}

/* The qube that the packet is for, by the tunnel's port that it goes to; or
 * NULL. */
static const uint8_t *owner_of(const struct packet *p)
{
    struct packet copy = *p;
    if (ip_packet_parse(&copy) != DROP_NONE || ip_is_fragment(&copy.ip) ||
        (copy.ip.protocol != 6 && copy.ip.protocol != 17))
        return NULL;
    return &w.owners[copy.ip.family == ADDRESS_IPV6][copy.ip.protocol == 6]
                    [copy.ip.destination_port];
}

static void pass_down(void)
{
    const uint8_t *owners[INBOUND];
    uint16_t next = 0;
    bool done;
    do {
        packet_batch_reset(&w.inbound);
        done = coalesce(w.coalesce, &w.in, &next, &w.inbound);
        for (size_t i = 0; i < w.inbound.count; i++)
            owners[i] = owner_of(&w.inbound.packets[i]);
        packet_batch_reset(&w.replies);
        router_from_tunnel(w.router, w.now, &w.inbound, &w.replies);
        for (size_t i = 0; i < w.inbound.count; i++) {
            struct packet *p = &w.inbound.packets[i];
            if (p->drop != DROP_NONE)
                continue;
            check(!owners[i] || *owners[i] == p->qube->number + 1);
            arrive(p);
        }
        for (size_t i = 0; i < w.replies.count; i++)
            leave(&w.replies.packets[i], true);
    } while (!done);
}

static void send_down(const struct order *o)
{
    static uint8_t bytes[2 * CARD_MTU];
    if (w.sent_count == 0)
        return;
    size_t known = w.sent_count < SENT_MAX ? w.sent_count : SENT_MAX;
    const struct sent s = w.sent[o->what % known];
    unsigned count = o->flags & AS_ERROR ? 1 : 1 + o->size % TRAIN_MAX;
    burst_reset(&w.in);
    for (unsigned n = 0; n < count; n++) {
        uint16_t size = s.size;
        memcpy(bytes, s.bytes, size);
        if (o->flags & AS_ERROR)
            size = write_error(o, &s, bytes);
        else
            turn(bytes, size, o, n);
        if (o->change)
            bytes[o->where % size] ^= o->change;
        if (!(o->flags & UNMENDED))
            mend(bytes, size);
        if (o->flags & IN_FRAGMENTS)
            add_fragments(o, bytes, size);
        else
            add_inbound(bytes_of(bytes, size));
    }
    pass_down();
}

/* --- An input ------------------------------------------------------------ */

static void begin(void)
{
    static const struct router_options options = {.flows = FLOWS,
                                                  .accept_unruled = true};
    be_quiet();
    w.router = router_new(&options);
    w.coalesce = coalesce_new();
    check(w.router && w.coalesce &&
          packet_batch_init(&w.replies, 8, REPLY_BYTES) &&
          packet_batch_init(&w.inbound, INBOUND, 0) &&
          burst_init(&w.out, 16384) && burst_init(&w.in, 1 << 20) &&
          burst_init(&w.parts, 1 << 20));
    coalesce_join_udp(w.coalesce, true);
    w.now = (struct instant){1000000};
    for (int v6 = 0; v6 < 2; v6++) {
        w.outside[v6] = craft_address(outside_texts[v6]);
        for (size_t i = 0; i < QUBES; i++)
            w.qubes[v6][i] = craft_address(qube_texts[v6][i]);
        for (size_t i = 0; i < PLACES; i++)
            w.places[v6][i] = craft_address(place_texts[v6][i]);
    }
    const struct tunnel tunnel = {
        .ipv4 = {w.outside[0], 24},
        .ipv6 = {w.outside[1], 64},
        .mtu = TUNNEL_MTU,
        .mss_mtu = TUNNEL_MTU,
        .redirect_ipv4 = true,
        .redirect_ipv6 = true,
        .resolver_count = 1,
        .resolvers = {w.places[0][2]},
    };
    router_tunnel_up(w.router, w.now, &tunnel);
}

static struct order read_order(const uint8_t *b)
{
    return (struct order){
        b[0], b[1], b[2], b[3], load_u16(b + 4), load_u16(b + 6),
        b[8], b[9], b[10]};
}

/* One router for all inputs, because making one is slow: the qubes go after
 * each, and an hour passes, so that nothing of it is left. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mac[6] = {2};
    if (!w.router)
        begin();
    w.sent_count = 0;
    w.left += ID_WINDOW + 1;
    for (int i = 0; i < QUBES; i++) {
        card_init(&w.cards[i], "q", &w.qubes[0][i], &w.qubes[1][i], mac);
        w.made[i] = router_add_qube(w.router, w.now, "q", &w.qubes[0][i],
                                    &w.qubes[1][i]);
        check(w.made[i] && w.made[i]->number == i);
    }
    for (; size >= ORDER_SIZE; data += ORDER_SIZE, size -= ORDER_SIZE) {
        const struct order o = read_order(data);
        if (o.kind % 4 < QUBES)
            send_up(&o, o.kind % 4);
        else if (o.kind % 4 == 2)
            send_down(&o);
        else
            w.now.us += (int64_t)o.what * 100000;
        router_expire(w.router, w.now);
    }
    check(router_flow_count(w.router) <= FLOWS);
    for (int i = 0; i < QUBES; i++)
        router_remove_qube(w.router, w.made[i]);
    check(router_flow_count(w.router) == 0);
    w.now.us += 3600 * 1000000LL;
    router_expire(w.router, w.now);
    return 0;
}
