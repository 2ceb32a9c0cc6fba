#include "gateway/link/record.h"

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

void record_reader_init(struct record_reader *r)
{
    *r = (struct record_reader){0};
}

static uint32_t wanted(const struct record_reader *r)
{
    if (r->in_body)
        return r->size;
    return r->greeted ? RECORD_PREFIX_SIZE : RECORD_GREETING_SIZE;
}

struct record_room record_reader_room(struct record_reader *r, uint8_t *body)
{
    if (r->failed)
        return (struct record_room){body, 0};
    return (struct record_room){(r->in_body ? body : r->head) + r->have,
                                wanted(r) - r->have};
}

static enum record_result fail(struct record_reader *r)
{
    r->failed = true;
    return RECORD_MALFORMED;
}

static enum record_result take_greeting(struct record_reader *r)
{
    if (memcmp(r->head, magic, sizeof magic) != 0 ||
        load_little_u16(r->head + 4) != VERSION)
        return fail(r);
    r->flags = load_little_u16(r->head + 6);
    r->greeted = true;
    return RECORD_GREETED;
}

static enum record_result take_prefix(struct record_reader *r)
{
    uint32_t size = load_little_u32(r->head);
    if (size < RECORD_BODY_MIN || size > RECORD_BODY_MAX)
        return fail(r);
    r->size = size;
    r->in_body = true;
    return RECORD_PARTIAL;
}

enum record_result record_reader_put(struct record_reader *r, size_t size)
{
    assert(!r->failed && size > 0 && size <= wanted(r) - r->have);
    r->have += (uint32_t)size;
    if (r->have < wanted(r))
        return RECORD_PARTIAL;
    r->have = 0;
    if (!r->greeted)
        return take_greeting(r);
    if (!r->in_body)
        return take_prefix(r);
    r->in_body = false;
    return RECORD_WHOLE;
}

void record_write_greeting(uint8_t out[RECORD_GREETING_SIZE], uint16_t flags)
{
    memcpy(out, magic, sizeof magic);
    out[4] = VERSION;
    out[5] = 0;
    out[6] = (uint8_t)flags;
    out[7] = (uint8_t)(flags >> 8);
}

void record_write_prefix(uint8_t out[RECORD_PREFIX_SIZE], uint32_t size)
{
    assert(size >= RECORD_BODY_MIN && size <= RECORD_BODY_MAX);
    for (size_t i = 0; i < RECORD_PREFIX_SIZE; i++)
        out[i] = (uint8_t)(size >> 8 * i);
}
