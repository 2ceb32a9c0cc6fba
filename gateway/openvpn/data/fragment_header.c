#include "gateway/openvpn/data/fragment_header.h"

enum {
    TYPE_MASK = 0x3,
    SEQUENCE_MASK = 0xff,
    SEQUENCE_SHIFT = 2,
    NUMBER_MASK = 0x1f,
    NUMBER_SHIFT = 10,
    SIZE_MASK = 0x3fff,
    SIZE_SHIFT = 15,
    SIZE_UNIT = 4,
};

bool fragment_header_read(struct reader *r, struct fragment_header *out)
{
    uint32_t bits = read_u32(r);
    struct fragment_header h = {
        .sequence = bits >> SEQUENCE_SHIFT & SEQUENCE_MASK,
        .number = bits >> NUMBER_SHIFT & NUMBER_MASK,
    };
    switch (bits & TYPE_MASK) {
    case FRAGMENT_WHOLE:
        if (h.sequence || h.number)
            return false;
        break;
    case FRAGMENT_MORE:
        break;
    case FRAGMENT_LAST:
        h.size = (uint16_t)((bits >> SIZE_SHIFT & SIZE_MASK) * SIZE_UNIT);
        break;
    default: /* FRAG_TEST, which no version sends */
        return false;
    }
    h.type = (enum fragment_type)(bits & TYPE_MASK);
    if (!reader_ok(r))
        return false;
    *out = h;
    return true;
}

void fragment_header_write(struct writer *w, const struct fragment_header *h)
{
    uint32_t size = h->size / SIZE_UNIT;
    write_u32(w, (uint32_t)h->type | (uint32_t)h->sequence << SEQUENCE_SHIFT |
                     (uint32_t)h->number << NUMBER_SHIFT | size << SIZE_SHIFT);
}
