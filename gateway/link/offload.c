#include "gateway/link/offload.h"
#include "gateway/link/ethernet.h"

enum { EXTENSIONS_MAX = 8 };

/* The transport header's place; 0: none, or a fragment. */
static uint16_t skip_ipv4(struct bytes head, uint8_t *protocol)
{
    if (head.size < 20)
        return 0;
    const uint8_t *p = head.data;
    uint16_t size = (uint16_t)((p[0] & 0x0f) * 4);
    if (size < 20 || load_u16(p + 6) & 0x3fff) /* more fragments, offset */
        return 0;
    *protocol = p[9];
    return size;
}

static uint16_t skip_ipv6(struct bytes head, uint8_t *protocol)
{
    struct reader r = reader_of(head);
    read_bytes(&r, 6);
    uint8_t next = read_u8(&r);
    read_bytes(&r, 33);
    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        if (!reader_ok(&r) || head.size - r.left > UINT16_MAX)
            return 0;
        if (next != IP_HOP_BY_HOP && next != IP_ROUTING &&
            next != IP_DESTINATION_OPTIONS) {
            *protocol = next;
            return (uint16_t)(head.size - r.left);
        }
        next = read_u8(&r);
        uint8_t units = read_u8(&r);
        read_bytes(&r, units * 8U + 6);
    }
    return 0;
}

bool offload_find(struct bytes head, struct offload_transport *out)
{
    struct offload_transport t = {0};
    if (head.size == 0)
        return false;
    t.version = head.data[0] >> 4;
    if (t.version == 4)
        t.start = skip_ipv4(head, &t.protocol);
    else if (t.version == 6)
        t.start = skip_ipv6(head, &t.protocol);
    if (t.start == 0 || t.start >= head.size)
        return false;

    const uint8_t *p = head.data + t.start;
    size_t left = head.size - t.start;
    size_t size;
    if (t.protocol == IP_TCP && left >= TCP_HEADER_SIZE) {
        size = (p[12] >> 4) * 4U;
        if (size < TCP_HEADER_SIZE || size > left)
            return false;
        t.flags = p[13];
        t.checksum_offset = TCP_CHECKSUM;
    } else if (t.protocol == IP_UDP && left >= UDP_HEADER_SIZE) {
        size = UDP_HEADER_SIZE;
        t.checksum_offset = UDP_CHECKSUM;
    } else {
        return false;
    }
    if (t.start + size > UINT16_MAX - ETHERNET_HEADER_SIZE)
        return false;
    t.payload = (uint16_t)(t.start + size);
    *out = t;
    return true;
}

/* By the IP header; 0: there is none. */
static uint32_t ip_size(const struct packet *packet)
{
    const uint8_t *p = packet->data;
    if (packet->size >= 20 && p[0] >> 4 == 4)
        return load_u16(p + 2);
    if (packet->size >= 40 && p[0] >> 4 == 6)
        return 40U + load_u16(p + 4);
    return 0;
}

bool offload_locate(const struct packet *packet, struct offload_transport *out)
{
    struct offload_transport t;
    uint32_t size = ip_size(packet);
    if (size == 0 || size > packet->size ||
        !offload_find(bytes_of(packet->data, size), &t))
        return false;
    t.size = size;
    *out = t;
    return true;
}

/* PACKET_GSO_NONE for what does not fit the packet. */
static enum packet_gso gso_of(enum offload_gso gso,
                              const struct offload_transport *t)
{
    bool tcp = t->protocol == IP_TCP;
    switch (gso) {
    case OFFLOAD_GSO_TCP_IPV4:
        return tcp && t->version == 4 ? PACKET_GSO_TCP : PACKET_GSO_NONE;
    case OFFLOAD_GSO_TCP_IPV6:
        return tcp && t->version == 6 ? PACKET_GSO_TCP : PACKET_GSO_NONE;
    case OFFLOAD_GSO_UDP:
        return tcp ? PACKET_GSO_NONE : PACKET_GSO_UDP;
    case OFFLOAD_GSO_NONE:
        break;
    }
    return PACKET_GSO_NONE;
}

bool offload_claim(struct packet *packet,
                   const struct offload_transport *transport,
                   enum offload_gso gso, uint16_t gso_size)
{
    enum packet_gso kind = PACKET_GSO_NONE;
    if (gso != OFFLOAD_GSO_NONE) {
        kind = gso_of(gso, transport);
        if (kind == PACKET_GSO_NONE || gso_size == 0)
            return false;
        /* One segment is no super-packet. */
        if (transport->size - transport->payload <= gso_size)
            kind = PACKET_GSO_NONE;
    }
    packet->gso = (uint8_t)kind;
    packet->gso_size = kind == PACKET_GSO_NONE ? 0 : gso_size;
    packet->checksum = PACKET_CHECKSUM_PARTIAL;
    packet->size = transport->size; /* the rest was padding */
    return true;
}

void offload_write_pseudo_sum(struct packet *packet,
                              const struct offload_transport *transport)
{
    uint32_t length = transport->size - transport->start;
    uint32_t sum = transport->protocol + (length >> 16) + (length & 0xffff);
    size_t from = transport->version == 4 ? 12 : 8;
    size_t to = transport->version == 4 ? 20 : 40;
    for (size_t i = from; i < to; i += 2)
        sum += load_u16(packet->data + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    store_u16(packet->data + transport->start + transport->checksum_offset,
              (uint16_t)sum);
}
