/*
 * The agreement of two equal ends, of which neither pulls: each tells the other
 * what it can, and both draw the same conclusion (openvpn: ssl_ncp.c,
 * peer_agreement_mode_ncp).
 */
#ifndef OPENVPN_SESSION_PEER_AGREEMENT_H
#define OPENVPN_SESSION_PEER_AGREEMENT_H

#include "gateway/openvpn/session/data_negotiation.h"

#define PEER_AGREEMENT_PEER_ID_LABEL "EXPORTER-OpenVPN-p2p-peerid"

enum {
    PEER_AGREEMENT_PEER_ID_SIZE = 3,
    PEER_AGREEMENT_PEER_ID = 0x76706e /* without exporter */
};

struct peer_agreement {
    bool data_v2, key_export, dynamic_tls_crypt, cc_exit;
    /* The first cipher of the TLS server's list that the client has; "": none,
     * or the peer does not negotiate. */
    char cipher[DATA_NEGOTIATION_CIPHER_SIZE];
};

/* IV_PROTO of an end that negotiates so. */
uint32_t peer_agreement_protocol(void);

/* At the TLS client's end. Nothing is agreed on with a peer that does not know
 * of it. */
void peer_agreement_agree(const struct config *config, struct bytes peer_info,
                          struct peer_agreement *out);

#endif
