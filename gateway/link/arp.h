/*
 * Address resolution for IPv4 over Ethernet (RFC 826). A qube is alone on its
 * link: every address but its own is behind the gateway, so a who-has for any
 * of them gets the gateway's MAC. Nothing is ever learnt from what a qube
 * says, and its probes and announcements of its own address need no answer.
 */
#ifndef LINK_ARP_H
#define LINK_ARP_H

#include "gateway/base/address.h"
#include "gateway/link/ethernet.h"

enum {
    ARP_REQUEST = 1,
    ARP_REPLY = 2,
    ARP_SIZE = 28,
    ARP_FRAME_SIZE = ETHERNET_HEADER_SIZE + ARP_SIZE,
};

struct arp_packet {
    uint16_t operation;
    uint8_t sender_mac[6];
    uint8_t target_mac[6];
    struct address sender;
    struct address target;
};

/* `payload`: what follows the Ethernet header; padding behind is allowed.
 * False: not ARP for IPv4 over Ethernet. */
MUST_USE bool arp_parse(struct bytes payload, struct arp_packet *out);

/* The frame that answers a who-has of the qube whose own address is `own`;
 * false: nothing to say. */
MUST_USE bool arp_answer(const struct arp_packet *request,
                         const struct address *own,
                         uint8_t frame[ARP_FRAME_SIZE]);

#endif
