/*
 * What two equal ends agree on, of which neither pulls: each tells the other
 * what it can, and both draw the same conclusion (openvpn: ssl_ncp.c,
 * p2p_mode_ncp).
 */
#ifndef OPENVPN_P2P_H
#define OPENVPN_P2P_H

#include "gateway/openvpn/negotiated.h"

#define P2P_PEER_ID_LABEL "EXPORTER-OpenVPN-p2p-peerid"

enum { P2P_PEER_ID_SIZE = 3, P2P_PEER_ID = 0x76706e /* without exporter */ };

struct p2p {
    bool data_v2, key_export, dynamic_tls_crypt, cc_exit;
    /* Of the TLS server's list the first that the client has; "": none, or
     * the peer does not negotiate. */
    char cipher[NEGOTIATED_CIPHER_SIZE];
};

/* IV_PROTO of an end that negotiates so. */
uint32_t p2p_protocol(void);

/* At the TLS client's end. Nothing is agreed on with a peer that does not know
 * of it. */
void p2p_agree(const struct config *config, struct bytes peer_info,
               struct p2p *out);

#endif
