#include "gateway/openvpn/data/compression_lzo.h"

#include <lzo/lzo1x.h>
#include <stdlib.h>

#include "gateway/base/secret.h"

struct compression_lzo {
    uint16_t next;
    uint8_t places[BURST_DATAGRAMS_MAX][COMPRESSION_LZO_PACKET_MAX];
};

struct compression_lzo *compression_lzo_new(void)
{
    return lzo_init() == LZO_E_OK ? calloc(1, sizeof(struct compression_lzo))
                                  : NULL;
}

void compression_lzo_free(struct compression_lzo *l)
{
    if (l)
        secret_wipe(l, sizeof *l);
    free(l);
}

bool compression_lzo_expand(struct compression_lzo *l, struct datagram *d)
{
    uint8_t *place = l->places[l->next];
    lzo_uint size = COMPRESSION_LZO_PACKET_MAX;
    if (lzo1x_decompress_safe(d->data + d->inner_offset, d->inner_size, place,
                              &size, NULL) != LZO_E_OK ||
        size == 0)
        return false;
    l->next = (uint16_t)((l->next + 1) % BURST_DATAGRAMS_MAX);
    d->data = place;
    d->size = d->inner_size = (uint16_t)size;
    d->inner_offset = 0;
    return true;
}
