#include "gateway/delivery.h"

#include "gateway/packet/segment.h"

enum {
    CUT_BYTES = 128 * 1024, /* a super-packet in small segments fits */
    PIECES = 64,
};

bool delivery_init(struct delivery *d)
{
    *d = (struct delivery){0};
    return burst_init(&d->cut, CUT_BYTES) &&
           packet_batch_init(&d->pieces, PIECES, 0);
}

void delivery_clear(struct delivery *d)
{
    burst_clear(&d->cut);
    packet_batch_clear(&d->pieces);
}

/* As it is, or as the segments that its qube's network card is told of. What
 * came in fragments does not: behind a qube may be a narrower way. */
static bool fits_card(const struct packet *p)
{
    return p->fragment_size == 0 && packet_largest_segment(p) <= LINK_MTU;
}

static bool is_taken(struct link *link, const struct packet *p)
{
    if (!fits_card(p))
        return false;
    return !link->kind->takes || link->kind->takes(link, p);
}

static void send_pieces(struct delivery *d, struct instant now,
                        struct link *link)
{
    link->kind->send(link, now, d->pieces.packets, d->pieces.count);
    packet_batch_reset(&d->pieces);
}

/* The checksums of what was still to be cut are ours; those of fragments are
 * as they came. */
static void send_cut(struct delivery *d, struct instant now, struct link *link,
                     const struct packet *of)
{
    for (uint16_t i = 0; i < d->cut.count; i++) {
        const struct datagram *datagram = &d->cut.datagrams[i];
        if (d->pieces.count == d->pieces.capacity)
            send_pieces(d, now, link);
        struct packet *p = packet_batch_add(&d->pieces);
        *p = (struct packet){
            .data = datagram->data + datagram->inner_offset,
            .size = datagram->inner_size,
            .headroom = datagram->inner_offset,
            .qube = of->qube,
            .checksum = of->checksum == PACKET_CHECKSUM_PARTIAL
                            ? PACKET_CHECKSUM_VALID
                            : PACKET_CHECKSUM_NONE,
        };
    }
    send_pieces(d, now, link);
    burst_reset(&d->cut);
}

static bool cut(struct delivery *d, struct instant now, struct link *link,
                const struct packet *p)
{
    static const struct burst_layout layout = {.head = PACKET_HEADROOM};
    struct segment_cursor cursor = {0};
    enum segment_result result;
    do {
        result = segment(p, LINK_MTU, &layout, &cursor, &d->cut);
        send_cut(d, now, link, p);
    } while (result == SEGMENT_FULL);
    return result == SEGMENT_DONE;
}

/* How many packets from here on go to the same link as they are. */
static size_t run_length(const struct delivery *d, struct link *link,
                         const struct packet *first, size_t count)
{
    size_t n = 0;
    while (n < count && !first[n].drop &&
           d->link_of_qube[first[n].qube] == link && is_taken(link, &first[n]))
        n++;
    return n;
}

void delivery_send(struct delivery *d, struct instant now,
                   struct router *router, struct packet_batch *batch)
{
    for (size_t i = 0, n; i < batch->count; i += n) {
        struct packet *first = &batch->packets[i];
        struct link *link = first->drop ? NULL : d->link_of_qube[first->qube];
        n = 1;
        if (!link)
            continue;
        n = run_length(d, link, first, batch->count - i);
        if (n > 0) {
            link->kind->send(link, now, first, n);
            continue;
        }
        n = 1;
        if (cut(d, now, link, first))
            continue;
        first->drop = DROP_UNCUTTABLE;
        router_lost(router, first, DROP_UNCUTTABLE);
    }
}
