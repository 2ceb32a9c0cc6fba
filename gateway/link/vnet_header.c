#include "gateway/link/vnet_header.h"
#include "gateway/link/ethernet.h"

enum {
    FLAG_NEEDS_CHECKSUM = 1,
    FLAG_CHECKSUM_VALID = 2, /* said to the qube, not believed from it */
    GSO_TCP_IPV4 = 1,
    GSO_TCP_IPV6 = 4,
    GSO_UDP = 5,        /* USO: cut at UDP's border, not into fragments */
    GSO_TCP_ECN = 0x80, /* beside the TCP types: CWR stands in the header */

    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    HOP_BY_HOP = 0,
    ROUTING = 43,
    DESTINATION_OPTIONS = 60,
    EXTENSIONS_MAX = 8,

    TCP_HEADER_SIZE = 20,
    TCP_CHECKSUM = 16, /* its place in the header */
    TCP_CWR = 0x80,
    UDP_HEADER_SIZE = 8,
    UDP_CHECKSUM = 6,
};

struct fields {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_size;
    uint16_t gso_size;
    uint16_t checksum_start; /* both from the Ethernet header on */
    uint16_t checksum_offset;
};

/* Where TCP or UDP is in an IP packet. */
struct transport {
    uint8_t version;
    uint8_t protocol;
    uint8_t flags; /* of TCP */
    uint16_t start;
    uint16_t payload; /* behind the TCP or UDP header */
    uint16_t checksum_offset;
};

static uint16_t load_little_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static void store_little_u16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

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
        if (next != HOP_BY_HOP && next != ROUTING &&
            next != DESTINATION_OPTIONS) {
            *protocol = next;
            return (uint16_t)(head.size - r.left);
        }
        next = read_u8(&r);
        uint8_t units = read_u8(&r);
        read_bytes(&r, units * 8U + 6);
    }
    return 0;
}

static bool find_transport(struct bytes head, struct transport *out)
{
    struct transport t = {0};
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
    if (t.protocol == PROTOCOL_TCP && left >= TCP_HEADER_SIZE) {
        size = (p[12] >> 4) * 4U;
        if (size < TCP_HEADER_SIZE || size > left)
            return false;
        t.flags = p[13];
        t.checksum_offset = TCP_CHECKSUM;
    } else if (t.protocol == PROTOCOL_UDP && left >= UDP_HEADER_SIZE) {
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

/* PACKET_GSO_NONE for what we have not offered or does not fit. */
static enum packet_gso gso_of(uint8_t type, const struct transport *t)
{
    bool tcp = t->protocol == PROTOCOL_TCP;
    switch (type & ~GSO_TCP_ECN) {
    case GSO_TCP_IPV4:
        return tcp && t->version == 4 ? PACKET_GSO_TCP : PACKET_GSO_NONE;
    case GSO_TCP_IPV6:
        return tcp && t->version == 6 ? PACKET_GSO_TCP : PACKET_GSO_NONE;
    case GSO_UDP:
        return !tcp && type == GSO_UDP ? PACKET_GSO_UDP : PACKET_GSO_NONE;
    default:
        return PACKET_GSO_NONE;
    }
}

bool vnet_header_read(const uint8_t header[VNET_HEADER_SIZE],
                      struct packet *packet)
{
    struct fields f = {
        .flags = header[0],
        .gso_type = header[1],
        .gso_size = load_little_u16(header + 4),
        .checksum_start = load_little_u16(header + 6),
        .checksum_offset = load_little_u16(header + 8),
    };
    if (!(f.flags & FLAG_NEEDS_CHECKSUM)) {
        /* What is to be cut has its checksum still to be filled. */
        if (f.gso_type != 0)
            return false;
        packet->gso = PACKET_GSO_NONE;
        packet->gso_size = 0;
        packet->checksum = PACKET_CHECKSUM_NONE;
        return true;
    }

    struct transport t;
    uint32_t size = ip_size(packet);
    if (size == 0 || size > packet->size ||
        !find_transport(bytes_of(packet->data, size), &t) ||
        f.checksum_start != ETHERNET_HEADER_SIZE + t.start ||
        f.checksum_offset != t.checksum_offset)
        return false;
    enum packet_gso gso = PACKET_GSO_NONE;
    if (f.gso_type != 0) {
        gso = gso_of(f.gso_type, &t);
        if (gso == PACKET_GSO_NONE || f.gso_size == 0)
            return false;
        /* One segment is no super-packet. */
        if (size - t.payload <= f.gso_size)
            gso = PACKET_GSO_NONE;
    }
    packet->gso = (uint8_t)gso;
    packet->gso_size = gso == PACKET_GSO_NONE ? 0 : f.gso_size;
    packet->checksum = PACKET_CHECKSUM_PARTIAL;
    packet->size = size; /* the rest was padding */
    return true;
}

static uint8_t gso_type(const struct packet *packet, const struct transport *t)
{
    if (packet->gso == PACKET_GSO_UDP)
        return GSO_UDP;
    uint8_t type = t->version == 4 ? GSO_TCP_IPV4 : GSO_TCP_IPV6;
    return t->flags & TCP_CWR ? type | GSO_TCP_ECN : type;
}

bool vnet_header_write(const struct packet *packet,
                       uint8_t header[VNET_HEADER_SIZE])
{
    struct fields f = {0};
    if (packet->checksum == PACKET_CHECKSUM_PARTIAL) {
        struct transport t;
        if (!find_transport(bytes_of(packet->data, packet->size), &t))
            return false;
        f.flags = FLAG_NEEDS_CHECKSUM;
        f.checksum_start = (uint16_t)(ETHERNET_HEADER_SIZE + t.start);
        f.checksum_offset = t.checksum_offset;
        f.header_size = (uint16_t)(ETHERNET_HEADER_SIZE + t.payload);
        if (packet->gso != PACKET_GSO_NONE) {
            if ((packet->gso == PACKET_GSO_TCP) != (t.protocol == PROTOCOL_TCP))
                return false;
            f.gso_type = gso_type(packet, &t);
            f.gso_size = packet->gso_size;
        }
    } else if (packet->gso != PACKET_GSO_NONE) {
        return false;
    } else if (packet->checksum == PACKET_CHECKSUM_VALID) {
        f.flags = FLAG_CHECKSUM_VALID;
    }

    header[0] = f.flags;
    header[1] = f.gso_type;
    store_little_u16(header + 2, f.header_size);
    store_little_u16(header + 4, f.gso_size);
    store_little_u16(header + 6, f.checksum_start);
    store_little_u16(header + 8, f.checksum_offset);
    return true;
}
