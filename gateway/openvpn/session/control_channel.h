/*
 * The control channel of one key_id: the exchange of resets, and TLS over
 * reliable delivery. Role-neutral.
 *
 *   our reset (message 0) ->      <- the peer's reset (message 0)
 *   TLS records cut into messages of at most `payload_max` bytes, both ways
 *
 * An OpenVPN 3 peer answers a soft reset with an acknowledgement alone, and its
 * message 0 is TLS.
 *
 * Messages out of order, lost and repeated are the matter of reliable.h, and
 * what a record means is the session's.
 */
#ifndef OPENVPN_SESSION_CONTROL_CHANNEL_H
#define OPENVPN_SESSION_CONTROL_CHANNEL_H

#include "gateway/base/drop.h"
#include "gateway/openvpn/control/reliable.h"
#include "gateway/openvpn/tls/tls_session.h"

struct control_channel {
    enum openvpn_role role;
    uint8_t key_id;
    bool peer_reset;      /* the peer's message 0 was taken in */
    bool heard;           /* any packet of the peer came */
    bool reading;         /* TLS is at the message that reliable_next() has */
    bool wrapped_key_due; /* our message 1 must carry the wrapped key */
    uint16_t payload_max; /* of CONTROL_V1 */
    uint16_t wrapped_key_size;
    struct reliable reliable;
    struct tls_session tls;
};

struct control_channel_options {
    enum openvpn_role role;
    uint8_t key_id;
    struct tls_context *tls;
    uint32_t unix_time;
    struct duration timeout; /* first retransmission */
    uint16_t payload_max;
    uint16_t wrapped_key_size; /* tls-crypt-v2, client; else 0 */
};

/* Not to be moved afterwards. False when memory is short. */
MUST_USE bool control_channel_init(struct control_channel *c,
                                   const struct control_channel_options *o);
void control_channel_clear(struct control_channel *c);

/* Queues our reset. */
void control_channel_start(struct control_channel *c, struct instant now,
                           uint8_t opcode);

/* Instead: the resets were exchanged before there was a channel. */
void control_channel_adopt(struct control_channel *c);

/* Takes in a packet of this key_id that authenticated and belongs to the
 * session. */
enum drop control_channel_receive(struct control_channel *c, struct instant now,
                                  const struct control_packet *packet);
/* The next record of TLS; false when there is none, or TLS failed. */
MUST_USE bool control_channel_read(struct control_channel *c,
                                   struct instant now, uint8_t *out,
                                   size_t capacity, size_t *size);
/* One record; false unless TLS is established. */
MUST_USE bool control_channel_write(struct control_channel *c,
                                    struct instant now, struct bytes plaintext);

/* The next packet to send at `now`, without session ids; false if none is. */
MUST_USE bool control_channel_transmit(struct control_channel *c,
                                       struct instant now,
                                       struct control_packet *out);
/* All that we had to say has arrived. */
bool control_channel_all_acked(const struct control_channel *c);
struct instant control_channel_deadline(const struct control_channel *c);

#endif
