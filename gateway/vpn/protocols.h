/* The protocols that there are. Here alone vpn knows one by its name. */
#ifndef VPN_PROTOCOLS_H
#define VPN_PROTOCOLS_H

#include "gateway/vpn/protocol.h"

/* Whose profile a file is, by its content. What nobody recognises is given to
 * the first, who says what is wrong with it. */
const struct protocol_kind *protocols_find(struct bytes text);

#endif
