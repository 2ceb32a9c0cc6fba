/* A client's and a server's data channel with the same keys, and bursts
 * between them. */
#ifndef TESTS_OPENVPN_DATA_CHANNEL_PAIR_H
#define TESTS_OPENVPN_DATA_CHANNEL_PAIR_H

#include "gateway/openvpn/data/data_channel.h"

enum {
    CHANNEL_PAIR_KEY_ID = 3,
    CHANNEL_PAIR_PEER_ID = 0x17,
    CHANNEL_PAIR_MEMORY = 1 << 20,
};

struct channel_kind {
    const char *cipher;
    bool epoch;
    const char *digest; /* with CBC */
};

struct channel_pair {
    struct data_channel *client, *server;
    struct burst out; /* what is sealed */
    struct burst in;  /* views of what is received */
};

/* The keys of OpenVPN's own data channel vectors (test_ssl.c, create_key). */
void channel_pair_material(struct key_material *m);
/* Options with the values above and OpenVPN's replay window. */
struct data_channel_options channel_pair_options(enum openvpn_role role,
                                                 struct channel_kind kind);

void channel_pair_init(struct channel_pair *p, struct channel_kind kind);
void channel_pair_clear(struct channel_pair *p);

/* Adds a packet to `out` for one of the two to seal. */
struct datagram *channel_pair_add(struct channel_pair *p,
                                  const struct data_channel *by,
                                  struct bytes inner);
/* Seals one packet; an exact copy of its datagram, which the caller frees. */
uint8_t *channel_pair_seal_one(struct channel_pair *p, struct data_channel *by,
                               struct bytes inner, uint16_t *size);
/* Opens one datagram, in place; it is borrowed until the next call. */
const struct datagram *channel_pair_open_one(struct channel_pair *p,
                                             struct data_channel *by,
                                             uint8_t *data, uint16_t size);

#endif
