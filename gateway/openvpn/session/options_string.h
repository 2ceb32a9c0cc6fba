/*
 * The options string that both ends exchange in key method 2. Nothing depends
 * on ours today, but a server refuses a client without one; of the server's,
 * the cipher matters where nothing is negotiated (openvpn: options_string.c,
 * mtu.c).
 *
 *   V4,dev-type tun,link-mtu N,tun-mtu N,proto UDPv4[,comp-lzo][,mtu-dynamic]
 *   [,keydir 0|1][,cipher NAME],auth NAME,keysize BITS[,tls-auth],
 *   key-method 2,tls-client
 */
#ifndef OPENVPN_SESSION_OPTIONS_STRING_H
#define OPENVPN_SESSION_OPTIONS_STRING_H

#include "gateway/openvpn/config/config.h"

enum { OPTIONS_STRING_SIZE = 512 }; /* with its NUL, what a server reads */

/* Texts are borrowed. */
struct options_string {
    bool server;
    enum config_protocol protocol;
    bool socks; /* UDP through a SOCKS proxy */
    uint16_t tun_mtu;
    enum config_compression compression;
    bool fragment;
    bool tls_auth;
    int key_direction;  /* -1: none */
    const char *cipher; /* of the profile; "": none, which is BF-CBC of old */
    const char *data_ciphers;
    const char *auth;
};

/* The options of a client that is connected to `remote`. */
struct options_string options_string_of(const struct config *config,
                                        const struct config_remote *remote);

/* False if it does not fit or a cipher or digest is unknown. */
MUST_USE bool options_string_format(const struct options_string *o,
                                    char out[OPTIONS_STRING_SIZE]);

/* Whether a word of a peer's string is that, without a value. */
MUST_USE bool options_string_has(struct bytes text, const char *name);

/* The value behind `name` in a peer's string, such as "cipher". False if it
 * has none or that is too long. */
MUST_USE bool options_string_value(struct bytes text, const char *name,
                                   char *out, size_t out_size);

#endif
