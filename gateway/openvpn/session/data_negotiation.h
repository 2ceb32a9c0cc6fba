/*
 * Draws the conclusion from both ends' wishes: which cipher the data channel
 * gets, how large packets and TCP segments may be (openvpn: ssl_ncp.c, mss.c).
 */
#ifndef OPENVPN_SESSION_DATA_NEGOTIATION_H
#define OPENVPN_SESSION_DATA_NEGOTIATION_H

#include "gateway/base/tunnel.h"
#include "gateway/openvpn/config/config.h"
#include "gateway/packet/burst.h"

enum { DATA_NEGOTIATION_CIPHER_SIZE = 32 };

/* `pushed` is the server's choice, `peer_cipher` what its options string
 * says; "" where there is none. The first that is there decides: the pushed
 * one, the peer's, the profile's fallback; and it must be one that the
 * profile allows and this program has. */
MUST_USE bool data_negotiation_cipher(const struct config *config,
                                      const char *pushed,
                                      const char *peer_cipher,
                                      char out[DATA_NEGOTIATION_CIPHER_SIZE]);

/* `fragment`: the largest datagram without its outer headers; 0: no such
 * thing is done. */
uint16_t data_negotiation_fragment(const struct config_remote *remote,
                                   uint16_t outer_overhead);

/* The largest inner packet whose datagram need not be fragmented, or 0 if
 * that is unknown or all are small enough. `outer_overhead` is what IP and
 * transport add to a datagram, `outer_mtu` the path's, 0 if unknown. */
uint16_t data_negotiation_path_mtu(const struct burst_layout *layout,
                                   uint16_t outer_overhead, uint16_t outer_mtu);

/* mssfix: the largest inner packet that TCP segments should be cut for. */
uint16_t data_negotiation_mss_mtu(const struct config_remote *remote,
                                  const struct burst_layout *layout,
                                  uint16_t tun_mtu, uint16_t outer_overhead,
                                  uint16_t outer_mtu);

#endif
