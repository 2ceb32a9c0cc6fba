#include "gateway/link/ethernet.h"

const uint8_t ethernet_gateway_mac[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};

bool ethernet_parse(struct bytes frame, struct ethernet_header *out,
                    struct bytes *payload)
{
    struct reader r = reader_of(frame);
    struct ethernet_header header;
    read_into(&r, header.destination, sizeof header.destination);
    read_into(&r, header.source, sizeof header.source);
    header.type = read_u16(&r);
    if (!reader_ok(&r))
        return false;
    *out = header;
    *payload = read_rest(&r);
    return true;
}

void ethernet_write(uint8_t out[ETHERNET_HEADER_SIZE],
                    const struct ethernet_header *header)
{
    memcpy(out, header->destination, 6);
    memcpy(out + 6, header->source, 6);
    store_u16(out + 12, header->type);
}
