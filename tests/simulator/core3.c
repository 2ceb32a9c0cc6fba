#include "tests/simulator/core3.h"

#include "tests/unit.h"

static bool parse(struct bytes datagram, struct control_packet *out)
{
    uint8_t first = datagram.data[0];
    return opcode_is_control(opcode_of(first)) && key_id_of(first) > 0 &&
           datagram.size > CONTROL_HEADER_SIZE &&
           control_packet_parse(bytes_of(datagram.data, CONTROL_HEADER_SIZE),
                                bytes_of(datagram.data + CONTROL_HEADER_SIZE,
                                         datagram.size - CONTROL_HEADER_SIZE),
                                out);
}

static struct bytes rewrite(uint8_t out[CONTROL_PACKET_SIZE_MAX],
                            const struct control_packet *p)
{
    struct writer w = writer_of(out, CONTROL_PACKET_SIZE_MAX);
    control_packet_write_header(&w, p);
    control_packet_write_body(&w, p);
    assert_true(writer_ok(&w));
    return writer_bytes(&w);
}

/* The reset that it does not send was acknowledged. */
static struct bytes acknowledge(struct core3 *c, const struct control_packet *p)
{
    const struct control_packet ack = {.opcode = OPCODE_ACK_V1,
                                       .key_id = p->key_id,
                                       .session = p->peer,
                                       .peer = p->session,
                                       .ack_count = 1};
    return rewrite(c->back, &ack);
}

struct bytes core3_say(struct core3 *c, struct bytes datagram,
                       struct bytes *back)
{
    struct control_packet p;
    *back = bytes_of(NULL, 0);
    if (!parse(datagram, &p))
        return datagram;
    if (p.opcode == OPCODE_CONTROL_SOFT_RESET_V1) {
        if (p.ack_count == 0)
            c->initiated = p.key_id;
        c->answers[p.key_id] = c->initiated != p.key_id;
        if (!c->answers[p.key_id])
            return datagram;
        c->answered++;
        *back = acknowledge(c, &p);
        return bytes_of(NULL, 0);
    }
    if (c->answers[p.key_id] && p.opcode != OPCODE_ACK_V1)
        p.message_id--;
    return rewrite(c->out, &p);
}

struct bytes core3_hear(struct core3 *c, struct bytes datagram)
{
    struct control_packet p;
    if (!parse(datagram, &p) || !c->answers[p.key_id])
        return datagram;
    for (uint8_t i = 0; i < p.ack_count; i++)
        p.acks[i]++;
    return rewrite(c->out, &p);
}
