#include "gateway/packet/fragments.h"

#include <stdlib.h>

#include "gateway/packet/ip_packet.h"
#include "tests/fuzz/target.h"

/* A fragment out of eight bytes: who, which packet, where, how much. Its
 * payload says where it belongs, so that the whole can be checked. */
enum { SHARES = 514 };

static size_t make(const uint8_t *op, uint8_t *out, bool *v6)
{
    uint32_t offset = (load_u16(op + 2) & 0x1fff) * 8u;
    uint32_t size = load_u16(op + 4) % 4100;
    bool more = op[0] & 1;
    *v6 = op[0] & 2;
    if (more)
        size &= ~7U;
    size_t header = *v6 ? 48 : 20;
    memset(out, 0, header);
    if (*v6) {
        out[0] = 0x60;
        store_u16(out + 4, (uint16_t)(8 + size));
        out[6] = 44;
        out[7] = 64;
        out[40] = 99;
        store_u16(out + 42, (uint16_t)(offset | more));
        out[47] = op[1] & 3;
    } else {
        out[0] = 0x45;
        store_u16(out + 2, (uint16_t)(20 + size));
        store_u16(out + 4, op[1] & 3);
        store_u16(out + 6, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
        out[8] = 64;
        out[9] = 99;
        ip_write_checksum(&(struct ip_packet){
            .data = out, .family = ADDRESS_IPV4, .transport = 20});
    }
    for (uint32_t i = 0; i < size; i++)
        out[header + i] = (uint8_t)((offset + i) * 31 >> 3);
    if (op[6] & 1 && size)
        out[header] ^= 1; /* a content that differs */
    return header + size;
}

static void check_part(struct bytes part, uint32_t *at, uint32_t *wrong)
{
    for (size_t i = 0; i < part.size; i++, ++*at)
        *wrong += part.data[i] != (uint8_t)(*at * 31 >> 3);
}

static void check_whole(struct packet *p, uint32_t flipped)
{
    uint32_t at = 0, wrong = 0;
    check(ip_packet_parse(p) == DROP_NONE && !ip_is_fragment(&p->ip));
    check(p->piece_count <= PACKET_PIECES_MAX &&
          p->headroom >= PACKET_HEADROOM);
    check_part(bytes_of(p->data + p->ip.transport, p->size - p->ip.transport),
               &at, &wrong);
    for (size_t i = 0; i < p->piece_count; i++)
        check_part(p->pieces[i], &at, &wrong);
    check(at == p->ip.total - p->ip.transport && wrong <= flipped);
}

/* An owner that has a share to itself gets its packet, whatever else is held.
 * */
static void expect_a_whole(struct fragments *f, struct instant now)
{
    static const struct fragments_owner owner = {9, SHARES - 1};
    fragments_release(f);
    for (uint16_t i = 0; i < 4; i++) {
        static uint8_t bytes[5000];
        bool last = i == 3, v6;
        uint8_t op[8] = {!last, 0};
        store_u16(op + 2, (uint16_t)(i * 1480 / 8));
        store_u16(op + 4, 1480);
        struct packet p = {.data = bytes,
                           .size = (uint32_t)make(op, bytes, &v6)};
        check(ip_packet_parse(&p) == DROP_NONE);
        check(fragments_take(f, now, &owner, &p) ==
              (last ? FRAGMENTS_WHOLE : FRAGMENTS_HELD));
        if (last)
            check_whole(&p, 0);
    }
}

/* One memory for all inputs, because making it is slow: all that an input has
 * left is forgotten. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fragments *f;
    struct instant now = {0};
    if (!f)
        f = fragments_new(SHARES);
    uint32_t flipped = 0;
    for (; size >= 8; data += 8, size -= 8) {
        static uint8_t scratch[5000];
        bool v6;
        size_t n = make(data, scratch, &v6);
        uint8_t *copy = malloc(n);
        memcpy(copy, scratch, n);
        struct packet p = {.data = copy, .size = (uint32_t)n};
        check(ip_packet_parse(&p) == DROP_NONE);
        flipped += data[6] & 1;
        now.us += (int64_t)(data[6] >> 1) * 100000;
        const struct fragments_owner owner = {data[1] >> 2 & 1,
                                              data[1] >> 3 & 7};
        if (ip_is_fragment(&p.ip) &&
            fragments_take(f, now, &owner, &p) == FRAGMENTS_WHOLE)
            check_whole(&p, flipped);
        free(copy);
        struct fragments_loss loss;
        while (fragments_lost(f, now, &loss))
            check(loss.share < 8);
        if (data[7] & 1)
            fragments_release(f);
        if (data[7] & 2)
            fragments_forget(f, data[7] >> 2 & 7);
    }
    expect_a_whole(f, now);
    for (uint16_t share = 0; share < SHARES; share++)
        fragments_forget(f, share);
    fragments_release(f);
    check(instant_is_never(fragments_deadline(f)));
    return 0;
}
