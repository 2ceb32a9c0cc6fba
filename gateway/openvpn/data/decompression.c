#include "gateway/openvpn/data/decompression.h"

#include <lz4.h>
#include <lzo/lzo1x.h>
#include <stdlib.h>

#include "gateway/base/secret.h"

struct decompression {
    uint16_t next;
    uint8_t places[BURST_DATAGRAMS_MAX][DECOMPRESSION_PACKET_MAX];
};

struct decompression *decompression_new(void)
{
    return lzo_init() == LZO_E_OK ? calloc(1, sizeof(struct decompression))
                                  : NULL;
}

void decompression_free(struct decompression *e)
{
    if (e)
        secret_wipe(e, sizeof *e);
    free(e);
}

/* The size, or 0. */
static size_t expand_lzo(struct bytes in, uint8_t *out)
{
    lzo_uint size = DECOMPRESSION_PACKET_MAX;
    int result = lzo1x_decompress_safe(in.data, in.size, out, &size, NULL);
    return result == LZO_E_OK ? size : 0;
}

static size_t expand_lz4(struct bytes in, uint8_t *out)
{
    int size = LZ4_decompress_safe((const char *)in.data, (char *)out,
                                   (int)in.size, DECOMPRESSION_PACKET_MAX);
    return size > 0 ? (size_t)size : 0;
}

bool decompression_expand(struct decompression *e,
                          enum decompression_format format, struct datagram *d)
{
    struct bytes in = bytes_of(d->data + d->inner_offset, d->inner_size);
    uint8_t *place = e->places[e->next];
    size_t size = 0;
    switch (format) {
    case DECOMPRESSION_LZO:
        size = expand_lzo(in, place);
        break;
    case DECOMPRESSION_LZ4:
        size = expand_lz4(in, place);
        break;
    }
    if (size == 0)
        return false;
    e->next = (uint16_t)((e->next + 1) % BURST_DATAGRAMS_MAX);
    d->data = place;
    d->size = d->inner_size = (uint16_t)size;
    d->inner_offset = 0;
    return true;
}
