#include "gateway/link/arp.h"

enum { HARDWARE_ETHERNET = 1 };

static struct address read_ipv4(struct reader *r)
{
    return address_ipv4(read_u32(r));
}

bool arp_parse(struct bytes payload, struct arp_packet *out)
{
    struct reader r = reader_of(payload);
    uint16_t hardware = read_u16(&r);
    uint16_t protocol = read_u16(&r);
    uint8_t hardware_size = read_u8(&r);
    uint8_t protocol_size = read_u8(&r);
    struct arp_packet packet = {.operation = read_u16(&r)};
    read_into(&r, packet.sender_mac, sizeof packet.sender_mac);
    packet.sender = read_ipv4(&r);
    read_into(&r, packet.target_mac, sizeof packet.target_mac);
    packet.target = read_ipv4(&r);
    if (!reader_ok(&r) || hardware != HARDWARE_ETHERNET ||
        protocol != ETHERTYPE_IPV4 || hardware_size != 6 || protocol_size != 4)
        return false;
    *out = packet;
    return true;
}

static bool is_unspecified(const struct address *a)
{
    return load_u32(a->bytes) == 0;
}

bool arp_answer(const struct arp_packet *request, const struct address *own,
                uint8_t frame[ARP_FRAME_SIZE])
{
    /* A qube without an address asks whether one is free (RFC 5227), and may
     * see another as its own than `own`; a question for the sender's own
     * address is an announcement. Nobody can be answered at a group MAC. */
    if (request->operation != ARP_REQUEST || is_unspecified(&request->sender) ||
        address_equal(&request->target, own) ||
        address_equal(&request->target, &request->sender) ||
        request->sender_mac[0] & 1)
        return false;

    struct ethernet_header header = {.type = ETHERTYPE_ARP};
    memcpy(header.destination, request->sender_mac, 6);
    memcpy(header.source, ethernet_gateway_mac, 6);
    ethernet_write(frame, &header);

    struct writer w = writer_of(frame + ETHERNET_HEADER_SIZE, ARP_SIZE);
    write_u16(&w, HARDWARE_ETHERNET);
    write_u16(&w, ETHERTYPE_IPV4);
    write_u8(&w, 6);
    write_u8(&w, 4);
    write_u16(&w, ARP_REPLY);
    write_bytes(&w, bytes_of(ethernet_gateway_mac, 6));
    write_bytes(&w, bytes_of(request->target.bytes, 4));
    write_bytes(&w, bytes_of(request->sender_mac, 6));
    write_bytes(&w, bytes_of(request->sender.bytes, 4));
    return writer_ok(&w);
}
