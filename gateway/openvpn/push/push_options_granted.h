/* The grants of the options of a server, and of the profile, so far: what
 * push_table's options change and push_options hands out. */
#ifndef OPENVPN_PUSH_PUSH_OPTIONS_GRANTED_H
#define OPENVPN_PUSH_PUSH_OPTIONS_GRANTED_H

#include "gateway/base/tunnel.h"
#include "gateway/openvpn/config/config.h"
#include "gateway/openvpn/push/push_dns.h"
#include "gateway/openvpn/push/push_route.h"

enum { PUSH_TOKEN_SIZE = 512 };

struct push_options {
    struct tunnel tunnel; /* made by push_options_finish() */
    struct push_route route;
    struct push_dns dns;
    /* Starts as that of the profile's first remote; who connected through
     * another sets it before the first message. */
    uint16_t tun_mtu;
    uint32_t peer_id; /* PEER_ID_NONE */
    char cipher[32];  /* upper case, "" if not pushed */
    bool tls_ekm, dyn_tls_crypt, cc_exit, aead_epoch;
    bool compression_set;
    bool compression_refused; /* the profile: nothing compressed is read */
    enum config_compression compression;
    uint32_t ping, ping_restart; /* s, 0: off */
    uint32_t inactive;
    uint64_t inactive_bytes;
    uint32_t session_timeout;
    bool explicit_exit_notify;
    char auth_token[PUSH_TOKEN_SIZE];      /* secret */
    char auth_token_user[PUSH_TOKEN_SIZE]; /* decoded; "": the user's own */
    unsigned continuation; /* 2: more messages follow; 1: the last; 0: only */
    bool rejected;         /* a pull-filter said reject, or data would change
                              in a way that this program does not know */
    bool updating;         /* inside a series of PUSH_UPDATE messages */
    unsigned replaced;     /* of that series: what it has replaced so far */
};

#endif
