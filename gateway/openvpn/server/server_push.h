/*
 * PUSH_REPLY and PUSH_UPDATE: what a client is told of its tunnel, as control
 * messages of at most 1024 bytes, each but the last followed by another one
 * (openvpn: push.c, send_push_reply).
 */
#ifndef OPENVPN_SERVER_SERVER_PUSH_H
#define OPENVPN_SERVER_SERVER_PUSH_H

#include "gateway/openvpn/control/control_message.h"
#include "gateway/openvpn/server_config/server_client_config.h"

/* The options for all clients, those for one, and the server's own. */
enum {
    SERVER_PUSH_MAX =
        (2 * SERVER_CONFIG_PUSHES_MAX + 64) * SERVER_CONFIG_PUSH_SIZE,
};

/* The differences between clients. */
struct server_push {
    const struct server_config *config;
    const struct server_client_config *own;
    struct prefix ipv4, ipv6; /* its addresses; family NONE: none */
    const char *token;        /* auth-token, or NULL */
    uint32_t peer_id;         /* PEER_ID_NONE: it does not know them */
    const char *cipher;
    enum config_compression framing; /* of its packets */
    uint32_t protocol;               /* bits of IV_PROTO that count */
    bool epoch;
    bool mtu; /* it wants to know */
};

/* Everything, options separated by NULs; what was written, with the last NUL.
 * False if it does not fit. */
MUST_USE bool server_push_write(const struct server_push *p, struct writer *w);

/* Takes the next message off the front of what was written, options separated
 * by NULs; false once none is left. */
MUST_USE bool server_push_next(struct bytes *options, bool *first,
                               const char *command,
                               char message[CONTROL_MESSAGE_MAX]);

/* Whether an option may follow later, with PUSH_UPDATE: not addresses, which
 * the server has to know, and nothing that both ends have agreed on. `-' or `?'
 * may stand in front. */
bool server_push_may_follow(const char *option);

#endif
