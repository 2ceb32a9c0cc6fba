/*
 * Explicit congestion notification across the tunnel, as Linux' WireGuard has
 * it: outside are the two ECN bits alone, never the inner DSCP; what the path
 * marked comes in by RFC 6040.
 */
#ifndef WIREGUARD_DATA_ECN_H
#define WIREGUARD_DATA_ECN_H

#include "gateway/base/bytes.h"

enum { ECN_NONE = 0, ECN_ECT_1 = 1, ECN_ECT_0 = 2, ECN_CE = 3 };

/* For the outer header of an inner packet, which is one of IP and not empty. */
uint8_t ecn_outer(const uint8_t *inner);
/* Puts the outer header's mark into an inner packet that was checked. */
void ecn_combine(uint8_t *inner, uint8_t outer);

#endif
