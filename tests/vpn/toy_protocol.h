/*
 * A protocol that is none: it hides nothing, and does all that the door of
 * protocols allows. Whatever stands above the door must serve it as it serves
 * the true ones.
 *
 *   H TAG        a hello: are you there?        A TAG   the answer: a key
 *   D ... TAG    data, zero bytes behind it     B TAG   goodbye
 *
 * All servers of a profile are in force at once: a packet goes to the one with
 * the number of its destination's last byte. It is UP as soon as there is an
 * uplink; packets are held until the server's answer. A key is good for
 * TOY_KEY_PACKETS packets. A hello is said again each second, for ever;
 * TOY_ROUND of them without an answer are a round. An answer, or data, from
 * elsewhere moves the server there.
 *
 * A profile: `toy', lines of `server HOST PORT', perhaps `login'.
 */
#ifndef TESTS_VPN_TOY_PROTOCOL_H
#define TESTS_VPN_TOY_PROTOCOL_H

#include "gateway/vpn/protocol.h"

#define TOY_TAG "TOY!"

enum {
    TOY_TAG_SIZE = 4,
    TOY_HEAD = 1,
    TOY_BLOCK = 16,
    TOY_MTU = 100,
    TOY_HELD_MAX = 4,
    TOY_KEY_PACKETS = 8,
    TOY_ROUND = 2,
};

extern const struct protocol_kind toy_protocol;

#endif
