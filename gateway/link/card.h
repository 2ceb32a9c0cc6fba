/*
 * The far end of one qube's network card, for links that carry one qube and
 * put virtio's header before each Ethernet frame: what the qube sends becomes
 * packets, what goes to it gets both headers. Learns the qube's MAC from its
 * first frame with the right source address, unless it was told.
 */
#ifndef LINK_CARD_H
#define LINK_CARD_H

#include "gateway/link/frame.h"
#include "gateway/link/vnet_header.h"
#include "gateway/packet/packet.h"

enum {
    CARD_HEADERS_SIZE = VNET_HEADER_SIZE + ETHERNET_HEADER_SIZE,
    CARD_FRAME_MAX = CARD_HEADERS_SIZE + PACKET_SIZE_MAX,
    CARD_ANSWER_SIZE = VNET_HEADER_SIZE + NDP_FRAME_SIZE,
    CARD_NAME_SIZE = 64,
};

struct card {
    char name[CARD_NAME_SIZE]; /* for people: "tap:qube0" */
    struct address ipv4;
    struct address ipv6; /* or unset */
    bool mac_known;
    struct ethernet_header to_qube[2]; /* IPv4, IPv6 */
};

/* `mac` of the qube; all zero: to be learnt. */
void card_init(struct card *card, const char *name, const struct address *ipv4,
               const struct address *ipv6, const uint8_t mac[6]);

/* Reads `size` bytes, virtio's header first, that lie CARD_HEADERS_SIZE in
 * front of packet->data: it makes the packet (FRAME_PACKET), or says what else
 * they are. For FRAME_QUESTION out->answer is to be sent, for FRAME_DROPPED
 * out->drop is why. */
enum frame_kind card_take(struct card *card, size_t size, struct packet *packet,
                          struct frame *out);

/* Writes the headers in front of the packet; DROP_NONE, or why it cannot be
 * sent. */
enum drop card_headers(const struct card *card, const struct packet *packet,
                       uint8_t headers[CARD_HEADERS_SIZE]);

/* The answer in `frame` with both headers; its size. */
size_t card_answer(const struct frame *frame, uint8_t out[CARD_ANSWER_SIZE]);

#endif
