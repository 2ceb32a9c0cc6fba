/* Ethernet II headers, and the one MAC address the gateway speaks as. */
#ifndef LINK_ETHERNET_H
#define LINK_ETHERNET_H

#include "gateway/base/bytes.h"

enum {
    ETHERNET_HEADER_SIZE = 14,
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_IPV6 = 0x86dd,
};

/* fe:ff:ff:ff:ff:ff, what every vif backend of Xen uses. */
extern const uint8_t ethernet_gateway_mac[6];

struct ethernet_header {
    uint8_t destination[6];
    uint8_t source[6];
    uint16_t type;
};

/* *payload is what follows the header. */
MUST_USE bool ethernet_parse(struct bytes frame, struct ethernet_header *out,
                             struct bytes *payload);
void ethernet_write(uint8_t out[ETHERNET_HEADER_SIZE],
                    const struct ethernet_header *header);

#endif
