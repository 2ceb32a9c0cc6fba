#include "gateway/link/frame.h"

#include "gateway/packet/packet.h"

static enum frame_kind dropped(struct frame *f, enum drop reason)
{
    f->drop = reason;
    return FRAME_DROPPED;
}

static enum frame_kind take_arp(struct frame *f, const struct address *own)
{
    struct arp_packet request;
    if (!arp_parse(f->packet, &request))
        return dropped(f, DROP_LINK_MALFORMED);
    if (!arp_answer(&request, own, f->answer))
        return FRAME_SILENCE;
    f->answer_size = ARP_FRAME_SIZE;
    return FRAME_QUESTION;
}

static enum frame_kind take_ndp(struct frame *f, const struct address *own)
{
    struct ndp_solicitation solicitation;
    /* Without an IPv6 address the qube has no IPv6 here, and all that a
     * kernel says by itself is no error of anybody. */
    if (!address_is_set(own) ||
        f->packet.data[40] != NDP_NEIGHBOUR_SOLICITATION)
        return FRAME_SILENCE;
    if (!ndp_parse(f->packet, &solicitation))
        return dropped(f, DROP_LINK_MALFORMED);
    if (!ndp_answer(&solicitation, f->ethernet.source, own, f->answer))
        return FRAME_SILENCE;
    f->answer_size = NDP_FRAME_SIZE;
    return FRAME_QUESTION;
}

enum frame_kind frame_take(struct bytes bytes, const struct address *ipv4,
                           const struct address *ipv6, struct frame *out)
{
    out->drop = DROP_NONE;
    out->answer_size = 0;
    if (!ethernet_parse(bytes, &out->ethernet, &out->packet) ||
        out->packet.size > PACKET_SIZE_MAX)
        return dropped(out, DROP_LINK_MALFORMED);
    uint16_t type = out->ethernet.type;
    if (type == ETHERTYPE_ARP)
        return take_arp(out, ipv4);
    if (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
        return dropped(out, DROP_LINK_NOT_IP);
    /* The version nibble must say what the EtherType says. */
    uint8_t version = out->packet.size ? out->packet.data[0] >> 4 : 0;
    if (version != (type == ETHERTYPE_IPV4 ? 4 : 6))
        return dropped(out, DROP_LINK_MALFORMED);
    return ndp_is(out->packet) ? take_ndp(out, ipv6) : FRAME_PACKET;
}
