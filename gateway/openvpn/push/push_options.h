/*
 * PUSH_REPLY and PUSH_UPDATE: from the server's text to what it grants. The
 * profile's own ifconfig, route and dhcp-option lines go through the same
 * code. An option that may not be pushed is ignored and reported; scripts
 * are never honoured (openvpn: push.c, options_parse.c).
 */
#ifndef OPENVPN_PUSH_PUSH_OPTIONS_H
#define OPENVPN_PUSH_PUSH_OPTIONS_H

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

/* Defaults, then the profile's own lines. */
void push_options_init(struct push_options *o, const struct config *config,
                       config_note *report, void *context);
/* Wipes the token. */
void push_options_clear(struct push_options *o);

/* Adds one message ("PUSH_REPLY,...", without the NUL) on top. False if it is
 * not one. Continued messages are added one after another. "PUSH_UPDATE,..."
 * changes what earlier ones granted: then push_options_finish() again. */
MUST_USE bool push_options_add(struct push_options *o, struct bytes message,
                               const struct config *config, config_note *report,
                               void *context);

/* Settles what depends on several options (topology and ifconfig, gateways of
 * routes, DNS order). False if the result is not a usable tunnel: `*why` says
 * so. */
MUST_USE bool push_options_finish(struct push_options *o, const char **why);

/* One line of the profile: ifconfig, route, dhcp-option, ... False if it is
 * none of those, or malformed. */
MUST_USE bool push_options_add_line(struct push_options *o, struct bytes line,
                                    config_note *report, void *context);
/* The same, with nothing to add it to: whether it will be understood (a
 * config_try_line of the profile's parser). */
MUST_USE bool push_options_try_line(struct bytes line, config_note *report,
                                    void *context);

#endif
