#include "gateway/packet/coalesce.h"

#include "gateway/packet/segment.h"
#include "tests/fuzz/target.h"
#include "tests/packet/craft.h"
#include "tests/packet/parsed.h"

static const struct burst_layout layout = {.head = 24, .tail = 16};

/* Segments of two flows, whose headers the input bends a little: eight bytes
 * each. */
static size_t make(const uint8_t *op, uint32_t *sequence, uint16_t *id,
                   uint8_t *out)
{
    static uint8_t payload[2000];
    struct craft c = {
        .source = {op[0] & 1 ? ADDRESS_IPV6 : ADDRESS_IPV4, {9, 9, 9, 9}},
        .destination = {op[0] & 1 ? ADDRESS_IPV6 : ADDRESS_IPV4, {10, 8, 0, 2}},
        .protocol = op[0] & 2 ? 17 : 6,
        .source_port = 443,
        .destination_port = (uint16_t)(1000 + (op[0] >> 2 & 1)),
        .dont_fragment = op[0] & 8,
        .sequence = *sequence + (op[1] & 64 ? 1 : 0),
        .flags = (uint8_t)(0x10 | op[2]),
        .window = op[3],
        .tos = op[4] & 1,
        .id = *id,
        .payload = bytes_of(payload, load_u16(op + 5) % 1400),
    };
    (*id)++;
    *sequence += (uint32_t)c.payload.size;
    size_t written = craft_write(&c, out);
    if (op[7] & 128)
        out[op[7] & 63] ^= 4; /* and sometimes breaks one */
    return written;
}

static void fill(const uint8_t *data, size_t size, struct burst *burst)
{
    uint32_t sequences[8] = {0};
    uint16_t ids[8] = {0};
    static uint8_t bytes[3000];
    burst_reset(burst);
    for (; size >= 8; data += 8, size -= 8) {
        size_t n =
            make(data, &sequences[data[0] & 7], &ids[data[0] & 7], bytes);
        struct datagram *d = burst_reserve(burst, &layout, (uint32_t)n);
        if (!d)
            break;
        memcpy(d->data + d->inner_offset, bytes, n);
        if ((data[4] & 6) == 6)
            d->drop = DROP_DATA_AUTH;
    }
}

static uint32_t count_segments(struct packet *p)
{
    uint32_t at = p->size;
    for (size_t i = 0; i < p->piece_count; i++)
        at += (uint32_t)p->pieces[i].size;
    check(at == packet_total(p));
    check(p->drop != DROP_NONE || parsed_truly(p));
    if (p->gso == PACKET_GSO_NONE)
        return 1;
    check(p->piece_count > 0 && p->checksum == PACKET_CHECKSUM_PARTIAL);
    check(craft_partial_right(p->data, p->size, packet_total(p)));
    check((ip_payload_size(&p->ip) + p->gso_size - 1) / p->gso_size ==
          p->piece_count + 1U);
    return p->piece_count + 1U;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct burst burst;
    static struct coalesce *c;
    static struct packet_batch batch;
    if (!c) {
        c = coalesce_new();
        check(c && burst_init(&burst, 1 << 20) &&
              packet_batch_init(&batch, 40, 0));
    }
    if (size < 1)
        return 0;
    coalesce_join_udp(c, data[0] & 1);
    fill(data + 1, size - 1, &burst);
    uint32_t expected = 0, seen = 0;
    for (size_t i = 0; i < burst.count; i++)
        expected += burst.datagrams[i].drop == DROP_NONE;
    uint16_t next = 0;
    bool done;
    do {
        packet_batch_reset(&batch);
        done = coalesce(c, &burst, &next, &batch);
        for (size_t i = 0; i < batch.count; i++)
            seen += count_segments(&batch.packets[i]);
    } while (!done);
    check(seen == expected);
    return 0;
}
