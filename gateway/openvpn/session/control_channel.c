#include "gateway/openvpn/session/control_channel.h"

#include <assert.h>

#include "gateway/openvpn/control/early_negotiation.h"

bool control_channel_init(struct control_channel *c,
                          const struct control_channel_options *o)
{
    c->role = o->role;
    c->key_id = o->key_id;
    c->peer_reset = false;
    c->heard = false;
    c->reading = false;
    c->wrapped_key_due = false;
    c->payload_max = o->payload_max;
    c->wrapped_key_size = o->wrapped_key_size;
    reliable_init(&c->reliable, o->timeout);
    return tls_session_init(&c->tls, o->tls, o->unix_time);
}

void control_channel_clear(struct control_channel *c)
{
    reliable_clear(&c->reliable);
    tls_session_clear(&c->tls);
}

void control_channel_start(struct control_channel *c, struct instant now,
                           uint8_t opcode)
{
    bool queued = reliable_send(&c->reliable, now, opcode, bytes_of(NULL, 0));
    assert(queued); /* the window of a new channel is empty */
}

void control_channel_adopt(struct control_channel *c)
{
    c->peer_reset = true;
    reliable_skip_first(&c->reliable);
}

static bool is_reset(uint8_t opcode)
{
    return opcode == OPCODE_CONTROL_SOFT_RESET_V1 ||
           opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V2 ||
           opcode == OPCODE_CONTROL_HARD_RESET_SERVER_V2 ||
           opcode == OPCODE_CONTROL_HARD_RESET_CLIENT_V3;
}

/* A reset is message 0. Message 0 is a reset, but OpenVPN 3 answers a soft
 * reset without one of its own (openvpn3: ssl/proto.hpp, KeyContext). */
static bool may_have_number(const struct control_packet *packet)
{
    if (is_reset(packet->opcode))
        return packet->message_id == 0;
    return packet->message_id > 0 || packet->key_id > 0;
}

enum drop control_channel_receive(struct control_channel *c, struct instant now,
                                  const struct control_packet *packet)
{
    bool ack_only = packet->opcode == OPCODE_ACK_V1;
    if (!ack_only && !may_have_number(packet))
        return DROP_CONTROL_MALFORMED;
    /* The peer is there after all: what is due need not wait any longer. */
    if (!c->heard)
        reliable_burst(&c->reliable, now);
    c->heard = true;
    reliable_acked(&c->reliable, packet->acks, packet->ack_count);
    if (ack_only)
        return DROP_NONE;
    enum reliable_verdict verdict = reliable_receive(
        &c->reliable, packet->message_id, packet->opcode, packet->payload);
    return verdict == RELIABLE_OUTSIDE ? DROP_CONTROL_WINDOW : DROP_NONE;
}

static void take_reset(struct control_channel *c, uint8_t opcode,
                       struct bytes payload)
{
    struct early_negotiation said;
    c->peer_reset = true;
    if (opcode == OPCODE_CONTROL_HARD_RESET_SERVER_V2 &&
        early_negotiation_parse(payload, &said))
        c->wrapped_key_due = said.resend_wkc && c->wrapped_key_size > 0;
}

/* Hands TLS the next message in order; false when it has not come. */
static bool feed_next(struct control_channel *c)
{
    uint8_t opcode;
    uint32_t id;
    struct bytes payload;
    while (reliable_next(&c->reliable, &opcode, &id, &payload)) {
        if (!is_reset(opcode)) {
            tls_session_feed(&c->tls, payload);
            c->reading = true;
            return true;
        }
        take_reset(c, opcode, payload);
        reliable_consume(&c->reliable);
    }
    return false;
}

/* A client begins TLS once its reset has arrived, and at first the server's
 * too: a soft reset may be answered without one. */
static void begin(struct control_channel *c)
{
    bool answered = c->peer_reset || c->key_id > 0;
    if (c->role == OPENVPN_CLIENT && answered &&
        reliable_all_acked(&c->reliable))
        tls_session_advance(&c->tls);
}

/* Cuts what TLS has to say into messages, as many as the window takes. */
static void flush(struct control_channel *c, struct instant now)
{
    struct bytes output = tls_session_output(&c->tls);
    while (output.size > 0 && reliable_can_send(&c->reliable)) {
        uint8_t opcode = OPCODE_CONTROL_V1;
        size_t size = c->payload_max;
        if (c->wrapped_key_due) {
            opcode = OPCODE_CONTROL_WKC_V1;
            /* Without room for more the wrapped key goes alone. */
            size = size > c->wrapped_key_size ? size - c->wrapped_key_size : 0;
        }
        if (size > output.size)
            size = output.size;
        if (!reliable_send(&c->reliable, now, opcode,
                           bytes_of(output.data, size)))
            return;
        c->wrapped_key_due = false;
        tls_session_sent(&c->tls, size);
        output = tls_session_output(&c->tls);
    }
}

bool control_channel_read(struct control_channel *c, struct instant now,
                          uint8_t *out, size_t capacity, size_t *size)
{
    bool found = false;
    while (!found && c->tls.state != TLS_FAILED &&
           (c->reading || feed_next(c))) {
        found = tls_session_read(&c->tls, out, capacity, size);
        if (!found) {
            c->reading = false;
            reliable_consume(&c->reliable);
        }
    }
    begin(c);
    flush(c, now);
    return found;
}

bool control_channel_write(struct control_channel *c, struct instant now,
                           struct bytes plaintext)
{
    bool written = tls_session_write(&c->tls, plaintext);
    flush(c, now);
    return written;
}

bool control_channel_transmit(struct control_channel *c, struct instant now,
                              struct control_packet *out)
{
    flush(c, now);
    if (!reliable_transmit(&c->reliable, now, out) &&
        !reliable_transmit_ack(&c->reliable, out))
        return false;
    out->key_id = c->key_id;
    return true;
}

bool control_channel_all_acked(const struct control_channel *c)
{
    return tls_session_output(&c->tls).size == 0 &&
           reliable_all_acked(&c->reliable);
}

struct instant control_channel_deadline(const struct control_channel *c)
{
    return reliable_deadline(&c->reliable);
}
