#include "gateway/packet/segment.h"

#include <assert.h>

#include "gateway/packet/checksum.h"
#include "gateway/packet/ip_packet.h"

enum { FRAGMENT_UNIT = 8 }; /* in which offsets are counted, RFC 791 3.2 */

/* Copies a packet's bytes in order, out of its first part and its pieces. */
struct source {
    const struct packet *packet;
    uint16_t piece; /* 0: the first part */
    size_t offset;  /* into it */
};

static struct bytes part(const struct source *s)
{
    const struct packet *p = s->packet;
    if (s->piece == 0)
        return bytes_of(p->data, p->size);
    return p->pieces[s->piece - 1];
}

/* False once there is no part left. */
static bool next_part(struct source *s)
{
    if (s->piece >= s->packet->piece_count)
        return false;
    s->piece++;
    s->offset = 0;
    return true;
}

static struct source source_at(const struct packet *packet, size_t offset)
{
    struct source s = {packet, 0, offset};
    while (s.offset > part(&s).size) {
        size_t beyond = s.offset - part(&s).size;
        if (!next_part(&s))
            break;
        s.offset = beyond;
    }
    return s;
}

/* Copies `size` bytes to `to` and returns their sum. */
static uint32_t copy_and_sum(struct source *s, uint8_t *to, size_t size)
{
    uint32_t sum = 0;
    size_t done = 0;
    while (done < size) {
        struct bytes here = part(s);
        size_t n = here.size - s->offset;
        if (n > size - done)
            n = size - done;
        if (n > 0) {
            uint16_t added =
                checksum_sum_copy(to + done, here.data + s->offset, n);
            sum += done % 2 ? checksum_swap(added) : added;
            s->offset += n;
            done += n;
        }
        if (done < size && !next_part(s))
            break;
    }
    return sum;
}

static void copy(struct source *s, uint8_t *to, size_t size)
{
    size_t done = 0;
    while (done < size) {
        struct bytes here = part(s);
        size_t n = here.size - s->offset;
        if (n > size - done)
            n = size - done;
        if (n > 0)
            memcpy(to + done, here.data + s->offset, n);
        s->offset += n;
        done += n;
        if (done < size && !next_part(s))
            break;
    }
}

static uint8_t *inner(const struct datagram *d)
{
    return d->data + d->inner_offset;
}

/* A burst that takes nothing although it is empty never will. */
static enum segment_result no_room(const struct burst *burst)
{
    return burst->count > 0 ? SEGMENT_FULL : SEGMENT_REFUSED;
}

static uint16_t checksum_offset(const struct ip_packet *ip)
{
    return (uint16_t)(ip->transport +
                      (ip->protocol == IP_TCP ? TCP_CHECKSUM : UDP_CHECKSUM));
}

/* The value to store, RFC 768: a UDP checksum of zero would mean "none". */
static uint16_t finished(const struct ip_packet *ip, uint32_t sum)
{
    uint16_t checksum = checksum_finish(sum);
    return checksum == 0 && ip->protocol == IP_UDP ? 0xffff : checksum;
}

static enum segment_result whole(const struct packet *p,
                                 const struct burst_layout *layout,
                                 struct burst *burst)
{
    const struct ip_packet *ip = &p->ip;
    struct datagram *d = burst_reserve(burst, layout, ip->total);
    if (!d)
        return no_room(burst);
    struct source from = source_at(p, 0);
    copy(&from, inner(d), ip->transport);
    if (p->checksum != PACKET_CHECKSUM_PARTIAL) {
        copy(&from, inner(d) + ip->transport, ip->total - ip->transport);
        return SEGMENT_DONE;
    }
    uint32_t size = ip->total - ip->transport;
    uint32_t sum = copy_and_sum(&from, inner(d) + ip->transport, size);
    uint8_t *field = inner(d) + checksum_offset(ip);
    sum += checksum_change(load_u16(field), 0);
    store_u16(field, finished(ip, sum + ip_pseudo_sum(ip, size)));
    return SEGMENT_DONE;
}

/* The part that all segments of a super-packet share. */
struct cut {
    const struct ip_packet *ip;
    uint16_t mss;
    uint32_t ip_sum;        /* IPv4 header without length, ID, checksum */
    uint32_t transport_sum; /* pseudo-header without length, header without
                               what differs between segments */
};

static void write_ip(const struct cut *c, uint8_t *out, uint32_t offset,
                     uint32_t size)
{
    const struct ip_packet *ip = c->ip;
    uint32_t total = ip->payload + size;
    if (ip->family == ADDRESS_IPV6) {
        store_u16(out + IPV6_PAYLOAD_LENGTH,
                  (uint16_t)(total - IPV6_HEADER_SIZE));
        return;
    }
    uint16_t id = (uint16_t)(ip->fragment_id + offset / c->mss);
    store_u16(out + IPV4_TOTAL_LENGTH, (uint16_t)total);
    store_u16(out + IPV4_ID, id);
    store_u16(out + IPV4_CHECKSUM, checksum_finish(c->ip_sum + total + id));
}

static void write_tcp(const struct cut *c, uint8_t *out, uint32_t offset,
                      uint32_t size, uint32_t payload_sum)
{
    const struct ip_packet *ip = c->ip;
    uint8_t *tcp = out + ip->transport;
    uint32_t sequence = load_u32(tcp + TCP_SEQUENCE) + offset;
    uint8_t flags = ip->tcp_flags;
    if (offset > 0)
        flags = (uint8_t)(flags & ~TCP_CWR);
    if (offset + size < ip_payload_size(ip))
        flags = (uint8_t)(flags & ~(TCP_FIN | TCP_PSH));
    store_u32(tcp + TCP_SEQUENCE, sequence);
    tcp[TCP_FLAGS] = flags;
    uint32_t sum = c->transport_sum + payload_sum + (sequence >> 16) +
                   (sequence & 0xffff) + flags + ip->payload - ip->transport +
                   size;
    store_u16(tcp + TCP_CHECKSUM, checksum_finish(sum));
}

static void write_udp(const struct cut *c, uint8_t *out, uint32_t size,
                      uint32_t payload_sum)
{
    const struct ip_packet *ip = c->ip;
    uint8_t *udp = out + ip->transport;
    uint16_t length = (uint16_t)(UDP_HEADER_SIZE + size);
    store_u16(udp + UDP_LENGTH, length);
    /* Once as the field, once in the pseudo-header. */
    uint32_t sum = c->transport_sum + payload_sum + 2 * (uint32_t)length;
    store_u16(udp + UDP_CHECKSUM, finished(ip, sum));
}

/* Payload bytes of each segment. */
static uint16_t segment_size(const struct packet *p, uint16_t mtu)
{
    const struct ip_packet *ip = &p->ip;
    /* TCP may be cut finer, and that is kinder than fragments. */
    if (ip->protocol == IP_TCP && !ip->dont_fragment && ip->payload < mtu &&
        p->gso_size > mtu - ip->payload)
        return (uint16_t)(mtu - ip->payload);
    return p->gso_size;
}

static bool has_segments(const struct packet *p)
{
    return p->gso != PACKET_GSO_NONE && ip_payload_size(&p->ip) > p->gso_size;
}

uint32_t segment_count(const struct packet *p, uint16_t mtu)
{
    if (!has_segments(p))
        return 1;
    uint32_t size = segment_size(p, mtu);
    return (ip_payload_size(&p->ip) + size - 1) / size;
}

static struct cut prepare(const struct packet *p, uint16_t mtu)
{
    const struct ip_packet *ip = &p->ip;
    struct cut c = {.ip = ip, .mss = segment_size(p, mtu)};
    const uint8_t *t = ip_transport(ip);
    c.ip_sum = checksum_sum(ip->data, ip->transport);
    c.ip_sum += checksum_change(load_u16(ip->data + IPV4_TOTAL_LENGTH), 0) +
                checksum_change(load_u16(ip->data + IPV4_ID), 0) +
                checksum_change(load_u16(ip->data + IPV4_CHECKSUM), 0);
    c.transport_sum = ip_pseudo_sum(ip, 0) +
                      checksum_sum(t, (size_t)(ip->payload - ip->transport));
    if (ip->protocol == IP_TCP)
        c.transport_sum += checksum_change(load_u16(t + TCP_SEQUENCE), 0) +
                           checksum_change(load_u16(t + TCP_SEQUENCE + 2), 0) +
                           checksum_change(t[TCP_FLAGS], 0) +
                           checksum_change(load_u16(t + TCP_CHECKSUM), 0);
    else
        c.transport_sum += checksum_change(load_u16(t + UDP_LENGTH), 0) +
                           checksum_change(load_u16(t + UDP_CHECKSUM), 0);
    return c;
}

static enum segment_result cut(const struct packet *p, uint16_t mtu,
                               const struct burst_layout *layout,
                               struct segment_cursor *cursor,
                               struct burst *burst)
{
    const struct ip_packet *ip = &p->ip;
    struct cut c = prepare(p, mtu);
    struct source from = source_at(p, (size_t)ip->payload + cursor->offset);
    while (cursor->offset < ip_payload_size(ip)) {
        uint32_t size = ip_payload_size(ip) - cursor->offset;
        if (size > c.mss)
            size = c.mss;
        struct datagram *d = burst_reserve(burst, layout, ip->payload + size);
        if (!d)
            return no_room(burst);
        uint8_t *out = inner(d);
        memcpy(out, ip->data, ip->payload);
        uint32_t sum = copy_and_sum(&from, out + ip->payload, size);
        write_ip(&c, out, cursor->offset, size);
        if (ip->protocol == IP_TCP)
            write_tcp(&c, out, cursor->offset, size, sum);
        else
            write_udp(&c, out, size, sum);
        cursor->offset += size;
    }
    return SEGMENT_DONE;
}

/* Fills the checksum in, in the first fragment, before the rest of what it
 * covers is cut off. */
static void complete_first(const struct packet *p, uint8_t *out)
{
    const struct ip_packet *ip = &p->ip;
    uint32_t size = ip->total - ip->transport;
    uint32_t sum = ip_pseudo_sum(ip, size);
    struct source from = source_at(p, ip->transport);
    size_t done = 0;
    do {
        struct bytes here = part(&from);
        size_t n = here.size - from.offset;
        uint16_t added = checksum_sum(here.data + from.offset, n);
        sum += done % 2 ? checksum_swap(added) : added;
        done += n;
    } while (next_part(&from));
    uint8_t *field = out + checksum_offset(ip);
    sum += checksum_change(load_u16(field), 0);
    store_u16(field, finished(ip, sum));
}

static bool has_fragment_header(const struct ip_packet *ip)
{
    return ip->family == ADDRESS_IPV6 &&
           ip->transport == IPV6_HEADER_SIZE + IPV6_FRAGMENT_SIZE &&
           ip->data[IPV6_NEXT_HEADER] == IP_FRAGMENT;
}

static void write_fragment_header(const struct ip_packet *ip, uint8_t *out,
                                  uint32_t offset, uint32_t size, bool more)
{
    memcpy(out, ip->data, ip->transport);
    uint32_t total = ip->transport + size;
    if (ip->family == ADDRESS_IPV6) {
        store_u16(out + IPV6_PAYLOAD_LENGTH,
                  (uint16_t)(total - IPV6_HEADER_SIZE));
        store_u16(out + IPV6_HEADER_SIZE + 2, (uint16_t)(offset | more));
        return;
    }
    store_u16(out + IPV4_TOTAL_LENGTH, (uint16_t)total);
    store_u16(out + IPV4_FRAGMENT,
              (uint16_t)(offset / 8 | (more ? IPV4_MORE_FRAGMENTS : 0)));
    ip_write_checksum(&(struct ip_packet){
        .data = out, .family = ADDRESS_IPV4, .transport = ip->transport});
}

/* RFC 791 3.2, RFC 8200 4.5, of a packet that may itself be a fragment. */
static enum segment_result fragment(const struct packet *p, uint16_t mtu,
                                    const struct burst_layout *layout,
                                    struct segment_cursor *cursor,
                                    struct burst *burst)
{
    const struct ip_packet *ip = &p->ip;
    uint16_t room = mtu > ip->transport ? (uint16_t)(mtu - ip->transport) : 0;
    uint32_t most = room & ~(FRAGMENT_UNIT - 1U);
    uint32_t left = ip->total - ip->transport;
    if (most == 0 || ip->fragment_offset + left > PACKET_SIZE_MAX)
        return SEGMENT_REFUSED;
    struct source from = source_at(p, (size_t)ip->transport + cursor->offset);
    while (cursor->offset < left) {
        uint32_t size = left - cursor->offset;
        if (size > room)
            size = most;
        struct datagram *d = burst_reserve(burst, layout, ip->transport + size);
        if (!d)
            return no_room(burst);
        uint8_t *out = inner(d);
        write_fragment_header(
            ip, out, ip->fragment_offset + cursor->offset, size,
            ip->more_fragments || cursor->offset + size < left);
        copy(&from, out + ip->transport, size);
        if (cursor->offset == 0 && p->checksum == PACKET_CHECKSUM_PARTIAL)
            complete_first(p, out);
        cursor->offset += size;
    }
    return SEGMENT_DONE;
}

/* The packet's payload from `offset` on, as pieces; their number. */
static uint16_t slice(const struct packet *p, size_t offset, size_t size,
                      struct bytes out[PACKET_PIECES_MAX + 1])
{
    struct source from = source_at(p, offset);
    uint16_t count = 0;
    do {
        size_t n = part(&from).size - from.offset;
        if (n > size)
            n = size;
        out[count++] = bytes_of(part(&from).data + from.offset, n);
        size -= n;
    } while (size > 0 && next_part(&from));
    return count;
}

/* One segment of a UDP super-packet, as the IPv4 packet that it is. */
struct single {
    struct packet packet;
    uint8_t head[IPV4_HEADER_SIZE + UDP_HEADER_SIZE];
    struct bytes pieces[PACKET_PIECES_MAX + 1];
};

static void take_single(const struct packet *p, uint32_t index,
                        struct single *out)
{
    const struct ip_packet *ip = &p->ip;
    uint32_t start = index * p->gso_size;
    uint32_t size = ip_payload_size(ip) - start;
    if (size > p->gso_size)
        size = p->gso_size;
    memcpy(out->head, ip->data, sizeof out->head);
    store_u16(out->head + IPV4_ID, (uint16_t)(ip->fragment_id + index));
    store_u16(out->head + IPV4_HEADER_SIZE + UDP_LENGTH,
              (uint16_t)(UDP_HEADER_SIZE + size));
    out->packet = (struct packet){
        .data = out->head,
        .size = sizeof out->head,
        .pieces = out->pieces,
        .piece_count = slice(p, ip->payload + start, size, out->pieces),
        .piece_bytes = size,
        .checksum = PACKET_CHECKSUM_PARTIAL,
        .ip = *ip,
    };
    out->packet.ip.data = out->head;
    out->packet.ip.total = ip->payload + size;
}

/* UDP segments that are larger than `mtu`, one after another. */
static enum segment_result cut_into_fragments(const struct packet *p,
                                              uint16_t mtu,
                                              const struct burst_layout *layout,
                                              struct segment_cursor *cursor,
                                              struct burst *burst)
{
    const struct ip_packet *ip = &p->ip;
    /* A first fragment without payload would not move the cursor. */
    struct single one;
    if (ip->payload != sizeof one.head || mtu < sizeof one.head + FRAGMENT_UNIT)
        return SEGMENT_REFUSED;
    while (cursor->offset < ip_payload_size(ip)) {
        uint32_t index = cursor->offset / p->gso_size;
        uint32_t start = index * p->gso_size, done = cursor->offset - start;
        struct segment_cursor inside = {done ? UDP_HEADER_SIZE + done : 0};
        take_single(p, index, &one);
        enum segment_result result =
            fragment(&one.packet, mtu, layout, &inside, burst);
        if (inside.offset > 0)
            cursor->offset = start + inside.offset - UDP_HEADER_SIZE;
        if (result != SEGMENT_DONE)
            return result;
    }
    return SEGMENT_DONE;
}

enum segment_result segment(const struct packet *p, uint16_t mtu,
                            const struct burst_layout *layout,
                            struct segment_cursor *cursor, struct burst *burst)
{
    const struct ip_packet *ip = &p->ip;
    assert(ip->data == p->data);
    if (has_segments(p)) {
        if (ip->payload + (uint32_t)segment_size(p, mtu) <= mtu)
            return cut(p, mtu, layout, cursor, burst);
        if (ip->protocol == IP_UDP && !ip->dont_fragment)
            return cut_into_fragments(p, mtu, layout, cursor, burst);
        return SEGMENT_REFUSED;
    }
    /* Its fragments found their way so far; larger ones might not, and their
     * sender would be told of it in vain. */
    if (p->fragment_size > 0 && p->fragment_size < mtu)
        mtu = p->fragment_size;
    if (ip->total <= mtu)
        return whole(p, layout, burst);
    if (has_fragment_header(ip) ||
        (ip->family == ADDRESS_IPV4 && !ip->options &&
         (!ip->dont_fragment || p->fragment_size > 0)))
        return fragment(p, mtu, layout, cursor, burst);
    return SEGMENT_REFUSED;
}
