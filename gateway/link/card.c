#include "gateway/link/card.h"

#include <assert.h>
#include <stdio.h>

#include "gateway/base/log.h"

static_assert((int)PACKET_HEADROOM >= (int)CARD_HEADERS_SIZE,
              "headers fit the headroom");

static void set_mac(struct card *card, const uint8_t mac[6])
{
    for (size_t i = 0; i < 2; i++)
        memcpy(card->to_qube[i].destination, mac, 6);
    card->mac_known = true;
}

void card_init(struct card *card, const char *name, const struct address *ipv4,
               const struct address *ipv6, const uint8_t mac[6])
{
    static const uint8_t unknown[6];
    *card = (struct card){
        .ipv4 = *ipv4,
        .ipv6 = *ipv6,
        .to_qube = {{.type = ETHERTYPE_IPV4}, {.type = ETHERTYPE_IPV6}},
    };
    snprintf(card->name, sizeof card->name, "%s", name);
    for (size_t i = 0; i < 2; i++)
        memcpy(card->to_qube[i].source, ethernet_gateway_mac, 6);
    if (memcmp(mac, unknown, sizeof unknown) != 0)
        set_mac(card, mac);
}

static bool is_from_qube(const struct card *card, struct bytes packet)
{
    if (packet.size >= 20 && packet.data[0] >> 4 == 4)
        return memcmp(packet.data + 12, card->ipv4.bytes, 4) == 0;
    if (packet.size >= 40 && packet.data[0] >> 4 == 6)
        return address_is_set(&card->ipv6) &&
               memcmp(packet.data + 8, card->ipv6.bytes, 16) == 0;
    return false;
}

static void learn_mac(struct card *card, const uint8_t mac[6],
                      struct bytes packet)
{
    if (mac[0] & 1 || !is_from_qube(card, packet))
        return;
    set_mac(card, mac);
    log_info("%s: the qube's MAC is %02x:%02x:%02x:%02x:%02x:%02x", card->name,
             mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static enum frame_kind malformed(struct frame *out)
{
    out->drop = DROP_LINK_MALFORMED;
    return FRAME_DROPPED;
}

enum frame_kind card_take(struct card *card, size_t size, struct packet *packet,
                          struct frame *out)
{
    uint8_t *start = packet->data - CARD_HEADERS_SIZE;
    if (size < CARD_HEADERS_SIZE)
        return malformed(out);
    enum frame_kind kind =
        frame_take(bytes_of(start + VNET_HEADER_SIZE, size - VNET_HEADER_SIZE),
                   &card->ipv4, &card->ipv6, out);
    if (kind != FRAME_PACKET)
        return kind;
    packet->size = (uint32_t)out->packet.size;
    if (!vnet_header_read(start, ETHERNET_HEADER_SIZE, packet))
        return malformed(out);
    if (!card->mac_known)
        learn_mac(card, out->ethernet.source, out->packet);
    return FRAME_PACKET;
}

enum drop card_headers(const struct card *card, const struct packet *packet,
                       uint8_t headers[CARD_HEADERS_SIZE])
{
    if (!card->mac_known)
        return DROP_LINK_NO_MAC;
    if (packet->size == 0 || packet->piece_count > PACKET_PIECES_MAX ||
        !vnet_header_write(packet, ETHERNET_HEADER_SIZE, headers))
        return DROP_LINK_MALFORMED;
    ethernet_write(headers + VNET_HEADER_SIZE,
                   &card->to_qube[packet->data[0] >> 4 == 6]);
    return DROP_NONE;
}

size_t card_answer(const struct frame *frame, uint8_t out[CARD_ANSWER_SIZE])
{
    static const uint8_t no_offload[VNET_HEADER_SIZE];
    assert(frame->answer_size <= NDP_FRAME_SIZE);
    memcpy(out, no_offload, VNET_HEADER_SIZE);
    memcpy(out + VNET_HEADER_SIZE, frame->answer, frame->answer_size);
    return VNET_HEADER_SIZE + frame->answer_size;
}
