/* The protocols that there are. Here alone vpn knows one by its name. */
#ifndef VPN_PROTOCOLS_H
#define VPN_PROTOCOLS_H

#include "gateway/vpn/protocol.h"

/* Finds the protocol whose profile a file is, by its content. A file that none
 * recognises is given to the first, which says what is wrong with it. */
const struct protocol_kind *protocols_find(struct bytes text);

#endif
