#include "gateway/link/vnet_header.h"
#include "gateway/link/offload.h"

enum {
    FLAG_NEEDS_CHECKSUM = 1,
    FLAG_CHECKSUM_VALID = 2, /* said to the qube, not believed from it */
    GSO_TCP_IPV4 = 1,
    GSO_TCP_IPV6 = 4,
    GSO_UDP = 5,        /* USO: cut at UDP's border, not into fragments */
    GSO_TCP_ECN = 0x80, /* beside the TCP types: CWR stands in the header */
};

struct fields {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_size;
    uint16_t gso_size;
    uint16_t checksum_start; /* from behind this header on */
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

/* False for what we have not offered. */
static bool gso_of(uint8_t type, enum offload_gso *out)
{
    *out = OFFLOAD_GSO_NONE;
    switch (type) {
    case 0:
        return true;
    case GSO_TCP_IPV4:
    case GSO_TCP_IPV4 | GSO_TCP_ECN:
        *out = OFFLOAD_GSO_TCP_IPV4;
        return true;
    case GSO_TCP_IPV6:
    case GSO_TCP_IPV6 | GSO_TCP_ECN:
        *out = OFFLOAD_GSO_TCP_IPV6;
        return true;
    case GSO_UDP:
        *out = OFFLOAD_GSO_UDP;
        return true;
    default:
        return false;
    }
}

bool vnet_header_read(const uint8_t header[VNET_HEADER_SIZE], uint16_t between,
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
        /* A packet that is to be cut has its checksum still to be filled. */
        if (f.gso_type != 0)
            return false;
        packet->gso = PACKET_GSO_NONE;
        packet->gso_size = 0;
        packet->checksum = PACKET_CHECKSUM_NONE;
        return true;
    }

    struct offload_transport t;
    enum offload_gso gso;
    return gso_of(f.gso_type, &gso) && offload_locate(packet, &t) &&
           f.checksum_start == between + t.start &&
           f.checksum_offset == t.checksum_offset &&
           offload_claim(packet, &t, gso, f.gso_size);
}

static uint8_t gso_type(const struct packet *packet,
                        const struct offload_transport *t)
{
    if (packet->gso == PACKET_GSO_UDP)
        return GSO_UDP;
    uint8_t type = t->version == 4 ? GSO_TCP_IPV4 : GSO_TCP_IPV6;
    return t->flags & TCP_CWR ? type | GSO_TCP_ECN : type;
}

bool vnet_header_write(const struct packet *packet, uint16_t between,
                       uint8_t header[VNET_HEADER_SIZE])
{
    struct fields f = {0};
    if (packet->checksum == PACKET_CHECKSUM_PARTIAL) {
        struct offload_transport t;
        if (!offload_find(bytes_of(packet->data, packet->size), &t))
            return false;
        f.flags = FLAG_NEEDS_CHECKSUM;
        f.checksum_start = (uint16_t)(between + t.start);
        f.checksum_offset = t.checksum_offset;
        f.header_size = (uint16_t)(between + t.payload);
        if (packet->gso != PACKET_GSO_NONE) {
            if ((packet->gso == PACKET_GSO_TCP) != (t.protocol == IP_TCP))
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
