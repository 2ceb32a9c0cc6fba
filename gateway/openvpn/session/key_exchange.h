/*
 * Key method 2: the one message each end sends inside TLS before there are
 * data keys (openvpn: ssl.c, key_method_2_write).
 *
 *   zero(4) method(1) [pre_master(48), client only] random1(32) random2(32)
 *   options username password peer_info
 *
 * The last four are a length of two bytes, which counts a trailing NUL, and
 * the text; length 0 is an absent one. An old peer may leave off the last
 * three, or the last one.
 */
#ifndef OPENVPN_SESSION_KEY_EXCHANGE_H
#define OPENVPN_SESSION_KEY_EXCHANGE_H

#include "gateway/openvpn/keys/key_derivation.h"

enum {
    KEY_EXCHANGE_SIZE_MAX = 2048, /* what OpenVPN 2 reads at most */
    KEY_EXCHANGE_OPTIONS_MAX = 511,
    KEY_EXCHANGE_CREDENTIAL_MAX = 4095, /* Debian's OpenVPN; others 127 */
};

struct key_exchange {
    struct key_source source;
    struct bytes options; /* texts without NUL; size 0: absent */
    struct bytes username;
    struct bytes password;
    struct bytes peer_info;
};

/* The message of an end of that role. The writer fails if it does not fit or
 * a text is longer than its limit. */
void key_exchange_write(struct writer *w, enum openvpn_role role,
                        const struct key_exchange *message);

/* A message of an end of that role; the texts borrow from `record`. False if
 * it is no such message. */
MUST_USE bool key_exchange_parse(struct bytes record, enum openvpn_role role,
                                 struct key_exchange *out);

#endif
