/*
 * A frontend made of the input: it writes any word of both rings, grants and
 * refuses pages, and rings at any time. The backend always stays within its
 * memory (the sanitizers watch), answers each slot once, and gives frames only
 * of the sizes that were asked for.
 */
#include "tests/link/xen/fake_frontend.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

enum { TURNS_MAX = 200 };

static struct netback_transmit_batch transmit_batch;
static struct netback_receive_batch receive_batch;

struct backend {
    struct fake_frontend *qube;
    struct netback_peer peer;
    struct netback_ring transmit;
    struct netback_receive receive;
    struct instant now;
    bool closed;
    struct reader input;
};

/* Kept from input to input, for it has much memory. */
static struct backend kept;

static void transmit(struct backend *b)
{
    uint64_t malformed = 0;
    uint32_t before = b->transmit.answered;
    if (netback_transmit(&b->transmit, &b->peer, &transmit_batch,
                         read_u32(&b->input), &malformed)) {
        check(transmit_batch.frame_count == 0 &&
              b->transmit.answered == before);
        b->closed = true;
        return;
    }
    check(b->transmit.answered - before == transmit_batch.answer_count);
    check(b->transmit.taken == b->transmit.answered);
    for (uint16_t i = 0; i < transmit_batch.frame_count; i++) {
        const struct netback_frame *f = &transmit_batch.frames[i];
        uint8_t sum = 0;
        check(f->size >= ETHERNET_HEADER_SIZE);
        for (uint32_t at = 0; at < f->size; at++)
            sum ^= f->data[at];
        f->data[ETHERNET_HEADER_SIZE - PACKET_HEADROOM] = sum; /* is ours */
    }
    (void)netback_ring_sleep(&b->transmit, 1);
}

/* A packet of some size and kind; it lies exactly in its memory. */
static void send(struct backend *b)
{
    static const struct ethernet_header header = {.type = ETHERTYPE_IPV4};
    uint8_t kind = read_u8(&b->input);
    uint32_t bytes = read_u16(&b->input);
    bool lies = false;
    uint8_t *memory = calloc(1, PACKET_HEADROOM + bytes);
    check(memory != NULL);
    uint8_t *ip = memory + PACKET_HEADROOM;
    if (bytes >= 60) {
        ip[0] = kind & 1 ? 0x45 : 0x60;
        ip[kind & 1 ? 9 : 6] = IP_TCP;
        ip[kind & 1 ? 32 : 52] = 0x50;
    }
    struct packet p = {.data = ip,
                       .size = bytes,
                       .headroom = PACKET_HEADROOM,
                       .checksum = kind >> 1 & 3,
                       .gso = kind >> 3 & 1,
                       .gso_size = kind >> 4};
    (void)netback_receive_send(&b->receive, b->now, &p, &header, &lies);
    netback_receive_flush(&b->receive);
    free(memory);
    b->closed |= lies || !netback_receive_drain(&b->receive, b->now);
    check(b->closed || b->receive.ring.taken == b->receive.ring.answered);
}

static void write_slot(struct backend *b, struct fake_end *end)
{
    uint32_t words[NETBACK_SLOT_WORDS_MAX];
    for (size_t i = 0; i < end->slot_words; i++)
        words[i] = read_u32(&b->input);
    words[end == &b->qube->transmit ? 0 : 1] %= FAKE_PAGES * 2;
    fake_put(end, words);
}

static void act(struct backend *b)
{
    struct fake_frontend *q = b->qube;
    uint16_t word, page;
    switch (read_u8(&b->input) % 12) {
    case 0:
        word = read_u16(&b->input) % NETBACK_PAGE_WORDS;
        q->transmit.page->word[word] = read_u32(&b->input);
        break;
    case 1:
        word = read_u16(&b->input) % NETBACK_PAGE_WORDS;
        q->receive.page->word[word] = read_u32(&b->input);
        break;
    case 2:
    case 3:
        write_slot(b, &q->transmit);
        break;
    case 4:
    case 5:
        write_slot(b, &q->receive);
        break;
    case 6:
        (void)fake_publish(&q->transmit);
        transmit(b);
        break;
    case 7:
        (void)fake_publish(&q->receive);
        break;
    case 8:
    case 9:
        send(b);
        break;
    case 10:
        page = read_u16(&b->input) % FAKE_PAGES;
        q->refused[page] = !q->refused[page];
        q->copying_fails = page == 0;
        break;
    default:
        b->now.us += read_u16(&b->input) * 100;
        b->closed |= !netback_receive_drain(&b->receive, b->now);
        break;
    }
}

static void begin(struct backend *b, uint32_t start)
{
    static const struct netback_accepts nothing;
    b->now.us = 1000000;
    b->closed = false;
    if (b->qube) {
        fake_frontend_reset(b->qube, start);
        while (b->receive.queue.count > 0)
            frame_queue_remove(&b->receive.queue);
        check(netback_ring_attach(&b->receive.ring, b->qube->receive.page,
                                  NETBACK_RECEIVE_WORDS));
    } else {
        b->qube = fake_frontend_new(start);
        b->peer = fake_frontend_peer(b->qube);
        check(netback_transmit_batch_init(&transmit_batch) &&
              netback_receive_batch_init(&receive_batch));
        check(netback_receive_init(&b->receive, b->qube->receive.page, &b->peer,
                                   &nothing, &receive_batch));
    }
    check(netback_ring_attach(&b->transmit, b->qube->transmit.page,
                              NETBACK_TRANSMIT_WORDS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct backend *b = &kept;
    b->input = reader_of(bytes_of(data, size));
    uint32_t start = read_u32(&b->input);
    uint8_t flags = read_u8(&b->input);
    begin(b, start);
    b->receive.accepts = (struct netback_accepts){
        flags & 1, flags & 2, flags & 4, flags & 8, flags & 16};
    for (int i = 0; i < TURNS_MAX && b->input.left > 0 && !b->closed; i++)
        act(b);
    return 0;
}
