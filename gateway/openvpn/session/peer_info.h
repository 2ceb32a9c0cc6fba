/*
 * A client's words about itself in key method 2: lines NAME=VALUE. From
 * IV_PROTO and IV_CIPHERS the server chooses the data channel's format and
 * cipher (openvpn: ssl.c, push_peer_info; ssl.h).
 */
#ifndef OPENVPN_SESSION_PEER_INFO_H
#define OPENVPN_SESSION_PEER_INFO_H

#include "gateway/openvpn/config/config.h"

/* The bits of IV_PROTO. */
enum peer_info_protocol {
    PEER_INFO_DATA_V2 = 1 << 1,
    PEER_INFO_REQUEST_PUSH = 1 << 2,
    PEER_INFO_TLS_KEY_EXPORT = 1 << 3,
    PEER_INFO_AUTH_PENDING_KEYWORDS = 1 << 4,
    PEER_INFO_NCP_P2P = 1 << 5,    /* never of a client that pulls */
    PEER_INFO_DNS_OPTION = 1 << 6, /* a syntax that is gone */
    PEER_INFO_CC_EXIT_NOTIFY = 1 << 7,
    PEER_INFO_AUTH_FAILED_TEMPORARY = 1 << 8,
    PEER_INFO_DYNAMIC_TLS_CRYPT = 1 << 9,
    PEER_INFO_DATA_EPOCH = 1 << 10,
    PEER_INFO_DNS_OPTION_V2 = 1 << 11,
    PEER_INFO_PUSH_UPDATE = 1 << 12,
};

enum {
    PEER_INFO_SIZE = 1536, /* OpenVPN's own limit, with the NUL */
    PEER_INFO_MTU = 1600,  /* IV_MTU: the largest that may be pushed */
};

struct peer_info {
    const char *version; /* dotted, of this program */
    uint32_t protocol;   /* bits above */
    bool lzo, lz4;       /* such packets can be read */
    const char *sso;     /* ways to log in outside; NULL: none */
};

/* Variables of the profile (UV_...) that no longer fit are left out. False if
 * not even the necessary lines fit. */
MUST_USE bool peer_info_format(const struct peer_info *p,
                               const struct config *config,
                               char out[PEER_INFO_SIZE]);

/* The value of a peer's line; only at the start of a line. */
MUST_USE bool peer_info_value(struct bytes text, const char *name,
                              struct bytes *value);

#endif
