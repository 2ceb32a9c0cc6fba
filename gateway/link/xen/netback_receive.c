#include "gateway/link/xen/netback_receive.h"

#include "gateway/link/offload.h"

#include <assert.h>
#include <stdlib.h>

enum {
    FRAME_MAX = ETHERNET_HEADER_SIZE + PACKET_SIZE_MAX,
    /* Put together on page borders, so that no copy has two pages of ours. */
    STAGE_SIZE =
        (FRAME_MAX + GRANT_PAGE_SIZE - 1) / GRANT_PAGE_SIZE * GRANT_PAGE_SIZE,
    MEMORY_SIZE = 4 * STAGE_SIZE,
};

/* Pages of the largest frame, and its extra. A frontend publishes no more
 * pages while 19 are outstanding, so a frame that needs more never fits. */
static_assert(STAGE_SIZE / GRANT_PAGE_SIZE + 1 <= 19, "the largest frame");

/* A frame in one piece, on its way into pages. */
struct outgoing {
    uint8_t *data;
    uint32_t size;
    uint16_t gso_size;
    uint8_t gso;   /* enum offload_gso */
    uint8_t flags; /* of the first response */
};

bool netback_receive_batch_init(struct netback_receive_batch *batch)
{
    memset(batch, 0, sizeof *batch);
    batch->memory = aligned_alloc(GRANT_PAGE_SIZE, MEMORY_SIZE);
    return batch->memory != NULL;
}

void netback_receive_batch_clear(struct netback_receive_batch *batch)
{
    free(batch->memory);
    batch->memory = NULL;
}

bool netback_receive_init(struct netback_receive *r, struct netback_page *page,
                          const struct netback_peer *peer,
                          const struct netback_accepts *accepts,
                          struct netback_receive_batch *batch)
{
    *r = (struct netback_receive){
        .peer = *peer,
        .accepts = *accepts,
        .batch = batch,
    };
    return netback_ring_attach(&r->ring, page, NETBACK_RECEIVE_WORDS) &&
           frame_queue_init(&r->queue, NETBACK_QUEUE_BYTES);
}

void netback_receive_clear(struct netback_receive *r)
{
    frame_queue_clear(&r->queue);
}

static uint32_t pages_of(const struct outgoing *frame)
{
    return (frame->size + NETBACK_PAGE_SIZE - 1) / NETBACK_PAGE_SIZE;
}

static uint32_t slots_of(const struct outgoing *frame)
{
    return pages_of(frame) + (frame->gso != OFFLOAD_GSO_NONE);
}

/* --- Into pages ---------------------------------------------------------- */

void netback_receive_flush(struct netback_receive *r)
{
    struct netback_receive_batch *b = r->batch;
    if (b->answer_count == 0)
        return;
    r->peer.copy(r->peer.context, GRANT_TO_QUBE, b->copies, b->copy_count);
    for (uint16_t i = 0; i < b->copy_count; i++) {
        int16_t status = b->copies[i].status;
        uint32_t *answer = b->answers[b->answer_of_copy[i]];
        if (status != 0)
            answer[1] = (answer[1] & 0xffff) |
                        (uint32_t)(uint16_t)(status < 0 ? status : -1) << 16;
    }
    for (uint16_t i = 0; i < b->answer_count; i++) {
        const uint32_t words[NETBACK_SLOT_WORDS_MAX] = {b->answers[i][0],
                                                        b->answers[i][1]};
        netback_ring_answer(&r->ring, words);
    }
    b->answer_count = b->copy_count = 0;
    b->used = 0;
    if (netback_ring_publish(&r->ring))
        r->peer.notify(r->peer.context);
}

static uint32_t *add_answer(struct netback_receive_batch *b)
{
    assert(b->answer_count < NETBACK_RING_SLOTS);
    return b->answers[b->answer_count++];
}

/* The next `size` bytes of the frame go into the next page. */
static void place_page(struct netback_receive *r, uint8_t *from, uint32_t size,
                       uint16_t flags)
{
    struct netback_receive_batch *b = r->batch;
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    netback_ring_read(&r->ring, 0, words);
    netback_ring_take(&r->ring, 1);

    b->copies[b->copy_count] = (struct grant_copy){
        .local = from, .reference = words[1], .size = (uint16_t)size};
    b->answer_of_copy[b->copy_count++] = b->answer_count;
    uint32_t *answer = add_answer(b);
    answer[0] = words[0] & 0xffff; /* offset 0 */
    answer[1] = flags | size << 16;
}

static void place_extra(struct netback_receive *r, const struct outgoing *frame)
{
    uint32_t type = frame->gso == OFFLOAD_GSO_TCP_IPV4 ? NETBACK_GSO_TCP_IPV4
                                                       : NETBACK_GSO_TCP_IPV6;
    netback_ring_take(&r->ring, 1);
    uint32_t *answer = add_answer(r->batch);
    answer[0] = NETBACK_EXTRA_GSO | (uint32_t)frame->gso_size << 16;
    answer[1] = type;
}

/* Its slots are there. */
static void place(struct netback_receive *r, const struct outgoing *frame)
{
    uint32_t slots = slots_of(frame);
    if (r->batch->answer_count + slots > NETBACK_RING_SLOTS)
        netback_receive_flush(r);
    uint16_t flags = frame->flags;
    if (frame->gso != OFFLOAD_GSO_NONE)
        flags |= NETBACK_RESPONSE_EXTRA;
    for (uint32_t at = 0; at < frame->size; at += NETBACK_PAGE_SIZE) {
        uint32_t size = frame->size - at;
        uint16_t more = 0;
        if (size > NETBACK_PAGE_SIZE) {
            size = NETBACK_PAGE_SIZE;
            more = NETBACK_RESPONSE_MORE;
        }
        place_page(r, frame->data + at, size, flags | more);
        if (flags & NETBACK_RESPONSE_EXTRA)
            place_extra(r, frame);
        flags = 0;
    }
}

/* Whether the frame can go into pages now. */
static bool has_room(const struct netback_receive *r,
                     const struct outgoing *frame, bool *lies)
{
    uint32_t waiting;
    if (!netback_ring_waiting(&r->ring, &waiting)) {
        *lies = true;
        return false;
    }
    return waiting >= slots_of(frame);
}

/* --- What waits ---------------------------------------------------------- */

/* The first frame that does not wait for too long already; false: none. */
static bool first_waiting(struct netback_receive *r, struct instant now,
                          struct outgoing *frame)
{
    const struct duration patience = duration_milliseconds(NETBACK_QUEUE_MS);
    struct queued_frame queued;
    uint8_t *bytes;
    while (frame_queue_first(&r->queue, &queued, &bytes)) {
        if (!instant_reached(now, instant_after(queued.since, patience))) {
            *frame = (struct outgoing){bytes, queued.size, queued.gso_size,
                                       queued.gso, queued.flags};
            return true;
        }
        frame_queue_remove(&r->queue);
        r->expired++;
    }
    return false;
}

/* Room for the frame in the queue; NULL when there is none. */
static uint8_t *enqueue(struct netback_receive *r, struct instant now,
                        const struct outgoing *frame)
{
    struct outgoing oldest;
    (void)first_waiting(r, now, &oldest);
    return frame_queue_add(&r->queue, &(struct queued_frame){
                                          .since = now,
                                          .size = frame->size,
                                          .gso_size = frame->gso_size,
                                          .gso = frame->gso,
                                          .flags = frame->flags,
                                      });
}

/* Its bytes stay readable until the next one is added. */
static bool move_waiting(struct netback_receive *r, struct instant now,
                         struct outgoing *frame, bool *lies)
{
    while (first_waiting(r, now, frame)) {
        if (!has_room(r, frame, lies))
            return false;
        place(r, frame);
        frame_queue_remove(&r->queue);
    }
    return true;
}

bool netback_receive_drain(struct netback_receive *r, struct instant now)
{
    struct outgoing frame;
    bool lies = false;
    while (!move_waiting(r, now, &frame, &lies) && !lies) {
        netback_receive_flush(r);
        if (netback_ring_sleep(&r->ring, slots_of(&frame)))
            return true;
    }
    /* A lie too: what is in the batch would become the next vif's. */
    netback_receive_flush(r);
    return !lies;
}

/* --- Packets ------------------------------------------------------------- */

static bool set_gso(const struct netback_receive *r,
                    const struct packet *packet,
                    const struct offload_transport *t, struct outgoing *frame)
{
    bool taken = t->version == 4 ? r->accepts.gso_ipv4 : r->accepts.gso_ipv6;
    if (packet->gso != PACKET_GSO_TCP || t->protocol != IP_TCP || !taken ||
        packet->gso_size == 0)
        return false;
    frame->gso_size = packet->gso_size;
    frame->gso = t->version == 4 ? OFFLOAD_GSO_TCP_IPV4 : OFFLOAD_GSO_TCP_IPV6;
    return true;
}

/* Size and offload data; false: the qube cannot take such a packet. */
static bool describe(const struct netback_receive *r,
                     const struct packet *packet, struct outgoing *frame)
{
    uint32_t size = packet_total(packet);
    *frame = (struct outgoing){.size = ETHERNET_HEADER_SIZE + size};
    if (packet->size == 0 || size > PACKET_SIZE_MAX ||
        (frame->size > NETBACK_PAGE_SIZE && !r->accepts.scatter))
        return false;
    if (packet->checksum == PACKET_CHECKSUM_VALID)
        frame->flags = NETBACK_RESPONSE_VALIDATED;
    if (packet->checksum != PACKET_CHECKSUM_PARTIAL)
        return packet->gso == PACKET_GSO_NONE;

    struct offload_transport t;
    if (!offload_find(bytes_of(packet->data, packet->size), &t))
        return false;
    frame->flags = NETBACK_RESPONSE_BLANK | NETBACK_RESPONSE_VALIDATED;
    if (!(t.version == 4 ? r->accepts.checksum_ipv4 : r->accepts.checksum_ipv6))
        return false;
    return packet->gso == PACKET_GSO_NONE || set_gso(r, packet, &t, frame);
}

bool netback_receive_takes(const struct netback_receive *r,
                           const struct packet *packet)
{
    struct outgoing frame;
    return describe(r, packet, &frame);
}

static void put_together(const struct packet *packet,
                         const struct ethernet_header *header, uint8_t *to)
{
    ethernet_write(to, header);
    to += ETHERNET_HEADER_SIZE;
    memcpy(to, packet->data, packet->size);
    to += packet->size;
    for (uint16_t i = 0; i < packet->piece_count; i++) {
        const struct bytes *piece = &packet->pieces[i];
        if (piece->size)
            memcpy(to, piece->data, piece->size);
        to += piece->size;
    }
}

/* Room in the batch for the frame's answers and `space` bytes. */
static uint8_t *make_room(struct netback_receive *r,
                          const struct outgoing *frame, size_t space)
{
    struct netback_receive_batch *b = r->batch;
    if (b->used + space > MEMORY_SIZE ||
        b->answer_count + slots_of(frame) > NETBACK_RING_SLOTS)
        netback_receive_flush(r);
    uint8_t *room = b->memory + b->used;
    b->used += space;
    return room;
}

enum drop netback_receive_send(struct netback_receive *r, struct instant now,
                               struct packet *packet,
                               const struct ethernet_header *header, bool *lies)
{
    struct outgoing frame;
    if (!describe(r, packet, &frame))
        return DROP_LINK_MALFORMED;
    if (netback_receive_waits(r) || !has_room(r, &frame, lies)) {
        uint8_t *room = enqueue(r, now, &frame);
        if (!room)
            return DROP_LINK_QUEUE_FULL;
        put_together(packet, header, room);
        return DROP_NONE;
    }
    /* In pieces, or of several pages: on page borders a copy is one. */
    if (packet->piece_count || frame.size > NETBACK_PAGE_SIZE ||
        packet->headroom < ETHERNET_HEADER_SIZE) {
        frame.data =
            make_room(r, &frame, (size_t)pages_of(&frame) * GRANT_PAGE_SIZE);
        put_together(packet, header, frame.data);
    } else {
        frame.data = packet->data - ETHERNET_HEADER_SIZE;
        ethernet_write(frame.data, header);
    }
    place(r, &frame);
    return DROP_NONE;
}

enum drop netback_receive_answer(struct netback_receive *r, struct instant now,
                                 struct bytes bytes, bool *lies)
{
    struct outgoing frame = {.size = (uint32_t)bytes.size};
    uint8_t *room;
    assert(bytes.size > 0 && bytes.size <= NETBACK_PAGE_SIZE);
    if (netback_receive_waits(r) || !has_room(r, &frame, lies)) {
        room = enqueue(r, now, &frame);
        if (!room)
            return DROP_LINK_QUEUE_FULL;
        memcpy(room, bytes.data, bytes.size);
        return DROP_NONE;
    }
    room = make_room(r, &frame, GRANT_PAGE_SIZE);
    memcpy(room, bytes.data, bytes.size);
    frame.data = room;
    place(r, &frame);
    return DROP_NONE;
}
