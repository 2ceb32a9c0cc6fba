/*
 * The framing that was made for compression, inside the encryption. This
 * program never compresses: a compressor in front of a cipher tells what it
 * encrypts (VORACLE). It frames, because the peer expects it (openvpn: comp.c,
 * compstub.c).
 *
 *   NONE     packet
 *   LZO      FA packet
 *   STUB     FB packet's bytes 1.. packet's byte 0
 *   STUB_V2  packet, or 50 00 packet if that starts with 50 (no IP does)
 *
 * Coming in, 66 in the place of FA is followed by LZO1X, 69 in the place of FB
 * and 50 01 by LZ4; these are read. Other compressed packets are dropped and
 * counted as such.
 */
#ifndef OPENVPN_DATA_COMPRESSION_H
#define OPENVPN_DATA_COMPRESSION_H

#include "gateway/openvpn/config/config.h"
#include "gateway/openvpn/data/decompression.h"
#include "gateway/packet/burst.h"

struct compression {
    enum config_compression kind;
    bool refused;                        /* what is compressed is not read */
    struct decompression *decompression; /* NULL until a packet needs it */
};

/* Frees and wipes what came to be in use. */
void compression_clear(struct compression *c);

/* Makes the room that framing needs in a data channel's layout. */
struct burst_layout compression_layout(const struct compression *c,
                                       struct burst_layout channel);

/* Frames what data_channel_seal() will take: inner packets placed as
 * compression_layout() says become what the channel's own layout says. */
void compression_frame(const struct compression *c, struct burst *burst);

/* Takes the framing off datagrams [first, first + count) after
 * data_channel_open(): inner_offset and inner_size are the packet's, or there
 * is a drop reason. */
void compression_unframe(struct compression *c, struct burst *burst,
                         size_t first, size_t count);

#endif
