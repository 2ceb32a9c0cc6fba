#include "gateway/link/xen/netback_transmit.h"

#include "gateway/link/ethernet.h"

#include <assert.h>
#include <stdlib.h>

enum {
    ALIGNMENT = 64,
    /* The frame begins here; its Ethernet header ends on a cache line. */
    FRAME_OFFSET = PACKET_HEADROOM - ETHERNET_HEADER_SIZE,
    FRAME_SPACE_MAX =
        FRAME_OFFSET + GRANT_PAGE_SIZE + NETBACK_FRAME_SIZE_MAX + ALIGNMENT,
    MEMORY_SIZE = 8 * FRAME_SPACE_MAX,
    COST_OF_PACKET = 512,
};

/* An answer and a copy for every slot that a ring can hold. */
static_assert((int)GRANT_COPIES_MAX >= (int)NETBACK_RING_SLOTS, "copies");

struct request {
    uint32_t reference;
    uint16_t offset;
    uint16_t flags;
    uint16_t id;
    uint16_t size;
};

/* One frame's slots, copied out of the ring. */
struct chain {
    struct request first; /* its size is that of the first piece */
    struct request more[NETBACK_MORE_SLOTS_FATAL];
    uint32_t more_count;
    uint32_t extra_count;
    uint32_t slots;    /* of all kinds */
    uint16_t size;     /* of the frame */
    uint16_t gso_size; /* 0: no super-packet */
    uint8_t gso_type;
    bool multicast; /* a wish about multicast, and no frame */
    bool refused;   /* every slot gets an error */
};

bool netback_transmit_batch_init(struct netback_transmit_batch *batch)
{
    memset(batch, 0, sizeof *batch);
    batch->memory =
        aligned_alloc(GRANT_PAGE_SIZE, (MEMORY_SIZE + GRANT_PAGE_SIZE - 1) /
                                           GRANT_PAGE_SIZE * GRANT_PAGE_SIZE);
    return batch->memory != NULL;
}

void netback_transmit_batch_clear(struct netback_transmit_batch *batch)
{
    free(batch->memory);
    batch->memory = NULL;
}

static struct request request_of(const uint32_t words[NETBACK_SLOT_WORDS_MAX])
{
    return (struct request){
        .reference = words[0],
        .offset = (uint16_t)words[1],
        .flags = (uint16_t)(words[1] >> 16),
        .id = (uint16_t)words[2],
        .size = (uint16_t)(words[2] >> 16),
    };
}

static const char *read_extra(const uint32_t words[NETBACK_SLOT_WORDS_MAX],
                              struct chain *chain)
{
    switch ((uint8_t)words[0]) {
    case NETBACK_EXTRA_GSO:
        chain->gso_size = (uint16_t)(words[0] >> 16);
        chain->gso_type = (uint8_t)words[1];
        if (chain->gso_size == 0)
            return "a super-packet with segments of no size";
        if (chain->gso_type != NETBACK_GSO_TCP_IPV4 &&
            chain->gso_type != NETBACK_GSO_TCP_IPV6)
            return "a super-packet of an unknown kind";
        return NULL;
    case NETBACK_EXTRA_MULTICAST_ADD:
    case NETBACK_EXTRA_MULTICAST_DELETE:
        chain->multicast = true;
        return NULL;
    case NETBACK_EXTRA_HASH:
    case NETBACK_EXTRA_XDP:
        return NULL;
    default:
        return "an extra slot of an unknown type";
    }
}

static const char *read_extras(const struct netback_ring *ring,
                               uint32_t waiting, struct chain *chain)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    const char *wrong = NULL;
    if (!(chain->first.flags & NETBACK_EXTRA_INFO))
        return NULL;
    do {
        if (chain->slots == waiting)
            return "extra slots that end nowhere";
        netback_ring_read(ring, chain->slots, words);
        chain->slots++;
        chain->extra_count++;
        wrong = read_extra(words, chain);
    } while (!wrong && words[0] >> 8 & NETBACK_EXTRA_MORE);
    return wrong;
}

static const char *read_more(const struct netback_ring *ring, uint32_t waiting,
                             struct chain *chain)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    uint16_t flags = chain->first.flags;
    while (flags & NETBACK_MORE_DATA) {
        if (chain->slots == waiting)
            return "a frame that ends nowhere";
        if (chain->more_count == NETBACK_MORE_SLOTS_FATAL)
            return "a frame of too many slots";
        netback_ring_read(ring, chain->slots, words);
        chain->slots++;
        struct request *next = &chain->more[chain->more_count++];
        *next = request_of(words);
        if (next->offset + next->size > NETBACK_PAGE_SIZE)
            return "a piece that crosses its page";
        /* Some old frontends make frames whose size does not fit its field;
         * that is no reason to close them. */
        if (next->size > chain->first.size)
            chain->refused = true;
        else
            chain->first.size = (uint16_t)(chain->first.size - next->size);
        flags = next->flags;
    }
    if (chain->more_count > NETBACK_MORE_SLOTS_MAX)
        chain->refused = true;
    return NULL;
}

/* Copies the next frame's slots; nothing is taken yet. */
static const char *read_chain(const struct netback_ring *ring, uint32_t waiting,
                              struct chain *chain)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    *chain = (struct chain){.slots = 1};
    netback_ring_read(ring, 0, words);
    chain->first = request_of(words);
    chain->size = chain->first.size;

    const char *wrong = read_extras(ring, waiting, chain);
    if (!wrong && !chain->multicast)
        wrong = read_more(ring, waiting, chain);
    if (wrong)
        return wrong;
    /* Filters for multicast were never offered. */
    if (chain->size < ETHERNET_HEADER_SIZE || chain->multicast)
        chain->refused = true;
    if (!chain->refused &&
        chain->first.offset + chain->first.size > NETBACK_PAGE_SIZE)
        return "a piece that crosses its page";
    return NULL;
}

static void add_answer(struct netback_transmit_batch *batch, uint16_t id,
                       int status)
{
    batch->answers[batch->answer_count++] =
        (struct netback_answer){id, (int16_t)status};
}

/* Slots without bytes are legal and must not be copied (XSA-448). */
static uint8_t *add_copy(struct netback_transmit_batch *batch,
                         const struct request *request, uint8_t *to)
{
    if (request->size == 0)
        return to;
    uint16_t i = batch->copy_count++;
    batch->copies[i] = (struct grant_copy){
        .local = to,
        .reference = request->reference,
        .offset = request->offset,
        .size = request->size,
    };
    batch->answer_of_copy[i] = (uint16_t)(batch->answer_count - 1);
    batch->frame_of_copy[i] = batch->frame_count;
    return to + request->size;
}

static void add_refusal(struct netback_transmit_batch *batch,
                        const struct chain *chain)
{
    add_answer(batch, chain->first.id, NETBACK_STATUS_ERROR);
    for (uint32_t i = 0; i < chain->extra_count; i++)
        add_answer(batch, 0, NETBACK_STATUS_NULL);
    for (uint32_t i = 0; i < chain->more_count; i++)
        add_answer(batch, chain->more[i].id, NETBACK_STATUS_ERROR);
}

/*
 * The place of the frame, from the memory that is used. A copy that crosses a
 * page of ours is two for the hypervisor, so a frame in one piece begins on the
 * next page rather than cross one. The second piece of a frame in pieces lies
 * in our pages as it does in the qube's: the bytes behind it there are mostly
 * one buffer, cut at its pages' borders.
 */
static size_t offset_of(const struct chain *chain, size_t used)
{
    size_t first = used + FRAME_OFFSET;
    if (chain->more_count > 0) {
        size_t second = first + chain->first.size;
        return FRAME_OFFSET +
               (GRANT_PAGE_SIZE + chain->more[0].offset - second) %
                   GRANT_PAGE_SIZE;
    }
    if (first % GRANT_PAGE_SIZE + chain->size <= GRANT_PAGE_SIZE)
        return FRAME_OFFSET;
    return FRAME_OFFSET + GRANT_PAGE_SIZE - used % GRANT_PAGE_SIZE;
}

static size_t space_of(const struct chain *chain, size_t used)
{
    size_t space = offset_of(chain, used) + chain->size;
    return (space + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void add_frame(struct netback_transmit_batch *batch,
                      const struct chain *chain)
{
    struct netback_frame *frame = &batch->frames[batch->frame_count];
    *frame = (struct netback_frame){
        .data = batch->memory + batch->used + offset_of(chain, batch->used),
        .size = chain->size,
        .gso_size = chain->gso_size,
        .checksum_blank = chain->first.flags & NETBACK_CHECKSUM_BLANK,
    };
    if (chain->gso_size)
        frame->gso = chain->gso_type == NETBACK_GSO_TCP_IPV4
                         ? OFFLOAD_GSO_TCP_IPV4
                         : OFFLOAD_GSO_TCP_IPV6;

    add_answer(batch, chain->first.id, NETBACK_STATUS_OKAY);
    uint8_t *to = add_copy(batch, &chain->first, frame->data);
    for (uint32_t i = 0; i < chain->extra_count; i++)
        add_answer(batch, 0, NETBACK_STATUS_NULL);
    for (uint32_t i = 0; i < chain->more_count; i++) {
        add_answer(batch, chain->more[i].id, NETBACK_STATUS_OKAY);
        to = add_copy(batch, &chain->more[i], to);
    }
    assert(to == frame->data + frame->size);
    batch->used += space_of(chain, batch->used);
    batch->frame_count++;
    uint32_t packets = 1;
    if (chain->gso_size)
        packets += (uint32_t)chain->size / chain->gso_size;
    batch->cost += chain->size + packets * COST_OF_PACKET;
}

static void copy(const struct netback_peer *peer,
                 struct netback_transmit_batch *batch)
{
    peer->copy(peer->context, GRANT_FROM_QUBE, batch->copies,
               batch->copy_count);
    for (uint16_t i = 0; i < batch->copy_count; i++) {
        if (batch->copies[i].status == 0)
            continue;
        batch->frames[batch->frame_of_copy[i]].failed = true;
        batch->answers[batch->answer_of_copy[i]].status = NETBACK_STATUS_ERROR;
    }
}

static void answer(struct netback_ring *ring, const struct netback_peer *peer,
                   const struct netback_transmit_batch *batch)
{
    for (uint16_t i = 0; i < batch->answer_count; i++) {
        const struct netback_answer *a = &batch->answers[i];
        const uint32_t words[NETBACK_SLOT_WORDS_MAX] = {
            a->id | (uint32_t)(uint16_t)a->status << 16};
        netback_ring_answer(ring, words);
    }
    if (netback_ring_publish(ring))
        peer->notify(peer->context);
}

const char *netback_transmit(struct netback_ring *ring,
                             const struct netback_peer *peer,
                             struct netback_transmit_batch *batch,
                             uint32_t budget, uint64_t *malformed)
{
    struct chain chain;
    uint32_t waiting;

    batch->used = 0;
    batch->cost = 0;
    batch->frame_count = batch->answer_count = batch->copy_count = 0;
    /* Once: what comes in meanwhile is for the next batch. */
    if (!netback_ring_waiting(ring, &waiting))
        return "an impossible number of requests";
    while (waiting > 0 && batch->cost < budget &&
           batch->frame_count < NETBACK_FRAMES_MAX) {
        const char *wrong = read_chain(ring, waiting, &chain);
        if (wrong) {
            batch->frame_count = batch->answer_count = 0;
            return wrong;
        }
        if (batch->used + space_of(&chain, batch->used) > MEMORY_SIZE)
            break;
        netback_ring_take(ring, chain.slots);
        waiting -= chain.slots;
        if (chain.refused) {
            add_refusal(batch, &chain);
            batch->cost += COST_OF_PACKET;
            (*malformed)++;
        } else {
            add_frame(batch, &chain);
        }
    }
    copy(peer, batch);
    answer(ring, peer, batch);
    return NULL;
}
