#include "gateway/delivery.h"

#include "gateway/packet/segment.h"

enum {
    CUT_BYTES = 128 * 1024, /* a super-packet in small segments fits */
    PIECES = 64,
    CHUNK = 64, /* packets; bits of a word */
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

void delivery_connect(struct qube *qube, struct link_port *port)
{
    qube->port = port;
}

/* As it is, or as the segments that its qube's network card is told of. What
 * came in fragments does not: behind a qube may be a narrower way. */
static bool fits_card(const struct packet *p)
{
    return p->fragment_size == 0 &&
           packet_largest_segment(p) <= PACKET_QUBE_MTU;
}

static bool is_taken(const struct link_port *port, const struct packet *p)
{
    const struct link_kind *kind = port->link->kind;
    return fits_card(p) && (!kind->takes || kind->takes(port, p));
}

static void send(struct link_port *port, struct instant now,
                 struct packet *const *packets, size_t count)
{
    if (count > 0)
        port->link->kind->send(port, now, packets, count);
}

static void send_pieces(struct delivery *d, struct instant now,
                        struct link_port *port)
{
    struct packet *list[PIECES];
    for (size_t i = 0; i < d->pieces.count; i++)
        list[i] = &d->pieces.packets[i];
    send(port, now, list, d->pieces.count);
    packet_batch_reset(&d->pieces);
}

/* The checksums of what was still to be cut are ours; those of fragments are
 * as they came. */
static void send_cut(struct delivery *d, struct instant now,
                     struct link_port *port, const struct packet *of)
{
    for (uint16_t i = 0; i < d->cut.count; i++) {
        const struct datagram *datagram = &d->cut.datagrams[i];
        if (d->pieces.count == d->pieces.capacity)
            send_pieces(d, now, port);
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
    send_pieces(d, now, port);
    burst_reset(&d->cut);
}

static bool cut(struct delivery *d, struct instant now, struct link_port *port,
                const struct packet *p)
{
    static const struct burst_layout layout = {.head = PACKET_HEADROOM};
    struct segment_cursor cursor = {0};
    enum segment_result result;
    do {
        result = segment(p, PACKET_QUBE_MTU, &layout, &cursor, &d->cut);
        send_cut(d, now, port, p);
    } while (result == SEGMENT_FULL);
    return result == SEGMENT_DONE;
}

/* Packets of one qube, in their order. */
static void send_to_one(struct delivery *d, struct instant now,
                        struct router *router, struct packet *const *packets,
                        size_t count)
{
    struct link_port *port = packets[0]->qube->port;
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        struct packet *p = packets[i];
        if (is_taken(port, p))
            continue;
        send(port, now, packets + start, i - start);
        start = i + 1;
        if (cut(d, now, port, p))
            continue;
        p->drop = DROP_UNCUTTABLE;
        router_lost(router, p, DROP_UNCUTTABLE);
    }
    send(port, now, packets + start, count - start);
}

static uint64_t live_ones(const struct packet *packets, size_t count)
{
    uint64_t live = 0;
    for (size_t i = 0; i < count; i++)
        if (packets[i].drop == DROP_NONE && packets[i].qube &&
            packets[i].qube->port)
            live |= UINT64_C(1) << i;
    return live;
}

void delivery_send(struct delivery *d, struct instant now,
                   struct router *router, struct packet_batch *batch)
{
    for (size_t i = 0; i < batch->count; i += CHUNK) {
        struct packet *chunk = &batch->packets[i];
        size_t left_over = batch->count - i;
        uint64_t left = live_ones(chunk, left_over < CHUNK ? left_over : CHUNK);
        while (left) {
            const struct qube *qube = chunk[__builtin_ctzll(left)].qube;
            struct packet *list[CHUNK];
            size_t count = 0;
            for (uint64_t rest = left; rest; rest &= rest - 1) {
                int at = __builtin_ctzll(rest);
                if (chunk[at].qube != qube)
                    continue;
                list[count++] = &chunk[at];
                left &= ~(UINT64_C(1) << at);
            }
            send_to_one(d, now, router, list, count);
        }
    }
}
