#include "gateway/link/xen/vchan_framing.h"

#include <assert.h>

enum { VERSION = 1 };

static const uint8_t magic[4] = {'Q', 'V', 'P', 'N'};

static uint32_t load_little_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static uint16_t load_little_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

void vchan_framing_reader_init(struct vchan_framing_reader *r)
{
    *r = (struct vchan_framing_reader){0};
}

static uint32_t wanted(const struct vchan_framing_reader *r)
{
    if (r->in_body)
        return r->size;
    return r->greeted ? VCHAN_FRAMING_PREFIX_SIZE : VCHAN_FRAMING_GREETING_SIZE;
}

struct vchan_framing_room
vchan_framing_reader_room(struct vchan_framing_reader *r, uint8_t *body)
{
    if (r->failed)
        return (struct vchan_framing_room){body, 0};
    return (struct vchan_framing_room){(r->in_body ? body : r->head) + r->have,
                                       wanted(r) - r->have};
}

static enum vchan_framing_result fail(struct vchan_framing_reader *r)
{
    r->failed = true;
    return VCHAN_FRAMING_MALFORMED;
}

static enum vchan_framing_result take_greeting(struct vchan_framing_reader *r)
{
    if (memcmp(r->head, magic, sizeof magic) != 0 ||
        load_little_u16(r->head + 4) != VERSION)
        return fail(r);
    r->flags = load_little_u16(r->head + 6);
    r->greeted = true;
    return VCHAN_FRAMING_GREETED;
}

static enum vchan_framing_result take_prefix(struct vchan_framing_reader *r)
{
    uint32_t size = load_little_u32(r->head);
    if (size < VCHAN_FRAMING_BODY_MIN || size > VCHAN_FRAMING_BODY_MAX)
        return fail(r);
    r->size = size;
    r->in_body = true;
    return VCHAN_FRAMING_PARTIAL;
}

enum vchan_framing_result
vchan_framing_reader_put(struct vchan_framing_reader *r, size_t size)
{
    assert(!r->failed && size > 0 && size <= wanted(r) - r->have);
    r->have += (uint32_t)size;
    if (r->have < wanted(r))
        return VCHAN_FRAMING_PARTIAL;
    r->have = 0;
    if (!r->greeted)
        return take_greeting(r);
    if (!r->in_body)
        return take_prefix(r);
    r->in_body = false;
    return VCHAN_FRAMING_WHOLE;
}

void vchan_framing_write_greeting(uint8_t out[VCHAN_FRAMING_GREETING_SIZE],
                                  uint16_t flags)
{
    memcpy(out, magic, sizeof magic);
    out[4] = VERSION;
    out[5] = 0;
    out[6] = (uint8_t)flags;
    out[7] = (uint8_t)(flags >> 8);
}

void vchan_framing_write_prefix(uint8_t out[VCHAN_FRAMING_PREFIX_SIZE],
                                uint32_t size)
{
    assert(size >= VCHAN_FRAMING_BODY_MIN && size <= VCHAN_FRAMING_BODY_MAX);
    for (size_t i = 0; i < VCHAN_FRAMING_PREFIX_SIZE; i++)
        out[i] = (uint8_t)(size >> 8 * i);
}
