#include "gateway/openvpn/data/data_packet.h"

#include <assert.h>

bool data_packet_parse(struct bytes datagram, struct data_packet *out)
{
    struct reader r = reader_of(datagram);
    uint8_t first = read_u8(&r);
    struct data_packet p = {
        .opcode = opcode_of(first),
        .key_id = key_id_of(first),
        .header_size = (uint8_t)data_packet_header_size(first),
        .peer_id = PEER_ID_NONE,
    };
    if (p.opcode == OPCODE_DATA_V2) {
        p.peer_id = (uint32_t)read_u8(&r) << 16;
        p.peer_id |= read_u16(&r);
    }
    if (!reader_ok(&r) || !p.header_size)
        return false;
    *out = p;
    return true;
}

size_t data_packet_write(uint8_t out[DATA_HEADER_SIZE_MAX], uint8_t key_id,
                         uint32_t peer_id)
{
    assert(key_id <= 7 && peer_id <= PEER_ID_NONE);
    if (peer_id == PEER_ID_NONE) {
        out[0] = (uint8_t)(OPCODE_DATA_V1 << 3 | key_id);
        return DATA_V1_HEADER_SIZE;
    }
    store_u32(out, (uint32_t)(OPCODE_DATA_V2 << 3 | key_id) << 24 | peer_id);
    return DATA_V2_HEADER_SIZE;
}
