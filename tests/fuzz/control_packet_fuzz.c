#include "gateway/openvpn/control/control_packet.h"

#include <stdlib.h>

#include "gateway/openvpn/control/early_negotiation.h"
#include "tests/fuzz/target.h"

/* A packet that was read is written as the same bytes, but for what an ACK_V1
 * drags along. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[65536];
    struct control_packet p;
    struct early_negotiation said;
    if (size < CONTROL_HEADER_SIZE || size > sizeof again ||
        !control_packet_parse(
            bytes_of(data, CONTROL_HEADER_SIZE),
            bytes_of(data + CONTROL_HEADER_SIZE, size - CONTROL_HEADER_SIZE),
            &p))
        return 0;
    struct writer w = writer_of(again, sizeof again);
    control_packet_write_header(&w, &p);
    control_packet_write_body(&w, &p);
    if (!writer_ok(&w) || w.size > size || memcmp(again, data, w.size) != 0 ||
        (p.opcode != OPCODE_ACK_V1 && w.size != size))
        abort();

    if (early_negotiation_parse(p.payload, &said)) {
        w = writer_of(again, sizeof again);
        early_negotiation_write(&w, &said);
        if (said.resend_wkc && p.payload.size < w.size)
            abort();
    }
    return 0;
}
