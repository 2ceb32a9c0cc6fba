#include "gateway/openvpn/control/control_packet.h"

#include <assert.h>

bool opcode_is_control(uint8_t opcode)
{
    switch (opcode) {
    case OPCODE_CONTROL_SOFT_RESET_V1:
    case OPCODE_CONTROL_V1:
    case OPCODE_ACK_V1:
    case OPCODE_CONTROL_HARD_RESET_CLIENT_V2:
    case OPCODE_CONTROL_HARD_RESET_SERVER_V2:
    case OPCODE_CONTROL_HARD_RESET_CLIENT_V3:
    case OPCODE_CONTROL_WKC_V1:
        return true;
    default:
        return false;
    }
}

static void read_header(struct reader *r, struct control_packet *p)
{
    uint8_t first = read_u8(r);
    p->opcode = opcode_of(first);
    p->key_id = key_id_of(first);
    read_into(r, p->session.bytes, sizeof p->session.bytes);
}

static void read_acks(struct reader *r, struct control_packet *p)
{
    p->ack_count = read_u8(r);
    if (p->ack_count > CONTROL_ACKS_MAX) {
        r->failed = true;
        return;
    }
    for (uint8_t i = 0; i < p->ack_count; i++)
        p->acks[i] = read_u32(r);
    if (p->ack_count > 0)
        read_into(r, p->peer.bytes, sizeof p->peer.bytes);
}

bool control_packet_parse(struct bytes header, struct bytes body,
                          struct control_packet *out)
{
    struct control_packet p = {0};
    struct reader in_header = reader_of(header), in_body = reader_of(body);

    read_header(&in_header, &p);
    read_acks(&in_body, &p);
    if (p.opcode != OPCODE_ACK_V1) {
        p.message_id = read_u32(&in_body);
        p.payload = read_rest(&in_body);
    }

    if (!reader_finished(&in_header) || !reader_ok(&in_body) ||
        !opcode_is_control(p.opcode) || session_id_is_zero(&p.session) ||
        (p.ack_count > 0 && session_id_is_zero(&p.peer)))
        return false;
    *out = p;
    return true;
}

void control_packet_write_header(struct writer *w,
                                 const struct control_packet *packet)
{
    assert(opcode_is_control(packet->opcode) && packet->key_id <= 7);
    write_u8(w, (uint8_t)(packet->opcode << 3 | packet->key_id));
    write_bytes(w, bytes_of(packet->session.bytes, sizeof packet->session));
}

void control_packet_write_body(struct writer *w,
                               const struct control_packet *packet)
{
    assert(packet->ack_count <= CONTROL_ACKS_MAX);
    write_u8(w, packet->ack_count);
    for (uint8_t i = 0; i < packet->ack_count; i++)
        write_u32(w, packet->acks[i]);
    if (packet->ack_count > 0)
        write_bytes(w, bytes_of(packet->peer.bytes, sizeof packet->peer));
    if (packet->opcode == OPCODE_ACK_V1)
        return;
    write_u32(w, packet->message_id);
    write_bytes(w, packet->payload);
}
