/*
 * The implementations behind data_channel.h: the functions of a format, and
 * what all formats have. Each is a file: data_aead.c, ...
 */
#ifndef OPENVPN_DATA_DATA_FUNCTIONS_H
#define OPENVPN_DATA_DATA_FUNCTIONS_H

#include "gateway/openvpn/data/data_channel.h"

/* New keys are due from this packet number on (openvpn: packet_id.h,
 * PACKET_ID_WRAP_TRIGGER). */
#define DATA_FUNCTIONS_ID_HIGH 0xff000000u

struct data_functions {
    void (*destroy)(struct data_channel *c);
    void (*seal)(struct data_channel *c, struct burst *burst);
    void (*open)(struct data_channel *c, struct instant now,
                 struct datagram *datagrams, size_t count);
    bool (*exhausted)(const struct data_channel *c);
    const char *(*library)(const struct data_channel *c);
};

/* The first member of every format's channel. */
struct data_channel {
    const struct data_functions *functions;
    struct burst_layout layout;
    uint64_t bytes; /* of datagrams sealed or opened */
    uint64_t packets;
    uint8_t header[DATA_HEADER_SIZE_MAX]; /* of what is sent */
    uint8_t header_size;
};

/* The header and the functions; the layout is the format's own. */
static inline void data_functions_init(struct data_channel *c,
                                       const struct data_functions *functions,
                                       const struct data_channel_options *o)
{
    c->functions = functions;
    c->header_size =
        (uint8_t)data_packet_write(c->header, o->key_id, o->peer_id);
}

/* The opened or sealed datagram counts. */
static inline void data_functions_count(struct data_channel *c,
                                        const struct datagram *d)
{
    c->bytes += d->size;
    c->packets++;
}

/* It was opened, and this is inside. */
static inline void data_functions_opened(struct data_channel *c,
                                         struct datagram *d,
                                         const uint8_t *inner, size_t size)
{
    d->inner_offset = (uint16_t)(inner - d->data);
    d->inner_size = (uint16_t)size;
    data_functions_count(c, d);
}

/* The datagram is to be sealed. */
static inline bool data_functions_wanted(const struct datagram *d)
{
    return d->inner_size > 0 && d->drop == DROP_NONE;
}

#endif
